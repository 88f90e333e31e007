"""Laws for other tools: SymPy expressions, LaTeX, tables in LaTeX, differentiable torch modules."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence

import pandas as pd
import sympy
import torch

from sklearn_eql._display import replaced
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Affine, Equation, Frame, Unit
from sklearn_eql.symbolic.graph import OutOfRangeError, is_builtin

_EXPONENTIALS = {"exp": 1, "sigmoid": 1, "sigmoid20": 20}  # and what they multiply their arguments by
_MAX_SHIFT = 30.0  # constants inside them that may become factors: exp(30) is 1e13, far from the ends of float64
_PLAIN_NAME = re.compile(r"[A-Za-z]+(_?[A-Za-z0-9]+)?")
_LATEX_SPECIAL = {c: f"\\{c}" for c in "_%&#${}"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}


def to_sympy(
    equation: Equation,
    names: Sequence[str],
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    precision: int | None = None,
) -> sympy.Expr:
    """The law as an expression in ``sympy.Symbol(name)``, without simplifying it.

    Parameters
    ----------
    equation : Equation
        The law, preferably canonical.
    names : sequence of str, length n_features
        Any text; it is never parsed.
    primitives : mapping of str to Primitive
        Functions by name.
    precision : int, optional
        Significant digits of the printed floats. None keeps them exact, and the expression then evaluates to what
        the equation does; use a precision for display only.

    Returns
    -------
    sympy.Expr
        In the units of the data, as the equation is.

    Raises
    ------
    ValueError
        If there is not one name for each feature.

    Notes
    -----
    Floats that are integers, small rationals, multiples of pi and the like to the last bit appear as such
    (`recognise`). Powers written as ``exp(a*log(x) + b*z)`` appear as ``x**a*exp(b*z)``.
    """
    if len(names) != equation.n_features:
        raise ValueError(f"names has {len(names)} entries for {equation.n_features} features. Give one per feature.")
    symbols = list(map(sympy.Symbol, names))
    written: dict[sympy.Expr, sympy.Expr] = {}  # symbols, and what is written in their place when all else is done
    try:
        expr = _with_folded_numbers(_in_symbols(equation, symbols, primitives, written))
    except OutOfRangeError:  # one number would stand for several, and be none of float64
        with sympy.evaluate(False):
            expr = _in_symbols(equation, symbols, primitives, written)
    frame = equation.frame
    if frame is not None:
        expr = _times(frame.y_unit, expr)
        written |= {s: _moved(s, frame, f) for f, s in enumerate(symbols) if frame.is_moved(f)}
    if written:
        expr = replaced(expr, written)
    return expr if precision is None else _rounded(expr, precision)


def _in_symbols(
    equation: Equation,
    symbols: Sequence[sympy.Symbol],
    primitives: Mapping[str, Primitive],
    written: dict[sympy.Expr, sympy.Expr],
) -> sympy.Expr:
    """The law in the given symbols; large constants inside exponentials are put into `written` and stood for."""
    sources: list[sympy.Expr] = [sympy.Integer(1), *symbols]
    for unit in equation.units:
        args = [_linear(form, sources) for form in unit.args]
        if unit.primitive in _EXPONENTIALS and is_builtin(unit.primitive, primitives):
            shift = dict(unit.args[0]).get(0, 0.0)
            if abs(shift) * _EXPONENTIALS[unit.primitive] > _MAX_SHIFT:
                symbol = sympy.Dummy("shift")
                written[symbol] = _number(shift)
                args = [_linear(tuple(t for t in unit.args[0] if t[0] != 0), sources) + symbol]
            else:
                symbol = None
            if unit.primitive == "exp":
                sources.append(_exponential(equation, unit.args[0], sources, primitives, symbol))
                continue
        sources.append(sympy.sympify(primitives[unit.primitive].sympy_fn(*args)))
    return _linear(equation.output, sources)


def _moved(symbol: sympy.Symbol, frame: Frame, feature: int) -> sympy.Expr:
    """``(x - origin) / unit``, as it stands."""
    origin, unit = frame.origins[feature], frame.units[feature]
    expr = symbol
    if origin != 0:
        expr = sympy.Add(expr, -sympy.Rational(repr(origin)), evaluate=False)  # a decimal would be rounded in print
    if unit != 1:
        expr = sympy.Mul(expr, sympy.Pow(sympy.Float(unit), -1, evaluate=False), evaluate=False)
    return expr


def _times(unit: float, expr: sympy.Expr) -> sympy.Expr:
    """The law times a unit: as one number where there is one and float64 holds it, but not inside a sum."""
    if unit == 1:
        return expr
    if not expr.is_Add:
        try:
            return _with_folded_numbers(sympy.Float(unit) * expr)
        except OutOfRangeError:
            pass
    return sympy.Mul(sympy.Float(unit), expr, evaluate=False)


def _linear(form: Affine, sources: list[sympy.Expr]) -> sympy.Expr:
    return sympy.Add(*(_number(c) * sources[s] for s, c in form))


def _exponential(
    equation: Equation,
    form: Affine,
    sources: list[sympy.Expr],
    primitives: Mapping[str, Primitive],
    shift: sympy.Symbol | None,
) -> sympy.Expr:
    """``exp`` of a linear form, its logarithms as powers; `shift` stands for its constant, if that is large."""
    factors, rest = [], []
    for source, c in form:
        base, exponent = _power_in_exponent(equation, source, primitives)
        if base is not None:
            factors.append(_linear(base, sources) ** (_number(c) * _linear(exponent, sources)))
        elif source != 0 or shift is None:
            rest.append((source, c))
    argument = _linear(tuple(rest), sources)
    return sympy.Mul(*factors, sympy.exp(argument if shift is None else argument + shift))


def _power_in_exponent(
    equation: Equation, source: int, primitives: Mapping[str, Primitive]
) -> tuple[Affine | None, Affine]:
    """Base and exponent of what ``exp`` makes of a source that is ``log(g)`` or ``h*log(g)``; no base of others."""
    unit = _unit_of(equation, source)
    if unit is not None and unit.primitive == "log" and is_builtin("log", primitives):
        return unit.args[0], ((0, 1.0),)
    if unit is not None and unit.primitive == "mul" and is_builtin("mul", primitives):
        for form, other in (unit.args, unit.args[::-1]):
            factor = _unit_of(equation, form[0][0]) if len(form) == 1 else None
            if factor is not None and factor.primitive == "log" and is_builtin("log", primitives):
                return factor.args[0], tuple((s, form[0][1] * c) for s, c in other)
    return None, ()


def _unit_of(equation: Equation, source: int) -> Unit | None:
    return equation.units[source - equation.n_features - 1] if source > equation.n_features else None


def _number(value: float) -> sympy.Expr:
    exact = recognise(value)
    return sympy.Float(value) if exact is None else exact


def _with_folded_numbers(expr: sympy.Expr) -> sympy.Expr:
    """One number where several meet, as in ``0.3*pi*x``, and integers for floats such as the exponent 2.0."""
    if not expr.has(sympy.Float):
        return expr
    if not expr.free_symbols:
        value = expr.evalf(25)
        if not (value.is_real and value.is_finite):
            return expr
        if value != 0 and not sys.float_info.min <= abs(float(value)) < math.inf:
            raise OutOfRangeError(f"{value} is out of the range of float64")
        return _number(float(value))
    args = [_with_folded_numbers(arg) for arg in expr.args]
    if expr.is_Mul or expr.is_Add:
        number = _with_folded_numbers(expr.func(*(arg for arg in args if not arg.free_symbols)))
        args = [arg for arg in args if arg.free_symbols]
        if expr.is_Mul and len(args) == 1 and args[0].is_Add and number != 1:  # 2*pi*(0.3*x + 0.1)
            return sympy.Add(*(_with_folded_numbers(number * term) for term in args[0].args))
        args.append(number)
    return expr.func(*args)


def _rounded(expr: sympy.Expr, precision: int) -> sympy.Expr:
    digits = {f: sympy.Float(f"{float(f):.{precision - 1}e}", precision) for f in expr.atoms(sympy.Float)}
    return replaced(expr, digits)


def to_latex(expr: sympy.Expr, precision: int | None = 3) -> str:
    """LaTeX of an expression.

    Names that are not of the form ``x``, ``x0``, ``x_0`` or ``lambda`` are set as text, their special characters
    escaped.

    Parameters
    ----------
    expr : sympy.Expr
    precision : int, optional
        Significant digits of its floats; all of them if None.

    Returns
    -------
    str
        Without delimiters of mathematics.
    """
    if precision is not None:
        expr = _rounded(expr, precision)
    names = {}
    for symbol in expr.free_symbols:
        if not _PLAIN_NAME.fullmatch(symbol.name):
            names[symbol] = r"\text{" + "".join(_LATEX_SPECIAL.get(c, c) for c in symbol.name) + "}"
    return sympy.latex(expr, symbol_names=names)


def to_latex_table(equations: pd.DataFrame, best_index: int, precision: int | None = 3) -> str:
    """A table of laws in LaTeX, for the package booktabs; a bullet marks the row `best_index`.

    Parameters
    ----------
    equations : DataFrame
        With the columns complexity, loss and sympy_expr.
    best_index : int
        Label of a row.
    precision : int, optional
        Significant digits of constants; all if None.
    """
    mark = r"\textbullet"
    rows = [
        f"{mark if label == best_index else ''} & {row.complexity} & ${_latex_number(row.loss)}$ & "
        f"${to_latex(row.sympy_expr, precision)}$ \\\\"
        for label, row in zip(equations.index, equations.itertuples(), strict=True)
    ]
    head = r" & Complexity & Loss & Law \\"
    begin = [r"\begin{tabular}{lrrl}", r"\toprule", head, r"\midrule"]
    return "\n".join([*begin, *rows, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_number(value: float) -> str:
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


class EquationModule(torch.nn.Module):
    """Laws as a module: features ``(n, n_features)`` to values ``(n,)``, or ``(n, n_outputs)`` for several laws.

    Every coefficient is a parameter, one vector per law in the order of `Equation.coefficients`.
    """

    def __init__(self, equations: Sequence[Equation], primitives: Mapping[str, Primitive], squeeze: bool) -> None:
        super().__init__()
        self._equations = tuple(equations)
        self._primitives = {u.primitive: primitives[u.primitive] for e in self._equations for u in e.units}
        self._squeeze = squeeze
        self.coefficients = torch.nn.ParameterList(
            torch.nn.Parameter(torch.from_numpy(e.coefficients())) for e in self._equations
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Values of the laws at `X` of shape ``(n, n_features)``, in the precision of `X`."""
        values = [self._one(e, c, X) for e, c in zip(self._equations, self.coefficients, strict=True)]
        return values[0] if self._squeeze else torch.stack(values, dim=1)

    def _one(self, equation: Equation, coefficients: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
        frame = equation.frame
        if frame is not None:
            X = frame.inside(X)
        sources = [torch.ones_like(X[:, 0]), *X.unbind(dim=1)]  # (n,) each
        stream = iter(coefficients.to(X.dtype).unbind())

        def linear(form: Affine) -> torch.Tensor:
            return sum((next(stream) * sources[s] for s, _ in form), torch.zeros_like(sources[0]))

        for unit in equation.units:
            args = [linear(form) for form in unit.args] or [sources[0]]
            sources.append(self._primitives[unit.primitive].torch_fn(*args))
        return linear(equation.output) * (1.0 if frame is None else frame.y_unit)


def to_torch_module(
    equations: Equation | Sequence[Equation], primitives: Mapping[str, Primitive] = PRIMITIVES
) -> EquationModule:
    """Laws as a differentiable module, whose parameters are their coefficients.

    Parameters
    ----------
    equations : Equation or sequence of Equation
        Of the same features.
    primitives : mapping of str to Primitive
        Functions by name.

    Returns
    -------
    EquationModule
        It takes ``(n, n_features)``, and returns ``(n,)`` for one equation and ``(n, n_outputs)`` for a sequence.
    """
    single = isinstance(equations, Equation)
    return EquationModule([equations] if single else equations, primitives, squeeze=single)
