"""The search for one target of a table whose units are known.

Where constants have no units, the table is first written without units (:mod:`sklearn_eql.units.groups`): fewer
columns, in which no law can break the units. The laws that are found there are rewritten in the features. Where none is
confirmed, to be exact or, as a function of one column, to leave nothing but noise, the ordinary search follows,
starting from these. On its way to a law it may pass others that break the units, with terms that drop out later, or
powers that are not round yet; those that are printed fit them. Where that confirms none either, it is repeated among
structures that fit the units only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.finishing import as_law, finish, readable
from sklearn_eql.laws.judging import TIDY_STEPS, Table
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.search import islands
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.admission import all_of
from sklearn_eql.sparse.problem import Scaling, weighted_variance
from sklearn_eql.sparse.rows import RowView
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.units.admission import UnitsAdmission
from sklearn_eql.units.groups import Groups, groups_of
from sklearn_eql.units.natural import PriceInGroups, n_symbols

_SHARE_OF_TIME = 0.4  # of max_time, for all searches without units
_SHARE_OF_MANY = 0.2  # where there is more than one column: sums of features of one unit are shorter as they are
_SHARE_OF_ONE = 0.5  # of what is left of that, for one of them
_MOST_COEFFICIENTS = 120  # of a law in the features, of which spellings are sought
_FEW_COLUMNS = 2  # without units: where there are more, one search takes all the time
_MOST_GROUPS = 2  # factors of the target that are tried

Given = tuple[np.ndarray | RowView, np.ndarray, np.ndarray | None]  # X, y, sample_weight
_ENDED = (StopReason.EXACT, StopReason.SAMPLE, StopReason.NOISE, StopReason.INTERRUPTED)

_ADVICE = {
    True: "set dimensionless_constants=False, or add constants that have units as features",
    False: "a one that is not written has no unit, so give a constant of nature that is one as a feature",
}


def search(
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float,
) -> SearchResult:
    """As :func:`sklearn_eql.search.islands.search`, which this is where no units are known."""
    given = (X, y, sample_weight)
    if settings.units is None:
        return islands.search(*given, settings, initial, seed, deadline)
    fits = UnitsAdmission(settings.units, settings.primitives)
    strictly = replace(settings, admission=all_of([settings.admission, fits]))
    freely = replace(settings, units=None, printable=fits)
    searches = settings.families or settings.evolution.n_generations  # else laws are given, and refitted only
    known = groups_of(settings.units, X[:], y, sample_weight) if searches else []
    if known and not known[0].columns:
        return _only_law(known[0], _table_of(*given, strictly, seed, deadline), deadline)
    first = _between_groups(known, given, strictly, seed, deadline) if known else None
    is_noise = first is not None and first.stop_reason == StopReason.NOISE
    if first is not None and first.stop_reason in _ENDED and not (is_noise and len(known[0].columns) > 1):
        return first
    found, last = ([], None) if first is None else (first.front, first)
    for limits in (freely, strictly):  # what leads to a law need not fit the units
        try:
            result = islands.search(*given, limits, [*initial, *found], seed, deadline)
        except AllTrialsFailedError:
            continue
        front = [_priced(law, settings) for law in _honest(result.front, given, strictly, seed, deadline)]
        if front:
            found, last = [*found, *front], result
        is_over = result.stop_reason in _ENDED or time.time() > deadline
        if is_over and found:
            break
    if last is None:
        raise AllTrialsFailedError(
            f"No law was found that fits the units and is finite on every row. Check units and y_unit; "
            f"{_ADVICE[settings.units.dimensionless_constants]}, or give more time or functions."
        )
    laws = shortlist(found, len(y))
    met = laws[-1].level <= laws[-1].exact
    reason = StopReason.PATIENCE if last.stop_reason == StopReason.EXACT and not met else last.stop_reason
    if is_noise and reason in (StopReason.PATIENCE, StopReason.MAX_TIME, StopReason.GENERATIONS):
        reason = StopReason.NOISE
    return replace(last, front=laws, stop_reason=reason)


def _between_groups(
    known: list[Groups], given: Given, settings: SearchSettings, seed: int, deadline: float
) -> SearchResult | None:
    """Laws between columns without units, in the features; confirmed where each search is. None without any."""
    known = known[: _MOST_GROUPS if len(known[0].columns) <= _FEW_COLUMNS else 1]
    share = _SHARE_OF_MANY if len(known[0].columns) > 1 else _SHARE_OF_TIME
    until = time.time() + share * (deadline - time.time()) if math.isfinite(deadline) else deadline
    table = _table_of(*given, settings, seed, deadline)
    found: list[Law] = []
    last, is_confirmed = None, True
    for groups in known:
        end = until
        if groups is not known[-1] and math.isfinite(until):
            end = time.time() + _SHARE_OF_ONE * (until - time.time())
        try:
            result = _in_groups(groups, *given, settings, seed, end)
        except AllTrialsFailedError:
            is_confirmed = False
            continue
        for law in sorted(result.front, key=lambda law: law.description_length(result.n_rows)):
            rewritten = None if found and time.time() > until else _in_features(law, groups, table)
            if rewritten is not None:
                found.append(_priced(rewritten, settings))
                last = result
        if found and result.stop_reason in (StopReason.EXACT, StopReason.INTERRUPTED):
            return replace(result, front=shortlist(found, result.n_rows))
        is_confirmed &= result.stop_reason == StopReason.NOISE
    if last is None:
        return None
    reason = last.stop_reason if is_confirmed else StopReason.PATIENCE
    return replace(last, front=shortlist(found, last.n_rows), stop_reason=reason)


def _honest(laws: list[Law], given: Given, settings: SearchSettings, seed: int, deadline: float) -> list[Law]:
    """Those that fit the units as they are said most shortly.

    Constants that may have units make room for tricks: ``sqrt(2)*sqrt(x**2/2 + x*t + t**2/2)`` is ``x + t``.
    """
    if settings.units.dimensionless_constants:
        return laws
    table = _table_of(*given, settings, seed, deadline)
    plain = _table_of(*given, replace(settings, admission=None, demands=None), seed, deadline)
    rows = plain.few or plain
    kept = []
    for law in laws:
        if law.equation.frame is None:
            spelled, _ = readable(canonicalize(law.equation, plain.primitives), law.relative_loss, rows)
            if not table.admits(spelled):
                continue
        kept.append(law)
    return kept


def _only_law(groups: Groups, table: Table, deadline: float) -> SearchResult:
    """The law of a table that has no columns without units: the factor of the target, times a constant."""
    law = groups.in_features(Equation(0, (), ((0, 1.0),)), table.primitives)
    free = np.zeros(len(law.coefficients()), dtype=bool)
    free[-1] = True
    [start] = table.structures_of([law], [free])
    fitted = (table.few or table).fit([start], TIDY_STEPS)
    front, interrupted = finish(fitted, table, deadline)
    if not front:
        raise AllTrialsFailedError("The only law that fits the units is not finite on every row. Check units and X.")
    exact = front[-1].level <= front[-1].exact
    reason = StopReason.INTERRUPTED if interrupted else StopReason.EXACT if exact else StopReason.PATIENCE
    return SearchResult(front, reason, 1, [fitted[0].loss], len(table.y), interrupted)


def _in_groups(
    groups: Groups,
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    settings: SearchSettings,
    seed: int,
    until: float,
) -> SearchResult:
    """Laws between the columns without units, for the divided target."""
    X = X[:]
    factor = groups.factor_of(X)
    weight = factor**2 / np.mean(factor**2)  # so that a residual counts as it does in y
    if sample_weight is not None:
        weight = weight * sample_weight
    divided = y / factor
    ratio = (
        weighted_variance(divided, weight)
        * float(weight.mean() * np.mean(factor**2))
        / weighted_variance(y, sample_weight)
    )
    price = PriceInGroups(len(groups.columns), ratio)
    inner = replace(settings, units=None, demands=None, watched=None, admission=price)  # all are of the features
    return islands.search(groups.columns_of(X), divided, weight, inner, [], seed, until)


def _priced(law: Law, settings: SearchSettings) -> Law:
    """The law at the price that it has in natural units."""
    if not settings.units.dimensionless_constants or law.equation.frame is not None:
        return law
    return replace(law, n_symbols=n_symbols(law.equation, settings.units, settings.primitives))


def _table_of(X, y, sample_weight, settings: SearchSettings, seed: int, deadline: float) -> Table:
    has_jumps = any(settings.primitives[name].has_jumps for name in settings.copies)
    scaling = Scaling.of(X, y, settings.scale, settings.resolution, sample_weight, binary=has_jumps)
    given = (X, y, sample_weight, scaling, settings.primitives, seed, deadline, settings.device)
    demands = settings.demands
    behaviour = None if demands is None else demands.of_printed.in_units(None, scaling.x, scaling.y)
    return Table(*given, settings.admission, behaviour)


def _in_features(law: Law, groups: Groups, table: Table) -> Law | None:
    """A law between the columns without units, as the user reads it."""
    if law.equation.frame is not None:
        return None
    equation = groups.in_features(law.equation, table.primitives)
    loss = table.loss(equation)
    if not math.isfinite(loss) or len(equation.coefficients()) > _MOST_COEFFICIENTS:
        return None
    found = as_law(*readable(equation, loss, table.few or table), law.trial, table)
    return found if found is not None and table.admits(found.equation) else None
