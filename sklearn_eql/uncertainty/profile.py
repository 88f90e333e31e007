"""Intervals by the profile of the squared error: for constants inside functions, where its curvature is not all.

A value of a constant is in the interval if the best fit with the constant held there, and all others free, is not
worse than the best of all by more than ``quantile**2`` variances of a residual (Bates and Watts, 1988, chapter 6).
Where a law is linear in its constants that is the interval of the curvature; elsewhere it may be longer on one side,
or have no end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from sklearn_eql.parametric.fit import ParametricFit, fit_constants
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES, Primitive

_STEPS = 40  # of Levenberg-Marquardt, at most, from the values at the last place
_WIDENINGS, _WIDER = 14, 1.6  # of the half width of the interval of the curvature: up to 700 times as wide
_TOLERANCE = 1e-3  # of an end, in half widths
_MOST_PLACES = 40  # for one end
_BETTER = 1e-9  # relative fall of the squared error that is another optimum


class Profile:
    """The squared error of a law as a function of one of its constants.

    Parameters
    ----------
    law : ParametricLaw
        All of its `P` constants are free.
    values : ndarray (P,)
        Near the optimum.
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,);  weight : ndarray (n_samples,) or None
    is_absolute : bool
        Whether weights are the inverse variances of the targets.
    level : float
        Of the intervals.
    deadline : float
        Value of ``time.time()`` after which ends are nan.
    """

    def __init__(
        self,
        law: ParametricLaw,
        values: np.ndarray,
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None = None,
        primitives: Mapping[str, Primitive] = PRIMITIVES,
        *,
        is_absolute: bool = False,
        level: float = 0.95,
        deadline: float = math.inf,
    ) -> None:
        if weight is not None:
            kept = weight > 0
            X, y, weight = X[kept], y[kept], weight[kept]
        self.law, self.primitives, self.deadline = law, primitives, deadline
        self.rows = GroupedRows.of(X, y, weight)
        fit = self._fit(law, values)
        self.values, self.lowest = fit.shared, fit.squared_error
        n_left = len(y) - len(values)
        if is_absolute:
            self.allowed = float(norm.isf((1 - level) / 2)) ** 2
        elif n_left > 0:
            self.allowed = float(student.isf((1 - level) / 2, n_left)) ** 2 * self.lowest / n_left
        else:
            self.allowed = math.inf

    def _fit(self, law: ParametricLaw, start: np.ndarray) -> ParametricFit:
        with np.errstate(all="ignore"):
            return fit_constants(
                law, self.rows, start, np.empty((1, 0)), self.primitives, max_iter=_STEPS, deadline=self.deadline
            )

    def interval(self, k: int, half: float) -> tuple[float, float]:
        """Ends of the interval of constant `k`, which the curvature has `half` as wide."""
        if not (0 < half < math.inf and 0 < self.allowed < math.inf and math.isfinite(self.lowest)):
            return -math.inf, math.inf
        return self._end(k, -half), self._end(k, half)

    def _end(self, k: int, half: float) -> float:
        """The end on the side of `half`."""
        others = np.delete(self.values, k)
        known: dict[float, float] = {0.0: -1.0}

        def excess(distance: float) -> float:
            """How much further the square root of the error rises than is allowed, in allowed ones."""
            nonlocal others
            if distance not in known:
                fit = self._fit(self.law.holding({k: float(self.values[k]) + distance * half}), others)
                error = fit.squared_error
                if math.isfinite(error):
                    others = fit.shared
                known[distance] = min(math.sqrt(max(error - self.lowest, 0.0) / self.allowed), 1e6) - 1.0
            return known[distance]

        inner, outer = 0.0, 1.0
        for _ in range(_WIDENINGS):
            if time.time() > self.deadline:
                return math.nan
            if excess(outer) >= 0:
                break
            inner, outer = outer, outer * _WIDER
        else:
            return math.copysign(math.inf, half)
        found = brentq(excess, inner, outer, xtol=_TOLERANCE, maxiter=_MOST_PLACES, disp=False)
        return math.nan if time.time() > self.deadline else float(self.values[k]) + found * half
