"""Common factors: a sum whose terms share a power of a feature is written as that power times a shorter sum.

``m**-2 - v**2/(c**2*m**2)`` becomes ``m**-2 * (1 - v**2/c**2)``, and its inverse square root
``m / sqrt(1 - v**2/c**2)``. The function stays the same; what it takes to read it becomes less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from sklearn_eql.primitives import POWERS, Primitive
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.rows import common_signs, extremes
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.graph import is_builtin

Form = list[list]  # of [source, coefficient]


@dataclass
class _Product:
    """``coefficient * prod x_i**a_i * prod rests``, each of the rests a linear form."""

    coefficient: float
    powers: dict[int, float] = field(default_factory=dict)
    rests: list[Form] = field(default_factory=list)

    def units(self) -> dict[int, Node]:
        """Rests that are single units, by identity."""
        return {id(form[0][0]): form[0][0] for form in self.rests if len(form) == 1 and isinstance(form[0][0], Node)}


def factored(equation: Equation, primitives: Mapping[str, Primitive], X: torch.Tensor) -> Equation:
    """The same law, canonical, with common factors taken out of its sums; the law itself where there are none.

    Roots of squares are undone as well: ``sqrt(s**2)`` is ``s`` or ``-s``, whichever is positive on the rows.

    Parameters
    ----------
    equation : Equation
        Canonical.
    primitives : mapping of str to Primitive
    X : Tensor (n_samples, n_features)
        Rows that tell which features, and which sums under a root, have one sign.
    """
    try:
        return _rewritten(equation, primitives, X)
    except (OverflowError, ZeroDivisionError):  # coefficients near the ends of float64 stay where they are
        return equation


def _rewritten(equation: Equation, primitives: Mapping[str, Primitive], X: torch.Tensor) -> Equation:
    editable = EditableStructure(Structure.from_equation(equation, np.ones(len(equation.coefficients()), dtype=bool)))
    factoring = _Factoring(X, primitives)
    for node in editable.nodes():
        for arg in node.args:
            factoring.take_out(arg)
        factoring.push_outside(node)
    factoring.take_out(editable.output)
    return canonicalize(editable.equation(), primitives) if factoring.n_changes else equation


class _Factoring:
    def __init__(self, X: torch.Tensor, primitives: Mapping[str, Primitive]) -> None:
        self.X = X
        self.primitives = primitives
        self.signs = tuple(common_signs(*extremes(X.numpy())).tolist())
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
            rests, left = [], set(units)
            for r in p.rests:
                if len(r) == 1 and id(r[0][0]) in left:
                    left.remove(id(r[0][0]))
                else:
                    rests.append(r)
            inner.append(self._term(_Product(p.coefficient, {f: a for f, a in powers.items() if a}, rests)))
        front = _Product(1.0, common, [[[unit, 1.0]] for unit in units.values()])
        form[:] = [[Node("mul", [[self._term(front)], inner]), 1.0]]
        self.n_changes += 1

    def push_outside(self, node: Node) -> None:
        """``(p * sum * s**2)**k`` becomes ``p**k * sum**k * s**(2 k)``, in place.

        For powers `p` of features, and sums `s` of one sign where ``2 k`` is one or minus one.
        """
        exponent = self._exponent(node)
        if exponent is None or len(node.args[0]) != 1:
            return
        p = self._product(*node.args[0][0])
        roots = [(r, root) for r in p.rests if abs(exponent) == 0.5 and (root := self._root(r)) is not None]
        inside = [r for r in p.rests if not any(r is other for other, _ in roots)]
        if not p.rests or not (p.powers or roots) or len(inside) > 1 or (not inside and p.coefficient <= 0):
            return
        factors: list[Form] = []
        for _, (form, power) in roots:
            factors.append(form if power * exponent > 0 else [[Node("inv", [form]), 1.0]])
        if p.powers:
            factors.insert(0, [[self._power({f: exponent * a for f, a in p.powers.items()}), 1.0]])
        coefficient = p.coefficient**exponent if not inside else 1.0
        if inside:
            argument = [[s, p.coefficient * k] for s, k in inside[0]]
            factors.append([[Node(node.primitive, [argument, *node.args[1:]]), 1.0]])
        last = self._term(_Product(coefficient, {}, factors))
        node.primitive, node.args = "id", [[last]]
        self.n_changes += 1

    def _root(self, form: Form) -> tuple[Form, float] | None:
        """``|s|`` and 2 or -2, where the form is that power of a sum `s` of one sign on the rows."""
        power, factor = 1.0, 1.0
        while len(form) == 1 and isinstance(form[0][0], Node) and (exponent := self._exponent(form[0][0])) is not None:
            if form[0][1] <= 0:
                return None
            factor *= form[0][1] ** power
            power *= exponent
            form = form[0][0].args[0]
        if abs(power) != 2.0:
            return None
        editable = EditableStructure(Structure(self.X.shape[1], (), ()))
        editable.output = form
        values = editable.equation().forward(self.X, self.primitives).numpy()
        sign = int(common_signs(values.min(), values.max()))
        scale = sign * factor ** (1 / power)
        return ([[s, scale * c] for s, c in form], power) if sign else None

    def _product(self, source: int | Node, c: float) -> _Product:
        if source == 0:
            return _Product(c)
        if isinstance(source, int):
            sign = self.signs[source - 1]
            return _Product(c * sign, {source: 1.0}) if sign else _Product(c, {}, [[[source, 1.0]]])
        name = source.primitive if is_builtin(source.primitive, self.primitives) else ""
        if name == "id" and len(source.args[0]) == 1:
            return self._product(source.args[0][0][0], c * source.args[0][0][1])
        if name in ("mul", "div"):
            a, b = (self._product(*arg[0]) if len(arg) == 1 else _Product(1.0, {}, [arg]) for arg in source.args)
            side = 1.0 if name == "mul" else -1.0
            if name == "div" and b.rests:
                b = _Product(1.0, {}, [[[Node("inv", [source.args[1]]), 1.0]]])
                side = 1.0
            powers = {f: a.powers.get(f, 0.0) + side * b.powers.get(f, 0.0) for f in {**a.powers, **b.powers}}
            rests = [*a.rests, *b.rests]
            return _Product(c * a.coefficient * b.coefficient**side, {f: k for f, k in powers.items() if k}, rests)
        if (k := self._exponent(source)) is not None and len(source.args[0]) == 1:
            inner = self._product(*source.args[0][0])
            if not inner.rests and inner.coefficient > 0:
                return _Product(c * inner.coefficient**k, {f: a * k for f, a in inner.powers.items()})
        elif name == "exp":
            powers = {s.args[0][0][0]: a for s, a in source.args[0] if self._is_log(s)}
            others = [[s, a] for s, a in source.args[0] if not self._is_log(s)]
            if powers:
                return _Product(c, powers, [[[Node("exp", [others]), 1.0]]] if others else [])
        return _Product(c, {}, [[[source, 1.0]]])

    def _exponent(self, node: Node) -> float | None:
        """Of a unit that raises its argument to a constant power."""
        if not is_builtin(node.primitive, self.primitives):
            return None
        if node.primitive == "pow":
            return node.args[1][0][1] if len(node.args[1]) == 1 and node.args[1][0][0] == 0 else None
        return POWERS.get(node.primitive)

    def _is_log(self, source: int | Node) -> bool:
        if not isinstance(source, Node) or source.primitive != "log" or len(source.args[0]) != 1:
            return False
        feature, c = source.args[0][0]
        return isinstance(feature, int) and feature > 0 and c == self.signs[feature - 1] != 0

    def _power(self, powers: dict[int, float]) -> Node:
        return Node("exp", [[[Node("log", [[[f, float(self.signs[f - 1])]]]), a] for f, a in sorted(powers.items())]])

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


def _common(powers: list[dict[int, float]]) -> dict[int, float]:
    """For each feature in all of them, with exponents of one sign, the exponent nearest to zero.

    Only integers and halves are taken out: other exponents are fitted, and do not cancel.
    """
    found = {}
    for feature in set.intersection(*(set(p) for p in powers)):
        exponents = [p[feature] for p in powers]
        same_sign = min(exponents) > 0 or max(exponents) < 0
        if same_sign and all(float(2 * a).is_integer() for a in exponents):
            found[feature] = min(exponents, key=abs)
    return {f: a for f, a in found.items() if math.isfinite(a)}
