"""Least squares with errors in all columns: rows are moved onto the law, as far as their errors allow.

Minimised over constants `c` and true places ``x*``: ``(y - f(x*; c))**2 / s_y**2 + sum((x - x*)**2 / s_x**2)`` for
every row (orthogonal distance regression). To first order in ``x - x*`` the best place is in closed form, and leaves

    r**2 / v    with    r = y - f(x*) - f'(x*) (x - x*),    v = s_y**2 + sum((f'(x*) s_x)**2),

the effective variance. So constants are those of weighted least squares on the rows ``(x*, y - f'(x*) (x - x*))`` with
weights ``1 / v``, and places and constants take turns; where both rest, the sum above has its minimum. Weights alone,
on the rows as they are, would not do: the slope of a line would stay as much too low as without them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.parametric.fit import fit_constants
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES, Primitive

_ROUNDS, _STEPS = 60, 6  # of places and constants; of Levenberg-Marquardt in each
_CONVERGED = 1e-9  # relative change of the values of the law
_FARTHEST = 5.0  # standard errors that a place may be from what was measured
_LEAST_SHARE = 1e-6  # of the effective variance that is left for the target, where its error is not known


@dataclass(frozen=True)
class Moved:
    """Rows moved onto a law.

    Parameters
    ----------
    X : ndarray (n_samples, n_features)
        The true places.
    y : ndarray (n_samples,)
        Targets of weighted least squares there.
    variance : ndarray (n_samples,)
        Effective variances.
    residuals : ndarray (n_samples,)
    noise : ndarray (n_samples,)
        That part of the variances which is the target's.
    """

    X: np.ndarray
    y: np.ndarray
    variance: np.ndarray
    residuals: np.ndarray
    noise: np.ndarray

    @property
    def terms(self) -> np.ndarray:
        """Twice the negative logarithm of the likelihood of each row, but for a constant, ``(n_samples,)``."""
        return np.log(self.variance) + self.residuals**2 / self.variance

    def log_likelihood_loss(self, weight: np.ndarray) -> float:
        """The mean squared error of rows of one variance that would be as likely."""
        return as_likely(float(weight @ self.terms) / float(weight.sum()))


def as_likely(mean: float) -> float:
    """The mean squared error of rows of one variance that have this mean of `terms`."""
    return math.exp(min(mean - 1, 700.0)) if math.isfinite(mean) else math.inf


def fit_both_axes(
    law: ParametricLaw,
    start: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    x_error: np.ndarray,
    y_error: np.ndarray | None,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    scale: np.ndarray | float = 1.0,
    deadline: float = math.inf,
) -> tuple[np.ndarray, Moved]:
    """Constants `(P,)` of a law, and the rows moved onto it.

    Parameters
    ----------
    start : ndarray (P,)
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
    weight : ndarray (n_samples,)
        How often each row counts.
    x_error : ndarray (n_samples, n_features)
        Standard deviations.
    y_error : ndarray (n_samples,) or None
        Standard deviations. None: one for all rows, which is what the residuals have beyond the errors of `X`.
    scale : ndarray (n_samples,) or float
        By which the standard deviation of the target differs from row to row, where it is not known.
    deadline : float
        Value of ``time.time()`` after which no further round begins.
    """
    values, moved = start, None
    places, before = X, None
    with np.errstate(all="ignore"):
        for _ in range(_ROUNDS):
            moved = moved_onto(law, values, X, y, weight, x_error, y_error, primitives, scale=scale, places=places)
            places = moved.X
            rows = GroupedRows.of(moved.X, moved.y, weight / moved.variance)
            fit = fit_constants(law, rows, values, np.empty((1, 0)), primitives, max_iter=_STEPS, deadline=deadline)
            if not math.isfinite(fit.squared_error):
                break
            values = fit.shared
            at = law.evaluate(places, values, primitives)
            if before is not None and np.abs(at - before).max() <= _CONVERGED * np.abs(at).max():
                break
            before = at
            if time.time() > deadline:
                break
        last = moved_onto(law, values, X, y, weight, x_error, y_error, primitives, scale=scale, places=places)
        return values, last


def moved_onto(
    law: ParametricLaw,
    values: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    x_error: np.ndarray,
    y_error: np.ndarray | None,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    scale: np.ndarray | float = 1.0,
    places: np.ndarray | None = None,
) -> Moved:
    """The rows moved once, from earlier places ``(n_samples, n_features)``; the others as of `fit_both_axes`."""
    places = X if places is None else places
    about = (X, y, weight, x_error, y_error, scale)
    at, slopes = by_features(law, values, places, primitives)
    noise, residuals = _noise(at, slopes, *about, places, len(values))
    variance = noise + np.sum((slopes * x_error) ** 2, axis=1)
    step = x_error**2 * slopes * (residuals / variance)[:, None]
    limit = _FARTHEST * x_error
    moved = X + np.clip(np.where(np.isfinite(step), step, 0.0), -limit, limit)
    at, slopes = by_features(law, values, moved, primitives)
    inside = np.isfinite(at) & np.isfinite(slopes).all(axis=1)  # others stay where they were
    if not inside.all():
        moved[~inside] = places[~inside]
        at, slopes = by_features(law, values, moved, primitives)
    noise, residuals = _noise(at, slopes, *about, moved, len(values))
    variance = noise + np.sum((slopes * x_error) ** 2, axis=1)
    return Moved(moved, residuals + at, variance, residuals, noise)


def _noise(at, slopes, X, y, weight, x_error, y_error, scale, places, n_constants) -> tuple[np.ndarray, np.ndarray]:
    """Variances of the target, and residuals."""
    residuals = y - at - np.sum(slopes * (X - places), axis=1)
    if y_error is not None:
        return y_error**2, residuals
    share = len(y) / max(len(y) - n_constants, 1) / float(weight.sum())
    from_features = float(weight @ (np.sum((slopes * x_error) ** 2, axis=1) / scale**2)) / float(weight.sum())
    left = float(weight @ (residuals / scale) ** 2) * share - from_features
    floor = max(_LEAST_SHARE * from_features, np.finfo(float).tiny)
    return np.full(len(y), max(left, floor) if math.isfinite(left) else floor) * scale**2, residuals


def by_features(
    law: ParametricLaw, values: np.ndarray, X: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES
) -> tuple[np.ndarray, np.ndarray]:
    """Values of a law ``(n,)`` and its derivatives by the features ``(n, n_features)``."""
    rows = torch.from_numpy(np.array(X, dtype=np.float64)).requires_grad_()
    constants = torch.from_numpy(np.tile(values, (len(X), 1)))
    with torch.enable_grad():
        at = law.equation.forward(torch.cat([rows, constants], dim=1), primitives)
        slopes = torch.autograd.grad(at.sum(), rows)[0] if at.requires_grad else torch.zeros_like(rows)
    return at.detach().numpy(), slopes.numpy()
