"""The search where a few rows may be wrong: without those that are gross, then refitted under the weights of Huber.

Which rows are gross follows from residuals, at first from those of a smooth stand-in for the law, then from those of
the law that is found; if it names other rows, the search is repeated. Residuals are taken over all rows, so that a row
which was left out comes back once a law explains it. Coefficients and constants are refitted at the end, with weights
renewed from the leading law until they settle (iteratively reweighted least squares).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.outliers import huber_weights, in_scales, is_gross, smooth_residuals
from sklearn_eql.search.in_units import search
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.rows import RowView, subset
from sklearn_eql.stopping import StopReason

_MOST_SEARCHES, _MOST_REFITS = 3, 4
_SHARE_OF_TIME = 0.5  # of what is left, for every search but the last
_SETTLED = 0.02  # change of a weight
_EVALUATED = 2**14  # rows at a time


@dataclass(frozen=True)
class _Rows:
    """All rows: what a law leaves over on them, in units of its robust scale."""

    X: np.ndarray | RowView
    y: np.ndarray
    sample_weight: np.ndarray | None
    counts: np.ndarray | None  # copies of each row; what a weight is beyond that says how well the row is known
    resolution: float  # of the data

    @property
    def root(self) -> np.ndarray | float:
        """By which residuals compare."""
        if self.sample_weight is None:
            return 1.0
        precision = self.sample_weight / (1.0 if self.counts is None else self.counts)
        return np.sqrt(precision / precision.max())

    def scaled(self, residual: np.ndarray, n_free: int) -> np.ndarray:
        """Residuals in scales."""
        return in_scales(residual * self.root, self.y * self.root, self.counts, n_free, self.resolution)

    def left_by(self, law: Law, primitives) -> np.ndarray:
        """Residuals of a law, in scales."""
        starts = range(0, len(self.y), _EVALUATED)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            values = [law.equation.evaluate(self.X[first : first + _EVALUATED], primitives) for first in starts]
            return self.scaled(self.y - np.concatenate(values), law.n_free)

    def weights(self, kept: np.ndarray, factors: np.ndarray | None) -> np.ndarray | None:
        """Sample weights of the rows that are kept, times factors, the largest 1."""
        if factors is None:
            return None if self.sample_weight is None else self.sample_weight[kept]
        weight = factors[kept] * (1.0 if self.sample_weight is None else self.sample_weight[kept])
        return weight / weight.max()

    def vary(self, kept: np.ndarray) -> bool:
        """Whether the rows that are kept have a law."""
        return int(kept.sum()) > 1 and bool(np.ptp(self.y[kept]) > 0)


def robust_search(
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    counts: np.ndarray | None,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float,
    epsilon: float,
    find: Callable[..., SearchResult] = search,
) -> SearchResult:
    """As :func:`~sklearn_eql.search.islands.search`, with Huber's loss.

    Parameters
    ----------
    counts : ndarray (n_samples,) or None
        How many copies each row stands for; ``sample_weight / counts`` compares the precision of the rows.
    epsilon : float
        Robust standard deviations beyond which a residual counts linearly.
    find : callable
        The search itself, with the parameters of :func:`~sklearn_eql.search.islands.search`.
    """
    rows = _Rows(X, y, sample_weight, counts, settings.resolution)
    primitives = settings.primitives
    kept = ~is_gross(_first_residuals(rows, initial, seed, primitives))
    kept = kept if rows.vary(kept) else np.ones(len(y), dtype=bool)
    for left in reversed(range(_MOST_SEARCHES)):
        now = time.time()
        until = deadline if not left or math.isinf(deadline) else now + _SHARE_OF_TIME * (deadline - now)
        result = find(subset(X, kept), y[kept], rows.weights(kept, None), settings, initial, seed, until)
        if result.interrupted or result.stop_reason == StopReason.EXACT:
            return result
        scaled = rows.left_by(_leader(result), primitives)
        again = ~is_gross(scaled)
        settled = (again == kept).all() and result.stop_reason != StopReason.MAX_TIME  # which was the share of this one
        if settled or not rows.vary(again) or not left or time.time() > deadline:
            break
        kept, initial = again, result.front
    return _reweighted(result, rows, kept, scaled, settings, seed, deadline, epsilon, find)


def robust_rows(rows: Rows, result: SearchResult, settings: SearchSettings, epsilon: float) -> Rows:
    """The rows with the weights that the leading law gives them: none to gross ones, those of Huber to the others."""
    X, y, sample_weight = rows
    given = np.ones(len(y)) if sample_weight is None else sample_weight
    kept = given > 0
    every = _Rows(subset(X, kept), y[kept], None if sample_weight is None else given[kept], None, settings.resolution)
    scaled = every.left_by(_leader(result), settings.primitives)
    weight = given.copy()
    weight[kept] *= np.where(is_gross(scaled), 0.0, huber_weights(scaled, epsilon))
    return X, y, weight


def _first_residuals(rows: _Rows, initial: Sequence[Law], seed: int, primitives) -> np.ndarray:
    """Of the smooth stand-in, or of a law from before, whichever leaves less to most rows; in scales."""
    residual, n_terms = smooth_residuals(rows.X, rows.y, seed)
    best = rows.scaled(residual, n_terms)
    size = float(np.median(np.abs(residual)))
    for law in initial:
        values = law.equation.evaluate(rows.X[:], primitives)
        middle = float(np.median(np.abs(rows.y - values)))
        if middle < size:  # false for a law that is undefined on half of the rows
            size, best = middle, rows.left_by(law, primitives)
    return best


def _leader(result: SearchResult) -> Law:
    return min(result.front, key=lambda law: law.description_length(result.n_rows))


def _reweighted(
    result: SearchResult,
    rows: _Rows,
    kept: np.ndarray,
    scaled: np.ndarray,
    settings: SearchSettings,
    seed: int,
    deadline: float,
    epsilon: float,
    find: Callable[..., SearchResult],
) -> SearchResult:
    """The laws on the front refitted, constants recognised again, with weights that follow from the leading one."""
    no_generations = replace(settings.evolution, n_generations=0)
    no_search = replace(
        settings, method="evolution", n_families=0, proposals=None, evolution=no_generations, n_islands=1
    )
    factors = np.ones(len(kept))
    for _ in range(_MOST_REFITS):
        renewed = huber_weights(scaled, epsilon)
        if np.abs(renewed - factors)[kept].max() < _SETTLED or time.time() > deadline:
            break
        factors = renewed
        data = (subset(rows.X, kept), rows.y[kept], rows.weights(kept, factors))
        try:
            again = find(*data, no_search, result.front, seed, deadline)
        except AllTrialsFailedError:
            break
        result = replace(again, stop_reason=result.stop_reason, n_iter=result.n_iter, loss_curve=result.loss_curve)
        if again.interrupted:
            return replace(result, stop_reason=StopReason.INTERRUPTED)
        scaled = rows.left_by(_leader(result), settings.primitives)
    return result
