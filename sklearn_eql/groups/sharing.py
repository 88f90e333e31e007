"""Which constants of a form all groups share, which every group has for itself, and which are known numbers.

From constants that every group has for itself: the one that differs least between groups, beside its standard errors,
is shared where that shortens the description, and so on. Shared ones are then compared with zero, one, and the numbers
that laws are made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import chi2

from sklearn_eql.groups.fitted_form import FittedForm, Rows, fitted_alone, refitted
from sklearn_eql.parametric.errors import Covariance, covariance
from sklearn_eql.parametric.fit import fit_each, linearise
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.sparse.description_length import is_unsurprising
from sklearn_eql.symbolic.constants import simplest_first

_SURPRISING = 1e-3  # chance of a larger difference between groups where there is none
_N_VALUES = 3  # values at which a constant is shared first
_WIDTH = 3.0  # standard errors around a constant in which numbers are looked for
_MAX_CANDIDATES = 3
_WIDEST = 0.05  # relative; a constant known less well is no evidence of any number ...
_WIDEST_SIMPLE = 0.15  # ... but of the simplest
_SIMPLE_COST = 2.0  # bits: no more than 1/2, 4, 10 or pi
_DEPENDENT = 1e-9  # of the length of a column that depends on the others


def with_constants_shared(form: FittedForm, rows: Rows, zeros: bool = True) -> FittedForm:
    """The form with as many shared constants as the groups allow.

    Parameters
    ----------
    form : FittedForm
        Of which all constants are own.
    rows : Rows
    zeros : bool
        Whether constants that are zero, to their errors, go.
    """
    while form.n_own:
        form = _without_zeros(form, rows) if zeros else form
        for k in _by_difference(form, rows):
            if (shared := _sharing(form, k, rows)) is not None:
                form = shared
                break
        else:
            break
    return form


def without_redundant(form: FittedForm, rows: Rows) -> FittedForm:
    """Without constants that others make up for, as in ``a*exp(b + c*x)``: fixed at one, at zero or where they are.

    Told from the groups that the form fits best.
    """
    while form.law.names:
        redundant = _dependent(form, rows)
        found = None
        for k in redundant:
            values = [1.0, 0.0, -1.0, float(np.median(form.fit.own[:, k]))]
            for value in values:
                law = form.law.holding({k: value})
                if not rows.admits(law):
                    continue
                tried = fitted_alone(law, np.delete(form.fit.own, k, axis=1)[None], rows)
                if tried.level(rows) <= form.level(rows) * (1 + 1e-6):
                    found = tried
                    break
            if found:
                break
        if found is None:
            return form
        form = _used(found, rows)
    return form


def _dependent(form: FittedForm, rows: Rows) -> list[int]:
    """Constants of which the slopes depend on those of the others, in the group that is fitted best."""
    with np.errstate(all="ignore"):
        at = linearise(form.law, rows.grouped, form.fit.shared, form.fit.own, rows.primitives)
    sizes = np.bincount(rows.grouped.groups)
    enough = np.flatnonzero(sizes >= min(len(form.law.names) + 1, sizes.max()))
    group = enough[np.argmin(form.fit.losses[enough] / sizes[enough])]
    slopes = at.by_own[rows.grouped.groups == group]
    size = np.linalg.norm(slopes, axis=0)
    slopes = slopes / np.where(size > 0, size, 1.0)
    if len(slopes) < slopes.shape[1]:
        return []
    _, singular, vectors = np.linalg.svd(slopes)
    null = vectors[singular < _DEPENDENT * singular[0]]
    weight = np.abs(null).max(axis=0) if len(null) else np.zeros(slopes.shape[1])
    return [k for k in np.argsort(-weight, kind="stable").tolist() if weight[k] > 0.1]


def _by_difference(form: FittedForm, rows: Rows) -> list[int]:
    """Own constants, those first that differ least between groups; the clearly different ones are left out."""
    found = covariance(form.law, rows.grouped, form.fit, rows.primitives)
    places = [k for k, own in enumerate(form.law.own) if own]
    scores = {}
    for i, k in enumerate(places):
        values, errors = form.fit.own[:, i], _widened(found, form, rows)[:, i]
        weight = 1 / np.maximum(errors, 1e-12 * np.abs(values).max() + 1e-300) ** 2
        centre = float(weight @ values / weight.sum()) if np.isfinite(weight).all() else float(np.median(values))
        scores[k] = float((weight * (values - centre) ** 2).sum())
    return sorted(scores, key=scores.__getitem__)


def _widened(found: Covariance, form: FittedForm, rows: Rows) -> np.ndarray:
    errors = found.own_errors
    return np.where(np.isfinite(errors), errors, np.inf)


def _sharing(form: FittedForm, k: int, rows: Rows) -> FittedForm | None:
    """The form with constant `k` shared; None where that is no shorter."""
    best = None
    limit = _limit(form, rows)
    own = list(form.law.own)
    own[k] = False
    law = form.law.sharing(own)
    for value in _values(form, k, rows):
        tried = _refitted_with(form, law, k, value, rows)
        if best is None or tried.fit.squared_error < best.fit.squared_error:
            best = tried
        if best.description(rows) < limit:
            return best
    return None


def _limit(form: FittedForm, rows: Rows) -> float:
    """Descriptions below this are no surprise of the noise, or shorter."""
    before = form.description(rows)
    if not math.isfinite(before):
        return math.inf
    n_fixed = rows.grouped.n_groups - 1
    saved = rows.words - math.log(rows.n_rows)
    return before + max(0.0, float(chi2.isf(_SURPRISING, max(n_fixed, 1))) + n_fixed - saved)


def _values(form: FittedForm, k: int, rows: Rows) -> Iterator[float]:
    """At which an own constant may be shared: the mean by precision, the median, and that of the best group."""
    i = sum(form.law.own[:k])
    values = form.fit.own[:, i]
    errors = covariance(form.law, rows.grouped, form.fit, rows.primitives).own_errors[:, i]
    weight = 1 / np.maximum(errors, 1e-12 * np.abs(values).max() + 1e-300) ** 2
    found = [float(np.median(values))]
    if np.isfinite(weight).all() and weight.sum() > 0:
        found.insert(0, float(weight @ values / weight.sum()))
        found.append(float(values[np.argmax(weight)]))
    yield from list(dict.fromkeys(found))[:_N_VALUES]


def _refitted_with(form: FittedForm, law: ParametricLaw, k: int, value: float, rows: Rows) -> FittedForm:
    """Constant `k` shared from a value: the own ones follow first, then all constants together."""
    i, at = sum(form.law.own[:k]), k - sum(form.law.own[:k])
    kept = np.delete(form.fit.own, i, axis=1)
    shared = np.insert(form.fit.shared, at, value)
    if kept.shape[1]:
        held = law.holding({place: float(v) for place, v in zip(_shared_places(law), shared, strict=True)})
        nearest = np.argsort(np.abs(form.fit.own[:, i] - value), kind="stable")[:2]
        starts = np.stack([kept, *(np.broadcast_to(kept[g], kept.shape) for g in nearest)])
        kept = fit_each(held, rows.grouped, starts, rows.primitives, deadline=rows.deadline).own
    return refitted(law, shared, kept, rows)


def _shared_places(law: ParametricLaw) -> list[int]:
    return [k for k, own in enumerate(law.own) if not own]


def _without_zeros(form: FittedForm, rows: Rows) -> FittedForm:
    """Without constants that are zero, in all groups where they are own."""
    changed = True
    while changed and form.law.names:
        changed = False
        for k in range(len(form.law.names)):
            if _may_be(form, k, 0.0, rows) and (found := _fixed(form, k, 0.0, rows)) is not None:
                form, changed = found, True
                break
    return form


def _may_be(form: FittedForm, k: int, number: float, rows: Rows) -> bool:
    """Whether the standard errors allow a number in the place of a constant."""
    found = covariance(form.law, rows.grouped, form.fit, rows.primitives)
    if form.law.own[k]:
        i = sum(form.law.own[:k])
        values, errors = form.fit.own[:, i], found.own_errors[:, i]
    else:
        i = k - sum(form.law.own[:k])
        values, errors = form.fit.shared[i : i + 1], found.shared_errors[i : i + 1]
    with np.errstate(all="ignore"):
        z = (values - number) / np.maximum(errors, np.sqrt(rows.exact) * np.abs(values))
    z = np.where(np.isfinite(z), z, 0.0)
    return float((z**2).sum()) < 3 * (rows.words if form.law.own[k] else math.log(rows.n_rows)) + 20.0


def _fixed(form: FittedForm, k: int, number: float, rows: Rows) -> FittedForm | None:
    """The form with a number in the place of a constant, others refitted; None where that is no shorter."""
    law = form.law.holding({k: number})
    if not rows.admits(law):
        return None
    own, shared = form.fit.own, form.fit.shared
    if form.law.own[k]:
        own = np.delete(own, sum(form.law.own[:k]), axis=1)
    else:
        shared = np.delete(shared, k - sum(form.law.own[:k]))
    found = refitted(law, shared, own, rows)
    if not math.isfinite(found.fit.squared_error):
        return None
    if form.law.own[k]:
        is_better = found.description(rows) < form.description(rows)
    else:
        old, new = (f.fit.squared_error / rows.n_rows / rows.variance for f in (form, found))
        is_better = is_unsurprising(old, new, rows.n_rows, 1, rows.exact)
    return _used(found, rows) if is_better else None


def _used(form: FittedForm, rows: Rows) -> FittedForm:
    """Without constants that the law no longer reads."""
    law, kept = form.law.used(rows.primitives)
    own = np.array(form.law.own, dtype=bool)
    number = np.cumsum(own) - 1
    of_own = [int(number[k]) for k in kept if own[k]]
    of_shared = [k - int(own[:k].sum()) for k in kept if not own[k]]
    fit = form.fit
    fit = type(fit)(fit.shared[of_shared], fit.own[:, of_own], fit.losses, fit.n_steps)
    return FittedForm(law, fit)


def with_numbers_recognised(form: FittedForm, rows: Rows, widest: float = _WIDEST_SIMPLE) -> FittedForm:
    """Numbers such as 1, 1/2 or pi in the place of shared constants, where the errors of the refitted law agree.

    The constants nearest to a number come first. Those are left alone that are known less well than `widest`, the
    relative half width of the interval in which numbers are looked for.
    """
    refused: set[tuple[str, float]] = set()
    while form.n_shared:
        options = [o for o in _options(form, rows, widest) if (form.law.names[o[1]], o[2]) not in refused]
        for _, k, number in options:
            if (found := _fixed(form, k, number, rows)) is not None:
                form = found
                break
            refused.add((form.law.names[k], number))
        else:
            return form
    return form


def _options(form: FittedForm, rows: Rows, widest: float) -> Sequence[tuple[float, int, float]]:
    """Surprise, constant and number, the most certain first."""
    errors = covariance(form.law, rows.grouped, form.fit, rows.primitives).shared_errors
    found = []
    for i, k in enumerate(_shared_places(form.law)):
        value, error = float(form.fit.shared[i]), float(errors[i])
        tolerance = max(_WIDTH * error, 1e-9 * abs(value)) if math.isfinite(error) else math.nan
        if not tolerance <= widest * abs(value):
            continue
        near = [
            c for c in simplest_first(value, tolerance) if c.cost <= _SIMPLE_COST or tolerance < _WIDEST * abs(value)
        ]
        for c in near[:_MAX_CANDIDATES]:
            z = _WIDTH * (c.value - value) / tolerance
            found.append((c.cost + z * z / (2 * math.log(2)), k, c.value))
    return sorted(found)
