"""The constants of a law of groups, shared and own, fitted again: to other rows, or under other weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.groups.law import GroupLaw, with_columns
from sklearn_eql.laws.cross_validation import fitted_coefficients
from sklearn_eql.parametric.errors import covariance
from sklearn_eql.parametric.fit import ParametricFit, fit_constants
from sklearn_eql.parametric.law import ParametricLaw, naming
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.problem import weighted_variance

_STEPS = 40  # of Levenberg-Marquardt, at most, from the optimum on all rows


@dataclass(frozen=True)
class Refitting:
    """A law of groups with named constants; own ones that are laws of the number of their group are held.

    Parameters
    ----------
    law : GroupLaw
        Without columns for constants of other laws.
    named : ParametricLaw
        Over features, then own constants that are held, with own constants that are fitted, then shared ones.
    start : ndarray (S,)
        Values of the shared ones.
    held, free : tuple of int
        Which own constants.
    """

    law: GroupLaw
    named: ParametricLaw
    start: np.ndarray
    held: tuple[int, ...]
    free: tuple[int, ...]

    @classmethod
    def of(cls, law: GroupLaw, primitives: Mapping[str, Primitive]) -> Refitting:
        """Of a law, whose recognised numbers stay."""
        held = tuple(k for k, found in enumerate(law.laws) if found is not None)
        free = tuple(k for k in range(law.n_own) if k not in held)
        n = law.n_features
        equation = with_columns(law.equation, [*range(n), *(n + k for k in held), *(n + k for k in free)])
        numbers, values = naming(equation, fitted_coefficients(equation, primitives))
        own = (True,) * len(free) + (False,) * len(values)
        named = ParametricLaw(numbers.equation, tuple(f"c{k}" for k in range(len(own))), own)
        return cls(law, named, values, held, free)

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        codes: np.ndarray,
        primitives: Mapping[str, Primitive],
        deadline: float = math.inf,
    ) -> ParametricFit:
        """Constants of least squares on rows of all groups ``(n,)``, from those of the law."""
        rows = self._rows(X, y, weight, codes)
        own = self.law.own[:, self.free]
        return fit_constants(self.named, rows, self.start, own, primitives, max_iter=_STEPS, deadline=deadline)

    def values(
        self, fit: ParametricFit, X: np.ndarray, codes: np.ndarray, primitives: Mapping[str, Primitive]
    ) -> np.ndarray:
        """Of the law on rows ``(n,)``."""
        with np.errstate(all="ignore"):
            return self.named.evaluate(self._columns(X, codes), fit.values(self.named, codes), primitives)

    def moved(self, fit: ParametricFit, primitives: Mapping[str, Primitive]) -> GroupLaw:
        """The law with the constants of a fit."""
        n, n_own = self.law.n_features, self.law.n_own
        shared = dict(zip(range(len(self.free), len(self.named.names)), fit.shared.tolist(), strict=True))
        equation = self.named.holding(shared).equation
        order = [*self.held, *self.free]
        back = [*range(n), *(n + order.index(k) for k in range(n_own))]
        own = self.law.own.copy()
        own[:, self.free] = fit.own
        return replace(self.law, equation=with_columns(equation, back), own=own)

    def on_rows(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        codes: np.ndarray,
        primitives: Mapping[str, Primitive],
        deadline: float = math.inf,
    ) -> GroupLaw:
        """The law with constants, errors of the own ones, and loss of other rows of the same groups."""
        fit = self.fit(X, y, weight, codes, primitives, deadline)
        moved = self.moved(fit, primitives)
        rows = self._rows(X, y, weight, codes)
        errors = self.law.own_errors.copy()
        errors[:, self.free] = covariance(self.named, rows, fit, primitives).own_errors
        loss = fit.squared_error / float(weight.sum())
        variance = weighted_variance(y, weight) or 1.0
        return replace(moved, own_errors=errors, loss=loss, relative_loss=loss / variance)

    def _rows(self, X: np.ndarray, y: np.ndarray, weight: np.ndarray, codes: np.ndarray) -> GroupedRows:
        """Those with weight."""
        kept = weight > 0
        return GroupedRows.of(self._columns(X, codes)[kept], y[kept], weight[kept], codes[kept])

    def _columns(self, X: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return np.concatenate([X, self.law.own[codes][:, self.held]], axis=1)
