"""The search for what a form leaves open: its constants, and its unknown functions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sklearn_eql._threads import single_threaded
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.forms.constants import best_constants
from sklearn_eql.forms.fitted import FittedForm, law_of, recognised, with_positive_constants
from sklearn_eql.forms.form import Form
from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.sparse.rows import RowView
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.equation import Equation


@dataclass(frozen=True)
class FormResult(SearchResult):
    """Laws of a form, and for the equation of each what it is made of."""

    fitted: Mapping[Equation, FittedForm] = field(default_factory=dict)


def search_form(
    form: Form,
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float,
) -> FormResult:
    """Find the constants and functions of a form; as :func:`~sklearn_eql.search.islands.search` otherwise.

    Parameters
    ----------
    form : Form
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,);  sample_weight : ndarray (n_samples,) or None
    settings : SearchSettings
        Of the search for functions.
    initial : sequence of Law
        Not used yet.
    seed : int
    deadline : float
        Value of ``time.time()``.

    Raises
    ------
    AllTrialsFailedError
        No constants were found with which the form is finite on all rows.
    """
    scaling = Scaling.of(X, y, settings.scale, settings.resolution, sample_weight)
    table = Table(X, y, sample_weight, scaling, settings.primitives, seed, deadline, settings.device)
    rows = GroupedRows.of(X[:], y, sample_weight)
    with single_threaded():
        found = [_with_constants(form, rows, table, seed, deadline)]
    laws = {law_of(fitted, form.expr, form.features, table): fitted for fitted in found if fitted is not None}
    laws.pop(None, None)
    if not laws:
        raise AllTrialsFailedError(
            "No constants were found with which the form is finite on every row. Check the form and the rows for "
            "logarithms and roots of negative numbers and for divisions by zero, or raise max_time."
        )
    front = shortlist(laws, len(table.y))
    best = min(front, key=lambda law: law.description_length(len(table.y)))
    if table.is_met(best.equation):
        reason = StopReason.EXACT
    else:
        reason = StopReason.MAX_TIME if time.time() > deadline else StopReason.STARTS
    fitted = {law.equation: laws[law] for law in front}
    return FormResult(front, reason, 1, [best.relative_loss], len(table.y), False, fitted=fitted)


def _with_constants(form: Form, rows: GroupedRows, table: Table, seed: int, deadline: float) -> FittedForm | None:
    """A form without unknown functions, its constants fitted; None where it is not finite on the rows."""
    primitives, law = table.primitives, form.law(table.primitives)
    floor = table.scaling.exact * float(rows.weight.sum()) * float(np.var(rows.y)) / 100
    values, loss = best_constants(form, law, rows, primitives, seed=seed, floor=floor, deadline=deadline)
    if not np.isfinite(loss):
        return None
    named = range(len(law.names))
    values = with_positive_constants(law, rows, values, loss, primitives, named)
    values = recognised(law, rows, values, len(law.names), table)
    return FittedForm(law, tuple(values.tolist()), len(law.names))
