"""Laws in natural units: as many features as units allow are ones, as physicists put the speed of light to one.

What is left of a law says all that the units do not: its monomials are named by one column each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, islice

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, free_mask
from sklearn_eql.symbolic.equation import Affine, Equation
from sklearn_eql.units.dimensions import TableUnits
from sklearn_eql.units.linear_algebra import rank

_MOST_SYSTEMS = 40  # of natural units that are tried
_MOST_DIGITS = 10.0  # that a coefficient costs more
_FUNCTIONS, _SOURCES = math.log(13), math.log(4)  # what the price of a symbol stands for: the choice of one of so many


@dataclass(frozen=True)
class PriceInGroups:
    """An admission of everything, at the price that laws between columns without units have as laws of the target.

    A symbol costs less where there are few columns to choose from. A coefficient costs the digits that the rows tell of
    it, which are those of the target: the divided one may vary less, and its loss, relative to that, be larger.
    """

    n_columns: int
    ratio: float  # of the loss, relative to the variance of the target, to that relative to the divided one

    def admits(self, structure: Structure) -> bool:
        """Always."""
        return True

    def price(self, structure: Structure) -> float:
        """Symbols that are taken off or added."""
        digits = min(max(-math.log(self.ratio), 0.0), _MOST_DIGITS) * structure.n_free / NATS_PER_SYMBOL
        return (share_of_price(self.n_columns) - 1) * structure.n_symbols + digits


def share_of_price(n_columns: int) -> float:
    """Of a symbol among `n_columns` columns, as a share of that among the usual number; one where there are more."""
    choice = math.log(1 + n_columns)
    return min(1.0, (_FUNCTIONS + choice) / (_FUNCTIONS + _SOURCES))


def n_symbols(law: Equation, units: TableUnits, primitives: Mapping[str, Primitive]) -> float:
    """Symbols of a law in the natural units in which it is shortest, at the price of the columns that are left."""
    fewest = math.inf
    for system in islice(_systems(units), _MOST_SYSTEMS):
        short = _with_ones(law, set(system), primitives)
        fewest = min(fewest, Structure.from_equation(short, free_mask(short, primitives)).n_symbols)
    return fewest * share_of_price(len(units.features) - rank(units.features))


def _systems(units: TableUnits) -> Iterator[tuple[int, ...]]:
    """Sets of columns whose dimensions are independent and span all others."""
    size = rank(units.features)
    for columns in combinations(range(len(units.features)), size):
        if rank([units.features[c] for c in columns]) == size:
            yield columns


def _with_ones(law: Equation, columns: set[int], primitives: Mapping[str, Primitive]) -> Equation:
    """The law with ones in place of some columns, canonical."""

    def put(form: Affine) -> Affine:
        total: dict[int, float] = {}
        for source, c in form:
            new = 0 if source - 1 in columns else source
            total[new] = total.get(new, 0.0) + c
        return tuple(sorted(total.items()))

    units = tuple(replace(unit, args=tuple(map(put, unit.args))) for unit in law.units)
    return canonicalize(replace(law, units=units, output=put(law.output)), primitives)
