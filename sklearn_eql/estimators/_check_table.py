"""The table of a regression: checks whose messages say what to do, and its canonical form."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearn_eql.estimators._compat import check_sample_weight
from sklearn_eql.reading.arrays import as_array, check_axes, completed, plain, received, short
from sklearn_eql.sparse.rows import BLOCK, RowView, blocks_of, extremes

_EXPECTED = (
    "X of shape (n_samples, n_features) and y of shape (n_samples,) or (n_samples, n_outputs): dense, real and finite "
    "numbers, in fit at least 2 rows"
)
_LARGEST_TARGET = float(np.finfo(np.float64).max) / 4  # room for terms that partly cancel


def read_table(estimator: BaseEstimator, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """`X` (n_samples, n_features) and `y` (n_samples,) or (n_samples, n_outputs) in float64; sets ``n_features_in_``.

    Both are what :func:`~sklearn_eql.reading.arrays.plain` made of what the user passed.

    Raises
    ------
    ValueError, TypeError
        As scikit-learn raises them, with what was received, what is expected, and the cure.
    """
    _check_names([str(name) for name in getattr(X, "columns", [])])
    check_axes("y", y, "shape (n_samples,) or (n_samples, n_outputs), one number per row of X and output")
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn adds all values up to see if they are finite
            rows, target = validate_data(
                estimator, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
            )
        target = np.asarray(target, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise completed(error, received(X=X, y=y), _EXPECTED, _cure(X, y, fitting=True)) from error
    return rows, target


def read_rows(estimator: BaseEstimator, X: Any) -> np.ndarray:
    """`X` (n_samples, n_features) in float64, checked against what `fit` saw."""
    X = plain("X", X)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return validate_data(estimator, X, dtype=np.float64, reset=False)
    except (TypeError, ValueError) as error:
        raise completed(error, received(X=X), _EXPECTED, _cure(X, np.empty(0), fitting=False)) from error


def read_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Weights (n_samples,) of which the largest is 1, or None."""
    if sample_weight is None:
        return None
    expected = f"sample_weight: expected {len(X)} finite numbers, one per row of X, none negative, at least 2 positive"
    sample_weight = plain("sample_weight", sample_weight)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            weight = check_sample_weight(sample_weight, X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{short(error)}\n{expected}. Leave it out to weigh all rows alike.") from error
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        raise ValueError(
            f"Negative values in data passed to `sample_weight`: {weight[row]:g} in row {row}.\n{expected}. Give rows "
            "to be left out the weight 0."
        )
    n_positive = np.count_nonzero(weight)
    if n_positive < 2:
        raise ValueError(f"{expected}, got {n_positive}. Give more rows a weight.")
    return weight / weight.max()


def resolution_of(data: Any) -> float:
    """Relative rounding error of data as they were given: float32 tables carry no more than seven digits."""
    given: Any = getattr(data, "dtypes", getattr(data, "dtype", None))
    kinds = np.atleast_1d(given)  # one for a Series, or many
    floats = [k for k in kinds if isinstance(k, np.dtype) and k.kind == "f"]
    return max((float(np.finfo(k).eps) for k in floats), default=float(np.finfo(np.float64).eps))


def _cure(X: Any, y: Any, *, fitting: bool) -> str:
    if issparse(X) or issparse(y):
        return "Use .toarray() to make a sparse matrix dense."
    x, target = as_array(X), as_array(y)
    if x is None or target is None:
        return "Give tables of numbers: NumPy arrays, DataFrames or lists of rows of equal length."
    if x.ndim < 2:
        return "Reshape your data: X.reshape(-1, 1) if it is one feature, X.reshape(1, -1) if it is one row."
    if x.ndim > 2:
        return "Reshape X to one row per sample: X.reshape(len(X), -1)."
    if target.ndim > 2:
        return "Reshape y to one row per sample: y.reshape(len(y), -1)."
    for name, array in (("X", x), ("y", target)):
        if array.dtype.kind == "c":
            return f"Give the real and the imaginary part of {name} as separate columns."
        missing = np.argwhere(pd.isna(array) | (np.isinf(array) if array.dtype.kind == "f" else False))
        if len(missing):
            place = ", ".join(map(str, missing[0]))
            return (
                f"{name}[{place}] is the first of {len(missing)} values that are missing or infinite: leave such rows "
                "out (DataFrame.dropna), or fill them in (sklearn.impute.SimpleImputer)."
            )
    if not fitting:
        return "Give at least one row, with the columns that fit saw, in the same order."
    if x.shape[0] != target.shape[0]:
        return "Give X and y the same number of rows."
    if x.shape[0] < 2:
        return "Give more rows: a law needs values to compare."
    if x.shape[1] < 1:
        return "Give at least one column."
    return "Check X and y."


def _check_names(names: list[str]) -> None:
    """Names become symbols of the law, so each must be there and stand for one column."""
    empty = [i for i, name in enumerate(names) if not name.strip()]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if empty or twice:
        what = f"column {empty[0]} has an empty name" if empty else f"several columns are named {twice[0]!r}"
        raise ValueError(f"X: {what}, expected distinct names, which the law is written in. Rename it in X.columns.")


def check_varies(X: np.ndarray, y: np.ndarray, names: list[str]) -> None:
    """Raise ValueError where there is nothing to explain or nothing to explain it with.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples, n_outputs)
    names : list of str, one per output, for the message
    """
    low, high = extremes(X)
    if np.array_equal(low, high):
        raise ValueError(
            f"X: all {X.shape[1]} columns are constant, expected at least one that varies. There is no law to find; "
            "check that the rows were not filtered down to one setting of the experiment."
        )
    for column, name in zip(y.T, names, strict=True):
        top, low = column.max(), column.min()
        if top / 2 - low / 2 <= np.spacing(max(abs(top), abs(low))):  # halved: the range of +-1e308 overflows
            raise ValueError(
                f"{name} is constant (all {len(column)} values are {column[0]:g}, to rounding), expected values that "
                "vary. There is no law to find; sklearn.dummy.DummyRegressor returns the constant."
            )
        if max(abs(top), abs(low)) > _LARGEST_TARGET:
            raise ValueError(
                f"{name} reaches {top if top > -low else low:.3g}, expected values within {_LARGEST_TARGET:.2g}: the "
                f"terms of a law are larger than their sum, and overflow. Divide {name} by a power of ten."
            )


GivenRows = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""X, y and sample_weight as a user passed them, checked."""


def merge_duplicates(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[np.ndarray | RowView, np.ndarray, np.ndarray | None]:
    """Distinct rows in lexical order, with the summed weights of their copies (``None`` if all are equal).

    A row of weight 2 and a row given twice are then the same input, and the order of the rows does not matter. Rows of
    weight zero are left out. The rows of a long table are not copied: they are a view.
    """
    kept = np.arange(len(y)) if sample_weight is None else np.flatnonzero(sample_weight > 0)
    order, is_new = _lexical_order(X, y, kept)
    weight = np.ones(len(order)) if sample_weight is None else sample_weight[order]
    first = np.flatnonzero(is_new)
    weight = np.add.reduceat(weight, first)
    rows = RowView(X, order[first])
    return (
        rows if len(rows) > BLOCK else rows[:],
        y[order[first]],
        None if np.all(weight == weight[0]) else weight,
    )


def n_given(rows: GivenRows) -> int:
    """How many rows of positive weight were passed."""
    return len(rows[1]) if rows[2] is None else int(np.count_nonzero(rows[2]))


def copies(X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray | None:
    """How many rows of positive weight each row that `merge_duplicates` returns stands for; ``None`` if all alike."""
    return merge_duplicates(X, y, None if sample_weight is None else (sample_weight > 0).astype(float))[2]


def _lexical_order(X: np.ndarray, y: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The `kept` rows of ``(X, y)`` in lexical order, and for each whether it differs from the one before.

    Column by column, and only among rows that are equal so far: one column tells most rows of measured data apart.
    Copies of one row, which no column tells apart, are found first, by a hash of their bits.
    """
    order = kept[np.argsort(X[kept, 0], kind="stable")]
    if (X[order[1:], 0] != X[order[:-1], 0]).all():
        return order, np.ones(len(order), dtype=bool)
    keys, copies = _hashes(X, y)[kept], np.empty(0, dtype=int)
    _, index, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if len(index) < len(kept):
        candidates = np.flatnonzero(index[inverse] != np.arange(len(kept)))
        models = kept[index[inverse[candidates]]]
        same = y[kept[candidates]] == y[models]
        for column in X.T:
            same &= column[kept[candidates]] == column[models]
        copies = candidates[same]  # but for a collision, which the columns below tell apart
    unique = np.ones(len(kept), dtype=bool)
    unique[copies] = False
    order = kept[unique]
    where, group = np.arange(len(order)), np.zeros(len(order), dtype=int)  # rows in question, and their groups
    is_new = np.zeros(len(order), dtype=bool)
    is_new[:1] = True
    for column in [*X.T, y]:
        values = column[order[where]]
        by_value = np.lexsort((values, group))
        order[where], values, group = order[where][by_value], values[by_value], group[by_value]
        starts = np.ones(len(where), dtype=bool)
        starts[1:] = (group[1:] != group[:-1]) | (values[1:] != values[:-1])
        is_new[where] |= starts
        group = np.cumsum(starts)
        alone = starts & np.append(starts[1:], True)
        where, group = where[~alone], group[~alone]
        if not len(where):
            break
    if not len(copies):
        return order, is_new
    # Each copy stands behind the row it repeats.
    position = np.empty(len(X), dtype=int)
    position[order] = np.arange(len(order))
    of = position[kept[index[inverse[copies]]]]
    at = np.concatenate([np.arange(len(order)), of])
    new = np.concatenate([is_new, np.zeros(len(copies), dtype=bool)])
    together = np.lexsort((~new, at))
    return np.concatenate([order, kept[copies]])[together], new[together]


def _hashes(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A number for each row that is the same for equal rows, (n_samples,) uint64; overflow is part of it."""
    factors = np.random.default_rng(0).integers(1, 2**63, X.shape[1] + 1, dtype=np.uint64) | np.uint64(1)
    found = np.empty(len(y), dtype=np.uint64)
    first = 0
    for block in blocks_of(X):
        rows = slice(first, first + len(block))
        table = np.column_stack([block, y[rows]]) + 0.0  # minus zero is zero
        bits = table.view(np.uint64)
        found[rows] = ((bits ^ (bits >> np.uint64(32))) * factors).sum(axis=1, dtype=np.uint64)
        first += len(block)
    return found
