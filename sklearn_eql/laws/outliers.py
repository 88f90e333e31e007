"""Gross errors in a few rows: how far residuals scatter without them, which rows they are, and what the others weigh.

The scale is that of the median (Hampel 1974), which half of the rows would have to be wrong to carry away. Weights are
those of Huber (1964): a row within `epsilon` scales counts as in least squares, one beyond pulls as if it were at that
limit. Which rows are gross is not known before a law is known, so a polynomial fitted by least absolute errors stands
in for it at first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations_with_replacement

import numpy as np
from numpy.polynomial import chebyshev
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from sklearn_eql.sparse.rows import RowView, blocks_of, columns_of

_NORMAL = 1.4826  # standard deviations per median of absolute values, of normal errors
GROSS = 6.0
"""Scales from which a row is gross: 2 in 10^9 normal errors are, and more where the scale is that of few rows."""

_MOST_GROSS = 0.25  # of the rows: more are no few, and what is left may not determine a law
_ROUNDING = 1e-12  # of the largest target: what an exact law leaves over, at most
_FIRST_ROWS = 1000  # that the polynomial is fitted to
_MAX_COLUMNS, _MAX_DEGREE, _MAX_TERMS, _ROWS_PER_TERM = 10, 6, 60, 5
_ABSOLUTE_STEPS = 30  # of reweighted least squares for least absolute errors
_FEWEST = 20  # rows of which errors are told from outliers
_FEW_VALUES = 8  # distinct ones: fewer are classes
_FEW = 0.15  # share of the rows that a few are, at most
_SMALL_TABLE = 60.0  # over N**1.5, by which the limit for few rows is raised: their scale is uncertain itself
_NEIGHBOURS = 12  # whose scatter an outlier exceeds, a quarter of the rows at most
_ASKED, _SEARCHED = 200, 400_000  # outliers whose neighbours are looked for, and numbers among which that is done


def robust_scale(residual: np.ndarray, counts: np.ndarray | None, floor: float) -> float:
    """Standard deviation of normal errors with the median absolute residual, (n_samples,); at least `floor`."""
    size = np.abs(residual)
    if counts is None:
        middle = float(np.median(size))
    else:
        order = np.argsort(size, kind="stable")
        total = np.cumsum(counts[order])
        middle = float(size[order][np.searchsorted(total, total[-1] / 2)])
    return max(_NORMAL * middle, floor)


def in_scales(
    residual: np.ndarray, y: np.ndarray, counts: np.ndarray | None, n_free: int, resolution: float = 0.0
) -> np.ndarray:
    """Residuals in units of their robust scale, which the fit of `n_free` coefficients has made smaller.

    Infinite where the law is undefined. The scale is no smaller than rounding, which is `resolution` for data that came
    with few digits.
    """
    residual = np.where(np.isfinite(residual), residual, np.inf)
    floor = max(_ROUNDING, 4 * resolution) * float(np.abs(y).max())
    lost = math.sqrt(len(y) / max(len(y) - n_free, 1))
    return residual / (lost * robust_scale(residual, counts, floor))


def is_gross(scaled: np.ndarray) -> np.ndarray:
    """Rows beyond `GROSS` scales, a quarter of all at most: those farthest away."""
    size = np.abs(scaled)
    most = int(_MOST_GROSS * len(size))
    gross = size > GROSS
    if gross.sum() > most:
        gross = np.zeros(len(size), dtype=bool)
        gross[np.argsort(-size, kind="stable")[:most]] = True
    return gross


def huber_weights(scaled: np.ndarray, epsilon: float) -> np.ndarray:
    """Weights of squared residuals under which their sum has the minimum of Huber's loss, (n_samples,)."""
    return epsilon / np.maximum(np.abs(scaled), epsilon)


def count_outliers(X: np.ndarray | RowView, residual: np.ndarray, y: np.ndarray, n_free: int) -> int:
    """How many rows are outliers: a few, far beyond normal errors and beyond those of their neighbours; 0 if in doubt.

    Neighbours are rows near in `X`, and rows of which the law has a like value: where a law has not grasped something,
    or errors grow with the value, they scatter as much. Below twenty rows nothing is told, nor of a target with a few
    values, which are classes and no measurements.

    Parameters
    ----------
    X : ndarray or RowView (n_samples, n_features);  residual : ndarray (n_samples,);  y : ndarray (n_samples,)
    n_free : int
        Coefficients that were fitted.
    """
    if len(y) < _FEWEST or not np.isfinite(residual).all() or len(np.unique(y)) < _FEW_VALUES:
        return 0
    size = np.abs(in_scales(residual, y, None, n_free))
    limit = GROSS * (1 + _SMALL_TABLE / len(y) ** 1.5)
    far = np.flatnonzero(size > limit)
    if not 0 < len(far) <= _FEW * len(y):
        return 0
    chosen = far[:: max(1, len(far) // _ASKED)]
    step = max(1, len(y) * X.shape[1] // _SEARCHED)
    rows = np.union1d(np.arange(0, len(y), step), chosen)
    around = np.ones(len(chosen))
    for places in (np.asarray(X[rows]), (y - residual)[rows, None]):
        around = np.maximum(around, _local_scales(places, size[rows], np.searchsorted(rows, chosen)))
    return round(len(far) * float(np.mean(size[chosen] > limit * around)))


def _local_scales(places: np.ndarray, size: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Robust scale of the nearest rows of some of them, the rows themselves left out, (n_chosen,)."""
    spread = places.std(axis=0)
    places = places / np.where(spread > 0, spread, 1.0)
    n_near = min(_NEIGHBOURS, len(size) // 4)
    _, near = cKDTree(places).query(places[at], k=n_near + 1)
    return np.array([_NORMAL * np.median(size[rows[rows != k][:n_near]]) for rows, k in zip(near, at, strict=True)])


# A smooth stand-in for the law --------------------------------------------------------------------------------------


def smooth_residuals(X: np.ndarray | RowView, y: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
    """What a polynomial fitted by least absolute errors leaves over, (n_samples,), and how many terms it has.

    Of the degree that leaves the smallest scale. The columns are those that go with `y` by rank, ten at most; the fit
    takes a thousand rows at most.
    """
    rows = np.arange(len(y))
    if len(y) > _FIRST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(y), _FIRST_ROWS, replace=False))
    some = np.asarray(X[rows], dtype=float)
    unit = float(np.abs(y).max()) or 1.0
    target = y[rows] / unit
    columns = _monotone_columns(some, target)
    low, high = some[:, columns].min(axis=0), some[:, columns].max(axis=0)
    half = np.where(high > low, high / 2 - low / 2, 1.0)

    def values(block: np.ndarray, degree: int) -> np.ndarray:
        return _chebyshev((block[:, columns] - low - half) / half, degree)

    best: tuple[float, int, np.ndarray] = (math.inf, 1, np.zeros(1 + len(columns)))
    for degree in range(1, _MAX_DEGREE + 1):
        n_terms = math.comb(len(columns) + degree, degree)
        if degree > 1 and n_terms > min(_MAX_TERMS, len(rows) // _ROWS_PER_TERM):
            break
        terms = values(some, degree)
        coefficients = _least_absolute(terms, target)
        scale = robust_scale(target - terms @ coefficients, None, 0.0)
        scale *= math.sqrt(len(rows) / max(len(rows) - 2 * n_terms, 1))
        if scale < best[0]:
            best = scale, degree, coefficients
    _, degree, coefficients = best
    fitted = np.empty(len(y))
    for block, place in _blocks(X):
        fitted[place] = values(block, degree) @ coefficients
    return y - unit * fitted, len(coefficients)


def _blocks(X: np.ndarray | RowView) -> Iterator[tuple[np.ndarray, slice]]:
    """All rows in their order, with their places."""
    first = 0
    for block in blocks_of(X[:] if isinstance(X, RowView) else X):
        yield block, slice(first, first + len(block))
        first += len(block)


def _monotone_columns(X: np.ndarray, y: np.ndarray) -> list[int]:
    """Columns that rise or fall with `y`, or away from their middle, by rank; the strongest ones, ascending."""
    goal = rankdata(y) - (len(y) + 1) / 2
    strength = []
    for column in columns_of(X):
        rank = rankdata(column) - (len(y) + 1) / 2
        bent = np.abs(rank) - np.abs(rank).mean()
        sizes = [float(np.linalg.norm(part)) for part in (rank, bent)]
        shares = (abs(part @ goal) / size for part, size in zip((rank, bent), sizes, strict=True) if size > 0)
        strength.append(max(shares, default=0.0))
    return sorted(np.argsort(-np.array(strength), kind="stable")[:_MAX_COLUMNS].tolist())


def _chebyshev(X: np.ndarray, degree: int) -> np.ndarray:
    """Products of Chebyshev polynomials up to a total degree, (n_samples, n_terms)."""
    powers = [chebyshev.chebvander(column, degree) for column in X.T]
    found = [np.ones(len(X))]
    for d in range(1, degree + 1):
        for chosen in combinations_with_replacement(range(X.shape[1]), d):
            found.append(np.prod([powers[f][:, chosen.count(f)] for f in set(chosen)], axis=0))
    return np.stack(found, axis=1)


def _least_absolute(terms: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Coefficients of least absolute errors, by iteratively reweighted least squares."""
    weight = np.ones(len(target))
    coefficients = np.zeros(terms.shape[1])
    for _ in range(_ABSOLUTE_STEPS):
        root = np.sqrt(weight)
        coefficients, *_ = np.linalg.lstsq(terms * root[:, None], target * root, rcond=None)
        size = np.abs(target - terms @ coefficients)
        weight = 1 / np.maximum(size, 1e-6 * float(np.median(size)) + 1e-12)
        weight = weight / weight.max()
    return coefficients
