"""One law for many groups, as an estimator has it: which group a row is of, and constants that each has for itself."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import sympy
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._check_table import read_rows
from sklearn_eql.estimators._kept_laws import Outcome, keep_laws
from sklearn_eql.groups.constant_laws import FEWEST
from sklearn_eql.groups.curvature import shared_curvature
from sklearn_eql.groups.search import search_groups
from sklearn_eql.groups.single import constants_of_group
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import equation_from_record
from sklearn_eql.laws.selection import select
from sklearn_eql.laws.standing import standings
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.reading.arrays import plain
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.uncertainty.constants import Parameters

_ALLOWED = {  # of parameters that mean nothing for groups otherwise
    "selection": ("best", "accurate", "simple"),
    "loss": ("squared_error",),
    "cv": (None,),
    "form": (None,),
    "constraints": (None,),
}
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
        return cls(labels, _codes(given, labels))


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


def _codes(given: np.ndarray, labels: Sequence[Hashable]) -> np.ndarray:
    number = {label: i for i, label in enumerate(labels)}
    return np.array([number.get(label, -1) for label in given], dtype=int)


def names_of_constants(variables: Sequence[str], count: int) -> list[str]:
    """Names such as ``c0`` that no variable begins with."""
    prefix = next(p for p in (*_PREFIXES, "_" * (1 + max(map(len, variables))) + "c") if not _taken(p, variables))
    return [f"{prefix}{i}" for i in range(count)]


def _taken(prefix: str, variables: Sequence[str]) -> bool:
    return any(v.startswith(prefix) and v[len(prefix) :].isdigit() for v in variables)


def fit_groups(
    estimator, rows: Rows, groups: Any, settings: SearchSettings, seed: int, deadline: float, variables: list[str]
) -> None:
    """Fit an estimator to the rows of many groups, and set its attributes.

    Parameters
    ----------
    rows : tuple of X (n_samples, n_features), y (n_samples,) or (n_samples, 1), weight (n_samples,) or None
    groups
        As the user passed them.
    """
    X, y, weight = rows
    _check_supported(estimator, y)
    grouping = Grouping.of(groups, len(y), weight)
    kept = np.flatnonzero(grouping.codes >= 0)
    given = X[kept], np.ravel(y)[kept], None if weight is None else weight[kept]
    values = _numbers(grouping.labels, estimator.group_laws)
    result = search_groups(*given, grouping.codes[kept], settings, seed, deadline, values)
    n_own = max(law.n_own for law in result.front)
    names = [*variables, *names_of_constants(variables, n_own)]
    laws = [law.widened(n_own) for law in result.front]
    stands = standings(laws, result.n_rows, None, None, None)
    table = estimator._table(laws, names, stands, settings.primitives) if callable(estimator.selection) else None
    best = select(estimator.selection, laws, result.n_rows, table)
    estimator._grouped = {
        "labels": grouping.labels,
        "constants": [law.own for law in laws],
        "errors": [law.own_errors for law in laws],
        "laws": [[None if found is None else asdict(found) for found in law.laws] for law in laws],
    }
    grouped = GroupedRows.of(*given, grouping.codes[kept])
    sure = [shared_curvature(law, grouped, settings.primitives, settings.resolution) for law in result.front]
    columns = [np.concatenate([law.own[:, k] for law in laws if law.n_own > k]) for k in range(n_own)]
    ranges = np.array([[values.min() for values in columns], [values.max() for values in columns]]).reshape(2, n_own)
    estimator._ranges = np.concatenate([estimator._ranges, ranges], axis=1)
    keep_laws(estimator, [Outcome(replace(result, front=laws), best, stands, sure)], names, y.ndim == 1)


def _numbers(labels: list[Hashable], wanted: bool | str) -> np.ndarray | None:
    """The labels as numbers of which constants may be laws; None where they are labels only."""
    is_number = all(isinstance(label, Real) and not isinstance(label, bool) for label in labels)
    if wanted == "auto":
        if len(labels) < FEWEST or not all(isinstance(label, float) for label in labels):
            return None
    elif not wanted:
        return None
    elif not is_number or len(labels) < FEWEST:
        raise ValueError(
            f"group_laws=True: groups are {_shown(labels)}, expected at least {FEWEST} different numbers. Use "
            "group_laws=False for labels."
        )
    return np.array(labels, dtype=float)


def _check_supported(estimator, y: np.ndarray) -> None:
    if y.ndim > 1 and y.shape[1] > 1:
        raise ValueError(f"groups: y has {y.shape[1]} outputs, expected one. Fit an estimator for each.")
    for name, allowed in _ALLOWED.items():
        value = getattr(estimator, name)
        if value not in allowed and not (name == "selection" and callable(value)):
            raise ValueError(f"groups: {name}={value!r}, expected {' or '.join(map(repr, allowed))} with groups.")


class GroupReader:
    """Mixin: what an estimator that was fitted with groups knows of them, read from ``self._grouped``.

    That is None where there were none, and else a dictionary of plain values: `labels` of the groups, and for each law
    its own `constants` and their `errors`, ``(n_groups, n_own)``, and the `laws` of these, one or None for each.
    """

    _grouped: dict[str, Any] | None = None

    @property
    def group_constants_(self) -> pd.DataFrame:
        """Constants that every group has for itself in the selected law, and their standard errors.

        One row for each group, labelled as in `groups`; columns ``c0``, ``c0_se``, ``c1``, and so on, as the symbols of
        `sympy_expr_`. Without columns where all groups share all constants.
        """
        return self.group_constants()

    def group_constants(self, index: int | None = None) -> pd.DataFrame:
        """As `group_constants_`, of a row of `equations_`; of the selected one by default."""
        self._checked_best()
        pick = self._pick(index)
        values, errors = self._grouped["constants"][pick], self._grouped["errors"][pick]
        return _frame(values, errors, self._own_names(pick), _index(self._grouped["labels"]))

    @property
    def group_laws_(self) -> dict[str, sympy.Expr]:
        """Laws of the selected law's own constants in the number of the group, by name, where there are any.

        Expressions in the symbol ``g``; see `group_laws`.
        """
        best = self._checked_best()
        laws = self._laws_of_constants(best)
        names = self._own_names(best)
        return {name: to_sympy(law, ["g"], self._primitives()) for name, law in zip(names, laws, strict=True) if law}

    def _laws_of_constants(self, index: int) -> list[Equation | None]:
        return [None if record is None else equation_from_record(record) for record in self._grouped["laws"][index]]

    def score(self, X, y, sample_weight=None, *, groups=None) -> float:
        """The coefficient of determination of `predict`; `groups` as there."""
        return r2_score(y, self.predict(X, groups=groups), sample_weight=sample_weight)

    def _checked_best(self) -> int:
        self._check_fitted("group_constants_")
        if self._grouped is None:
            raise AttributeError("group_constants_ is there after fit(X, y, groups=...) only.")
        return self._best[0]

    def _own_names(self, index: int) -> list[str]:
        first = self.n_features_in_
        return self._names[first : first + self._grouped["constants"][index].shape[1]]

    def _with_constants(self, X: np.ndarray, groups: Any, index: int | None) -> np.ndarray:
        """Rows ``(n, n_features)`` with the own constants of their groups as further columns."""
        if self._grouped is None:
            if groups is None:
                return X
            raise ValueError("groups: fit saw none. Pass groups to fit, or leave them out here.")
        pick = self._pick(index)
        values = self._grouped["constants"][pick]
        columns = np.zeros((len(X), len(self._names) - X.shape[1]))
        if not values.shape[1]:
            return np.concatenate([X, columns], axis=1)
        if groups is None:
            names = ", ".join(self._own_names(pick))
            raise ValueError(
                f"groups: missing, and the law has {names} for each group. Pass one label per row: predict(X, "
                f"groups=...), of {_shown(self._grouped['labels'])}; fit_group gives the constants of a new group."
            )
        columns[:, : values.shape[1]] = self._constants_of_rows(groups, len(X), pick)
        return np.concatenate([X, columns], axis=1)

    def _constants_of_rows(self, groups: Any, n_rows: int, pick: int) -> np.ndarray:
        """Own constants of the group of each row, ``(n_rows, n_own)``: of known groups, or from laws of the group."""
        labels, laws = self._grouped["labels"], self._laws_of_constants(pick)
        given = labels_of(groups, n_rows)
        codes = _codes(given, labels)
        new = codes < 0
        constants = self._grouped["constants"][pick][codes]
        if not new.any():
            return constants
        unknown = list(dict.fromkeys(given[new].tolist()))
        if not all(laws) or not all(isinstance(label, Real) for label in unknown):
            raise ValueError(
                f"groups: fit did not see {_shown(unknown)}, expected {_shown(labels)}. Use fit_group for the "
                "constants of a new group."
            )
        numbers = given[new].astype(float)[:, None]
        constants[new] = np.stack([law.evaluate(numbers, self._primitives()) for law in laws], axis=1)
        return constants

    def _with_std(self, X: np.ndarray, index: int | list[int] | None, kind: bool | str) -> Any:
        if kind is not False and self._grouped is not None and self._own_names(self._pick(index)):
            raise ValueError(f"return_std={kind!r}: not for laws with constants of groups. See group_constants_.")
        return super()._with_std(X, index, kind)

    def _parameters(self, k: int, pick: int) -> Parameters:
        found = super()._parameters(k, pick)
        if self._grouped is None:
            return found
        names = names_of_constants(self._names, len(found.named.names))  # other ones than those of groups
        return replace(found, named=replace(found.named, names=tuple(names)))

    def _pick(self, index: int | list[int] | None) -> int:
        """Row of `equations_`, checked."""
        self._chosen(index)
        if index is None:
            return self._best[0]
        return index[0] if isinstance(index, (list, tuple)) else int(index)

    def fit_group(self, X, y, sample_weight=None, *, label: Hashable = None) -> pd.DataFrame:
        """Constants of a new group, with the form and all shared constants of the selected law held.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
        label : hashable, optional
            Under which the group is kept for `predict`, in place of an earlier one of that label. By default it is not
            kept.

        Returns
        -------
        constants : DataFrame
            One row, as in `group_constants_`. Errors are infinite where there are no more rows than constants.
        """
        check_is_fitted(self)
        best = self._checked_best()
        rows, target, weight = read_group(self, X, y, sample_weight)
        known = self._grouped["constants"][best]
        n_own = known.shape[1]
        if len(target) < n_own:
            raise ValueError(
                f"The group has {len(target)} rows, expected at least {n_own}: the law has "
                f"{', '.join(self._own_names(best))} for each group. Give more rows."
            )
        equation = self._laws[0][best].equation
        values, errors = constants_of_group(equation, known, rows, target, weight, self._primitives())
        if not np.isfinite(values).all():
            raise ValueError(
                f"The law {self.sympy_expr_} is undefined on some of the {len(target)} rows, for any constants that "
                "were tried. Check X, or choose another law with selection."
            )
        if label is not None:
            self._keep_group(label, rows, target, weight)
        return _frame(values[None], errors[None], self._own_names(best), _index([label]))

    def _keep_group(self, label: Hashable, rows, target, weight) -> None:
        """Keep the constants of a group in all laws, under a label that is new or has others."""
        labels = list(self._grouped["labels"])
        place = labels.index(label) if label in labels else len(labels)
        kept = {"constants": [], "errors": []}
        for law, known, errors in zip(self._laws[0], self._grouped["constants"], self._grouped["errors"], strict=True):
            found = constants_of_group(law.equation, known, rows, target, weight, self._primitives())
            for name, table, row in zip(kept, (known, errors), found, strict=True):
                kept[name].append(np.concatenate([table[:place], row[None], table[place + 1 :]]))
        self._grouped = {**self._grouped, "labels": [*labels[:place], label, *labels[place + 1 :]], **kept}


def read_group(estimator, X, y, sample_weight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a new group, their targets and weights, checked."""
    rows = read_rows(estimator, X)
    target = np.asarray(plain("y", y), dtype=float)
    if target.shape != (len(rows),) or not np.isfinite(target).all():
        raise ValueError(f"y: got shape {target.shape}, expected {len(rows)} finite numbers, one per row of X.")
    if sample_weight is None:
        return rows, target, np.ones(len(rows))
    weight = np.asarray(plain("sample_weight", sample_weight), dtype=float)
    if weight.shape != target.shape or not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError(f"sample_weight: expected {len(rows)} finite numbers, none negative, not all zero.")
    return rows[weight > 0], target[weight > 0], weight[weight > 0] / weight[weight > 0].mean()


def _frame(values: np.ndarray, errors: np.ndarray, names: Sequence[str], index: pd.Index) -> pd.DataFrame:
    columns = {}
    for k, name in enumerate(names):
        columns |= {name: values[:, k], f"{name}_se": errors[:, k]}
    return pd.DataFrame(columns, index=index)


def _index(labels: Sequence[Hashable]) -> pd.Index:
    return pd.Index(list(labels), name=None if labels and isinstance(labels[0], tuple) else "group")


def _shown(labels: Sequence[Hashable]) -> str:
    """Some labels, for a message."""
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(map(repr, labels[:_SHOWN])) + more
