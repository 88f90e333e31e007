"""From rows to the laws of one output: searched for, selected, and judged beside each other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sklearn_eql.estimators._check_table import GivenRows, copies, merge_duplicates, n_given
from sklearn_eql.estimators._constants_reader import with_chi_square
from sklearn_eql.estimators._equation_reader import Selection, laws_table
from sklearn_eql.estimators._folds import Folds
from sklearn_eql.estimators._form import fitted_guesses
from sklearn_eql.estimators._held_out import HELD_OUT, search_with_rows_held_out
from sklearn_eql.estimators._kept_laws import Outcome, interrupted, with_curvatures, with_rivals
from sklearn_eql.estimators._measured_fit import MeasuredFit
from sklearn_eql.estimators._measurement_errors import MeasurementErrors
from sklearn_eql.forms.form import Form
from sklearn_eql.forms.search import search_form
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.losses import loss_of
from sklearn_eql.laws.selection import select, simplest_cross_validated
from sklearn_eql.laws.standing import standings
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.in_units import search
from sklearn_eql.search.robust import robust_rows, robust_search
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.search.under_loss import rows_under, search_under

_CV_SHARE, _CV_SECONDS = 0.2, 10.0  # of the time, kept for cross-validation


@dataclass(frozen=True)
class FitTask:
    """What the fits of all outputs share.

    Parameters
    ----------
    loss : str or callable
    epsilon : float
        Of ``loss="huber"``.
    selection : str or callable
    variables : list of str
    ranges : ndarray (2, n_features)
        Of the training rows.
    measured : MeasurementErrors
    folds : Folds or None
    form : Form or None
    guesses : sequence of Form
    """

    loss: str | Callable
    epsilon: float
    selection: Selection
    variables: list[str]
    ranges: np.ndarray
    measured: MeasurementErrors
    folds: Folds | None
    form: Form | None
    guesses: Sequence[Form]

    def search(
        self,
        rows: Rows,
        counts: np.ndarray | None,
        settings: SearchSettings,
        initial: Sequence[Law],
        seed: int,
        until: float,
    ) -> SearchResult:
        """Search under the loss; `counts` are the copies that each row stands for, where that matters."""
        find = search if self.form is None else partial(search_form, self.form)
        if self.form is None:
            initial = [*initial, *fitted_guesses(self.guesses, rows, settings, seed, until)]
        if self.loss == "huber":
            return robust_search(*rows, counts, settings, initial, seed, until, self.epsilon, find)
        if (loss := loss_of(self.loss)) is not None:
            return search_under(loss, *rows, settings, initial, seed, until, find)
        return find(*rows, settings, initial, seed, until)

    def select(
        self,
        result: SearchResult,
        losses: np.ndarray | None,
        errors: np.ndarray | None,
        primitives: Mapping[str, Primitive],
    ) -> int:
        """The row of the selected law; `losses` and `errors` are those of cross-validation."""
        if self.selection == "validation" and losses is not None and errors is not None:
            chosen = simplest_cross_validated(losses, errors)
            if chosen is not None:
                return chosen
        table = None
        if callable(self.selection):
            stands = standings(result.front, result.n_rows, None, losses, errors)
            table = laws_table(result.front, self.variables, primitives, stands, self.ranges)
        return select(self.selection, result.front, result.n_rows, table)

    def weighed(self, rows: Rows, result: SearchResult, settings: SearchSettings) -> Rows:
        """The rows with the weights that the loss gives them beside the leading law."""
        if self.loss == "huber":
            return robust_rows(rows, result, settings, self.epsilon)
        loss = loss_of(self.loss)
        return rows if loss is None else rows_under(loss, rows, result, settings)


@dataclass(frozen=True)
class OutputFit:
    """The fit of one output of several, or of the only one.

    Parameters
    ----------
    task : FitTask
    number : int
        Which output.
    given : tuple of X (n_samples, n_features), y (n_samples,), weight (n_samples,) or None
    settings : SearchSettings
    initial : sequence of Law
        Of an earlier fit.
    seed : int
    """

    task: FitTask
    number: int
    given: GivenRows
    settings: SearchSettings
    initial: Sequence[Law]
    seed: int

    def __call__(self, deadline: float) -> Outcome:
        """The laws found until then, the selected one, how all stand beside it, and their curvatures."""
        task, settings, primitives = self.task, self.settings, self.settings.primitives
        given = task.measured.weighed(self.number, self.given)
        X, y, weight = merge_duplicates(*given)
        if weight is not None:  # the same for three copies of a row as for a weight of three, to the last bit
            weight = weight / weight.max()
        merged = (X, y, weight)
        result: SearchResult
        if task.measured.x is not None:
            result, best, rows, searched, losses, errors = self._with_errors(deadline)
        else:
            result, best, rows, searched = self._searched(merged, given, deadline)
            rows, searched = task.weighed(rows, result, settings), task.weighed(searched, result, settings)
            result, losses, errors = self._cross_validated(result, rows, given, deadline)
        if best is None:
            best = task.select(result, losses, errors, primitives)
        result, marks = with_rivals(result, best, searched, primitives, deadline)
        n_rows = round(n_given(given) * len(searched[1]) / len(rows[1]))
        result, sure = with_curvatures(
            result, best, searched, primitives,
            n_rows=n_rows, resolution=settings.resolution, scale=task.measured.scale(given, merged),
            deadline=deadline,
        )  # fmt: skip
        stands = standings(result.front, result.n_rows, marks, losses, errors)
        return Outcome(result, best, with_chi_square(stands, sure, result.front), sure)

    def _searched(self, merged: Rows, given: GivenRows, deadline: float) -> tuple[SearchResult, int | None, Rows, Rows]:
        """Laws, the row that rows held out select, distinct rows, and those of them that the laws are fitted to."""
        task, until = self.task, self._until(deadline)
        find = partial(task.search, settings=self.settings, initial=self.initial, seed=self.seed)
        counts = copies(*given) if task.loss == "huber" else None
        rule = self._rule
        if rule is None:
            return find(merged, counts, until=until), None, merged, merged
        epsilon = task.epsilon if task.loss == "huber" else None
        inner = partial(find, until=until)
        result, best, searched = search_with_rows_held_out(
            rule, inner, merged, counts, self.settings, self.seed, epsilon, deadline, loss_of(task.loss)
        )
        return result, best, merged, searched

    def _until(self, deadline: float) -> float:
        """When the search is over: cross-validation takes its share."""
        if self.task.folds is None or math.isinf(deadline):
            return deadline
        return deadline - max(0.0, min(_CV_SHARE * (deadline - time.time()), _CV_SECONDS))

    @property
    def _rule(self) -> str | None:
        """By which rows are held out of the search; None where none are."""
        rule = self.task.selection
        if not isinstance(rule, str) or rule not in HELD_OUT or (rule == "validation" and self.task.folds):
            return None
        return rule

    def _with_errors(
        self, deadline: float
    ) -> tuple[SearchResult, int | None, Rows, Rows, np.ndarray | None, np.ndarray | None]:
        """As `_searched`, of rows with errors in features, and the errors of laws on rows held out."""
        task = self.task
        find = partial(task.search, counts=None, settings=self.settings, initial=self.initial, seed=self.seed)
        loss = task.loss if task.loss == "huber" else loss_of(task.loss)
        fit = MeasuredFit(
            lambda part, end: find(part, until=end), self.settings, self.seed, task.form, loss, task.epsilon
        )
        merged = task.measured.merged(self.number, self.given)
        result, best, every, searched = fit.search(self._rule, merged, self._until(deadline))
        losses = errors = None
        if task.folds is not None:
            passed = task.measured.as_passed(self.number, self.given)
            losses = errors = np.full(len(result.front), np.nan)
            try:
                if not result.interrupted:
                    about = (result, every, passed, task.folds, self.number, deadline)
                    losses, errors = fit.cross_validated(*about)
            except KeyboardInterrupt:
                return interrupted(result), best, every.plain, searched.plain, losses, errors
        return result, best, every.plain, searched.plain, losses, errors

    def _cross_validated(
        self, result: SearchResult, rows: Rows, given: Rows, deadline: float
    ) -> tuple[SearchResult, np.ndarray | None, np.ndarray | None]:
        """The result, and its errors on rows held out with their standard errors, where these are asked for."""
        folds = self.task.folds
        if folds is None:
            return result, None, None
        if self.task.loss != "squared_error":
            folds = replace(folds, rows=self.task.weighed(given, result, self.settings))
        try:
            return result, *folds.losses(result, self.number, rows, self.settings, self.seed, deadline)
        except KeyboardInterrupt:
            unknown = np.full(len(result.front), np.nan)
            return interrupted(result), unknown, unknown
