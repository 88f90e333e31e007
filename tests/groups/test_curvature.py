"""How sure laws of groups are: shared numbers, own constants, and own constants that are laws of their group."""

import numpy as np

from sklearn_eql.groups.curvature import curvature_of_groups, deviations_in_groups
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic.equation import Equation, Unit
from sklearn_eql.uncertainty.constants import Parameters

NUMBERS = np.array([[0.5], [1.5], [2.5], [4.0]])
CODES = np.repeat(np.arange(4), 10)
X = np.random.default_rng(0).uniform(0, 3, (40, 1))
WEIGHT = np.random.default_rng(2).uniform(0.5, 2, 40)
NOISE = 0.1 * np.random.default_rng(1).normal(size=40) / np.sqrt(WEIGHT)
# 3.7*x**2 + c0*x + c1, where c1 may be 1.3*g + 0.4
LAW = Equation(
    3, (Unit("square", (((1, 1.0),),)), Unit("mul", (((2, 1.0),), ((1, 1.0),)))), ((3, 1.0), (4, 3.7), (5, 1.0))
)
OF_C1 = Equation(1, (), ((0, 0.4132), (1, 1.3217)))
ABOUT = {"loss": 0.0, "relative_loss": 0.0, "exact": 0.0, "complexity": 5, "n_free": 1, "n_symbols": 3, "trial": 0}


def errors(laws, at, code, known=False, number=None):
    """Of the value of the law at a place of a group, and by how much least squares are uncertain there."""
    own = np.column_stack([[1.0, -2.0, 0.5, 3.0], OF_C1.evaluate(NUMBERS, PRIMITIVES)])
    law = GroupLaw(LAW, **ABOUT, own=own, own_errors=own, laws=laws)
    y = LAW.evaluate(np.column_stack([X, own[CODES]]), PRIMITIVES) + NOISE
    rows = GroupedRows.of(X, y, WEIGHT, CODES)
    parameters = Parameters.of(LAW, PRIMITIVES)
    curvature, following = curvature_of_groups(law, parameters, rows, PRIMITIVES, 1e-15, known, NUMBERS)
    there = np.array([[at, *own[code]]])
    if number is not None:
        following = following.at(list(laws), np.array([[number]]), PRIMITIVES)
        there[0, 2] = OF_C1.evaluate(np.array([[number]]), PRIMITIVES)[0]
    found = deviations_in_groups(parameters, curvature, following, 1, np.array([code]), there, PRIMITIVES)
    return found.item(), curvature, parameters


def by_least_squares(columns, at, known=False):
    scaled = columns * np.sqrt(WEIGHT)[:, None]
    basis, triangle = np.linalg.qr(scaled)
    left = NOISE * np.sqrt(WEIGHT)
    left = left - basis @ (basis.T @ left)
    variance = 1.0 if known else left @ left / (40 - columns.shape[1])
    return np.sqrt(variance) * np.linalg.norm(np.linalg.solve(triangle.T, at))


def test_own_constants_vary_with_the_shared_ones():
    of_group = (CODES[:, None] == np.arange(4)).astype(float)
    columns = np.column_stack([X**2, X * of_group, of_group])
    at = np.array([4.0, 0, 2, 0, 0, 0, 1, 0, 0])
    for known in (False, True):
        found, curvature, _ = errors((None, None), 2.0, 1, known)
        np.testing.assert_allclose(found, by_least_squares(columns, at, known), rtol=1e-6)
        assert curvature.n_rows == 32


def test_constants_that_are_laws_of_their_group_have_the_errors_of_these():
    of_group = (CODES[:, None] == np.arange(4)).astype(float)
    columns = np.column_stack([X**2, X * of_group, np.ones(40), NUMBERS[CODES, 0]])
    found, curvature, parameters = errors((None, OF_C1), 2.0, 1)
    np.testing.assert_allclose(found, by_least_squares(columns, np.array([4.0, 0, 2, 0, 0, 1, 1.5])), rtol=1e-6)
    estimates, _ = parameters.estimates(curvature)
    np.testing.assert_allclose(estimates.errors[0], by_least_squares(columns, np.eye(7)[0]), rtol=1e-6)


def test_a_group_that_was_not_seen_has_the_errors_of_the_laws():
    one = Equation(2, (Unit("square", (((1, 1.0),),)),), ((2, 1.0), (3, 3.7)))
    own = OF_C1.evaluate(NUMBERS, PRIMITIVES)[:, None]
    law = GroupLaw(one, **ABOUT, own=own, own_errors=own, laws=(OF_C1,))
    rows = GroupedRows.of(X, one.evaluate(np.column_stack([X, own[CODES]]), PRIMITIVES) + NOISE, WEIGHT, CODES)
    parameters = Parameters.of(one, PRIMITIVES)
    curvature, following = curvature_of_groups(law, parameters, rows, PRIMITIVES, 1e-15, False, NUMBERS)
    new = following.at([OF_C1], np.array([[7.0]]), PRIMITIVES)
    there = np.array([[2.0, 0.4132 + 7 * 1.3217]])
    found = deviations_in_groups(parameters, curvature, new, 1, np.array([0]), there, PRIMITIVES)
    columns = np.column_stack([X**2, np.ones(40), NUMBERS[CODES, 0]])
    np.testing.assert_allclose(found, by_least_squares(columns, np.array([4.0, 1, 7])), rtol=1e-6)


def test_a_group_with_too_few_rows_is_not_known():
    few = np.concatenate([np.arange(30), [30]])
    own = np.array([[1.0, 1.0], [-2.0, 2.0], [0.5, 3.0], [3.0, 4.0]])
    law = GroupLaw(LAW, **ABOUT, own=own, own_errors=own)
    y = LAW.evaluate(np.column_stack([X, own[CODES]]), PRIMITIVES) + NOISE
    rows = GroupedRows.of(X[few], y[few], None, CODES[few])
    parameters = Parameters.of(LAW, PRIMITIVES)
    curvature, following = curvature_of_groups(law, parameters, rows, PRIMITIVES, 1e-15)
    wide = np.array([[1.0, *own[0]], [1.0, *own[3]]])
    found = deviations_in_groups(parameters, curvature, following, 1, np.array([0, 3]), wide, PRIMITIVES)
    assert np.isfinite(found[0])
    assert np.isinf(found[1])
