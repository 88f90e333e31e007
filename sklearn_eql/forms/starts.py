"""Starts of a fit of constants: spread over magnitudes and signs, at the data where something is subtracted from them,
and at the solutions of linear problems.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy

from sklearn_eql.forms.form import Form
from sklearn_eql.forms.scales import magnitudes
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.primitives import Primitive

_DECADES = 2.0  # to either side of the likely magnitude
_AT_DATA = 0.5  # share of the starts in which what is subtracted from columns lies among their values
_REWEIGHTED = 4  # passes of a linearised quotient
_TINY = 1e-12


def spread_starts(
    form: Form,
    law: ParametricLaw | None,
    X: np.ndarray,
    y: np.ndarray,
    n_starts: int,
    primitives,
    rng: np.random.Generator,
) -> np.ndarray:
    """Values of all constants, ``(n_starts, n_constants)``: those in which the law is linear are zero.

    The first starts have zeros and ones.
    """
    n = len(form.constants)
    sizes = magnitudes(form, X, y)
    signs = rng.choice([-1.0, 1.0], size=(n_starts, n))
    for k, name in enumerate(form.constants):
        if name in form.positive:
            signs[:, k] = 1.0
    starts = signs * 10.0 ** (sizes + rng.uniform(-_DECADES, _DECADES, size=(n_starts, n)))
    for name, values in origins(form, X, primitives).items():
        at_data = rng.uniform(size=n_starts) < _AT_DATA
        starts[at_data, form.constants.index(name)] = rng.choice(values, size=int(at_data.sum()))
    starts[:1], starts[1:2] = 0.0, 1.0
    starts[2:3] = 10.0**sizes
    if law is not None:
        starts[:, np.array(law.linear, dtype=bool)] = 0.0
    return starts


def grid(form: Form, k: int, X: np.ndarray, y: np.ndarray, n_values: int, primitives) -> np.ndarray:
    """Values of one constant, ``(m,)``: from small to large, of both signs, and among the data where that is sense."""
    size = magnitudes(form, X, y)[k]
    values = 10.0 ** np.linspace(size - _DECADES, size + _DECADES, n_values)
    found = [values, -values]
    at_data = origins(form, X, primitives).get(form.constants[k])
    if at_data is not None:
        found.append(np.quantile(at_data, np.linspace(0, 1, n_values // 2)))
    return np.concatenate(found)


def origins(form: Form, X: np.ndarray, primitives) -> dict[str, np.ndarray]:
    """For every constant that is added to an expression of features: the values at which the sum vanishes on a row."""
    features = {sympy.Symbol(name, real=True) for name in form.features}
    found: dict[str, np.ndarray] = {}
    for expr in (form.expr, *(arg for place in form.occurrences for arg in place.args)):
        for part in expr.atoms(sympy.Add):
            alone = [s for s in part.free_symbols - features if s.name in form.constants]
            if len(alone) != 1:
                continue
            slope = part.diff(alone[0])
            rest = sympy.expand(part - slope * alone[0])
            if not slope.is_number or not rest.free_symbols or not rest.free_symbols <= features:
                continue
            values = form.law_of(-rest / slope, (), primitives).equation.evaluate(X, primitives)
            values = values[np.isfinite(values)]
            if len(values):
                found.setdefault(alone[0].name, values)
    return found


def linearised_quotients(
    form: Form, X: np.ndarray, y: np.ndarray, weight: np.ndarray, primitives: dict[str, Primitive]
) -> Iterator[np.ndarray]:
    """Constants ``(n_constants,)`` of a quotient of linear forms ``P / Q``, from ``P - y Q = 0``.

    In the second pass and on, rows are weighed by the `Q` of the last (Sanathanan and Koerner, 1963): what is squared
    is the residual then. Nothing where the form is no such quotient.
    """
    names = form.constants
    symbols = [sympy.Symbol(name, real=True) for name in names]
    numerator, denominator = sympy.fraction(sympy.together(form.expr))
    if not denominator.has(*symbols):
        return
    parts = []
    for side in (numerator, denominator):
        slopes = [side.diff(s) for s in symbols]
        if any(slope.has(*symbols) for slope in slopes):
            return
        terms = [*slopes, sympy.expand(side - sum(slope * s for slope, s in zip(slopes, symbols, strict=True)))]
        parts.append([form.law_of(term, (), primitives).equation.evaluate(X, primitives) for term in terms])
    with np.errstate(all="ignore"):
        above, below = (np.stack(part, axis=1) for part in parts)  # (N, n_constants + 1)
        equations = above - y[:, None] * below
        scale = np.sqrt(weight)
        for _ in range(_REWEIGHTED):
            rows = equations * scale[:, None]
            if not np.isfinite(rows).all():
                return
            sizes = np.linalg.norm(rows[:, :-1], axis=0)
            sizes = np.where(sizes > 0, sizes, 1.0)
            values = np.linalg.lstsq(rows[:, :-1] / sizes, -rows[:, -1], rcond=None)[0] / sizes
            yield values
            beneath = np.abs(below[:, :-1] @ values + below[:, -1])
            scale = np.sqrt(weight) / np.maximum(beneath, _TINY * max(beneath.max(), 1e-300))
