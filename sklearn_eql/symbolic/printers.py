"""Expressions in the syntax of programming languages, every number to the last digit of float64.

One printer serves all languages, on SymPy's `CodePrinter`, and a table says where they differ. SymPy's own printers per
language write integers that Fortran divides and C overflows as such, a cube root where the law has a power, and
evaluate what was written unevaluated so that it does not overflow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import sympy
from sympy.printing.codeprinter import CodePrinter
from sympy.printing.precedence import PRECEDENCE, precedence

_FUNCTIONS = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "sqrt")
_MADE_OF = (sympy.Symbol, sympy.Float, sympy.Rational, sympy.NumberSymbol, sympy.Add, sympy.Mul, sympy.Pow)


@dataclass(frozen=True)
class Syntax:
    """How a language writes numbers, powers and functions.

    Parameters
    ----------
    name : str
        As it is called in messages.
    functions : mapping of str to str
        What is written for ``sin`` and so on (``abs``, ``floor``, ``min``, ``max`` and ``mod`` among them): the name of
        a function, or a template with ``{0}`` and ``{1}``.
    power : str
        Template of a power with a real exponent, with ``{0}`` and ``{1}``.
    whole_power : str, optional
        Operator of powers with whole exponents; `power` by default.
    float_mark : str
        In place of the ``e`` of decimals.
    float_end : str
        Behind decimals without an exponent.
    integers : bool
        Whether whole numbers may be written without a decimal point: where the language divides them as real numbers.
    digits : int
        Significant digits that the language reads.
    pi : str
    """

    name: str
    functions: Mapping[str, str]
    power: str
    whole_power: str | None = None
    float_mark: str = "e"
    float_end: str = ""
    integers: bool = False
    digits: int = 17
    pi: str = repr(math.pi)
    separator: str = ", "


def _prefixed(prefix: str, **others: str) -> dict[str, str]:
    return {name: prefix + name for name in _FUNCTIONS} | others


C = Syntax(
    "C",
    _prefixed("", abs="fabs", floor="floor", min="fmin", max="fmax", mod="{name}_mod"),
    power="pow({0}, {1})",
)
FORTRAN = Syntax(
    "Fortran",
    _prefixed(
        "", abs="abs", floor="real(floor({0}, selected_int_kind(18)), kind(1.0d0))", min="min", max="max", mod="modulo"
    ),
    power="{0}**{1}",
    whole_power="**",
    float_mark="d",
    float_end="d0",
)
JULIA = Syntax(
    "Julia",
    _prefixed("", abs="abs", floor="floor", min="min", max="max", mod="mod"),
    power="{0}^{1}",
    whole_power="^",
    pi="pi",
)
PYTHON = Syntax(
    "Python",
    _prefixed("math.", abs="abs", floor="math.floor", min="min", max="max", mod="({0} % {1})"),
    power="math.pow({0}, {1})",
    whole_power="**",
    integers=True,
    pi="math.pi",
)
JAVASCRIPT = Syntax(
    "JavaScript",
    _prefixed("Math.", abs="Math.abs", floor="Math.floor", min="Math.min", max="Math.max", mod="{name}_mod"),
    power="Math.pow({0}, {1})",
    integers=True,
    pi="Math.PI",
)
EXCEL = Syntax(
    "Excel",
    {name: name.upper() for name in _FUNCTIONS}
    | {"log": "LN", "abs": "ABS", "floor": "INT", "min": "MIN", "max": "MAX", "mod": "MOD"},
    power="POWER({0},{1})",  # -A2^2 would be (-A2)^2
    float_mark="E",
    integers=True,
    digits=15,  # Excel reads no more
    pi="PI()",
    separator=",",
)


def array_syntax(module: str) -> Syntax:
    """That of a module with NumPy's names, such as ``jax.numpy``."""
    inverse = {f"a{name}": f"{module}.arc{name}" for name in ("sin", "cos", "tan")}
    others = {
        "abs": f"{module}.abs",
        "floor": f"{module}.floor",
        "min": f"{module}.minimum",
        "max": f"{module}.maximum",
        "mod": f"{module}.mod",
    }
    return Syntax(
        "NumPy",
        _prefixed(f"{module}.") | inverse | others,
        power="{0}**{1}",
        whole_power="**",
        integers=True,
        pi=f"{module}.pi",
    )


class LawPrinter(CodePrinter):
    """Writes one expression in a language.

    Parameters
    ----------
    syntax : Syntax
    symbols : mapping of str to str
        What is written for each symbol.
    name : str
        Of the function that the expression is for: helpers of it are called ``name_mod`` and so on.
    """

    language = "laws"
    printmethod = "_no_object_prints_itself"
    _default_settings: ClassVar[dict[str, Any]] = {**CodePrinter._default_settings, "precision": 17}

    def __init__(self, syntax: Syntax, symbols: Mapping[str, str], name: str = "law") -> None:
        super().__init__()
        self._syntax, self._symbols, self._name = syntax, symbols, name

    def doprint(self, expr: sympy.Expr, assign_to: None = None) -> str:
        """The expression on one line.

        Raises
        ------
        ValueError
            It has a function that the language has not, or a number that is not real.
        """
        for part in sympy.preorder_traversal(expr):
            is_known = isinstance(part, _MADE_OF) or part.func.__name__.lower() in self._syntax.functions
            if not is_known:
                raise ValueError(
                    f"The law has {part.func.__name__}, which cannot be written in {self._syntax.name}. Expected "
                    f"functions whose sympy_fn consists of +, -, *, /, powers and {', '.join(self._syntax.functions)}; "
                    "for others use torch_module or predict."
                )
        return self._print(expr)

    def _print_Symbol(self, expr: sympy.Symbol) -> str:
        return self._symbols[expr.name]

    def _print_Float(self, expr: sympy.Expr) -> str:
        value, syntax = float(expr), self._syntax
        text = repr(value) if syntax.digits >= 17 else f"{value:.{syntax.digits}g}"
        mantissa, exponent = (*text.split("e"), "")[:2]
        if "." not in mantissa and not syntax.integers:
            mantissa += ".0"
        return mantissa + (syntax.float_mark + exponent if exponent else syntax.float_end)

    def _print_Integer(self, expr: sympy.Integer) -> str:
        is_short = self._syntax.integers and abs(int(expr)) < 10**9
        return str(int(expr)) if is_short else self._print_Float(expr)

    _print_Zero = _print_One = _print_NegativeOne = _print_Integer

    def _print_Rational(self, expr: sympy.Rational) -> str:
        if int(expr.q) in (2, 4, 8):  # exact
            return self._print_Float(expr)
        return f"{self._print_Integer(sympy.Integer(expr.p))}/{self._print_Integer(sympy.Integer(expr.q))}"

    _print_Half = _print_Rational
    _print_NumberSymbol = _print_Exp1 = _print_Float

    def _print_Pi(self, expr: sympy.Expr) -> str:
        return self._syntax.pi + (self._syntax.float_end if self._syntax.pi[0].isdigit() else "")

    def _print_Add(self, expr: sympy.Add, order: Any = None) -> str:
        text = ""
        for term in self._as_ordered_terms(expr, order=order) if expr.is_commutative else expr.args:
            part = self._print(term)
            part = f"({part})" if term.is_Add else part  # computed first, as it is written
            if not text:
                text = part
            else:
                text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
        return text

    def _print_Mul(self, expr: sympy.Mul) -> str:
        above, below, sign = [], [], ""
        for factor in expr.as_ordered_factors():
            if factor.is_Number and factor < 0:
                sign, factor = ("" if sign else "-"), -factor
            if factor.is_Rational:
                above += [sympy.Integer(factor.p)] if factor.p != 1 else []
                below += [sympy.Integer(factor.q)] if factor.q != 1 else []
            elif factor.is_Pow and factor.exp.is_Rational and factor.exp < 0:
                inverse = factor.base if factor.exp == -1 else sympy.Pow(factor.base, -factor.exp, evaluate=False)
                below.append(inverse)
            else:
                above.append(factor)
        level = PRECEDENCE["Mul"]
        text = "*".join(self._factor(factor, level) for factor in above) or self._print(sympy.S.One)
        for factor in below:
            text += f"/{self._factor(factor, level + 1)}"
        return sign + text

    def _factor(self, expr: sympy.Expr, level: int) -> str:
        """A factor or divisor; a product in parentheses is computed first, as it is written."""
        text = self._print(expr)
        is_quotient = expr.is_Pow and expr.exp.is_Rational and expr.exp < 0
        return f"({text})" if precedence(expr) < level or expr.is_Mul or is_quotient else text

    def _print_Pow(self, expr: sympy.Pow) -> str:
        base, exponent = expr.base, expr.exp
        if exponent.is_Rational and exponent < 0:
            inverse = base if exponent == -1 else sympy.Pow(base, -exponent, evaluate=False)
            return f"{self._print(sympy.S.One)}/{self._factor(inverse, PRECEDENCE['Mul'] + 1)}"
        if exponent == sympy.S.Half:
            return self._call("sqrt", [base])
        is_whole = exponent.is_Integer and self._syntax.whole_power is not None
        if is_whole:
            return f"{self._operand(base)}{self._syntax.whole_power}{int(exponent)}"
        if exponent.is_Rational and not exponent.is_Integer:
            exponent = sympy.Float(exponent)
        written = self._print if "(" in self._syntax.power else self._operand
        return self._syntax.power.format(written(base), written(exponent))

    def _operand(self, expr: sympy.Expr) -> str:
        """Of a power: in parentheses unless it is one symbol, call or positive number."""
        text = self._print(expr)
        is_one = expr.is_Symbol or (expr.is_Float and expr > 0) or (expr.is_Function and text[0].isalpha())
        return text if is_one else f"({text})"

    def _print_Function(self, expr: sympy.Expr) -> str:
        name = expr.func.__name__.lower()
        if name in ("min", "max"):
            text = self._print(expr.args[0])
            for arg in expr.args[1:]:
                text = self._written(name, [text, self._print(arg)])
            return text
        return self._call(name, expr.args)

    _print_Abs = _print_floor = _print_Min = _print_Max = _print_Mod = _print_Function
    _print_ExpBase = _print_log = _print_Function

    def _call(self, name: str, args: Sequence[sympy.Expr]) -> str:
        return self._written(name, [self._print(arg) for arg in args])

    def _written(self, name: str, args: list[str]) -> str:
        form = self._syntax.functions[name].replace("{name}", self._name)
        if "{0}" in form:
            return form.format(*(f"({arg})" if name == "mod" else arg for arg in args))
        return f"{form}({self._syntax.separator.join(args)})"
