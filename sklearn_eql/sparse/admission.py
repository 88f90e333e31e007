"""Which structures may be laws at all, and which cost more: what a user knows of the form, as the searches see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sklearn_eql.sparse.structure import Structure


class Admission(Protocol):
    """What a search asks of every structure before it is fitted.

    Both answers depend on the structure and its fixed coefficients (`Structure.key`), not on the values of free ones.
    They pickle, because islands run in processes of their own.
    """

    def admits(self, structure: Structure) -> bool:
        """Whether a structure may be a law."""

    def price(self, structure: Structure) -> float:
        """Symbols that a structure costs more than it has, see `Structure.n_symbols`."""


@dataclass(frozen=True)
class AllOf:
    """Several admissions: a law is one that each admits, and pays what all ask for."""

    parts: tuple[Admission, ...]

    def admits(self, structure: Structure) -> bool:
        """Whether every part admits a structure."""
        return all(part.admits(structure) for part in self.parts)

    def price(self, structure: Structure) -> float:
        """Sum of the prices."""
        return sum(part.price(structure) for part in self.parts)


def all_of(parts: Iterable[Admission | None]) -> Admission | None:
    """One admission that stands for several, those that are None left out; None where none is left."""
    given = tuple(part for part in parts if part is not None)
    if len(given) < 2:
        return given[0] if given else None
    return AllOf(given)


def admitted(structures: Sequence[Structure], admission: Admission | None) -> list[Structure]:
    """The structures that are admitted, in order; each form is asked for once."""
    if admission is None:
        return list(structures)
    verdicts: dict[tuple, bool] = {}
    kept = []
    for structure in structures:
        if structure.key not in verdicts:
            verdicts[structure.key] = admission.admits(structure)
        if verdicts[structure.key]:
            kept.append(structure)
    return kept


def n_symbols(structure: Structure, admission: Admission | None) -> float:
    """Symbols that a structure is charged for."""
    return structure.n_symbols + (0.0 if admission is None else admission.price(structure))
