"""Expressions from and to SymPy, and to the equations of the search."""

from __future__ import annotations

import sympy

from sklearn_eql.language.grammar import Expression, arguments, number_of
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic import Equation, Unit, canonicalize
from sklearn_eql.symbolic.graph import Form, added, scaled

_FUNCTIONS = {"sin": sympy.sin, "cos": sympy.cos, "exp": sympy.exp, "log": sympy.log}
_MAX_POWER = 9


def to_sympy(expression: Expression) -> sympy.Expr:
    """The expression in ``sympy.Symbol("x0")`` and so on; SymPy orders it and folds its numbers."""
    name, parts = arguments(expression)
    values = [to_sympy(part) for part in parts]
    if name in PRIMITIVES:
        return PRIMITIVES[name].sympy_fn(*values)
    if values:
        return {"add": lambda: values[0] + values[1], "sub": lambda: values[0] - values[1], "neg": lambda: -values[0]}[
            name
        ]()
    if name.isdecimal():
        return sympy.Integer(int(name))
    number = number_of(name)
    return sympy.Symbol(name) if number is None else sympy.Float(number)


def from_sympy(expr: sympy.Expr, variables: tuple[sympy.Symbol, ...] | None = None) -> Expression:
    """A SymPy expression in prefix tokens, not canonical.

    Parameters
    ----------
    expr : Expr
        Of sums, products, powers with integer and half-integer exponents, ``sin``, ``cos``, ``exp``, ``log``, and
        rational numbers.
    variables : tuple of Symbol, optional
        Which symbol is ``x0``, which ``x1``; by default in the order of their names.

    Raises
    ------
    ValueError
        A function or number that the vocabulary lacks.
    """
    if variables is None:
        variables = tuple(sorted(expr.free_symbols, key=lambda symbol: symbol.name))
    return _tokens(sympy.sympify(expr), {symbol: f"x{i}" for i, symbol in enumerate(variables)})


def _tokens(expr: sympy.Expr, names: dict[sympy.Symbol, str]) -> Expression:
    if expr in names:
        return (names[expr],)
    if expr.is_Rational:
        if expr < 0:
            return ("neg", *_tokens(-expr, names))
        return (str(expr.p),) if expr.q == 1 else ("div", str(expr.p), str(expr.q))
    if expr.is_Add or expr.is_Mul:
        parts = [_tokens(argument, names) for argument in expr.args]
        joined: list[str] = []
        for part in parts[:-1]:
            joined += ["add" if expr.is_Add else "mul", *part]
        return (*joined, *parts[-1])
    if isinstance(expr, sympy.exp):
        return ("exp", *_tokens(expr.args[0], names))
    if expr.is_Pow:
        base, exponent = expr.as_base_exp()
        if exponent.is_Rational and exponent.q <= 2 and abs(exponent.p) <= _MAX_POWER:
            rooted = ("sqrt",) * (exponent.q - 1) + _tokens(base, names)
            spelled = ("mul", *rooted) * (abs(int(exponent.p)) - 1) + rooted
            return ("inv", *spelled) if exponent < 0 else spelled
    for name, function in _FUNCTIONS.items():
        if isinstance(expr, function):
            return (name, *_tokens(expr.args[0], names))
    raise ValueError(
        f"{expr}: expected sums, products, integer and half-integer powers up to {_MAX_POWER}, {', '.join(_FUNCTIONS)} "
        f"and rational numbers of the symbols {', '.join(map(str, names)) or '(none)'}."
    )


def to_equation(expression: Expression, n_features: int) -> Equation:
    """The expression as a law of the search, canonical there: units, and linear forms with its numbers."""
    units: list[Unit] = []

    def unit(name: str, *forms: Form) -> Form:
        units.append(Unit(name, tuple(tuple(sorted(form.items())) for form in forms)))
        return {n_features + len(units): 1.0}

    def form_of(part: Expression) -> Form:
        name, below = arguments(part)
        if not below:
            number = number_of(name)
            return {1 + int(name[1:]): 1.0} if number is None else {0: number}
        forms = [form_of(argument) for argument in below]
        if name in ("add", "sub"):
            return added(forms[0], scaled(forms[1], 1.0 if name == "add" else -1.0))
        return scaled(forms[0], -1.0) if name == "neg" else unit(name, *forms)

    output = form_of(expression)
    return canonicalize(Equation(n_features, tuple(units), tuple(sorted(output.items()))))
