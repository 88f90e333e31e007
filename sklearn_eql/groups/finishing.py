"""From a fitted form to a law as users read it: shared constants as numbers, own ones as columns."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from sklearn_eql.groups.fitted_form import FittedForm, Rows, refitted
from sklearn_eql.groups.law import GroupLaw, NamedConstants, with_columns
from sklearn_eql.parametric.errors import covariance
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.sparse.admission import Admission, n_symbols
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, free_mask
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.spelling import spellings
from sklearn_eql.symbolic.written import constant_bits, price

_SAME = 1e-9  # relative error of a spelling
_SPELLED_ON = 1000  # rows


def on_rows(form: FittedForm, rows: Rows) -> FittedForm:
    """The form refitted to other rows of the same groups."""
    return refitted(form.law, form.fit.shared, form.fit.own, rows)


def finished(
    form: FittedForm,
    rows: Rows,
    y_unit: float = 1.0,
    admission: Admission | None = None,
    *,
    as_named: bool = False,
) -> GroupLaw | None:
    """The law of a form; None where it is undefined on a row.

    Own constants that are negative in most groups get the other sign.

    Parameters
    ----------
    form : FittedForm
    rows : Rows
    y_unit : float
        Of the target of the rows.
    admission : Admission, optional
        At whose prices symbols are.
    as_named : bool
        Whether a user wrote the form: it is left as it is, and its constants keep their names and signs.
    """
    if not math.isfinite(form.fit.squared_error):
        return None
    negative = np.zeros(form.n_own, dtype=bool)
    if not as_named:
        negative = np.median(form.fit.own, axis=0) < 0 if form.n_own else negative
    places = np.flatnonzero(form.law.own)
    law = form.law.negating(places[negative].tolist())
    fit = replace(form.fit, own=np.where(negative, -form.fit.own, form.fit.own))
    errors = covariance(law, rows.grouped, fit, rows.primitives).own_errors
    shared = np.flatnonzero(~np.array(law.own, dtype=bool)).tolist()
    equation = law.holding(dict(zip(shared, fit.shared.tolist(), strict=True))).equation
    columns = np.concatenate([rows.grouped.X, fit.own[rows.grouped.groups]], axis=1)
    if not as_named:
        equation = _readable(equation, columns[:: max(1, len(columns) // _SPELLED_ON)], rows)
    canonical = canonicalize(equation, rows.primitives)
    numbers = equation.coefficients()
    known = [constant_bits(abs(value)) or 0.0 for value in numbers if recognise(value) is not None]
    relative = fit.squared_error / float(rows.grouped.weight.sum()) / rows.variance
    structure = Structure.from_equation(canonical, free_mask(canonical, rows.primitives))
    return GroupLaw(
        equation,
        relative * rows.variance * y_unit * y_unit,
        relative,
        rows.exact,
        equation_complexity(equation, rows.primitives),
        len({abs(v) for v in fit.shared.tolist() if recognise(v) is None}),
        n_symbols(structure, admission),
        0,
        sum(known),
        fit.own,
        errors,
        rows.words,
        named=_named(form) if as_named else None,
    )


def _named(form: FittedForm) -> NamedConstants:
    n = form.law.n_features
    own, shared = ([k for k, is_own in enumerate(form.law.own) if is_own == kind] for kind in (True, False))
    equation = with_columns(form.law.equation, [*range(n), *(n + k for k in own), *(n + k for k in shared)])
    names = tuple(form.law.names[k] for k in shared)
    law = ParametricLaw(equation, names, (False,) * len(names))
    return NamedConstants(tuple(form.law.names[k] for k in own), law, tuple(form.fit.shared.tolist()))


def _readable(equation: Equation, X: np.ndarray, rows: Rows) -> Equation:
    """The spelling that is printed."""
    with np.errstate(all="ignore"):
        expected = equation.evaluate(X, rows.primitives)
        inner = replace(equation, frame=None)
        rows_inside = X if equation.frame is None else equation.frame.inside(X)
        forms = spellings(canonicalize(inner, rows.primitives), rows.primitives, torch.as_tensor(rows_inside))
        for form in sorted(forms, key=lambda e: price(e, rows.primitives)):
            form = replace(form, frame=equation.frame)
            values = form.evaluate(X, rows.primitives)
            if np.allclose(values, expected, rtol=_SAME, atol=_SAME * float(np.abs(expected).max())):
                return form
    return equation
