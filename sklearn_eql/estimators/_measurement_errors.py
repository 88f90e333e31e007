"""The arguments `x_error` and `y_error` of `fit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_eql.estimators._check_table import GivenRows, merge_duplicates
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.search.errors_in_variables import Measured


@dataclass(frozen=True)
class MeasurementErrors:
    """Standard deviations of what was measured; None where they are not known.

    Parameters
    ----------
    x : ndarray (n_samples, n_features) or None
    y : ndarray (n_samples, n_outputs) or None
    """

    x: np.ndarray | None
    y: np.ndarray | None

    def weighed(self, k: int, rows: GivenRows) -> GivenRows:
        """The rows of output `k`, weighed by the inverse variances of the target."""
        X, y, weight = rows
        if self.y is None:
            return rows
        inverse = self.y[:, k] ** -2.0
        return X, y, inverse if weight is None else weight * inverse

    def merged(self, k: int, rows: GivenRows) -> Measured:
        """Distinct rows of output `k` with how often they count, and the errors of their features and target."""
        X, y, weight = rows
        columns = [X, self._of_x] if self.y is None else [X, self._of_x, self.y[:, k : k + 1]]
        merged, y, weight = merge_duplicates(np.concatenate(columns, axis=1), y, weight)
        n, wide = X.shape[1], merged[:]
        weight = np.ones(len(y)) if weight is None else weight
        return Measured(wide[:, :n], y, weight, wide[:, n : 2 * n], None if self.y is None else wide[:, 2 * n])

    def as_passed(self, k: int, rows: GivenRows) -> Measured:
        """The rows of output `k` as they were passed, with the errors of their features and target."""
        X, y, weight = rows
        return Measured(
            X, y, np.ones(len(y)) if weight is None else weight, self._of_x, None if self.y is None else self.y[:, k]
        )

    @property
    def _of_x(self) -> np.ndarray:
        if self.x is None:
            raise ValueError("x_error is not known, so rows are told apart by their values alone.")
        return self.x

    def scale(self, given: GivenRows, merged: Rows) -> float | None:
        """By what the weights of merged rows become inverse variances of the target; None where these are not known."""
        if self.y is None:
            return None
        if self.x is not None:  # weights are made of effective variances
            return 1.0
        total = float(len(given[1]) if given[2] is None else given[2].sum())
        return total / (len(merged[1]) if merged[2] is None else float(merged[2].sum()))


def read_errors(
    x_error: Any, y_error: Any, shape: tuple[int, int], y_shape: tuple[int, ...], names: Sequence[str]
) -> MeasurementErrors:
    """What `fit` was passed, for every row.

    Raises
    ------
    ValueError
        Shapes that do not fit, numbers that are negative or not finite, columns that are not there.
    """
    x = y = None
    if x_error is not None:
        x = _of_features(x_error, shape, names)
        x = None if not x.any() else x
    if y_error is not None:
        y = _of_targets(y_error, y_shape)
    return MeasurementErrors(x, y)


def _of_features(given: Any, shape: tuple[int, int], names: Sequence[str]) -> np.ndarray:
    n_rows, n_columns = shape
    expected = (
        f"x_error: expected standard deviations in the units of X: one number, one for each of the {n_columns} "
        f"columns, a mapping from names of columns, or an array of shape {shape}"
    )
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise ValueError(f"{expected}. There is no column {unknown[0]!r}; columns are {list(names)}.")
        columns = [np.broadcast_to(_numbers(given.get(name, 0.0), expected), n_rows) for name in names]
        return _checked(np.stack(columns, axis=1), expected, 0.0)
    values = _numbers(given, expected)
    if values.ndim == 1 and n_columns == 1 and len(values) == n_rows:
        values = values[:, None]
    if values.shape not in ((), (n_columns,), (n_rows, 1), shape):
        raise ValueError(f"{expected}, got shape {values.shape}.")
    return _checked(np.broadcast_to(values, shape), expected, 0.0)


def _of_targets(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    expected = (
        "y_error: expected standard deviations above 0, in the units of y: one number, or one for each value of y, "
        f"shape {shape}"
    )
    values = _numbers(given, expected)
    n_outputs = shape[1] if len(shape) > 1 else 1
    if values.ndim == 2 and values.shape == (shape[0], 1):
        values = values[:, 0]
    if values.ndim == 1 and len(shape) > 1 and len(values) == shape[0]:
        values = values[:, None]
    if values.shape not in ((), shape, (shape[0], 1), (n_outputs,)):
        raise ValueError(f"{expected}, got shape {values.shape}.")
    found = np.broadcast_to(values, shape).reshape(shape[0], n_outputs)
    return _checked(found, expected, np.finfo(float).tiny)


def _numbers(given: Any, expected: str) -> np.ndarray:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected}, got {given!r}.") from error


def _checked(values: np.ndarray, expected: str, lowest: float) -> np.ndarray:
    wrong = ~(np.isfinite(values) & (values >= lowest))
    if wrong.any():
        place = ", ".join(map(str, np.argwhere(wrong)[0]))
        raise ValueError(f"{expected}, got {values[wrong][0]:g} (first at [{place}]).")
    return values


def check_compatible(errors: MeasurementErrors, groups: Any = None) -> None:
    """Raise ValueError where errors of features are not known how to be used."""
    if errors.x is not None and groups is not None:
        raise ValueError("x_error goes with one table of rows only, not with groups=. Leave out one of them.")
