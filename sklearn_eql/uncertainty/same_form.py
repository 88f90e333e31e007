"""Laws of one form: those that one of them gives with other constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_eql.parametric.fit import fit_constants
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.canonical import canonicalize, structure_key
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.uncertainty.constants import Parameters

_SAME = 1e-5  # root mean square of what a form leaves of a law's values, relative to that of the values
_STEPS = 60  # of Levenberg-Marquardt, at most


@dataclass
class Form:
    """A law and those that are like it.

    Parameters
    ----------
    equation : Equation
        The first of them.
    parameters : Parameters
        Its numbers.
    values : list of ndarray (P,)
        What these are in each of the laws; nan where the fit did not tell.
    """

    equation: Equation
    parameters: Parameters
    values: list[np.ndarray]


def forms_of(
    equations: Sequence[Equation], X: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES
) -> list[tuple[int, Form]]:
    """The laws by form, with the position of the first of each; whatever the spelling.

    A law has the form of another if it has as many numbers, and the other reproduces its values on the rows `X`
    (n_samples, n_features) with some constants.
    """
    found: list[tuple[int, Form]] = []
    for i, equation in enumerate(equations):
        parameters = Parameters.of(equation, primitives)
        for _, form in found:
            values = _values_in(form, equation, parameters, X, primitives)
            if values is not None:
                form.values.append(values)
                break
        else:
            found.append((i, Form(equation, parameters, [parameters.values])))
    return found


def _values_in(
    form: Form, equation: Equation, parameters: Parameters, X: np.ndarray, primitives: Mapping[str, Primitive]
) -> np.ndarray | None:
    """The constants with which the form is another law; None if it is not of this form."""
    if len(form.parameters.values) != len(parameters.values):
        return None
    with np.errstate(all="ignore"):
        y = equation.evaluate(X, primitives)
    rows = GroupedRows.of(X[np.isfinite(y)], y[np.isfinite(y)])
    size = float(rows.y @ rows.y) or 1.0
    for start in (form.parameters.values, parameters.values):
        fit = fit_constants(
            form.parameters.law, rows, start, np.empty((1, 0)), primitives, max_iter=_STEPS, floor=1e-24 * size
        )
        if fit.squared_error <= _SAME**2 * size:
            return fit.shared
    same = structure_key(canonicalize(equation, primitives), primitives) == structure_key(
        canonicalize(form.equation, primitives), primitives
    )
    return np.full(len(parameters.values), np.nan) if same else None
