"""Coefficients of a law that are one number: symmetries between variables, and small whole ratios."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import least_squares

from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.equation import Equation

RATIOS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1 / 3, -1 / 3)
"""Ratios of coefficients that are tried, simplest first."""

_RATIO_TOLERANCE = 0.15  # relative; coefficients farther from a ratio are not tied


@dataclass(frozen=True)
class Ties:
    """Which coefficients move together: coefficient ``i`` is ``ratio[i]`` times parameter ``group[i]``.

    Parameters
    ----------
    group : tuple of int, one per coefficient
        Parameter that it belongs to, numbered from 0 without gaps; -1 for coefficients that do not move.
    ratio : tuple of float, one per coefficient
        To the first coefficient of its group.
    """

    group: tuple[int, ...]
    ratio: tuple[float, ...]

    @classmethod
    def none(cls, equation: Equation, primitives: Mapping[str, Primitive]) -> Ties:
        """Every free coefficient on its own."""
        free = free_mask(equation, primitives)
        numbers = np.where(free, np.cumsum(free) - 1, -1)
        return cls(tuple(numbers.tolist()), (1.0,) * len(free))

    @property
    def n_parameters(self) -> int:
        return max(self.group, default=-1) + 1

    def joined(self, first: int, second: int, ratio: float) -> Ties:
        """The same, with coefficient `second` tied to `first` as ``ratio`` times it."""
        moved, target = self.group[second], self.group[first]
        factor = ratio * self.ratio[first] / self.ratio[second]
        group = [target if g == moved else g for g in self.group]
        ratios = [r * factor if g == moved else r for g, r in zip(self.group, self.ratio, strict=True)]
        return Ties(tuple(g - (g > moved) for g in group), tuple(ratios))

    def values(self, coefficients: np.ndarray) -> np.ndarray:
        """Value of every parameter, the mean over what is tied to it, shape (n_parameters,)."""
        found = np.zeros(self.n_parameters)
        for k in range(self.n_parameters):
            found[k] = np.mean([c / r for c, r, g in zip(coefficients, self.ratio, self.group, strict=True) if g == k])
        return found

    def spread(self, coefficients: np.ndarray) -> np.ndarray:
        """Matrix (n_coefficients, n_parameters) from factors of the parameters to coefficients."""
        matrix = np.zeros((len(self.group), self.n_parameters))
        for i, (g, r) in enumerate(zip(self.group, self.ratio, strict=True)):
            if g >= 0:
                matrix[i, g] = r
        return matrix * self.values(coefficients)

    def fixed(self, coefficients: np.ndarray) -> np.ndarray:
        """Coefficients that do not move, zero for the others."""
        return np.where(np.array(self.group) < 0, coefficients, 0.0)

    def applied(self, equation: Equation) -> Equation:
        """The equation with tied coefficients made equal to their mean."""
        values = equation.coefficients()
        return equation.with_coefficients(self.spread(values).sum(axis=1) + self.fixed(values))


def refit(
    equation: Equation,
    ties: Ties,
    X: np.ndarray,
    y: np.ndarray,
    primitives: Mapping[str, Primitive],
    free: np.ndarray | None = None,
    delta: float | None = None,
) -> tuple[Equation, float, np.ndarray]:
    """Least squares over the parameters of a law, or least Huber loss.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
    free : ndarray of bool, one per coefficient, optional
        Parameters with a coefficient that is not free keep their value.
    delta : float, optional
        Residuals larger than that count linearly: a few samples that the encoder misreads do not move the law.

    Returns
    -------
    equation : Equation
    loss : float
        Mean of the squared residuals, of the larger ones as the Huber loss has it, in units of the largest ``y**2``;
        infinite where the law is undefined on a row.
    errors : ndarray, one per coefficient
        Standard errors; infinite for what was not fitted.
    """
    start = equation.coefficients()
    matrix, fixed = ties.spread(start), ties.fixed(start)
    moving = np.ones(ties.n_parameters, dtype=bool)
    if free is not None:
        for g, is_free in zip(ties.group, free.tolist(), strict=True):
            if g >= 0 and not is_free:
                moving[g] = False
    moving &= ties.values(start) != 0  # the factor of a zero has no effect
    fixed = fixed + matrix[:, ~moving].sum(axis=1)
    matrix = matrix[:, moving]

    def residual(factors: np.ndarray) -> np.ndarray:
        return equation.with_coefficients(matrix @ factors + fixed).evaluate(X, primitives) - y

    errors = np.full(len(start), np.inf)
    factors = np.ones(matrix.shape[1])
    unit = float(np.abs(y).max()) or 1.0  # squares of 1e200 would overflow
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if not np.isfinite(residual(factors)).all():
            return equation, math.inf, errors
        if len(factors):
            robust = {} if delta is None else {"loss": "huber", "f_scale": delta / unit}
            found = least_squares(
                lambda f: np.nan_to_num(residual(f) / unit, nan=1e100, posinf=1e100), factors, **robust
            )
            factors = found.x
            normal = found.jac.T @ found.jac
            variance = 2 * found.cost / max(len(y) - len(factors), 1)
            covariance = np.linalg.pinv(normal) * variance
            known = matrix.any(axis=1)
            errors[known] = np.sqrt(np.einsum("ij,jk,ik->i", matrix, covariance, matrix))[known]
        size = np.abs(residual(factors)) / unit
        near = size if delta is None else np.minimum(size, delta / unit)
        loss = float(np.mean(near * (2 * size - near)))
    fitted = equation.with_coefficients(matrix @ factors + fixed)
    return (fitted, loss, errors) if math.isfinite(loss) else (equation, math.inf, errors)


def find_ties(
    equation: Equation,
    loss_of: Callable[[Ties], float],
    accept: Callable[[float, float, int], bool],
    ties: Ties,
) -> Ties:
    """Tie coefficients of like terms that are nearly in a small whole ratio, where the error agrees.

    Like terms are two features, or two constants inside functions. Each tie is judged after a refit of the rest.

    Parameters
    ----------
    loss_of : callable
        ``loss_of(ties) -> loss`` of the law refitted under them.
    accept : callable
        ``accept(loss, tied_loss, n_ties) -> bool``.
    ties : Ties
        Those that are there already.
    """
    coefficients, kinds = equation.coefficients(), _kinds(equation)
    loss, n_ties = loss_of(ties), 0
    for first, second in combinations(range(len(coefficients)), 2):
        if kinds[first] is None or kinds[first] != kinds[second] or ties.group[first] == ties.group[second]:
            continue
        if min(ties.group[first], ties.group[second]) < 0:
            continue
        if not coefficients[first]:
            continue
        ratio = coefficients[second] / coefficients[first]
        near = [r for r in RATIOS if abs(ratio / r - 1) < _RATIO_TOLERANCE]
        for candidate in sorted(near, key=lambda r: abs(ratio / r - 1)):
            attempt = ties.joined(first, second, candidate)
            if accept(loss, loss_of(attempt), n_ties + 1):
                ties, n_ties = attempt, n_ties + 1
                break
    return ties


def _kinds(equation: Equation) -> list[tuple | None]:
    """What each coefficient multiplies, so that only like terms are tied; None for the constant of the output."""
    first_unit = 1 + equation.n_features

    def kind(where: str, source: int) -> tuple | None:
        what = "constant" if source == 0 else "feature" if source < first_unit else "unit"
        if what == "unit":
            return where, what, equation.units[source - first_unit].primitive
        return None if where == "output" and what == "constant" else (where, what)

    inner = [kind("inner", s) for unit in equation.units for arg in unit.args for s, _ in arg]
    return inner + [kind("output", s) for s, _ in equation.output]
