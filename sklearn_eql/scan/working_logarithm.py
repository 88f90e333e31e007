"""The logarithm of a target with noise, as a generalised linear model with that link has it."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

_N_STEPS = 6  # of reweighted least squares
_LEAST = 0.05  # of the mean magnitude: where noise has turned the sign, the fit starts there
_SPAN = 12.0  # of the logarithm of the smooth fit, at most: rows lower than that have no weight


def working_logarithm(logs: np.ndarray, target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Logarithm of a positive target with noise, and weights, as in a generalised linear model with that link.

    Of a quadratic form of the logarithms of the features, ``log m``; the target adds its difference to first order,
    ``log m + (y - m) / m``, of weight ``m^2``. The logarithm of `y` itself is skewed by noise, and rows that noise has
    enlarged would have more weight. None where rows are too few, or the target spans too many decades.
    """
    spread = logs.std(axis=0)
    Z = (logs - logs.mean(axis=0)) / np.where(spread > 0, spread, 1.0)  # a sample may hold one value of a column
    n_rows, n = Z.shape
    pairs = list(combinations_with_replacement(range(n), 2))
    columns = [np.ones(n_rows), *Z.T]
    if 3 * (1 + n + len(pairs)) <= n_rows:
        columns += [Z[:, i] * Z[:, j] for i, j in pairs]
    elif 3 * (1 + n) > n_rows:
        return None
    A = np.stack(columns, axis=1)
    mean = np.maximum(target, _LEAST * np.average(np.abs(target), weights=weight))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_N_STEPS):
            response = np.log(mean) + (target - mean) / mean
            root = mean * np.sqrt(weight)
            if not np.isfinite(response * root).all():
                return None
            coefficients, *_ = np.linalg.lstsq(A * root[:, None], response * root, rcond=None)
            fitted = A @ coefficients
            mean = np.exp(np.clip(fitted, fitted.max() - _SPAN, None))
        found = np.log(mean) + (target - mean) / mean, weight * mean**2
    return found if all(np.isfinite(part).all() for part in found) else None
