"""The fit of one law to many groups, by the parameters of an estimator."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from sklearn_eql.estimators._folds import Folds
from sklearn_eql.estimators._group_output_fit import GroupOutputFit
from sklearn_eql.estimators._grouping import Grouping, names_of_constants, numbers_of, shown
from sklearn_eql.estimators._kept_laws import keep_laws
from sklearn_eql.forms.fitted import FittedForm
from sklearn_eql.groups.cross_validation import folds_of_groups
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import Law
from sklearn_eql.search.settings import SearchSettings


def fit_groups(
    estimator: Any,
    rows: Sequence[Rows],
    groups: Any,
    settings: Sequence[SearchSettings],
    folds: Folds | None,
    seeds: Sequence[int],
    deadline: float,
    variables: list[str],
    single: bool,
    known: bool,
    before: Sequence[Sequence[Law]],
) -> None:
    """Fit an estimator to the rows of many groups, and set its attributes.

    Parameters
    ----------
    rows : sequence of X (n_samples, n_features), y (n_samples,), weight (n_samples,) or None
        For each output.
    groups
        As the user passed them.
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
    """
    _check_supported(estimator, len(rows))
    grouping = Grouping.of(groups, len(rows[0][1]), rows[0][2])
    numbers = numbers_of(grouping.labels, estimator.group_laws)
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
    _keep(estimator, fits, grouping, variables, single)


def _keep(estimator, fits: Sequence[GroupOutputFit], grouping: Grouping, variables: list[str], single: bool) -> None:
    """Set the attributes of the estimator: laws of all outputs, of which each reads columns of its own."""
    firsts = np.cumsum([0, *(fit.n_own for fit in fits)]).tolist()
    own_names = names_of_constants(variables, firsts[-1])
    if fits[0].front[0].named is not None:
        own_names = list(fits[0].front[0].named.own)
    names = [*variables, *own_names]
    outcomes, outputs, ranges = [], [], [estimator._ranges]
    for fit, first in zip(fits, firsts, strict=False):
        front = fit.front
        laws = [law.placed(first, firsts[-1]) for law in front]
        outcomes.append(fit.outcome(laws, names))
        outputs.append(
            {
                "first": first,
                "names": own_names[first : first + fit.n_own],
                "constants": [law.own for law in front],
                "errors": [law.own_errors for law in front],
                "following": [(f.follow, f.half, f.of_laws) for f in fit.following],
                "laws": [[None if found is None else asdict(found) for found in law.laws] for law in front],
            }
        )
        columns = [np.concatenate([law.own[:, k] for law in front if law.n_own > k]) for k in range(fit.n_own)]
        ranges.append(np.array([[c.min() for c in columns], [c.max() for c in columns]]).reshape(2, fit.n_own))
    estimator._grouped = {"labels": grouping.labels, "outputs": outputs}
    estimator._ranges = np.concatenate(ranges, axis=1)
    keep_laws(estimator, outcomes, names, single)
    estimator._parametric = None
    if estimator._form is not None:
        kept = [law.named for law in fits[0].front]
        estimator._parametric = [[FittedForm(n.law, n.values, len(n.values)) for n in kept]]


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


def _check_supported(estimator, n_outputs: int) -> None:
    if estimator._form is not None and estimator._form.occurrences:
        raise ValueError(
            f"form and groups: {', '.join(estimator._form.arities)} is to be found, expected a form of constants only. "
            "Leave out the form, or groups."
        )
    if estimator._form is not None and n_outputs > 1:
        raise ValueError(f"form and groups: y has {n_outputs} outputs, expected one. Fit an estimator for each.")
