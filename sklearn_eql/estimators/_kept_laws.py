"""What a fit over tables ends with, as the attributes of an estimator."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from sklearn_eql.estimators._constants_reader import ConstantsReader, curvatures
from sklearn_eql.exceptions import SearchInterruptedWarning
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.standing import Standing, rivals
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.stopping import StopReason
from sklearn_eql.uncertainty.curvature import Curvature

_N_GROUPS = 3  # whose constants laws of groups have where they start another fit


@dataclass(frozen=True)
class Outcome:
    """The laws of one output, the selected one, how all stand beside it, and how sure their constants are."""

    result: SearchResult
    best: int
    stands: list[Standing]
    curvatures: list[Curvature | None]


def laws_before(
    estimator: ConstantsReader, settings: SearchSettings, n_features: int, n_outputs: int
) -> list[list[Law]]:
    """Laws of the fit before that start this one, one list per output; none of other columns, or functions gone.

    Laws with constants of groups are there with those of some groups.
    """
    before = estimator._laws if getattr(estimator, "warm_start", False) and hasattr(estimator, "_laws") else []
    if len(before) != n_outputs:
        return [[] for _ in range(n_outputs)]
    grouped = getattr(estimator, "_grouped", None)
    found: list[list[Law]] = []
    for k, laws in enumerate(before):
        if grouped is not None:
            about = grouped["outputs"][k]
            of_groups = (_in_groups(law, n_features, about, i, settings) for i, law in enumerate(laws))
            laws = [law for some in of_groups for law in some]
        found.append([law for law in laws if _is_usable(law, settings, n_features)])
    return found


def _in_groups(law: Law, n_features: int, about: Mapping, pick: int, settings: SearchSettings) -> list[Law]:
    """A law with constants of groups in place of the columns of these."""
    n_columns = law.equation.n_features - n_features
    if n_columns < 0 or not {unit.primitive for unit in law.equation.units} <= settings.primitives.keys():
        return []
    named = ParametricLaw(law.equation, tuple(f"c{k}" for k in range(n_columns)), (True,) * n_columns)
    own, first = about["constants"][pick], about["first"]
    found = []
    for group in dict.fromkeys(np.linspace(0, len(own) - 1, _N_GROUPS).round().astype(int).tolist()):
        values = np.zeros(n_columns)
        values[first : first + own.shape[1]] = own[group]
        if np.isfinite(values).all():
            found.append(replace(law, equation=named.with_values(values.tolist(), settings.primitives)))
    return found


def _is_usable(law: Law, settings: SearchSettings, n_features: int) -> bool:
    names = {unit.primitive for unit in law.equation.units}
    return law.equation.n_features == n_features and names <= settings.primitives.keys()


def with_rivals(
    result: SearchResult, best: int, rows: Rows, primitives: Mapping[str, Primitive], deadline: float
) -> tuple[SearchResult, list[bool]]:
    """The result, and which of its laws have errors like those of the selected one; on a few rows after Ctrl-C."""
    marks = partial(rivals, result.front, best, *rows, primitives)
    try:
        return result, marks(deadline)
    except KeyboardInterrupt:
        return interrupted(result), marks(0.0)


def with_curvatures(
    result: SearchResult, best: int, rows: Rows, primitives: Mapping[str, Primitive], **options: Any
) -> tuple[SearchResult, list[Curvature | None]]:
    """The result, and the curvatures of its laws; none after Ctrl-C. `options` are those of `curvatures`."""
    try:
        return result, curvatures(result, best, rows, primitives, **options)
    except KeyboardInterrupt:
        return interrupted(result), [None] * len(result.front)


def interrupted(result: SearchResult) -> SearchResult:
    """The same laws, of a search that Ctrl-C ended."""
    return replace(result, stop_reason=StopReason.INTERRUPTED, interrupted=True)


def keep_laws(estimator: ConstantsReader, outcomes: Sequence[Outcome], names: list[str], single: bool) -> None:
    """Set what :class:`ConstantsReader` reads and how the search ended; warn of Ctrl-C.

    Parameters
    ----------
    estimator : ConstantsReader
    outcomes : sequence of Outcome, one per output
    names : list of str
        Of the variables.
    single : bool
        Whether the target had one dimension.
    """
    results = [outcome.result for outcome in outcomes]
    if estimator._watched.stopped:  # which ends a search as Ctrl-C does
        results = [
            replace(result, stop_reason=StopReason.CALLBACK, interrupted=False) if result.interrupted else result
            for result in results
        ]
    estimator._laws = [result.front for result in results]
    estimator._curvatures = [outcome.curvatures for outcome in outcomes]
    estimator._standings = [outcome.stands for outcome in outcomes]
    estimator._best = [outcome.best for outcome in outcomes]
    estimator._names, estimator._single = names, single
    estimator.n_outputs_ = len(outcomes)
    estimator.n_iter_ = max(result.n_iter for result in results)
    estimator.loss_curve_ = estimator._unlist([result.loss_curve for result in results])
    estimator.stop_reason_ = estimator._unlist([str(result.stop_reason) for result in results])
    estimator.interrupted_ = any(result.interrupted for result in results)
    if estimator.interrupted_:
        warnings.warn(
            "fit was interrupted; the best equation found until then was kept (interrupted_ is True). Set "
            "max_time for a limit, or warm_start=True to go on from here.",
            SearchInterruptedWarning,
            stacklevel=3,
        )
