"""Which columns of a table laws are made of, and how often each is tried: by :mod:`sklearn_eql.sparse.evidence`."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_eql.sparse.evidence import MOST_ROWS, evidence, unit_scale
from sklearn_eql.sparse.rows import RowView, common_signs, extremes

MOST_TRIED = 60
"""Columns of which laws are made, at most: a third of the rows of a search are this many coefficients."""
MOST_IN_FAMILIES = 10
"""Columns that the ladder's families enumerate, at most: 66 coefficients of a full quadratic form."""
_FEW = 6  # columns that need no ranking
_FEWEST_IN_FAMILIES = 4  # where the target clearly depends on fewer, the next likeliest join them


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are tried, and how often."""

    importances: np.ndarray  # (n_features,) sum 1; zero for those that are not tried
    likely: tuple[int, ...]  # those that families of laws enumerate
    signs: tuple[int, ...]  # +1 all positive, -1 all negative, 0 mixed

    @classmethod
    def of(
        cls,
        X: np.ndarray | RowView,
        y: np.ndarray,
        seed: int,
        deadline: float = math.inf,
        sample_weight: np.ndarray | None = None,
    ) -> Columns:
        """Rank the columns of a table.

        Up to `MOST_IN_FAMILIES` columns that vary are all tried everywhere. Of more, the clearest `MOST_TRIED` by
        `evidence` are, and those that the target depends on by more than chance are for the families.

        Parameters
        ----------
        X : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
        seed : int
            Of the sample of rows and of the forest.
        deadline : float
            Value of ``time.time()`` after which columns are told apart by what is known until then.
        sample_weight : ndarray (n_samples,), optional
            For the forest; the other tests see the logarithm of the target too, and need no weights.
        """
        low, high = extremes(X)
        varies, signs = high > low, tuple(common_signs(low, high).tolist())
        used = np.flatnonzero(varies)
        importances = np.zeros(X.shape[1])
        if len(used) <= _FEW:
            importances[used] = 1 / max(len(used), 1)
            return cls(importances, tuple(used.tolist()), signs)
        rows = np.random.default_rng(seed).permutation(len(y))[:MOST_ROWS]
        weight = None if sample_weight is None else sample_weight[rows]
        if len(used) <= MOST_IN_FAMILIES:
            importances[used] = _forest_importances(X[rows][:, used], y[rows], weight, seed, deadline)
            return cls(importances, tuple(used.tolist()), signs)
        found = np.where(varies, evidence(X, y, seed, deadline), -1.0)
        tried = np.sort(np.argsort(-found, kind="stable")[: min(MOST_TRIED, len(used))])
        clear = found[tried] > 1
        importances[tried] = _forest_importances(X[rows][:, tried], y[rows], weight, seed, deadline)
        if clear.any():
            evident = np.where(clear, found[tried], 0.0)
            importances[tried] = (importances[tried] + evident / evident.sum()) / 2
        count = min(max(int(clear.sum()), _FEWEST_IN_FAMILIES), MOST_IN_FAMILIES)
        return cls(importances, tuple(sorted(np.argsort(-found, kind="stable")[:count].tolist())), signs)


def further_columns(
    X: np.ndarray,
    residual: np.ndarray,
    used: Sequence[int],
    tried: Sequence[int],
    seed: int,
    deadline: float = math.inf,
) -> tuple[int, ...]:
    """Columns for families, with those that a residual depends on by more than chance; none if all of them were tried.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  residual : ndarray (n_samples,)
    used : sequence of int
        Columns of the law that leaves the residual.
    tried : sequence of int
        Columns that it could have used.
    """
    found = evidence(X, residual, seed, deadline)
    order = np.argsort(-found, kind="stable")
    new = [k for k in order[:MOST_IN_FAMILIES].tolist() if found[k] > 1 and k not in tried]
    if not new:
        return ()
    kept = [*used, *new, *(k for k in order.tolist() if k in tried and k not in used)]
    return tuple(sorted(kept[:MOST_IN_FAMILIES]))


def _forest_importances(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, seed: int, deadline: float
) -> np.ndarray:
    """How much a forest of random trees uses each column, none zero; all alike where there is no time for a forest."""
    from sklearn.ensemble import ExtraTreesRegressor

    if time.time() > deadline:
        return np.full(X.shape[1], 1 / X.shape[1])
    # Trees read float32: columns and target at unit scale cannot overflow there.
    forest = ExtraTreesRegressor(n_estimators=50, min_samples_leaf=3, random_state=seed)
    forest.fit(unit_scale(X), unit_scale(y[:, None])[:, 0], sample_weight)
    found = forest.feature_importances_ + 0.05 / X.shape[1]
    return found / found.sum()
