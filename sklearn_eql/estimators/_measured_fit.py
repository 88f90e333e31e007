"""From rows of which features have errors, too, to the laws of one output: searched for, selected, cross-validated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.estimators._folds import Folds
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.forms.form import Form
from sklearn_eql.forms.measured import FormLaws
from sklearn_eql.forms.search import FormResult
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.losses import Loss, TorchLoss
from sklearn_eql.laws.selection import outer_rows, random_rows, simplest_outside, simplest_validated
from sklearn_eql.search.errors_in_variables import (
    Laws,
    Measured,
    MeasuredResult,
    SearchedLaws,
    search_measured,
)
from sklearn_eql.search.measured_loss import MeasuredLoss
from sklearn_eql.search.measured_validation import cross_validated_likelihoods, terms_on
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.uncertainty.both_axes import Moved, as_likely


@dataclass(frozen=True)
class MeasuredFit:
    """The fit of one output to rows with errors on both axes.

    Parameters
    ----------
    find : callable
        ``find(rows, until)`` searches under squares.
    settings : SearchSettings
    seed : int
    form : Form or None
    loss : Loss, TorchLoss, "huber" or None
        None for squares.
    epsilon : float
        Of Huber's.
    """

    find: Callable[[Rows, float], SearchResult]
    settings: SearchSettings
    seed: int
    form: Form | None
    loss: Loss | TorchLoss | str | None
    epsilon: float

    @property
    def reweigh(self) -> MeasuredLoss | None:
        """What the loss makes of rows; None for squares."""
        if self.loss is None:
            return None
        return MeasuredLoss(None if isinstance(self.loss, str) else self.loss, self.epsilon, self.settings.resolution)

    def search(
        self, rule: str | None, rows: Measured, deadline: float
    ) -> tuple[MeasuredResult, int | None, Measured, Measured]:
        """Laws, the one that rows held out select, all rows as the loss has them, and those that laws are fitted to.

        Parameters
        ----------
        rule : {"extrapolation", "validation"} or None
            By which rows are held out.
        """
        laws = self._laws()
        if rule is None:
            result, rows = self._searched(rows, laws, deadline)
            return result, None, rows, rows
        out = outer_rows(rows.X) if rule == "extrapolation" else random_rows(len(rows.y), self.seed)
        if out.all() or len(np.unique(rows.y[~out])) < 2:
            raise ValueError(
                f"selection={rule!r} holds out a fifth of the rows, and the {int((~out).sum())} other ones of "
                f"{len(out)} do not vary. Give more rows, or use selection='best'."
            )
        inner, outer = rows.part(~out), rows.part(out)
        result, inner = self._searched(inner, laws, deadline)
        result, best = self._selected(result, laws, inner, outer, exact=rule == "validation")
        if rule == "extrapolation":
            return result, best, inner, inner
        rows = self._reweighed(rows, result.front[best], laws)
        return *self._on_all_rows(result, best, laws, rows, deadline), rows, rows

    def cross_validated(
        self, result: MeasuredResult, rows: Measured, given: Measured, folds: Folds, number: int, deadline: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """`cv_loss` and `cv_loss_se` of the laws of output `number`; `given` are the rows as they were passed."""
        laws = self._laws(result)
        merged, parts = folds.of_output(number, len(rows.y), self.seed)
        if not merged:
            leader = min(result.front, key=lambda law: law.description_length(result.n_rows))
            rows = self._reweighed(given, leader, laws)
        parameters = [laws.parameters(law) for law in result.front]
        return cross_validated_likelihoods(parameters, rows, parts, self.settings.primitives, deadline)

    def _laws(self, result: SearchResult | None = None) -> Laws:
        if self.form is None:
            return SearchedLaws(self.settings, self.seed)
        found = FormLaws(self.form, self.settings, self.seed)
        if isinstance(result, FormResult):
            found.known.update(result.fitted)
        return found

    def _searched(self, rows: Measured, laws: Laws, deadline: float) -> tuple[MeasuredResult, Measured]:
        def find(part: Rows, until: float) -> SearchResult:
            result = self.find(part, until)
            if isinstance(laws, FormLaws) and isinstance(result, FormResult):
                laws.known.update(result.fitted)
            return result

        return search_measured(find, rows, self.settings, laws, deadline, self.reweigh)

    def _reweighed(self, rows: Measured, leader: Law, laws: Laws) -> Measured:
        """The rows as the loss has them beside a law that they may have had no part in."""
        if self.reweigh is None:
            return rows
        return self.reweigh(rows, rows.beside(laws.parameters(leader), self.settings.primitives))

    def _selected(
        self, result: MeasuredResult, laws: Laws, inner: Measured, outer: Measured, exact: bool
    ) -> tuple[MeasuredResult, int]:
        """The laws that are defined on rows held out, and the simplest that does well there."""
        primitives = self.settings.primitives
        parameters = [laws.parameters(law) for law in result.front]
        leader = min(result.front, key=lambda law: law.description_length(result.n_rows))
        outer = self._reweighed(outer, leader, laws)
        about = (inner, outer, primitives)
        pairs = zip(parameters, result.moved, strict=True)
        terms = np.array([terms_on(numbers, numbers.values, moved, *about) for numbers, moved in pairs])
        means = terms @ outer.weight / outer.weight.sum()
        errors = np.array([as_likely(mean) if math.isfinite(mean) else math.inf for mean in means.tolist()])
        kept = np.flatnonzero(np.isfinite(errors)).tolist()
        if not kept:
            raise AllTrialsFailedError(
                f"No law that was found is defined on all of the {len(outer.y)} rows held out. Use selection='best', "
                "which searches on all rows, or functions that are defined everywhere."
            )
        result = replace(result, front=[result.front[i] for i in kept], moved=tuple(result.moved[i] for i in kept))
        if exact and self.reweigh is None:
            squares = terms[kept] * outer.weight / outer.weight.mean()
            return result, simplest_validated(errors[kept], squares)
        return result, simplest_outside(errors[kept], len(outer.y))

    def _on_all_rows(
        self, result: MeasuredResult, best: int, laws: Laws, rows: Measured, deadline: float
    ) -> tuple[MeasuredResult, int]:
        """The laws fitted to all rows, those that can be, and the place of the selected one."""
        demands = self.settings.demands
        behaviour = None if demands is None else demands.of_printed
        found: list[tuple[int, Law, Moved]] = []
        for i, law in enumerate(result.front):
            fitted = rows.onto(laws.parameters(law), self.settings.primitives, deadline, behaviour=behaviour)
            if fitted is None:
                continue
            values, places = fitted
            new = laws.with_values(law, values)
            if new is not None and (demands is None or demands.confirms(new.equation)):
                loss = places.log_likelihood_loss(rows.weight)
                found.append((i, replace(new, loss=loss, relative_loss=loss / rows.variance), places))
        if not any(i == best for i, *_ in found):
            raise AllTrialsFailedError(
                "The law that the rows held out select has no constants that all rows allow. Use selection='best'."
            )
        front, moved = [law for _, law, _ in found], tuple(moved for *_, moved in found)
        n_rows = len(rows.y)
        place = [i for i, *_ in found].index(best)
        whole = MeasuredResult(
            front, result.stop_reason, result.n_iter, result.loss_curve, n_rows, result.interrupted, moved
        )
        return laws.as_result(whole), place
