"""Canonical form: one spelling per law, without redundant parameters, in the user's units."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.symbolic.graph import Form, Graph, OutOfRangeError, added, gauge_position, scaled
from sklearn_eql.symbolic.rules import Rules

# Largest factor moved from a unit to its consumers. Factors multiply along the layers, so a law whose coefficients
# overflow under the first limit is tried with the next.
_LIMITS = (1e150, 1e30, 1e6)


def rescale(
    equation: Equation,
    x_scale: np.ndarray | float,
    y_scale: float,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
) -> Equation:
    """An equation fitted on ``X / x_scale`` and ``y / y_scale``, in the units of `X` and `y`, canonical.

    Parameters
    ----------
    equation : Equation
        Law of scaled data.
    x_scale : float or ndarray, shape (n_features,)
        Positive; units of the features.
    y_scale : float
        Positive; unit of the target.
    primitives : mapping of str to Primitive
        Functions by name.

    Returns
    -------
    Equation
    """
    scales = np.broadcast_to(np.asarray(x_scale, dtype=np.float64), (equation.n_features,)).tolist()

    def unscale(form: Affine) -> Affine:
        return tuple((s, c / scales[s - 1] if 1 <= s <= equation.n_features else c) for s, c in form)

    units = tuple(Unit(unit.primitive, tuple(map(unscale, unit.args))) for unit in equation.units)
    output = tuple((s, c * float(y_scale)) for s, c in unscale(equation.output))
    return canonicalize(replace(equation, units=units, output=output), primitives)


def canonicalize(equation: Equation, primitives: Mapping[str, Primitive] = PRIMITIVES) -> Equation:
    """The same function, to rounding, with the fewest parameters and units in an order that depends on meaning only.

    Zero coefficients and unused units go; identities, constants and products with constants dissolve into their
    consumers; scales, signs, factors ``exp(b)`` and constants ``log(k)`` move out of the units that allow it (see
    `Rules`), which leaves leading coefficients of exactly one there; equal units are merged. Where the new spelling
    would overflow float64, factors stay where they are.

    Parameters
    ----------
    equation : Equation
        Any, also with units that nothing reads.
    primitives : mapping of str to Primitive
        Functions by name, with what is known of them: scales and signs move out of those that allow it.

    Returns
    -------
    Equation
        In the frame of the given one. Where a term with the coefficient zero went, it may be defined at more points.
    """
    for limit in _LIMITS:
        try:
            return replace(_rewritten(equation, primitives, limit), frame=equation.frame)
        except OutOfRangeError:
            continue
    return replace(_without_dead_parts(equation, primitives), frame=equation.frame)


def _rewritten(equation: Equation, primitives: Mapping[str, Primitive], limit: float) -> Equation:
    graph = Graph(equation.n_features, primitives)
    rules = Rules(graph, limit)
    expansion: list[Form] = [{s: 1.0} for s in range(equation.n_features + 1)]  # old source -> form of new ones

    def expanded(form: Affine) -> Form:
        total: Form = {}
        for source, coefficient in form:
            total = added(total, scaled(expansion[source], coefficient))
        return total

    for unit, used in zip(equation.units, _live(equation), strict=True):
        expansion.append(rules.build(unit.primitive, [expanded(form) for form in unit.args]) if used else {})
    return graph.equation(expanded(equation.output))


def _without_dead_parts(equation: Equation, primitives: Mapping[str, Primitive]) -> Equation:
    graph = Graph(equation.n_features, primitives)
    return graph.equation(_verbatim(graph, equation))


def _verbatim(graph: Graph, equation: Equation) -> Form:
    """Copy the units into `graph` as they are; returns the output in its sources."""
    number = list(range(equation.n_features + 1))

    def renumbered(form: Affine) -> Form:
        return {number[s]: c for s, c in form if c != 0}

    for unit in equation.units:
        number.append(graph.add(unit.primitive, [renumbered(form) for form in unit.args]))
    return renumbered(equation.output)


def _live(equation: Equation) -> list[bool]:
    """Which units reach the output through non-zero coefficients."""
    first = equation.n_features + 1
    reached = {s for s, c in equation.output if c != 0}
    for i in reversed(range(len(equation.units))):
        if first + i in reached:
            reached |= {s for form in equation.units[i].args for s, c in form if c != 0}
    return [first + i in reached for i in range(len(equation.units))]


def free_mask(equation: Equation, primitives: Mapping[str, Primitive] = PRIMITIVES) -> np.ndarray:
    """Which of ``equation.coefficients()`` are parameters.

    False for a coefficient that is one, or minus one, by choice of scale: the leading coefficient of homogeneous
    arguments, of ``log``, and of the base of ``pow`` with a constant exponent.

    Parameters
    ----------
    equation : Equation
        Canonical.
    primitives : mapping of str to Primitive
        Functions by name.

    Returns
    -------
    ndarray of bool, shape (n_coefficients,)
    """
    mask: list[bool] = []
    for unit in equation.units:
        for slot, form in enumerate(unit.args):
            gauge = gauge_position(unit, slot, primitives)
            mask += [not (i == gauge and abs(c) == 1) for i, (_, c) in enumerate(form)]
    return np.array(mask + [True] * len(equation.output), dtype=bool)


def structure_key(equation: Equation, primitives: Mapping[str, Primitive] = PRIMITIVES) -> Hashable:
    """A key that is equal for canonical equations which differ in the values of their free coefficients only.

    Parameters
    ----------
    equation : Equation
        Canonical.
    primitives : mapping of str to Primitive
        Functions by name.

    Returns
    -------
    hashable
        For sets and dictionaries; nothing else is promised of it.
    """
    graph = Graph(equation.n_features, primitives)
    output = _verbatim(graph, equation)
    n_coefficients = sum(len(form) for unit in equation.units for form in unit.args) + len(equation.output)
    return (equation.n_features, len(equation.units), n_coefficients, graph.structure(output), equation.frame)
