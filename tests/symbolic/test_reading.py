"""Laws from SymPy."""

import numpy as np
import pytest
import sympy

from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.symbolic.reading import from_sympy

X, Y = sympy.symbols("x y")
EXPRESSIONS = [
    sympy.Integer(3),
    2 * X - Y / 3 + sympy.pi,
    X**2 * Y**3 / (1 + X),
    X**7 + X ** sympy.Rational(-3, 2) + X ** sympy.Rational(1, 3) + X**12,
    X**Y,
    2**X,
    sympy.exp(-(X**2) / 2) / sympy.sqrt(2 * sympy.pi),
    sympy.sin(X + 1) * sympy.cos(2 * Y) + sympy.tan(X / 4) + sympy.cosh(X) - sympy.sinh(Y) + sympy.acos(X / 9),
    sympy.log(X * Y, 2) + sympy.tanh(X) + sympy.asin(X / 9) + sympy.atan(Y),
    sympy.Abs(X - Y) + sympy.Max(X, Y, 2) + sympy.floor(3 * X) + sympy.Mod(X, Y),
    1 / (1 + sympy.exp(-X)),
]


@pytest.mark.parametrize("expr", EXPRESSIONS, ids=str)
def test_an_equation_has_the_values_of_its_expression(expr):
    rows = np.random.default_rng(0).uniform(0.5, 3, (40, 2))
    expected = sympy.lambdify((X, Y), expr, "numpy")(*rows.T) * np.ones(40)
    equation = from_sympy(expr, ["x", "y"])
    np.testing.assert_allclose(equation.evaluate(rows), expected, rtol=1e-12)
    again = sympy.lambdify((X, Y), to_sympy(equation, ["x", "y"]), "numpy")(*rows.T) * np.ones(40)
    np.testing.assert_allclose(again, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (X + sympy.Symbol("k"), "k is no column: expected x, y"),
        (sympy.Function("f")(X), "f in f"),
        (sympy.gamma(X), "gamma"),
        (X + sympy.I, "real and finite"),
        (X + sympy.oo, "real and finite"),
    ],
)
def test_what_cannot_be_read_is_named(expr, message):
    with pytest.raises(ValueError, match=message):
        from_sympy(expr, ["x", "y"])
