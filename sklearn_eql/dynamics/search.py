"""From series and rough latents to a law of motion: libraries of terms, forms of laws, and all series in the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

import numpy as np

from sklearn_eql.dynamics.earlier_laws import EarlierLaws
from sklearn_eql.dynamics.joint import JointFit, JointProblem, fit, solve_latents
from sklearn_eql.dynamics.latent_coordinates import standardised
from sklearn_eql.dynamics.library import (
    Term,
    allowed_places,
    evaluate,
    functions_of_a_state,
    latent_powers,
    state_terms,
    stays_away_from_zero,
)
from sklearn_eql.dynamics.runge_kutta import N_ROUGH, mean_velocity
from sklearn_eql.dynamics.stepwise import discover
from sklearn_eql.dynamics.varying_coefficients import latents_from_coefficients
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.stopping import interruption_noted

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
    max_degree: int  # of a term in the states
    n_above: int = 0  # degrees that a term and its power of the latents may have together above that
    quotients: bool = False  # of states that stay away from zero

    @property
    def total_degree(self) -> int:
        """Largest degree of a term and its power of the latents together."""
        return self.max_degree + self.n_above


@dataclass(frozen=True)
class Motion:
    """A law of motion over scaled terms, and the latents of all series."""

    terms: list[Term]
    scale: np.ndarray  # (B,) of the terms
    unit: np.ndarray  # (S,) of the equations' left-hand sides
    problem: JointProblem
    law: JointFit
    interrupted: bool = False  # whether Ctrl-C ended the search for it

    @property
    def cost(self) -> float:
        """Description length, to compare laws of the same series."""
        return self.law.description(self.problem, self.problem.price)

    def coefficients(self) -> np.ndarray:
        """In the user's units, ``(E, B, M)``."""
        return self.law.coefficients * self.unit[:, None, None] / self.scale[:, None]


def find_motion(
    states: np.ndarray,
    candidates: Sequence[np.ndarray],
    settings: MotionSettings,
    seed: int,
    deadline: float,
    earlier: EarlierLaws | None = None,
) -> Motion:
    """The shortest law that explains `states` (N, K + 1, S), one step ahead, from rough latents, each (N, L).

    Small libraries of terms are tried first: products of low degree, then of higher ones, functions of the states
    where those do not do. So are few latents: the law that is found has as many as it needs, which may be none. Before
    all of them come the `earlier` laws, if there are any.
    """
    rows, steps = _sample(states, seed)
    best: Motion | None = None
    some, tried = states[rows][:, steps], []
    if earlier is not None:
        candidates = [*candidates, earlier.latents]
        tried = _from_earlier(some, earlier.latents[rows][:, earlier.used], earlier, settings, deadline)
    pressed: list[None] = []  # one for each Ctrl-C
    try:
        for motion in chain(tried, _motions(some, [latents[rows] for latents in candidates], settings, deadline)):
            if best is None or motion.cost < best.cost:
                best = motion
            if motion.law.loss.max() < _GOOD_LOSS:
                break
    except KeyboardInterrupt:
        pressed.append(None)
    with interruption_noted(lambda: pressed.append(None)):
        best = best or _search(some, candidates[0][rows], _fewest(settings), time.time())
        found = _on_all(best, states, np.concatenate(candidates, axis=1), rows, settings)
    return replace(found, interrupted=bool(pressed))


def _motions(states, candidates, settings: MotionSettings, deadline: float) -> Iterator[Motion]:
    """Laws from every library, number of latents and start; when time is up, the one that there is always time for."""
    for library, n_latents in product(_libraries(states, settings), range(candidates[0].shape[1] + 1)):
        for latents in _starts(states, candidates, n_latents, library):
            if time.time() > deadline:
                yield _search(states, candidates[0], _fewest(settings), deadline)
                return
            yield _search(states, latents, library, deadline)


def _from_earlier(states, latents, earlier: EarlierLaws, settings: MotionSettings, deadline: float) -> Iterator[Motion]:
    """The law that earlier ones lead to, with the smallest library that has their terms."""
    for library in _libraries(states, settings):
        motion = _library_problem(states, latents.shape[1], library)
        found = earlier.coefficients(motion.terms, motion.problem.powers, {**PRIMITIVES, **settings.primitives})
        if found is not None:
            found = found * motion.scale[:, None] / motion.unit[:, None, None]
            first = JointFit(found != 0, found, latents, np.full(len(found), np.inf))
            yield _search(states, latents, library, deadline, first)
            return


def _starts(states, candidates, n_latents: int, library: MotionSettings) -> Iterator[np.ndarray]:
    """Rough latents (N, n_latents): those that networks found, and those that coefficients of their own would be."""
    if not n_latents:
        yield np.empty((len(states), 0))
        return
    yield from (_leading(latents, n_latents) for latents in candidates)
    problem = _library_problem(states, n_latents, library).problem
    own = latents_from_coefficients(problem.phi, problem.target, n_latents)
    if own is not None:
        yield own


def with_all_latents(motion: Motion, n_latents: int) -> Motion:
    """The same law among `n_latents` latents, zero where it does not read them."""
    law, old = motion.law, motion.problem.powers
    missing = n_latents - old.shape[1]
    powers = latent_powers(n_latents, int(old.sum(axis=1).max()))
    order = {tuple(power): place for place, power in enumerate(powers.tolist())}
    places = [order[(*power, *(0,) * missing)] for power in old.tolist()]
    shape = (*law.active.shape[:2], len(powers))
    active, coefficients = np.zeros(shape, dtype=bool), np.zeros(shape)
    active[:, :, places], coefficients[:, :, places] = law.active, law.coefficients
    latents = np.where(law.used_latents(motion.problem), law.latents, 0.0)
    law = replace(law, active=active, coefficients=coefficients, latents=np.pad(latents, ((0, 0), (0, missing))))
    return replace(motion, problem=replace(motion.problem, powers=powers), law=law)


def with_standard_latents(motion: Motion, scale: float) -> Motion:
    """The same law in latents of mean 0 and standard deviation `scale`."""
    return replace(motion, law=standardised(motion.problem, motion.law, scale))


def _libraries(states: np.ndarray, settings: MotionSettings) -> Iterator[MotionSettings]:
    """What terms may be made of, fewest terms first, for `states` (N, K + 1, S)."""
    products = _fewest(settings)
    for degree in range(1, settings.max_degree + 1):
        yield replace(products, max_degree=degree)
    yield replace(products, n_above=1)  # the products of highest degree, with a parameter before them
    if settings.quotients and stays_away_from_zero(states.reshape(-1, states.shape[2])).any():
        yield replace(settings, primitives={}, n_above=1)
    if functions_of_a_state(settings.primitives):
        yield replace(settings, quotients=False)


def _fewest(settings: MotionSettings) -> MotionSettings:
    """Products only: what there is always time for."""
    return replace(settings, primitives={}, quotients=False)


def _leading(latents: np.ndarray, n_latents: int) -> np.ndarray:
    """The `n_latents` directions in which rough latents (N, L) differ most, all of them as they are."""
    if n_latents == latents.shape[1]:
        return latents
    standard = _standard(latents)
    return standard @ np.linalg.svd(standard, full_matrices=False)[2][:n_latents].T


def _sample(states: np.ndarray, seed: int) -> tuple[np.ndarray, slice]:
    rng = np.random.default_rng(seed)
    rows = np.arange(len(states))
    if len(rows) > _MAX_SERIES:
        rows = np.sort(rng.choice(rows, _MAX_SERIES, replace=False))
    return rows, slice(0, min(states.shape[1], _MAX_STEPS + 1))


def _search(
    states: np.ndarray, latents: np.ndarray, settings: MotionSettings, deadline: float, first: JointFit | None = None
) -> Motion:
    motion = _library_problem(states, latents.shape[1], settings)
    degrees = np.array([term.degree for term in motion.terms])
    law = discover(motion.problem, _standard(latents), degrees, settings.total_degree, deadline, first)
    motion = replace(motion, law=law)
    if latents.shape[1] and time.time() < deadline:
        # With the latents as they are now known, what was added on the way to make up for rough ones is not.
        again = discover(motion.problem, _standard(law.latents), degrees, settings.total_degree, deadline)
        motion = min(motion, replace(motion, law=again), key=lambda found: found.cost)
    if settings.form == "ode":
        motion = _corrected(motion, states, degrees, settings, deadline)
    return motion


def _library_problem(states: np.ndarray, n_latents: int, settings: MotionSettings) -> Motion:
    """All terms of a library, and no law yet."""
    flat = states[:, :-1].reshape(-1, states.shape[2])
    terms = state_terms(flat, settings.primitives, settings.max_degree, settings.quotients)
    scale = np.array([np.sqrt(np.mean(evaluate(t, flat, settings.primitives) ** 2)) for t in terms])
    return _problem(states, terms, scale, n_latents, settings, None)


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
    powers = latent_powers(n_latents, min(_MAX_LATENT_DEGREE, settings.total_degree))
    words = np.array([1.0 if term.function is None else _FUNCTION for term in terms])
    # A latent that explains one number of two is no parameter: it must be held by more than itself.
    free = n_latents > 0 and n_rows >= 3 * n_free
    degrees = np.array([term.degree for term in terms])
    n_places = target.shape[2] * int(allowed_places(degrees, powers, settings.total_degree).sum())
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
            law = discover(problem, before.latents, degrees, settings.total_degree, deadline, first=before)
            motion = replace(motion, problem=problem, law=law)
            if _same(law, before) or time.time() > deadline:
                break
    return motion


def _same(law: JointFit, other: JointFit) -> bool:
    if not (law.active == other.active).all():
        return False
    size = np.abs(law.coefficients).max()
    return np.abs(law.coefficients - other.coefficients).max() < _SETTLED * size


def _on_all(motion: Motion, states, rough, rows, settings: MotionSettings) -> Motion:
    """The law refitted to all series and steps, as exactly as numbers allow.

    The latents of series that it was not found on start from `rough` ones (N, any number).
    """
    whole = _problem(states, motion.terms, motion.scale, motion.law.latents.shape[1], settings, motion.unit)
    floor = np.minimum(whole.problem.floor, motion.problem.floor)
    kept = {"powers": motion.problem.powers, "free_latents": motion.problem.free_latents}
    sharp = replace(whole.problem, **kept, floor=np.full_like(floor, _FINAL_LOSS))
    started = carried(rough, motion.law.latents, rows)
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
