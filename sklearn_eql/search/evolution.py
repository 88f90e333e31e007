"""Structure search: generations of sparse networks, each fitted exactly, the best of every size kept.

One generation is one batch: proposals are drawn, Levenberg-Marquardt fits all of them at once, and the archive keeps
the most accurate structures of each size. Because every structure is judged at its optimal coefficients, a few thousand
fits replace the hundreds of thousands of evaluations that genetic programming spends on guessing constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from sklearn_eql.search.mutations import Proposer
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.bending import bend_leaders
from sklearn_eql.sparse.elimination import simplify
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem, is_exact
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.sparse.two_stages import fit_in_two_stages
from sklearn_eql.stopping import NEVER, Deadline, StopReason


@dataclass(frozen=True)
class EvolutionSettings:
    """How long and how widely to search."""

    population_size: int = 256
    n_generations: int = 40
    patience: int = 12  # generations without progress after which the search ends
    max_size: int = 24  # terms plus units
    first_iterations: int = 4  # of Levenberg-Marquardt, for every proposal
    fit_iterations: int = 8  # further ones, for the better half


@dataclass(frozen=True)
class EvolutionResult:
    """What a search ended with."""

    archive: Archive
    n_generations: int
    stop_reason: StopReason
    loss_curve: tuple[float, ...]  # best relative loss after each generation


def evolve(
    problem: Problem,
    seed: int,
    settings: EvolutionSettings,
    *,
    seeds: Iterable[Structure] = (),
    archive: Archive | None = None,
    deadline: Deadline = NEVER,
    report: Callable[[int, Sequence[FitResult]], None] | None = None,
) -> EvolutionResult:
    """Search until an exact law is confirmed, progress ends, or time is up.

    Parameters
    ----------
    problem : Problem
    seed : int
        Everything random follows from it.
    settings : EvolutionSettings
    seeds : iterable of Structure
        Structures to start from beside random ones, for instance pruned gradient-trained networks.
    archive : Archive, optional
        Of an earlier search of the same problem, to go on from. It is extended.
    deadline : Deadline
        No generation starts after it.
    report : callable, optional
        Called with the generation's number and all members by score.
    """
    rng = Random(seed)
    proposer = Proposer(problem, rng)
    if archive is None:
        archive = Archive.of(problem)
    archive.add(problem.fit([proposer.linear(), *seeds], settings.fit_iterations))
    starts: dict[tuple, int] = {}
    curve: list[float] = []
    best_score, best_at, reason = math.inf, 0, StopReason.GENERATIONS
    generation = 0
    opening = proposer.opening()
    ranked = archive.ranked()
    try:
        while True:
            leader = ranked[0] if ranked else None
            is_law = leader is not None and archive.behaves(leader) and leader.loss < problem.exact
            if is_law and is_exact(leader.structure, problem):
                reason = StopReason.EXACT
                break
            if generation == settings.n_generations:
                break
            if generation - best_at >= settings.patience:
                reason = StopReason.PATIENCE
                break
            if ended := deadline.passed:
                reason = ended
                break
            batch = next(opening, None) or _propose(archive, ranked, proposer, settings, starts, rng)
            archive.add(fit_in_two_stages(batch, problem, settings.first_iterations, settings.fit_iterations))
            generation += 1
            if not archive.members:
                continue
            bend_leaders(archive, problem)
            ranked = archive.ranked()
            leader = ranked[0]
            curve.append(leader.loss)
            if archive.behaves(leader) and archive.score(leader) < best_score - 1.0:
                best_score, best_at = archive.score(leader), generation
            if report:
                report(generation, ranked)
        simplify(archive, problem, settings.max_size, deadline)
    except KeyboardInterrupt:
        if not archive.members:
            raise
        reason = StopReason.INTERRUPTED
    return EvolutionResult(archive, generation, reason, tuple(curve))


def _propose(
    archive: Archive,
    ranked: list[FitResult],
    proposer: Proposer,
    settings: EvolutionSettings,
    starts: dict[tuple, int],
    rng: Random,
) -> list[Structure]:
    """A batch of structures: random ones, and edits of members drawn by score or by size."""
    sizes = sorted(s for s, shelf in archive.members.items() if shelf)
    batch: list[Structure] = []
    for _ in range(8 * settings.population_size):
        if len(batch) >= settings.population_size:
            break
        if not ranked or rng.random() < 0.25:
            structure = proposer.random(rng.randint(1, 3))
        else:
            if rng.random() < 0.5:
                parent = ranked[min(int(rng.expovariate(1 / 12)), len(ranked) - 1)]
            else:
                shelf = archive.members[rng.choice(sizes)]
                parent = shelf[min(int(rng.expovariate(1 / 2)), len(shelf) - 1)]
            mate = ranked[min(int(rng.expovariate(1 / 20)), len(ranked) - 1)]
            structure = proposer.mutate(parent.structure, mate.structure)
        if structure is None or structure.size > settings.max_size:
            continue
        if structure.n_free > proposer.max_free or starts.get(structure.key, 0) >= 3:
            continue
        starts[structure.key] = starts.get(structure.key, 0) + 1  # the same structure from at most three start values
        batch.append(structure)
    return batch
