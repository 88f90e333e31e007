"""A form as data: which of its symbols are features, which constants, and where its unknown functions stand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy
from sympy.core.function import AppliedUndef

from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.reading import from_sympy

_NUMBERED = re.compile(r"x\d+")


@dataclass(frozen=True)
class Occurrence:
    """One place where an unknown function, or a derivative of it, stands.

    Parameters
    ----------
    function : str
    args : tuple of Expr, length arity
        What it is taken at: expressions of features and constants.
    orders : tuple of int, length arity
        How often it is differentiated by each argument.
    symbol : Symbol
        Stands for it in the form.
    """

    function: str
    args: tuple[sympy.Expr, ...]
    orders: tuple[int, ...]
    symbol: sympy.Symbol


@dataclass(frozen=True)
class Form:
    """A form.

    Parameters
    ----------
    expr : Expr
        With a symbol in place of every occurrence of an unknown function.
    features : tuple of str
        Names of all columns.
    constants : tuple of str
        Names of the constants to be fitted.
    arities : mapping of str to int
        Arguments of each unknown function.
    occurrences : tuple of Occurrence
    positive : frozenset of str
        Constants that are looked for among positive numbers first.
    """

    expr: sympy.Expr
    features: tuple[str, ...]
    constants: tuple[str, ...]
    arities: Mapping[str, int]
    occurrences: tuple[Occurrence, ...]
    positive: frozenset[str] = frozenset()

    @property
    def reads(self) -> frozenset[str]:
        """Names of the features that it has."""
        parts = [self.expr, *(arg for place in self.occurrences for arg in place.args)]
        return frozenset(s.name for part in parts for s in part.free_symbols) & frozenset(self.features)

    def law(self, primitives: Mapping[str, Primitive] = PRIMITIVES) -> ParametricLaw:
        """The law of a form without unknown functions, its constants shared."""
        return self.law_of(self.expr, self.constants, primitives)

    def law_of(
        self, expr: sympy.Expr, constants: Sequence[str], primitives: Mapping[str, Primitive] = PRIMITIVES
    ) -> ParametricLaw:
        """An expression of the features and of these constants as a law."""
        equation = from_sympy(expr, [*self.features, *constants], primitives)
        return ParametricLaw(equation, tuple(constants), (False,) * len(constants))

    def with_functions(self, functions: Mapping[str, sympy.Lambda]) -> sympy.Expr:
        """The whole expression, with functions in place of the unknown ones."""
        written = {place.symbol: _value(place, functions[place.function]) for place in self.occurrences}
        return self.expr.xreplace(written)

    def with_some(self, functions: Mapping[str, sympy.Lambda]) -> Form:
        """The form with some of its unknown functions known: what is left to be found.

        Symbols of these functions that are not their arguments are constants of the new form.
        """
        places = tuple(place for place in self.occurrences if place.function not in functions)
        written = {p.symbol: _value(p, functions[p.function]) for p in self.occurrences if p.function in functions}
        expr = self.expr.xreplace(written)
        used = {s.name for s in expr.free_symbols} | {
            s.name for p in places for arg in p.args for s in arg.free_symbols
        }
        used -= {place.symbol.name for place in places} | set(self.features)
        constants = [name for name in self.constants if name in used]
        constants += sorted(used - set(constants), key=_by_number)
        arities = {name: arity for name, arity in self.arities.items() if name not in functions}
        return Form(expr, self.features, tuple(constants), arities, places, self.positive)

    def variables(self, name: str) -> tuple[sympy.Symbol, ...]:
        """What the arguments of an unknown function are called: as the features where it is a function of these.

        Otherwise ``u``, or ``u0``, ``u1`` and so on, whatever is no feature or constant.
        """
        first, *others = (place.args for place in self.occurrences if place.function == name)
        if all(arg.is_Symbol for arg in first) and len(set(first)) == len(first) and all(a == first for a in others):
            return first
        letter = next(c for c in ("u", "v", "w", "u_", "v_", "w_") if not self._uses(c))
        if self.arities[name] == 1:
            return (symbol(letter),)
        return tuple(symbol(f"{letter}{i}") for i in range(self.arities[name]))

    def _uses(self, letter: str) -> bool:
        return any(re.fullmatch(re.escape(letter) + r"\d*", name) for name in (*self.features, *self.constants))


def _value(place: Occurrence, function: sympy.Lambda) -> sympy.Expr:
    """What a known function, or its derivative, is at a place."""
    value = function.expr
    for variable, order in zip(function.variables, place.orders, strict=True):
        value = value.diff(variable, order) if order else value
    return value.xreplace(dict(zip(function.variables, place.args, strict=True)))


def symbol(name: str) -> sympy.Symbol:
    """Symbols of forms are real, so that derivatives and absolute values stay short."""
    return sympy.Symbol(name, real=True)


def read_form(expr: sympy.Expr, features: Sequence[str], primitives: Mapping[str, Primitive] = PRIMITIVES) -> Form:
    """A form from what a user wrote.

    Symbols named as a feature are that feature; other symbols are constants; undefined functions are unknown ones.

    Parameters
    ----------
    expr : Expr
    features : sequence of str
        Names of the columns.
    primitives : mapping of str to Primitive
        Known functions.

    Raises
    ------
    TypeError
        What is no expression, such as text, which is never parsed, or an equality.
    ValueError
        Functions that are not known, unknown functions of no feature, names that mean two things.
    """
    expr = _checked(expr)
    positive = frozenset(s.name for s in expr.free_symbols if isinstance(s, sympy.Symbol) and s.is_positive)
    expr = expr.xreplace({s: symbol(s.name) for s in expr.free_symbols if isinstance(s, sympy.Symbol)}).doit()
    arities = _arities(expr, features, primitives)
    occurrences, body = _occurrences(expr, features)
    names = {s.name for s in body.free_symbols} | {
        s.name for p in occurrences for arg in p.args for s in arg.free_symbols
    }
    constants = sorted(names - set(features) - {place.symbol.name for place in occurrences}, key=_by_number)
    for name in constants:
        _check_constant(name, features, arities)
    form = Form(body, tuple(features), tuple(constants), arities, occurrences, positive)
    known = [*features, *constants, *(place.symbol.name for place in occurrences)]
    for part in (body, *(arg for place in occurrences for arg in place.args)):
        from_sympy(part, known, primitives)
    return form


def _checked(expr: object) -> sympy.Expr:
    if isinstance(expr, str):
        raise TypeError(
            f"got the text {expr!r}, expected an expression of SymPy; text is never parsed. Write it with symbols: "
            "x, k = sympy.symbols('x k'); f = sympy.Function('f'); f(x) * sympy.exp(-k * x)."
        )
    if isinstance(expr, int | float) and not isinstance(expr, bool):
        return sympy.sympify(expr)
    if isinstance(expr, sympy.Equality):
        raise TypeError(f"got the equality {expr}, expected an expression: what y is equal to.")
    if not isinstance(expr, sympy.Expr) or isinstance(expr, sympy.MatrixExpr):
        raise TypeError(f"got {type(expr).__name__}, expected an expression of SymPy: what y is equal to.")
    return expr


def _by_number(name: str) -> tuple:
    """Sorts ``b2`` before ``b10``."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part)


def _arities(expr: sympy.Expr, features: Sequence[str], primitives: Mapping[str, Primitive]) -> dict[str, int]:
    found: dict[str, int] = {}
    for applied in sorted(expr.atoms(AppliedUndef), key=str):
        name = applied.func.__name__
        if name in primitives or hasattr(sympy.functions, name):
            raise ValueError(
                f"{name} in {applied} is an undefined function with the name of a known one. Write sympy.{name}, or "
                "give the function to be found another name."
            )
        if name in features:
            raise ValueError(f"{name} is a feature and a function at once. Give the function another name.")
        if found.setdefault(name, len(applied.args)) != len(applied.args):
            raise ValueError(
                f"{name} has {len(applied.args)} arguments in {applied} and {found[name]} elsewhere, expected the same "
                "number everywhere."
            )
    return found


def _occurrences(expr: sympy.Expr, features: Sequence[str]) -> tuple[tuple[Occurrence, ...], sympy.Expr]:
    """Where unknown functions stand, and the expression with a symbol for each."""
    places: list[Occurrence] = []
    known: dict[tuple, sympy.Symbol] = {}

    def standing_for(function: str, args: tuple[sympy.Expr, ...], orders: tuple[int, ...]) -> sympy.Symbol:
        key = (function, args, orders)
        if key not in known:
            for arg in args:
                if arg.has(AppliedUndef):
                    raise ValueError(
                        f"{function}({', '.join(map(str, args))}) has an unknown function inside another, expected "
                        "arguments of features and constants."
                    )
            if not any(s.name in features for arg in args for s in arg.free_symbols):
                raise ValueError(
                    f"{function}({', '.join(map(str, args))}) reads no feature, expected some of "
                    f"{', '.join(features)}. A constant needs no function: write a symbol."
                )
            known[key] = symbol(f"{function}#{len(places)}")
            places.append(Occurrence(function, args, orders, known[key]))
        return known[key]

    def replaced(node: sympy.Expr) -> sympy.Expr:
        if isinstance(node, sympy.Subs):
            function, args, orders = _derivative(node.expr)
            moved = dict(zip(node.variables, node.point, strict=True))
            return standing_for(function, tuple(arg.xreplace(moved) for arg in args), orders)
        if isinstance(node, sympy.Derivative):
            return standing_for(*_derivative(node))
        if isinstance(node, AppliedUndef):
            return standing_for(node.func.__name__, node.args, (0,) * len(node.args))
        return node.func(*map(replaced, node.args)) if node.has(AppliedUndef) else node

    body = replaced(expr)
    return tuple(places), body


def _derivative(node: sympy.Expr) -> tuple[str, tuple[sympy.Expr, ...], tuple[int, ...]]:
    """The function, arguments and orders of the derivative of an unknown function by its arguments."""
    inner = node.args[0] if isinstance(node, sympy.Derivative) else None
    if not isinstance(inner, AppliedUndef):
        raise ValueError(f"{node}: expected derivatives of unknown functions by their arguments.")
    counts = dict(node.variable_count)
    if any(inner.args.count(variable) != 1 for variable in counts):
        raise ValueError(f"{node}: expected derivatives of unknown functions by their arguments.")
    return inner.func.__name__, inner.args, tuple(int(counts.get(arg, 0)) for arg in inner.args)


def _check_constant(name: str, features: Sequence[str], functions: Mapping[str, int]) -> None:
    if name in functions:
        raise ValueError(f"{name} is a constant and a function at once. Give one of them another name.")
    if _NUMBERED.fullmatch(name) and all(map(_NUMBERED.fullmatch, features)):
        raise ValueError(f"{name} is no feature: X has the columns {', '.join(features)}.")
    alike = [feature for feature in features if feature.lower() == name.lower()]
    if alike:
        raise ValueError(
            f"{name} is no feature, but {alike[0]} is. Write {alike[0]}, or call a constant something else."
        )
