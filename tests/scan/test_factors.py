"""Functions of one argument: what is written has the values that are scanned."""

import numpy as np
import pytest

from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.scan.factors import arguments, factors_of
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.structure import Structure

UNITS = np.array([2.0, 0.5])


@pytest.fixture(params=["positive", "around zero"])
def rows(request):
    rng = np.random.default_rng(0)
    return rng.uniform(0.2, 2, (30, 2)) if request.param == "positive" else rng.normal(size=(30, 2))


def sign_of(column):
    return int((column > 0).all()) - int((column < 0).all())


def of(X, has=PRESETS["default"].__contains__, peaks=False):
    return [factors_of(a, has, peaks) for a in arguments(X, UNITS, [sign_of(x) for x in X.T], [0, 1])]


def test_terms_of_an_entry_have_its_values_up_to_a_factor(rows):
    n_entries = 0
    for factors in of(rows, peaks=True):
        for values, make in zip(factors.values.numpy(), factors.makers, strict=True):
            editable = EditableStructure(Structure(2, (), ()))
            editable.output = make()
            written = editable.equation().evaluate(rows, PRIMITIVES)
            np.testing.assert_allclose(values * (written @ values) / (values @ values), written, atol=1e-12)
            n_entries += 1
    assert n_entries > 200


def test_entries_of_one_kind_are_next_to_each_other(rows):
    for factors in of(rows, peaks=True):
        changes = sum(a != b for a, b in zip(factors.kinds, factors.kinds[1:], strict=False))
        assert changes + 1 == len(set(factors.kinds))


def test_a_quotient_needs_a_divisor_without_zero():
    X = np.random.default_rng(0).normal(size=(30, 2))
    assert [a.features for a in arguments(X, UNITS, [0, 0], [0, 1])] == [(0,), (1,), (0, 1)]
    assert [a.features for a in arguments(abs(X), UNITS, [1, 1], [0, 1])][3:] == [(0, 1), (1, 0)]


def test_only_functions_that_are_allowed_are_used(rows):
    for factors in of(rows, {"sin", "mul"}.__contains__, peaks=True):
        assert set(factors.kinds) <= {"power 1", "sin"}


def test_an_argument_that_does_not_vary_has_no_functions():
    [argument] = arguments(np.ones((10, 1)), np.ones(1), [1], [0])
    assert factors_of(argument, PRESETS["default"].__contains__) is None
