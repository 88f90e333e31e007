"""The search where features were measured with errors, too.

A search by least squares takes features as they are, so slopes come out too low. Its laws are therefore fitted again
to rows that the leading law moves onto itself, as far as their errors allow (:mod:`sklearn_eql.uncertainty.both_axes`);
constants are recognised there. Where errors of features count for some rows much more than for others, the search is
repeated with effective variances as weights. In the end every law has rows of its own, and laws are compared by their
likelihood.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.search.islands import search
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.problem import weighted_variance
from sklearn_eql.stopping import StopReason
from sklearn_eql.uncertainty.both_axes import Moved, fit_both_axes
from sklearn_eql.uncertainty.constants import Parameters

_SHARE_OF_TIME = 0.6  # of what is left, for each search
_UNEQUAL = 2.0  # ratio of effective variances (upper to lower decile) from which the search is repeated
_MOST_REFITS = 3
_MOST_LAWS = 40  # that get rows of their own

Rows = tuple[np.ndarray, np.ndarray, np.ndarray | None]


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
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    x_error: np.ndarray
    y_error: np.ndarray | None

    def onto(
        self, law: Law, primitives, deadline: float, everything: bool = False
    ) -> tuple[Law, Moved] | tuple[None, None]:
        """The law with constants that errors on both axes give it, but for recognised ones, and the rows moved onto it.

        With `everything` the recognised ones are fitted as well.
        """
        parameters = Parameters.of(law.equation, primitives)
        chosen, start = parameters.law, parameters.values
        if not everything:
            chosen = parameters.named
            start = np.array([parameters.values[np.abs(group).argmax()] for group in parameters.groups.T])
        rows = (self.X, self.y, self.weight, self.x_error, self.y_error)
        found, moved = fit_both_axes(chosen, start, *rows, primitives, deadline=deadline)
        loss = moved.log_likelihood_loss(self.weight)
        if not math.isfinite(loss):
            return None, None
        values = found if everything else np.where(parameters.fitted, parameters.groups @ found, parameters.values)
        variance = weighted_variance(self.y, self.weight) * float(self.weight.mean()) or 1.0
        equation = parameters.with_values_in(law.equation, values, primitives)
        return replace(law, equation=equation, loss=loss, relative_loss=loss / variance), moved


def search_measured(
    find: Callable[[Rows, float], SearchResult],
    rows: Measured,
    settings: SearchSettings,
    seed: int,
    deadline: float,
) -> MeasuredResult:
    """Laws of rows with errors in features.

    Parameters
    ----------
    find : callable
        The search, of rows until a time.
    """
    primitives = settings.primitives
    weight = rows.weight if rows.y_error is None else rows.weight / rows.y_error**2
    now = time.time()
    until = deadline if math.isinf(deadline) else now + _SHARE_OF_TIME * (deadline - now)
    result = find((rows.X, rows.y, weight / weight.max()), until)
    fronts = [result.front]
    _, moved = rows.onto(_leader(result), primitives, deadline, everything=True)
    if moved is not None and not result.interrupted and time.time() < deadline:
        low, high = np.quantile(moved.variance, (0.1, 0.9))
        if high > _UNEQUAL * low:
            weight = rows.weight / moved.variance
            now = time.time()
            until = deadline if math.isinf(deadline) else now + _SHARE_OF_TIME * (deadline - now)
            result = find((rows.X, rows.y, weight / weight.max()), until)
            fronts.append(result.front)
    fronts.append(_recognised_again(result, rows, settings, seed, deadline))
    candidates = [law for front in reversed(fronts) for law in _shortest_first(front, len(rows.y))]
    return _with_rows_of_their_own(result, candidates, rows, primitives, deadline)


def _recognised_again(
    result: SearchResult, rows: Measured, settings: SearchSettings, seed: int, deadline: float
) -> list[Law]:
    """The laws fitted, and their constants recognised, on rows that the leading one moves onto itself."""
    no_search = replace(
        settings, method="evolution", n_families=0, proposals=None, n_islands=1,
        evolution=replace(settings.evolution, n_generations=0),
    )  # fmt: skip
    found: list[Law] = []
    for _ in range(_MOST_REFITS):
        if result.interrupted or time.time() > deadline:
            break
        before = _leader(result)
        _, moved = rows.onto(before, settings.primitives, deadline, everything=True)
        if moved is None:
            break
        weight = rows.weight / moved.variance
        try:
            again = search(moved.X, moved.y, weight / weight.max(), no_search, result.front, seed, deadline)
        except AllTrialsFailedError:
            break
        result = replace(result, front=again.front, interrupted=again.interrupted)
        found = again.front
        if _leader(result).equation.units == before.equation.units:
            break
    return found


def _with_rows_of_their_own(
    result: SearchResult, candidates: Sequence[Law], rows: Measured, primitives, deadline: float
) -> MeasuredResult:
    """The best of the laws, each fitted with rows moved onto itself; those that come first, where time is short."""
    laws: dict[Law, Moved] = {}
    for law in list(dict.fromkeys(candidates))[:_MOST_LAWS]:
        fitted, moved = rows.onto(law, primitives, deadline)
        if fitted is not None:
            laws[fitted] = moved
        if laws and time.time() > deadline:
            break
    if not laws:
        raise AllTrialsFailedError(
            "No law stayed finite where rows are moved within their errors. Check x_error: it holds standard "
            "deviations in the units of X."
        )
    front = shortlist(laws, len(rows.y))
    reason = StopReason.INTERRUPTED if result.interrupted else result.stop_reason
    return MeasuredResult(
        front, reason, result.n_iter, result.loss_curve, len(rows.y), result.interrupted,
        tuple(laws[law] for law in front),
    )  # fmt: skip


def _shortest_first(front: Sequence[Law], n_rows: int) -> list[Law]:
    return sorted(front, key=lambda law: law.description_length(n_rows))


def _leader(result: SearchResult) -> Law:
    return min(result.front, key=lambda law: law.description_length(result.n_rows))
