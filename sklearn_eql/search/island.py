"""The search of one island: the ladder on the first one, then evolution from what it found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from sklearn_eql._garbage import known_objects_left_alone
from sklearn_eql._threads import single_threaded
from sklearn_eql.ladder.climb import Climb, climb
from sklearn_eql.ladder.families import GROWTH
from sklearn_eql.ladder.written import written_beside
from sklearn_eql.ladder.zero_rows import has_one_sign
from sklearn_eql.search.evolution import EvolutionResult, evolve
from sklearn_eql.search.reports import LawWriter, Report, report_to
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.sparse.columns import further_columns
from sklearn_eql.sparse.elimination import simplify
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import Deadline, StopReason

_FURTHER_CLIMBS = 2  # with other columns of a wide table
_ENDED = (StopReason.EXACT, StopReason.NOISE, StopReason.INTERRUPTED)  # no further search can do better
_OPENING_GENERATIONS = 2  # generations
_N_SEEDS = 32  # laws of the ladder that evolution starts from


@known_objects_left_alone()  # in a worker, too
def search_island(
    problem: Problem,
    judge: Problem,
    settings: SearchSettings,
    starts: list[Structure],
    island: int,
    seed: int,
    writer: LawWriter | None,
    deadline: Deadline,
) -> list[EvolutionResult]:
    """The ladder (on the first island), then evolution from what it found if that is no law yet."""
    report = None if writer is None else report_to(settings.watched, writer, island if settings.n_islands > 1 else None)
    evolution = settings.evolution
    runs: list[EvolutionResult] = []
    try:
        with single_threaded():
            if island == 0 and settings.families and (evolution.n_generations or settings.proposals):
                for run in _climb_by_columns(problem, judge, settings, starts, seed, deadline, report):
                    runs.append(run)
                    starts = [*starts, *(r.structure for r in run.archive.ranked()[:_N_SEEDS])]
                if runs[-1].stop_reason in _ENDED and any(run.archive.members for run in runs):
                    return runs
                if settings.proposals and runs[-1].archive.members and not deadline.passed:
                    leader = runs[-1].archive.ranked()[0].structure
                    starts = [*starts, *written_beside(leader, problem, settings.proposals)]
            runs.append(evolve(problem, seed, evolution, seeds=starts, deadline=deadline, report=report))
    except KeyboardInterrupt:
        if not runs:
            raise
        runs[-1] = replace(runs[-1], stop_reason=StopReason.INTERRUPTED)
    return runs


def _climb_by_columns(
    problem: Problem,
    judge: Problem,
    settings: SearchSettings,
    starts: list[Structure],
    seed: int,
    deadline: Deadline,
    report: Report | None,
) -> Iterator[EvolutionResult]:
    """The ladder over the likely columns, and again as long as what a law leaves over depends on further ones."""
    families = settings.families
    tried = problem.likely
    is_wide = len(tried) < np.ptp(judge.X.numpy(), axis=0).astype(bool).sum()
    if is_wide and GROWTH in families:  # which takes any number of columns
        climbed = climb(problem, judge, seed, families=(GROWTH,), seeds=starts, deadline=deadline, report=report)
        if climbed.stop_reason in (StopReason.EXACT, StopReason.INTERRUPTED):
            yield _climbed(climbed, judge, settings, deadline)
            return
        starts = [*starts, *(r.structure for r in climbed.archive.ranked()[:_N_SEEDS])]
    for last in (False,) * _FURTHER_CLIMBS + (True,):
        narrow = (problem.trying(tried), judge.trying(tried)) if is_wide else (problem, judge)
        if not has_one_sign(*narrow):  # no powers to climb with: the general search opens better
            opening = replace(
                settings.evolution, n_generations=min(_OPENING_GENERATIONS, settings.evolution.n_generations)
            )
            opened = evolve(narrow[0], seed, opening, seeds=starts, deadline=deadline, report=report)
            yield opened
            if opened.stop_reason in (StopReason.EXACT, StopReason.INTERRUPTED):
                return
            starts = [*starts, *(r.structure for r in opened.archive.ranked()[:_N_SEEDS])]
        climbed = climb(*narrow, seed, families=families, seeds=starts, deadline=deadline, report=report)
        ranked = climbed.archive.ranked()
        more: tuple[int, ...] = ()
        if (
            is_wide
            and not last
            and ranked
            and climbed.stop_reason in (StopReason.FAMILIES, StopReason.NOISE)
            and not deadline.passed
        ):
            more = _further_columns(ranked[0].structure, judge, tried, seed, deadline)
        if not more:
            yield _climbed(climbed, judge, settings, deadline)
            return
        yield replace(_climbed(climbed, judge, settings, deadline), stop_reason=StopReason.FAMILIES)
        starts, tried = [*starts, *(r.structure for r in ranked[:_N_SEEDS])], more


def _further_columns(
    structure: Structure, judge: Problem, tried: Sequence[int], seed: int, deadline: Deadline
) -> tuple[int, ...]:
    residual = judge.y.numpy() - structure.to_equation().evaluate(judge.X.numpy(), judge.primitives)
    forms = structure.forms()
    used = sorted({s - 1 for form in forms for s, _, _ in form if 0 < s <= structure.n_features})
    return further_columns(judge.X.numpy(), residual, used, tried, seed, deadline.at)


def _climbed(climbed: Climb, judge: Problem, settings: SearchSettings, deadline: Deadline) -> EvolutionResult:
    """The result of a climb, without superfluous terms where it is a law."""
    reason = climbed.stop_reason
    if reason in (StopReason.EXACT, StopReason.NOISE):
        try:
            simplify(climbed.archive, judge, settings.evolution.max_size, deadline)
        except KeyboardInterrupt:
            reason = StopReason.INTERRUPTED
    return EvolutionResult(climbed.archive, len(climbed.loss_curve), reason, climbed.loss_curve)
