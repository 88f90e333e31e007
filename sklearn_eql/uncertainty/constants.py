"""The constants of a law: which of its coefficients they are, their errors and intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    """One constant of a law; see `constants` of the estimators."""

    name: str
    value: float
    exact: sympy.Expr | None  # None for one that is fitted
    standard_error: float
    low: float
    high: float
    place: str


@dataclass(frozen=True)
class Parameters:
    """The numbers of a law that a fit may move: those that are fitted, and those that are recognised and held.

    Parameters
    ----------
    law : ParametricLaw
        With a constant for each of them.
    values : ndarray (P,)
    fitted : ndarray (P,) of bool
    named : ParametricLaw
        With a constant for each of `K` fitted ones; those that are equal are one.
    groups : ndarray (P, K)
        Which of `values` are which of these: 1 or -1, else 0.
    held : tuple of int
        Recognised ones that are printed: not the 1 of ``x``.
    """

    law: ParametricLaw
    values: np.ndarray
    fitted: np.ndarray
    named: ParametricLaw
    groups: np.ndarray
    held: tuple[int, ...]

    @classmethod
    def of(cls, equation: Equation, primitives: Mapping[str, Primitive] = PRIMITIVES) -> Parameters:
        """Of a law as it is printed. Coefficients that are a matter of spelling (`free_mask`) are no parameters."""
        movable = free_mask(equation, primitives)
        law, values = naming(equation, movable, tied=False)
        fitted = ~_recognised(values)
        mask = movable.copy()
        mask[movable] = fitted
        named, constants = naming(equation, mask)
        same = np.abs(values[:, None]) == np.abs(constants)  # (P, K)
        groups = np.where(same & fitted[:, None], np.sign(values)[:, None] * np.sign(constants), 0.0)
        sources = np.array([source for form in equation.forms() for source, _ in form])[movable]
        printed = ~fitted & ((sources == 0) | (np.abs(values) != 1))
        return cls(law, values, fitted, named, groups, tuple(np.flatnonzero(printed).tolist()))

    @classmethod
    def of_form(cls, law: ParametricLaw, values: Sequence[float]) -> Parameters:
        """Of a law whose constants have names."""
        values = np.array(values, dtype=float)
        fitted = ~_recognised(values)
        named = ParametricLaw(law.equation, law.names, law.own)
        return cls(law, values, fitted, named, np.eye(len(values))[:, fitted], tuple(np.flatnonzero(~fitted).tolist()))

    def with_values_in(
        self, equation: Equation, values: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES
    ) -> Equation:
        """The equation that the parameters are of, with other values ``(P,)``."""
        coefficients = equation.coefficients()
        coefficients[free_mask(equation, primitives)] = values
        return equation.with_coefficients(coefficients)

    @property
    def has_own_names(self) -> bool:
        """Whether constants that are held have names, too."""
        return self.named.names == self.law.names

    @property
    def names(self) -> tuple[str, ...]:
        """Of the fitted constants, ``(K,)``."""
        if not self.has_own_names:
            return self.named.names
        return tuple(name for name, fitted in zip(self.named.names, self.fitted, strict=True) if fitted)

    def estimates(self, curvature: Curvature, certain: bool = False) -> tuple[Estimates, np.ndarray]:
        """Of the fitted constants first, and which parameters each constant moves, ``(P, K)`` or more columns.

        Recognised ones follow, fitted as well, unless they are `certain` or the rows do not determine all at once.
        """
        held = curvature.of(self.groups)
        if certain or self.fitted.all():
            return held, self.groups
        printed = list(self.held)
        silent = [i for i in np.flatnonzero(~self.fitted).tolist() if i not in printed]
        more = np.eye(len(self.values))[:, printed + silent]  # some ones say what other numbers say as well
        everything = np.column_stack([self.groups, curvature.independent(self.groups, more)])
        free = curvature.of(everything)
        lost = free.loose[: len(held.loose)] & ~held.loose
        return (held, self.groups) if lost.any() or free.n_left <= 0 else (free, everything)

    def tied(self, groups: np.ndarray) -> tuple[ParametricLaw, np.ndarray]:
        """The law with a constant for each column of `groups` (P, K), the other parameters held; and their values."""
        places = [int(np.abs(group).argmax()) for group in groups.T]
        free = np.abs(groups).sum(axis=1) > 0
        law = self.law.holding({i: float(v) for i, v in enumerate(self.values.tolist()) if not free[i]})
        kept = np.flatnonzero(free)
        return law.tied(groups[kept], [f"c{i}" for i in range(groups.shape[1])]), self.values[places]

    def freed(self, curvature: Curvature, i: int, certain: bool = False) -> tuple[Estimates, int]:
        """As `estimates`, with one that is held fitted in any case; and its position."""
        found, groups = self.estimates(curvature, certain)
        place = np.flatnonzero(groups[i])
        if len(place):
            return found, int(place[0])
        return curvature.of(np.column_stack([self.groups, np.eye(len(self.values))[:, i]])), self.groups.shape[1]


def _recognised(values: np.ndarray) -> np.ndarray:
    return np.array([constant_bits(abs(value)) is not None for value in values.tolist()], dtype=bool)


def rows_of(
    parameters: Parameters,
    curvature: Curvature,
    names: Sequence[str],
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    level: float = 0.95,
    certain: bool = False,
) -> list[ConstantRow]:
    """The constants of a law: the fitted ones, then those that are recognised and held.

    Errors and intervals are those of a fit in which all of them are free, unless recognised ones are `certain`; those
    of a recognised one are what they would be if it were fitted along with the others.

    Parameters
    ----------
    names : sequence of str
        Of the features.
    level : float
        Of the intervals.
    certain : bool
        Whether the errors of fitted constants take recognised ones as known, not as fitted.
    """
    named = parameters.named
    written = to_sympy(named.equation, [*names, *named.names], primitives)
    found, _ = parameters.estimates(curvature, certain)
    values = np.array([parameters.values[np.abs(group).argmax()] for group in parameters.groups.T])
    errors = np.maximum(found.errors[: len(values)], curvature.resolution * np.abs(values))
    rows = []
    steps = np.where(np.isfinite(errors), found.step[: len(values)], 0.0)  # none, unless recognised ones are freed
    about = zip(parameters.names, values.tolist(), errors.tolist(), steps.tolist(), strict=True)
    for name, value, error, step in about:
        place = place_of(written, sympy.Symbol(name))
        ends = _interval(value + step, error, quantile(found, level))
        rows.append(ConstantRow(name, value, None, error, *ends, place))
    for i in parameters.held:
        value = float(parameters.values[i])
        freed, place = parameters.freed(curvature, i, certain)
        error = max(float(freed.errors[place]), curvature.resolution * abs(value))
        ends = _interval(value + float(freed.step[place]), error, quantile(freed, level))
        exact = recognise(value)
        name = f"{value:.6g}" if exact is None else str(exact)
        exact = sympy.Float(name) if exact is None else exact
        if parameters.has_own_names:
            name, place = named.names[i], place_of(written, sympy.Symbol(named.names[i]))
        else:
            place = _place_of_one(parameters, i, names, primitives)
        rows.append(ConstantRow(name, value, exact, error, *ends, place))
    return rows


def _interval(value: float, error: float, factor: float) -> tuple[float, float]:
    half = factor * error if error < math.inf else error
    return value - half, value + half


def _place_of_one(parameters: Parameters, i: int, names: Sequence[str], primitives: Mapping[str, Primitive]) -> str:
    """Of one that is held, with numbers in place of all others."""
    law = parameters.law.holding({j: value for j, value in enumerate(parameters.values.tolist()) if j != i})
    symbol = sympy.Symbol("c")
    return place_of(to_sympy(law.equation, [*names, symbol.name], primitives), symbol)


def quantile(found: Estimates, level: float) -> float:
    """Standard errors from a value to an end of its interval; Student's where the variance is estimated."""
    if found.is_known:
        return float(norm.isf((1 - level) / 2))
    return float(student.isf((1 - level) / 2, found.n_left)) if found.n_left > 0 else math.inf


def deviations(
    parameters: Parameters,
    curvature: Curvature,
    X: np.ndarray,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
) -> np.ndarray:
    """Standard errors of the values of the law on rows ``(n,)``, by the delta method; nan where it is undefined."""
    found, groups = parameters.estimates(curvature)
    deviation = np.empty(len(X))
    for first in range(0, len(X), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        with np.errstate(all="ignore"):
            values, slopes = derivatives(parameters.law, parameters.values, X[rows], primitives)
            deviation[rows] = np.where(np.isfinite(values), found.deviations(slopes @ groups), np.nan)
    return deviation
