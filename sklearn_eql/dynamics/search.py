"""From series and rough latents to a law of motion: libraries of terms, forms of laws, and all series in the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, product

import numpy as np

from sklearn_eql.dynamics.derivative import corrected, on_all_series
from sklearn_eql.dynamics.earlier_laws import EarlierLaws
from sklearn_eql.dynamics.joint import JointFit
from sklearn_eql.dynamics.latent_coordinates import standard
from sklearn_eql.dynamics.library import functions_of_a_state, stays_away_from_zero
from sklearn_eql.dynamics.motion import Motion, MotionSettings, library_problem
from sklearn_eql.dynamics.stepwise import discover
from sklearn_eql.dynamics.varying_coefficients import latents_from_coefficients
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.stopping import interruption_noted

_MAX_SERIES, _MAX_STEPS = 200, 25  # on which terms are searched for
_GOOD_LOSS = 1e-12  # from which no further library is tried


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
        found = on_all_series(best, states, np.concatenate(candidates, axis=1), rows, settings)
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
        motion = library_problem(states, latents.shape[1], library)
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
    problem = library_problem(states, n_latents, library).problem
    own = latents_from_coefficients(problem.phi, problem.target, n_latents)
    if own is not None:
        yield own


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
    scaled = standard(latents)
    return scaled @ np.linalg.svd(scaled, full_matrices=False)[2][:n_latents].T


def _sample(states: np.ndarray, seed: int) -> tuple[np.ndarray, slice]:
    rng = np.random.default_rng(seed)
    rows = np.arange(len(states))
    if len(rows) > _MAX_SERIES:
        rows = np.sort(rng.choice(rows, _MAX_SERIES, replace=False))
    return rows, slice(0, min(states.shape[1], _MAX_STEPS + 1))


def _search(
    states: np.ndarray, latents: np.ndarray, settings: MotionSettings, deadline: float, first: JointFit | None = None
) -> Motion:
    motion = library_problem(states, latents.shape[1], settings)
    degrees = np.array([term.degree for term in motion.terms])
    law = discover(motion.problem, standard(latents), degrees, settings.total_degree, deadline, first)
    motion = replace(motion, law=law)
    if latents.shape[1] and time.time() < deadline:
        # With the latents as they are now known, what was added on the way to make up for rough ones is not.
        again = discover(motion.problem, standard(law.latents), degrees, settings.total_degree, deadline)
        motion = min(motion, replace(motion, law=again), key=lambda found: found.cost)
    if settings.form == "ode":
        motion = corrected(motion, states, degrees, settings, deadline)
    return motion
