"""Constants of known forms, from no starting values."""

import numpy as np
import pandas as pd
import pytest
import sympy

from sklearn_eql.forms.constants import best_constants
from sklearn_eql.forms.form import read_form
from sklearn_eql.forms.scales import magnitudes
from sklearn_eql.parametric.rows import GroupedRows

x, t = sympy.symbols("x t")
a, b, c, k, w = sympy.symbols("a b c k w")


def fitted(expr, X: pd.DataFrame, y, **options):
    form = read_form(expr, list(X.columns))
    values, loss = best_constants(form, form.law(), GroupedRows.of(X.to_numpy(float), np.asarray(y)), **options)
    return dict(zip(form.constants, values, strict=True)), loss


@pytest.mark.parametrize(
    ("expr", "values"),
    [
        (a * sympy.exp(-k * x) + b, {"a": 3e5, "k": 0.021, "b": -2e3}),
        (a * sympy.sin(w * x + c) + b * x, {"a": 2.0, "w": 0.93, "c": 0.4, "b": 0.1}),
        (a / (1 + sympy.exp(-(x - c) / k)), {"a": 7.0, "c": 61.0, "k": 5.5}),
        ((a + b * x) / (1 + c * x + k * x**2), {"a": 1.0, "b": 2.0, "c": -0.03, "k": 0.0004}),
        (a * x**k, {"a": 0.3, "k": 1.7}),
    ],
)
def test_forms_are_fitted_whatever_the_size_of_their_constants(expr, values):
    X = pd.DataFrame({"x": np.linspace(1.0, 100.0, 60)})
    y = sympy.lambdify(x, expr.subs(values), "numpy")(X["x"])
    found, _ = fitted(expr, X, y)
    truth = expr.subs(values)
    np.testing.assert_allclose(sympy.lambdify(x, expr.subs(found), "numpy")(X["x"]), y, rtol=1e-7, atol=1e-7)
    assert sympy.simplify(truth).free_symbols == {x}


def test_magnitudes_follow_from_the_columns():
    X = np.random.default_rng(0).uniform(-5, 5, (100, 2)) * [1e3, 1e-4]
    form = read_form(a * sympy.exp(-k * t) + b * x, ["x", "t"])
    size = dict(zip(form.constants, magnitudes(form, X, 1e7 * np.arange(100.0)), strict=True))
    assert size["k"] == pytest.approx(3.5, abs=0.5)
    assert size["a"] == pytest.approx(8.5, abs=0.5)
    assert size["b"] == pytest.approx(5.0, abs=0.5)


def test_constants_that_no_start_makes_finite_have_no_finite_error():
    X = pd.DataFrame({"x": np.linspace(1.0, 2.0, 20)})
    assert fitted(a * sympy.log(-x), X, X["x"])[1] == np.inf


def test_no_start_is_tried_after_the_deadline():
    X = pd.DataFrame({"x": np.linspace(0.0, 9.0, 40)})
    _, loss = fitted(a * sympy.sin(w * x) + sympy.sin(k * x), X, np.sin(X["x"]), deadline=0.0)
    assert np.isfinite(loss)


@pytest.mark.parametrize(
    ("name", "expr"),
    [
        ("BoxBOD", a * (1 - sympy.exp(-b * x))),
        ("MGH17", a + b * sympy.exp(-x * c) + k * sympy.exp(-x * w)),
        ("Roszman1", a - b * x - sympy.atan(c / (x - k)) / sympy.pi),
    ],
)
def test_certified_values_are_met_from_no_start(data_dir, name, expr):
    X = pd.read_csv(data_dir / "nist" / f"{name}.csv")
    laws = pd.read_csv(data_dir / "nist" / "laws.csv").set_index("name")
    _, loss = fitted(expr, X[["x"]], X["y"])
    assert loss == pytest.approx(laws.loc[name, "residual_sum_of_squares"], rel=1e-8)
