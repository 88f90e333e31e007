"""Laws of groups under another loss than squares: weights that follow from the law, renewed until they settle.

As :mod:`sklearn_eql.search.under_loss`. The first weights are those of a smooth stand-in for the law of every group, or
of the target where the loss knows them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.refitting import Refitting
from sklearn_eql.laws.law import shortlist
from sklearn_eql.laws.losses import Loss, TorchLoss
from sklearn_eql.laws.outliers import GROSS, huber_weights, in_scales, smooth_residuals
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.stopping import StopReason

_MOST_SEARCHES = 2
_SHARE_OF_TIME = 0.5  # of what is left, for every search but the last
_MOST_ROUNDS, _SMALL_FALL = 24, 1e-6  # of weights for one law; relative fall of the loss that ends these
_SMOOTH_ROWS = 8  # of a group, from which it has a smooth stand-in
_SETTLED = 0.05  # largest change of a median weight, relative, after which there is no further search
_LEAST = 1e-4  # weight of a row that is wrong: so small that it says nothing, and its group keeps all of its rows

Find = Callable[[np.ndarray | None, float], SearchResult]


def search_groups_under(
    loss: Loss | TorchLoss | None,
    epsilon: float,
    find: Find,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    codes: np.ndarray,
    settings: SearchSettings,
    deadline: float,
) -> tuple[SearchResult, np.ndarray]:
    """Laws of groups, and the weights of the rows under which they were found.

    Parameters
    ----------
    loss : Loss, TorchLoss or None
        None for Huber's, of which `loss` of a law is the weighted mean squared error.
    epsilon : float
        Of Huber's.
    find : callable
        ``find(weight, deadline)`` searches under squares.
    rows : X (n_samples, n_features), y (n_samples,) and weights (n_samples,) or None
    codes : ndarray (n_samples,) of int
        Groups, from 0.
    settings : SearchSettings
    deadline : float
        Value of ``time.time()``.
    """
    X, y, given = rows
    given = np.ones(len(y)) if given is None else given
    smooth = _smooth(X, y, codes)
    if loss is None:
        weight = given * _of_huber(smooth, y, given, 0, settings.resolution, epsilon)
    elif isinstance(loss, TorchLoss):
        weight = given
    else:
        weight = given * loss.weights(y if loss.starts_from_weights else smooth, y)
    for left in reversed(range(_MOST_SEARCHES)):
        now = time.time()
        result = find(weight / weight.max(), now + _SHARE_OF_TIME * (deadline - now) if left else deadline)
        if result.interrupted or result.stop_reason == StopReason.EXACT or time.time() > deadline:
            break
        renewed = weights_beside(result, loss, epsilon, rows, codes, settings)
        change = np.abs(renewed / np.median(renewed) - weight / np.median(weight)) / (weight / np.median(weight))
        if not np.isfinite(renewed).all() or (np.median(change) < _SETTLED and change.max() < 1):
            break
        weight = renewed
    if loss is None:
        return result, weight
    judged = (with_least_loss(law, loss, (X, y, given, codes), settings.primitives, deadline) for law in result.front)
    front = shortlist([law for law in judged if np.isfinite(law.loss)], result.n_rows)
    return (replace(result, front=front) if front else result), weight


def weights_beside(
    result: SearchResult,
    loss: Loss | TorchLoss | None,
    epsilon: float,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    codes: np.ndarray,
    settings: SearchSettings,
) -> np.ndarray:
    """Weights of rows ``(n_samples,)`` that the leading law gives them; parameters as of `search_groups_under`."""
    X, y, given = rows
    given = np.ones(len(y)) if given is None else given
    leader = min(
        (law for law in result.front if isinstance(law, GroupLaw)),
        key=lambda law: law.description_length(result.n_rows),
    )
    values = _predicted(leader, X, codes, settings.primitives)
    if loss is None:
        n_free = leader.n_free + leader.own.size
        return given * _of_huber(values, y, given, n_free, settings.resolution, epsilon)
    return given * loss.weights(values, y)


def _smooth(X: np.ndarray, y: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Values of a smooth stand-in for the law of every group; the target itself where a group has few rows."""
    values = y.astype(float)
    for group in range(int(codes.max()) + 1):
        its = np.flatnonzero(codes == group)
        if len(its) >= _SMOOTH_ROWS:
            values[its] -= smooth_residuals(X[its], y[its], 0)[0]
    return values


def _of_huber(values, y, given, n_free: int, resolution: float, epsilon: float) -> np.ndarray:
    root = np.sqrt(given / given.max())
    scaled = in_scales((y - values) * root, y * root, None, n_free, resolution)
    return np.where(np.abs(scaled) > GROSS, _LEAST, huber_weights(scaled, epsilon))


def with_least_loss(law: GroupLaw, loss: Loss | TorchLoss, rows: tuple, primitives, deadline: float) -> GroupLaw:
    """The law with its loss, and constants, but for recognised ones, under which that is least.

    By least squares with weights that are renewed until the loss falls no more. Forms that a user wrote stay as the
    last search has them.
    """
    X, y, given, codes = rows
    best, value = law, loss.value(_predicted(law, X, codes, primitives), y, given)
    for _ in range(0 if law.named is not None or not np.isfinite(value) else _MOST_ROUNDS):
        if time.time() > deadline or law.level <= law.exact:
            break
        weight = given * loss.weights(_predicted(best, X, codes, primitives), y)
        again = Refitting.of(best, primitives)
        tried = again.moved(again.fit(X, y, weight / weight.max(), codes, primitives, deadline), primitives)
        lower = loss.value(_predicted(tried, X, codes, primitives), y, given)
        if not lower < value:
            break
        is_last = lower > value * (1 - _SMALL_FALL)
        best, value = tried, lower
        if is_last:
            break
    return replace(best, loss=value, relative_loss=loss.level(value, y, given) if np.isfinite(value) else np.inf)


def _predicted(law: GroupLaw, X: np.ndarray, codes: np.ndarray, primitives: dict[str, Primitive]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return law.equation.evaluate(np.concatenate([X, law.own[codes]], axis=1), primitives)
