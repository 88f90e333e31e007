"""Constraints on the form of a law, as the searches ask for them: structure by structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sklearn_eql.sparse.structure import Structure


@dataclass(frozen=True)
class FormAdmission:
    """Which structures have the form that is asked for, and what their functions cost."""

    required: frozenset[int]  # features, as sources
    excluded: frozenset[int]
    apart: tuple[frozenset[str], ...]  # sets of functions none of which is inside another of its set
    prices: tuple[tuple[str, float], ...]  # symbols for every occurrence of a function

    def admits(self, structure: Structure) -> bool:
        """Whether a structure has the form."""
        first = 1 + structure.n_features
        if self.required or self.excluded:
            used = {s for form in structure.forms() for s, _, _ in form if 0 < s < first}
            if used & self.excluded or not self.required <= used:
                return False
        return not self.apart or not any(_is_nested(structure, names) for names in self.apart)

    def price(self, structure: Structure) -> float:
        """Symbols that its functions cost."""
        if not self.prices:
            return 0.0
        prices: Mapping[str, float] = dict(self.prices)
        return sum(prices.get(name, 0.0) for name in functions_of(structure) if name is not None)


def functions_of(structure: Structure) -> list[str | None]:
    """What each unit is for a reader: its function; None for the logarithms of a product of powers.

    A search has ``x**a * z**b`` as ``exp(a*log(x) + b*log(z))``, which is "pow" here.
    """
    first = 1 + structure.n_features
    read_otherwise = {s for s, _, _ in structure.output}  # than by an exponential
    for unit in structure.units:
        if unit.primitive != "exp":
            read_otherwise.update(s for arg in unit.args for s, _, _ in arg)
    names: list[str | None] = []
    for u, (unit, depth) in enumerate(zip(structure.units, structure.depths, strict=True)):
        if depth == 0:
            is_read = any(first + u == s for other in structure.units for arg in other.args for s, _, _ in arg)
            names.append(None if is_read and first + u not in read_otherwise else "log")
        elif unit.primitive == "exp" and unit.args[0] and all(_is_logarithm(structure, s) for s, _, _ in unit.args[0]):
            names.append("pow")
        else:
            names.append(unit.primitive)
    return names


def _is_logarithm(structure: Structure, source: int) -> bool:
    """Whether a source is the logarithm of a feature."""
    place = source - 1 - structure.n_features
    return place >= 0 and structure.depths[place] == 0


def _is_nested(structure: Structure, names: frozenset[str]) -> bool:
    """Whether one of these functions is inside another."""
    first = 1 + structure.n_features
    holds: list[bool] = []  # per unit: is one of them in it, itself included?
    for unit, name in zip(structure.units, functions_of(structure), strict=True):
        below = any(holds[s - first] for arg in unit.args for s, _, _ in arg if s >= first)
        if below and name in names:
            return True
        holds.append(below or name in names)
    return False
