"""Checks of a regression table that scikit-learn's own do not cover, and its canonical form."""

from __future__ import annotations

import numpy as np


def check_varies(X: np.ndarray, y: np.ndarray, names: list[str]) -> None:
    """Raise ValueError where there is nothing to explain or nothing to explain it with.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples, n_outputs)
    names : list of str, one per output, for the message
    """
    if np.all(np.ptp(X, axis=0) == 0):
        raise ValueError(
            f"X: all {X.shape[1]} columns are constant, expected at least one that varies. There is no law to find; "
            "check that the rows were not filtered down to one setting of the experiment."
        )
    for column, name in zip(y.T, names, strict=True):
        if np.ptp(column) == 0:
            raise ValueError(
                f"{name} is constant (all {len(column)} values are {column[0]:g}), expected values that vary. There "
                "is no law to find; sklearn.dummy.DummyRegressor returns the constant."
            )


def merge_duplicates(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Distinct rows in lexical order, with the summed weights of their copies (``None`` if all are equal).

    A row of weight 2 and a row given twice are then the same input, and the order of the rows does not matter. Rows of
    weight zero are left out.
    """
    if sample_weight is not None:
        X, y, sample_weight = X[sample_weight > 0], y[sample_weight > 0], sample_weight[sample_weight > 0]
    order = np.lexsort([y, *X.T[::-1]])
    X, y = X[order], y[order]
    weight = np.ones(len(y)) if sample_weight is None else sample_weight[order]
    is_new = np.ones(len(y), dtype=bool)
    is_new[1:] = (y[1:] != y[:-1]) | (X[1:] != X[:-1]).any(axis=1)
    first = np.flatnonzero(is_new)
    weight = np.add.reduceat(weight, first)
    return X[first], y[first], None if np.all(weight == weight[0]) else weight
