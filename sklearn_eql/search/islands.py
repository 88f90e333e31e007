"""The search for one target: islands of structure search and gradient-trained trials, spread over jobs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np

from sklearn_eql._garbage import known_objects_left_alone
from sklearn_eql._threads import single_threaded
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.ladder.climb import LADDER
from sklearn_eql.ladder.residual_tests import is_white
from sklearn_eql.laws.finishing import by_promise, finish, rerank
from sklearn_eql.laws.judging import SAMPLE_ROWS, Table
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.search.dense_trials import train_trials
from sklearn_eql.search.evolution import EvolutionResult
from sklearn_eql.search.framing import SUBNORMAL, framed, frames_to_try, is_readable, scaled_structure
from sklearn_eql.search.island import search_island
from sklearn_eql.search.jobs import Task, jobs_for
from sklearn_eql.search.reports import LawWriter
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.admission import all_of
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.columns import Columns
from sklearn_eql.sparse.elimination import eliminating
from sklearn_eql.sparse.in_step import in_step
from sklearn_eql.sparse.problem import Problem, Scaling, make_problem
from sklearn_eql.sparse.rows import RowView, extremes
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import Deadline, StopReason
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.equation import Frame
from sklearn_eql.symbolic.frames import reframed

_FINISHED_EXACT, _FINISHED_NOISY = 4, 16  # members by score, and by promise, that are refined beside the front
_N_ELIMINATED = 2  # members by score that lose superfluous terms before they are refined
_N_SHORTER = 6  # members of the front below an exact law that are refined
_BRIEF_FAMILIES = 8  # of the ladder: up to functions of one monomial
_BRIEF_SHARE = 0.3  # of the time
_FINISHING_SHARE, _FINISHING_SECONDS = 0.2, 10.0  # of max_time, kept for refinement
_RERANKED_PER_SIZE = 20  # members of each size, as the archive of one island keeps
_N_RERANKED = 96  # members by score that are refitted on more rows than the search saw, beside the front


def search(
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float,
) -> SearchResult:
    """Find laws for `y` (n_samples,) over `X` (n_samples, n_features), starting from `initial` ones if there are any.

    Columns far from zero are read from an origin near the data as well, and the laws of both searches compared, unless
    the user's own zero leads to an exact law at once.
    """
    first, last = frames_to_try(X, y, settings)
    rows = (X, y, sample_weight)
    if first == last:
        return _search_in(last, *rows, settings, initial, seed, deadline)
    brief = replace(
        settings,
        evolution=replace(settings.evolution, n_generations=min(1, settings.evolution.n_generations)),
        n_families=min(_BRIEF_FAMILIES, len(LADDER) if settings.n_families is None else settings.n_families),
    )
    until = time.time() + _BRIEF_SHARE * (deadline - time.time()) if math.isfinite(deadline) else deadline
    try:
        outer = _search_in(first, *rows, brief, initial, seed, until)
    except AllTrialsFailedError:  # nothing is finite so far from the data
        return _search_in(last, *rows, settings, initial, seed, deadline)
    if outer.interrupted:
        return outer
    sample = _sample_of(X)
    kept = [law for law in outer.front if is_readable(law, sample, settings.primitives)]
    if kept and outer.stop_reason == StopReason.EXACT and kept[-1].level <= kept[-1].exact:
        return replace(outer, front=kept)
    try:
        inner = _search_in(last, *rows, settings, initial, seed, deadline)
    except AllTrialsFailedError:
        if not kept:
            raise
        return replace(outer, front=kept)
    return _merged(replace(outer, front=kept), inner)


def _sample_of(X: np.ndarray | RowView) -> np.ndarray:
    """Rows from the whole table, about as many as laws are finished on."""
    return X[:: max(1, len(X) // SAMPLE_ROWS)]


def _merged(first: SearchResult, last: SearchResult) -> SearchResult:
    """The laws of two searches; the search that found the best one tells why it ended."""
    front = shortlist([*first.front, *last.front], last.n_rows)
    best = min(front, key=lambda law: law.description_length(last.n_rows))
    reason = StopReason.INTERRUPTED if last.interrupted else (last if best in last.front else first).stop_reason
    curve = [*first.loss_curve, *last.loss_curve]
    return SearchResult(front, reason, first.n_iter + last.n_iter, curve, last.n_rows, last.interrupted)


@known_objects_left_alone()
def _search_in(
    frame: Frame | None,
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float,
) -> SearchResult:
    """Find laws in one frame.

    Seeds of all islands are drawn before any work starts and their results are taken in order, so the outcome depends
    neither on ``n_jobs`` nor on which island ends first.
    """
    search_until = deadline
    if math.isfinite(deadline):  # refinement takes its share
        search_until -= max(0.0, min(_FINISHING_SHARE * (deadline - time.time()), _FINISHING_SECONDS))
    given, resolution = _sample_of(X), settings.resolution
    if frame is not None:
        sizes = [*np.abs(extremes(X)).max(axis=0).tolist(), float(np.abs(y).max())]
        resolution = max(resolution, *(SUBNORMAL / size for size in sizes if size))
        X, y = frame.inside(X[:]), y / frame.y_unit
    has_jumps = any(settings.primitives[name].has_jumps for name in settings.copies)
    scaling = Scaling.of(X, y, settings.scale, resolution, sample_weight, binary=has_jumps)
    demands, units = settings.demands, (frame, scaling.x, scaling.y)
    with_rows = partial(
        make_problem,
        X,
        y,
        sample_weight,
        scaling,
        primitives=settings.primitives,
        copies=settings.copies,
        max_depth=settings.n_hidden_layers,
        seed=seed,
        columns=Columns.of(X, y, seed, search_until, sample_weight),
        deadline=search_until,
        device=settings.device,
        admission=settings.admission,
        behaviour=None if demands is None else demands.of_candidates.in_units(*units),
    )
    problem = with_rows(max_rows=settings.max_rows)
    judge = with_rows(max_rows=max(settings.max_rows, SAMPLE_ROWS))
    printable = all_of([settings.admission, settings.printable])
    asked = (printable, None if demands is None else demands.of_printed.in_units(*units))
    table = Table(X, y, sample_weight, scaling, settings.primitives, seed, deadline, settings.device, *asked)
    seeds = np.random.SeedSequence(seed).generate_state(settings.n_islands).tolist()
    before = [reframed(law.equation, frame, settings.primitives) for law in initial]
    starts = [scaled_structure(equation, scaling, settings.primitives) for equation in before if equation is not None]
    histories: list[list[EvolutionResult]] = []  # per task, its searches in order
    interrupted = False
    with jobs_for(_n_tasks(settings), settings.n_jobs, settings.watched) as jobs:
        settings = replace(settings, watched=jobs.watched)
        writer = LawWriter(problem, frame, jobs.watched.names, printable) if jobs.watched else None
        tasks = _tasks(problem, judge, settings, starts, seeds, writer)
        try:
            with closing(jobs.results(tasks, search_until, _was_interrupted)) as results:
                for history in results:
                    histories.append(history)
                    interrupted |= _was_interrupted(history)
                    confirmed = history[-1].stop_reason in (StopReason.EXACT, StopReason.NOISE)
                    if confirmed or (interrupted and not jobs.spread):
                        break
        except KeyboardInterrupt:
            if not histories:
                raise
            interrupted = True
    runs = [run for history in histories for run in history]
    with single_threaded():
        try:
            laws, stopped = _collect(runs, table, judge, deadline)
        except KeyboardInterrupt:  # before any law is refined
            laws, stopped = _collect(runs, table, judge, 0.0)[0], True
    interrupted |= stopped
    best = min(histories, key=lambda history: min((run.loss_curve[-1:] or (math.inf,))[0] for run in history))
    ended = StopReason.INTERRUPTED if interrupted else best[-1].stop_reason
    reason = _reason_for(ended, laws, table, None if settings.printable is None else judge)
    if frame is not None:
        laws = shortlist([framed(law, frame, given, settings.primitives) for law in laws], len(table.y))
    if demands is not None:
        most = demands.of_printed.max_complexity
        laws = [law for law in laws if most is None or equation_complexity(law.equation, settings.primitives) <= most]
        laws = [law for law in laws if demands.confirms(law.equation)]
    if not laws and not (demands is None and printable is None):
        raise AllTrialsFailedError(_nothing_admitted([run for history in histories for run in history], problem))
    if not laws:
        raise AllTrialsFailedError(
            "No trial ended with a law that is finite on every row. Check X and y for extreme values, allow more "
            "functions (functions='default'), or raise n_trials, n_generations or max_time."
        )
    n_iter = sum(run.n_generations for history in histories for run in history)
    loss_curve = [loss for run in best for loss in run.loss_curve]
    return SearchResult(laws, reason, n_iter, loss_curve, len(table.y), interrupted)


def _reason_for(ended: StopReason, laws: Sequence[Law], table: Table, judge: Problem | None) -> StopReason:
    """Why a search is over that ended as it did, for laws that are printed; `judge` where it found others as well."""
    if ended == StopReason.EXACT and not any(table.is_met(law.equation) for law in laws):
        return StopReason.SAMPLE if judge is None else StopReason.PATIENCE
    if ended == StopReason.NOISE and judge is not None:
        structures = (scaled_structure(law.equation, table.scaling, table.primitives) for law in laws)
        return ended if any(is_white(structure, judge) for structure in structures) else StopReason.PATIENCE
    return ended


def _was_interrupted(history: list[EvolutionResult]) -> bool:
    return history[-1].stop_reason == StopReason.INTERRUPTED


def _n_tasks(settings: SearchSettings) -> int:
    return (settings.method != "gradient") * settings.n_islands + (settings.method != "evolution")


def _nothing_admitted(runs: Sequence[EvolutionResult], problem: Problem) -> str:
    """What to say where no law is left that is and behaves as was asked."""
    ranked = [run.archive.ranked()[0] for run in runs if run.archive.members]
    misses = ""
    if ranked and problem.behaviour is not None:
        best = min(ranked, key=runs[0].archive.score)
        missed = problem.behaviour.missed(best.structure.to_equation(), problem.primitives)
        if missed:
            misses = f" The best law that was tried does not obey {', '.join(name for name, _ in missed)}."
    return (
        f"No law was found that obeys all constraints and units.{misses} Check that the data do, allow more functions, "
        "raise n_generations or max_time, or leave out a constraint."
    )


def _tasks(
    problem: Problem,
    judge: Problem,
    settings: SearchSettings,
    starts: list[Structure],
    seeds: list[int],
    writer: LawWriter | None,
) -> list[Task[list[EvolutionResult]]]:
    """What there is to run, each until the deadline it is given."""
    tasks: list[Task[list[EvolutionResult]]] = []
    if settings.method in ("evolution", "auto"):
        tasks += [partial(search_island, problem, judge, settings, starts, i, s, writer) for i, s in enumerate(seeds)]
    if settings.method in ("gradient", "auto"):
        tasks.append(partial(_train_trials, problem, settings, seeds[0]))
    return tasks


def _train_trials(problem: Problem, settings: SearchSettings, seed: int, deadline: Deadline) -> list[EvolutionResult]:
    with single_threaded():
        return [train_trials(problem, settings.gradient, seed, deadline, settings.watched)]


def _collect(runs: list[EvolutionResult], table: Table, judge: Problem, deadline: float) -> tuple[list[Law], bool]:
    """Refined laws of all islands, and whether Ctrl-C cut that short."""
    merged = replace(Archive.of(judge), n_rows=len(table.y), exact=table.exact, per_size=_RERANKED_PER_SIZE)
    for run in runs:
        merged.merge(run.archive)
    best = merged.ranked()[:_N_ELIMINATED]
    shorter = in_step([eliminating(result, judge) for result in best], judge)
    for old, new in zip(best, shorter, strict=True):  # a search that ran out of time has left terms of no use
        merged.keep(replace(new, trial=old.trial))
    ranked = merged.ranked()
    if ranked and ranked[0].loss < merged.exact and merged.behaves(ranked[0]):
        exact = ranked[0]
        shorter = [r for r in merged.front() if r.structure.size < exact.structure.size]
        chosen = [*ranked[:_FINISHED_EXACT], *shorter[-_N_SHORTER:]]
    else:
        merged = rerank(merged, table, _N_RERANKED, deadline)
        promising = by_promise(merged, table, deadline)
        printable = [r for r in promising if table.admission is None or table.admission.admits(r.structure)]
        likely = [*printable[:_FINISHED_NOISY], *promising[:_FINISHED_NOISY]]
        chosen = [*likely, *merged.ranked()[:_FINISHED_NOISY], *merged.front()]
    return finish({r.structure.key: r for r in chosen}.values(), table, deadline)
