"""Columns far from zero, numbers near the ends of float64: what is printed is what is computed, and it is the law."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import sympy
import torch

from sklearn_eql import EQLRegressor

STEPS = np.linspace(0, 3, 61)
CURVES = {
    "decay": lambda z: 5 * np.exp(-z / 0.7),
    "line": lambda z: 3 * z + 1,
    "parabola": lambda z: 2 * z**2 - z + 3,
}
BRIEF = {"n_families": 3, "n_generations": 1, "random_state": 0}
OFFSETS = [40.0, -2e3, 2_460_000.0, 3e12]


def printed(expr, X):
    """Values of a printed law in float64, as NumPy computes them."""
    names = sympy.symbols([f"x{i}" for i in range(X.shape[1])])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # exp(1000) is infinite, and 1/(1 + exp(1000)) zero
        values = sympy.lambdify(names, expr, "numpy")(*X.T)
    return np.broadcast_to(np.asarray(values, dtype=float), len(X))


def assert_printed_is_computed(model, X):
    for index in model.equations_.index:
        expr = model.sympy(index)
        assert not expr.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan)
        values = model.predict(X, index=index)
        np.testing.assert_allclose(printed(expr, X), values, rtol=1e-6, atol=1e-6 * np.abs(values).max())


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("curve", CURVES)
def test_a_law_is_found_and_printed_at_any_offset(curve, offset):
    X = (offset + STEPS)[:, None]
    y = CURVES[curve](X[:, 0] - offset)
    model = EQLRegressor(**BRIEF).fit(X, y)
    assert_printed_is_computed(model, X)
    size = np.abs(y).max()
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-6, atol=1e-6 * size)
    between = X[1:] - 0.02
    np.testing.assert_allclose(model.predict(between), CURVES[curve](between[:, 0] - offset), atol=1e-6 * size)


@pytest.mark.parametrize(
    ("x_scale", "y_scale"),
    [(1e-300, 1e300), (1e300, 1e-300), (1e-150, 1.0), (1.0, 1e200), (1e150, 1e-12), (1e307, 1e307), (1e-310, 1e-310)],
)
def test_any_scale_is_as_good_as_one(x_scale, y_scale):
    z = np.random.default_rng(5).uniform(0.5, 3, (80, 2))
    clean = 0.3 * np.exp(-z[:, 0]) * z[:, 1] ** 2
    X, y = z * x_scale, clean * y_scale
    model = EQLRegressor(**BRIEF).fit(X, y)
    assert model.stop_reason_ == "exact"
    assert_printed_is_computed(model, X)
    np.testing.assert_allclose(model.predict(X) / y_scale, clean, rtol=1e-8)


def test_the_moment_of_a_step_is_found_in_seconds_since_1970():
    X = (1.7e9 + np.arange(0.0, 86_400, 864))[:, None]
    y = 1.0 * (X[:, 0] > 1.7e9 + 40_000) + 0.01 * np.random.default_rng(2).normal(size=100)
    model = EQLRegressor(n_families=12, n_generations=1, functions=["sigmoid"], random_state=0).fit(X, y)
    assert_printed_is_computed(model, X)
    assert np.array_equal(model.predict(X) > 0.5, X[:, 0] > 1.7e9 + 40_000)


def test_a_law_far_from_zero_travels_and_goes_on():
    X = (2_460_000 + STEPS)[:, None]
    y = 5 * np.exp(-STEPS / 0.7)
    model = EQLRegressor(**BRIEF).fit(X, y)
    assert model.predict(X) == pytest.approx(y)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    values = model.torch_module()(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(values, y, rtol=1e-9)
    later = model.set_params(warm_start=True, n_families=0, n_generations=0).fit(X + 3, 2 * y)
    np.testing.assert_allclose(later.predict(X + 3), 2 * y, rtol=1e-6)


def test_days_since_antiquity_lead_to_the_decay():
    X = 2_460_000 + np.linspace(0, 30, 120)[:, None]
    clean = 5 * np.exp(-(X[:, 0] - 2_460_000) / 7)
    y = clean + 0.02 * np.random.default_rng(0).normal(size=120)
    model = EQLRegressor(**BRIEF).fit(X, y)
    assert_printed_is_computed(model, X)
    x = sympy.Symbol("x0")
    rate = float((sympy.diff(model.sympy_expr_, x) / model.sympy_expr_).subs(x, 2_460_010.0))
    assert rate == pytest.approx(-1 / 7, rel=0.02)
    np.testing.assert_allclose(model.predict(X), clean, atol=0.04)
    assert f"x0 - {2_460_000}" in str(model.sympy_expr_)
    assert f"x_{{0}} - {2_460_000}" in model.latex()
