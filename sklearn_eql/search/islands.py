"""The search for one target: islands of structure search and gradient-trained trials, spread over jobs."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sklearn_eql._garbage import known_objects_left_alone
from sklearn_eql._threads import single_threaded
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.ladder.climb import LADDER, Climb, climb
from sklearn_eql.ladder.families import GROWTH, Family
from sklearn_eql.ladder.written import written_beside, written_family
from sklearn_eql.ladder.zero_rows import has_one_sign
from sklearn_eql.language.writer import Proposals
from sklearn_eql.laws.finishing import by_promise, finish, rerank
from sklearn_eql.laws.judging import SAMPLE_ROWS, Table
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.dense_trials import GradientSettings, train_trials
from sklearn_eql.search.evolution import EvolutionResult, EvolutionSettings, evolve
from sklearn_eql.sparse.admission import Admission
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.columns import Columns, further_columns
from sklearn_eql.sparse.elimination import eliminating, simplify
from sklearn_eql.sparse.in_step import in_step
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem, Scaling, make_problem
from sklearn_eql.sparse.rows import RowView, extremes
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import Deadline, StopReason, flag_of_interruption, interruption_ignored
from sklearn_eql.symbolic.canonical import free_mask, rescale
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.equation import Equation, Frame
from sklearn_eql.symbolic.frames import FAR, TOO_FAR, frame_of, in_own_units, reframed

_FINISHED_EXACT, _FINISHED_NOISY = (
    4,
    16,
)  # members by score, and by promise, that are refined beside the accuracy/size front
_N_ELIMINATED = 2  # members by score that lose superfluous terms before they are refined
_N_SHORTER = 6  # members of the front below an exact law that are refined
_FURTHER_CLIMBS = 2  # with other columns of a wide table
_ENDED = (StopReason.EXACT, StopReason.NOISE, StopReason.INTERRUPTED)  # no further search can do better
_BRIEF_FAMILIES = 8  # of the ladder: up to functions of one monomial
_BRIEF_SHARE = 0.3  # of the time
_CHEAP_FAMILIES = 4  # up to the cubic form
_READABLE_DIGITS, _READABLE_LOSS = 6, 1e-3  # what a reader keeps of a constant, and may lose of the law
_SUBNORMAL = float(np.finfo(np.float64).smallest_subnormal)  # absolute rounding error of the smallest numbers
_OPENING_GENERATIONS = 2  # generations
_FINISHING_SHARE, _FINISHING_SECONDS = 0.2, 10.0  # of max_time, kept for refinement
_N_SEEDS = 32  # laws of the ladder that evolution starts from
_RERANKED_PER_SIZE = 20  # members of each size, as the archive of one island keeps
_N_RERANKED = 96  # members by score that are refitted on more rows than the search saw, beside the front


@dataclass(frozen=True)
class SearchSettings:
    """Everything a search needs beside data and seed."""

    primitives: Mapping[str, Primitive]
    copies: Mapping[str, int]
    n_hidden_layers: int
    method: str  # "evolution", "gradient", or "auto": evolution, then gradient if no exact law was found
    evolution: EvolutionSettings
    gradient: GradientSettings | None  # None where the method is evolution
    n_families: int | None  # of the ladder; None for all
    n_islands: int
    max_rows: int
    scale: bool
    resolution: float  # relative rounding error of the data
    device: str  # where structures are fitted, pairs judged and networks trained
    n_jobs: int | None
    verbose: int
    proposals: Proposals | None = None  # laws that a network writes, among the first families of the ladder
    admission: Admission | None = None  # which structures may be laws; all by default

    @property
    def families(self) -> tuple[Family, ...]:
        """Of the ladder, with that of written laws after those that cost least."""
        chosen = LADDER[: self.n_families]
        if self.proposals is None:
            return chosen
        return (*chosen[:_CHEAP_FAMILIES], written_family(self.proposals), *chosen[_CHEAP_FAMILIES:])


@dataclass(frozen=True)
class SearchResult:
    """Laws found for one target."""

    front: list[Law]  # by complexity
    stop_reason: StopReason
    n_iter: int  # generations, or optimiser steps
    loss_curve: list[float]  # best relative loss after each
    n_rows: int
    interrupted: bool


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
    first, last = _frames(X, y, settings)
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
    kept = [law for law in outer.front if _is_readable(law, sample, settings.primitives)]
    if kept and outer.stop_reason == StopReason.EXACT and kept[-1].level <= kept[-1].exact:
        return replace(outer, front=kept)
    return _merged(replace(outer, front=kept), _search_in(last, *rows, settings, initial, seed, deadline))


def _sample_of(X: np.ndarray | RowView) -> np.ndarray:
    """Rows from the whole table, about as many as laws are finished on."""
    return X[:: max(1, len(X) // SAMPLE_ROWS)]


def _is_readable(law: Law, X: np.ndarray, primitives: Mapping[str, Primitive]) -> bool:
    """Whether the law with constants of six digits is still that law, to a thousandth of the spread of its values.

    Far from the data's zero ``3*(x - 2460000)`` is a small difference of large numbers, which a reader cannot use.
    """
    values = [float(f"{c:.{_READABLE_DIGITS - 1}e}") for c in law.equation.coefficients()]
    rounded = law.equation.with_coefficients(np.array(values))
    values = law.equation.evaluate(X, primitives)
    unit = float(np.abs(values).max()) or 1.0
    difference = rounded.evaluate(X, primitives) / unit - values / unit
    return bool(np.sqrt(np.mean(difference**2)) <= _READABLE_LOSS * np.std(values / unit) + _SUBNORMAL)


def _frames(X: np.ndarray | RowView, y: np.ndarray, settings: SearchSettings) -> tuple[Frame | None, Frame | None]:
    """Where to look for a law first, briefly, and then: with as few and with as many origins as make sense."""
    X, y = np.stack(extremes(X)), np.array([y.min(), y.max()])  # which is all that matters
    if not settings.scale:
        return (frame_of(X, y, math.inf),) * 2
    last = frame_of(X, y, FAR)
    return (last if settings.method == "gradient" else frame_of(X, y, TOO_FAR)), last


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
        resolution = max(resolution, *(_SUBNORMAL / size for size in sizes if size))
        X, y = frame.inside(X[:]), y / frame.y_unit
    has_jumps = any(settings.primitives[name].has_jumps for name in settings.copies)
    scaling = Scaling.of(X, y, settings.scale, resolution, sample_weight, binary=has_jumps)
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
    )
    problem = with_rows(max_rows=settings.max_rows)
    judge = with_rows(max_rows=max(settings.max_rows, SAMPLE_ROWS))
    table = Table(
        X, y, sample_weight, scaling, settings.primitives, seed, deadline, settings.device, settings.admission
    )
    seeds = np.random.SeedSequence(seed).generate_state(settings.n_islands).tolist()
    before = [reframed(law.equation, frame, settings.primitives) for law in initial]
    starts = [_scaled_structure(equation, scaling, settings.primitives) for equation in before if equation is not None]
    tasks = _tasks(problem, judge, settings, starts, seeds)
    parallel = len(tasks) > 1 and effective_n_jobs(settings.n_jobs) > 1
    run = partial(_in_parallel, n_jobs=settings.n_jobs) if parallel else _in_turn
    histories: list[list[EvolutionResult]] = []  # per task, its searches in order
    interrupted = False
    try:
        with closing(run(tasks, search_until)) as results:
            for history in results:
                histories.append(history)
                interrupted |= history[-1].stop_reason == StopReason.INTERRUPTED
                if history[-1].stop_reason in (StopReason.EXACT, StopReason.NOISE):
                    break
    except KeyboardInterrupt:
        if not histories:
            raise
        interrupted = True
    with single_threaded():
        laws, stopped = _collect([run for history in histories for run in history], table, judge, deadline)
    interrupted |= stopped
    if not laws:
        raise AllTrialsFailedError(
            "No trial ended with a law that is finite on every row. Check X and y for extreme values, allow more "
            "functions (functions='default'), or raise n_trials, n_generations or max_time."
        )
    best = min(histories, key=lambda history: min((run.loss_curve[-1:] or (math.inf,))[0] for run in history))
    reason = StopReason.INTERRUPTED if interrupted else best[-1].stop_reason
    if reason == StopReason.EXACT and not any(table.is_met(law.equation) for law in laws):
        reason = StopReason.SAMPLE
    if frame is not None:
        laws = shortlist([_framed(law, frame, given, settings.primitives) for law in laws], len(table.y))
    n_iter = sum(run.n_generations for history in histories for run in history)
    loss_curve = [loss for run in best for loss in run.loss_curve]
    return SearchResult(laws, reason, n_iter, loss_curve, len(table.y), interrupted)


def _tasks(
    problem: Problem, judge: Problem, settings: SearchSettings, starts: list[Structure], seeds: list[int]
) -> list[Callable[[Deadline], list[EvolutionResult]]]:
    """What there is to run, each until the deadline it is given."""
    tasks: list[Callable[[Deadline], list[EvolutionResult]]] = []
    if settings.method in ("evolution", "auto"):
        tasks += [partial(_search_island, problem, judge, settings, starts, i, s) for i, s in enumerate(seeds)]
    if settings.method in ("gradient", "auto"):
        tasks.append(partial(_train_trials, problem, settings, seeds[0]))
    return tasks


def _in_turn(tasks, until: float) -> Iterator[list[EvolutionResult]]:
    """Results of all tasks in this thread, where Ctrl-C is an exception inside the task, which returns what it has."""
    for task in tasks:
        history = task(Deadline(until))
        yield history
        if history[-1].stop_reason == StopReason.INTERRUPTED:
            return


def _in_parallel(tasks, until: float, n_jobs: int | None) -> Iterator[list[EvolutionResult]]:
    """Results of all tasks in order, computed by joblib. Where one is interrupted the others end, too.

    Ctrl-C reaches this process, which asks the workers for their results; see :mod:`sklearn_eql.stopping`. So they are
    asked where no further result is wanted: joblib would end the processes themselves, and warn of it.
    """
    with flag_of_interruption() as flag:
        jobs = (delayed(_in_worker)(task, Deadline(until, str(flag)), os.getpid()) for task in tasks)
        with interruption_ignored():
            results = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="n_jobs")(jobs)
        try:
            for history in results:
                if history[-1].stop_reason == StopReason.INTERRUPTED:
                    flag.touch()
                yield history
        except GeneratorExit:
            flag.touch()
            for _ in results:
                pass
            raise
        except BrokenExecutor as error:
            if not flag.exists():
                raise
            raise KeyboardInterrupt from error  # a worker that was none of ours yet got the Ctrl-C, too


def _in_worker(task, deadline: Deadline, parent: int) -> list[EvolutionResult]:
    with nullcontext() if os.getpid() == parent else interruption_ignored():
        return task(deadline)


@known_objects_left_alone()  # in a worker, too
def _search_island(
    problem: Problem,
    judge: Problem,
    settings: SearchSettings,
    starts: list[Structure],
    island: int,
    seed: int,
    deadline: Deadline,
) -> list[EvolutionResult]:
    """The ladder (on the first island), then evolution from what it found if that is no law yet."""
    report = _reporter(f"island {island}") if settings.verbose else None
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
    report: Callable[[int | str, FitResult], None] | None,
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


def _train_trials(problem: Problem, settings: SearchSettings, seed: int, deadline: Deadline) -> list[EvolutionResult]:
    with single_threaded():
        return [train_trials(problem, settings.gradient, seed, deadline, settings.verbose)]


def _framed(law: Law, frame: Frame, X: np.ndarray, primitives: Mapping[str, Primitive]) -> Law:
    """A law that was found in a frame, as the user reads it."""
    equation = in_own_units(replace(law.equation, frame=frame), X, primitives)
    sources = {source for form in equation.forms() for source, _ in form}
    n_origins = sum(origin != 0 and f in sources for f, origin in enumerate(frame.origins, start=1))
    return replace(
        law,
        equation=equation,
        loss=law.loss * frame.y_unit * frame.y_unit,  # infinite, not an error, for y of 1e200
        complexity=equation_complexity(equation, primitives),
        n_symbols=law.n_symbols + 2 * n_origins,
    )


def _scaled_structure(equation: Equation, scaling: Scaling, primitives: Mapping[str, Primitive]) -> Structure:
    """A law of an earlier fit in the units of this search."""
    equation = rescale(replace(equation, frame=None), 1 / scaling.x, 1 / scaling.y, primitives)
    return Structure.from_equation(equation, free_mask(equation, primitives))


def _reporter(name: str):
    start = time.time()

    def report(stage: int | str, leader) -> None:
        what = f"generation {stage}" if isinstance(stage, int) else stage
        print(
            f"[sklearn_eql] {name}, {what}: relative loss {leader.loss:.3g}, "
            f"size {leader.structure.size}, {time.time() - start:.1f} s",
            file=sys.stderr,
        )

    return report


def _collect(runs: list[EvolutionResult], table: Table, judge: Problem, deadline: float) -> tuple[list[Law], bool]:
    """Refined laws of all islands, and whether Ctrl-C cut that short."""
    merged = Archive(len(table.y), table.exact, per_size=_RERANKED_PER_SIZE, admission=table.admission)
    for run in runs:
        merged.merge(run.archive)
    best = merged.ranked()[:_N_ELIMINATED]
    shorter = in_step([eliminating(result, judge) for result in best], judge)
    for old, new in zip(best, shorter, strict=True):  # a search that ran out of time has left terms of no use
        merged.keep(replace(new, trial=old.trial))
    ranked = merged.ranked()
    if ranked and ranked[0].loss < merged.exact:
        best = ranked[0]
        shorter = [r for r in merged.front() if r.structure.size < best.structure.size]
        chosen = [*ranked[:_FINISHED_EXACT], *shorter[-_N_SHORTER:]]
    else:
        merged = rerank(merged, table, _N_RERANKED, deadline)
        promising = by_promise(merged, table, deadline)[:_FINISHED_NOISY]
        chosen = [*promising, *merged.ranked()[:_FINISHED_NOISY], *merged.front()]
    return finish({r.structure.key: r for r in chosen}.values(), table, deadline)
