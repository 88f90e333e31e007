"""The best structures a search has found, of every size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sklearn_eql.sparse.description_length import description_length
from sklearn_eql.sparse.levenberg_marquardt import FitResult

_UNCONVERGED = 1e-5  # relative; so far apart are losses of one function in two ways, after a few steps of the fit


@dataclass
class Archive:
    """The most accurate structures of each size."""

    n_rows: int
    exact: float  # losses below are equal
    per_size: int = 20
    members: dict[int, list[FitResult]] = field(default_factory=dict)
    n_trials: int = 0  # networks fitted so far; each result is numbered by it

    def add(self, results: Iterable[FitResult]) -> None:
        """Keep what is among the best of its size, one entry per structure."""
        touched = set()
        for result in results:
            self.keep(replace(result, trial=self.n_trials))
            self.n_trials += 1
            touched.add(result.structure.size)
        for size in touched & self.members.keys():
            self.members[size] = self._one_per_loss(self.members[size])

    def _one_per_loss(self, shelf: list[FitResult]) -> list[FitResult]:
        """The best of a shelf, one for each loss: equal losses are one function written in several ways."""
        kept: list[FitResult] = []
        for result in sorted(shelf, key=lambda r: (self.level(r), r.structure.n_symbols, r.structure.n_free)):
            if len(kept) == self.per_size:
                break
            if not kept or self.level(result) > self.level(kept[-1]) * (1 + _UNCONVERGED):
                kept.append(result)
        return kept

    def keep(self, result: FitResult) -> None:
        """Take in one finite result with its number, in place of a worse one of the same structure."""
        if not math.isfinite(result.loss):
            return
        shelf = self.members.setdefault(result.structure.size, [])
        same = next((i for i, r in enumerate(shelf) if r.structure.key == result.structure.key), None)
        if same is None:
            shelf.append(result)
        elif result.loss < shelf[same].loss:
            shelf[same] = result

    def level(self, result: FitResult) -> float:
        """Loss, not less than that of an exact law."""
        return max(result.loss, self.exact)

    def score(self, result: FitResult) -> float:
        """Description length of a member."""
        return description_length(self.level(result), self.n_rows, result.structure.n_free, result.structure.n_symbols)

    def ranked(self) -> list[FitResult]:
        """All members by score."""
        return sorted((r for shelf in self.members.values() for r in shelf), key=self.score)

    def merge(self, other: Archive) -> None:
        """Take over the members of another archive, with their numbers."""
        for shelf in other.members.values():
            for result in shelf:
                self.keep(result)

    def front(self) -> list[FitResult]:
        """Members that are more accurate than everything smaller, by size."""
        kept: list[FitResult] = []
        for size in sorted(self.members):
            best = min(self.members[size], key=lambda r: r.loss)
            if not kept or self.level(best) < self.level(kept[-1]):
                kept.append(best)
        return kept
