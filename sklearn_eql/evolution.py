"""Structure search: generations of sparse networks, each fitted exactly, the best of every size kept.

One generation is one batch: proposals are drawn, Levenberg-Marquardt fits all of them at once, and the archive keeps
the most accurate structures of each size. Because every structure is judged at its optimal coefficients, a few thousand
fits replace the hundreds of thousands of evaluations that genetic programming spends on guessing constants.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.proposals import Proposer
from sklearn_eql.sparse import SparseUnit, Structure
from sklearn_eql.training.refine import FitResult, levenberg_marquardt

EXACT = 1e-20  # relative mean squared error of a law without noise, in float64


@dataclass(frozen=True)
class Problem:
    """Scaled rows of one regression problem, as the search sees them."""

    X: torch.Tensor  # (N, n_features), float64, columns of unit root mean square
    y: torch.Tensor  # (N,), float64, unit variance
    sample_weight: torch.Tensor | None  # (N,), mean 1
    signs: tuple[int, ...]  # per feature: +1 all positive, -1 all negative, 0 mixed (over all rows, not only these)
    primitives: Mapping[str, Primitive]
    copies: Mapping[str, int]  # functions that may be used, and copies per layer
    max_depth: int

    def fit(self, structures: list[Structure], max_iter: int) -> list[FitResult]:
        """Levenberg-Marquardt on all structures."""
        if not structures:
            return []
        return levenberg_marquardt(
            structures, self.primitives, self.X, self.y, self.sample_weight, max_iter=max_iter, floor=EXACT / 100
        )


@dataclass(frozen=True)
class EvolutionSettings:
    """How long and how widely to search."""

    population_size: int = 256
    n_generations: int = 40
    patience: int = 10  # generations without progress after which the search ends
    max_size: int = 24  # terms plus units
    fit_iterations: int = 10
    parsimony: float = 1.0  # penalty per unit of size, in units of log(N)


@dataclass
class Archive:
    """The most accurate structures of each size."""

    n_rows: int
    parsimony: float
    per_size: int = 12
    members: dict[int, list[FitResult]] = field(default_factory=dict)

    def add(self, results: Iterable[FitResult]) -> None:
        """Keep what is among the best of its size, one entry per structure."""
        touched = set()
        for result in results:
            if not math.isfinite(result.loss):
                continue
            shelf = self.members.setdefault(result.structure.size, [])
            if len(shelf) >= 4 * self.per_size and result.loss >= shelf[-1].loss:
                continue
            touched.add(result.structure.size)
            same = next((i for i, r in enumerate(shelf) if r.structure.key == result.structure.key), None)
            if same is None:
                shelf.append(result)
            elif result.loss < shelf[same].loss:
                shelf[same] = result
        for size in touched:
            self.members[size] = sorted(self.members[size], key=lambda r: r.loss)[: self.per_size]

    def score(self, result: FitResult) -> float:
        """Information criterion: ``N log(loss) + parsimony * log(N) * size``; the lower the better.

        The loss is floored at the level of an exact law, so that among exact laws only the size counts.
        """
        loss = max(result.loss, EXACT)
        return self.n_rows * math.log(loss) + self.parsimony * math.log(self.n_rows) * result.structure.size

    def ranked(self) -> list[FitResult]:
        """All members by score."""
        return sorted((r for shelf in self.members.values() for r in shelf), key=self.score)

    def front(self) -> list[FitResult]:
        """Members that are more accurate than everything smaller."""
        kept: list[FitResult] = []
        for size in sorted(self.members):
            best = self.members[size][0] if self.members[size] else None
            if best and (not kept or max(best.loss, EXACT) < max(kept[-1].loss, EXACT)):
                kept.append(best)
        return kept


@dataclass(frozen=True)
class EvolutionResult:
    """What a search ended with."""

    archive: Archive
    n_generations: int
    stop_reason: str  # "exact", "patience", "generations", "max_time"
    loss_curve: tuple[float, ...]  # best relative loss after each generation


def evolve(
    problem: Problem,
    proposer: Proposer,
    settings: EvolutionSettings,
    *,
    seeds: Iterable[Structure] = (),
    deadline: float = math.inf,
    report: Callable[[int, FitResult], None] | None = None,
) -> EvolutionResult:
    """Search until an exact law is confirmed, progress ends, or time is up.

    Parameters
    ----------
    problem, proposer, settings : Problem, Proposer, EvolutionSettings
    seeds : iterable of Structure
        Structures to start from beside random ones, for instance pruned gradient-trained networks.
    deadline : float
        ``time.monotonic()`` value after which no generation starts.
    report : callable, optional
        Called with the generation's number and the best member so far.
    """
    rng = proposer.rng
    archive = Archive(len(problem.y), settings.parsimony)
    archive.add(problem.fit([proposer.linear(), *seeds], settings.fit_iterations))
    starts: dict[tuple, int] = {}
    curve: list[float] = []
    best_score, best_at, reason = math.inf, 0, "generations"
    generation = 0
    while generation < settings.n_generations:
        leader = archive.ranked()[0] if archive.members else None
        if leader and leader.loss < EXACT and is_well_conditioned(leader.structure, problem):
            reason = "exact"
            break
        if leader and generation - best_at >= settings.patience:
            reason = "patience"
            break
        if time.monotonic() > deadline:
            reason = "max_time"
            break
        batch = _propose(archive, proposer, settings, starts, rng)
        archive.add(problem.fit(batch, settings.fit_iterations))
        generation += 1
        if not archive.members:
            continue
        leader = archive.ranked()[0]
        curve.append(leader.loss)
        if archive.score(leader) < best_score - 1.0:
            best_score, best_at = archive.score(leader), generation
        if report:
            report(generation, leader)
    simplify(archive, problem, settings, deadline)
    return EvolutionResult(archive, generation, reason, tuple(curve))


def _propose(
    archive: Archive, proposer: Proposer, settings: EvolutionSettings, starts: dict[tuple, int], rng: np.random.Generator
) -> list[Structure]:
    """A batch of structures: random ones, and edits of members drawn by score or by size."""
    ranked = archive.ranked()
    sizes = sorted(s for s, shelf in archive.members.items() if shelf)
    batch: list[Structure] = []
    for _ in range(8 * settings.population_size):
        if len(batch) >= settings.population_size:
            break
        if not ranked or rng.random() < 0.25:
            structure = proposer.random(int(rng.integers(1, 4)))
        else:
            if rng.random() < 0.5:
                parent = ranked[min(int(rng.exponential(12)), len(ranked) - 1)]
            else:
                shelf = archive.members[sizes[rng.integers(len(sizes))]]
                parent = shelf[min(int(rng.exponential(2)), len(shelf) - 1)]
            mate = ranked[min(int(rng.exponential(20)), len(ranked) - 1)]
            structure = proposer.mutate(parent.structure, mate.structure)
        if structure is None or structure.size > settings.max_size or starts.get(structure.key, 0) >= 3:
            continue
        starts[structure.key] = starts.get(structure.key, 0) + 1  # the same structure from at most three start values
        batch.append(structure)
    return batch


def simplify(archive: Archive, problem: Problem, settings: EvolutionSettings, deadline: float, width: int = 6) -> None:
    """Backward elimination from the best members: fit every structure with one term less, again and again.

    Adds what it finds to the archive. Each round is one batch.
    """
    done: set[tuple] = set()
    for _ in range(settings.max_size):
        parents = [r for r in archive.ranked()[:width] if r.structure.key not in done]
        if not parents or time.monotonic() > deadline:
            return
        children: dict[tuple, Structure] = {}
        for parent in parents:
            done.add(parent.structure.key)
            for child in smaller(parent.structure):
                children.setdefault(child.key, child)
        archive.add(problem.fit(list(children.values()), 2 * settings.fit_iterations))


def smaller(structure: Structure) -> list[Structure]:
    """Every structure that is left when one free term is removed, with units that nothing reads removed too."""
    found = []
    forms = structure.forms()
    for f, form in enumerate(forms):
        for i, (_, _, free) in enumerate(form):
            if free and (len(form) > 1):
                kept = [list(g) for g in forms]
                del kept[f][i]
                found.append(_rebuild(structure, kept))
    return found


def _rebuild(structure: Structure, forms: list[list]) -> Structure:
    """Structure with the given forms in place of its own, dead units dropped."""
    stream = iter(forms)
    args = [[tuple(next(stream)) for _ in unit.args] for unit in structure.units]
    output = tuple(next(stream))
    first = 1 + structure.n_features
    alive = {s for s, _, _ in output}
    for u in range(len(structure.units) - 1, -1, -1):
        if first + u in alive:
            alive |= {s for arg in args[u] for s, _, _ in arg}
    kept = [u for u in range(len(structure.units)) if first + u in alive]
    number = {first + u: first + i for i, u in enumerate(kept)}

    def renumber(form):
        return tuple((number.get(s, s), c, free) for s, c, free in form)

    units = tuple(SparseUnit(structure.units[u].primitive, tuple(map(renumber, args[u]))) for u in kept)
    return Structure(structure.n_features, units, renumber(output))


def is_well_conditioned(structure: Structure, problem: Problem, limit: float = 1e4) -> bool:
    """Whether the output is not a small difference of large terms.

    ``(sin(w*x) - w*x) / w**3`` approaches ``x**3`` as w falls: an exact fit, but not a law.
    """
    equation = structure.to_equation()
    total = np.zeros(len(problem.y))
    values = equation.sources(problem.X, problem.primitives)
    for source, coefficient in equation.output:
        total += np.abs(coefficient * values[source])
    return bool(np.sqrt(np.mean(total**2)) < limit)
