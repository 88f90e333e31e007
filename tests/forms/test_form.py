"""What a form is made of, and what is no form."""

import pytest
import sympy

from sklearn_eql.forms.form import read_form
from sklearn_eql.forms.form import symbol as real

x, y, t, k, c = sympy.symbols("x y t k c")
f, g = sympy.Function("f"), sympy.Function("g")
FEATURES = ["x", "y", "t"]


def places(expr):
    found = read_form(expr, FEATURES)
    return {(place.function, place.args, place.orders) for place in found.occurrences}


def test_symbols_are_features_or_constants_and_undefined_functions_are_unknown():
    form = read_form(f(x) * sympy.exp(-k * t) + g(x, y) + sympy.Symbol("b10") + sympy.Symbol("b2"), FEATURES)
    assert form.constants == ("b2", "b10", "k")
    assert form.arities == {"f": 1, "g": 2}
    assert form.variables("g") == (real("x"), real("y"))


def test_derivatives_are_places_of_their_own_wherever_they_are_taken():
    assert places(f(x).diff(x, 2) + f(x)) == {("f", (real("x"),), (2,)), ("f", (real("x"),), (0,))}
    moved = real("x") - real("c") * real("t")
    assert places(f(x - c * t).diff(x)) == {("f", (moved,), (1,))}
    assert places(sympy.Derivative(x * f(x), x)) == {("f", (real("x"),), (0,)), ("f", (real("x"),), (1,))}
    assert places(g(x, y).diff(y)) == {("g", (real("x"), real("y")), (0, 1))}


def test_functions_are_put_where_they_stand():
    form = read_form(f(x - c * t).diff(t) + f(x), FEATURES)
    assert form.variables("f") == (real("u"),)
    u = real("u")
    whole = form.with_functions({"f": sympy.Lambda((u,), sympy.sin(u))})
    expected = -c * sympy.cos(x - c * t) + sympy.sin(x)
    assert sympy.simplify(whole - expected.xreplace({s: real(s.name) for s in (x, t, c)})) == 0


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("f(x)", "got the text 'f\\(x\\)', expected an expression of SymPy; text is never parsed"),
        (sympy.Eq(y, x), "got the equality"),
        (x < 3, "expected an expression of SymPy"),
        (f, "expected an expression of SymPy"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_expression_is_refused(expr, message):
    with pytest.raises(TypeError, match=message):
        read_form(expr, FEATURES)


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (f(k), "f\\(k\\) reads no feature"),
        (f(g(x)), "an unknown function inside another"),
        (f(x) + f(x, y), "the same number everywhere"),
        (f(x) + sympy.Symbol("f"), "f is a constant and a function at once"),
        (sympy.Function("x")(t), "x is a feature and a function at once"),
        (sympy.Function("sin")(x), "Write sympy.sin"),
        (sympy.gamma(x), "gamma in gamma\\(x\\): expected sums"),
        (sympy.Piecewise((x, x > 0), (0, True)), "expected sums"),
        (sympy.Integral(f(x), x), "expected"),
        (sympy.I * x, "expected real and finite numbers"),
        (sympy.zoo * x, "expected real and finite numbers"),
        (sympy.Symbol("X") * y, "X is no feature, but x is"),
    ],
)
def test_forms_that_cannot_be_are_refused(expr, message):
    with pytest.raises(ValueError, match=message):
        read_form(expr, FEATURES)


def test_a_number_of_a_missing_column_is_no_constant():
    with pytest.raises(ValueError, match="x3 is no feature: X has the columns x0, x1"):
        read_form(sympy.Symbol("x3") * sympy.Symbol("x0"), ["x0", "x1"])
