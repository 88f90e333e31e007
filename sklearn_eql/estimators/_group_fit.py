"""The fit of one law to many groups, by the parameters of an estimator."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_eql.estimators._folds import Folds
from sklearn_eql.estimators._group_columns import GroupColumns
from sklearn_eql.estimators._group_output_fit import GroupOutputFit
from sklearn_eql.estimators._grouping import Grouping, numbers_of, shown
from sklearn_eql.estimators._kept_laws import keep_laws
from sklearn_eql.forms.form import Form
from sklearn_eql.groups.cross_validation import folds_of_groups
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import Law
from sklearn_eql.search.settings import SearchSettings


def fit_groups(
    estimator: Any,
    rows: Sequence[Rows],
    grouping: Grouping,
    settings: Sequence[SearchSettings],
    folds: Folds | None,
    seeds: Sequence[int],
    deadline: float,
    variables: list[str],
    single: bool,
    known: bool,
    before: Sequence[Sequence[Law]],
    features: pd.DataFrame | None,
) -> None:
    """Fit an estimator to the rows of many groups, and set its attributes.

    Parameters
    ----------
    rows : sequence of X (n_samples, n_features), y (n_samples,), weight (n_samples,) or None
        For each output.
    grouping : Grouping
    settings : sequence of SearchSettings
        For each output.
    folds : Folds or None
        Of `cv`, checked.
    seeds : sequence of int
        For each output.
    single : bool
        Whether the target had one dimension.
    known : bool
        Whether weights are inverse variances of the target.
    before : sequence of list of Law
        Over the features, of an earlier fit, for each output.
    features : DataFrame or None
        Of the groups, checked.
    """
    numbers = numbers_of(grouping.labels, estimator.group_laws, features)
    parts = None if folds is None else _folds(folds, grouping, int(seeds[0]))
    kept = np.flatnonzero(grouping.codes >= 0)
    codes = grouping.codes[kept]
    fits = []
    of_outputs = zip(rows, settings, seeds, before, strict=True)
    for k, ((X, y, weight), limited, seed, laws) in enumerate(of_outputs):
        estimator._watched.output = k
        given = X[kept], y[kept], None if weight is None else weight[kept]
        until = deadline
        if math.isfinite(deadline) and len(rows) > 1:
            until = time.time() + (deadline - time.time()) / (len(rows) - k)
        starts = [law.equation for law in laws]
        fits.append(GroupOutputFit(estimator, given, codes, limited, int(seed), until, parts, numbers, known, starts))
        estimator._watched.hand("found", k, fits[-1].front)
    names = None if features is None else features.columns.tolist()
    _keep(estimator, fits, grouping, variables, single, names)


def _keep(
    estimator: Any,
    fits: Sequence[GroupOutputFit],
    grouping: Grouping,
    variables: list[str],
    single: bool,
    features: list[str] | None,
) -> None:
    """Set the attributes of the estimator."""
    columns = GroupColumns([fit.front for fit in fits], variables)
    outcomes = [fit.outcome(laws, columns.names) for fit, laws in zip(fits, columns.placed, strict=True)]
    estimator._grouped = columns.described(grouping.labels, [fit.following for fit in fits], features)
    estimator._ranges = np.concatenate([estimator._ranges, columns.ranges], axis=1)
    keep_laws(estimator, outcomes, columns.names, single)
    estimator._parametric = columns.parametric


def _folds(folds: Folds, grouping: Grouping, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training rows and rows held out, among those of known groups."""
    known = np.flatnonzero(grouping.codes >= 0)
    codes = grouping.codes[known]
    if isinstance(folds.cv, int):
        return list(folds_of_groups(codes, folds.cv, seed))
    place = np.full(len(grouping.codes), -1)
    place[known] = np.arange(len(known))
    every = np.arange(len(place))
    X, y, _ = folds.rows
    found = []
    for training, held_out in folds.cv.split(X, y):
        parts = [place[every[part]] for part in (training, held_out)]
        found.append(tuple(part[part >= 0] for part in parts))
        missing = set(range(len(grouping.labels))) - set(codes[found[-1][0]].tolist())
        if missing:
            raise ValueError(
                f"cv: a fold holds out all rows of group {shown([grouping.labels[g] for g in sorted(missing)])}, whose "
                "constants are then not known, expected rows of every group to fit to. Use a number of folds, or "
                "StratifiedKFold over the labels."
            )
    return found


def read_groups(groups: Any, n_rows: int, weight: np.ndarray | None, form: Form | None) -> Grouping | None:
    """Which group each row is of, from what a user passes; None for None.

    Raises
    ------
    ValueError, TypeError
        Labels that are wrong, see :meth:`Grouping.of`, or a form that groups do not go with.
    """
    if groups is None:
        return None
    if form is not None and form.occurrences:
        raise ValueError(
            f"form and groups: {', '.join(form.arities)} is to be found, expected a form of constants only. Leave out "
            "the form, or groups."
        )
    return Grouping.of(groups, n_rows, weight)
