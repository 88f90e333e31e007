"""Gradient-trained trials: dense EQL networks trained together, then pruned to sparse ones and refined exactly."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_eql.archive import Archive
from sklearn_eql.draft import without_terms
from sklearn_eql.evolution import EvolutionResult, EvolutionSettings, simplify
from sklearn_eql.network import INIT_SCALES, INIT_SCALES_L0, BatchedEQL
from sklearn_eql.penalties import HardConcreteL0, Penalty, resolve_penalty
from sklearn_eql.primitives import Primitive
from sklearn_eql.problem import Problem
from sklearn_eql.proposals import Proposer
from sklearn_eql.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, free_mask
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.training.loop import train
from sklearn_eql.training.records import Status
from sklearn_eql.training.refine import joint_curvature
from sklearn_eql.training.schedule import Phase, alpha_ladder

_FIT_STEPS = 8
_SHARE = 0.1  # of the terms of a network, removed in one round of elimination (at least one)
_HOPELESS = 0.9  # relative loss from which a network is not pruned further


@dataclass(frozen=True)
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
    problem: Problem, settings: GradientSettings, seed: int, deadline: float, verbose: int = 0
) -> EvolutionResult:
    """Train `n_trials` networks in one batch, prune each by backward elimination, and archive what is found.

    One seed per trial is drawn before training starts.
    """
    seeds = np.random.SeedSequence(seed).generate_state(settings.n_trials).tolist()
    penalty = resolve_penalty(settings.penalty)
    init_scales = INIT_SCALES_L0 if isinstance(penalty, HardConcreteL0) else INIT_SCALES
    network = BatchedEQL(
        problem.X.shape[1],
        1,
        settings.units,
        problem.max_depth,
        seeds,
        init_scales=init_scales,
        device=settings.device,
    )
    alpha = alpha_ladder(settings.n_trials) if settings.alpha == "auto" else settings.alpha

    def show(progress) -> None:
        if progress.step % 1000 == 0:
            print(
                f"[sklearn_eql] gradient training, step {progress.step} of {progress.n_steps}: "
                f"relative loss {np.nanmin(progress.loss):.3g}",
                file=sys.stderr,
            )

    result = train(
        network,
        problem.X,
        problem.y[:, None],
        settings.schedule,
        optimizer=settings.optimizer,
        penalty=penalty,
        alpha=alpha,
        sample_weight=None if problem.sample_weight is None else problem.sample_weight.numpy(),
        batch_size=settings.batch_size,
        # The loop measures by the monotonic clock, which other machines do not share.
        deadline=time.monotonic() + deadline - time.time() if math.isfinite(deadline) else None,
        callback=show if verbose else None,
    )
    structures = []
    for (equation,), record in zip(network.to_equations(result.weights), result.records, strict=True):
        if record.status is not Status.DIVERGED:
            equation = canonicalize(defined_part(equation, problem), problem.primitives)
            structure = Structure.from_equation(equation, free_mask(equation, problem.primitives))
            structures.append(thinned(structure, problem))
    archive = Archive(len(problem.y), problem.exact)
    reason = {Status.TIMED_OUT: "max_time", Status.INTERRUPTED: "interrupted"}.get(result.status, "schedule")
    if reason == "interrupted":
        deadline = time.time()  # what was trained is refitted once, and no more
    try:
        if structures:  # with the linear form for comparison; if every trial diverged there is nothing to compare
            archive.add(problem.fit([Proposer(problem, np.random.default_rng(seed)).linear()], _FIT_STEPS))
        eliminate(structures, problem, archive, deadline)
        simplify(archive, problem, EvolutionSettings(), deadline)
    except KeyboardInterrupt:
        if not archive.members:
            raise
        reason = "interrupted"
    curve = tuple(float(row) for row in np.nanmin(result.loss_curve, axis=1)) if len(result.loss_curve) else ()
    if reason != "interrupted" and any(r.loss < problem.exact for r in archive.ranked()[:1]):
        reason = "exact"
    return EvolutionResult(archive, result.n_steps, reason, curve)


def defined_part(equation: Equation, problem: Problem) -> Equation:
    """The equation without units that are undefined on some row.

    Training clamps arguments into the domains of functions; the equation does not.
    """
    first = 1 + equation.n_features
    while True:
        values = equation.sources(problem.X, problem.primitives)
        broken = {s for s in range(first, len(values)) if not np.isfinite(values[s]).all()}
        if not broken:
            return equation
        lowest = min(broken)  # those that read it may become finite without it

        def strip(form: Affine, lowest: int = lowest) -> Affine:
            return tuple((s, c) for s, c in form if s != lowest)

        units = list(equation.units)
        units[lowest - first] = Unit("const", ())
        units = [Unit(u.primitive, tuple(strip(arg) or ((0, 1.0),) for arg in u.args)) for u in units]
        equation = Equation(equation.n_features, tuple(units), strip(equation.output))


def thinned(structure: Structure, problem: Problem) -> Structure:
    """The structure without its smallest coefficients, as many as the rows cannot support."""
    while structure.n_free > problem.max_free:
        terms = [
            (abs(c), (f, i)) for f, form in enumerate(structure.forms()) for i, (_, c, free) in enumerate(form) if free
        ]
        smallest = sorted(terms)[: structure.n_free - problem.max_free]
        thinner = without_terms(structure, [place for _, place in smallest], problem.primitives)
        if thinner is None:
            return Structure(structure.n_features, (), ((0, 0.0, True),))
        structure = thinner
    return structure


def eliminate(structures: Sequence[Structure], problem: Problem, archive: Archive, deadline: float = math.inf) -> None:
    """Backward elimination of all networks at once, each by its own least salient terms.

    A round refits every network and removes the terms that, by the quadratic model at the optimum, raise its loss least
    when all other coefficients adapt: ``w**2 / [H**-1]_ww`` (Hassibi and Stork 1993, the optimal brain surgeon). Every
    stage goes to the archive.
    """
    alive = list(structures)
    while alive:
        fitted = [r for r in problem.fit(alive, _FIT_STEPS) if r.loss < _HOPELESS]
        archive.add(fitted)
        if time.time() > deadline:
            return
        alive = []
        for result in fitted:
            places = _least_salient(result.structure, problem, max(1, int(_SHARE * result.structure.n_free)))
            child = without_terms(result.structure, places, problem.primitives) if places else None
            if child is not None and child.size > 1:
                alive.append(child)


def _least_salient(structure: Structure, problem: Problem, count: int) -> list[tuple[int, int]]:
    """Form and position of the `count` free terms of least saliency; none where the quadratic model is not finite."""
    values, matrix, _ = joint_curvature([structure], problem.primitives, problem.X, problem.y, problem.sample_weight)[0]
    if not np.isfinite(matrix).all():
        return []
    scale = np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    normal = matrix / np.outer(scale, scale) + 1e-9 * np.eye(len(values))
    saliency = (values * scale) ** 2 / np.diag(np.linalg.inv(normal))
    places = [(f, i) for f, form in enumerate(structure.forms()) for i, (_, _, free) in enumerate(form) if free]
    return [places[k] for k in np.argsort(saliency)[:count]]
