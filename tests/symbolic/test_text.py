"""Expressions from text, of which nothing is evaluated."""

import pytest
import sympy

from sklearn_eql.symbolic.text import expression_of

x, y, k, t = sympy.symbols("x y k t")
f = sympy.Function("f")


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("f(x)*exp(-k*t) + 2.5e-3", f(x) * sympy.exp(-k * t) + sympy.Float(2.5e-3)),
        ("-x**2/3 + +y", -(x**2) / 3 + y),
        (" arctan(x) + ln(y)*sqrt(pi) ", sympy.atan(x) + sympy.log(y) * sympy.sqrt(sympy.pi)),
        ("f(x - k*t).diff(x) + diff(f(x), x, 2)", f(x - k * t).diff(x) + f(x).diff(x, 2)),
        ("`flow rate`**2 + `x`", sympy.Symbol("flow rate") ** 2 + x),
        ("max(x, y, 1) + abs(x)", sympy.Max(x, y, 1) + sympy.Abs(x)),
        ("e + pi", sympy.Symbol("e") + sympy.pi),
    ],
)
def test_text_is_read_as_it_is_meant(text, expr):
    assert expression_of(text) == expr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x^2", r"at character 1 \(x\^2\): powers are written with \*\*"),
        ("x + ", r"at character \d+"),
        ("2x", r"at character \d"),
        ("__import__('os').system('ls')", "expected numbers, names"),
        ("x.real", "expected numbers, names"),
        ("[x for x in y]", "expected numbers, names"),
        ("f(x, a=2)", "expected numbers, names"),
        ("x < 3", "expected numbers, names"),
        ("'x'", "expected numbers, names"),
        ("x*True", "expected numbers, names"),
        ("2j*x", "expected numbers, names"),
        ("lambda: x", "expected numbers, names"),
        ("9**9**9", r"at character 4 \(9\*\*9\): an exponent above 100"),
        ("x/(1-1)", "a division by zero"),
        ("1e999*x", "too large for double precision"),
        ("sin(x, y)", "sin has one argument, got 2"),
        ("sin*x", "sin is a function"),
        ("f()", "f has no argument"),
        ("diff(f(x), 2)", r"expected diff\(f\(x\), x\)"),
        ("diff(f(x), x, 20)", "an order from 1 to 9"),
        ("``*x", "an empty name"),
        ("(" * 1500 + "x" + ")" * 1500, "3001 characters"),
        ("(" * 900 + "x" + ")" * 900, "."),
        ("", r"at character"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text, message):
    with pytest.raises(ValueError, match=message):
        expression_of(text)
