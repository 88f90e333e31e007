"""Linear algebra over rational numbers: what is in a span, and null spaces, without rounding."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction

Vector = tuple[Fraction, ...]


def rank(vectors: Sequence[Vector]) -> int:
    """Dimension of the space that the vectors span."""
    return len(_reduced([list(v) for v in vectors])[1])


def is_in_span(vector: Vector, vectors: Sequence[Vector]) -> bool:
    """Whether a vector is a linear combination of others."""
    return rank([*vectors, vector]) == rank(vectors)


def solution(vectors: Sequence[Vector], target: Vector) -> list[Fraction] | None:
    """Coefficients ``c`` with ``sum(c * vectors) == target``, zero where they are free; None if there are none."""
    n = len(vectors)
    rows = [[v[i] for v in vectors] + [target[i]] for i in range(len(target))]
    reduced, pivots = _reduced(rows)
    if n in pivots:
        return None
    found = [Fraction(0)] * n
    for row, pivot in zip(reduced, pivots, strict=False):
        found[pivot] = row[n]
    return found


def null_vector(vectors: Sequence[Vector]) -> list[Fraction] | None:
    """The one linear relation ``sum(c * vectors) == 0`` with all coefficients non-zero; None if it is not that way."""
    n = len(vectors)
    rows = [[v[i] for v in vectors] for i in range(len(vectors[0]))] if vectors else []
    reduced, pivots = _reduced(rows)
    if len(pivots) != n - 1:
        return None
    [free] = set(range(n)) - set(pivots)
    found = [Fraction(0)] * n
    found[free] = Fraction(1)
    for row, pivot in zip(reduced, pivots, strict=False):
        found[pivot] = -row[free]
    return found if all(found) else None


class LinearSystem:
    """Equations between unknown vectors, taken in one by one: ``sum(c * unknown) == right``.

    Parameters
    ----------
    n : int
        Length of the vectors.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._rows: dict[Hashable, tuple[dict[Hashable, Fraction], Vector]] = {}  # by the unknown that it is solved for

    def add(self, row: Mapping[Hashable, Fraction], right: Vector) -> bool:
        """Take in an equation, unless it contradicts those that are there; whether it fits."""
        row, right = self._without_known(dict(row), right)
        if not row:
            return not any(right)
        pivot, factor = next(iter(row.items()))
        row = {name: c / factor for name, c in row.items()}
        right = tuple(value / factor for value in right)
        for name, (other, other_right) in list(self._rows.items()):
            if pivot in other:
                self._rows[name] = _minus(other, other_right, other[pivot], row, right)
        self._rows[pivot] = (row, right)
        return True

    def value(self, unknown: Hashable) -> Vector | None:
        """What an unknown must be; None where that is open."""
        row, right = self._without_known({unknown: Fraction(1)}, (Fraction(0),) * self._n)
        return None if row else tuple(-value for value in right)

    def _without_known(self, row: dict[Hashable, Fraction], right: Vector) -> tuple[dict[Hashable, Fraction], Vector]:
        for name in [name for name in row if name in self._rows]:
            row, right = _minus(row, right, row[name], *self._rows[name])
        return row, right


def _minus(
    row: Mapping[Hashable, Fraction], right: Vector, factor: Fraction, other: Mapping[Hashable, Fraction], less: Vector
) -> tuple[dict[Hashable, Fraction], Vector]:
    """An equation less a multiple of another."""
    found = {name: row.get(name, Fraction(0)) - factor * other.get(name, Fraction(0)) for name in {**row, **other}}
    left = tuple(a - factor * b for a, b in zip(right, less, strict=True))
    return {name: c for name, c in found.items() if c}, left


def _reduced(rows: list[list[Fraction]]) -> tuple[list[list[Fraction]], list[int]]:
    """Reduced row echelon form, and the columns of the pivots."""
    rows, pivots = [list(row) for row in rows], list[int]()
    for column in range(len(rows[0]) if rows else 0):
        top = len(pivots)
        found = next((i for i in range(top, len(rows)) if rows[i][column]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        pivot = rows[top][column]
        rows[top] = [value / pivot for value in rows[top]]
        for i, row in enumerate(rows):
            if i != top and row[column]:
                factor = row[column]
                rows[i] = [a - factor * b for a, b in zip(row, rows[top], strict=True)]
        pivots.append(column)
    return rows, pivots
