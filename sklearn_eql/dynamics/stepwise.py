"""Which terms a law of motion has: add the one that explains most, drop those that explain nothing, let latents follow.

First the latents are held where the encoder put them, which is good enough to see the large terms. Then they are free:
whatever the encoder got wrong, noise or a bent scale, no longer counts as something to explain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from sklearn_eql.dynamics.joint import JointFit, JointProblem, fit, gains, saliencies, start
from sklearn_eql.dynamics.latent_coordinates import simplest
from sklearn_eql.dynamics.library import allowed_places

_CANDIDATES = 3  # tried per round, best first
_ROUNDS = 4  # of growing and elimination
_MAX_TERMS = 10  # per equation
_FIRST_FALL = 0.05  # of the log loss, that a term must bring while latents are held


def discover(
    problem: JointProblem,
    latents: np.ndarray,
    degrees: np.ndarray,
    max_degree: int,
    deadline: float,
    first: JointFit | None = None,
) -> JointFit:
    """The law of shortest description that is found for `problem` from rough `latents` (N, L).

    Parameters
    ----------
    degrees : ndarray (B,)
        Degree of each term in the states.
    max_degree : int
        Of a term and its power of the latents together.
    first : JointFit, optional
        A law to start from.
    """
    search = _Search(problem, degrees, max_degree, deadline)
    law = fit(problem, search.grow_held(start(problem, latents)) if first is None else first)
    for _ in range(_ROUNDS):
        before = law
        law = search.shorten(search.thin(search.grow(law)))
        if law is before or time.time() > deadline:
            break
    return law


class _Search:
    def __init__(self, problem: JointProblem, degrees: np.ndarray, max_degree: int, deadline: float) -> None:
        self.problem, self.deadline = problem, deadline
        shape = (problem.target.shape[2], problem.phi.shape[2], len(problem.powers))
        self.allowed = np.broadcast_to(allowed_places(degrees, problem.powers, max_degree), shape)
        self._lower = _lower(problem.powers)
        self.price = problem.price

    def grow_held(self, law: JointFit) -> JointFit:
        """Add terms with the latents held, one per equation at a time, as long as they explain much.

        Linear in the latents: a bent scale of theirs is for the free fit to straighten.
        """
        held = replace(self.problem, free_latents=False)
        linear = self.problem.powers.sum(axis=1) <= 1  # (M,)
        while True:
            before = law
            gain = np.where(self._candidates(law, hereditary=True) & linear, gains(held, law), 0.0)
            for e in range(len(gain)):
                b, m = np.unravel_index(np.argmax(gain[e]), gain[e].shape)
                if gain[e, b, m] > 0:
                    trial = fit(held, _with(law, (e, b, m)))
                    if np.log(max(law.loss[e], held.floor[e]) / max(trial.loss[e], held.floor[e])) > _FIRST_FALL:
                        law = trial
            if law is before:
                return law

    def grow(self, law: JointFit) -> JointFit:
        return self._improve(law, self._additions)

    def thin(self, law: JointFit) -> JointFit:
        return self._improve(law, self._removals)

    def shorten(self, law: JointFit) -> JointFit:
        """Other latents, with which terms vanish."""
        if law.active.any() and law.latents.shape[1]:
            shorter = simplest(self.problem, law, self.price)
            if self._cost(shorter) < self._cost(law):
                return shorter
        return law

    def _improve(self, law: JointFit, proposals: Callable) -> JointFit:
        """Take the first proposal that shortens the description, as long as there is one."""
        while time.time() < self.deadline:
            for trial in proposals(law):
                trial = fit(self.problem, trial)
                if self._cost(trial) < self._cost(law):
                    law = trial
                    break
            else:
                return law
        return law

    def _cost(self, law: JointFit) -> float:
        return law.description(self.problem, self.price)

    def _additions(self, law: JointFit) -> Iterator[JointFit]:
        gain = np.where(self._candidates(law, hereditary=False), gains(self.problem, law), 0.0)
        for index in np.argsort(-gain, axis=None)[:_CANDIDATES]:
            if gain.flat[index] > 0:
                yield _with(law, np.unravel_index(index, gain.shape))
        yield from self._varied(law)

    def _varied(self, law: JointFit) -> Iterator[JointFit]:
        """All coefficients of an equation vary with a latent that it does not read.

        A latent costs a number for each series: one place alone may be worth less than that, where several together
        are worth it, as of `z*(1 - x**2)*v`.
        """
        for linear in np.flatnonzero(self.problem.powers.sum(axis=1) == 1):
            for e in range(len(law.active)):
                if law.active[e, :, linear].any():
                    continue
                active = law.active.copy()
                active[e, :, linear] = active[e, :, 0] & self.allowed[e, :, linear]
                if active[e, :, linear].sum() > 1 and active[e].sum() <= _MAX_TERMS:
                    yield replace(law, active=active)

    def _removals(self, law: JointFit) -> Iterator[JointFit]:
        if law.n_free > 1:
            places, saliency = saliencies(self.problem, law)
            for index in np.argsort(saliency)[:_CANDIDATES]:
                yield _without(law, places[index])

    def _candidates(self, law: JointFit, hereditary: bool) -> np.ndarray:
        """Where a coefficient may be added, ``(E, B, M)``.

        If `hereditary`, a power of the latents asks for the powers below it: with another zero of the latents those
        would come in.
        """
        free = self.allowed & ~law.active
        free[law.active.sum(axis=(1, 2)) >= _MAX_TERMS] = False
        if hereditary:
            for m, lower in enumerate(self._lower):
                free[:, :, m] &= law.active[:, :, lower].all(axis=2)
        return free


def _lower(powers: np.ndarray) -> list[list[int]]:
    """For each power of the latents, the places of those that are one degree lower, but for the constant."""
    order = {tuple(power): place for place, power in enumerate(powers.tolist())}
    found: list[list[int]] = []
    for power in powers.tolist():
        lowered = [[p - (i == j) for i, p in enumerate(power)] for j in range(len(power)) if power[j]]
        found.append([order[tuple(p)] for p in lowered if any(p)])
    return found


def _with(law: JointFit, place: tuple[int, ...]) -> JointFit:
    active = law.active.copy()
    active[place] = True
    return replace(law, active=active)


def _without(law: JointFit, place: np.ndarray) -> JointFit:
    active, coefficients = law.active.copy(), law.coefficients.copy()
    active[tuple(place)] = False
    coefficients[tuple(place)] = 0.0
    return replace(law, active=active, coefficients=coefficients)
