"""The search for what a form leaves open: its constants, and its unknown functions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_eql._threads import single_threaded
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.forms.asked import Asked
from sklearn_eql.forms.backfitting import FunctionSearch
from sklearn_eql.forms.constants import best_constants
from sklearn_eql.forms.fitted import FittedForm, FormLaw, law_of, recognised, with_plain_constants
from sklearn_eql.forms.form import Form
from sklearn_eql.forms.joint import Combination, combined
from sklearn_eql.laws.judging import SAMPLE_ROWS, Table
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.sparse.rows import RowView
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.equation import Equation

_N_FINISHED = 6  # combinations of functions that are fitted to all rows, and of which constants are recognised


@dataclass(frozen=True)
class FormResult(SearchResult):
    """Laws of a form, and for the equation of each what it is made of."""

    fitted: Mapping[Equation, FittedForm] = field(default_factory=dict)


def described(result: SearchResult) -> list[Law]:
    """The laws of a result as they are kept: those of a form with what they are made of."""
    if not isinstance(result, FormResult):
        return result.front
    return [FormLaw.of(law, result.fitted[law.equation]) for law in result.front]


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
    asked = Asked(settings)
    given = (scaling, settings.primitives, seed, deadline, settings.device, asked.admission)
    table = Table(X, y, sample_weight, *given)
    rows = GroupedRows.of(X[:], y, sample_weight)
    n_iter, otherwise = 1, StopReason.STARTS
    with single_threaded():
        if form.occurrences:
            laws, n_iter, otherwise = _with_functions(form, rows, table, asked, seed, deadline)
        else:
            laws = _with_constants(form, rows, table, asked, seed, deadline)
    if not laws:
        is_asked = asked.admission is not None or settings.demands is not None
        raise AllTrialsFailedError(
            "No constants and functions were found with which the form is finite on every row"
            f"{' and obeys the constraints and units' if is_asked else ''}. Check the form and the rows for logarithms "
            "and roots of negative numbers and for divisions by zero, or raise max_time."
        )
    front = shortlist(laws, len(table.y))
    best = min(front, key=lambda law: law.description_length(len(table.y)))
    if table.is_met(best.equation):
        reason = StopReason.EXACT
    else:
        reason = StopReason.MAX_TIME if time.time() > deadline else otherwise
    fitted = {law.equation: laws[law] for law in front}
    interrupted = otherwise == StopReason.INTERRUPTED
    reason = otherwise if interrupted else reason
    return FormResult(front, reason, n_iter, [best.relative_loss], len(table.y), interrupted, fitted=fitted)


def _with_constants(
    form: Form, rows: GroupedRows, table: Table, asked: Asked, seed: int, deadline: float
) -> dict[Law, FittedForm]:
    """A form without unknown functions, its constants fitted; nothing where it is not finite on the rows."""
    primitives, law = table.primitives, form.law(table.primitives)
    floor = table.scaling.exact * float(rows.weight.sum()) * float(np.var(rows.y)) / 100
    values, loss = best_constants(form, law, rows, primitives, seed=seed, floor=floor, deadline=deadline)
    if not np.isfinite(loss):
        return {}
    values = with_plain_constants(law, rows, values, loss, primitives, range(len(values)))
    values = asked.bent(law, recognised(law, rows, values, len(values), table), rows, deadline)
    if values is None:
        return {}
    fitted = FittedForm(law, tuple(values.tolist()), len(values))
    found = law_of(fitted, form.expr, form.features, table)
    return {found: fitted} if found is not None and asked.obeys(found, fitted) else {}


def _with_functions(
    form: Form, rows: GroupedRows, table: Table, asked: Asked, seed: int, deadline: float
) -> tuple[dict[Law, FittedForm], int, StopReason]:
    """Laws of a form with unknown functions, how many searches that took, and why they ended.

    Where there are many rows, all is searched for on a sample of them, and the best are then fitted to all.
    """
    few, judge, settings = rows, table, asked.settings
    counted = np.flatnonzero(rows.weight)
    if len(counted) > SAMPLE_ROWS:
        counted = np.sort(np.random.default_rng(seed).choice(counted, SAMPLE_ROWS, replace=False))
    if len(counted) < len(rows.y):
        few = GroupedRows.of(rows.X[counted], rows.y[counted], rows.weight[counted])
        given = (table.scaling, table.primitives, seed, deadline, settings.device, table.admission)
        judge = Table(few.X, few.y, few.weight, *given)
    searching = FunctionSearch(form, few, judge, settings, seed, deadline)
    laws: dict[Law, FittedForm] = {}
    for combination in searching.run()[:_N_FINISHED]:
        named = combination.values[: len(form.constants)]
        choice, first = [], len(named)
        for candidate in combination.candidates:
            last = first + len(candidate.values)
            choice.append(replace(candidate, values=combination.values[first:last]))
            first = last
        final = combined(form, choice, named, rows, table, final=True)
        final = None if final is None else _obeying(final, form, rows, table, asked, deadline)
        if final is not None and final.found not in laws:
            laws[final.found] = final.described(len(named), table.primitives)
    best = min(laws, key=lambda law: law.description_length(len(few.y)), default=None)
    if searching.interrupted:
        return laws, searching.n_searches, StopReason.INTERRUPTED
    is_noise = best is not None and searching.leaves_noise(best)
    return laws, searching.n_searches, StopReason.NOISE if is_noise else StopReason.PATIENCE


def _obeying(
    final: Combination, form: Form, rows: GroupedRows, table: Table, asked: Asked, deadline: float
) -> Combination | None:
    """The combination, with constants under which it behaves; None where it is not what is asked for."""
    values = asked.bent(final.law, final.values, rows, deadline)
    if values is None:
        return None
    if values is not final.values:
        fitted = FittedForm(final.law, tuple(values.tolist()), len(form.constants))
        found = law_of(fitted, final.expr, form.features, table)
        if found is None:
            return None
        final = replace(final, values=values, found=found)
    return final if asked.obeys(final.found, final.described(len(form.constants), table.primitives)) else None
