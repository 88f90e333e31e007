"""One law in the user's units, and the front of laws that a table shows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import pairwise

from sklearn_eql.sparse.description_length import description_length
from sklearn_eql.symbolic.equation import Equation, Unit

SAME_LOSS = 1e-9  # relative; closer losses, of coefficients fitted to convergence, are one law written in two ways


@dataclass(frozen=True)
class Law:
    """One equation in the user's units."""

    equation: Equation
    loss: float  # weighted mean squared error over all rows, in units of y squared
    relative_loss: float  # the same over the variance of y
    exact: float  # relative loss below which a law is exact
    complexity: int
    n_free: int  # coefficients that are no recognised constants
    n_symbols: int  # see Structure.n_symbols
    trial: int

    @property
    def level(self) -> float:
        """Relative loss, not less than that of an exact law."""
        return max(self.relative_loss, self.exact)

    def description_length(self, n_rows: int) -> float:
        """See :mod:`sklearn_eql.sparse.description_length`; with the unbiased variance of the residuals.

        Few rows make a law with many coefficients look better than it is: the mean of squared residuals is too small
        by ``(N - n_free) / N``.
        """
        unbiased = self.level * n_rows / max(n_rows - self.n_free, 1)
        return description_length(unbiased, n_rows, self.n_free, self.n_symbols)


def shortlist(laws: Iterable[Law], n_rows: int) -> list[Law]:
    """The front of accuracy and complexity, and the law of shortest description, by complexity.

    The latter may be off the front: two digits of a free coefficient count as one node, and buy accuracy.
    """
    laws = list(laws)
    front = pareto(laws)
    best = min(laws, key=lambda law: law.description_length(n_rows), default=None)
    if best is not None and best not in front:
        front = sorted([*front, best], key=lambda law: (law.complexity, law.relative_loss))
    return front


def pareto(laws: Iterable[Law]) -> list[Law]:
    """Laws that are more accurate than everything simpler, by complexity."""
    front: list[Law] = []
    for law in sorted(laws, key=lambda law: (law.complexity, law.relative_loss, law.n_free)):
        if not front or law.level < front[-1].level * (1 - SAME_LOSS):
            front.append(law)
    return front


def scores(front: list[Law]) -> list[float]:
    """Fall of the log loss per added node, row by row; 0 for the first (the measure that PySR prints).

    Rows of the same complexity, of which one is off the front, count as one node apart.
    """
    found = [0.0]
    for simpler, law in pairwise(front):
        fall = math.log(simpler.level) - math.log(law.level)
        found.append(fall / max(1, law.complexity - simpler.complexity))
    return found[: len(front)]


def law_from_record(record: dict) -> Law:
    """A law from its record of plain values."""

    def affine(form) -> tuple[tuple[int, float], ...]:
        return tuple((int(source), float(c)) for source, c in form)

    equation = record["equation"]
    units = tuple(Unit(u["primitive"], tuple(map(affine, u["args"]))) for u in equation["units"])
    # Numbers that the version of the record did not have yet are zero; those that this one does not know are left out.
    numbers = {field.name: record.get(field.name, 0) for field in fields(Law)}
    return Law(**{**numbers, "equation": Equation(equation["n_features"], units, affine(equation["output"]))})
