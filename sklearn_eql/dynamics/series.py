"""Series as users bring them: checks whose messages say what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from sklearn_eql.reading.arrays import plain

_SHAPE = {
    "X": "(n_series, n_observed + 1, n_states): the observed window, and in the last row the start of the roll-out",
    "Y": "(n_series, n_steps, n_states): the states that follow the last row of X",
}

_LARGEST = 1e50  # its sixth power is 1e300

_CURES = {
    1: "Give as many rows as fit saw; longer series can be cut.",
    2: "Give the states that fit saw, in the same order, and the same in X and Y.",
}


def read_series(name: str, data: Any, n_states: int | None = None, n_rows: int | None = None) -> np.ndarray:
    """Three-dimensional finite float64 array.

    Parameters
    ----------
    name : {"X", "Y"}
    n_states : int, optional
        Expected size of the last axis.
    n_rows : int, optional
        Expected size of the middle axis.

    Raises
    ------
    ValueError, TypeError
        Other shapes, series of different lengths, values that are missing, infinite or no numbers.
    """
    expected = f"expected shape {_SHAPE[name]}"
    if issparse(data):
        raise TypeError(f"{name}: got a sparse matrix, {expected}. Use .toarray() and reshape.")
    data = plain(name, data)
    try:
        array = np.asarray(data)
    except ValueError as error:  # NumPy refuses ragged lists
        raise _ragged(name, data, expected) from error
    if array.dtype.kind == "O" and array.ndim < 3 and array.size and all(np.ndim(entry) for entry in array.ravel()):
        raise _ragged(name, data, expected)
    if array.ndim != 3:
        hint = "One series is X[None]; one state is X[:, :, None]."
        raise ValueError(f"{name}: got an array of shape {array.shape}, {expected}. {hint.replace('X', name)}")
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: got complex data, {expected}. Give real and imaginary parts as states.")
    try:
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: got values of dtype {array.dtype} that are no numbers, {expected}. Turn text into numbers."
        ) from error
    if 0 in array.shape:
        raise ValueError(
            f"{name}: got an empty array of shape {array.shape}, {expected}. Found array with 0 sample(s)."
        )
    for axis, wanted, what in ((2, n_states, "states"), (1, n_rows, "rows per series")):
        if wanted is not None and array.shape[axis] != wanted:
            raise ValueError(
                f"{name}: got {array.shape[axis]} {what} (shape {array.shape}), expected {wanted}. {_CURES[axis]}"
            )
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        series, row, state = bad[0].tolist()
        n_series = len(np.unique(bad[:, 0]))
        raise ValueError(
            f"{name}: got NaN or infinity in {n_series} of {len(array)} series (first: {name}[{series}, {row}, "
            f"{state}]), expected finite values. Leave those series out, cut to the longest stretch without a gap, or "
            "fill short gaps in (pandas.DataFrame.interpolate)."
        )
    return array


def _ragged(name: str, data: Any, expected: str) -> ValueError:
    lengths = sorted({len(series) for series in data if hasattr(series, "__len__")})
    shapes = sorted({series.shape for series in data if hasattr(series, "shape")})
    if len(lengths) == 1 and len(shapes) > 1:
        return ValueError(
            f"{name}: got series of different shapes ({', '.join(map(str, shapes[:5]))}), {expected}. Give every "
            "series the same states."
        )
    return ValueError(
        f"{name}: got series of different lengths ({', '.join(map(str, lengths[:5]))}), {expected}. Cut all series to "
        "the shortest, or cut long ones into several of equal length."
    )


def check_range(windows: np.ndarray, states: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise ValueError where the largest value of a state is so large or small that products leave float64.

    Laws hold products of three states by default, and their squares are added up: sixth powers.
    """
    largest = np.maximum(np.abs(windows).max(axis=(0, 1), initial=0.0), np.abs(states).max(axis=(0, 1)))
    for name, top in zip(names, largest.tolist(), strict=True):
        if top and not 1 / _LARGEST <= top <= _LARGEST:
            raise ValueError(
                f"X and Y: the largest value of state {name} is {top:.3g}, expected {1 / _LARGEST:g} to {_LARGEST:g}, "
                "so that products of states can be computed. Give the series in other units, divided by a power of ten."
            )


def check_moves(start: np.ndarray, Y: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise ValueError where no state ever changes."""
    states = np.concatenate([start[:, None], Y], axis=1)
    if not np.ptp(states, axis=1).any():
        raise ValueError(
            f"Y is constant: none of the states {', '.join(names)} moves in any series, expected series that change. "
            "Every law would do that stands still; check the order of the axes of X and Y."
        )
