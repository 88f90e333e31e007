"""Laws as they are written: sums as trees, what they cost to read, and the equations they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.complexity import equation_complexity, function_cost
from sklearn_eql.symbolic.constants import candidates, recognise
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.graph import Form, Graph, is_constant

_UNKNOWN_BITS = 53.0  # to say a number that is no constant
_SHORT_DIGITS = 6  # of a decimal that was put in, such as 9.81; fitted numbers have all their digits
_NESTED = 2  # nodes that a fraction in a denominator costs: a*b/(a + b) before 1/(1/a + 1/b)
_NAMES = {2.0: "square", 3.0: "cube", 0.5: "sqrt"}

Cost = tuple[int, int, int, float, int]
"""Numbers that are no constants, complexity, numbers, bits of the constants, minus signs."""

Term = tuple
"""``(coefficient, factors)``; a factor is ``(base, exponent)``, a base ``("x", feature)``, ``("f", name, trees)`` or a
tree."""

_NOTHING: Cost = (0, 0, 0, 0.0, 0)


@dataclass(frozen=True, eq=False)
class Tree:
    """A sum as it is written, and what that costs."""

    terms: tuple[Term, ...]
    cost: Cost


def price(equation: Equation, primitives: Mapping[str, Primitive]) -> Cost:
    """What spellings are ordered by: see :mod:`sklearn_eql.symbolic.spelling`."""
    total, nested = _NOTHING, 0
    for unit in equation.units:
        for slot, form in enumerate(unit.args):
            if unit.primitive == "inv" or (unit.primitive == "div" and slot == 1):
                nested += sum(_is_fraction(source, equation) for source, _ in form) if len(form) > 1 else 0
            exponent = unit.primitive == "pow" and slot == 1 and is_constant(form)
            total = _plus(total, *(_number(c) for s, c in form if not _is_silent(s, c) and not (exponent and _half(c))))
    total = _plus(total, *(_number(c) for s, c in equation.output if not _is_silent(s, c)))
    return total[0], equation_complexity(equation, primitives) + _NESTED * nested, *total[2:]


def _is_fraction(source: int, equation: Equation) -> bool:
    unit = equation.units[source - equation.n_features - 1] if source > equation.n_features else None
    if unit is None or unit.primitive not in ("inv", "div", "pow", "exp"):
        return False
    if unit.primitive == "exp":  # a power of features is one of logarithms
        logs = {equation.n_features + 1 + i for i, u in enumerate(equation.units) if u.primitive == "log"}
        return any(s in logs and c < 0 for s, c in unit.args[0])
    return unit.primitive != "pow" or (is_constant(unit.args[1]) and sum(c for _, c in unit.args[1]) < 0)


def _is_silent(source: int, c: float) -> bool:
    return source != 0 and c == 1


def _half(exponent: float) -> bool:
    return (2 * exponent).is_integer()


def _plus(*costs: Cost) -> Cost:
    return tuple(map(sum, zip(*costs, strict=True)))


def _number(value: float) -> Cost:
    """Of a number, or the sign that is left of it."""
    if value == -1:
        return (0, 0, 0, 0.0, 1)
    bits = constant_bits(abs(value))
    return (int(bits is None), 0, 1, _UNKNOWN_BITS if bits is None else bits, int(value < 0))


def constant_bits(value: float) -> float | None:
    """What it takes to say a constant; None for a number that is none. Zero is not said at all."""
    if value == 0:
        return 0.0
    found = [c for c in candidates(value, 4 * math.ulp(value)) if c.value == value or recognise(value) is not None]
    if found:
        return found[0].cost
    return 4.0 + _SHORT_DIGITS * math.log2(10) if float(f"{value:.{_SHORT_DIGITS}g}") == value else None


def written(terms: Sequence[Term]) -> Tree:
    """A sum of terms."""
    signs = (0, max(0, len(terms) - 1), 0, 0.0, 0)
    return Tree(tuple(terms), _plus(signs, *(cost_of_term(*term) for term in terms)))


def cost_of_term(c: float, factors: tuple) -> Cost:
    """Of ``c * product of factors``, by what is printed."""
    if not factors:
        return _plus(_number(c), (0, 1, int(c == -1), 0.0, 0))
    inverse = all(e < 0 for _, e in factors)
    signs = len(factors) - 1 + (2 if abs(c) != 1 else int(inverse))
    number = _NOTHING if c == 1 else _number(c)
    return _plus(number, (0, signs, 0, 0.0, 0), *(_cost_of_factor(*factor) for factor in factors))


def _cost_of_factor(base: tuple, exponent: float) -> Cost:
    if isinstance(base, Tree):
        fractions = sum(any(e < 0 for _, e in factors) for _, factors in base.terms) if len(base.terms) > 1 else 0
        nested = _NESTED * fractions if exponent < 0 and exponent.is_integer() else 0
        cost = _plus(base.cost, (0, nested, 0, 0.0, 0))
    elif base[0] == "x":
        cost = (0, 1, 0, 0.0, 0)
    else:
        name = function_cost(base[1]) + max(0, len(base[2]) - 1)
        cost = _plus((0, name, 0, 0.0, 0), *(tree.cost for tree in base[2]))
    if abs(exponent) == 1:
        return cost
    return _plus(cost, (0, 1, 0, 0.0, 0) if _half(exponent) else _plus((0, 2, 0, 0.0, 0), _number(abs(exponent))))


class Writer:
    """Trees as units of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def sum(self, tree: Tree) -> Form:
        """The linear form that a tree is."""
        total: Form = {}
        for c, factors in tree.terms:
            source = self._product(factors)
            total[source] = total.get(source, 0.0) + c
        return total

    def _product(self, factors: tuple) -> int:
        above = self._times([self._power(base, e) for base, e in factors if e > 0])
        below = self._times([self._power(base, -e) for base, e in factors if e < 0])
        if below is None:
            return 0 if above is None else self._source(above)
        return self._graph.add("inv", [below]) if above is None else self._graph.add("div", [above, below])

    def _source(self, form: Form) -> int:
        [(source, c)] = form.items() if len(form) == 1 else [(0, 0.0)]
        return source if c == 1 else self._graph.add("id", [form])

    def _times(self, forms: list[Form]) -> Form | None:
        result = forms[0] if forms else None
        for form in forms[1:]:
            result = {self._graph.add("mul", [result, form]): 1.0}
        return result

    def _power(self, base: tuple, exponent: float) -> Form:
        if isinstance(base, Tree):
            form = self.sum(base)
        elif base[0] == "x":
            form = {1 + base[1]: 1.0}
        else:
            form = {self._graph.add(base[1], [self.sum(tree) for tree in base[2]]): 1.0}
        return self._raised(form, exponent)

    def _raised(self, form: Form, exponent: float) -> Form:
        if exponent == 1:
            return form
        if exponent in _NAMES:
            return {self._graph.add(_NAMES[exponent], [form]): 1.0}
        if not exponent.is_integer():
            return {self._graph.add("pow", [form, {0: exponent}]): 1.0}
        if exponent % 2 == 0:  # powers of negative numbers are no business of "pow"
            return {self._graph.add("square", [self._raised(form, exponent / 2)]): 1.0}
        return {self._graph.add("mul", [self._raised(form, exponent - 3), self._raised(form, 3.0)]): 1.0}
