"""Rules that pick one equation from the table."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd

from sklearn_eql.laws.law import Law
from sklearn_eql.laws.outliers import robust_scale
from sklearn_eql.sparse.rows import RowView, columns_of

RULES = ("best", "accurate", "simple", "extrapolation")
OUTER_FRACTION = 0.2  # of the rows, held out of the search by selection="extrapolation"
_SAME_ACCURACY = 2.0  # a loss within this factor of the lowest counts as equally accurate


def select(rule: str | Callable[[pd.DataFrame], int], front: list[Law], n_rows: int, table: pd.DataFrame | None) -> int:
    """Row of the chosen law.

    Parameters
    ----------
    rule : {"best", "accurate", "simple"} or callable
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
    return int(np.argmin([law.description_length(n_rows) for law in front]))


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
