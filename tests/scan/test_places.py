"""Functions around places: what is written has the values that are scanned."""

import numpy as np
import pytest

from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.scan.places import entries_of
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.structure import Structure

x = np.linspace(3.0, 11.0, 40)


@pytest.mark.parametrize("names", [(*PRESETS["default"],), ("exp", "arctan"), ("sin",)])
def test_a_node_has_the_values_of_its_columns_up_to_a_factor(names):
    weights = np.array([0.6, -1.1])
    entries = list(entries_of(x, 1, names.__contains__))
    for entry in entries:
        values = weights[: len(entry.columns)] @ entry.columns
        node = entry.make(weights)
        editable = EditableStructure(Structure(1, (), ()))
        editable.output = [[node, 1.0]]
        written = editable.equation().evaluate(x[:, None], PRIMITIVES)
        np.testing.assert_allclose(values * (written @ values) / (values @ values), written, atol=1e-9, rtol=1e-9)
        assert not isinstance(node, Node) or node.primitive in names
    kinds = {entry.kind for entry in entries}
    assert ("wave" in kinds) == ("sin" in names)
    assert ("bell" in kinds) == ("square" in names)
    assert ("arctan" in kinds) == ("arctan" in names)


def test_a_feature_that_does_not_vary_has_no_entries():
    assert list(entries_of(np.ones(10), 1, PRESETS["default"].__contains__)) == []
