"""Gradient-trained trials: dense EQL networks trained together, then pruned to sparse ones and refined exactly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.networks.penalties import Penalty, initial_scales, resolve_penalty
from sklearn_eql.primitives import Primitive
from sklearn_eql.progress import Watched
from sklearn_eql.search.evolution import EvolutionResult, EvolutionSettings
from sklearn_eql.search.mutations import Proposer
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.elimination import NETWORK_STEPS, defined_part, eliminate_networks, simplify, supported_part
from sklearn_eql.sparse.problem import Problem, is_exact
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import Deadline, StopReason
from sklearn_eql.symbolic.canonical import canonicalize, free_mask
from sklearn_eql.training.batched import train
from sklearn_eql.training.records import Progress, Status, TrainingResult
from sklearn_eql.training.schedule import Phase, alpha_ladder

_REASONS = {Status.TIMED_OUT: StopReason.MAX_TIME, Status.INTERRUPTED: StopReason.INTERRUPTED}


@dataclass(frozen=True, kw_only=True)
class GradientSettings:
    """How dense networks are trained."""

    units: tuple[Primitive, ...]
    n_trials: int
    penalty: str | Penalty
    alpha: float | str
    schedule: str | Sequence[Phase]
    optimizer: str
    batch_size: int | None
    device: str


def train_trials(
    problem: Problem, settings: GradientSettings, seed: int, deadline: Deadline, watched: Watched | None = None
) -> EvolutionResult:
    """Train `n_trials` networks in one batch, prune each by backward elimination, and archive what is found.

    One seed per trial is drawn before training starts.
    """
    network, result = _trained(problem, settings, seed, deadline, watched)
    structures = _pruned(network, result, problem)
    archive = Archive.of(problem)
    reason = {Status.TIMED_OUT: StopReason.MAX_TIME, Status.INTERRUPTED: StopReason.INTERRUPTED}.get(
        result.status, StopReason.SCHEDULE
    )
    if reason == StopReason.INTERRUPTED:
        deadline = Deadline(time.time())  # what was trained is refitted once, and no more
    try:
        if structures:  # with the linear form for comparison; if every trial diverged there is nothing to compare
            archive.add(problem.fit([Proposer(problem, Random(seed)).linear()], NETWORK_STEPS))
        eliminate_networks(structures, problem, archive, deadline)
        simplify(archive, problem, EvolutionSettings().max_size, deadline)
    except KeyboardInterrupt:
        if not archive.members:
            raise
        reason = StopReason.INTERRUPTED
    curve = tuple(float(row) for row in np.nanmin(result.loss_curve, axis=1)) if len(result.loss_curve) else ()
    best = archive.ranked()[:1]
    if reason != StopReason.INTERRUPTED and any(
        r.loss < problem.exact and is_exact(r.structure, problem) for r in best
    ):
        reason = StopReason.EXACT
    return EvolutionResult(archive, result.n_steps, reason, curve)


def _trained(
    problem: Problem, settings: GradientSettings, seed: int, deadline: Deadline, watched: Watched | None
) -> tuple[BatchedEQL, TrainingResult]:
    """The networks, and what became of each."""
    penalty = resolve_penalty(settings.penalty)
    network = BatchedEQL(
        problem.X.shape[1],
        1,
        settings.units,
        problem.max_depth,
        np.random.SeedSequence(seed).generate_state(settings.n_trials).tolist(),
        init_scales=initial_scales(penalty),
        device=settings.device,
    )
    result = train(
        network,
        problem.X,
        problem.y[:, None],
        settings.schedule,
        optimizer=settings.optimizer,
        penalty=penalty,
        alpha=alpha_ladder(settings.n_trials) if settings.alpha == "auto" else settings.alpha,
        sample_weight=None if problem.sample_weight is None else problem.sample_weight.numpy(),
        batch_size=settings.batch_size,
        deadline=deadline,
        callback=partial(_show, watched=watched) if watched else None,
    )
    return network, result


def _show(progress: Progress, watched: Watched) -> None:
    watched("gradient training", float(np.nanmin(progress.loss)), progress.step, progress.n_steps)


def _pruned(network: BatchedEQL, result: TrainingResult, problem: Problem) -> list[Structure]:
    """Networks that did not diverge as sparse structures, defined on every row, that the rows support."""
    structures = []
    for (equation,), record in zip(network.to_equations(result.weights), result.records, strict=True):
        if record.status is not Status.DIVERGED:
            equation = canonicalize(defined_part(equation, problem), problem.primitives)
            structure = Structure.from_equation(equation, free_mask(equation, problem.primitives))
            structures.append(supported_part(structure, problem))
    return structures
