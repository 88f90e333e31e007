"""A constant that stands in a law twice: ``log(1 - exp(-c*x)) + c*x`` has one unknown number, not two."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy.optimize import minimize_scalar

from sklearn_eql.laws.judging import Table
from sklearn_eql.sparse.description_length import is_shorter
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Equation

_N_ERRORS = 4.0  # standard errors of the difference within which two coefficients may be one
_MOST = 4  # pairs tried
_STEPS = 16  # of the search for the common value, at most


def with_repeated_constants(equation: Equation, loss: float, table: Table) -> tuple[Equation, float]:
    """The law with coefficients of one source put to a common value, where that shortens its description.

    Parameters
    ----------
    equation : Equation
        Canonical and refined.
    loss : float
        Its relative loss.
    table : Table
        Rows to fit.
    """
    free = free_mask(equation, table.primitives)
    unknown = free & np.array([recognise(c) is None for c in equation.coefficients()], dtype=bool)
    if unknown.sum() < 2:
        return equation, loss
    errors = table.errors(equation, unknown)
    tied: set[int] = set()
    for first, second in _alike(equation, unknown, errors):
        if tied & {first, second}:
            continue
        found, common = _with_common_value(equation, (first, second), unknown, errors, table)
        n_free = int(unknown.sum())
        if is_shorter(loss, common, len(table.y), table.scaling.exact, (n_free, n_free - 1)):
            equation, loss = found, common
            tied |= {first, second}
            unknown[[first, second]] = False
    return equation, loss


def _alike(equation: Equation, unknown: np.ndarray, errors: np.ndarray) -> Iterator[tuple[int, int]]:
    """Coefficients of one source that are equal, or opposite, within their errors; the nearest first."""
    sources = [s for unit in equation.units for arg in unit.args for s, _ in arg] + [s for s, _ in equation.output]
    sizes = np.abs(equation.coefficients())
    found = []
    for i, j in combinations(np.flatnonzero(unknown).tolist(), 2):
        distance = abs(sizes[i] - sizes[j]) / math.hypot(errors[i], errors[j])
        if sources[i] == sources[j] != 0 and distance < _N_ERRORS:
            found.append((distance, (i, j)))
    yield from (pair for _, pair in sorted(found)[:_MOST])


def _with_common_value(
    equation: Equation, pair: tuple[int, int], unknown: np.ndarray, errors: np.ndarray, table: Table
) -> tuple[Equation, float]:
    values, others = equation.coefficients(), unknown.copy()
    others[list(pair)] = False
    signs = np.sign(values[list(pair)])
    low, high = sorted(np.abs(values[list(pair)]).tolist())
    margin = float(min(errors[list(pair)]))
    low, width = low - margin, high - low + 2 * margin

    def refitted(place: float) -> tuple[Equation, float]:
        values[list(pair)] = signs * (low + place * width)
        return table.refit(equation.with_coefficients(values), others)

    options = {"maxiter": _STEPS, "xatol": 1e-4}
    best = minimize_scalar(lambda place: refitted(place)[1], bounds=(0.0, 1.0), method="bounded", options=options)
    return refitted(float(best.x))
