"""Searches on a part of the rows, whose laws are selected by their errors on the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.forms.search import FormResult
from sklearn_eql.laws.cross_validation import Rows, refitted
from sklearn_eql.laws.losses import Loss, TorchLoss
from sklearn_eql.laws.selection import (
    extrapolation_errors,
    outer_rows,
    random_rows,
    simplest_outside,
    simplest_validated,
    squared_errors,
)
from sklearn_eql.search.robust import robust_rows
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.search.under_loss import outer_errors, refitted_under
from sklearn_eql.sparse.rows import subset

HELD_OUT = ("extrapolation", "validation")  # rules for which rows are held out of the search

Find = Callable[[Rows, np.ndarray | None], SearchResult]
"""A search on rows, with the copies that each stands for."""


def search_with_rows_held_out(
    rule: str,
    find: Find,
    rows: Rows,
    counts: np.ndarray | None,
    settings: SearchSettings,
    seed: int,
    epsilon: float | None,
    deadline: float = math.inf,
    loss: Loss | TorchLoss | None = None,
) -> tuple[SearchResult, int, Rows]:
    """The laws that are defined on the rows held out, the selected row, and the rows that the laws are fitted to.

    "extrapolation" holds out the outer rows, and its laws stay as the inner ones gave them. "validation" holds out rows
    at random; afterwards the constants of all laws are fitted to all rows, unless they are laws of a form.

    Parameters
    ----------
    rule : str, one of `HELD_OUT`
    find : callable
        The search.
    epsilon : float or None
        Of Huber's loss, where it is that.
    loss : Loss, TorchLoss or None
        Another one than squares or that of Huber.

    Raises
    ------
    ValueError
        Rows that are too few, or do not vary, once some are held out.
    AllTrialsFailedError
        No law is defined on all of the rows held out.
    """
    X, y, weight = rows
    outside = rule == "extrapolation"
    out = outer_rows(X) if outside else random_rows(len(y), seed)
    if out.all() or len(np.unique(y[~out])) < 2:
        raise ValueError(
            f"selection={rule!r} holds out {'the outer' if outside else 'a fifth of the'} rows, and the "
            f"{int((~out).sum())} {'inner' if outside else 'other'} ones of {len(y)} do not vary. Give more rows, or "
            "use selection='best'."
        )
    inner, held_out = (None, None) if weight is None else (weight[~out], weight[out])
    searched = (subset(X, ~out), y[~out], inner)
    result = find(searched, None if counts is None else counts[~out])
    unseen = (subset(X, out)[:], y[out], held_out)
    errors = extrapolation_errors(result.front, *unseen, settings.primitives, epsilon is not None)
    if loss is not None:
        errors = outer_errors(loss, result.front, unseen, settings)
    defined = np.flatnonzero(np.isfinite(errors))
    if not len(defined):
        raise AllTrialsFailedError(
            f"No law found on the {'inner' if outside else 'other'} rows is defined on all of the {int(out.sum())} "
            f"{'outer ones' if outside else 'rows held out'}. Use selection='best', which searches on all rows, or "
            "functions that are defined everywhere."
        )
    result = replace(result, front=[result.front[i] for i in defined])
    if outside or epsilon is not None or loss is not None:
        best = simplest_outside(errors[defined], int(out.sum()))
    else:
        best = simplest_validated(errors[defined], squared_errors(result.front, *unseen, settings.primitives))
    if outside or isinstance(result, FormResult):  # whose constants are no coefficients
        return result, best, searched
    if loss is not None:
        front = refitted_under(loss, result.front, rows, settings, deadline)
        return replace(result, front=front, n_rows=len(y)), best, rows
    scaling_of = {"enabled": settings.scale, "resolution": settings.resolution}
    weighed = rows if epsilon is None else robust_rows(rows, result, settings, epsilon)
    front = refitted(result.front, weighed, settings.primitives, scaling_of, deadline)
    if (demands := settings.demands) is not None:  # which constants of all rows may not meet
        front = [new if demands.confirms(new.equation) else old for old, new in zip(result.front, front, strict=True)]
    return replace(result, front=front, n_rows=len(y)), best, rows
