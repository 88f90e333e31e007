"""Intervals by the profile of the squared error."""

import numpy as np
import pytest
import sympy
from scipy.stats import t as student

from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.symbolic.reading import from_sympy
from sklearn_eql.uncertainty.curvature import measure
from sklearn_eql.uncertainty.profile import Profile

x, a, b, k = sympy.symbols("x a b k")
LINE = ParametricLaw(from_sympy(a * x + b, ["x", "a", "b"]), ("a", "b"), (False, False))
RISE = ParametricLaw(from_sympy(a * (1 - sympy.exp(-k * x)), ["x", "a", "k"]), ("a", "k"), (False, False))
X = np.linspace(0.2, 2, 12)[:, None]


def noisy(values, scale):
    return values + scale * np.random.default_rng(0).normal(size=len(values))


def half_widths(law, values, y, level=0.95):
    errors = measure(law, values, X, y, None).of(np.eye(len(values))).errors
    return student.isf((1 - level) / 2, len(y) - len(values)) * errors


def test_of_a_line_they_are_those_of_the_curvature():
    y = noisy(2 * X[:, 0] + 1, 0.1)
    values = np.polyfit(X[:, 0], y, 1)
    half = half_widths(LINE, values, y)
    profile = Profile(LINE, values, X, y)
    for i in range(2):
        np.testing.assert_allclose(
            profile.interval(i, half[i]), [values[i] - half[i], values[i] + half[i]], rtol=2e-3 * half[i]
        )


def test_inside_a_function_they_are_not_symmetric():
    y = noisy(3 * (1 - np.exp(-0.7 * X[:, 0])), 0.08)
    profile = Profile(RISE, np.array([3.0, 0.7]), X, y)
    half = half_widths(RISE, profile.values, y)
    low, high = profile.interval(0, half[0])
    assert low < profile.values[0] < high
    assert high - profile.values[0] > 1.3 * (profile.values[0] - low)
    for end in (low, high):
        others = np.linspace(0.01, 3, 3000)
        errors = [np.sum((y - end * (1 - np.exp(-rate * X[:, 0]))) ** 2) for rate in others]
        assert min(errors) - profile.lowest == pytest.approx(profile.allowed, rel=0.02)


def test_where_the_rows_allow_every_larger_value_there_is_no_end():
    y = noisy(3 * (1 - np.exp(-0.1 * X[:, 0])), 0.1)  # all but a straight line
    profile = Profile(RISE, np.array([3.0, 0.1]), X, y)
    half = half_widths(RISE, profile.values, y)
    assert profile.interval(0, half[0])[1] > profile.values[0] + 3 * half[0]


def test_after_the_deadline_ends_are_not_known():
    y = noisy(2 * X[:, 0] + 1, 0.1)
    assert np.isnan(Profile(LINE, np.array([2.0, 1.0]), X, y, deadline=0.0).interval(0, 0.1)).all()
