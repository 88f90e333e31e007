"""Units under construction: linear forms as dictionaries, equal units stored once, an order that depends on meaning.

Networks number their units by position, so one law arrives in many numberings. Here a unit is identified by what it
computes, and ordered by depth, name, the features it sees and its structure, whatever the position it came from.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.equation import Affine, Equation, Unit

Form = dict[int, float]
"""A linear form under construction: source -> non-zero coefficient."""


class OutOfRangeError(ArithmeticError):
    """A coefficient would overflow or underflow float64."""


@dataclass(frozen=True)
class _Node:
    """A unit with what is needed to order and recognise it."""

    unit: Unit
    order: tuple  # (depth, name, features seen, structure, coefficients, value)
    structure: str  # digest of everything but the free coefficients
    value: str  # digest of everything, coefficients to 14 digits


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def is_builtin(name: str, primitives: Mapping[str, Primitive]) -> bool:
    """Whether `name` is known and means what this package means by it, and not a user's function of that name."""
    return name in PRIMITIVES and primitives.get(name) == PRIMITIVES[name]


def is_constant(form: Form | Affine) -> bool:
    """Whether a form has no source but the constant."""
    return all(source == 0 for source in dict(form))


def gauge_position(unit: Unit, slot: int, primitives: Mapping[str, Primitive]) -> int | None:
    """Position in ``unit.args[slot]`` of the coefficient whose magnitude the consumers can carry instead.

    That is the first non-constant coefficient, or the only one; None where every coefficient is a parameter of its own
    (see `Primitive.frees_scale`).
    """
    form = unit.args[slot]
    if primitives[unit.primitive].joint_degree is not None:
        first = next((i for i, arg in enumerate(unit.args) if not is_constant(arg)), None)
        return next(i for i, (source, _) in enumerate(form) if source != 0) if slot == first else None
    others_constant = all(is_constant(arg) for arg in unit.args[:slot] + unit.args[slot + 1 :])
    if not form or not primitives[unit.primitive].frees_scale(slot, others_constant):
        return None
    return next((i for i, (source, _) in enumerate(form) if source != 0), 0)


class Graph:
    """Units of one equation, each stored once; sources are numbered as in `Equation`, in order of creation."""

    def __init__(self, n_features: int, primitives: Mapping[str, Primitive]) -> None:
        self.n_features = n_features
        self.primitives = primitives
        self._nodes: list[_Node] = []
        self._known: dict[str, int] = {}

    def unit(self, source: int) -> Unit | None:
        """The unit behind a source, None for the constant and the features."""
        return self._nodes[source - self.n_features - 1].unit if source > self.n_features else None

    def order(self, source: int) -> tuple:
        """Sort key of a source: the constant, features, then units."""
        if source <= self.n_features:
            return (0, "", (source,))
        return self._nodes[source - self.n_features - 1].order

    def leading(self, form: Form) -> int:
        """The source whose coefficient fixes the scale of `form`: the first that is not the constant, if any."""
        return min((s for s in form if s != 0), key=self.order, default=0)

    def add(self, name: str, args: list[Form]) -> int:
        """Source of the unit ``name(*args)``, an existing one where it computes the same."""
        unit = Unit(name, tuple(self._affine(form) for form in args))
        digests = [self._digests(form, gauge_position(unit, i, self.primitives)) for i, form in enumerate(unit.args)]
        structure = _digest(f"{name}|{[d[0] for d in digests]}")
        value = _digest(f"{name}|{[d[1] for d in digests]}")
        if value not in self._known:
            sources = sorted({source for form in unit.args for source, _ in form})
            depth = 1 + max((self.order(s)[0] for s in sources), default=0)
            seen = tuple(sorted({f for s in sources if s != 0 for f in self.order(s)[2]}))
            coefficients = tuple(c for form in unit.args for _, c in form)
            order = (depth, name, seen, structure, coefficients, value)
            self._known[value] = self.n_features + 1 + len(self._nodes)
            self._nodes.append(_Node(unit, order, structure, value))
        return self._known[value]

    def equation(self, output: Form) -> Equation:
        """The equation with that output: live units only, in order."""
        live: set[int] = set()
        stack = [s for s in output if s > self.n_features]
        while stack:
            source = stack.pop()
            if source not in live:
                live.add(source)
                stack += [s for form in self.unit(source).args for s, _ in form if s > self.n_features]
        number = {s: s for s in range(self.n_features + 1)}
        for new, source in enumerate(sorted(live, key=self.order), start=self.n_features + 1):
            number[source] = new

        def renumber(form: Affine) -> Affine:
            return tuple(sorted((number[s], c) for s, c in form))

        ordered = sorted(live, key=number.__getitem__)
        units = tuple(Unit(u.primitive, tuple(map(renumber, u.args))) for u in map(self.unit, ordered))
        return Equation(self.n_features, units, renumber(self._affine(output)))

    def structure(self, output: Form) -> str:
        """Digest of the equation with that output, without the values of its free coefficients."""
        return _digest(str(self._digests(self._affine(output), None)[0]))

    def _affine(self, form: Form) -> Affine:
        return tuple((s, form[s]) for s in sorted(form, key=self.order))

    def _digests(self, form: Affine, gauge: int | None) -> tuple[list[str], list[str]]:
        structure, value = [], []
        for i, (source, c) in enumerate(form):
            node = self._nodes[source - self.n_features - 1] if source > self.n_features else None
            mark = f"{c:+.0f}" if i == gauge and abs(c) == 1 else "free"
            structure.append(f"{node.structure if node else source}:{mark}")
            value.append(f"{node.value if node else source}:{c:.13e}")
        # Sorted: units that differ in coefficients only have no order as far as structure goes.
        return sorted(structure), value


def scaled(form: Form, factor: float) -> Form:
    """``factor * form``."""
    return {s: _checked(c * factor) for s, c in form.items()} if factor != 0 else {}


def added(a: Form, b: Form) -> Form:
    """``a + b``, without the terms that cancel."""
    total = {s: a.get(s, 0.0) + b.get(s, 0.0) for s in a | b}
    return {s: _checked(c) for s, c in total.items() if c != 0}


def _checked(c: float) -> float:
    if not math.isfinite(c) or abs(c) < sys.float_info.min:
        raise OutOfRangeError(f"coefficient {c!r} is out of the range of float64")
    return c
