"""The fit of one law to many groups, by the parameters of an estimator."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from sklearn_eql.estimators._constants_reader import with_chi_square
from sklearn_eql.estimators._folds import Folds
from sklearn_eql.estimators._group_forms import form_in_groups
from sklearn_eql.estimators._grouping import Grouping, names_of_constants, numbers_of, shown
from sklearn_eql.estimators._kept_laws import Outcome, keep_laws, with_rivals
from sklearn_eql.forms.fitted import FittedForm
from sklearn_eql.groups.cross_validation import folds_of_groups, losses_of_groups
from sklearn_eql.groups.curvature import shared_curvature
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.search import search_groups
from sklearn_eql.groups.under_loss import search_groups_under
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.losses import loss_of
from sklearn_eql.laws.selection import select, simplest_cross_validated
from sklearn_eql.laws.standing import standings
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.stopping import StopReason
from sklearn_eql.uncertainty.constants import Parameters
from sklearn_eql.uncertainty.curvature import Curvature

_SELECTIONS = ("best", "accurate", "simple", "validation")
_CV_SHARE, _CV_SECONDS = 0.2, 10.0  # of max_time, kept for cross-validation


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
    known: bool = False,
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
    """
    _check_supported(estimator, len(rows), folds)
    grouping = Grouping.of(groups, len(rows[0][1]), rows[0][2])
    numbers = numbers_of(grouping.labels, estimator.group_laws)
    parts = None if folds is None else _folds(folds, grouping, int(seeds[0]))
    kept = np.flatnonzero(grouping.codes >= 0)
    codes = grouping.codes[kept]
    fits = []
    for k, ((X, y, weight), limited, seed) in enumerate(zip(rows, settings, seeds, strict=True)):
        estimator._watched.output = k
        given = X[kept], y[kept], None if weight is None else weight[kept]
        until = deadline
        if math.isfinite(deadline) and len(rows) > 1:
            until = time.time() + (deadline - time.time()) / (len(rows) - k)
        fits.append(_OutputFit(estimator, given, codes, limited, int(seed), until, parts, numbers, known))
    _keep(estimator, fits, grouping, variables, single)


class _OutputFit:
    """The fit of one output."""

    def __init__(
        self, estimator, given: Rows, codes, settings: SearchSettings, seed, deadline, parts, numbers, known: bool
    ) -> None:
        self.estimator, self.codes, self.settings, self.deadline = estimator, codes, settings, deadline
        self.known = known
        until = deadline
        if parts is not None and math.isfinite(deadline):
            until -= max(0.0, min(_CV_SHARE * (deadline - time.time()), _CV_SECONDS))
        X, y, weight = given
        find = self._find(X, y, seed, numbers)
        if estimator.loss == "squared_error":
            result = find(weight, until)
        else:
            loss = None if estimator.loss == "huber" else loss_of(estimator.loss)
            result, weight = search_groups_under(loss, estimator.epsilon, find, given, codes, settings, until)
        self.rows: Rows = X, y, weight
        if known:
            result = replace(result, front=[_with_known_errors(law, weight) for law in result.front])
        self.losses = self.errors = None
        if parts is not None:
            try:
                self.losses, self.errors = losses_of_groups(
                    result.front, self.rows, codes, parts, settings.primitives, deadline
                )
            except KeyboardInterrupt:
                self.losses = self.errors = np.full(len(result.front), np.nan)
                result = replace(result, stop_reason=StopReason.INTERRUPTED, interrupted=True)
        self.result: SearchResult = result

    def _find(self, X: np.ndarray, y: np.ndarray, seed: int, numbers) -> Callable[..., SearchResult]:
        estimator, codes, settings = self.estimator, self.codes, self.settings

        def find(weight: np.ndarray | None, until: float) -> SearchResult:
            if estimator._form is not None:
                return form_in_groups(estimator._form, (X, y, weight), codes, settings, seed, until)
            return search_groups(X, y, weight, codes, settings, seed, until, numbers)

        return find

    @property
    def front(self) -> list[GroupLaw]:
        """Laws of the output."""
        return self.result.front

    @property
    def n_own(self) -> int:
        """Own constants of the law that has most."""
        return max(law.n_own for law in self.front)

    def outcome(self, laws: list[GroupLaw], names: list[str]) -> Outcome:
        """The laws as the estimator has them, one selected, with what is known of all."""
        estimator, primitives = self.estimator, self.settings.primitives
        before = standings(laws, self.result.n_rows, None, self.losses, self.errors)
        table = partial(estimator._table, laws, names, before, primitives)
        best = None
        if estimator.selection == "validation":
            best = simplest_cross_validated(self.losses, self.errors)
        if best is None:
            chosen = table() if callable(estimator.selection) else None
            best = select(estimator.selection, laws, self.result.n_rows, chosen)
        marks = self._rivals(best)
        sure = self._curvatures()
        stands = standings(laws, self.result.n_rows, marks, self.losses, self.errors)
        return Outcome(replace(self.result, front=laws), best, with_chi_square(stands, sure, laws), sure)

    def _rivals(self, best: int) -> list[bool]:
        """As of laws of one table: each reads columns of its own, and its own constants are fitted ones."""
        widths = [law.n_own for law in self.front]
        places = np.cumsum([0, *widths])
        laws = [
            replace(law.placed(int(first), int(places[-1])), n_free=law.n_free + law.own.size)
            for law, first in zip(self.front, places[:-1], strict=True)
        ]
        X, y, weight = self.rows
        wide = np.concatenate([X, *(law.own[self.codes] for law in self.front)], axis=1)
        rows = (wide, y, weight)
        found = replace(self.result, front=laws)
        found, marks = with_rivals(found, best, rows, self.settings.primitives, self.deadline)
        self.result = replace(found, front=self.front)
        return marks

    def _curvatures(self) -> list[Curvature]:
        rows = GroupedRows.of(*self.rows, self.codes)
        primitives, resolution = self.settings.primitives, self.settings.resolution
        found = []
        for law in self.front:
            parameters = Parameters.of(law.equation, primitives)
            if law.named is not None:
                parameters = Parameters.of_form(law.named.law, law.named.values)
            found.append(shared_curvature(law, parameters, rows, primitives, resolution, self.known))
        return found


def _with_known_errors(law: GroupLaw, weight: np.ndarray) -> GroupLaw:
    """The law with errors of own constants that follow from the errors of the target, not from residuals."""
    n_rows = int(np.count_nonzero(weight))
    n_left = n_rows - law.n_free - law.own.size
    estimated = law.loss * n_rows / n_left if n_left > 0 else 0.0
    if not 0 < estimated < math.inf:
        return law
    known = n_rows / float(weight.sum())  # of a residual of average weight
    return replace(law, own_errors=law.own_errors * math.sqrt(known / estimated))


def _keep(estimator, fits: Sequence[_OutputFit], grouping: Grouping, variables: list[str], single: bool) -> None:
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


def _check_supported(estimator, n_outputs: int, folds: Folds | None) -> None:
    selection = estimator.selection
    if not callable(selection) and (selection not in _SELECTIONS or (selection == "validation" and folds is None)):
        raise ValueError(
            f"groups: selection={selection!r}, expected 'best', 'accurate', 'simple', a callable, or 'validation' with "
            "cv: no rows are held out of a search over groups."
        )
    if estimator._form is not None and estimator._form.occurrences:
        raise ValueError(
            f"form and groups: {', '.join(estimator._form.arities)} is to be found, expected a form of constants only. "
            "Leave out the form, or groups."
        )
    if estimator._form is not None and n_outputs > 1:
        raise ValueError(f"form and groups: y has {n_outputs} outputs, expected one. Fit an estimator for each.")
