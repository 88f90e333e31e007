"""The ladder: families of laws tried in order of their cost, each a batch of sparse networks, before the general search.

A rung is fitted under every outer link by successive halving: all starts get a few Levenberg-Marquardt steps, the
better ones more, the best are put under their link and fitted to the target itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from sklearn_eql.archive import Archive
from sklearn_eql.evolution import is_well_conditioned
from sklearn_eql.links import LINKS, LinkedProblem, linked
from sklearn_eql.problem import Problem
from sklearn_eql.rungs import Palette, Rung, distances, factored_sum, growth, polynomial, power_sum, quotient, scaled_function, wave_form
from sklearn_eql.sketch import log_monomials
from sklearn_eql.structure import Structure
from sklearn_eql.thinning import thin
from sklearn_eql.training.refine import FitResult

_ALL = tuple(link.name for link in LINKS)
_MAIN = ("identity", "inv", "sqrt", "inv sqrt", "inv square", "exp")

LADDER: tuple[Rung, ...] = (
    Rung("power law", partial(power_sum, n_terms=1), 4, _ALL),
    Rung("growth", growth, 1, ("identity", "exp"), needs_powers=False),
    Rung("quadratic form", partial(polynomial, degree=2, with_base=False), 1, _ALL, needs_powers=False),
    Rung("scaled quadratic form", partial(polynomial, degree=2, with_base=True), 1, _MAIN),
    Rung("two powers", partial(power_sum, n_terms=2), 24, _ALL),
    Rung("three powers", partial(power_sum, n_terms=3), 32, _MAIN),
    Rung("quotient", quotient, 64, _MAIN),
    Rung("distances", distances, 48, ("identity", "inv", "sqrt", "exp"), needs_powers=False),
    Rung("wave form", wave_form, 8, ("identity", "sqrt", "inv"), needs_powers=False),
    Rung("scaled function", scaled_function, 96, _MAIN),
    Rung("factored sum", factored_sum, 96, _MAIN),
    Rung("quotient, wide", quotient, 256, ("identity", "inv", "sqrt")),
    Rung("scaled function, wide", scaled_function, 384, ("identity", "inv", "exp")),
    Rung("factored sum, wide", factored_sum, 384, ("identity", "sqrt", "inv")),
    Rung("scaled function, wider", scaled_function, 1024, ("identity", "inv")),
    Rung("factored sum, wider", factored_sum, 1024, ("identity",)),
)

_DEEPER = 2  # layers that a product and an outer link may add to those of the general search
_FIRST, _SECOND, _LAST = 4, 12, 40  # Levenberg-Marquardt steps
_KEPT = 12  # structures per rung that are fitted to the end
_THINNED = 3  # of those, the best by description length


@dataclass(frozen=True)
class Climb:
    """How far the ladder was climbed."""

    exact: bool
    loss_curve: tuple[float, ...]  # best relative loss after each rung


def climb(
    problem: Problem,
    seed: int,
    archive: Archive,
    *,
    rungs: Sequence[Rung] = LADDER,
    deadline: float = math.inf,
    report: Callable[[str, FitResult], None] | None = None,
) -> Climb:
    """Try rungs in order until one yields an exact law; what they find goes to `archive`.

    Parameters
    ----------
    problem : Problem
    seed : int
        Everything random follows from it.
    archive : Archive
    rungs : sequence of Rung
    deadline : float
        Value of ``time.time()`` after which no rung starts.
    report : callable, optional
        Called with a rung's name and the best member so far.
    """
    rng = np.random.default_rng(seed)
    places = {link.name: place for link in LINKS if (place := linked(problem, link)) is not None}
    signed = [f for f, sign in enumerate(problem.signs) if sign and problem.importances[f]]
    hints = log_monomials(problem.X.numpy(), problem.y.numpy(), signed)
    palettes = {name: Palette(place.inner, rng, hints, place.link.degree) for name, place in places.items()}
    curve: list[float] = []
    for rung in rungs:
        if time.time() > deadline:
            return Climb(False, tuple(curve))
        found = _try(rung, palettes, places, problem)
        archive.add(found)
        if not found:
            continue
        thinned = [thin(r, problem) for r in sorted(found, key=archive.score)[:_THINNED]]
        archive.add(thinned)
        leader = archive.ranked()[0]
        curve.append(leader.loss)
        if report:
            report(rung.name, leader)
        if leader.loss < problem.exact and is_well_conditioned(leader.structure, problem):
            return Climb(True, tuple(curve))
    return Climb(False, tuple(curve))


def _try(rung: Rung, palettes: dict[str, Palette], places: dict[str, LinkedProblem], problem: Problem) -> list[FitResult]:
    """The rung's best laws for the target itself."""
    entrants: list[tuple[float, LinkedProblem, Structure]] = []
    for name in rung.links:
        place = places.get(name)
        if place is None:
            continue
        structures = rung.structures(palettes[name], problem.primitives, problem.max_free, name == "exp")
        if structures:
            entrants += [(r.loss * place.factor, place, r.structure) for r in place.inner.fit(structures, _FIRST)]
    entrants = _halve(entrants, 4, _KEPT * 3, _SECOND)
    entrants = _halve(entrants, 3, _KEPT, _SECOND)
    laws = [place.wrap(structure) for loss, place, structure in entrants if math.isfinite(loss)]
    laws = [law for law in laws if law is not None and max(law.depths, default=0) <= problem.max_depth + _DEEPER]
    return [r for r in problem.fit(laws, _LAST) if math.isfinite(r.loss)]


def _halve(entrants, divisor: int, least: int, steps: int):
    """The best part of the entrants, fitted further under their links."""
    entrants = sorted((e for e in entrants if math.isfinite(e[0])), key=lambda e: e[0])
    entrants = entrants[: max(least, len(entrants) // divisor)]
    result = []
    for place in {id(e[1]): e[1] for e in entrants}.values():
        mine = [e[2] for e in entrants if e[1] is place]
        result += [(r.loss * place.factor, place, r.structure) for r in place.inner.fit(mine, steps)]
    return sorted(result, key=lambda e: e[0])[: max(least, len(entrants) // divisor)]
