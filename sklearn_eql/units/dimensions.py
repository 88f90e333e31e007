"""Dimensions: exponents of base units, as tuples of rational numbers, and those of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

Dimension = tuple[Fraction, ...]
"""Exponents of the base units, in the order of `TableUnits.bases`: ``(1, -1)`` for a velocity over ``("m", "s")``."""

_LARGEST_DENOMINATOR = 60  # of exponents that are read as fractions


@dataclass(frozen=True)
class TableUnits:
    """What the columns of a table and its target are measured in.

    Scales are no part of it: numbers stay as they were given, in kilometres or in metres.

    Parameters
    ----------
    bases : tuple of str
        Names of the base units.
    features : tuple of Dimension
    target : Dimension or None
        None where it is not known.
    dimensionless_constants : bool
        Whether constants are numbers without units. Else each that is fitted may have any unit.
    """

    bases: tuple[str, ...]
    features: tuple[Dimension, ...]
    target: Dimension | None
    dimensionless_constants: bool = False

    def of_columns(self, columns: Sequence[int]) -> TableUnits:
        """Those of some of the columns."""
        return TableUnits(
            self.bases, tuple(self.features[column] for column in columns), self.target, self.dimensionless_constants
        )


def as_fraction(exponent: float) -> Fraction:
    """An exponent as a rational number: the nearest with a small denominator, where that is it to rounding."""
    near = Fraction(exponent).limit_denominator(_LARGEST_DENOMINATOR)
    return near if abs(near - Fraction(exponent)) < 1e-9 else Fraction(exponent)


def aligned(
    features: Sequence[Mapping[str, Fraction]],
    target: Mapping[str, Fraction] | None,
    dimensionless_constants: bool = False,
) -> TableUnits:
    """Units that were read as exponents by name, over the base units that occur."""
    read = [*features, *([] if target is None else [target])]
    bases = tuple(dict.fromkeys(name for exponents in read for name, value in exponents.items() if value))

    def dimension(exponents: Mapping[str, Fraction]) -> Dimension:
        return tuple(exponents.get(base, Fraction(0)) for base in bases)

    known = None if target is None else dimension(target)
    return TableUnits(bases, tuple(map(dimension, features)), known, dimensionless_constants)


def written(dimension: Dimension, bases: Sequence[str]) -> str:
    """A dimension as text, such as ``"kg*m**2/s**2"``; ``""`` for a number without unit."""
    above = [_power(base, e) for base, e in zip(bases, dimension, strict=True) if e > 0]
    below = [_power(base, -e) for base, e in zip(bases, dimension, strict=True) if e < 0]
    text = "*".join(above) or ("1" if below else "")
    return text + "".join(f"/{part}" for part in below)


def _power(base: str, exponent: Fraction) -> str:
    if exponent == 1:
        return base
    return f"{base}**{exponent}" if exponent.denominator == 1 else f"{base}**({exponent})"
