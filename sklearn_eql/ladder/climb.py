"""The ladder: families of laws, each a batch of sparse networks, tried in order of cost before the general search.

A family is fitted under every outer function by successive halving: all starts get a few Levenberg-Marquardt steps, the
better ones more, the best are put under it and fitted to the target itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from sklearn_eql.ladder.families import LADDER, MANY_ROWS, Family
from sklearn_eql.ladder.outer_functions import OUTER_FUNCTIONS, InnerProblem, inner_problem
from sklearn_eql.ladder.residual_tests import is_white
from sklearn_eql.ladder.screening import log_monomials
from sklearn_eql.ladder.term_generator import TermGenerator
from sklearn_eql.ladder.zero_rows import WithoutZeros, defined_at_zero, without_zeros
from sklearn_eql.laws.common_factors import factored
from sklearn_eql.sparse.admission import Admission, n_symbols
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.bending import bend_leaders
from sklearn_eql.sparse.description_length import description_length
from sklearn_eql.sparse.elimination import eliminating
from sklearn_eql.sparse.in_step import Work, in_step
from sklearn_eql.sparse.levenberg_marquardt import FitResult, levenberg_marquardt
from sklearn_eql.sparse.problem import Problem, is_exact
from sklearn_eql.sparse.round_exponents import n_loose, snapping, with_round_exponents_fixed
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import NEVER, Deadline, StopReason
from sklearn_eql.symbolic.canonical import canonicalize, free_mask

_FIRST_STEPS, _SECOND_STEPS, _FINAL_STEPS = 4, 12, 40  # Levenberg-Marquardt steps
_SHARE_OF_LONG = 3  # of what is kept, at most, have more coefficients than the rows support but for an exact law
_SHARE_OF_SHORT = 2  # of what is kept is chosen by description length, the others by loss
_N_FINALISTS = 12  # structures per family that are fitted to the end
_OF_SOME_BEHAVIOUR = 3  # times as many where they must behave, which is not known before they are fitted
_N_EXACT, _N_PROMISING, _N_SNAPPED = 2, 3, 8  # of those, the best by description length or loss
_N_WELL_JUDGED = 8  # where they are fitted on the judging rows already
_JUDGED_AFTER = frozenset({5, *range(10, 100, 3)})  # numbers of families
_CONFIRMING, _CONFIRMING_LOOSE = 500, 3000  # structures that do not shorten the description of noisy data any further
_ROWS_PER_FEATURE = 25  # a cosine of one of eight columns passed for noise in 100 rows, and not in 200
_MAX_FREE_EARLY = 4  # free coefficients of a law that is taken for one early
_SHORTER = 1.0  # fall of the description length that counts: refits of one law move it by less; not tuned
_MAX_UNEXPLAINED = 0.5  # of the variance: less than that a law must leave over


@dataclass(frozen=True)
class Climb:
    """What the ladder led to."""

    archive: Archive  # of losses on the judging rows
    stop_reason: StopReason
    loss_curve: tuple[float, ...]  # best relative loss after each family


def climb(
    problem: Problem,
    judge: Problem,
    seed: int,
    *,
    families: Sequence[Family] = LADDER,
    seeds: Sequence[Structure] = (),
    deadline: Deadline = NEVER,
    report: Callable[[str, Sequence[FitResult]], None] | None = None,
) -> Climb:
    """Try families in order until a law is confirmed: exact, or short and with nothing but noise left over.

    Parameters
    ----------
    problem : Problem
        Rows on which starts are fitted.
    judge : Problem
        The same with more rows, for the best laws of each family.
    seed : int
        Everything random follows from it.
    families : sequence of Family
    seeds : sequence of Structure
        Laws to judge before anything else.
    deadline : Deadline
        No family starts after it.
    report : callable, optional
        Called with a family's name and all members by score.

    Rows where a column is zero are left out where they are few, and only the laws that are found are fitted to them.
    """
    options = {
        "families": [family for family in families if len(judge.y) >= family.min_rows],
        "n_rows": len(judge.y),
        "deadline": deadline,
        "report": report,
    }
    inner = without_zeros(problem, judge)
    if inner is None:
        return _climb(problem, judge, seed, seeds=seeds, **options)
    climbed = _climb(inner.problem, inner.judge, seed, seeds=seeds, **options)
    found = _on_all_rows(climbed, inner, judge, seeds)
    if found.stop_reason not in (StopReason.EXACT, StopReason.NOISE) or _is_law(found, judge):
        return found
    if ended := deadline.passed:
        return replace(found, stop_reason=ended)
    return _climb(problem, judge, seed, seeds=[r.structure for r in found.archive.ranked()], **options)


def _on_all_rows(climbed: Climb, inner: WithoutZeros, judge: Problem, seeds: Sequence[Structure]) -> Climb:
    """The laws of a climb without zeros, on all judging rows."""
    rewritten = (defined_at_zero(r.structure, inner.features, judge.primitives) for r in climbed.archive.ranked())
    archive = Archive.of(judge)
    archive.add(judge.fit([*(law for law in rewritten if law is not None), *seeds], _SECOND_STEPS))
    return replace(climbed, archive=archive)


def _is_law(found: Climb, judge: Problem) -> bool:
    """Whether what ended a climb without zeros holds for all rows."""
    if not found.archive.members:
        return False
    leader = found.archive.ranked()[0]
    if not found.archive.behaves(leader):
        return False
    if found.stop_reason == StopReason.EXACT:
        return leader.loss < judge.exact and is_exact(leader.structure, judge)
    return _is_noise_beside(leader, judge)


def _is_noise_beside(leader: FitResult, judge: Problem) -> bool:
    """Whether a law explains most of the variance, and leaves nothing but noise."""
    return leader.loss < _MAX_UNEXPLAINED * judge.variance and is_white(leader.structure, judge)


def _climb(
    problem: Problem,
    judge: Problem,
    seed: int,
    *,
    families: Sequence[Family],
    seeds: Sequence[Structure],
    n_rows: int,
    deadline: Deadline,
    report: Callable[[str, Sequence[FitResult]], None] | None,
) -> Climb:
    """A climb on given rows, of `n_rows` that there are."""
    archive = Archive.of(judge)
    archive.add(judge.fit(seeds, _SECOND_STEPS))
    places = _places(problem)
    judging_places = {name: place for name, place in _places(judge).items() if name in places}
    generators = _generators(places, problem, judge, np.random.default_rng(seed))
    curve: list[float] = []
    pending: list[FitResult] = []  # of laws that are not exact, judged every few families
    verdict, reason, has_long = _Verdict(judge, n_rows), StopReason.FAMILIES, False
    try:
        for number, family in enumerate(families):
            if ended := deadline.passed:
                reason = reason if has_long else ended
                break
            if has_long and not family.solved_starts:
                continue
            rows, where = (judge, judging_places) if family.many_rows else (problem, places)
            found, n_starts = _try(family, generators, where, rows, deadline)
            verdict.n_since += n_starts
            if any(r.loss < rows.exact for r in found):
                archive.add(_confirmed(found, rows, judge))
            else:
                if family.many_rows:
                    archive.add(_judged(_promising(found, judge, _N_WELL_JUDGED), judge, judge))
                else:
                    pending += _promising(found, problem, _N_PROMISING)
                if deadline.passed or (number not in _JUDGED_AFTER and number < len(families) - 1):
                    continue
                archive.add(_judged(pending, problem, judge))
                pending = []
            if not archive.members:
                continue
            bend_leaders(archive, judge)
            ranked = archive.ranked()
            leader = ranked[0]
            curve.append(leader.loss)
            if report:
                report(family.name, ranked)
            if archive.behaves(leader) and (confirmed := verdict.on(leader, archive.score(leader))):
                reason = confirmed
                # With nearly as many coefficients as rows, the families that are scanned may hold a shorter law.
                has_long = confirmed == "exact" and leader.structure.n_free > judge.max_free
                if has_long:
                    continue
                break
    except KeyboardInterrupt:
        if not (archive.members or pending):
            raise
        reason = StopReason.INTERRUPTED
    archive.add(judge.fit([r.structure for r in pending], _FIRST_STEPS))  # of families since the last judgement
    return Climb(archive, reason, tuple(curve))


def _places(problem: Problem) -> dict[str, InnerProblem]:
    inner = [inner_problem(problem, outer) for outer in OUTER_FUNCTIONS]
    return {place.outer.name: place for place in inner if place is not None}


def _generators(
    places: dict[str, InnerProblem], problem: Problem, judge: Problem, rng: np.random.Generator
) -> dict[str, TermGenerator]:
    """One for each outer function, all with what linear fits on the judging rows tell about exponents."""
    tried = [f - 1 for f in problem.features]
    signed = [i for i, f in enumerate(tried) if problem.signs[f]]
    rows = judge.X.numpy()[:, tried]
    hints = log_monomials(rows, judge.y.numpy(), signed, judge.x_units[tried], judge.root.numpy())
    hints = hints.spread(tried, len(problem.signs))
    return {
        name: TermGenerator(place.inner, rng, hints, place.outer.degree, judge if name == "identity" else None)
        for name, place in places.items()
    }


class _Verdict:
    """Whether the leader is taken for the law: exact, or unbeaten for long enough with nothing but noise left over."""

    def __init__(self, judge: Problem, n_rows: int) -> None:
        self.judge = judge
        self.n_rows = n_rows
        self.n_since = 0  # structures tried since the shortest description was found
        self._lowest = math.inf

    def on(self, leader: FitResult, score: float) -> str | None:
        """Why to stop, ``"exact"`` or ``"noise"``; None to go on."""
        if leader.loss < self.judge.exact:
            return StopReason.EXACT if is_exact(leader.structure, self.judge) else None
        if score < self._lowest - _SHORTER:
            self._lowest, self.n_since = score, 0
            return None
        return StopReason.NOISE if self._is_noise(leader) else None

    def _is_noise(self, leader: FitResult) -> bool:
        """Whether a law explains most of the variance, leaves nothing but noise, and has stood long enough.

        A law with exponents that are not round, or many coefficients, stands longer: it may be an interpolation.
        """
        if self.n_rows < max(MANY_ROWS, _ROWS_PER_FEATURE * len(self.judge.features)):
            return False  # no test of noise is sharp enough for so few
        is_tight = not n_loose(leader.structure) and leader.structure.n_free <= _MAX_FREE_EARLY
        if self.n_since < (_CONFIRMING if is_tight else _CONFIRMING_LOOSE):
            return False
        return _is_noise_beside(leader, self.judge)


def _confirmed(found: Sequence[FitResult], problem: Problem, judge: Problem) -> list[FitResult]:
    """The shortest of the exact laws, without superfluous terms and with round exponents, on the judging rows.

    Exponents that hardly matter on these rows end near their values, not at them.
    """
    ranking = Archive.of(problem)
    ranking.add(found)
    shorter = in_step([_settling(r, problem) for r in ranking.ranked()[:_N_EXACT]], problem)
    return judge.fit([r.structure for r in shorter], _SECOND_STEPS)


def _promising(found: Sequence[FitResult], problem: Problem, count: int) -> list[FitResult]:
    """A family's shortest descriptions, and lowest losses: these may be short once superfluous terms are gone."""
    ranking = Archive.of(problem)
    ranking.add(found)
    chosen = [*ranking.ranked()[:count], *sorted(found, key=lambda r: r.loss)[:count]]
    return list({r.structure.key: r for r in chosen}.values())


def _judged(found: Sequence[FitResult], problem: Problem, judge: Problem) -> list[FitResult]:
    """The laws without superfluous terms, the best with exponents put to round values, on the judging rows."""
    shorter = Archive.of(problem)
    shorter.add(in_step([eliminating(r, problem) for r in found], problem))
    best = judge.fit([r.structure for r in shorter.ranked()[:_N_SNAPPED]], _SECOND_STEPS)
    snapped = in_step([_settling(r, judge) for r in best if math.isfinite(r.loss)], judge)
    return [*best, *snapped, *judge.fit([_with_factors(r.structure, judge) for r in snapped], _SECOND_STEPS)]


def _settling(result: FitResult, problem: Problem) -> Work:
    """The law without superfluous terms and with round exponents, in step with others."""
    shorter = yield from eliminating(result, problem)
    return (yield from snapping(shorter, problem))


def _with_factors(structure: Structure, judge: Problem) -> Structure:
    """The law with common factors in front of its sums, exponents that are round staying so.

    Unless that takes functions which the user has not allowed: factors are written as powers of features.
    """
    equation = factored(canonicalize(structure.to_equation(), judge.primitives), judge.primitives, judge.X)
    if "pow" not in judge.copies and {u.primitive for u in equation.units} & {"pow", "exp", "log"} - set(judge.copies):
        return structure
    return with_round_exponents_fixed(Structure.from_equation(equation, free_mask(equation, judge.primitives)))


@dataclass
class _Entrant:
    """A structure under an outer function, on its way through the rounds of a family."""

    place: InnerProblem
    structure: Structure
    loss: float = math.inf  # in units of the target, to first order


def _try(
    family: Family,
    generators: dict[str, TermGenerator],
    places: dict[str, InnerProblem],
    problem: Problem,
    deadline: Deadline = NEVER,
) -> tuple[list[FitResult], int]:
    """The family's best laws for the target itself, and how many structures were tried."""
    entrants: list[_Entrant] = []
    for name in family.outers:
        if name in places:
            with_logs = places[name].outer.adds_logarithms
            for structure in family.structures(generators[name], problem.primitives, problem.max_exact, with_logs):
                entrants.append(_Entrant(places[name], structure))
                if deadline.passed:
                    break
    n_tried = len(entrants)  # what is not admitted is no rival of the leader either
    if problem.admission is not None:
        entrants = _admitted(entrants, problem.admission)
    n_starts = len(entrants)
    if family.solved_starts:  # most need no step to show that they lead nowhere, and an exact one needs none at all
        entrants = _round(entrants, problem, 0, max(8 * _N_FINALISTS, n_starts // 4))
        exact = [e for e in entrants if e.loss < problem.exact]
        entrants = exact or entrants
    alive = _round(entrants, problem, _FIRST_STEPS, max(3 * _N_FINALISTS, n_starts // 4))
    n_last = _N_FINALISTS if problem.behaviour is None else _OF_SOME_BEHAVIOUR * _N_FINALISTS
    for n_kept in (max(n_last, n_starts // 12), n_last):
        if not deadline.passed:
            alive = _round(alive, problem, _SECOND_STEPS, n_kept)
    laws = [entrant.place.wrap(entrant.structure) for entrant in alive]
    laws = [
        law for law in laws if law is not None and max(law.depths, default=0) <= problem.max_depth + family.extra_layers
    ]
    if family.round_exponents:  # which are free again after wrapping
        laws = [with_round_exponents_fixed(law) for law in laws]
    return [r for r in problem.fit(laws, _FINAL_STEPS) if math.isfinite(r.loss)], n_tried


def _admitted(entrants: list[_Entrant], admission: Admission) -> list[_Entrant]:
    """Those that are admitted as laws, under their outer functions; each form is asked for once."""
    verdicts: dict[tuple, bool] = {}
    kept = []
    for entrant in entrants:
        form = entrant.place.outer.name, entrant.structure.key
        if form not in verdicts:
            law = entrant.place.wrap(entrant.structure)
            verdicts[form] = law is not None and admission.admits(law)
        if verdicts[form]:
            kept.append(entrant)
    return kept


def _round(entrants: list[_Entrant], problem: Problem, steps: int, n_kept: int) -> list[_Entrant]:
    """Fit all under their outer functions, in one batch, and keep the best."""
    if not entrants:
        return []
    inner = [entrant.place.inner for entrant in entrants]
    weighted = any(p.sample_weight is not None for p in inner)
    ones = torch.ones_like(problem.y)
    fitted = levenberg_marquardt(
        [entrant.structure for entrant in entrants],
        problem.primitives,
        problem.rows,
        torch.stack([p.y for p in inner]),
        torch.stack([ones if p.sample_weight is None else p.sample_weight for p in inner]) if weighted else None,
        max_iter=steps,
        floor=torch.tensor([p.exact / 100 for p in inner], dtype=torch.float64),
        deadline=problem.deadline,
        device=problem.device,
    )
    results = [_Entrant(e.place, r.structure, r.loss * e.place.factor) for e, r in zip(entrants, fitted, strict=True)]
    results.sort(key=lambda e: (max(e.loss, problem.exact), e.structure.n_symbols))
    supported = [e for e in results if problem.supports(e.structure, e.loss)]
    others = [e for e in results if math.isfinite(e.loss) and not problem.supports(e.structure, e.loss)]
    shortest = sorted(supported, key=lambda e: _length(e, problem))[: n_kept // _SHARE_OF_SHORT]
    kept = {id(e): e for e in [*shortest, *supported]}
    return [*kept.values()][:n_kept] + others[: n_kept // _SHARE_OF_LONG]  # those may become exact


def _length(entrant: _Entrant, problem: Problem) -> float:
    """Description length: where there is noise, the lowest loss is that of a long law."""
    level = max(entrant.loss, problem.exact)
    symbols = n_symbols(entrant.structure, problem.admission)  # without those of the outer function
    return description_length(level, len(problem.y), entrant.structure.n_free, symbols)
