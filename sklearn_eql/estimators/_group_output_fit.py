"""From rows of many groups to the laws of one output: searched for, selected, and judged beside each other."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from sklearn_eql.estimators._constants_reader import with_chi_square
from sklearn_eql.estimators._group_forms import form_in_groups, guesses_in_groups
from sklearn_eql.estimators._groups_held_out import GroupsHeldOut, side_by_side
from sklearn_eql.estimators._held_out import HELD_OUT
from sklearn_eql.estimators._kept_laws import Outcome, with_rivals
from sklearn_eql.groups.cross_validation import losses_of_groups
from sklearn_eql.groups.curvature import Following, curvature_of_groups
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.search import search_groups
from sklearn_eql.groups.under_loss import search_groups_under, weights_beside
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.losses import Loss, TorchLoss, loss_of
from sklearn_eql.laws.selection import select, simplest_cross_validated
from sklearn_eql.laws.standing import standings
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.uncertainty.constants import Parameters
from sklearn_eql.uncertainty.curvature import Curvature

_CV_SHARE, _CV_SECONDS = 0.2, 10.0  # of max_time, kept for cross-validation


class GroupOutputFit:
    """The fit of one output of several, or of the only one.

    Parameters
    ----------
    estimator : EQLRegressor
        Whose parameters say how.
    given : tuple of X (n_samples, n_features), y (n_samples,), weight (n_samples,) or None
    codes : ndarray (n_samples,) of int
        Groups, from 0, without a gap among the rows with weight.
    settings : SearchSettings
    seed : int
    deadline : float
        Value of ``time.time()``.
    parts : list of (training, held out) rows, or None
        For cross-validation.
    numbers : ndarray (n_groups, n_group_features) or None
        Of which own constants may be laws.
    known : bool
        Whether weights are inverse variances of the target.
    starts : sequence of Equation
        Laws over the features that the search starts from.
    """

    def __init__(
        self,
        estimator: Any,
        given: Rows,
        codes: np.ndarray,
        settings: SearchSettings,
        seed: int,
        deadline: float,
        parts: Sequence[tuple[np.ndarray, np.ndarray]] | None,
        numbers: np.ndarray | None,
        known: bool,
        starts: Sequence[Equation],
    ) -> None:
        self.estimator, self.codes, self.settings, self.deadline = estimator, codes, settings, deadline
        self.known, self.numbers, self.seed = known, numbers, seed
        self.until = deadline
        if parts is not None and math.isfinite(deadline):
            self.until -= max(0.0, min(_CV_SHARE * (deadline - time.time()), _CV_SECONDS))
        guesses = estimator._guesses
        self.starts = [*starts, *guesses_in_groups(guesses, given, codes, settings, seed, self.until)]
        self.losses = self.errors = self.best = None
        self.rows: Rows
        result = self._searched(given, parts is not None)
        if known:
            result = replace(result, front=[_with_known_errors(law, self.rows[2]) for law in result.front])
        if parts is not None:
            try:
                whole = self._weighed(result, given, codes)
                self.losses, self.errors = losses_of_groups(
                    result.front, whole, codes, parts, settings.primitives, deadline
                )
            except KeyboardInterrupt:
                self.losses = self.errors = np.full(len(result.front), np.nan)
                result = replace(result, stop_reason=StopReason.INTERRUPTED, interrupted=True)
        self.result: SearchResult = result

    @property
    def _loss(self) -> Loss | TorchLoss | None:
        return None if self.estimator.loss in ("squared_error", "huber") else loss_of(self.estimator.loss)

    def _searched(self, given: Rows, has_folds: bool) -> SearchResult:
        """Laws; `rows` and `codes` are set to what they are fitted to, and `best` where rows held out select it."""
        estimator, rule = self.estimator, self.estimator.selection
        holds_out = rule in HELD_OUT if isinstance(rule, str) else False
        if estimator._form is not None or not holds_out or (rule == "validation" and has_folds):
            result, weight = self._find(given, self.codes)
            self.rows = (*given[:2], weight)
            return result
        epsilon = estimator.epsilon if estimator.loss == "huber" else None
        held_out = GroupsHeldOut(rule, self._loss, epsilon, self.settings, self.seed)
        result, self.best, kept, weight = held_out.search(self._find, given, self.codes, self.deadline)
        X, y, _ = given
        self.rows, self.codes = (X[kept], y[kept], weight), self.codes[kept]
        return result

    def _find(self, rows: Rows, codes: np.ndarray) -> tuple[SearchResult, np.ndarray | None]:
        """Laws of rows, and the weights under which they were found."""
        estimator, settings, (X, y, given) = self.estimator, self.settings, rows

        def find(weight: np.ndarray | None, until: float) -> SearchResult:
            if estimator._form is not None:
                return form_in_groups(estimator._form, (X, y, weight), codes, settings, self.seed, until)
            return search_groups(X, y, weight, codes, settings, self.seed, until, self.numbers, self.starts)

        if estimator.loss == "squared_error":
            return find(given, self.until), given
        return search_groups_under(self._loss, estimator.epsilon, find, rows, codes, settings, self.until)

    def _weighed(self, result: SearchResult, rows: Rows, codes: np.ndarray) -> Rows:
        """All rows, with the weights under which the laws were found."""
        if len(self.rows[1]) == len(codes):
            return self.rows
        if self.estimator.loss == "squared_error":
            return rows
        weight = weights_beside(result, self._loss, self.estimator.epsilon, rows, codes, self.settings)
        return rows[0], rows[1], weight

    @property
    def front(self) -> list[GroupLaw]:
        """Laws of the output."""
        return self.result.front

    def outcome(self, laws: list[GroupLaw], names: list[str]) -> Outcome:
        """The laws as the estimator has them, one selected, with what is known of all."""
        estimator, primitives = self.estimator, self.settings.primitives
        before = standings(laws, self.result.n_rows, None, self.losses, self.errors)
        table = partial(estimator._table, laws, names, before, primitives)
        best = self.best
        if best is None and estimator.selection == "validation" and self.losses is not None:
            best = simplest_cross_validated(self.losses, self.errors)
        if best is None:
            chosen = table() if callable(estimator.selection) else None
            best = select(estimator.selection, laws, self.result.n_rows, chosen)
        marks = self._rivals(best)
        self.following: list[Following] = []
        sure = self._curvatures()
        stands = standings(laws, self.result.n_rows, marks, self.losses, self.errors)
        # Constants of laws of own ones are among the degrees of freedom of the curvature already.
        inner = [len(following.of_laws[1]) for following in self.following]
        counted = [replace(law, n_free=law.n_free - n) for law, n in zip(laws, inner, strict=True)]
        return Outcome(replace(self.result, front=laws), best, with_chi_square(stands, sure, counted), sure)

    def _rivals(self, best: int) -> list[bool]:
        """As of laws of one table: each reads columns of its own, and its own constants are fitted ones."""
        laws, columns = side_by_side(self.front, self.codes)
        laws = [replace(law, n_free=law.n_free + law.own.size) for law in laws]
        X, y, weight = self.rows
        rows = (np.concatenate([X, columns], axis=1), y, weight)
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
            about = (primitives, resolution, self.known, self.numbers)
            curvature, following = curvature_of_groups(law, parameters, rows, *about)
            found.append(curvature)
            self.following.append(following)
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
