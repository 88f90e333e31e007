"""Rules that pick one equation from the table."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd

from sklearn_eql.laws.law import SAME_LENGTH, Law
from sklearn_eql.laws.outliers import robust_scale
from sklearn_eql.sparse.rows import RowView, columns_of

RULES = ("best", "accurate", "simple", "extrapolation", "validation")
OUTER_FRACTION = 0.2  # of the rows, held out of the search by "extrapolation" and "validation"
_SAME_ACCURACY = 2.0  # a loss within this factor of the lowest counts as equally accurate


def select(rule: str | Callable[[pd.DataFrame], int], front: list[Law], n_rows: int, table: pd.DataFrame | None) -> int:
    """Row of the chosen law.

    Parameters
    ----------
    rule : {"best", "accurate", "simple"} or callable; any other is "best"
        "best": shortest description of data and law together (see `description_length`). "accurate": lowest loss.
        "simple": fewest nodes among the laws whose loss is at most twice the lowest. A callable gets the equation
        table and returns a row label.
    front : list of Law
    n_rows : int
    table : DataFrame or None
        What a callable sees.
    """
    if callable(rule):
        return _check_choice(rule(table), table)
    losses = np.array([law.level for law in front])
    if rule == "accurate":
        return int(np.argmin(losses))
    if rule == "simple":
        return int(np.argmax(losses <= _SAME_ACCURACY * losses.min()))
    lengths = np.array([law.description_length(n_rows) for law in front])
    return int(np.argmax(lengths <= lengths.min() + SAME_LENGTH))


def _check_choice(index: Any, table: pd.DataFrame) -> int:
    if not isinstance(index, Hashable) or index not in table.index:
        raise ValueError(
            f"selection: the callable returned {index!r}, which is no row of the equation table. "
            f"Return one of its labels: {list(table.index)}."
        )
    return int(index)


def outer_rows(X: np.ndarray | RowView) -> np.ndarray:
    """The rows farthest out, bool of shape (n_samples,): the fraction `OUTER_FRACTION` with the largest rank distance.

    Distance is the largest deviation of any feature from its median, in units of that feature's spread.
    """
    distance = np.zeros(len(X))
    for column in columns_of(X):
        spread = np.ptp(column)
        np.maximum(distance, np.abs(column - np.median(column)) / (spread if spread > 0 else 1.0), out=distance)
    n_outer = max(1, int(OUTER_FRACTION * len(X)))
    chosen = np.zeros(len(X), dtype=bool)
    chosen[np.argsort(-distance, kind="stable")[:n_outer]] = True
    return chosen


def random_rows(n_rows: int, seed: int) -> np.ndarray:
    """Rows drawn at random, bool of shape (n_rows,): the fraction `OUTER_FRACTION` of them."""
    chosen = np.zeros(n_rows, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(n_rows)[: max(1, int(OUTER_FRACTION * n_rows))]] = True
    return chosen


def extrapolation_errors(
    front: list[Law], X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, primitives, robust: bool = False
) -> np.ndarray:
    """Mean squared error of each law on held-out rows, in units of the largest ``y**2``, shape (n_laws,).

    Infinite where a law is undefined, and floored at the level of an exact law, so that among exact laws the shortest
    is first. If `robust`, half of the rows may be wrong: the square of the robust scale.
    """
    errors = []
    unit = float(np.abs(y).max()) or 1.0
    for law in front:
        with np.errstate(over="ignore", invalid="ignore"):
            residual = (law.equation.evaluate(X, primitives) - y) / unit
            if robust:
                error = robust_scale(residual, sample_weight, 0.0) ** 2 if np.isfinite(residual).all() else np.inf
            else:
                error = float(np.average(residual**2, weights=sample_weight))
        errors.append(max(error, law.exact) if np.isfinite(error) else np.inf)
    return np.array(errors)


def simplest_outside(errors: np.ndarray, n_rows: int) -> int:
    """Position of the simplest law whose error on `n_rows` held-out rows is within a standard error of the lowest.

    `errors` are by complexity. The mean of `n` squared Gaussian residuals has a relative standard error of
    ``sqrt(2 / n)``; a longer law has to do better than that.
    """
    return int(np.argmax(errors <= errors.min() * (1 + np.sqrt(2 / n_rows))))


def squared_errors(
    front: list[Law], X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, primitives
) -> np.ndarray:
    """Weighted squared errors of each law on each row, in units of the largest ``y**2``, (n_laws, n_samples)."""
    unit = float(np.abs(y).max()) or 1.0
    weight = 1.0 if sample_weight is None else sample_weight / sample_weight.mean()
    with np.errstate(over="ignore", invalid="ignore"):
        return np.stack([weight * ((law.equation.evaluate(X, primitives) - y) / unit) ** 2 for law in front])


def simplest_validated(errors: np.ndarray, squares: np.ndarray) -> int:
    """Position of the simplest law that does no worse than the best one on rows held out, to a standard error.

    Row by row: laws are compared by the mean of the differences of their squared errors, and its standard error. That
    is sharper than the usual rule of one standard error (Breiman et al., 1984), because noise that both leave over
    cancels.

    Parameters
    ----------
    errors : ndarray (n_laws,)
        Mean squared errors, by complexity; the lowest is that of the best law.
    squares : ndarray (n_laws, n_samples)
        Squared errors of the rows.
    """
    best = int(np.argmin(errors))
    differences = squares - squares[best]
    n_rows = squares.shape[1]
    tolerance = differences.std(axis=1, ddof=1) / np.sqrt(n_rows) if n_rows > 1 else np.zeros(len(errors))
    same = (differences.mean(axis=1) <= tolerance) | (errors <= errors[best])
    return int(np.argmax(same))


def simplest_cross_validated(losses: np.ndarray, standard_errors: np.ndarray) -> int | None:
    """Position of the simplest law whose loss in cross-validation is within a standard error of the lowest.

    The standard error is that of the law of lowest loss (Breiman et al., 1984); none where there is one fold. None
    where no loss is known.
    """
    if not np.isfinite(losses).any():
        return None
    losses = np.where(np.isfinite(losses), losses, np.inf)
    best = int(np.argmin(losses))
    return int(np.argmax(losses <= losses[best] + np.nan_to_num(standard_errors[best], posinf=0.0)))
