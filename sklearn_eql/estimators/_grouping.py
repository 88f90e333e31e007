"""Which group each row is of, from what a user passes as `groups`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from sklearn_eql.groups.constant_laws import FEWEST

_SHOWN = 5  # labels that a message lists
_PREFIXES = ("c", "k", "const")  # of names of constants, the first that no feature has


@dataclass(frozen=True)
class Grouping:
    """Which group each row is of.

    Parameters
    ----------
    labels : list
        Of the groups with rows of weight, sorted where they can be.
    codes : ndarray (n_samples,) of int
        Positions in `labels`, -1 for rows of other groups.
    """

    labels: list[Hashable]
    codes: np.ndarray

    @classmethod
    def of(cls, groups: Any, n_rows: int, weight: np.ndarray | None = None) -> Grouping:
        """From what a user passes: labels of rows, or rows of several labels each.

        Raises
        ------
        ValueError, TypeError
            Not one label for each row, missing labels, labels that cannot be told apart.
        """
        given = labels_of(groups, n_rows)
        kept = given if weight is None else given[weight > 0]
        labels = list(dict.fromkeys(kept.tolist()))
        with contextlib.suppress(TypeError):  # of several types: in the order in which they come
            labels = sorted(labels)
        return cls(labels, codes_of(given, labels))


def labels_of(groups: Any, n_rows: int) -> np.ndarray:
    """One label for each row, object array (n_rows,)."""
    expected = f"expected {n_rows} labels, one per row of X: numbers, text or tuples"
    if isinstance(groups, (pd.DataFrame, pd.MultiIndex)):
        frame = groups.to_frame() if isinstance(groups, pd.MultiIndex) else groups
        rows = list(frame.itertuples(index=False, name=None))
        rows = [row[0] for row in rows] if frame.shape[1] == 1 else rows
    elif isinstance(groups, np.ndarray) and groups.ndim == 2:
        rows = [tuple(row) for row in groups.tolist()]
        rows = [row[0] for row in rows] if groups.shape[1] == 1 else rows
    elif isinstance(groups, str) or not hasattr(groups, "__len__"):
        raise TypeError(f"groups: got {groups!r}, {expected}.")
    else:
        rows = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    if len(rows) != n_rows:
        raise ValueError(f"groups: got {len(rows)} labels, {expected}.")
    for i, row in enumerate(rows):
        entries = row if isinstance(row, tuple) else (row,)
        if any(_is_missing(entry) for entry in entries):
            raise ValueError(
                f"groups: label {row!r} of row {i} is missing, {expected}. Leave such rows out, or give them a label."
            )
        if not isinstance(row, Hashable):
            raise TypeError(f"groups: label {row!r} of row {i} is a {type(row).__name__}, {expected}.")
    found = np.empty(len(rows), dtype=object)
    found[:] = rows
    return found


def _is_missing(entry: Any) -> bool:
    return entry is None or entry is pd.NaT or entry is pd.NA or (isinstance(entry, float) and not math.isfinite(entry))


def codes_of(given: np.ndarray, labels: Sequence[Hashable]) -> np.ndarray:
    """Positions of labels among those that are known, -1 for others."""
    number = {label: i for i, label in enumerate(labels)}
    return np.array([number.get(label, -1) for label in given], dtype=int)


def names_of_constants(variables: Sequence[str], count: int) -> list[str]:
    """Names such as ``c0`` that no variable begins with."""
    prefix = next(p for p in (*_PREFIXES, "_" * (1 + max(map(len, variables))) + "c") if not _taken(p, variables))
    return [f"{prefix}{i}" for i in range(count)]


def _taken(prefix: str, variables: Sequence[str]) -> bool:
    return any(v.startswith(prefix) and v[len(prefix) :].isdigit() for v in variables)


def numbers_of(labels: list[Hashable], wanted: bool | str) -> np.ndarray | None:
    """The labels as numbers of which constants may be laws; None where they are labels only."""
    is_number = all(isinstance(label, Real) and not isinstance(label, bool) for label in labels)
    if wanted == "auto":
        if len(labels) < FEWEST or not all(isinstance(label, float) for label in labels):
            return None
    elif not wanted:
        return None
    elif not is_number or len(labels) < FEWEST:
        raise ValueError(
            f"group_laws=True: groups are {shown(labels)}, expected at least {FEWEST} different numbers. Use "
            "group_laws=False for labels."
        )
    return np.array(labels, dtype=float)


def shown(labels: Sequence[Hashable]) -> str:
    """Some labels, for a message."""
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(map(repr, labels[:_SHOWN])) + more
