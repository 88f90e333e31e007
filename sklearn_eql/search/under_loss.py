"""The search under another loss than squares: with weights that follow from the law, and laws ranked by that loss.

The first search has the weights of a smooth stand-in for the law, or of the target where the loss knows them; the next
one those of the law that leads then. Constants and recognition are renewed under the weights of the leader until these
settle. In the end the constants of every law are fitted under its own weights, and laws compete by the loss.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import minimize

from sklearn_eql._threads import single_threaded
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.cross_validation import Rows, fitted_coefficients, table_in
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.laws.losses import Loss, TorchLoss
from sklearn_eql.laws.outliers import smooth_residuals
from sklearn_eql.search.in_units import search
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.levenberg_marquardt import residual_jacobian
from sklearn_eql.sparse.rows import RowView
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.canonical import structure_key
from sklearn_eql.symbolic.equation import Equation

_MOST_SEARCHES, _MOST_REFITS, _MOST_ROUNDS = 2, 4, 12  # rounds: of weights for one law
_SHARE_OF_TIME = 0.5  # of what is left, for the first search
_SETTLED, _ALIKE = 0.02, 0.3  # median change of a weight, relative: after a refit, and for another search
_EVALUATED = 2**14  # rows at a time
_STEPS = 40  # of Levenberg-Marquardt, at most
_SMOOTH_ROWS = 3  # fewer have no smooth stand-in


def search_under(
    loss: Loss | TorchLoss,
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float,
    find: Callable[..., SearchResult] = search,
) -> SearchResult:
    """As :func:`~sklearn_eql.search.islands.search`, under a loss; `loss` of the laws is its value.

    With another `find`, which is called as that search is, laws are what it gives under the last weights, and so is
    their `loss`.
    """
    if find is not search:
        return _by_weights_alone(loss, (X, y, sample_weight), settings, initial, seed, deadline, find)
    ranking = _Ranking(loss, (X, y, sample_weight), settings)
    weights = _first_weights(loss, X, y, seed)
    laws: list[Law] = []
    for left in reversed(range(_MOST_SEARCHES)):
        now = time.time()
        until = deadline if not left or math.isinf(deadline) else now + _SHARE_OF_TIME * (deadline - now)
        result = search(X, y, ranking.times(weights), settings, [*initial, *laws], seed, until)
        laws = [*laws, *result.front]
        renewed = ranking.weights_of(ranking.leader(laws))
        if result.interrupted or result.stop_reason == StopReason.EXACT or time.time() > deadline:
            break
        if _change(weights, renewed) < _ALIKE:
            break
        weights = renewed
    if not result.interrupted and result.stop_reason != StopReason.EXACT:
        result, laws = _reweighted(result, laws, ranking, weights, seed, deadline)
    front = ranking.front(laws, deadline)
    return replace(result, front=front)


def _by_weights_alone(
    loss: Loss | TorchLoss,
    rows: Rows,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float,
    find: Callable[..., SearchResult],
) -> SearchResult:
    """What `find` gives under weights that are renewed until they settle."""
    X, y, _ = rows
    ranking = _Ranking(loss, rows, settings)
    weights = _first_weights(loss, X, y, seed)
    for _ in range(_MOST_REFITS):
        result = find(X, y, ranking.times(weights), settings, initial, seed, deadline)
        renewed = ranking.weights_of(_shortest(result.front, result.n_rows))
        if result.interrupted or _change(weights, renewed) < _SETTLED or time.time() > deadline:
            break
        weights = renewed
    return result


def rows_under(loss: Loss | TorchLoss, rows: Rows, result: SearchResult, settings: SearchSettings) -> Rows:
    """The rows with the weights that the leading law gives them."""
    X, y, sample_weight = rows
    given = np.ones(len(y)) if sample_weight is None else sample_weight
    prediction = _predicted(_shortest(result.front, result.n_rows), X, settings)
    kept = given > 0
    weight = np.zeros(len(y))
    weight[kept] = given[kept] * loss.weights(prediction[kept], y[kept])
    return X, y, weight / weight.max()


def refitted_under(
    loss: Loss | TorchLoss, front: Iterable[Law], rows: Rows, settings: SearchSettings, deadline: float = math.inf
) -> list[Law]:
    """The laws with constants of least loss on other rows, but for recognised ones, and their loss on these rows."""
    ranking = _Ranking(loss, rows, settings)
    found = []
    for law in front:
        judged = ranking.judged(law)
        if judged is None:
            found.append(replace(law, loss=math.inf, relative_loss=math.inf))
        else:
            found.append(ranking.with_least_loss(judged, deadline) if time.time() < deadline else judged)
    return found


def outer_errors(loss: Loss | TorchLoss, front: Iterable[Law], rows: Rows, settings: SearchSettings) -> np.ndarray:
    """The loss of each law on rows held out, (n_laws,), relative to that of a constant; infinite where undefined."""
    X, y, weight = rows
    found = []
    for law in front:
        value = loss.value(_predicted(law, X, settings), y, weight)
        found.append(max(loss.level(value, y, weight), law.exact) if math.isfinite(value) else math.inf)
    return np.array(found)


def _predicted(law: Law, X: np.ndarray | RowView, settings: SearchSettings) -> np.ndarray:
    with np.errstate(all="ignore"):
        starts = range(0, len(X), _EVALUATED)
        return np.concatenate([law.equation.evaluate(X[i : i + _EVALUATED], settings.primitives) for i in starts])


def _shortest(laws: Iterable[Law], n_rows: int) -> Law:
    return min(laws, key=lambda law: law.description_length(n_rows))


def _change(old: np.ndarray | None, new: np.ndarray) -> float:
    """Median relative change of weights, which matter up to a factor."""
    before = np.ones(len(new)) if old is None else old / np.median(old)
    return float(np.median(np.abs(new / np.median(new) - before) / before))


def _first_weights(loss: Loss | TorchLoss, X: np.ndarray | RowView, y: np.ndarray, seed: int) -> np.ndarray | None:
    if loss.starts_from_weights:
        return loss.weights(y, y)
    if isinstance(loss, TorchLoss) or len(y) < _SMOOTH_ROWS:
        return None
    residual, _ = smooth_residuals(X, y, seed)
    return loss.weights(y - residual, y)


class _Ranking:
    """Laws by a loss on all rows."""

    def __init__(self, loss: Loss | TorchLoss, rows: Rows, settings: SearchSettings) -> None:
        X, y, weight = rows
        kept = slice(None) if weight is None else np.flatnonzero(weight > 0)
        self.loss, self.settings = loss, settings
        self.all_rows = rows
        self._X = X
        self._kept = kept
        self._y, self._weight = y[kept], None if weight is None else weight[kept]

    def times(self, weights: np.ndarray | None) -> np.ndarray | None:
        """Sample weights times those of the loss, the largest 1."""
        given = self.all_rows[2]
        if weights is None:
            return given
        total = weights if given is None else weights * given
        return total / total.max()

    def weights_of(self, law: Law) -> np.ndarray:
        """Weights of all rows that follow from a law."""
        found = self.loss.weights(_predicted(law, self._X, self.settings), self.all_rows[1])
        return np.where(np.isfinite(found), found, np.median(found[np.isfinite(found)]))

    def judged(self, law: Law) -> Law | None:
        """The law with its loss; None where that is infinite."""
        value = self.loss.value(_predicted(law, self._X, self.settings)[self._kept], self._y, self._weight)
        if not math.isfinite(value):
            return None
        return replace(law, loss=value, relative_loss=self.loss.level(value, self._y, self._weight))

    def leader(self, laws: Iterable[Law]) -> Law:
        """The law that is described most shortly, by its loss."""
        judged = [law for law in map(self.judged, laws) if law is not None]
        if not judged:
            raise AllTrialsFailedError(
                f"No law that was found has a finite loss={self.loss.name!r} on every row. Predictions have to be "
                "positive for 'poisson' and 'log_error'; allow more functions, or use loss='squared_error'."
            )
        return _shortest(judged, len(self._y))

    def front(self, laws: Sequence[Law], deadline: float) -> list[Law]:
        """The front of the loss and complexity, each law with constants of least loss, as far as time allows."""
        primitives = self.settings.primitives
        best: dict[tuple, Law] = {}
        for law in sorted(laws, key=lambda law: law.description_length(len(self._y))):
            judged = self.judged(law)
            if judged is None:
                continue
            if time.time() < deadline:
                judged = self.with_least_loss(judged, deadline)
            key = structure_key(law.equation, primitives)
            if key not in best or judged.description_length(len(self._y)) < best[key].description_length(len(self._y)):
                best[key] = judged
        return shortlist(best.values(), len(self._y))

    def with_least_loss(self, law: Law, deadline: float) -> Law:
        """The law with constants, but for recognised ones, under which its loss is least."""
        free = fitted_coefficients(law.equation, self.settings.primitives)
        if not free.any() or law.level <= law.exact:
            return law
        by = self._by_slopes if isinstance(self.loss, TorchLoss) else self._by_weights
        with single_threaded(), np.errstate(all="ignore"):
            return by(law, free, deadline)

    def _by_weights(self, law: Law, free: np.ndarray, deadline: float) -> Law:
        """By least squares with weights that are renewed until the loss falls no more."""
        scaling_of = {"enabled": self.settings.scale, "resolution": self.settings.resolution}
        for _ in range(_MOST_ROUNDS):
            X, y, _ = self.all_rows
            rows = (X, y, self.times(self.weights_of(law)))
            table = table_in(law.equation.frame, rows, self.settings.primitives, scaling_of, deadline)
            moved, _ = table.refit(law.equation, free, _STEPS)
            better = self._if_better(law, moved)
            if better is law:
                break
            is_last = better.loss > law.loss * (1 - 1e-6)
            law = better
            if is_last:
                break
        return law

    def _by_slopes(self, law: Law, free: np.ndarray, deadline: float) -> Law:
        """By the gradient of a user's loss (BFGS), in units of the coefficients."""
        equation = law.equation
        frame, y_unit = equation.frame, 1.0 if equation.frame is None else equation.frame.y_unit
        structure = Structure.from_equation(replace(equation, frame=None), free)
        rows = self._X[:][self._kept]
        inside = np.asarray(rows if frame is None else frame.inside(rows), dtype=float)
        start = equation.coefficients()[free]
        unit = np.where(start != 0, np.abs(start), 1.0)
        n_output = sum(is_free for _, _, is_free in structure.output)

        def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
            values = theta * unit
            split = len(values) - n_output
            here = structure.with_coefficients(values[:split].tolist(), values[split:].tolist())
            X = torch.from_numpy(inside)
            _, jac, minus = residual_jacobian(here, self.settings.primitives, X, X.new_zeros(len(X)), None)
            if not np.isfinite(minus).all() or time.time() > deadline:
                return math.inf, np.zeros(len(theta))
            value, slopes = self.loss.slopes(-minus * y_unit, self._y, self._weight)
            return value, (jac @ slopes) * y_unit * unit

        found = minimize(objective, start / unit, jac=True, method="BFGS", options={"maxiter": 60})
        values = equation.coefficients()
        values[free] = found.x * unit
        return self._if_better(law, equation.with_coefficients(values))

    def _if_better(self, law: Law, equation: Equation) -> Law:
        """The law with other coefficients, if its loss is lower and it is one that was asked for."""
        if not np.isfinite(equation.coefficients()).all():
            return law
        judged = self.judged(replace(law, equation=equation))
        if judged is None or not judged.loss < law.loss:
            return law
        demands = self.settings.demands
        return law if demands is not None and not demands.confirms(equation) else judged


def _reweighted(
    result: SearchResult,
    laws: list[Law],
    ranking: _Ranking,
    weights: np.ndarray | None,
    seed: int,
    deadline: float,
) -> tuple[SearchResult, list[Law]]:
    """The laws, and those of the front refitted, constants recognised again, under weights of the leading one."""
    settings = ranking.settings
    no_generations = replace(settings.evolution, n_generations=0)
    no_search = replace(
        settings, method="evolution", n_families=0, proposals=None, evolution=no_generations, n_islands=1
    )
    X, y, _ = ranking.all_rows
    for _ in range(_MOST_REFITS):
        renewed = ranking.weights_of(ranking.leader(laws))
        if _change(weights, renewed) < _SETTLED or time.time() > deadline:
            break
        weights = renewed
        try:
            again = search(X, y, ranking.times(weights), no_search, laws, seed, deadline)
        except AllTrialsFailedError:
            break
        laws = [*laws, *again.front]
        if again.interrupted:
            return replace(result, stop_reason=StopReason.INTERRUPTED, interrupted=True), laws
    return result, laws
