"""Rows of a long table, copied a block at a time: in an order of their own, or in the units of a search."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

BLOCK = 8192
"""Rows of a block: what one structure computes on them fits into the cache of a core."""


class RowView:
    """Some rows of a table, in a given order: an array ``X[order]`` that is copied where it is asked for only.

    Parameters
    ----------
    X : ndarray (n_rows, n_features)
    order : ndarray (n_samples,) of int
    """

    def __init__(self, X: np.ndarray, order: np.ndarray) -> None:
        self._X, self._order = X, order
        self.shape = (len(order), X.shape[1])

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, rows) -> np.ndarray:
        return self._X[self._order[rows]]

    def take(self, rows, columns: list[int]) -> np.ndarray:
        """Some columns of some rows."""
        return self._X[self._order[rows][:, None], columns]

    def where(self, mask: np.ndarray) -> RowView:
        """The rows of this view for which `mask`, (n_samples,), holds."""
        return RowView(self._X, self._order[mask])

    def column(self, k: int) -> np.ndarray:
        return self._X[self._order, k]

    def blocks(self) -> Iterator[np.ndarray]:
        """All rows, in the order of the table where that is cheaper: for sums and extremes."""
        if len(self._order) == len(self._X):  # all of them, each once
            yield from blocks_of(self._X)
        else:
            for first in range(0, len(self), BLOCK):
                yield self[first : first + BLOCK]


def blocks_of(X: np.ndarray | RowView) -> Iterator[np.ndarray]:
    """The rows of a table, `BLOCK` at a time."""
    if isinstance(X, RowView):
        yield from X.blocks()
    else:
        for first in range(0, len(X), BLOCK):
            yield X[first : first + BLOCK]


def subset(X: np.ndarray | RowView, mask: np.ndarray) -> np.ndarray | RowView:
    """The rows for which `mask`, (n_samples,), holds: a view of a view."""
    return X.where(mask) if isinstance(X, RowView) else X[mask]


def columns_of(X: np.ndarray | RowView) -> Iterator[np.ndarray]:
    """One column after the other, (n_samples,) each."""
    for k in range(X.shape[1]):
        yield X.column(k) if isinstance(X, RowView) else X[:, k]


def extremes(X: np.ndarray | RowView) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of each column, (n_features,) each."""
    lows, highs = zip(*((block.min(axis=0), block.max(axis=0)) for block in blocks_of(X)), strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def common_signs(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """For each column 1 if all values are positive, -1 if all are negative, else 0; from its extremes."""
    return (low > 0).astype(int) - (high < 0)


class ScaledRows:
    """``X / units`` as tensors, for the blocks of rows and the columns that are asked for.

    ``rows[a:b]`` is a block, and ``rows[:, columns]`` the tensor (n_samples, len(columns)) of its values.
    """

    def __init__(self, X: np.ndarray | RowView, units: np.ndarray, span: slice | None = None) -> None:
        self._X, self._units = X, units
        self._span = slice(0, len(X)) if span is None else span
        self.shape = (self._span.stop - self._span.start, X.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice | tuple[slice, list[int]]) -> ScaledRows | torch.Tensor:
        if isinstance(key, slice):
            first, last, _ = key.indices(len(self))
            start = self._span.start
            return ScaledRows(self._X, self._units, slice(start + first, start + last))
        _, columns = key
        is_view = isinstance(self._X, RowView)
        values = self._X.take(self._span, columns) if is_view else self._X[self._span][:, columns]
        return torch.from_numpy(values / self._units[columns])
