"""Which origins and units a law is searched for in, and which of them it has to be written in."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Affine, Equation, Frame, Unit

FAR = 10.0
"""Distance from zero, in ranges of a column, from which an origin near the data is tried.

From there on ``log(x)`` and ``1/x`` are straight lines to a fortieth of their range, or less.
"""
TOO_FAR = 1e5
"""Likewise, from which nothing else is tried: a straight line through the user's zero then has a condition number of
1e10 in the normal equations, and powers are exponentials to five digits."""

_LARGEST_DECADE = 20  # of numbers that are left in the user's units: tenth powers and products of ten are in range
_LAST_DECADE = 300  # of units, so that they and their inverses are normal numbers
_SAFE_LOG = math.log(1e250)  # of the largest number, and the inverse of the smallest, that a law is computed from


def identity(n_features: int) -> Frame:
    """The user's own origins and units."""
    return Frame((0.0,) * n_features, (1.0,) * n_features)


def frame_of(X: np.ndarray, y: np.ndarray, min_distance: float) -> Frame | None:
    """Origins near columns that are at least `min_distance` ranges from zero, and units for numbers far from one.

    Units are powers of ten, and origins the shortest decimals within the range, so that a law is read as it was. None
    where neither is needed.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
    min_distance : float
        Infinite for no origins.
    """
    origins = tuple(_origin(column) if _distance(column) >= min_distance else 0.0 for column in X.T)
    units = tuple(_unit(float(np.abs(column - origin).max())) for column, origin in zip(X.T, origins, strict=True))
    frame = Frame(origins, units, _unit(float(np.abs(y).max())))
    return None if frame == identity(X.shape[1]) else frame


def distance(X: np.ndarray) -> float:
    """From zero to the column that is farthest from it, in ranges of that column."""
    return max(map(_distance, X.T))


def _distance(column: np.ndarray) -> float:
    low, high = float(column.min()), float(column.max())
    extent = high / 2 - low / 2  # halved: the range of +-1e308 overflows
    if extent <= 0 or low <= 0 <= high:
        return 0.0
    return min(abs(low), abs(high)) / 2 / extent


def _origin(column: np.ndarray) -> float:
    """The shortest decimal within the range of a column that does not hold zero; nearest to the middle, of several."""
    low, high = float(column.min()), float(column.max())
    middle = low + (high - low) / 2
    decade = math.floor(math.log10(high - low))
    for step in (decade + 1, decade):  # of the first at most one multiple is within the range, of the second at least
        whole = round(middle / 10.0**step)
        multiples = [float(f"{whole + k}e{step}") for k in (0, -1, 1)]
        inside = [multiple for multiple in multiples if low <= multiple <= high]
        if inside:
            return min(inside, key=lambda multiple: abs(multiple - middle))
    return low  # decimals of that length are no more in float64 than the data


def _unit(size: float) -> float:
    """A power of ten near a size that is far from one; one for all others."""
    if size == 0 or 10.0**-_LARGEST_DECADE <= size <= 10.0**_LARGEST_DECADE:
        return 1.0
    return float(f"1e{max(-_LAST_DECADE, min(_LAST_DECADE, math.floor(math.log10(size))))}")


def reframed(
    equation: Equation, frame: Frame | None, primitives: Mapping[str, Primitive] = PRIMITIVES
) -> Equation | None:
    """The same law in another frame, canonical; None where float64 does not hold its coefficients."""
    own = identity(equation.n_features)
    old, new = equation.frame or own, frame or own
    shifts = [(there - here) / u for there, here, u in zip(new.origins, old.origins, old.units, strict=True)]
    factors = [there / here for there, here in zip(new.units, old.units, strict=True)]

    def moved(form: Affine, factor: float = 1.0) -> Affine:
        total: dict[int, float] = {}
        for source, c in form:
            is_feature = 1 <= source <= equation.n_features
            total[source] = c * factor * (factors[source - 1] if is_feature else 1.0) + total.get(source, 0.0)
            if is_feature and shifts[source - 1]:
                total[0] = total.get(0, 0.0) + c * factor * shifts[source - 1]
        return tuple(sorted(total.items()))

    units = tuple(Unit(unit.primitive, tuple(map(moved, unit.args))) for unit in equation.units)
    output = moved(equation.output, old.y_unit / new.y_unit)
    found = Equation(equation.n_features, units, output, None if new == own else new)
    lost = any(c == 0 or not math.isfinite(c) for form in found.forms() for s, c in form if s != 0)
    return None if lost or not np.isfinite(found.coefficients()).all() else canonicalize(found, primitives)


def in_own_units(equation: Equation, X: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES) -> Equation:
    """The law in the user's units, if all numbers that it is computed from on the given rows are well within float64.

    Origins stay. Where the units have to stay as well, it is the law itself.
    """
    frame = equation.frame
    if frame is None or (set(frame.units) == {1.0} and frame.y_unit == 1):
        return equation
    plain = reframed(equation, Frame(frame.origins, (1.0,) * equation.n_features), primitives)
    if plain is None or not _is_safe(plain, X, primitives):
        return equation
    values, expected = plain.evaluate(X, primitives), equation.evaluate(X, primitives)
    size = float(np.abs(expected).max()) or 1.0
    return plain if np.allclose(values / size, expected / size, rtol=1e-9, atol=1e-9) else equation


def _is_safe(equation: Equation, X: np.ndarray, primitives: Mapping[str, Primitive]) -> bool:
    """Whether no coefficient, value of a unit or power of a feature comes near the ends of float64."""
    sources = equation.sources(torch.as_tensor(X), primitives)
    first = 1 + equation.n_features
    coefficients = np.abs(equation.coefficients())
    logs = list(np.log(coefficients[coefficients > 0]))
    for unit in equation.units:
        if unit.primitive == "exp":  # of logarithms: printed as powers
            inputs = [(s, c) for s, c in unit.args[0] if s >= first]
            logs += [c * sources[s] for s, c in inputs if equation.units[s - first].primitive == "log"]
    largest = max(float(np.abs(log).max()) for log in logs) if logs else 0.0
    with np.errstate(divide="ignore"):
        highest = max((float(np.log(np.abs(values)).max()) for values in sources[first:]), default=0.0)
    return max(largest, highest) < _SAFE_LOG
