"""Laws with kinks and jumps: found where the user allows them, and read as any other law."""

import pickle

import numpy as np
import pytest
import sympy
import torch

from sklearn_eql import EQLRegressor, Phase

X = np.random.default_rng(1).uniform(-3, 3, (120, 2))
NEW = np.random.default_rng(2).uniform(-4, 4, (500, 2))
LAWS = {
    "larger": (lambda a, b: np.maximum(a, b), "Max(x0, x1)"),
    "smaller": (lambda a, b: np.minimum(a, 2 * b) + b, "x1 + Min(x0, 2*x1)"),
    "difference": (lambda a, b: np.abs(a - b), "Abs(x0 - x1)"),
    "amplitude": (lambda a, b: 3 * np.abs(a) * b + 1, "3*x1*Abs(x0) + 1"),
    "steps": (lambda a, b: np.floor(a) + b, "x1 + floor(x0)"),
    "remainder": (lambda a, b: np.mod(a, 2) * b, "x1*Mod(x0, 2)"),
    "hinge": (lambda a, b: np.maximum(0, a - 0.5) * b, "x1*Max(0, x0 - 1/2)"),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws_with_kinks_and_jumps_are_found(name):
    function, expected = LAWS[name]
    model = EQLRegressor(functions="piecewise", random_state=0).fit(X, function(*X.T))
    assert model.stop_reason_ == "exact"
    np.testing.assert_allclose(model.predict(NEW), function(*NEW.T), atol=1e-9)
    assert sympy.simplify(model.sympy_expr_ - sympy.sympify(expected)) == 0


def test_jumps_of_whole_numbers_are_where_they_were():
    whole = np.random.default_rng(0).integers(0, 40, (100, 2)).astype(float)
    model = EQLRegressor(functions="piecewise", random_state=0).fit(whole, whole[:, 0] % 2 * whole[:, 1])
    assert str(model.sympy_expr_) == "x1*(Mod(x0, 2))"
    np.testing.assert_array_equal(model.predict(whole), whole[:, 0] % 2 * whole[:, 1])


def test_a_kink_under_noise_is_fitted_as_any_constant():
    y = np.maximum(0, X[:, 0] - 1.3) + 0.01 * np.random.default_rng(3).normal(size=120)
    model = EQLRegressor(functions=["max"], n_generations=5, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict(NEW), np.maximum(0, NEW[:, 0] - 1.3), atol=0.03)


def test_such_laws_are_pickled_printed_and_computed_by_torch_as_others():
    model = EQLRegressor(functions=["max", "mul"], random_state=0).fit(X, np.maximum(X[:, 0], 1.5) * X[:, 1])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(NEW), model.predict(NEW))
    assert r"\max\left(" in model.latex()
    values = model.torch_module()(torch.as_tensor(NEW)).detach().numpy()
    np.testing.assert_allclose(values, model.predict(NEW), rtol=1e-12)


def test_dense_networks_may_have_them():
    functions = {"id": 2, "max": 2, "floor": 1, "mod": 1, "abs": 1, "min": 1}
    schedule = [Phase(n_steps=50, learning_rate=1e-2)]
    model = EQLRegressor(functions=functions, search="gradient", schedule=schedule, n_trials=2, random_state=0)
    assert np.isfinite(model.fit(X, np.maximum(X[:, 0], X[:, 1])).predict(NEW)).all()
