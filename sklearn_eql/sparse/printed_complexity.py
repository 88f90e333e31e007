"""How complex a structure of a search will be once it is printed, at best: to tell early which laws are too long.

A search has ``x*z + a*x`` where ``x*(z + a)`` is printed, and 1.4998 for an exponent of 3/2. So numbers near halves
count as these, and a factor of several terms counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, rescale
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.graph import OutOfRangeError

_NEAR = 0.02  # of a half, relative


def printed_at_best(
    structure: Structure, most: int, units: tuple[np.ndarray, float] | None, primitives: Mapping[str, Primitive]
) -> int:
    """Complexity of a structure as it may be printed, or any number from `most` down where it is no more than that.

    Parameters
    ----------
    structure : Structure
    most : int
        What is asked for.
    units : tuple of ndarray (n_features,) and float, or None
        Of the features and the target of the search, in those that laws are printed in.
    """
    first = 1 + structure.n_features
    least = sum(0 < s < first for form in structure.forms() for s, _, _ in form)  # each is read as a variable
    if least > most + _repeated(structure.to_equation()):
        return least
    equation = structure.to_equation()
    found = equation_complexity(equation, primitives)
    if found <= most:
        return found
    if units is not None:
        with np.errstate(all="ignore"):
            equation = rescale(equation, *units, primitives)
    return least_complexity(equation, primitives)


def least_complexity(equation: Equation, primitives: Mapping[str, Primitive]) -> int:
    """Complexity of an equation as it may be printed, at best."""
    found = equation_complexity(equation, primitives)
    values = equation.coefficients()
    halves = np.round(2 * values) / 2
    near = (halves != 0) & (np.abs(values - halves) <= _NEAR * np.abs(halves))
    try:
        with np.errstate(all="ignore"):
            tidy = canonicalize(equation.with_coefficients(np.where(near, halves, values)), primitives)
    except OutOfRangeError:
        return found
    return min(found, equation_complexity(tidy, primitives)) - 2 * _repeated(tidy)


def _repeated(equation: Equation) -> int:
    """How many times a feature, or a function, is a factor of one more term of the sum."""
    factors: Counter[int] = Counter()
    for source, _ in equation.output:
        factors.update(_factors(equation, source))
    return sum(count - 1 for count in factors.values())


def _factors(equation: Equation, source: int) -> set[int]:
    """Features, and units, that a source is a product of."""
    place = source - 1 - equation.n_features
    if source == 0:
        return set()
    if place < 0:
        return {source}
    unit = equation.units[place]
    logarithms = {
        1 + equation.n_features + u: other for u, other in enumerate(equation.units) if other.primitive == "log"
    }
    if unit.primitive == "exp":
        inside = [s for s, _ in unit.args[0] if s in logarithms]
        return {source, *(s for log in inside for s, _ in logarithms[log].args[0])}
    if unit.primitive in ("mul", "div"):
        alone = [arg[0][0] for arg in unit.args if len(arg) == 1]
        return {source}.union(*(_factors(equation, s) for s in alone))
    if unit.primitive in ("square", "pow") and len(unit.args[0]) == 1:
        return {source} | _factors(equation, unit.args[0][0][0])
    return {source}
