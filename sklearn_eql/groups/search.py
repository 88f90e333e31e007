"""The search for one law of many groups.

Forms come from climbs of the ladder, each on the rows of one group (the lead) or on those of all, where what is found
is judged on all groups (`JointProblem`), and from an evolution under the same judgement. The best forms are then
fitted to all rows, with all constants own; which of them are shared is told by the fit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np

from sklearn_eql._garbage import known_objects_left_alone
from sklearn_eql._threads import single_threaded
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.groups.asked import Asked
from sklearn_eql.groups.competition import Competition
from sklearn_eql.groups.constant_laws import with_laws_of_groups
from sklearn_eql.groups.fitted_form import Rows
from sklearn_eql.groups.joint_problem import GroupRows, JointProblem
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.limits import with_exponentials
from sklearn_eql.groups.moment import LawsOfTheMoment, tell
from sklearn_eql.ladder.climb import climb
from sklearn_eql.laws.law import shortlist
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.evolution import evolve
from sklearn_eql.search.framing import scaled_structure
from sklearn_eql.search.reports import LawWriter, Report, report_to
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.admission import all_of
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.columns import Columns
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem, Scaling, make_problem, weighted_variance
from sklearn_eql.sparse.program import SourceRows
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import Deadline, StopReason
from sklearn_eql.symbolic.canonical import rescale
from sklearn_eql.symbolic.equation import Equation, Frame
from sklearn_eql.symbolic.frames import FAR, frame_of, reframed
from sklearn_eql.units.admission import UnitsAdmission

_N_PARTS = 8  # groups, those of most rows, that structures are judged on
_N_LEADS = 3  # groups that a climb begins from
_SEARCH_SHARE = 0.55  # of the time, for climbs and evolution
_POOL_SHARE = 0.15  # of the time, for laws with the same constants everywhere
_MOST_ROWS = 20_000  # on which constants are told apart
_N_FORMS = 40  # fitted to all groups, beside the front
_N_SEEDS = 32  # structures that evolution starts from
_GENERATIONS = 3  # the joint evolution has one of this many of the generations: each is fitted to all groups


def search_groups(
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None,
    groups: np.ndarray,
    settings: SearchSettings,
    seed: int,
    deadline: float,
    values: np.ndarray | None = None,
    starts: Sequence[Equation] = (),
) -> SearchResult:
    """Find laws of all groups: those on the front are of :class:`GroupLaw`.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,);  weight : ndarray (n_samples,) or None
    groups : ndarray (n_samples,) of int
        From 0, without a gap among the rows with weight.
    settings : SearchSettings
    seed : int
    deadline : float
        Value of ``time.time()``.
    values : ndarray (G, F), optional
        Numbers of the groups, or their features, of which their constants may be laws.
    starts : sequence of Equation
        Laws over the features to judge first, whose constants are those of any group.
    """
    if settings.units is not None:
        fitting = UnitsAdmission(settings.units, settings.primitives)
        settings = replace(settings, admission=all_of([settings.admission, fitting]))
    frame = frame_of(np.stack([X.min(axis=0), X.max(axis=0)]), np.array([y.min(), y.max()]), FAR)
    if frame is not None:
        X, y = frame.inside(X), y / frame.y_unit
    with single_threaded(), known_objects_left_alone():
        finder = _Finder(X, y, weight, groups, settings, frame, starts, seed, deadline)
        results = finder.run()
        laws = finder.laws(values)
    if not laws:
        asked = settings.admission is not None or settings.demands is not None
        raise AllTrialsFailedError(
            f"No form {'that obeys the constraints and units ' if asked else ''}is finite on every row of every group. "
            f"Check X and y for extreme values, {'ask for less, ' if asked else ''}allow more functions "
            "(functions='default'), or raise max_time."
        )
    laws = [law.in_own_units(frame, X, groups) for law in laws]
    reason = StopReason.INTERRUPTED if finder.interrupted else results
    return SearchResult(laws, reason, finder.n_iter, finder.loss_curve, len(y), finder.interrupted)


class _Finder:
    """One search."""

    def __init__(
        self, X, y, weight, groups, settings: SearchSettings, frame: Frame | None, starts, seed: int, deadline: float
    ) -> None:
        self.X, self.y, self.groups, self.settings, self.seed, self.frame = X, y, groups, settings, seed, frame
        self.y_unit = 1.0 if frame is None else frame.y_unit
        self.weight = np.ones(len(y)) if weight is None else weight / weight[weight > 0].mean()
        self.deadline = deadline
        self.scaling = Scaling.of(X, y, settings.scale, settings.resolution, weight)
        self.demands, self.units = settings.demands, (frame, self.scaling.x, self.scaling.y)
        self.rng = np.random.default_rng(seed)
        self.n_iter, self.loss_curve, self.interrupted = 0, [], False
        self.archives: list[Archive] = []
        self.sizes = np.bincount(groups, weights=self.weight > 0).astype(int)
        spread = [np.ptp(y[groups == g]) for g in range(len(self.sizes))]
        self.order = np.lexsort((-np.array(spread), -self.sizes)).tolist()  # groups with most rows, then widest range
        moved = (reframed(equation, frame, settings.primitives) for equation in starts)
        self.starts = [scaled_structure(e, self.scaling, settings.primitives) for e in moved if e is not None]
        self.columns = Columns.of(X, y, seed, self._until(_SEARCH_SHARE), weight)

    def _until(self, share: float) -> float:
        return time.time() + share * (self.deadline - time.time()) if math.isfinite(self.deadline) else math.inf

    def run(self) -> StopReason:
        """Fill the archives; why that ended."""
        until = self._until(_SEARCH_SHARE)
        reason, leaders = StopReason.FAMILIES, set()
        try:
            for problem, share in self._problems(until):
                report = self._report(problem)
                limit = Deadline(until if share is None else min(until, self._until(share)))
                families = self.settings.families
                options = {"families": families, "seeds": self.starts, "deadline": limit, "report": report}
                found = climb(problem, problem, self.seed, **options)
                self._keep(found.archive, found.loss_curve)
                reason = found.stop_reason
                if reason == StopReason.INTERRUPTED:
                    self.interrupted = True
                    return reason
                is_joint = isinstance(problem, JointProblem)  # differences of groups are noise to a law of all rows
                if reason == StopReason.EXACT or (reason == StopReason.NOISE and is_joint):
                    return reason
                if is_joint and found.archive.members and reason == StopReason.FAMILIES:
                    leader = found.archive.ranked()[0].structure.key
                    if leader in leaders:  # two groups lead to one form: that is as sure as it gets
                        return reason
                    leaders.add(leader)
            problem = self._joint(self.order[0], until)
            evolution = self.settings.evolution
            n_generations = min(evolution.n_generations, max(1, evolution.n_generations // _GENERATIONS))
            evolution = replace(evolution, n_generations=n_generations)
            if time.time() < until and evolution.n_generations:
                ranked = [r.structure for archive in self.archives for r in archive.ranked()[:_N_SEEDS]]
                found = evolve(
                    problem,
                    self.seed,
                    evolution,
                    seeds=[*self.starts, *ranked],
                    deadline=Deadline(until),
                    report=self._report(problem),
                )
                self._keep(found.archive, found.loss_curve)
                self.interrupted |= found.stop_reason == StopReason.INTERRUPTED
                return found.stop_reason
        except KeyboardInterrupt:
            if not self.archives:
                raise
            self.interrupted = True
        return StopReason.MAX_TIME if time.time() > until else reason

    def _report(self, problem: Problem) -> Report | None:
        if self.settings.watched is None:
            return None
        writer = LawWriter(problem, self.frame, self.settings.watched.names)
        asked = Asked(self.settings, self.frame)
        about = (self.X, self.y, self.weight, self.groups, self.scaling, asked, self.y_unit)
        return report_to(self.settings.watched, writer, front_of=LawsOfTheMoment(*about))

    def _tell(self, laws: list[GroupLaw]) -> None:
        if self.settings.watched is not None:
            tell(self.settings.watched, laws, self.frame, self.X, self.groups, self.settings.primitives)

    def _keep(self, archive: Archive, curve) -> None:
        self.archives.append(archive)
        self.n_iter += len(curve)
        self.loss_curve += list(curve)

    def _problems(self, until: float) -> Iterator[tuple[Problem, float | None]]:
        if len(self.sizes) > 1:
            yield self._plain(np.arange(len(self.y)), until), _POOL_SHARE
        for lead in self.order[: min(_N_LEADS, len(self.order))]:
            yield self._joint(lead, until), None

    def _plain(self, rows: np.ndarray, until: float) -> Problem:
        rows = rows[self.weight[rows] > 0]
        weight = self.weight[rows]
        return make_problem(
            self.X[rows],
            self.y[rows],
            None if (weight == weight[0]).all() else weight,
            self.scaling,
            self.settings.primitives,
            self.settings.copies,
            self.settings.n_hidden_layers,
            self.settings.max_rows,
            self.seed,
            columns=None if len(rows) < len(self.y) else self.columns,
            deadline=until,
            device=self.settings.device,
            admission=self.settings.admission,
            behaviour=None if self.demands is None else self.demands.of_candidates.in_units(*self.units),
        )

    def _joint(self, lead: int, until: float) -> JointProblem:
        plain = self._plain(np.flatnonzero(self.groups == lead), until)
        others = [self._rows_of(g) for g in self.order[:_N_PARTS] if g != lead]
        own = {field.name: getattr(plain, field.name) for field in fields(Problem)}
        return JointProblem(**own, others=tuple(others), seed=self.seed)

    def _rows_of(self, group: int) -> GroupRows:
        part = self._plain(np.flatnonzero(self.groups == group), math.inf)
        return GroupRows(SourceRows(part.X, self.settings.primitives), part.y, part.sample_weight)

    def laws(self, values: np.ndarray | None) -> list[GroupLaw]:
        """The best forms, with their constants told apart, as laws of all rows."""
        asked = Asked(self.settings, self.frame)
        every = self._rows(np.arange(len(self.y)), asked)
        few = every if len(self.y) <= _MOST_ROWS else self._rows(self._sample(), asked)
        competition = Competition(asked, every, few, self.y_unit, self.deadline, self.seed, self._tell)
        laws = competition.laws(self._equations())
        if values is not None:
            laws = self._with_laws_of_groups(laws, values, every, competition)
        self.interrupted |= competition.interrupted
        return laws

    def _with_laws_of_groups(
        self, laws: list[GroupLaw], values: np.ndarray, every: Rows, competition: Competition
    ) -> list[GroupLaw]:
        """The laws, the one of shortest description with laws of the group for its constants, if there are any."""
        best = min(laws, key=lambda law: law.description_length(every.n_rows), default=None)
        if best is None or not best.n_own:
            return laws
        try:
            found = with_laws_of_groups(best, every, values, self.settings, self.seed, self.deadline)
        except KeyboardInterrupt:
            self.interrupted = True
            return laws
        found = competition.obeying(found, best)
        return shortlist([*(law for law in laws if law is not best), best, found], every.n_rows)

    def _equations(self) -> Iterator[tuple[Equation, float]]:
        """Equations of the archives, with their numbers of symbols, the best first."""
        for structure in self._ranked():
            with np.errstate(all="ignore"):
                equation = rescale(structure.to_equation(), self.scaling.x, self.scaling.y, self.settings.primitives)
                near = list(with_exponentials(equation, self.settings.primitives))
            for form in (equation, *near):
                yield form, structure.n_symbols

    def _sample(self) -> np.ndarray:
        per_group = max(_MOST_ROWS // len(self.sizes), 20)
        order = self.rng.permutation(len(self.y))
        order = order[np.argsort(self.groups[order], kind="stable")]
        first = np.searchsorted(self.groups[order], np.arange(len(self.sizes)))
        rank = np.arange(len(order)) - first[self.groups[order]]
        return np.sort(order[rank < per_group])

    def _rows(self, rows: np.ndarray, asked: Asked) -> Rows:
        rows = rows[self.weight[rows] > 0]
        weight = self.weight[rows]
        grouped = GroupedRows.of(self.X[rows], self.y[rows], weight, self.groups[rows])
        variance = weighted_variance(self.y[rows], weight) or 1.0
        return Rows(grouped, variance, self.scaling.exact, self.settings.primitives, self.deadline, admits=asked.admits)

    def _ranked(self) -> list[Structure]:
        """Structures of all archives under one judgement, the best first."""
        judge = self._joint(self.order[0], math.inf)
        merged = Archive.of(judge)
        for archive in self.archives:
            members: list[FitResult] = list(
                {r.structure.key: r for r in [*archive.ranked()[:_N_FORMS], *archive.front()]}.values()
            )
            merged.add(judge.fit([r.structure for r in members], 12))
        chosen = [*merged.ranked()[:_N_FORMS], *merged.front()]
        return [r.structure for r in {r.structure.key: r for r in chosen}.values()]
