"""Constants recognised where they stand: a scale may be written in front of a root or a product, or inside.

``2.894*sqrt(a - 0.1194*b)`` holds no constant that has a name, ``sqrt(8*pi*a/3 - b)`` holds nothing else. The canonical
form has scales outside; a law with unknown numbers is tried with each of them inside as well.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from sklearn_eql.laws.judging import Table
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.symbolic.graph import is_builtin, is_constant
from sklearn_eql.symbolic.tidy import tidy
from sklearn_eql.symbolic.written import constant_bits

_MOST = 6  # scales that are tried inside; laws have one or two


def with_scales_moved(equation: Equation, loss: float, table: Table) -> Iterator[tuple[Equation, float]]:
    """The law with constants recognised where one of its scales is further inside, canonical, and its relative loss.

    Parameters
    ----------
    equation : Equation
        Canonical, constants recognised as they are.
    loss : float
        Its relative loss, from which errors are judged.
    table : Table
    """
    known = {i: v for i, v in enumerate(equation.coefficients().tolist()) if constant_bits(abs(v)) is not None}
    if len(known) == len(equation.coefficients()):
        return
    for moved, changed, scale in islice(moved_inside(equation, table.primitives), _MOST):
        free = free_mask(moved, table.primitives)
        given = {i: v for i, v in known.items() if free[i] and i not in changed}
        given[scale] = float(moved.coefficients()[scale])
        free[list(given)] = False

        def accepts(old: float, new: float, n_fixed: int, n_given: int = len(given)) -> bool:
            return table.accepts(old, new, n_fixed - n_given)

        errors = table.errors(moved, free)
        yield tidy(moved, loss, table.refit, accepts, table.primitives, errors, table.errors, given)


def moved_inside(equation: Equation, primitives: Mapping[str, Primitive]) -> Iterator[tuple[Equation, set[int], int]]:
    """The same law with one coefficient put to its sign, and its size into a sum further inside.

    Yields
    ------
    equation : Equation
    changed : set of int
        Coefficients of the sum that took the scale in, by index.
    scale : int
        The coefficient that lost it.
    """
    forms = [arg for unit in equation.units for arg in unit.args] + [equation.output]
    starts = np.cumsum([0, *map(len, forms)]).tolist()
    uses = Counter(source for form in forms for source, _ in form)
    first_form = np.cumsum([0, *(len(unit.args) for unit in equation.units)]).tolist()

    def inside(source: int, degree: float) -> Iterator[tuple[int, float]]:
        """Sums that the scale of a unit can go into, by number, and the degree of the unit in them."""
        if source <= equation.n_features or uses[source] > 1:
            return
        number = source - equation.n_features - 1
        unit = equation.units[number]
        for slot, arg in enumerate(unit.args):
            power = _degree(unit, slot, primitives)
            if not power:
                continue
            if len(arg) > 1:
                yield first_form[number] + slot, degree * power
            elif arg:
                yield from inside(arg[0][0], degree * power)

    for f, form in enumerate(forms):
        for position, (source, c) in enumerate(form):
            for target, degree in inside(source, 1.0) if abs(c) != 1 else ():
                with np.errstate(over="ignore", under="ignore"):  # the inverse of a small exponent is a large one
                    factor = float(np.float_power(abs(c), 1 / degree))
                changed = set(range(starts[target], starts[target + 1]))
                values = equation.coefficients()
                values[list(changed)] *= factor
                values[starts[f] + position] = math.copysign(1.0, c)
                if np.isfinite(values).all() and values.all():
                    yield equation.with_coefficients(values), changed, starts[f] + position


def _degree(unit: Unit, slot: int, primitives: Mapping[str, Primitive]) -> float | None:
    if unit.primitive == "pow" and slot == 0 and is_builtin("pow", primitives) and is_constant(unit.args[1]):
        return _constant(unit.args[1])
    return primitives[unit.primitive].degree[slot]


def _constant(form: Affine) -> float:
    return sum(c for _, c in form)
