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


def numbers_of(labels: list[Hashable], wanted: bool | str, features: pd.DataFrame | None = None) -> np.ndarray | None:
    """Numbers of groups of which constants may be laws, ``(n_groups, n_group_features)``; None where there are none.

    Parameters
    ----------
    wanted : bool or "auto"
        The parameter `group_laws`.
    features : DataFrame, optional
        A row of each group; the labels themselves otherwise.
    """
    if features is not None:
        if wanted is False or len(labels) < FEWEST:
            raise ValueError(
                f"group_features: there are {len(labels)} groups and group_laws={wanted!r}, expected at least {FEWEST} "
                "groups, from which laws of their constants can be told, and group_laws='auto' or True. Leave out "
                "group_features for own constants that are numbers."
            )
        return features_of(labels, features)
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
    return np.array(labels, dtype=float)[:, None]


def read_features(given: Any) -> pd.DataFrame | None:
    """What a user passes as `group_features`: a row of finite numbers for each label; None for None.

    Raises
    ------
    ValueError, TypeError
        No data frame or series, labels that are there twice, columns that are no finite numbers.
    """
    if given is None:
        return None
    frame = given.to_frame() if isinstance(given, pd.Series) else given
    expected = "group_features: expected a DataFrame of numbers, a row for each group, with the labels as its index"
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"{expected}, got a {type(given).__name__}.")
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if not frame.index.is_unique or not frame.columns.is_unique or not frame.shape[1]:
        raise ValueError(f"{expected}; some labels or columns are there twice, or there are no columns.")
    try:
        numbers = frame.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected}: {error}.") from error
    if not np.isfinite(numbers.to_numpy()).all():
        raise ValueError(f"{expected}; some numbers are missing or infinite. Leave such groups out, or fill them in.")
    return numbers


def features_of(labels: Sequence[Hashable], features: pd.DataFrame) -> np.ndarray:
    """Rows of some groups, ``(n_groups, n_group_features)``."""
    place = {label: i for i, label in enumerate(features.index.tolist())}
    missing = [label for label in labels if label not in place]
    if missing:
        raise ValueError(
            f"group_features has no row for {shown(missing)}, expected one for every group. Its index has the labels "
            f"{shown(list(place))}."
        )
    return features.to_numpy()[[place[label] for label in labels]]


@dataclass(frozen=True)
class RowGroups:
    """Groups of the rows to predict.

    Parameters
    ----------
    labels : ndarray (n_samples,) of object
    features : DataFrame or None
        Of groups that `fit` has not seen.
    """

    labels: np.ndarray
    features: pd.DataFrame | None

    def part(self, rows: np.ndarray) -> RowGroups:
        """Of some of the rows."""
        return RowGroups(self.labels[rows], self.features)

    def numbers(self, names: Sequence[str] | None) -> np.ndarray | None:
        """Of which constants are laws, ``(n_samples, n_group_features)``; None where they are not known.

        Parameters
        ----------
        names : sequence of str or None
            Of the features that `fit` had; None where labels are numbers.
        """
        labels = self.labels.tolist()
        if names is None:
            known = all(isinstance(label, Real) for label in labels)
            return self.labels.astype(float)[:, None] if known else None
        if self.features is None:
            return None
        absent = [name for name in names if name not in self.features.columns]
        if absent:
            raise ValueError(f"group_features has no column {absent[0]!r}, expected {list(names)}, as fit had them.")
        return features_of(labels, self.features[list(names)])


def shown(labels: Sequence[Hashable]) -> str:
    """Some labels, for a message."""
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(map(repr, labels[:_SHOWN])) + more
