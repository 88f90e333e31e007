"""The search where features were measured with errors, too.

A search by least squares takes features as they are, so slopes come out too low. Its laws are therefore fitted again
to rows that the leading law moves onto itself, as far as their errors allow (:mod:`sklearn_eql.uncertainty.both_axes`);
constants are recognised there. Where errors of features count for some rows much more than for others, the search is
repeated with effective variances as weights. In the end every law has rows of its own, and laws are compared by their
likelihood.

Under another loss than squares the rows count, or the target scatters, as the leading law has it
(:mod:`sklearn_eql.search.measured_loss`). Laws that have to behave get constants under which they do, on moved rows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sklearn_eql.constraints.bending import bent_constants
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.islands import search
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.behaviour import Behaviour
from sklearn_eql.sparse.problem import weighted_variance
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.uncertainty.both_axes import Moved, fit_both_axes, moved_onto
from sklearn_eql.uncertainty.constants import Parameters

_SHARE_OF_TIME = 0.6  # of what is left, for each search
_UNEQUAL = 2.0  # ratio of effective variances (upper to lower decile) from which the search is repeated
_MOST_REFITS, _MOST_WEIGHTS = 3, 4  # of the weights of a loss, for one law
_MOST_LAWS = 40  # that get rows of their own

Rows = tuple[np.ndarray, np.ndarray, np.ndarray | None]
Find = Callable[[Rows, float], SearchResult]
"""A search, of rows until a time."""


@dataclass(frozen=True)
class MeasuredResult(SearchResult):
    """Laws, and the rows moved onto each."""

    moved: tuple[Moved, ...] = ()


@dataclass(frozen=True)
class Measured:
    """Rows with errors.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
    weight : ndarray (n_samples,)
        How often each row counts.
    x_error : ndarray (n_samples, n_features)
        Standard deviations.
    y_error : ndarray (n_samples,) or None
        Standard deviations, where they are known.
    scale : ndarray (n_samples,) or None
        By which the standard deviation of the target differs from row to row, where it is not known.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    x_error: np.ndarray
    y_error: np.ndarray | None
    scale: np.ndarray | None = None

    def part(self, rows: np.ndarray) -> Measured:
        """Some of the rows."""
        known = (None if values is None else values[rows] for values in (self.y_error, self.scale))
        return Measured(self.X[rows], self.y[rows], self.weight[rows], self.x_error[rows], *known)

    @property
    def plain(self) -> Rows:
        """Without the errors."""
        return self.X, self.y, self.weight

    @property
    def plain_weight(self) -> np.ndarray:
        """Of least squares that take the features as they are."""
        error = self.y_error if self.y_error is not None else self.scale
        return self.weight if error is None else self.weight / error**2

    @property
    def variance(self) -> float:
        """Of the target."""
        return weighted_variance(self.y, self.weight) * float(self.weight.mean()) or 1.0

    def beside(self, parameters: Parameters, primitives) -> Moved:
        """The rows moved onto a law as it is."""
        rows = (self.X, self.y, self.weight, self.x_error, self.y_error)
        scale = 1.0 if self.scale is None else self.scale
        with np.errstate(all="ignore"):
            return moved_onto(parameters.law, parameters.values, *rows, primitives, scale=scale)

    def onto(
        self,
        parameters: Parameters,
        primitives,
        deadline: float,
        *,
        everything: bool = False,
        behaviour: Behaviour | None = None,
    ) -> tuple[np.ndarray, Moved] | None:
        """Numbers of a law ``(P,)`` that errors on both axes give it, and the rows moved onto it.

        Recognised numbers stay, unless `everything` is fitted. None where the law is not finite, or does not behave.
        """
        chosen, start = parameters.law, parameters.values
        if not everything:
            chosen, start = parameters.tied(parameters.groups)
        rows = (self.X, self.y, self.weight, self.x_error, self.y_error)
        scale = 1.0 if self.scale is None else self.scale
        found, moved = fit_both_axes(chosen, start, *rows, primitives, scale=scale, deadline=deadline)
        values = found if everything else np.where(parameters.fitted, parameters.groups @ found, parameters.values)
        if behaviour is not None and math.isfinite(moved.log_likelihood_loss(self.weight)):
            there = GroupedRows.of(moved.X, moved.y, self.weight / moved.variance)
            bent = bent_constants(parameters.law, values, there, behaviour, primitives, deadline=deadline)
            if bent is None:
                return None
            if bent is not values:
                values = bent
                moved = moved_onto(parameters.law, values, *rows, primitives, scale=scale, places=moved.X)
        return (values, moved) if math.isfinite(moved.log_likelihood_loss(self.weight)) else None


class Laws(Protocol):
    """How laws of a search have numbers, and other ones."""

    def parameters(self, law: Law) -> Parameters:
        """The numbers of a law."""

    def with_values(self, law: Law, values: np.ndarray) -> Law | None:
        """The law with other numbers ``(P,)``; None where it cannot be written."""

    def recognised(self, result: SearchResult, rows: Measured, moved: Moved, deadline: float) -> list[Law]:
        """The laws fitted, and their constants recognised, on moved rows."""

    def as_result(self, result: MeasuredResult) -> MeasuredResult:
        """The result with what else is known of its laws."""


@dataclass(frozen=True)
class SearchedLaws:
    """Laws that the search wrote."""

    settings: SearchSettings
    seed: int

    def parameters(self, law: Law) -> Parameters:
        """See :class:`Laws`."""
        return Parameters.of(law.equation, self.settings.primitives)

    def with_values(self, law: Law, values: np.ndarray) -> Law | None:
        """See :class:`Laws`."""
        parameters = self.parameters(law)
        return replace(law, equation=parameters.with_values_in(law.equation, values, self.settings.primitives))

    def recognised(self, result: SearchResult, rows: Measured, moved: Moved, deadline: float) -> list[Law]:
        """See :class:`Laws`."""
        no_search = replace(
            self.settings, method="evolution", n_families=0, proposals=None, n_islands=1,
            evolution=replace(self.settings.evolution, n_generations=0),
        )  # fmt: skip
        weight = rows.weight / moved.variance
        try:
            again = search(moved.X, moved.y, weight / weight.max(), no_search, result.front, self.seed, deadline)
        except AllTrialsFailedError:
            return []
        return again.front

    def as_result(self, result: MeasuredResult) -> MeasuredResult:
        """See :class:`Laws`."""
        return result


Reweigh = Callable[[Measured, Moved], Measured]
"""The rows as a loss has them beside a law that they are moved onto."""


def search_measured(
    find: Find,
    rows: Measured,
    settings: SearchSettings,
    laws: Laws,
    deadline: float,
    reweigh: Reweigh | None = None,
) -> tuple[MeasuredResult, Measured]:
    """Laws of rows with errors in features, and the rows as the loss has them.

    Parameters
    ----------
    find : callable
        The search.
    rows : Measured
    settings : SearchSettings
    laws : Laws
    deadline : float
        Value of ``time.time()``.
    reweigh : callable, optional
        Of another loss than squares.
    """
    primitives = settings.primitives
    result = find((rows.X, rows.y, rows.plain_weight / rows.plain_weight.max()), _part(deadline))
    fronts, given = [result.front], rows

    def moved_by(result: SearchResult, rows: Measured) -> tuple[Moved | None, Measured]:
        """Rows moved onto the leading law, and the rows as the loss has them beside it."""
        found, numbers = None, laws.parameters(_leader(result))
        for _ in range(1 if reweigh is None else _MOST_WEIGHTS):
            found = rows.onto(numbers, primitives, deadline, everything=True)
            if found is None or reweigh is None:
                break
            rows = reweigh(given, found[1])
        return None if found is None else found[1], rows

    if reweigh is not None:  # before rows that are wrong move a law
        rows = reweigh(given, given.beside(laws.parameters(_leader(result)), primitives))
    moved, rows = moved_by(result, rows)
    if moved is not None and not result.interrupted and time.time() < deadline:
        low, high = np.quantile(moved.variance, (0.1, 0.9))
        if high > _UNEQUAL * low:
            weight = rows.weight / moved.variance
            result = find((rows.X, rows.y, weight / weight.max()), _part(deadline))
            fronts.append(result.front)
    for _ in range(_MOST_REFITS):
        if result.interrupted or time.time() > deadline:
            break
        moved, rows = moved_by(result, rows)
        if moved is None:
            break
        before = _leader(result)
        again = laws.recognised(result, rows, moved, deadline)
        if not again:
            break
        result = replace(result, front=again)
        fronts.append(again)
        if _leader(result).equation.units == before.equation.units:
            break
    candidates = [law for front in reversed(fronts) for law in _shortest_first(front, len(rows.y))]
    return with_rows_of_their_own(result, candidates, rows, settings, laws, deadline), rows


def with_rows_of_their_own(
    result: SearchResult,
    candidates: Sequence[Law],
    rows: Measured,
    settings: SearchSettings,
    laws: Laws,
    deadline: float,
) -> MeasuredResult:
    """The best of the laws, each fitted with rows moved onto itself; those that come first, where time is short."""
    found: dict[Law, Moved] = {}
    demands = settings.demands
    behaviour = None if demands is None else demands.of_printed
    most = None if behaviour is None else behaviour.max_complexity
    for law in list(dict.fromkeys(candidates))[:_MOST_LAWS]:
        fitted = rows.onto(laws.parameters(law), settings.primitives, deadline, behaviour=behaviour)
        law = None if fitted is None else laws.with_values(law, fitted[0])
        if law is not None and (most is None or equation_complexity(law.equation, settings.primitives) <= most):
            loss = fitted[1].log_likelihood_loss(rows.weight)
            if demands is None or demands.confirms(law.equation):
                found[replace(law, loss=loss, relative_loss=loss / rows.variance)] = fitted[1]
        if found and time.time() > deadline:
            break
    if not found:
        asked = "" if demands is None else ", and obeys the constraints,"
        raise AllTrialsFailedError(
            f"No law stayed finite{asked} where rows are moved within their errors. Check x_error: it holds standard "
            "deviations in the units of X."
        )
    front = shortlist(found, len(rows.y))
    reason = StopReason.INTERRUPTED if result.interrupted else result.stop_reason
    return laws.as_result(
        MeasuredResult(
            front, reason, result.n_iter, result.loss_curve, len(rows.y), result.interrupted,
            tuple(found[law] for law in front),
        )
    )  # fmt: skip


def _part(deadline: float) -> float:
    now = time.time()
    return deadline if math.isinf(deadline) else now + _SHARE_OF_TIME * (deadline - now)


def _shortest_first(front: Sequence[Law], n_rows: int) -> list[Law]:
    return sorted(front, key=lambda law: law.description_length(n_rows))


def _leader(result: SearchResult) -> Law:
    return min(result.front, key=lambda law: law.description_length(result.n_rows))
