"""Tables of groups: rows of a new one as they are read, and constants of all as they are shown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_eql.estimators._check_table import read_rows
from sklearn_eql.reading.arrays import plain


def with_row(table: np.ndarray, place: int, row: np.ndarray) -> np.ndarray:
    """A table with a row in place of another one, or after the last."""
    return np.concatenate([table[:place], row[None], table[place + 1 :]])


def read_group(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a new group, their targets ``(n_rows, n_outputs)`` and weights, checked."""
    rows = read_rows(estimator, X)
    target = np.asarray(plain("y", y), dtype=float)
    expected = (len(rows),) if estimator._single else (len(rows), estimator.n_outputs_)
    if target.shape != expected or not np.isfinite(target).all():
        raise ValueError(f"y: got shape {target.shape}, expected finite numbers of shape {expected}, as X and fit say.")
    target = target.reshape(len(rows), -1)
    if sample_weight is None:
        return rows, target, np.ones(len(rows))
    weight = np.asarray(plain("sample_weight", sample_weight), dtype=float)
    if weight.shape != (len(rows),) or not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError(f"sample_weight: expected {len(rows)} finite numbers, none negative, not all zero.")
    return rows[weight > 0], target[weight > 0], weight[weight > 0] / weight[weight > 0].mean()


def frame_of_constants(values: np.ndarray, errors: np.ndarray, names: Sequence[str], index: pd.Index) -> pd.DataFrame:
    """Constants ``(n_groups, n_own)`` beside their standard errors."""
    columns: dict[str, np.ndarray] = {}
    for k, name in enumerate(names):
        columns |= {name: values[:, k], f"{name}_se": errors[:, k]}
    return pd.DataFrame(columns, index=index)


def index_of(labels: Sequence[Hashable]) -> pd.Index:
    """Labels of groups as an index."""
    return pd.Index(list(labels), name=None if labels and isinstance(labels[0], tuple) else "group")
