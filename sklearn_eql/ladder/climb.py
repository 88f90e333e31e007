"""The ladder: families of laws, each a batch of sparse networks, tried in order of cost before the general search.

A rung is fitted under every outer link by successive halving: all starts get a few Levenberg-Marquardt steps, the
better ones more, the best are put under their link and fitted to the target itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.ladder.families import LADDER, MANY_ROWS, Rung
from sklearn_eql.ladder.link_functions import LINKS, LinkedProblem, linked
from sklearn_eql.ladder.pieces import Palette
from sklearn_eql.ladder.residual_tests import is_white
from sklearn_eql.ladder.screening import log_monomials
from sklearn_eql.laws.common_factors import factored
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.elimination import eliminate
from sklearn_eql.sparse.levenberg_marquardt import FitResult, levenberg_marquardt
from sklearn_eql.sparse.problem import Problem, is_well_conditioned
from sklearn_eql.sparse.round_exponents import n_loose, snap, with_round_exponents_fixed
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, free_mask

_DEEPER = 2  # layers that a product and an outer link may add to those of the general search
_FIRST, _SECOND, _LAST = 4, 12, 40  # Levenberg-Marquardt steps
_KEPT = 12  # structures per rung that are fitted to the end
_EXACT, _PROMISING, _SNAPPED = 2, 3, 8  # of those, the best by description length or loss
_JUDGED_AFTER = frozenset(range(5, 100, 3))  # numbers of rungs
_CONFIRMED_BY, _CONFIRMED_LOOSE = 500, 3000  # structures that do not shorten the description of noisy data any further
_TIGHT = 4  # free coefficients of a law that is taken for one early
_MOST = 0.5  # of the variance: less than that a law must leave over


@dataclass(frozen=True)
class Climb:
    """What the ladder led to."""

    archive: Archive  # of losses on the judging rows
    stop_reason: str  # "exact", "noise": what the best law leaves over is noise; "all", "max_time"
    loss_curve: tuple[float, ...]  # best relative loss after each rung


def climb(
    problem: Problem,
    judge: Problem,
    seed: int,
    *,
    rungs: Sequence[Rung] = LADDER,
    seeds: Sequence[Structure] = (),
    deadline: float = math.inf,
    report: Callable[[str, FitResult], None] | None = None,
) -> Climb:
    """Try rungs in order until a law is confirmed: exact, or short and with nothing but noise left over.

    Parameters
    ----------
    problem : Problem
        Rows on which starts are fitted.
    judge : Problem
        The same with more rows, for the best laws of each rung.
    seed : int
        Everything random follows from it.
    rungs : sequence of Rung
    seeds : sequence of Structure
        Laws to judge before anything else.
    deadline : float
        Value of ``time.time()`` after which no rung starts.
    report : callable, optional
        Called with a rung's name and the best member so far.
    """
    rng = np.random.default_rng(seed)
    archive = Archive(len(judge.y), judge.exact)
    archive.add(judge.fit(seeds, _SECOND))
    places = {link.name: place for link in LINKS if (place := linked(problem, link)) is not None}
    signed = [f for f, sign in enumerate(problem.signs) if sign and problem.importances[f]]
    hints = log_monomials(judge.X.numpy(), judge.y.numpy(), signed, judge.x_units)
    palettes = {name: Palette(place.inner, rng, hints, place.link.degree) for name, place in places.items()}
    curve: list[float] = []
    pending: list[FitResult] = []  # of laws that are not exact, judged every few rungs
    n_since, lowest, reason = 0, math.inf, "all"
    rungs = [rung for rung in rungs if len(judge.y) >= rung.min_rows]
    try:
        for number, rung in enumerate(rungs):
            if time.time() > deadline:
                reason = "max_time"
                break
            found, n_starts = _try(rung, palettes, places, problem, deadline)
            n_since += n_starts
            if any(r.loss < problem.exact for r in found):
                archive.add(_confirmed(found, problem, judge))
            else:
                pending += _promising(found, problem)
                if time.time() > deadline or (number not in _JUDGED_AFTER and number < len(rungs) - 1):
                    continue
                archive.add(_judged(pending, problem, judge))
                pending = []
            if not archive.members:
                continue
            leader = archive.ranked()[0]
            curve.append(leader.loss)
            if report:
                report(rung.name, leader)
            if leader.loss < judge.exact:
                if is_well_conditioned(leader.structure, judge):
                    reason = "exact"
                    break
                continue
            if archive.score(leader) < lowest - 1.0:
                lowest, n_since = archive.score(leader), 0
            elif _confirmation(leader, n_since, judge):
                reason = "noise"
                break
    except KeyboardInterrupt:
        if not (archive.members or pending):
            raise
        reason = "interrupted"
    archive.add(judge.fit([r.structure for r in pending], _FIRST))  # of rungs since the last judgement
    return Climb(archive, reason, tuple(curve))


def _confirmed(found: Sequence[FitResult], problem: Problem, judge: Problem) -> list[FitResult]:
    """The shortest of the exact laws, without superfluous terms, on the judging rows."""
    ranking = Archive(len(problem.y), problem.exact)
    ranking.add(found)
    return judge.fit([eliminate(r, problem).structure for r in ranking.ranked()[:_EXACT]], _SECOND)


def _promising(found: Sequence[FitResult], problem: Problem) -> list[FitResult]:
    """The shortest descriptions of a rung, and its lowest losses: they may be short once superfluous terms are gone."""
    ranking = Archive(len(problem.y), problem.exact)
    ranking.add(found)
    chosen = [*ranking.ranked()[:_PROMISING], *sorted(found, key=lambda r: r.loss)[:_PROMISING]]
    return list({r.structure.key: r for r in chosen}.values())


def _judged(found: Sequence[FitResult], problem: Problem, judge: Problem) -> list[FitResult]:
    """The laws without superfluous terms, the best with exponents put to round values, on the judging rows."""
    thinned = Archive(len(problem.y), problem.exact)
    thinned.add(eliminate(r, problem) for r in found)
    best = judge.fit([r.structure for r in thinned.ranked()[:_SNAPPED]], _SECOND)
    snapped = [snap(eliminate(r, judge), judge) for r in best if math.isfinite(r.loss)]
    return [*best, *snapped, *judge.fit([_with_factors(r.structure, judge) for r in snapped], _SECOND)]


def _with_factors(structure: Structure, judge: Problem) -> Structure:
    """The law with common factors in front of its sums, exponents that are round staying so."""
    equation = factored(canonicalize(structure.to_equation(), judge.primitives), judge.primitives, judge.X)
    return with_round_exponents_fixed(Structure.from_equation(equation, free_mask(equation, judge.primitives)))


def _confirmation(leader: FitResult, n_since: int, judge: Problem) -> bool:
    """Whether a law explains most of the variance, leaves nothing but noise, and has stood long enough.

    A law with exponents that are not round, or many coefficients, stands longer: it may be an interpolation.
    """
    if len(judge.y) < MANY_ROWS:  # which no test of noise is sharp enough for
        return False
    is_tight = not n_loose(leader.structure) and leader.structure.n_free <= _TIGHT
    needed = _CONFIRMED_BY if is_tight else _CONFIRMED_LOOSE
    return n_since >= needed and leader.loss < _MOST * float(judge.y.var()) and is_white(leader.structure, judge)


@dataclass
class _Entrant:
    """A structure under a link, on its way through the rounds of a rung."""

    place: LinkedProblem
    structure: Structure
    loss: float = math.inf  # in units of the target, to first order


def _try(
    rung: Rung,
    palettes: dict[str, Palette],
    places: dict[str, LinkedProblem],
    problem: Problem,
    deadline: float = math.inf,
) -> tuple[list[FitResult], int]:
    """The rung's best laws for the target itself, and how many structures were tried."""
    entrants: list[_Entrant] = []
    for name in rung.links:
        if name in places:
            drawn = rung.structures(palettes[name], problem.primitives, problem.max_free, name == "exp")
            entrants += [_Entrant(places[name], structure) for structure in drawn]
    n_starts = len(entrants)
    alive = _round(entrants, problem, _FIRST, max(3 * _KEPT, n_starts // 4))
    for n_kept in (max(_KEPT, n_starts // 12), _KEPT):
        if time.time() < deadline:
            alive = _round(alive, problem, _SECOND, n_kept)
    laws = [entrant.place.wrap(entrant.structure) for entrant in alive[:_KEPT]]
    laws = [law for law in laws if law is not None and max(law.depths, default=0) <= problem.max_depth + _DEEPER]
    if rung.round_exponents:  # which are free again after wrapping
        laws = [with_round_exponents_fixed(law) for law in laws]
    return [r for r in problem.fit(laws, _LAST) if math.isfinite(r.loss)], n_starts


def _round(entrants: list[_Entrant], problem: Problem, steps: int, n_kept: int) -> list[_Entrant]:
    """Fit all under their links, in one batch, and keep the best."""
    if not entrants:
        return []
    inner = [entrant.place.inner for entrant in entrants]
    weighted = any(p.sample_weight is not None for p in inner)
    ones = torch.ones_like(problem.y)
    fitted = levenberg_marquardt(
        [entrant.structure for entrant in entrants],
        problem.primitives,
        problem.X,
        torch.stack([p.y for p in inner]),
        torch.stack([ones if p.sample_weight is None else p.sample_weight for p in inner]) if weighted else None,
        max_iter=steps,
        floor=torch.tensor([p.exact / 100 for p in inner], dtype=torch.float64),
    )
    results = [_Entrant(e.place, r.structure, r.loss * e.place.factor) for e, r in zip(entrants, fitted, strict=True)]
    return sorted((e for e in results if math.isfinite(e.loss)), key=lambda e: e.loss)[:n_kept]
