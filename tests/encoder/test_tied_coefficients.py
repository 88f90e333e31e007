"""Ties: symmetries and whole ratios of coefficients."""

import numpy as np
import pytest

from sklearn_eql.encoder.tied_coefficients import Ties, find_ties, refit
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.description_length import is_unsurprising
from sklearn_eql.symbolic.equation import Equation, Unit

X = np.random.default_rng(0).normal(size=(2000, 2))
NOISE = np.random.default_rng(1).normal(size=2000)
LINEAR = Equation(2, (), ((0, 9.0), (1, -1.8), (2, -1.79)))
# (z0 + 2.5) * (z1 + 2.5), as canonical laws have it
PRODUCT = Equation(2, (Unit("mul", (((0, 2.4), (1, 1.0)), ((0, 2.6), (2, 1.0)))),), ((3, 3.0),))


def found(equation, y):
    start = Ties.none(equation, PRIMITIVES)
    loss_of = lambda ties: refit(ties.applied(equation), ties, X, y, PRIMITIVES)[1]  # noqa: E731
    accept = lambda old, new, n_ties: is_unsurprising(old, new, len(y), n_ties)  # noqa: E731
    ties = find_ties(equation, loss_of, accept, start)
    return refit(ties.applied(equation), ties, X, y, PRIMITIVES)[0].coefficients()


def test_equal_slopes_are_tied_when_the_errors_allow():
    constant, first, second = found(LINEAR, 9 - 1.79 * X.sum(axis=1) + 0.3 * NOISE)
    assert first == second
    assert first == pytest.approx(-1.79, abs=0.02)
    assert constant == pytest.approx(9, abs=0.03)


def test_slopes_that_differ_by_more_than_the_errors_stay_apart():
    _, first, second = found(LINEAR, 9 - 1.79 * X[:, 0] - 1.70 * X[:, 1] + 0.3 * NOISE)
    assert second - first == pytest.approx(0.09, abs=0.03)


@pytest.mark.parametrize("ratio", [-1, 2, 0.5, -3])
def test_small_whole_ratios_are_recognised(ratio):
    equation = LINEAR.with_coefficients(np.array([9.0, 1.0, 1.03 * ratio]))
    _, first, second = found(equation, 9 + X[:, 0] + ratio * X[:, 1] + 0.3 * NOISE)
    assert second / first == pytest.approx(ratio, rel=1e-12)


def test_the_factors_of_a_product_share_their_constant():
    y = 3 * (X[:, 0] + 2.5) * (X[:, 1] + 2.5) + 0.1 * NOISE
    first, _, second, _, scale = found(PRODUCT, y)
    assert first == second == pytest.approx(2.5, abs=0.01)
    assert scale == pytest.approx(3, abs=0.01)


def test_a_refit_leaves_fixed_coefficients_and_tells_the_errors_of_the_others():
    y = 9 - 1.79 * X.sum(axis=1) + 0.3 * NOISE
    free = np.array([False, True, True])
    equation, loss, errors = refit(LINEAR, Ties.none(LINEAR, PRIMITIVES), X, y, PRIMITIVES, free)
    assert equation.coefficients()[0] == 9
    assert np.isinf(errors[0])
    np.testing.assert_allclose(errors[1:], 0.3 / np.sqrt(2000), rtol=0.1)
    assert loss == pytest.approx(0.09 / np.abs(y).max() ** 2, rel=0.1)


def test_a_few_samples_far_off_do_not_move_a_robust_refit():
    y = 9 - 1.79 * X.sum(axis=1) + 0.03 * NOISE
    y[:100] += 5
    ties = Ties.none(LINEAR, PRIMITIVES).joined(1, 2, 1.0)
    robust, loss, _ = refit(LINEAR, ties, X, y, PRIMITIVES, delta=0.1)
    squares, *_ = refit(LINEAR, ties, X, y, PRIMITIVES)
    assert robust.coefficients()[0] == pytest.approx(9, abs=0.01)
    assert squares.coefficients()[0] == pytest.approx(9.25, abs=0.05)
    assert loss == pytest.approx(0.05 * 0.1 * 2 * 5 / np.abs(y).max() ** 2, rel=0.05)


def test_a_law_that_is_undefined_on_a_row_has_an_infinite_loss():
    logarithm = Equation(2, (Unit("log", (((1, 1.0),),)),), ((3, 1.0),))
    equation, loss, _ = refit(logarithm, Ties.none(logarithm, PRIMITIVES), X, NOISE, PRIMITIVES)
    assert np.isinf(loss)
    assert equation == logarithm
