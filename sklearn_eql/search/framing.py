"""From which origins and in which units a search reads the data, and its laws as users read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sklearn_eql.laws.law import Law
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.sparse.rows import RowView, extremes
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import free_mask, rescale
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.equation import Equation, Frame
from sklearn_eql.symbolic.frames import FAR, TOO_FAR, frame_of, in_own_units

SUBNORMAL = float(np.finfo(np.float64).smallest_subnormal)  # absolute rounding error of the smallest numbers
_READABLE_DIGITS, _READABLE_LOSS = 6, 1e-3  # what a reader keeps of a constant, and may lose of the law


def frames_to_try(
    X: np.ndarray | RowView, y: np.ndarray, settings: SearchSettings
) -> tuple[Frame | None, Frame | None]:
    """Where to look for a law first, briefly, and then: with as few and with as many origins as make sense."""
    X, y = np.stack(extremes(X)), np.array([y.min(), y.max()])  # which is all that matters
    if not settings.scale:
        return (frame_of(X, y, math.inf),) * 2
    last = frame_of(X, y, FAR)
    return (last if settings.method == "gradient" else frame_of(X, y, TOO_FAR)), last


def is_readable(law: Law, X: np.ndarray, primitives: Mapping[str, Primitive]) -> bool:
    """Whether the law with constants of six digits is still that law, to a thousandth of the spread of its values.

    Far from the data's zero ``3*(x - 2460000)`` is a small difference of large numbers, which a reader cannot use.
    """
    values = [float(f"{c:.{_READABLE_DIGITS - 1}e}") for c in law.equation.coefficients()]
    rounded = law.equation.with_coefficients(np.array(values))
    values = law.equation.evaluate(X, primitives)
    unit = float(np.abs(values).max()) or 1.0
    difference = rounded.evaluate(X, primitives) / unit - values / unit
    return bool(np.sqrt(np.mean(difference**2)) <= _READABLE_LOSS * np.std(values / unit) + SUBNORMAL)


def framed(law: Law, frame: Frame, X: np.ndarray, primitives: Mapping[str, Primitive]) -> Law:
    """A law that was found in a frame, as the user reads it."""
    equation = in_own_units(replace(law.equation, frame=frame), X, primitives)
    sources = {source for form in equation.forms() for source, _ in form}
    n_origins = sum(origin != 0 and f in sources for f, origin in enumerate(frame.origins, start=1))
    return replace(
        law,
        equation=equation,
        loss=law.loss * frame.y_unit * frame.y_unit,  # infinite, not an error, for y of 1e200
        complexity=equation_complexity(equation, primitives),
        n_symbols=law.n_symbols + 2 * n_origins,
    )


def scaled_structure(equation: Equation, scaling: Scaling, primitives: Mapping[str, Primitive]) -> Structure:
    """A law of an earlier fit in the units of this search."""
    equation = rescale(replace(equation, frame=None), 1 / scaling.x, 1 / scaling.y, primitives)
    return Structure.from_equation(equation, free_mask(equation, primitives))
