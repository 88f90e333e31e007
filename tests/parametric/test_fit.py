"""Least squares over named constants, with groups and without."""

import numpy as np
import pytest
import sympy
from parametric_laws import law_of

from sklearn_eql.parametric.errors import covariance
from sklearn_eql.parametric.fit import fit_constants, fit_each, linearise
from sklearn_eql.parametric.rows import GroupedRows

x, a, b, w = sympy.symbols("x a b w")
DECAY = law_of(a * sympy.exp(-w * x) + b, ["x"], ["a", "b", "w"])


def decays(noise: float = 0.0, n_groups: int = 6, n_rows: int = 40):
    """Rows of decays from different heights, with one rate and one offset, in mixed order."""
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(n_groups), n_rows))
    heights = rng.uniform(1, 3, n_groups)
    X = rng.uniform(0, 3, (len(groups), 1))
    y = heights[groups] * np.exp(-1.3 * X[:, 0]) + 0.7 + noise * rng.normal(size=len(groups))
    return GroupedRows.of(X, y, None, groups), heights


def test_shared_constants_and_those_of_groups_are_found():
    rows, heights = decays()
    fit = fit_constants(DECAY.sharing([True, False, False]), rows, np.array([0.1, 0.3]), np.ones((6, 1)))
    np.testing.assert_allclose(fit.shared, [0.7, 1.3], rtol=1e-6)
    np.testing.assert_allclose(fit.own[:, 0], heights, rtol=1e-6)
    assert fit.squared_error < 1e-16


def test_groups_without_shared_constants_do_not_see_each_other():
    rows, heights = decays(0.01)
    starts = np.array([[1, 0, 30.0], [1, 0, 0.5]])
    both = fit_each(DECAY, rows, starts)
    for g in range(6):
        one = rows.groups == g
        alone = fit_each(DECAY, GroupedRows.of(rows.X[one], rows.y[one]), starts)
        np.testing.assert_allclose(both.own[g], alone.own[0], rtol=1e-5)
    np.testing.assert_allclose(both.own[:, 0], heights, atol=0.1)


def test_starts_take_turns_where_there_are_many(monkeypatch):
    rows, _ = decays(0.01)
    starts = np.random.default_rng(1).uniform(0.2, 2, (7, 3))
    at_once = fit_each(DECAY, rows, starts)
    monkeypatch.setattr("sklearn_eql.parametric.fit._ROWS_AT_ONCE", 500)
    np.testing.assert_allclose(fit_each(DECAY, rows, starts).losses, at_once.losses, rtol=1e-9)


def test_rows_on_which_a_law_is_undefined_have_no_finite_error():
    law = law_of(sympy.log(x - a), ["x"], ["a"])
    rows = GroupedRows.of(np.linspace(1, 2, 10)[:, None], np.linspace(1, 2, 10))
    assert fit_constants(law, rows, np.array([1.5]), np.empty((1, 0))).squared_error == np.inf


def test_errors_are_those_of_the_whole_normal_matrix():
    rows, _ = decays(0.05)
    law = DECAY.sharing([True, False, False])
    fit = fit_constants(law, rows, np.array([0.5, 1.0]), np.ones((6, 1)))
    found = covariance(law, rows, fit)
    X, g = rows.X[:, 0], rows.groups
    decay = np.exp(-fit.shared[1] * X)
    jacobian = np.stack([np.ones_like(X), -fit.own[g, 0] * X * decay, *(decay * (g == k) for k in range(6))], axis=1)
    whole = np.linalg.inv(jacobian.T @ jacobian) * fit.squared_error / (len(X) - 8)
    np.testing.assert_allclose(found.shared, whole[:2, :2], rtol=1e-6)
    np.testing.assert_allclose(found.own_errors[:, 0], np.sqrt(np.diagonal(whole)[2:]), rtol=1e-6)
    np.testing.assert_allclose(found.between[:, 0], whole[2:, :2], rtol=1e-5)
    assert found.n_left == len(X) - 8


@pytest.mark.parametrize("n_starts", [1, 40])
def test_a_wave_is_found_from_one_of_many_frequencies(n_starts):
    law = law_of(a * sympy.sin(w * x + b), ["x"], ["a", "b", "w"])
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 10, (60, 1))
    rows = GroupedRows.of(X, 2 * np.sin(3.3 * X[:, 0] + 0.4))
    starts = np.stack([np.ones(n_starts), np.zeros(n_starts), np.linspace(0.2, 6, n_starts)], axis=1)
    found = fit_each(law, rows, starts)
    assert (found.squared_error < 1e-12) == (n_starts > 1)


def test_blocks_of_rows_change_nothing(monkeypatch):
    rows, _ = decays(0.05)
    law = DECAY.sharing([True, False, False])
    at = linearise(law, rows, np.array([0.5, 1.0]), np.ones((6, 1)))
    monkeypatch.setattr("sklearn_eql.parametric.fit._BLOCK", 7)
    again = linearise(law, rows, np.array([0.5, 1.0]), np.ones((6, 1)))
    for name in ("left", "by_shared", "by_own"):
        np.testing.assert_allclose(getattr(again, name), getattr(at, name), rtol=1e-12)


def test_a_law_without_constants_is_judged_as_it_is():
    rows, _ = decays()
    law = law_of(sympy.exp(-x), ["x"], [])
    fit = fit_constants(law, rows, np.empty(0), np.empty((6, 0)))
    assert np.isclose(fit.squared_error, ((rows.y - np.exp(-rows.X[:, 0])) ** 2).sum())
