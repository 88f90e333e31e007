"""Constants that are nothing in the user's units.

A search sees scaled columns, and there ``T*log(b/a)`` is ``T*(log(b/a) + c)``, with a constant that the scales make:
no search can leave it out. In the user's units it is zero, to its error.
"""

from __future__ import annotations

import numpy as np

from sklearn_eql.laws.judging import Table
from sklearn_eql.sparse.description_length import is_shorter
from sklearn_eql.symbolic.canonical import canonicalize, free_mask
from sklearn_eql.symbolic.equation import Equation

_IDLE = 3.0  # standard errors from zero, at most


def without_idle_terms(equation: Equation, loss: float, table: Table) -> tuple[Equation, float]:
    """The law in the user's units without constants beside logarithms that rows do not tell from zero, and its loss.

    One at a time, the least certain first, as long as that shortens the description.
    """
    while True:
        free = free_mask(equation, table.primitives)
        candidates = np.flatnonzero(free & _beside_logarithms(equation))
        if not len(candidates):  # as in most laws, whose errors need not be known
            return equation, loss
        values, errors = equation.coefficients(), table.errors(equation, free)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(values[candidates]) / errors[candidates]
        nearest = int(np.argmin(distance))
        if not distance[nearest] < _IDLE:
            return equation, loss
        i = int(candidates[nearest])
        values[i] = 0.0
        shorter = canonicalize(equation.with_coefficients(values), table.primitives)
        mask = free_mask(shorter, table.primitives)
        fitted, left = table.refit(shorter, mask)
        n_free = int(free.sum()), int(mask.sum())
        if not is_shorter(loss, left, len(table.y), table.exact / table.variance, n_free, 1):
            return equation, loss
        equation, loss = fitted, left


def _beside_logarithms(equation: Equation) -> np.ndarray:
    """Of every coefficient, whether it is the constant of a linear form with a logarithm in it."""
    first = 1 + equation.n_features
    logarithms = {first + i for i, unit in enumerate(equation.units) if unit.primitive == "log"}
    forms = [*(arg for unit in equation.units for arg in unit.args), equation.output]
    return np.array(
        [source == 0 and any(s in logarithms for s, _ in form) for form in forms for source, _ in form], dtype=bool
    )
