"""Put exact constants in place of fitted ones, where the error of the refitted law confirms it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.canonical import canonicalize, free_mask
from sklearn_eql.symbolic.constants import Constant, candidates, simplest_first
from sklearn_eql.symbolic.equation import Equation

Refit = Callable[[Equation, np.ndarray], tuple[Equation, float]]
Accept = Callable[[float, float, int], bool]

_N_ERRORS = 3.0  # half width of the interval a coefficient is known to lie in, in standard errors
_UNKNOWN_WIDTH = 1e-3  # relative half width where there are no standard errors
_ROUNDING = 1e-9  # relative; a converged refinement leaves this much, whatever its standard errors say
_MAX_WIDTH = 0.05  # relative; a coefficient known less well is no evidence for any constant ...
_WIDEST_SIMPLE = 0.15  # ... but for 1, 2 or 1/2, which most coefficients of laws are
_SIMPLE_COST = 2.0  # bits: no more than 1/2, 4, 10 or pi
_MAX_CANDIDATES = 3  # per coefficient
_ANY_COST = math.inf  # bits
_WIDEST_HALF, _WIDEST_WHOLE = 0.25, 1.0  # half widths in which an exponent is taken for a half or a whole number
_SHARP_WIDTH = 1e-6  # relative half width of an interval in which a constant of any cost is evidence of itself
_LATER_COST = 4.0  # bits; once other constants are taken for granted, only simple ones are evidence of themselves


def tidy(
    equation: Equation,
    loss: float,
    refit: Refit,
    accept: Accept,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    standard_errors: np.ndarray | None = None,
    renew: Callable[[Equation, np.ndarray], np.ndarray] | None = None,
    given: Mapping[int, float] | None = None,
) -> tuple[Equation, float]:
    """Replace coefficients by integers, small rationals, multiples of pi, e or square roots, where `accept` agrees.

    All coefficients with a candidate are first replaced together, which costs one refit and settles most laws. If the
    error contradicts that, they are tried one by one, the most certain first, each fixed while the rest is refitted.
    What is left is then known better, and tried again.

    Parameters
    ----------
    equation : Equation
        Canonical and refined: see `canonicalize`.
    loss : float
        Its error, in the measure that `refit` returns.
    refit : callable
        ``refit(equation, free) -> (equation, loss)`` minimises the error over the coefficients where `free`, bool of
        shape ``(n_coefficients,)``, is True and leaves the others untouched; `free` may be False throughout.
    accept : callable
        ``accept(old_loss, new_loss, n_fixed) -> bool`` tells whether the error confirms that `n_fixed` coefficients
        are replaced. `old_loss` is always the `loss` passed in, so that many small losses do not add up unseen.
    primitives : mapping of str to Primitive
        Functions by name.
    standard_errors : ndarray, shape (n_coefficients,), optional
        Of ``equation.coefficients()``. Constants more than three of them away are not tried, nor are those that an
        interval of that width would hold by accident. Infinite or NaN where nothing is known: no constant is tried.
    renew : callable, optional
        ``renew(equation, free) -> standard errors`` of the coefficients left free after others were replaced.
    given : mapping of int to float, optional
        Coefficients (by index) that are replaced already.

    Returns
    -------
    equation, loss : Equation, float
        Canonical again: a phase that became pi/2 has turned a sine into a cosine.
    """
    free = free_mask(equation, primitives)
    best, snapped = (equation, loss), dict(given or {})
    errors, first_pass = standard_errors, True
    while True:
        left = free.copy()
        left[list(snapped)] = False
        tolerances = _tolerances(best[0], errors)

        def test(attempt: dict[int, float], start: Equation = best[0]) -> tuple[Equation, float] | None:
            found = _fixed(start, attempt, free, refit)
            return found if accept(loss, found[1], len(attempt)) else None

        before = snapped
        best, snapped = _try_constants(best, snapped, left, tolerances, test, _ANY_COST if first_pass else _LATER_COST)
        still_free = free & ~np.isin(np.arange(len(free)), list(snapped))
        progress = snapped != before or (first_pass and bool(given))  # then the rest is known better than before
        if renew is None or not progress or not still_free.any():
            break
        first_pass = False
        errors = renew(best[0], still_free)
    return (canonicalize(best[0], primitives), best[1]) if snapped else (equation, loss)


def n_recognisable(
    equation: Equation, standard_errors: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES
) -> int:
    """How many coefficients of a canonical equation are near a constant that `tidy` would try first."""
    free = np.flatnonzero(free_mask(equation, primitives)).tolist()
    tolerances, values = _tolerances(equation, standard_errors), equation.coefficients().tolist()
    exponents = exponent_flags(equation)
    return sum(bool(_options(values[i], float(tolerances[i]), _ANY_COST, exponents[i])) for i in free)


def exponent_flags(equation: Equation) -> list[bool]:
    """Whether a coefficient is an exponent: of a power, or the factor of the logarithm of a feature."""
    first = 1 + equation.n_features
    logs = {
        first + i
        for i, unit in enumerate(equation.units)
        if unit.primitive == "log" and len(unit.args[0]) == 1 and 0 < unit.args[0][0][0] < first
    }
    found = []
    for unit in equation.units:
        for slot, form in enumerate(unit.args):
            is_power = unit.primitive == "pow" and slot == 1 and len(form) == 1
            found += [(is_power and s == 0) or (unit.primitive == "exp" and s in logs) for s, _ in form]
    return found + [s in logs for s, _ in equation.output]


def _options(value: float, tolerance: float, max_cost: float, is_exponent: bool = False) -> list[Constant]:
    """Constants to try in the place of a coefficient, the likeliest first.

    Exponents are numbers that no unit changes: half-integers are what they are made of, and whole ones where little is
    known.
    """
    if is_exponent and tolerance <= _WIDEST_WHOLE:
        is_known = tolerance <= _WIDEST_HALF
        nearest = round(2 * value) / 2 if is_known else float(round(value))
        if nearest and abs(nearest - value) <= (tolerance if is_known else tolerance / 2):
            return [c for c in candidates(nearest, 0.0) if c.value == nearest]
        if not is_known:
            return []
    sharp = tolerance <= _SHARP_WIDTH * abs(value)
    near = [c for c in simplest_first(value, tolerance) if sharp or c.cost <= max_cost]
    if tolerance > _MAX_WIDTH * abs(value):
        near = [c for c in near if c.cost <= _SIMPLE_COST]
    return sorted(near, key=lambda c: _surprise(c, value, tolerance))[:_MAX_CANDIDATES]


def _try_constants(
    best: tuple[Equation, float],
    snapped: dict[int, float],
    left: np.ndarray,
    tolerances: np.ndarray,
    test: Callable[[dict[int, float]], tuple[Equation, float] | None],
    max_cost: float,
) -> tuple[tuple[Equation, float], dict[int, float]]:
    """One pass over the coefficients that are `left`: the law and all its replaced coefficients (by index)."""

    exponents = exponent_flags(best[0])

    def options(current: Equation, i: int) -> list[Constant]:
        return _options(float(current.coefficients()[i]), float(tolerances[i]), max_cost, exponents[i])

    first = {i: found[0] for i in np.flatnonzero(left).tolist() if (found := options(best[0], i))}
    if not first:
        return best, snapped
    attempt = snapped | {i: c.value for i, c in first.items()}
    if (together := test(attempt)) is not None:
        return together, attempt
    certainty = {i: _surprise(c, float(best[0].coefficients()[i]), float(tolerances[i])) for i, c in first.items()}
    for i in sorted(first, key=certainty.__getitem__):
        for constant in options(best[0], i):
            attempt = snapped | {i: constant.value}
            if (found := test(attempt)) is not None:
                best, snapped = found, attempt
                break
    return best, snapped


def _tolerances(equation: Equation, standard_errors: np.ndarray | None) -> np.ndarray:
    """Half widths of the intervals the coefficients are known to lie in, shape ``(n_coefficients,)``."""
    size = np.abs(equation.coefficients())
    if standard_errors is None:
        return _UNKNOWN_WIDTH * size
    width = np.maximum(_N_ERRORS * np.asarray(standard_errors, dtype=np.float64), _ROUNDING * size)
    widest = np.where(exponent_flags(equation), _WIDEST_WHOLE, _WIDEST_SIMPLE * size)
    return np.where(width <= widest, width, math.nan)


def _surprise(constant: Constant, value: float, tolerance: float) -> float:
    """Bits to say the constant plus bits to excuse its distance, as of a Gaussian: the best candidate has least."""
    z = _N_ERRORS * (constant.value - value) / tolerance
    return constant.cost + z * z / (2 * math.log(2))


def _fixed(equation: Equation, values: dict[int, float], free: np.ndarray, refit: Refit) -> tuple[Equation, float]:
    """The law with some coefficients (by index) set and the other free ones refitted."""
    coefficients, mask = equation.coefficients(), free.copy()
    for i, value in values.items():
        coefficients[i], mask[i] = value, False
    return refit(equation.with_coefficients(coefficients), mask)
