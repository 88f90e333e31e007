"""Functions that a form leaves open, found by the search."""

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor

x, t, k, c, u = sympy.symbols("x t k c u")
f, g = sympy.Function("f"), sympy.Function("g")


@pytest.fixture
def X(rng):
    return pd.DataFrame(rng.uniform(0.5, 3.0, (80, 2)), columns=["x", "t"])


def fitted(form, X, y, **options):
    return EQLRegressor(form=form, random_state=0, n_generations=5, **options).fit(X, y)


def test_a_factor_is_found_beside_a_known_decay(X):
    model = fitted(f(x) * sympy.exp(-k * t), X, (X["x"] ** 2 + 1) * np.exp(-0.75 * X["t"]))
    assert model.stop_reason_ == "exact"
    assert same_law(model.sympy_expr_, (x**2 + 1) * sympy.exp(-3 * t / 4))
    assert same_law(model.form_functions_["f"](u), u**2 + 1)
    assert model.constants_.loc["k", "value"] == 0.75
    np.testing.assert_allclose(model.predict(X), (X["x"] ** 2 + 1) * np.exp(-0.75 * X["t"]))


def test_the_offset_of_a_sum_and_the_scale_of_a_product_are_those_of_the_first_function(X):
    found = fitted(f(x) + g(t), X, X["x"] ** 2 + 5 + np.sin(X["t"])).form_functions_
    assert same_law(found["f"](x), x**2 + 5)
    assert same_law(found["g"](t), sympy.sin(t))
    found = fitted(f(x) * g(t), X, 3 * X["x"] * np.sin(X["t"])).form_functions_
    assert same_law(found["f"](x), 3 * x)
    assert same_law(found["g"](t), sympy.sin(t))


def test_a_function_in_two_places_is_found_under_noise_and_says_nothing_of_its_offset(X, rng):
    y = np.log(X["x"]) - np.log(X["t"])
    model = fitted(f(x) - f(t), X, y + 0.01 * rng.normal(size=len(X)))
    assert same_law(model.sympy_expr_, sympy.log(x) - sympy.log(t))
    assert same_law(model.form_functions_["f"](x), sympy.log(x))


def test_a_function_of_an_expression_is_one_of_u(X):
    model = fitted(f(x - c * t), X, (X["x"] - 0.5 * X["t"]) ** 2)
    assert same_law(model.sympy_expr_, (x - t / 2) ** 2)
    assert model.form_functions_["f"].variables == (u,)


def test_a_derivative_of_the_function_may_stand_in_the_form(X):
    model = fitted(f(x) + x * f(x).diff(x), X, 3 * X["x"] ** 2)
    assert same_law(model.form_functions_["f"](x), x**2)


def test_noise_is_left_over(X, rng):
    y = (X["x"] ** 2 + 1) * np.exp(-0.75 * X["t"])
    model = fitted(f(x) * sympy.exp(-k * t), X, y + 0.01 * rng.normal(size=80), n_families=4)
    assert model.stop_reason_ == "noise"
    assert model.constants_.loc["k", "value"] == pytest.approx(0.75, abs=0.03)
    np.testing.assert_allclose(model.predict(X), y, atol=0.02)
