"""Common factors: a sum whose terms share a power of a feature is written as that power times a shorter sum.

``m**-2 - v**2/(c**2*m**2)`` becomes ``m**-2 * (1 - v**2/c**2)``, and its inverse square root ``m / sqrt(1 - v**2/c**2)``.
The function stays the same; what it takes to read it becomes less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sklearn_eql.draft import Draft, Node
from sklearn_eql.primitives import Primitive
from sklearn_eql.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Equation

_POWERS = {"inv": -1.0, "sqrt": 0.5, "square": 2.0, "cube": 3.0}

Form = list[list]  # of [source, coefficient]


@dataclass
class _Product:
    """``coefficient * prod x_i**a_i * prod rests``, each of the rests a linear form."""

    coefficient: float
    powers: dict[int, float] = field(default_factory=dict)
    rests: list[Form] = field(default_factory=list)

    def units(self) -> dict[int, Node]:
        """Rests that are single units, by identity."""
        return {id(form[0][0]): form[0][0] for form in self.rests if len(form) == 1}


def factored(equation: Equation, primitives: Mapping[str, Primitive], signs: tuple[int, ...]) -> Equation:
    """The same law, canonical, with common factors taken out of its sums; the law itself where there are none.

    Parameters
    ----------
    equation : Equation
        Canonical.
    primitives : mapping of str to Primitive
    signs : tuple of int
        1 or -1 for features without change of sign, 0 for the others, which are not touched.
    """
    draft = Draft(Structure.from_equation(equation, np.ones(len(equation.coefficients()), dtype=bool)))
    factoring = _Factoring(signs)
    for node in draft.nodes():
        for arg in node.args:
            factoring.take_out(arg)
        factoring.push_outside(node)
    factoring.take_out(draft.output)
    return canonicalize(draft.equation(), primitives) if factoring.n_changes else equation


class _Factoring:
    def __init__(self, signs: tuple[int, ...]) -> None:
        self.signs = signs
        self.n_changes = 0

    def take_out(self, form: Form) -> None:
        """Put the common factor of all terms in front, in place."""
        if len(form) < 2:
            return
        products = [self._product(source, c) for source, c in form]
        common = _common([p.powers for p in products])
        units = _shared([p.units() for p in products])
        if not common and not units:
            return
        inner: Form = []
        for p in products:
            powers = {f: a - common.get(f, 0.0) for f, a in p.powers.items()}
            rests = [r for r in p.rests if not (len(r) == 1 and id(r[0][0]) in units)]
            inner.append(self._term(_Product(p.coefficient, {f: a for f, a in powers.items() if a}, rests)))
        front = _Product(1.0, common, [[[unit, 1.0]] for unit in units.values()])
        form[:] = [[Node("mul", [[self._term(front)], inner]), 1.0]]
        self.n_changes += 1

    def push_outside(self, node: Node) -> None:
        """``(p * sum)**k`` becomes ``p**k * sum**k`` for powers `p` of features, in place."""
        exponent = _exponent(node)
        if exponent is None or len(node.args[0]) != 1:
            return
        p = self._product(*node.args[0][0])
        if not p.powers or len(p.rests) != 1:
            return
        inside = Node(node.primitive, [[[s, p.coefficient * k] for s, k in p.rests[0]], *node.args[1:]])
        outside = self._power({f: exponent * a for f, a in p.powers.items()})
        node.primitive, node.args = "mul", [[[outside, 1.0]], [[inside, 1.0]]]
        self.n_changes += 1

    def _product(self, source: int | Node, c: float) -> _Product:
        if source == 0:
            return _Product(c)
        if isinstance(source, int):
            sign = self.signs[source - 1]
            return _Product(c * sign, {source: 1.0}) if sign else _Product(c, {}, [[[source, 1.0]]])
        name = source.primitive
        if name in ("mul", "div"):
            a, b = (self._product(*arg[0]) if len(arg) == 1 else _Product(1.0, {}, [arg]) for arg in source.args)
            side = 1.0 if name == "mul" else -1.0
            if name == "mul" or not b.rests:
                powers = {f: a.powers.get(f, 0.0) + side * b.powers.get(f, 0.0) for f in {**a.powers, **b.powers}}
                rests = [*a.rests, *b.rests]
                return _Product(c * a.coefficient * b.coefficient**side, {f: k for f, k in powers.items() if k}, rests)
        elif (k := _exponent(source)) is not None and len(source.args[0]) == 1:
            inner = self._product(*source.args[0][0])
            if not inner.rests and inner.coefficient > 0:
                return _Product(c * inner.coefficient**k, {f: a * k for f, a in inner.powers.items()})
        elif name == "exp":
            powers = {s.args[0][0][0]: a for s, a in source.args[0] if self._is_log(s)}
            others = [[s, a] for s, a in source.args[0] if not self._is_log(s)]
            if powers:
                return _Product(c, powers, [[[Node("exp", [others]), 1.0]]] if others else [])
        return _Product(c, {}, [[[source, 1.0]]])

    def _is_log(self, source: int | Node) -> bool:
        if not isinstance(source, Node) or source.primitive != "log" or len(source.args[0]) != 1:
            return False
        feature, c = source.args[0][0]
        return isinstance(feature, int) and feature > 0 and c == self.signs[feature - 1] != 0

    def _power(self, powers: dict[int, float]) -> Node:
        return Node(
            "exp", [[[Node("log", [[[f, float(self.signs[f - 1])]]]), a] for f, a in sorted(powers.items())]]
        )

    def _term(self, p: _Product) -> list:
        """One term of a linear form that stands for the product."""
        forms = ([[[self._power(p.powers), 1.0]]] if p.powers else []) + p.rests
        if not forms:
            return [0, p.coefficient]
        result = forms[0]
        for form in forms[1:]:
            result = [[Node("mul", [result, form]), 1.0]]
        if len(result) == 1:
            return [result[0][0], result[0][1] * p.coefficient]
        return [Node("id", [result]), p.coefficient]


def _shared(units: list[dict[int, Node]]) -> dict[int, Node]:
    """Units that are factors of every term."""
    return {key: unit for key, unit in units[0].items() if all(key in other for other in units[1:])}


def _exponent(node: Node) -> float | None:
    """Of a unit that raises its argument to a constant power."""
    if node.primitive == "pow" and len(node.args[1]) == 1 and node.args[1][0][0] == 0:
        return node.args[1][0][1]
    return _POWERS.get(node.primitive)


def _common(powers: list[dict[int, float]]) -> dict[int, float]:
    """For each feature in all of them, with exponents of one sign, the exponent nearest to zero.

    Only integers and halves are taken out: other exponents are fitted, and do not cancel.
    """
    found = {}
    for feature in set.intersection(*(set(p) for p in powers)):
        exponents = [p[feature] for p in powers]
        if all(float(2 * a).is_integer() for a in exponents):
            if min(exponents) > 0 or max(exponents) < 0:
                found[feature] = min(exponents, key=abs)
    return {f: a for f, a in found.items() if math.isfinite(a)}
