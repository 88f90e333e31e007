"""The best structures a search has found, of every size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.admission import Admission, n_symbols
from sklearn_eql.sparse.behaviour import Behaviour
from sklearn_eql.sparse.description_length import description_length
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem

_UNCONVERGED = 1e-5  # relative; so far apart are losses of one function in two ways, after a few steps of the fit


@dataclass
class Archive:
    """The most accurate structures of each size."""

    n_rows: int
    exact: float  # losses below are equal
    per_size: int = 20
    members: dict[int, list[FitResult]] = field(default_factory=dict)
    n_trials: int = 0  # networks fitted so far; each result is numbered by it
    admission: Admission | None = None  # whose prices are charged
    behaviour: Behaviour | None = None  # laws that do not behave are behind all that do
    primitives: Mapping[str, Primitive] | None = None  # to tell which behave
    bent: set[tuple] = field(default_factory=set)  # keys of laws that were bent, or could not be

    @classmethod
    def of(cls, problem: Problem) -> Archive:
        """An empty archive for the laws of a problem."""
        return cls(
            len(problem.y),
            problem.exact,
            admission=problem.admission,
            behaviour=problem.behaviour,
            primitives=None if problem.behaviour is None else problem.primitives,
        )

    def add(self, results: Iterable[FitResult]) -> None:
        """Keep what is among the best of its size, one entry per structure."""
        touched = set()
        worst = {  # of full shelves: what is worse has no place there
            size: max(map(self.level, shelf))
            for size, shelf in self.members.items()
            if len(shelf) >= self.per_size and all(map(self.behaves, shelf))
        }
        for result in results:
            size = result.form.size
            if result.loss < math.inf and self.level(result) <= worst.get(size, math.inf):
                self.keep(replace(result, trial=self.n_trials))
                touched.add(size)
            self.n_trials += 1
        for size in touched:
            self.members[size] = self._one_per_loss(self.members[size])

    def _one_per_loss(self, shelf: list[FitResult]) -> list[FitResult]:
        """The best of a shelf, one for each loss: equal losses are one function written in several ways."""
        kept: list[FitResult] = []
        for behaving in (True, False) if self.behaviour else (True,):
            bound = -math.inf  # of the levels that equal the last one
            rivals = [r for r in shelf if self.behaves(r) == behaving]
            for result in sorted(rivals, key=lambda r: (self.level(r), r.form.n_symbols, r.form.n_free)):
                if len(kept) == self.per_size:
                    break
                if (level := self.level(result)) > bound:
                    kept.append(result)
                    bound = level * (1 + _UNCONVERGED)
        return kept

    def behaves(self, result: FitResult) -> bool:
        """Whether a member behaves as a law must."""
        return not result.excess

    def keep(self, result: FitResult) -> None:
        """Take in one finite result with its number, in place of a worse one of the same structure."""
        if not math.isfinite(result.loss):
            return
        if self.behaviour is not None and result.excess is None:
            result = replace(result, excess=self.behaviour.excess(result.structure, self.primitives))
        shelf = self.members.setdefault(result.form.size, [])
        key = result.form.key
        for i, other in enumerate(shelf):
            if other.form.key == key:
                if (not self.behaves(result), result.loss) < (not self.behaves(other), other.loss):
                    shelf[i] = result
                return
        shelf.append(result)

    def level(self, result: FitResult) -> float:
        """Loss, not less than that of an exact law."""
        return max(result.loss, self.exact)

    def score(self, result: FitResult) -> float:
        """Description length of a member."""
        symbols = n_symbols(result.form, self.admission)
        return description_length(self.level(result), self.n_rows, result.form.n_free, symbols)

    def ranked(self) -> list[FitResult]:
        """All members by score, those that do not behave last."""
        members = (r for shelf in self.members.values() for r in shelf)
        return sorted(members, key=lambda r: (not self.behaves(r), self.score(r)))

    def merge(self, other: Archive) -> None:
        """Take over the members of another archive, with their numbers."""
        for shelf in other.members.values():
            for result in shelf:
                self.keep(result)

    def front(self) -> list[FitResult]:
        """Members that are more accurate than everything smaller, by size; those that behave, if there are any."""
        kept: list[FitResult] = []
        behaving = {size: [r for r in shelf if self.behaves(r)] for size, shelf in self.members.items()}
        shelves = behaving if any(behaving.values()) else self.members
        for size in sorted(size for size, shelf in shelves.items() if shelf):
            best = min(shelves[size], key=lambda r: r.loss)
            if not kept or self.level(best) < self.level(kept[-1]):
                kept.append(best)
        return kept
