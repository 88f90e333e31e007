"""Least squares with errors in all columns."""

import numpy as np
import pytest
import sympy

from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.symbolic.reading import from_sympy
from sklearn_eql.uncertainty.both_axes import by_features, fit_both_axes
from sklearn_eql.uncertainty.curvature import measure

x, a, b, k = sympy.symbols("x a b k")
LINE = ParametricLaw(from_sympy(a * x + b, ["x", "a", "b"]), ("a", "b"), (False, False))
DECAY = ParametricLaw(from_sympy(a * sympy.exp(-k * x) + b, ["x", "a", "b", "k"]), ("a", "b", "k"), (False,) * 3)


def measured(law, values, sx, sy, n=100, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 3, (n, 1))
    y = law.evaluate(true, values) + sy * rng.normal(size=n)
    return true + sx * rng.normal(size=(n, 1)), y


def fitted(law, start, X, y, sx, sy):
    sy = None if sy is None else np.full(len(y), sy)
    return fit_both_axes(law, np.array(start), X, y, np.ones(len(y)), np.full(X.shape, sx), sy)


def deming(X, y, sx, sy):
    """The slope of a line with errors on both axes, in closed form."""
    covariance = np.cov(X[:, 0], y)
    ratio = sy**2 / sx**2
    difference = covariance[1, 1] - ratio * covariance[0, 0]
    return (difference + np.sqrt(difference**2 + 4 * ratio * covariance[0, 1] ** 2)) / (2 * covariance[0, 1])


def test_a_line_has_the_slope_of_deming():
    X, y = measured(LINE, [2.0, 1.0], 0.5, 0.3)
    values, moved = fitted(LINE, [1.0, 0.0], X, y, 0.5, 0.3)
    slope = deming(X, y, 0.5, 0.3)
    np.testing.assert_allclose(values, [slope, y.mean() - slope * X.mean()], rtol=1e-6)
    np.testing.assert_allclose(moved.variance, 0.3**2 + slope**2 * 0.5**2, rtol=1e-6)


def test_without_errors_of_features_it_is_least_squares():
    X, y = measured(LINE, [2.0, 1.0], 0.0, 0.3)
    values, moved = fitted(LINE, [1.0, 0.0], X, y, 0.0, 0.3)
    np.testing.assert_allclose(values, np.polyfit(X[:, 0], y, 1), rtol=1e-6)
    np.testing.assert_array_equal(moved.X, X)


def test_the_bias_of_least_squares_is_gone():
    found, naive = [], []
    for seed in range(15):
        X, y = measured(LINE, [2.0, 1.0], 0.5, 0.3, seed=seed)
        found.append(fitted(LINE, [1.0, 0.0], X, y, 0.5, 0.3)[0][0])
        naive.append(np.polyfit(X[:, 0], y, 1)[0])
    assert np.mean(naive) < 1.6
    assert np.mean(found) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("known", [True, False])
def test_a_curve_is_fitted_and_its_errors_hold_the_truth(known):
    X, y = measured(DECAY, [2.4, 0.7, 0.8], 0.1, 0.05, n=200)
    values, moved = fitted(DECAY, [2.0, 0.5, 0.5], X, y, 0.1, 0.05 if known else None)
    curvature = measure(DECAY, values, moved.X, moved.y, 1 / moved.variance, scale=1.0)
    errors = curvature.of(np.eye(3)).errors
    assert (np.abs(values - [2.4, 0.7, 0.8]) < 3 * errors).all()
    assert curvature.chi_square() / 197 == pytest.approx(1, abs=0.4)


def test_places_are_where_the_law_is_defined():
    law = ParametricLaw(from_sympy(a * sympy.sqrt(x) + b, ["x", "a", "b"]), ("a", "b"), (False, False))
    X, y = np.linspace(0.01, 3, 50)[:, None], np.sqrt(np.linspace(0.01, 3, 50))
    values, moved = fitted(law, [1.0, 0.0], X, y, 0.2, 0.1)
    assert np.isfinite(values).all()
    assert np.isfinite(by_features(law, values, moved.X)[0]).all()
