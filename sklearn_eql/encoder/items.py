"""Samples made of items (images, series, rows): reading what a user passes, a few samples at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import validate_data
from torch.utils.data import Dataset

from sklearn_eql.reading.arrays import check_axes, completed, plain, received

_BYTE = 255.0
_ITEMS = "shape (n_samples, n_items, *item_shape) or (n_samples, n_features), finite numbers"
_TARGETS = "shape (n_samples,), one finite number per sample"
_CHUNK = 4096  # samples looked at together where all have to be seen


class Items:
    """Samples of shape ``(n_items, *item_shape)``, read when they are needed.

    Parameters
    ----------
    data : ndarray, memory map or Dataset
        Of an array every row is one sample, flattened or not. A Dataset returns ``x`` or ``(x, y)`` per index.
    n_items : int
    item_shape : tuple of int
    """

    def __init__(self, data: Any, n_items: int, item_shape: tuple[int, ...]) -> None:
        self.data, self.n_items, self.item_shape = data, n_items, item_shape
        self._is_dataset = isinstance(data, Dataset)

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: np.ndarray | slice, scale: float = 1.0) -> torch.Tensor:
        """Samples as float32, divided by `scale`: shape ``(len(rows), n_items, *item_shape)``."""
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        values = self._from_dataset(rows) if self._is_dataset else np.asarray(self.data[rows])
        values = torch.as_tensor(values)
        if values.dtype == torch.float64 and scale != 1.0:  # float32 does not hold 1e300 nor 1e-300
            values, scale = values / scale, 1.0
        values = values.to(torch.float32).reshape(len(rows), self.n_items, *self.item_shape)
        return values if scale == 1.0 else values.div_(scale)

    def chunks(self, size: int = _CHUNK) -> list[slice]:
        """All rows, in pieces."""
        return [slice(start, start + size) for start in range(0, len(self), size)]

    def _from_dataset(self, rows: np.ndarray) -> np.ndarray:
        shape = (self.n_items, *self.item_shape)
        samples = []
        for row in rows.tolist():
            sample = _input_of(self.data[row])
            if sample.shape != shape:
                raise ValueError(
                    f"X[{row}] has shape {sample.shape}, expected {shape} as in the first sample. Let the Dataset "
                    "return items of one size (torchvision.transforms.Resize for images)."
                )
            samples.append(sample)
        return np.stack(samples)

    def scale(self) -> float:
        """What items are divided by: 255 for bytes, else the largest absolute value; all samples are seen once.

        Raises
        ------
        ValueError
            NaN or infinity in a Dataset (arrays have been checked before).
        """
        if not self._is_dataset:
            if self.data.dtype == np.uint8:
                return _BYTE
            return max(_largest(self.data[rows]) for rows in self.chunks()) or 1.0
        largest = 0.0
        for row in range(len(self)):
            sample = self._from_dataset(np.array([row]))
            if sample.dtype == np.uint8:
                return _BYTE
            top = _largest(sample)
            if not math.isfinite(top):
                raise ValueError(f"X[{row}] holds NaN or infinity, expected finite numbers. Leave that sample out.")
            largest = max(largest, top)
        return largest or 1.0

    def check_vary(self, scale: float) -> None:
        """Raise ValueError where all samples are the same; the first that differs ends the search."""
        first = self.take(np.array([0]), scale)
        for rows in self.chunks():
            samples = self.take(rows, scale)
            if not torch.equal(samples, first.expand_as(samples)):
                return
        raise ValueError(
            f"X: all {len(self)} samples are the same, expected some that differ. There is no law to find; check how X "
            "was read."
        )


def _largest(values: np.ndarray) -> float:
    """Largest absolute value; of -128 in a signed byte, too, whose negative is no signed byte."""
    return max(abs(float(values.max())), abs(float(values.min())))


def _input_of(sample: Any) -> np.ndarray:
    """``x`` of what a Dataset returns for one index."""
    return np.asarray(sample[0] if isinstance(sample, (tuple, list)) else sample)


def read_items(
    estimator: BaseEstimator, X: Any, y: Any, n_items: int | None, item_shape: Sequence[int] | None
) -> tuple[Items, np.ndarray]:
    """Samples and targets for `fit`; sets ``n_features_in_``, the numbers that a sample is made of.

    Returns
    -------
    items : Items
    y : ndarray of shape (n_samples,), float64

    Raises
    ------
    ValueError, TypeError
        As scikit-learn raises them, with what was received, what is expected, and the cure.
    """
    if isinstance(X, Dataset):
        return _read_dataset(estimator, X, y, n_items, item_shape)
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"{name} requires y to be passed, but the target y is None. Give one number per sample.")
    X, y = plain("X", X), _read_targets(y)
    checked = _check_items(estimator, X, reset=True, ensure_min_samples=2)
    _check_lengths(len(checked), len(y))
    return Items(checked, *resolve_shape(checked.shape[1:], n_items, item_shape)), y


def read_more_items(estimator: BaseEstimator, X: Any, n_items: int, item_shape: tuple[int, ...]) -> Items:
    """Samples for `predict` and `transform`, checked against what `fit` saw."""
    expected = (n_items, *item_shape)
    if isinstance(X, Dataset):
        return Items(X, n_items, item_shape)
    X = plain("X", X)
    shape = np.shape(X) if hasattr(X, "shape") else None
    if shape is not None and len(shape) > 2 and tuple(shape[1:]) != expected:
        raise ValueError(
            f"X has samples of shape {tuple(shape[1:])}, expected {expected} (n_items, *item_shape) as in fit. "
            "Crop, resize or transpose the items to that shape."
        )
    X = _check_items(estimator, X, reset=False)
    if math.prod(X.shape[1:]) != math.prod(expected):
        raise ValueError(
            f"X has samples of shape {X.shape[1:]}, expected {expected} (n_items, *item_shape) as in fit, or the "
            f"{math.prod(expected)} numbers of a sample flattened. Give the items that fit saw."
        )
    return Items(X, n_items, item_shape)


def _read_targets(y: Any) -> np.ndarray:
    """One number per sample, float64."""
    y = plain("y", y)
    check_axes("y", y, _TARGETS)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn adds values up to see if they are finite
            return column_or_1d(check_array(y, ensure_2d=False, dtype=np.float64, input_name="y"), warn=True)
    except (TypeError, ValueError) as error:
        raise completed(error, received(y=y), f"y of {_TARGETS}", "Check y.") from error


def _check_lengths(n_samples: int, n_targets: int) -> None:
    if n_samples != n_targets:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {n_samples} in X, {n_targets} in y. Give one "
            "target per sample."
        )


def _check_items(estimator: BaseEstimator, X: Any, *, reset: bool, **checks: Any) -> np.ndarray:
    """Finite numbers, with one axis for the samples and more for what they are made of."""
    if isinstance(X, list) and X and not np.isscalar(X[0]):
        _check_even(X)
    n_axes = _n_axes(X)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            if issparse(X) or n_axes < 3:
                checked = validate_data(estimator, X, dtype="numeric", reset=reset, **checks)
            else:  # scikit-learn would take the number of items for the number of features
                checked = check_array(X, dtype="numeric", allow_nd=True, estimator=estimator, input_name="X", **checks)
    except (TypeError, ValueError) as error:
        cure = (
            "Use .toarray() to make a sparse matrix dense."
            if issparse(X)
            else "Give one row per sample: X.reshape(len(X), -1)."
            if n_axes == 1
            else "Leave such samples out, or fill them in."
            if "NaN" in str(error) or "infinity" in str(error)
            else "Check X."
        )
        raise completed(error, received(X=X), f"X of {_ITEMS}", cure) from error
    if n_axes >= 3 and reset:
        estimator.n_features_in_ = math.prod(checked.shape[1:])
        vars(estimator).pop("feature_names_in_", None)
    if not math.prod(checked.shape[1:]):
        raise ValueError(f"X: got samples of shape {checked.shape[1:]}, without a number in them. Expected {_ITEMS}.")
    return checked.astype(np.float64) if checked.dtype == bool else checked


def _n_axes(X: Any) -> int:
    """0 where `X` is no array at all, about which scikit-learn complains best."""
    try:
        return X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    except (TypeError, ValueError):
        return 0


def _check_even(X: list) -> None:
    """Lists of items of different shapes get a message that names the first one."""
    shapes = []
    for sample in X:
        try:
            shapes.append(np.shape(sample))
        except ValueError:
            shapes.append(None)
    odd = next((i for i, shape in enumerate(shapes) if shape is None or shape != shapes[0]), None)
    if odd is not None:
        got = "items of different shapes" if shapes[odd] is None else f"shape {shapes[odd]}"
        raise ValueError(
            f"X[{odd}] has {got}, X[0] has {shapes[0] or 'items of different shapes'}. Expected samples of one shape "
            "(n_items, *item_shape): setting an array element with a sequence is not possible. Crop, pad or resize "
            "the items."
        )


def _read_dataset(
    estimator: BaseEstimator, X: Dataset, y: Any, n_items: int | None, item_shape: Sequence[int] | None
) -> tuple[Items, np.ndarray]:
    if not hasattr(X, "__len__"):
        raise TypeError(
            f"X is an iterable dataset ({type(X).__name__}), expected one with a length and an index, so that samples "
            "can be drawn at random. Use a map-style torch.utils.data.Dataset."
        )
    if len(X) < 2:
        raise ValueError(f"Found a Dataset with {len(X)} sample(s), while a minimum of 2 is required. Give more.")
    first = _input_of(X[0])
    items = Items(X, *resolve_shape(first.shape, n_items, item_shape))
    if y is None:
        if not isinstance(X[0], (tuple, list)) or len(X[0]) < 2:
            raise ValueError(
                "y is None and X[0] is no pair: expected y of shape (n_samples,), or a Dataset that returns (x, y)."
            )
        y = [float(X[row][1]) for row in range(len(X))]
    y = _read_targets(y)
    _check_lengths(len(X), len(y))
    estimator.n_features_in_ = math.prod(first.shape)
    vars(estimator).pop("feature_names_in_", None)
    return items, y


def resolve_shape(
    sample: tuple[int, ...], n_items: int | None, item_shape: Sequence[int] | None
) -> tuple[int, tuple[int, ...]]:
    """Number and shape of the items of a sample of shape `sample`, flattened or not."""
    given = None if item_shape is None else tuple(int(size) for size in item_shape)
    if len(sample) > 1:
        if n_items not in (None, sample[0]) or given not in (None, sample[1:]):
            raise ValueError(
                f"X has {sample[0]} items of shape {sample[1:]} per sample, but n_items={n_items} and "
                f"item_shape={item_shape}. Leave the two out, or give X flattened, of shape (n_samples, n_features)."
            )
        return sample[0], sample[1:]
    n_features = sample[0]
    if given is None:
        n_items = n_features if n_items is None else n_items
        given = (n_features // n_items,)
    elif n_items is None:
        n_items = max(1, n_features // math.prod(given))
    if n_items * math.prod(given) != n_features:
        raise ValueError(
            f"X has {n_features} features, which are not n_items={n_items} items of shape {given} "
            f"({n_items * math.prod(given)} numbers). Correct n_items and item_shape."
        )
    return n_items, given
