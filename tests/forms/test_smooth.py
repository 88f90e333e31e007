"""Unknown functions as smooth ones, fitted with the constants of a form."""

import numpy as np
import pytest
import sympy

from sklearn_eql.forms.form import read_form
from sklearn_eql.forms.smooth import Basis, smooth_fit
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES

x, y, k, c = sympy.symbols("x y k c")
f, g = sympy.Function("f"), sympy.Function("g")


def fitted(expr, truth, noise=0.0, **options):
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 3.0, (120, 2))
    values = truth(*X.T) + noise * rng.normal(size=120)
    return X, smooth_fit(read_form(expr, ["x", "y"]), GroupedRows.of(X, values), PRIMITIVES, **options)


@pytest.mark.parametrize("orders", [(0, 0), (1, 0), (0, 2), (2, 1)])
def test_terms_are_differentiated_by_each_argument(orders):
    points = np.random.default_rng(0).uniform([1, -2], [4, 5], (7, 2))
    box = np.array([[1.0, -2.0], [4.0, 5.0]])
    a, b = sympy.symbols("a b")
    scaled = (a - sympy.Rational(5, 2)) * 2 / 3, (b - sympy.Rational(3, 2)) * 2 / 7
    basis = Basis(2, 3)
    found = basis.columns(points, box, orders)
    for column, (i, j) in zip(found.T, basis.exponents.tolist(), strict=True):
        term = sympy.chebyshevt(i, scaled[0]) * sympy.chebyshevt(j, scaled[1])
        expected = sympy.lambdify((a, b), term.diff(*((a, orders[0]), (b, orders[1]))), "numpy")(*points.T)
        np.testing.assert_allclose(column, np.broadcast_to(expected, 7), atol=1e-12)


@pytest.mark.parametrize(
    ("expr", "truth", "constants"),
    [
        (f(x) * sympy.exp(-k * y), lambda x, y: np.sin(x) * np.exp(-0.7 * y), [0.7]),
        (f(x - c * y), lambda x, y: np.exp(-((x - 0.6 * y) ** 2)), [0.6]),
        (sympy.sin(f(x)) + y, lambda x, y: np.sin(x**2 / 3) + y, []),
        (f(x) * g(y), lambda x, y: (1 + x) / (1 + y), []),
        (f(x) + x * f(x).diff(x), lambda x, y: np.sin(x) + x * np.cos(x), []),
    ],
)
def test_smooth_functions_and_constants_are_fitted_together(expr, truth, constants):
    _, fit = fitted(expr, truth)
    assert fit.relative_loss < 1e-12
    np.testing.assert_allclose(fit.constants, constants, atol=1e-5)


def test_errors_of_values_are_those_of_the_noise():
    X, fit = fitted(f(x), lambda x, y: np.cos(x), noise=0.1)
    off = np.abs(fit.values[0] - np.cos(X[:, 0])) / fit.errors[0]
    assert 0.3 < np.sqrt(np.mean(off**2)) < 3
    assert fit.n_free < 10


def test_a_start_is_where_the_fit_begins():
    _, fit = fitted(f(x) * sympy.exp(-k * y), lambda x, y: np.sin(x) * np.exp(-0.7 * y), start=np.array([0.5]))
    assert fit.constants[0] == pytest.approx(0.7, abs=1e-6)


def test_a_form_that_is_finite_nowhere_has_no_fit():
    assert fitted(sympy.log(-sympy.Abs(f(x)) - 1), lambda x, y: x)[1] is None
