"""Rows that a law with named constants is fitted to, ordered by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GroupedRows:
    """Rows in the order of their groups.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,);  weight : ndarray (n_samples,)
    groups : ndarray (n_samples,) of int
        Ascending, from 0.
    order : ndarray (n_samples,) of int
        Where each row was before.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    groups: np.ndarray
    order: np.ndarray

    @classmethod
    def of(
        cls, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None, groups: np.ndarray | None = None
    ) -> GroupedRows:
        """Rows of groups that are numbered from 0 without a gap; of one group by default."""
        groups = np.zeros(len(y), dtype=int) if groups is None else np.asarray(groups)
        weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
        order = np.argsort(groups, kind="stable")
        return cls(X[order], y[order], weight[order], groups[order], order)

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return int(self.groups[-1]) + 1

    @property
    def first(self) -> np.ndarray:
        """The first row of every group, ``(n_groups,)``."""
        return np.searchsorted(self.groups, np.arange(self.n_groups))

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums over the rows of each group, ``(n_samples, ...)`` to ``(n_groups, ...)``."""
        return np.add.reduceat(values, self.first, axis=0)

    def repeated(self, count: int) -> GroupedRows:
        """All groups `count` times, as groups of their own: copy by copy."""
        shifted = np.concatenate([self.groups + i * self.n_groups for i in range(count)])
        return GroupedRows(
            np.tile(self.X, (count, 1)),
            np.tile(self.y, count),
            np.tile(self.weight, count),
            shifted,
            np.tile(self.order, count),
        )
