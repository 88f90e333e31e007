"""The constants of a law: which of its coefficients they are, their errors and intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.stats import norm
from scipy.stats import t as student

from sklearn_eql.parametric.law import ParametricLaw, naming
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.symbolic.written import constant_bits
from sklearn_eql.uncertainty.curvature import Curvature, Estimates, derivatives
from sklearn_eql.uncertainty.places import place_of

_ROWS_AT_ONCE = 2**13  # of which derivatives are computed


@dataclass(frozen=True)
class ConstantRow:
    """One constant of a law; see `constants_` of the estimators."""

    name: str
    value: float
    exact: sympy.Expr | None  # None for one that is fitted
    standard_error: float
    low: float
    high: float
    place: str


@dataclass(frozen=True)
class Coefficients:
    """Which coefficients of a law are fitted, and which are held.

    Parameters
    ----------
    equation : Equation
    movable : ndarray of bool (n_coefficients,)
        Those that are no matter of spelling (`free_mask`): `P` of them.
    fitted : ndarray of bool (n_coefficients,)
        Movable ones that are no recognised constants.
    """

    equation: Equation
    movable: np.ndarray
    fitted: np.ndarray

    @classmethod
    def of(cls, equation: Equation, primitives: Mapping[str, Primitive] = PRIMITIVES) -> Coefficients:
        """Of a law as it is printed."""
        movable = free_mask(equation, primitives)
        known = np.array([constant_bits(abs(c)) is not None for c in equation.coefficients().tolist()], dtype=bool)
        return cls(equation, movable, movable & ~known)

    def law(self, names: Sequence[str] | None = None) -> tuple[ParametricLaw, np.ndarray]:
        """The law with a symbol for every fitted constant, and their values."""
        return naming(self.equation, self.fitted, names)

    def groups(self) -> np.ndarray:
        """Which movable coefficients are which fitted constant: 1 or -1, else 0, ``(P, K)``."""
        values = self.equation.coefficients()
        constants = list(dict.fromkeys(np.abs(values[self.fitted]).tolist()))
        signs = {abs(v): math.copysign(1.0, v) for v in values[self.fitted][::-1].tolist()}
        found = np.zeros((len(values), len(constants)))
        for i in np.flatnonzero(self.fitted).tolist():
            size = abs(float(values[i]))
            found[i, constants.index(size)] = math.copysign(1.0, values[i]) * signs[size]
        return found[self.movable]

    def held(self) -> Iterator[int]:
        """Coefficients that are recognised constants and are printed: not the 1 of ``x``."""
        forms = [source for form in self.equation.forms() for source, _ in form]
        values = np.abs(self.equation.coefficients())
        for i in np.flatnonzero(self.movable & ~self.fitted).tolist():
            if forms[i] == 0 or values[i] != 1:
                yield i

    def estimates(self, curvature: Curvature) -> Estimates:
        """Of the fitted constants, with the recognised ones held."""
        return curvature.of(self.groups())

    def freed(self, curvature: Curvature, i: int) -> Estimates:
        """As `estimates`, with a recognised coefficient fitted as well: the last one."""
        alone = np.zeros(len(self.fitted))
        alone[i] = 1.0
        return curvature.of(np.column_stack([self.groups(), alone[self.movable]]))


def rows_of(
    coefficients: Coefficients,
    curvature: Curvature,
    names: Sequence[str],
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    level: float = 0.95,
) -> list[ConstantRow]:
    """The constants of a law: the fitted ones, then those that are recognised and held.

    The error and interval of a recognised one are what they would be if it were fitted along with the others.

    Parameters
    ----------
    names : sequence of str
        Of the features.
    level : float
        Of the intervals.
    """
    law, values = coefficients.law()
    written = to_sympy(law.equation, [*names, *law.names], primitives)
    found = coefficients.estimates(curvature)
    factor = quantile(found, level)
    rows = []
    errors = np.maximum(found.errors, curvature.resolution * np.abs(values))
    for name, value, error in zip(law.names, values.tolist(), errors.tolist(), strict=True):
        low, high = (value - factor * error, value + factor * error) if error < math.inf else (-math.inf, math.inf)
        rows.append(ConstantRow(name, value, None, error, low, high, place_of(written, sympy.Symbol(name))))
    for i in coefficients.held():
        rows.append(_held_row(coefficients, curvature, i, names, primitives, level))
    return rows


def _held_row(
    coefficients: Coefficients,
    curvature: Curvature,
    i: int,
    names: Sequence[str],
    primitives: Mapping[str, Primitive],
    level: float,
) -> ConstantRow:
    equation = coefficients.equation
    value = float(equation.coefficients()[i])
    mask = np.zeros(len(coefficients.fitted), dtype=bool)
    mask[i] = True
    law, _ = naming(equation, mask)
    symbol = sympy.Symbol("c")
    place = place_of(to_sympy(law.equation, [*names, "c"], primitives), symbol)
    freed = coefficients.freed(curvature, i)
    error = max(float(freed.errors[-1]), curvature.resolution * abs(value))
    centre = value + float(freed.step[-1])
    factor = quantile(freed, level)
    low, high = (centre - factor * error, centre + factor * error) if error < math.inf else (-math.inf, math.inf)
    exact = recognise(value)
    name = f"{value:.6g}" if exact is None else str(exact)
    return ConstantRow(name, value, sympy.Float(name) if exact is None else exact, error, low, high, place)


def quantile(found: Estimates, level: float) -> float:
    """Standard errors from a value to an end of its interval; Student's where the variance is estimated."""
    if found.is_known:
        return float(norm.isf((1 - level) / 2))
    return float(student.isf((1 - level) / 2, found.n_left)) if found.n_left > 0 else math.inf


def deviations(
    coefficients: Coefficients,
    curvature: Curvature,
    X: np.ndarray,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
) -> np.ndarray:
    """Standard errors of the values of the law on rows ``(n,)``, by the delta method; nan where it is undefined."""
    found, groups = coefficients.estimates(curvature), coefficients.groups()
    deviation = np.empty(len(X))
    for first in range(0, len(X), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        with np.errstate(all="ignore"):
            values, slopes = derivatives(coefficients.equation, coefficients.movable, X[rows], primitives)
            deviation[rows] = np.where(np.isfinite(values), found.deviations(slopes @ groups), np.nan)
    return deviation
