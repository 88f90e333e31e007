"""A law of motion over a library of terms, and the rows of all series as a problem of least squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.dynamics.joint import JointFit, JointProblem
from sklearn_eql.dynamics.latent_coordinates import standardised
from sklearn_eql.dynamics.library import Term, allowed_places, evaluate, latent_powers, state_terms
from sklearn_eql.primitives import Primitive

_MAX_LATENT_DEGREE = 2  # of the powers of latents in a term: one that enters by another power only is that power itself
_EXACT = 1e-20  # relative mean squared error of a law without noise
_EXACT_RATE = 1e-16  # the same for a derivative, which is integrated numerically
_FUNCTION = 2.0  # words: what a function costs beside a product
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


def library_problem(states: np.ndarray, n_latents: int, settings: MotionSettings) -> Motion:
    """All terms of a library, and no law yet."""
    flat = states[:, :-1].reshape(-1, states.shape[2])
    terms = state_terms(flat, settings.primitives, settings.max_degree, settings.quotients)
    scale = np.array([np.sqrt(np.mean(evaluate(t, flat, settings.primitives) ** 2)) for t in terms])
    return problem_of(states, terms, scale, n_latents, settings, None)


def problem_of(states, terms, scale, n_latents: int, settings: MotionSettings, unit: np.ndarray | None) -> Motion:
    """The rows of `states` (N, K + 1, S) over `terms` (B) at their `scale` (B,), and no law yet.

    `unit` (S,) of the left-hand sides is that of the rows, if not given.
    """
    here, change = states[:, :-1], np.diff(states, axis=1)
    target = states[:, 1:] if settings.form == "update" else change / settings.dt
    if unit is None:
        unit = np.sqrt(np.mean(change**2, axis=(0, 1)))
        unit = np.where(unit > 0, unit, 1.0) / (1.0 if settings.form == "update" else settings.dt)
    phi = _phi(terms, scale, here, settings.primitives)
    floor = rounding_floor(states, unit, settings)
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


def rounding_floor(states: np.ndarray, unit: np.ndarray, settings: MotionSettings) -> np.ndarray:
    """Mean squared errors (S,) that rounding makes, in units of the left-hand sides."""
    rounding = _ROUNDING * np.abs(states).max(axis=(0, 1)) / unit
    if settings.form != "update":
        rounding = rounding / settings.dt
    return np.maximum(_EXACT_RATE if settings.form == "ode" else _EXACT, rounding**2)


def _phi(terms: Sequence[Term], scale: np.ndarray, states: np.ndarray, primitives) -> np.ndarray:
    flat = states.reshape(-1, states.shape[-1])
    columns = np.stack([evaluate(term, flat, primitives) for term in terms], axis=1) / scale
    return columns.reshape(*states.shape[:-1], len(terms))


def velocity_of(motion: Motion, primitives: Mapping[str, Primitive]) -> Callable[[np.ndarray], np.ndarray]:
    """The right-hand side, ``(N, K, S) -> (N, K, S)``, at the latents of the law."""
    law = motion.law
    used = np.flatnonzero(law.active.any(axis=(0, 2)))
    terms, scale = [motion.terms[b] for b in used], motion.scale[used]
    monomials = motion.problem.latent_monomials(law.latents)
    per_series = np.einsum("nm,ebm->nbe", monomials, law.coefficients[:, used] * motion.unit[:, None, None])

    def velocity(states: np.ndarray) -> np.ndarray:
        return _phi(terms, scale, states, primitives) @ per_series if terms else np.zeros_like(states)

    return velocity
