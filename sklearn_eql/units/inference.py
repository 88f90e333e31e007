"""Whether a law fits the units of a table: dimensions from the features up, through every unit of a network.

What a source may be measured in is a point, or a point and directions in which it may be moved: those of columns with
a free exponent, and all where it has a free constant with units. The logarithm of a quantity with a unit is a number
only as part of a sum in which the units cancel, or in an exponential: ``exp(a*log(x) + b*log(z))`` is a power law.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.structure import SparseUnit, Structure, Term
from sklearn_eql.units.dimensions import TableUnits

Vector = tuple[float, ...]

_SAME = 1e-9  # difference of exponents that is rounding


@dataclass(frozen=True)
class Reach:
    """Dimensions that a quantity may have: ``point + any combination of directions``; directions are orthonormal."""

    point: Vector
    directions: tuple[Vector, ...] = ()
    logarithm: bool = False  # whether this is what the quantity is, of which the source is the logarithm

    @property
    def is_zero(self) -> bool:
        """Whether it is a number without unit and can be nothing else."""
        return not self.directions and not any(self.point)


class _NoUnits(Exception):
    """The law breaks the units."""


class Inference:
    """Dimensions of structures over the columns of one table.

    Parameters
    ----------
    units : TableUnits
    primitives : mapping of str to Primitive

    Free coefficients are numbers without units, or may each have any (`TableUnits.dimensionless_constants`). Fixed ones
    never have a unit.
    """

    def __init__(self, units: TableUnits, primitives: Mapping[str, Primitive]) -> None:
        self._primitives = primitives
        self._pure = units.dimensionless_constants
        self._n = len(units.bases)
        self._zero = Reach((0.0,) * self._n)
        self._any = Reach((0.0,) * self._n, _axes(self._n))
        self._features = [Reach(tuple(map(float, dimension))) for dimension in units.features]
        self._target = None if units.target is None else Reach(tuple(map(float, units.target)))

    def fits(self, structure: Structure) -> bool:
        """Whether some choice of what is free gives the law the dimension of the target, and sums of equal ones."""
        sources = [self._zero, *self._features]
        try:
            for unit in structure.units:
                sources.append(self._unit(unit, sources))
            found = self._number(structure.output, sources)
            if found is None:
                return False  # zero has any unit, and says nothing
            if self._target is not None:
                _common(found, self._target)
        except _NoUnits:
            return False
        return True

    def _unit(self, unit: SparseUnit, sources: Sequence[Reach]) -> Reach:
        primitive = self._primitives[unit.primitive]
        if primitive.identity == "exponential":
            plain, logarithms, _ = self._form(unit.args[0], sources)
            if plain is not None:
                _common(plain, self._zero)
            return logarithms or self._zero
        if primitive.identity == "logarithm":
            inner = self._number(unit.args[0], sources) or self._any
            return Reach(inner.point, inner.directions, logarithm=True)
        args = [self._number(form, sources) for form in unit.args]
        if primitive.identity == "power":
            return self._power(args, unit.args[1])
        if primitive.joint_degree is not None:
            given = [arg for arg in args if arg is not None]
            return _raised(_all_common(given), primitive.joint_degree) if given else self._zero
        found = self._zero
        for arg, degree in zip(args, primitive.degree, strict=True):
            if arg is None:
                continue
            if degree is None:
                _common(arg, self._zero)
            else:
                found = _product(found, _raised(arg, degree))
        return found

    def _power(self, args: Sequence[Reach | None], exponent: Sequence[Term]) -> Reach:
        base = args[0] or self._any
        if args[1] is not None:
            _common(args[1], self._zero)
        if all(s == 0 for s, _, _ in exponent):
            if any(free for _, _, free in exponent):
                return _freely_raised(base)
            return _raised(base, sum(c for _, c, _ in exponent))
        _common(base, self._zero)
        return self._zero

    def _number(self, form: Sequence[Term], sources: Sequence[Reach]) -> Reach | None:
        """What a linear form is measured in, as it stands; None where it is zero, which has any unit."""
        plain, logarithms, has_constant = self._form(form, sources)
        if logarithms is None:
            return plain
        if not has_constant:  # else it may be the logarithm of the unit
            _common(logarithms, self._zero)
        return self._zero if plain is None else _common(plain, self._zero)

    def _form(self, form: Sequence[Term], sources: Sequence[Reach]) -> tuple[Reach | None, Reach | None, bool]:
        """Of a linear form: its terms; the product of what it has logarithms of; has it a constant with any unit?"""
        plain: Reach | None = None
        logarithms: Reach | None = None
        has_constant = False
        for source, c, free in form:
            if c == 0 and not free:
                continue
            reach = sources[source]
            if reach.logarithm:
                part = _freely_raised(reach) if free else _raised(reach, c)
                logarithms = part if logarithms is None else _product(logarithms, part)
                continue
            if free and not self._pure:
                has_constant |= source == 0
                reach = self._any
            plain = reach if plain is None else _common(plain, reach)
        return plain, logarithms, has_constant


def _axes(n: int) -> tuple[Vector, ...]:
    return tuple(tuple(float(i == k) for i in range(n)) for k in range(n))


def _raised(reach: Reach, exponent: float) -> Reach:
    """Of a power."""
    if exponent == 0:
        return Reach((0.0,) * len(reach.point))
    return Reach(tuple([exponent * value for value in reach.point]), reach.directions)


def _freely_raised(reach: Reach) -> Reach:
    """Of a power with a free exponent."""
    return Reach((0.0,) * len(reach.point), _spanned(reach.directions, (reach.point,)))


def _product(a: Reach, b: Reach) -> Reach:
    point = tuple([x + y for x, y in zip(a.point, b.point, strict=True)])
    return Reach(
        point, _spanned(a.directions, b.directions) if a.directions and b.directions else a.directions or b.directions
    )


def _common(a: Reach, b: Reach) -> Reach:
    """What two quantities that are added, or compared, may both be measured in.

    Where both have directions it is one of the two: too much rather than too little.
    """
    difference = tuple([x - y for x, y in zip(a.point, b.point, strict=True)])
    if a.directions or b.directions:
        difference = _beside(difference, _spanned(a.directions, b.directions))
    if max(map(abs, difference), default=0.0) > _SAME:
        raise _NoUnits
    return a if len(a.directions) <= len(b.directions) else b


def _all_common(reaches: Sequence[Reach]) -> Reach:
    found = reaches[0]
    for reach in reaches[1:]:
        found = _common(found, reach)
    return found


def _spanned(directions: tuple[Vector, ...], more: Sequence[Vector]) -> tuple[Vector, ...]:
    """An orthonormal basis of what directions and further vectors span."""
    for vector in more:
        rest = _beside(vector, directions)
        size = sum([value * value for value in rest]) ** 0.5
        if size > _SAME:
            directions = (*directions, tuple([value / size for value in rest]))
    return directions


def _beside(vector: Vector, directions: Sequence[Vector]) -> Vector:
    """What is left of a vector beside directions."""
    for direction in directions:
        along = sum([x * y for x, y in zip(vector, direction, strict=True)])
        vector = tuple([x - along * y for x, y in zip(vector, direction, strict=True)])
    return vector
