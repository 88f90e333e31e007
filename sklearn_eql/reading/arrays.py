"""Arrays of numbers from what users pass: tensors, tables, lists; what is no number is told with its place and cure."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse

_LONGEST = 500  # characters of a message of scikit-learn; longer ones print arrays
_SHOWN = 5  # columns that a message lists
_DATES = (datetime.date, np.datetime64, pd.Period)  # a datetime and a Timestamp are dates, too
_DURATIONS = (datetime.timedelta, np.timedelta64)


def plain(name: str, data: Any) -> Any:
    """`data` as NumPy, pandas and scikit-learn read it, if it holds numbers; containers they know stay as they are.

    Tensors are taken off their device and their graph, masked values become NaN, iterators lists.

    Parameters
    ----------
    name : str
        For messages: "X", "y", "sample_weight".

    Raises
    ------
    TypeError
        Sets, mappings, sparse tensors.
    ValueError
        Dates, durations, text and categories of text; integers beyond float64.
    """
    if isinstance(data, torch.Tensor):
        return _from_tensor(name, data)
    if issparse(data):  # some are mappings
        return data
    if isinstance(data, (Set, Mapping)):
        cure = "pandas.DataFrame(...)" if isinstance(data, Mapping) else "a list, which has an order"
        raise TypeError(f"{name}: got a {type(data).__name__}, expected an array, a table or a list. Use {cure}.")
    if isinstance(data, Iterator):
        data = list(data)
    if isinstance(data, (list, tuple)) and any(isinstance(entry, torch.Tensor) for entry in data):
        data = [_from_tensor(name, entry) if isinstance(entry, torch.Tensor) else entry for entry in data]
    if isinstance(data, np.ma.MaskedArray):
        data = np.ma.filled(data.astype(np.float64), np.nan) if data.dtype.kind in "biuf" else data
    if isinstance(data, pd.DataFrame):
        _check_columns(name, [(repr(column), data.iloc[:, i]) for i, column in enumerate(data.columns)])
    elif isinstance(data, (pd.Series, pd.Index)):
        _check_columns(name, [(None, data if isinstance(data, pd.Series) else data.to_series())])
    elif (array := as_array(data)) is not None:
        _check_entries(name, array)
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:  # beyond float64 lies infinity, which is refused later
            with np.errstate(over="ignore"):
                return array.astype(np.float64)
    return data


def _from_tensor(name: str, data: torch.Tensor) -> np.ndarray:
    if data.layout != torch.strided:
        raise TypeError(f"{name}: got a sparse tensor, expected a dense one. Use .to_dense().")
    data = data.detach().cpu()
    return (data.float() if data.dtype == torch.bfloat16 else data).numpy()


def as_array(data: Any) -> np.ndarray | None:
    """None for what is no array at all, such as lists of different lengths."""
    if data is None or issparse(data):
        return None
    try:
        return np.asarray(data)
    except (TypeError, ValueError):
        return None


def check_axes(name: str, data: Any, expected: str) -> None:
    """Raise ValueError for a single number, or text, in place of an array of `expected` shape."""
    if np.isscalar(data) or (isinstance(data, np.ndarray) and data.ndim == 0):
        raise ValueError(
            f"{name}: got the single value {str(data)[:40]!r} without an axis (at least 1 dimension is needed), "
            f"expected {expected}. Give an array or a list."
        )


def completed(error: Exception, received: str, expected: str, cure: str) -> Exception:
    """The same kind of error with advice."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{short(error)}\nReceived {received}. Expected {expected}. {cure}")


def short(error: Exception) -> str:
    """The message of an error without the arrays in it."""
    text = str(error)
    return text if len(text) <= _LONGEST else text.splitlines()[0]


def received(**data: Any) -> str:
    """What was passed, for messages: shapes and types."""
    parts = []
    for name, values in data.items():
        array = as_array(values)
        if array is None:
            parts.append(f"{name} of type {type(values).__name__}")
        else:
            parts.append(f"{name} of shape {array.shape} and dtype {array.dtype}")
    return ", ".join(parts)


def _check_columns(name: str, columns: list[tuple[str | None, pd.Series]]) -> None:
    """Raise for columns that hold no numbers: those of the kind of the first one; None is the name of a Series."""
    found: dict[str, list[tuple[str | None, Any]]] = {}
    for label, column in columns:
        entry = _first_that_is_no_number(column)
        if entry is not None:
            found.setdefault(_kind_of(entry), []).append((label, entry))
    if not found:
        return
    kind, odd = next(iter(found.items()))
    label, entry = odd[0]
    listed = ", ".join(map(str, [label for label, _ in odd[:_SHOWN]])) + (", ..." if len(odd) > _SHOWN else "")
    where = name if label is None else f"{name}: column {listed}" if len(odd) == 1 else f"{name}: columns {listed}"
    raise _no_number(name, where, entry, kind, label, None)


def _first_that_is_no_number(column: pd.Series) -> Any:
    dtype = column.dtype
    if pd.api.types.is_numeric_dtype(dtype) or isinstance(dtype, pd.SparseDtype):
        return None  # booleans are numeric, complex numbers are told elsewhere
    present = column[column.notna()]
    if len(present) and (dtype.kind in "mM" or isinstance(dtype, (pd.PeriodDtype, pd.DatetimeTZDtype))):
        return present.iloc[0]
    return next((entry for entry in present.astype(object) if not _fits_float(entry)), None)


def _check_entries(name: str, array: np.ndarray) -> None:
    if array.dtype.kind in "biufc" or not array.size:
        return
    if array.dtype.kind in "mM":
        odd, place = array.ravel()[0], (0,) * array.ndim
    else:
        try:
            array.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            places = np.argwhere([not _fits_float(entry) for entry in array.ravel()]).ravel()
        else:
            return
        if not len(places):
            return
        place = tuple(int(i) for i in np.unravel_index(places[0], array.shape))
        odd = array[place]
    kind = _kind_of(odd)
    if kind != "other":
        where = f"{name}[{', '.join(map(str, place))}]" if array.ndim else name
        raise _no_number(name, where, odd, kind, None, array.dtype)


def _fits_float(entry: Any) -> bool:
    try:
        float(entry)
    except (TypeError, ValueError, OverflowError):
        return entry is None or entry is pd.NA or isinstance(entry, complex)
    return not isinstance(entry, _DATES + _DURATIONS)  # NumPy's have a float, in units of their own


def _kind_of(entry: Any) -> str:
    if isinstance(entry, int):
        return "integer"
    if isinstance(entry, _DATES):
        return "date"
    if isinstance(entry, _DURATIONS):
        return "duration"
    return "text" if isinstance(entry, (str, bytes)) else "other"


def _no_number(name: str, where: str, entry: Any, kind: str, label: str | None, dtype: np.dtype | None) -> Exception:
    """The error for one entry, with the cure for its kind.

    `label` is its column, quoted, of a table of several; `dtype` that of an array, None in pandas.
    """
    given = f"{name}[{label}]" if label else name
    if kind == "integer":
        return ValueError(
            f"{where}: got an integer of {len(str(abs(entry)))} digits, expected numbers that float64 holds, below "
            f"1.8e308. Give {name} in larger units, or its logarithm."
        )
    if kind == "other":
        return TypeError(f"{where}: got a {type(entry).__name__} ({str(entry)[:40]}), expected numbers. Leave it out.")
    if kind == "date":
        start = f"{given}.dt.to_timestamp()" if isinstance(entry, pd.Period) else given
        seconds = f"({start} - {start}.iloc[0]).dt.total_seconds()"
        if dtype is not None:
            seconds = f"({name} - {name}.min()) / numpy.timedelta64(1, 's')"
        cure = f"Turn dates into seconds or days since the first row, {seconds}"
    elif kind == "duration":
        seconds = f"{given}.dt.total_seconds()" if dtype is None else f"{name} / numpy.timedelta64(1, 's')"
        cure = f"Turn durations into seconds, {seconds}"
    else:
        one_hot = f"pandas.get_dummies({name}, columns=[{label}])" if label else "sklearn.preprocessing.OneHotEncoder"
        cure = (
            f"Turn the text in {name} into numbers: pandas.to_numeric for numbers in quotes; for categories a column "
            f"of 0 and 1 each, {one_hot}, or a fit per group"
        )
    what = {"date": "dates", "duration": "durations", "text": "text"}[kind]
    shown = repr(str(entry)[:40]) + ("" if dtype is None else f", dtype {dtype}")
    return ValueError(f"{where}: got {what} (first: {shown}), expected numbers. {cure}, or leave it out.")
