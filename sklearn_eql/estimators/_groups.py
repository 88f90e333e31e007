"""One law for many groups, as a fitted estimator has it: constants that each group has for itself, and predictions."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sympy
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._constants_reader import ConstantsReader
from sklearn_eql.estimators._group_tables import frame_of_constants, index_of, read_group, with_row
from sklearn_eql.estimators._grouping import (
    RowGroups,
    codes_of,
    labels_of,
    names_of_constants,
    read_features,
    shown,
)
from sklearn_eql.groups.curvature import Following, deviations_in_groups, following_of_rows
from sklearn_eql.groups.single import constants_of_group
from sklearn_eql.laws.law import equation_from_record
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.uncertainty.constants import Parameters
from sklearn_eql.uncertainty.curvature import Curvature
from sklearn_eql.units.constants import units_of_columns
from sklearn_eql.units.dimensions import TableUnits


class GroupReader(ConstantsReader):
    """Mixin: what an estimator that was fitted with groups knows of them, read from ``self._grouped``.

    That is None where there were none, and else a dictionary of plain values: `labels` of the groups, names of their
    `features` or None, and `outputs`, a
    dictionary for each: the column of its `first` own constant among all, `names` of these, and for each law its own
    `constants` and their `errors`, ``(n_groups, n_own)``, the `laws` of these, one or None for each, and what they are
    `following` (the parts of :class:`~sklearn_eql.groups.curvature.Following`, or None).
    """

    _grouped: dict[str, Any] | None = None

    if TYPE_CHECKING:

        def predict(
            self, X: Any, index: int | list[int] | None = None, *, groups: Any = None, group_features: Any = None
        ) -> Any: ...

    @property
    def _known_groups(self) -> dict[str, Any]:
        """``self._grouped`` of a fit with groups."""
        if self._grouped is None:
            raise AttributeError("group_constants_ is there after fit(X, y, groups=...) only.")
        return self._grouped

    @property
    def group_constants_(self) -> pd.DataFrame | list[pd.DataFrame]:
        """Constants that every group has for itself in the selected law, and their standard errors.

        One row for each group, labelled as in `groups`; columns ``c0``, ``c0_se``, ``c1``, and so on, as the symbols of
        `sympy_expr_`. Without columns where all groups share all constants. A list for several outputs, whose constants
        are numbered on. Where `units` are known, ``attrs["units"]`` has those of the constants by name.
        """
        return self.group_constants()

    def group_constants(self, index: int | list[int] | None = None) -> pd.DataFrame | list[pd.DataFrame]:
        """As `group_constants_`, of a row of `equations_`; of the selected one by default."""
        self._check_grouped()
        found = []
        for k, pick in enumerate(self._picks(index)):
            values, errors = (self._known_groups["outputs"][k][name][pick] for name in ("constants", "errors"))
            frame = frame_of_constants(values, errors, self._own_names(k, pick), index_of(self._known_groups["labels"]))
            units = getattr(self, "_units", None)
            if units is not None:
                frame.attrs["units"] = self._units_of_own(k, pick, units[k])
            found.append(frame)
        return self._unlist(found)

    def _units_of_own(self, k: int, pick: int, units: TableUnits) -> dict[str, str | None]:
        found = units_of_columns(self._laws[k][pick].equation, units, self._primitives())
        first = self._known_groups["outputs"][k]["first"]
        return dict(zip(self._own_names(k, pick), found[first:], strict=False))

    @property
    def group_laws_(self) -> dict[str, sympy.Expr] | list[dict[str, sympy.Expr]]:
        """Laws of the selected law's own constants in what is known of the group, by name, where there are any.

        Expressions in the columns of `group_features`, or in the symbol ``g`` where groups are numbers; see
        `group_laws`. A list for several outputs.
        """
        self._check_grouped()
        found = []
        for k, best in enumerate(self._best):
            about = zip(self._own_names(k, best), self._laws_of_constants(k, best), strict=True)
            names = self._known_groups["features"] or ["g"]
            found.append({name: to_sympy(law, names, self._primitives()) for name, law in about if law})
        return self._unlist(found)

    def _laws_of_constants(self, k: int, pick: int) -> list[Equation | None]:
        records = self._known_groups["outputs"][k]["laws"][pick]
        return [None if record is None else equation_from_record(record) for record in records]

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None, group_features: Any = None
    ) -> float:
        """The coefficient of determination of `predict`; `groups` and `group_features` as there."""
        predicted = self.predict(X, groups=groups, group_features=group_features)
        return r2_score(y, predicted, sample_weight=sample_weight)

    def _row_groups(self, groups: Any, group_features: Any, n_rows: int) -> RowGroups | None:
        """What `predict` is told of groups, checked; None where the law has none of that."""
        features = read_features(group_features)
        if self._grouped is None:
            if groups is None and features is None:
                return None
            raise ValueError("groups: fit saw none. Pass groups to fit, or leave them out here.")
        return None if groups is None else RowGroups(labels_of(groups, n_rows), features)

    def _check_grouped(self) -> None:
        self._check_fitted("group_constants_")
        _ = self._known_groups

    def _own_names(self, k: int, pick: int) -> list[str]:
        about = self._known_groups["outputs"][k]
        return about["names"][: about["constants"][pick].shape[1]]

    def _with_constants(self, X: np.ndarray, groups: RowGroups | None, index: int | list[int] | None) -> np.ndarray:
        """Rows ``(n, n_features)`` with the own constants of their groups as further columns."""
        if self._grouped is None:
            return X
        picks = self._picks(index)
        names = [name for k, pick in enumerate(picks) for name in self._own_names(k, pick)]
        columns = np.zeros((len(X), len(self._names) - X.shape[1]))
        if names and groups is None:
            raise ValueError(
                f"groups: missing, and the law has {', '.join(names)} for each group. Pass one label per row: "
                f"predict(X, groups=...), of {shown(self._grouped['labels'])}; fit_group gives the constants of a new "
                "group."
            )
        for k, pick in enumerate(picks):
            n_own, first = len(self._own_names(k, pick)), self._grouped["outputs"][k]["first"]
            if n_own and groups is not None:
                columns[:, first : first + n_own] = self._constants_of_rows(groups, k, pick)
        return np.concatenate([X, columns], axis=1)

    def _constants_of_rows(self, groups: RowGroups, k: int, pick: int) -> np.ndarray:
        """Own constants of the group of each row, ``(n_rows, n_own)``: of known groups, or from laws of the group."""
        labels, laws = self._known_groups["labels"], self._laws_of_constants(k, pick)
        codes = codes_of(groups.labels, labels)
        new = codes < 0
        constants = self._known_groups["outputs"][k]["constants"][pick][codes]
        if not new.any():
            return constants
        unknown = groups.part(new)
        names = self._known_groups["features"]
        numbers = unknown.numbers(names) if all(laws) else None
        if numbers is None:
            cure = "Pass group_features with a row for it, or use" if names and all(laws) else "Use"
            raise ValueError(
                f"groups: fit did not see {shown(list(dict.fromkeys(unknown.labels.tolist())))}, expected "
                f"{shown(labels)}. {cure} fit_group for the constants of a new group."
            )
        constants[new] = np.stack([law.evaluate(numbers, self._primitives()) for law in laws if law], axis=1)
        return constants

    def _errors_of_values(
        self, curvature: Curvature, X: np.ndarray, k: int, pick: int, groups: RowGroups | None
    ) -> np.ndarray:
        if self._grouped is None or groups is None or not self._own_names(k, pick):
            return super()._errors_of_values(curvature, X, k, pick, groups)
        codes = codes_of(groups.labels, self._grouped["labels"])
        parameters, first = self._parameters(k, pick), self._grouped["outputs"][k]["first"]
        first += self.n_features_in_
        following = Following(*self._grouped["outputs"][k]["following"][pick])
        found = np.empty(len(X))
        new = codes < 0
        if (~new).any():
            about = (following, first, codes[~new], X[~new], self._primitives())
            found[~new] = deviations_in_groups(parameters, curvature, *about)
        numbers = groups.part(new).numbers(self._grouped["features"])
        if new.any() and numbers is not None:  # of groups all constants of which are laws
            laws = [law for law in self._laws_of_constants(k, pick) if law is not None]
            following = following.at(laws, numbers, self._primitives())
            about = (following, first, np.arange(len(numbers)), X[new], self._primitives())
            found[new] = deviations_in_groups(parameters, curvature, *about)
        return found

    def _parameters(self, k: int, pick: int) -> Parameters:
        found = super()._parameters(k, pick)
        if self._grouped is None or getattr(self, "_parametric", None) is not None:
            return found
        names = names_of_constants(self._names, len(found.named.names))  # other ones than those of groups
        return replace(found, named=replace(found.named, names=tuple(names)))

    def fit_group(
        self, X: Any, y: Any, sample_weight: Any = None, *, label: Hashable = None
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Constants of a new group, with the form and all shared constants of the selected law held.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
        label : hashable, optional
            Under which the group is kept for `predict`, in place of an earlier one of that label. By default it is not
            kept.

        Returns
        -------
        constants : DataFrame, or list of them for several outputs
            One row, as in `group_constants_`. Errors are infinite where there are no more rows than constants.

        Raises
        ------
        ValueError
            Fewer rows than constants, shapes that do not fit, a law that is undefined on some of the rows.
        """
        check_is_fitted(self)
        self._check_grouped()
        rows, targets, weight = read_group(self, X, y, sample_weight)
        found = []
        for k, best in enumerate(self._best):
            names = self._own_names(k, best)
            if len(rows) < len(names):
                raise ValueError(
                    f"The group has {len(rows)} rows, expected at least {len(names)}: the law has {', '.join(names)} "
                    "for each group. Give more rows."
                )
            values, errors = self._constants_of_group(k, best, rows, targets, weight)
            if not np.isfinite(values).all():
                raise ValueError(
                    f"The law {self.sympy_expr_} is undefined on some of the {len(rows)} rows, for any constants that "
                    "were tried. Check X, or choose another law with selection."
                )
            found.append(frame_of_constants(values[None], errors[None], names, index_of([label])))
        if label is not None:
            self._keep_group(label, rows, targets, weight)
        return self._unlist(found)

    def _constants_of_group(
        self, k: int, pick: int, rows: np.ndarray, targets: np.ndarray, weight: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        about = self._known_groups["outputs"][k]
        equation, known = self._laws[k][pick].equation, about["constants"][pick]
        return constants_of_group(equation, about["first"], known, rows, targets[:, k], weight, self._primitives())

    def _keep_group(self, label: Hashable, rows: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> None:
        """Keep the constants of a group in all laws, under a label that is new or has others."""
        labels = list(self._known_groups["labels"])
        place = labels.index(label) if label in labels else len(labels)
        outputs = []
        for k, about in enumerate(self._known_groups["outputs"]):
            kept: dict[str, list[Any]] = {"constants": [], "errors": [], "following": []}
            for pick, tables in enumerate(zip(about["constants"], about["errors"], strict=True)):
                found = self._constants_of_group(k, pick, rows, targets, weight)
                for name, table, row in zip(kept, tables, found, strict=False):
                    kept[name].append(with_row(table, place, row))
                kept["following"].append(self._following_with(k, pick, place, rows, found[0], weight))
            outputs.append({**about, **kept})
        labels = [*labels[:place], label, *labels[place + 1 :]]
        self._grouped = {**self._known_groups, "labels": labels, "outputs": outputs}

    def _following_with(
        self, k: int, pick: int, place: int, rows: np.ndarray, own: np.ndarray, weight: np.ndarray
    ) -> tuple | None:
        """What own constants follow, with a group more, of constants ``(O,)``."""
        about, curvature = self._known_groups["outputs"][k], self._curvature(k, pick)
        known = about["following"][pick]
        if curvature is None or not len(own):
            return known
        follow, half, of_laws = known
        wide = np.zeros((len(rows), len(self._names)))
        first = rows.shape[1] + about["first"]
        wide[:, : rows.shape[1]], wide[:, first : first + len(own)] = rows, own
        parameters, primitives = self._parameters(k, pick), self._primitives()
        more = following_of_rows(parameters, first, len(own), wide, weight, curvature.unit, primitives)
        widest = max(half.shape[2], len(own))
        padded = [np.pad(h, [(0, 0)] * (h.ndim - 1) + [(0, widest - h.shape[-1])]) for h in (half, more[1])]
        return with_row(follow, place, more[0]), with_row(padded[0], place, padded[1]), of_laws
