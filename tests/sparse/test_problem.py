"""When a law is exact: on every row, those of zeros among them."""

import numpy as np
import pytest

from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.problem import Scaling, is_exact, make_problem, misses
from sklearn_eql.sparse.structure import Structure

X = np.column_stack([np.linspace(0, 4, 40), np.random.default_rng(0).uniform(1, 2, 40)])
LAWS = {
    "sqrt(t)*x": ([[Node("mul", [[[Node("sqrt", [[[1, 1.0]]]), 1.0]], [[2, 1.0]]]), 1.0]], lambda t, x: np.sqrt(t) * x),
    "1/(1/t + x)": (
        [[Node("inv", [[[Node("inv", [[[1, 1.0]]]), 1.0], [2, 1.0]]]), 1.0]],
        lambda t, x: t / (1 + t * x),
    ),
}


def problem_of(y):
    scaling = Scaling.of(X, y, enabled=False)
    return make_problem(X, y, None, scaling, PRIMITIVES, PRESETS["default"], 2, 200, 0)


@pytest.mark.parametrize("name", LAWS)
def test_a_slope_that_is_not_finite_where_a_column_is_zero_is_no_reason_to_doubt(name):
    terms, law = LAWS[name]
    editable = EditableStructure(Structure(2, (), ()))
    editable.output = terms
    structure = editable.finish(PRIMITIVES)
    y = law(*X.T)
    with np.errstate(divide="ignore"):
        assert is_exact(structure, problem_of(y))
        assert not is_exact(structure, problem_of(y + 0.01 * (X[:, 0] == 0)))
        problem = problem_of(y)
        assert misses(structure.to_equation(), problem.X, problem.y, PRIMITIVES)[0] < 1e-14
