"""Outliers: a scale that they do not move, weights, and a test that normal errors and incomplete laws pass."""

import numpy as np
import pytest

from sklearn_eql.laws.outliers import (
    count_outliers,
    huber_weights,
    in_scales,
    is_gross,
    robust_scale,
    smooth_residuals,
)


def normal(seed, n, n_features=2):
    rng = np.random.default_rng(seed)
    return rng.uniform(-2, 2, (n, n_features)), rng.normal(size=n)


def test_the_scale_is_that_of_normal_errors_with_wrong_rows_among_them():
    _, residual = normal(0, 4000)
    residual[:200] += 1e6
    assert robust_scale(residual, None, 0.0) == pytest.approx(1.0, rel=0.15)


def test_a_row_that_counts_twice_is_two_rows():
    _, residual = normal(1, 51)
    counts = np.random.default_rng(2).integers(1, 4, 51)
    counts[0] += 1 - counts.sum() % 2  # so that there is a row in the middle
    assert robust_scale(residual, counts, 0.0) == robust_scale(residual.repeat(counts), None, 0.0)


def test_the_scale_of_an_exact_law_is_that_of_rounding():
    scaled = in_scales(np.r_[np.zeros(20), 1.0], np.full(21, 3.0), None, 2)
    assert is_gross(scaled).tolist() == [False] * 20 + [True]


def test_weights_are_those_of_huber():
    np.testing.assert_allclose(huber_weights(np.array([-0.5, 1.5, -3.0, np.inf]), 1.5), [1, 1, 0.5, 0])


def test_a_quarter_of_the_rows_is_gross_at_most():
    scaled = np.r_[np.zeros(40), np.arange(100, 160)]
    assert is_gross(scaled).nonzero()[0].tolist() == list(range(75, 100))


@pytest.mark.parametrize("n", [20, 30, 60, 200])
def test_normal_errors_are_not_taken_for_outliers(n):
    assert not any(count_outliers(*_case(*normal(seed, n))) for seed in range(300))


@pytest.mark.parametrize("n", [20, 30, 60, 200])
def test_gross_rows_are_seen(n):
    found = 0
    for seed in range(50):
        X, residual = normal(seed, n)
        residual[: n // 20] += 30
        found += count_outliers(*_case(X, residual)) == n // 20
    assert found > 45


def test_of_few_rows_nothing_is_said():
    X, residual = normal(0, 19)
    residual[0] = 1e6
    assert count_outliers(*_case(X, residual)) == 0


def test_what_a_law_has_not_grasped_is_no_outlier():
    X = np.sort(np.random.default_rng(0).uniform(-1, 1, (200, 1)), axis=0)
    pole = 0.01 / (X[:, 0] ** 2 + 1e-3)
    assert count_outliers(*_case(X, pole - np.median(pole) + 0.01 * np.random.default_rng(1).normal(size=200))) == 0


@pytest.mark.parametrize("n_features", [1, 3, 15])
def test_a_polynomial_stands_in_for_the_law_until_there_is_one(n_features):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 2, (120, n_features))
    y = X[:, 0] ** 3 * np.exp(X[:, 0])
    wrong = rng.choice(120, 6, replace=False)
    y[wrong] += 20 * y.std() * rng.choice([-1, 1], 6)
    residual, n_terms = smooth_residuals(X, y, 0)
    assert 2 <= n_terms <= 60
    named = is_gross(in_scales(residual, y, None, n_terms))
    assert named[wrong].all()
    assert named.sum() <= 30  # where it does not follow the law, rows that are right may be among them


def test_errors_that_grow_with_the_value_are_no_outliers():
    x = np.linspace(0, 10, 200)[:, None]
    value = 100 * np.exp(-x[:, 0])
    error = 0.1 * value * np.random.default_rng(0).normal(size=200)
    assert count_outliers(x, error, value + error, 2) == 0


def _case(X, residual):
    """Rows, residuals and targets of a plane."""
    return X, residual, 5 * X[:, 0] + residual, 3


def test_classes_have_no_outliers(rng):
    """Of three species, those that a short law takes for another one are not wrong."""
    X = rng.normal(size=(150, 2))
    y = np.repeat([0.0, 1.0, 2.0], 50)
    residual = 0.01 * rng.normal(size=150)
    residual[[3, 70]] += 1.0
    assert count_outliers(X, residual, y, 2) == 0
    assert count_outliers(X, residual, y + 0.01 * rng.normal(size=150), 2) == 2
