"""Constants of one more group, with the law held."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from sklearn_eql.groups.fitted_form import Rows, fitted_alone
from sklearn_eql.parametric.errors import covariance
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.equation import Equation

_MOST_STARTS = 64
_EXACT = 1e-20


def constants_of_group(
    equation: Equation,
    first: int,
    known: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    primitives: Mapping[str, Primitive],
) -> tuple[np.ndarray, np.ndarray]:
    """Own constants of a group and their standard errors, ``(O,)`` each; NaN where the law is undefined on a row.

    Parameters
    ----------
    equation : Equation
        Over the features, then constants, of which it reads `O`.
    first : int
        Where these begin among the constants.
    known : ndarray (G, O)
        Those of other groups, from which the fit starts.
    X : ndarray (n_samples, n_features);  y, weight : ndarray (n_samples,)
    """
    n_own, n_columns = known.shape[1], equation.n_features - X.shape[1]
    law = ParametricLaw(equation, tuple(f"c{k}" for k in range(n_columns)), (True,) * n_columns)
    others = [k for k in range(n_columns) if not first <= k < first + n_own]
    law = law.holding(dict.fromkeys(others, 0.0))
    if not n_own:
        return np.empty(0), np.empty(0)
    rows = Rows(GroupedRows.of(X, y, weight), float(np.var(y)) or 1.0, _EXACT, primitives)
    starts = np.concatenate([np.median(known, axis=0)[None], known[:: max(1, math.ceil(len(known) / _MOST_STARTS))]])
    with np.errstate(all="ignore"):
        form = fitted_alone(law, starts, rows)
        found = covariance(form.law, rows.grouped, form.fit, primitives)
    if not math.isfinite(form.fit.squared_error):
        return np.full(n_own, np.nan), np.full(n_own, np.nan)
    errors = found.own_errors[0] if found.n_left > 0 else np.full(n_own, np.inf)
    return form.fit.own[0], errors
