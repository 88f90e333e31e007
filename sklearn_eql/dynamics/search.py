"""From series and rough latents to a law of motion: libraries of terms, forms of laws, and all series in the end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.dynamics.joint import JointFit, JointProblem, fit, solve_latents
from sklearn_eql.dynamics.latent_coordinates import standardised
from sklearn_eql.dynamics.library import (
    Term,
    allowed_places,
    evaluate,
    functions_of_a_state,
    latent_powers,
    state_terms,
)
from sklearn_eql.dynamics.runge_kutta import N_ROUGH, mean_velocity
from sklearn_eql.dynamics.stepwise import discover
from sklearn_eql.primitives import Primitive

_MAX_SERIES, _MAX_STEPS = 200, 25  # on which terms are searched for
_MAX_LATENT_DEGREE = 2  # of the powers of latents in a term: one that enters by another power only is that power itself
_EXACT = 1e-20  # relative mean squared error of a law without noise
_FINAL_LOSS = 1e-28  # to which the final fit goes on
_EXACT_RATE = 1e-16  # the same for a derivative, which is integrated numerically
_FUNCTION = 2.0  # words: what a function costs beside a product
_GOOD_LOSS = 1e-12  # from which no further library is tried
_CORRECTIONS = 12  # of the derivative, for form="ode"
_CONTRACTION = 0.1  # share of what a correction moved that is expected to move next
_SETTLED = 1e-11  # relative change of coefficients
_ROUNDING = 4 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class MotionSettings:
    """What laws of motion may look like."""

    form: str  # "update", "increment" or "ode"
    dt: float
    primitives: Mapping[str, Primitive]
    max_degree: int


@dataclass(frozen=True)
class Motion:
    """A law of motion over scaled terms, and the latents of all series."""

    terms: list[Term]
    scale: np.ndarray  # (B,) of the terms
    unit: np.ndarray  # (S,) of the equations' left-hand sides
    problem: JointProblem
    law: JointFit

    @property
    def cost(self) -> float:
        """Description length, to compare laws of the same series."""
        return self.law.description(self.problem, self.problem.price)

    def coefficients(self) -> np.ndarray:
        """In the user's units, ``(E, B, M)``."""
        return self.law.coefficients * self.unit[:, None, None] / self.scale[:, None]


def find_motion(
    states: np.ndarray, latents: np.ndarray, settings: MotionSettings, seed: int, deadline: float
) -> Motion:
    """The shortest law that explains `states` (N, K + 1, S), one step ahead, from rough `latents` (N, L).

    Products of states are tried first; functions of the states where those do not do.
    """
    few = _sample(states, seed)
    moved = states[few[0]][:, few[1]]
    best: Motion | None = None
    for primitives in ({}, settings.primitives):
        if best is not None and (
            best.law.loss.max() < _GOOD_LOSS or not functions_of_a_state(primitives) or time.time() > deadline
        ):
            break
        motion = _search(moved, latents[few[0]], replace(settings, primitives=primitives), deadline)
        if best is None or motion.cost < best.cost:
            best = motion
    return _on_all(best, states, latents, few[0], settings)


def with_standard_latents(motion: Motion, scale: float) -> Motion:
    """The same law in latents of mean 0 and standard deviation `scale`."""
    return replace(motion, law=standardised(motion.problem, motion.law, scale))


def _sample(states: np.ndarray, seed: int) -> tuple[np.ndarray, slice]:
    rng = np.random.default_rng(seed)
    rows = np.arange(len(states))
    if len(rows) > _MAX_SERIES:
        rows = np.sort(rng.choice(rows, _MAX_SERIES, replace=False))
    return rows, slice(0, min(states.shape[1], _MAX_STEPS + 1))


def _search(states: np.ndarray, latents: np.ndarray, settings: MotionSettings, deadline: float) -> Motion:
    here = states[:, :-1]
    flat = here.reshape(-1, states.shape[2])
    terms = state_terms(flat, settings.primitives, settings.max_degree)
    scale = np.array([np.sqrt(np.mean(evaluate(t, flat, settings.primitives) ** 2)) for t in terms])
    degrees = np.array([term.degree for term in terms])
    motion = _problem(states, terms, scale, latents.shape[1], settings, None)
    law = discover(motion.problem, _standard(latents), degrees, settings.max_degree, deadline)
    motion = replace(motion, law=law)
    if latents.shape[1] and time.time() < deadline:
        # With the latents as they are now known, what was added on the way to make up for rough ones is not.
        again = discover(motion.problem, _standard(law.latents), degrees, settings.max_degree, deadline)
        motion = min(motion, replace(motion, law=again), key=lambda found: found.cost)
    if settings.form == "ode":
        motion = _corrected(motion, states, degrees, settings, deadline)
    return motion


def _problem(states, terms, scale, n_latents: int, settings: MotionSettings, unit: np.ndarray | None) -> Motion:
    here, change = states[:, :-1], np.diff(states, axis=1)
    target = states[:, 1:] if settings.form == "update" else change / settings.dt
    if unit is None:
        unit = np.sqrt(np.mean(change**2, axis=(0, 1)))
        unit = np.where(unit > 0, unit, 1.0) / (1.0 if settings.form == "update" else settings.dt)
    phi = _phi(terms, scale, here, settings.primitives)
    floor = _rounding_floor(states, unit, settings)
    if settings.form == "ode" and change.shape[1] > 1:  # the derivative is not known better than to first order yet
        floor = np.maximum(floor, np.mean((np.diff(change, axis=1) / (2 * settings.dt * unit)) ** 2, axis=(0, 1)))
    n_rows, n_free = target[:, :, 0].size * target.shape[2], len(here) * n_latents
    powers = latent_powers(n_latents, min(_MAX_LATENT_DEGREE, settings.max_degree))
    words = np.array([1.0 if term.function is None else _FUNCTION for term in terms])
    # A latent that explains one number of two is no parameter: it must be held by more than itself.
    free = n_latents > 0 and n_rows >= 3 * n_free
    degrees = np.array([term.degree for term in terms])
    n_places = target.shape[2] * int(allowed_places(degrees, powers, settings.max_degree).sum())
    problem = JointProblem(phi, target / unit, powers, floor, words=words, free_latents=free, n_places=n_places)
    return Motion(terms, scale, unit, problem, None)


def _rounding_floor(states: np.ndarray, unit: np.ndarray, settings: MotionSettings) -> np.ndarray:
    rounding = _ROUNDING * np.abs(states).max(axis=(0, 1)) / unit
    if settings.form != "update":
        rounding = rounding / settings.dt
    return np.maximum(_EXACT_RATE if settings.form == "ode" else _EXACT, rounding**2)


def _phi(terms: Sequence[Term], scale: np.ndarray, states: np.ndarray, primitives) -> np.ndarray:
    flat = states.reshape(-1, states.shape[-1])
    columns = np.stack([evaluate(term, flat, primitives) for term in terms], axis=1) / scale
    return columns.reshape(*states.shape[:-1], len(terms))


def _velocity(motion: Motion, primitives):
    """The right-hand side, ``(N, K, S) -> (N, K, S)``, at the latents of the law."""
    law = motion.law
    used = np.flatnonzero(law.active.any(axis=(0, 2)))
    terms, scale = [motion.terms[b] for b in used], motion.scale[used]
    monomials = motion.problem.latent_monomials(law.latents)
    per_series = np.einsum("nm,ebm->nbe", monomials, law.coefficients[:, used] * motion.unit[:, None, None])

    def velocity(states: np.ndarray) -> np.ndarray:
        return _phi(terms, scale, states, primitives) @ per_series if terms else np.zeros_like(states)

    return velocity


def _corrected(motion: Motion, states, degrees, settings: MotionSettings, deadline: float) -> Motion:
    """A law for the derivative, from one for the mean rate of change over a step.

    The difference between the two is that of the law itself, integrated over the step; it is taken off the target, and
    the law fitted again, until it stays. What the difference moved in a round is what is not known yet: terms below
    that are not asked for.
    """
    rate = motion.problem.target * motion.unit
    here = states[:, :-1]
    previous = np.zeros_like(rate)
    base = _rounding_floor(states, motion.unit, settings)
    with np.errstate(all="ignore"):
        for _ in range(_CORRECTIONS):
            velocity = _velocity(motion, settings.primitives)
            finer = mean_velocity(velocity, here, settings.dt, N_ROUGH)
            correction = finer - velocity(here)
            if not np.isfinite(correction).all():
                return motion
            integration = (finer - mean_velocity(velocity, here, settings.dt, N_ROUGH // 2)) / motion.unit
            unsettled = (correction - previous) / motion.unit
            floor = np.maximum(base, np.mean(integration**2 + (_CONTRACTION * unsettled) ** 2, axis=(0, 1)))
            problem = replace(motion.problem, target=(rate - correction) / motion.unit, floor=floor)
            before, previous = motion.law, correction
            law = discover(problem, before.latents, degrees, settings.max_degree, deadline, first=before)
            motion = replace(motion, problem=problem, law=law)
            if _same(law, before) or time.time() > deadline:
                break
    return motion


def _same(law: JointFit, other: JointFit) -> bool:
    if not (law.active == other.active).all():
        return False
    size = np.abs(law.coefficients).max()
    return np.abs(law.coefficients - other.coefficients).max() < _SETTLED * size


def _on_all(motion: Motion, states, latents, rows, settings: MotionSettings) -> Motion:
    """The law refitted to all series and steps, with a latent for each, as exactly as numbers allow."""
    whole = _problem(states, motion.terms, motion.scale, latents.shape[1], settings, motion.unit)
    floor = np.minimum(whole.problem.floor, motion.problem.floor)
    sharp = replace(whole.problem, free_latents=motion.problem.free_latents, floor=np.full_like(floor, _FINAL_LOSS))
    started = carried(latents, motion.law.latents, rows)
    started[rows] = motion.law.latents
    law = replace(motion.law, latents=started)
    motion = replace(whole, problem=sharp, law=law)
    rate, here = sharp.target * motion.unit, states[:, :-1]
    for _ in range(_CORRECTIONS if settings.form == "ode" else 1):
        problem = sharp
        if settings.form == "ode":
            velocity = _velocity(motion, settings.primitives)
            correction = mean_velocity(velocity, here, settings.dt) - velocity(here)
            problem = replace(sharp, target=(rate - correction) / motion.unit)
        law = fit(problem, solve_latents(problem, motion.law))
        settled = _same(law, motion.law)
        motion = replace(motion, problem=problem, law=law)
        if settled:
            break
    return replace(motion, problem=replace(motion.problem, floor=floor))


def carried(rough: np.ndarray, found: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Rough latents (N, L) on the scale of those `found` for the series in `rows`, by linear regression."""
    design = np.column_stack([np.ones(len(rough)), _standard(rough)])
    return design @ np.linalg.lstsq(design[rows], found, rcond=None)[0]


def _standard(latents: np.ndarray) -> np.ndarray:
    spread = latents.std(axis=0)
    return (latents - latents.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
