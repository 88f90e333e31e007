"""From equations that a search found to forms with named constants."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from sklearn_eql.parametric.law import ParametricLaw, naming
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.spelling import spellings
from sklearn_eql.symbolic.tidy import exponent_flags
from sklearn_eql.symbolic.written import price

_SAME = 1e-9  # relative error of a spelling


def named(
    equation: Equation, X: np.ndarray, primitives: Mapping[str, Primitive]
) -> tuple[ParametricLaw, np.ndarray] | None:
    """The form of an equation, written with as few constants as possible, and their values; None where it overflows.

    Of forms with as many constants, the one that is linear in most of them. Round exponents stay numbers: they are
    part of the form.

    Parameters
    ----------
    equation : Equation
        Canonical, in the user's units.
    X : ndarray (n_samples, n_features)
        Some rows.
    """
    if not np.isfinite(equation.coefficients()).all():
        return None
    best = None
    with np.errstate(all="ignore"):
        expected = equation.evaluate(X, primitives)
        size = float(np.abs(expected).max())
        for form in (equation, *spellings(equation, primitives, torch.as_tensor(X))):
            if not np.allclose(form.evaluate(X, primitives), expected, rtol=_SAME, atol=_SAME * size):
                continue
            law, values = naming(form, _unknown(form, equation, primitives))
            rank = (len(values), -sum(law.linear), price(form, primitives))
            if best is None or rank < best[0]:
                best = rank, law, values
    return None if best is None else best[1:]


def _unknown(form: Equation, canonical: Equation, primitives: Mapping[str, Primitive]) -> np.ndarray:
    """Which coefficients are constants: free ones, but for round exponents, and ones that only a spelling has."""
    values = form.coefficients()
    free = free_mask(form, primitives)
    half = np.array([float(2 * v).is_integer() and recognise(v) is not None for v in values], dtype=bool)
    free &= ~(np.array(exponent_flags(form), dtype=bool) & half)
    return free if form == canonical else free & (np.abs(values) != 1)
