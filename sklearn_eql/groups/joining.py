"""Own constants that are one: equal in every group, to their errors, as the frequencies of a sine and a cosine are."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sklearn_eql.groups.fitted_form import FittedForm, Rows, fitted_alone
from sklearn_eql.groups.naming_forms import named
from sklearn_eql.parametric.errors import covariance

_SURPRISING = 20.0  # of a sum of squares in standard errors, beside what is expected
_FEWEST = 2  # groups that have to agree
_KNOWN = 0.5  # relative error above which a group does not know a constant
_SAME = 1e-6  # relative, of constants of two spellings
_SPELLED_ON = 500  # rows


def with_constants_joined(form: FittedForm, rows: Rows) -> FittedForm:
    """The form with one constant in place of two that agree in all groups where that is shorter, spelled anew.

    Parameters
    ----------
    form : FittedForm
        Of which all constants are own.
    """
    joined = form
    while (found := _joined_once(joined, rows)) is not None:
        joined = found
    return joined if joined is form else _spelled(joined, rows)


def _joined_once(form: FittedForm, rows: Rows) -> FittedForm | None:
    for i, j, sign in _alike(form, rows):
        law = form.law.equating(j, i, sign)
        if not rows.admits(law):
            continue
        kept = np.delete(form.fit.own, j, axis=1)
        middle = np.broadcast_to(np.median(kept, axis=0), kept.shape)  # for groups that were far off
        found = fitted_alone(law, np.stack([kept, middle]), rows)
        if found.description(rows) < form.description(rows):
            return found
    return None


def _alike(form: FittedForm, rows: Rows) -> Iterator[tuple[int, int, float]]:
    """Pairs of constants that are equal, or each other's negative, within their errors.

    Groups whose rows do not determine them say nothing.
    """
    own, of = form.fit.own, covariance(form.law, rows.grouped, form.fit, rows.primitives).own
    limit = 3 * rows.words + _SURPRISING
    with np.errstate(all="ignore"):
        certain = np.sqrt(np.diagonal(of, axis1=1, axis2=2)) < _KNOWN * np.abs(own)
    for j in range(own.shape[1]):
        for i in range(j):
            for sign in (1.0, -1.0):
                left = own[:, j] - sign * own[:, i]
                variance = of[:, i, i] + of[:, j, j] - 2 * sign * of[:, i, j]
                variance = np.maximum(variance, rows.exact * (own[:, i] ** 2 + own[:, j] ** 2) + 1e-300)
                known = np.isfinite(variance) & certain[:, i] & certain[:, j]
                if known.sum() < min(_FEWEST, len(own)):
                    continue
                left, a, b = left[known], own[known, i], own[known, j]
                if float((left**2 / variance[known]).sum()) < limit and _is_near(left, a, b):
                    yield i, j, sign


def _is_near(left: np.ndarray, a: np.ndarray, b: np.ndarray) -> bool:
    """Whether constants are equal by their sizes too, and not just because little is known of them."""
    return float(np.median(np.abs(left))) < 0.2 * float(np.median(np.abs(a) + np.abs(b)))


def _spelled(form: FittedForm, rows: Rows) -> FittedForm:
    """The form written with as few constants as possible, now that some are one."""
    sizes = np.bincount(rows.grouped.groups)
    lead = int(np.argmax(np.where(np.isfinite(form.fit.losses), sizes, -1)))
    before = form.fit.own[lead]
    equation = form.law.with_values(before, rows.primitives)
    X = rows.grouped.X[rows.grouped.groups == lead][:_SPELLED_ON]
    found = named(equation, X, rows.primitives)
    if found is None or len(found[1]) > len(before):
        return form
    law, values = found
    starts = np.broadcast_to(values, (len(sizes), len(values))).copy()
    for k, value in enumerate(values.tolist()):  # constants that both spellings have start from their values
        for i, old in enumerate(before.tolist()):
            if math.isclose(abs(value), abs(old), rel_tol=_SAME):
                starts[:, k] = form.fit.own[:, i] * (1.0 if value * old > 0 else -1.0)
    again = fitted_alone(law, starts[None], rows)
    return again if again.description(rows) < form.description(rows) + 1e-3 * rows.n_rows else form
