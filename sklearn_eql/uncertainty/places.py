"""Where a constant stands in a law, in words: what it multiplies, or what it is inside of."""

from __future__ import annotations

import sympy


def place_of(law: sympy.Expr, constant: sympy.Symbol) -> str:
    """ "offset", "factor of x**2", "exponent of x" or "in exp(c0*x)", of a symbol of the law.

    A constant that stands in several places has them in order, separated by semicolons.
    """
    return "; ".join(dict.fromkeys(_places(law, constant, None)))


def _places(expr: sympy.Expr, constant: sympy.Symbol, inside: sympy.Expr | None) -> list[str]:
    """Of the constant in `expr`, which is a part of the function or power `inside`, if of any."""
    if not expr.has(constant):
        return []
    if expr.is_Add:
        return [place for arg in expr.args for place in _places(arg, constant, inside)]
    if expr.is_Mul:
        rest = [arg for arg in expr.args if arg != constant]
        if len(rest) == len(expr.args) - 1 and not any(arg.has(constant) for arg in rest):
            return [f"factor of {_unsigned(sympy.Mul(*rest))}" if inside is None else f"in {inside}"]
        return [place for arg in expr.args for place in _places(arg, constant, inside)]
    if expr == constant:
        return ["offset" if inside is None else f"in {inside}"]
    if expr.is_Pow and expr.base == constant and expr.exp.is_number and inside is None:
        return ["divisor"]
    if expr.is_Pow and not expr.base.has(constant) and expr.base != sympy.E:
        return [f"exponent of {expr.base}"]
    return [place for arg in expr.args for place in _places(arg, constant, expr)]


def _unsigned(expr: sympy.Expr) -> sympy.Expr:
    return -expr if expr.could_extract_minus_sign() else expr
