"""Laws that a law is near to: high powers are exponentials.

``(a + g)**n`` is ``a**n * exp(n*g/a)`` where `g` is small beside `a`. A search that comes upon ``(25 - exp(-x))**110``
is near to ``exp(-exp(-x))``, which has a constant less.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.symbolic.graph import is_constant

_HIGH = 6.0  # exponents from here on may stand for an exponential
_LARGEST = 600.0  # of the logarithm of a factor


def with_exponentials(equation: Equation, primitives: Mapping[str, Primitive]) -> Iterator[Equation]:
    """The equation with an exponential in place of one of its high powers, for each; canonical."""
    first = 1 + equation.n_features
    for place, unit in enumerate(equation.units):
        found = _high_power(equation, unit)
        if found is None:
            continue
        base, exponent = found
        constant = dict(base).get(0, 0.0)
        rest = tuple((s, c * exponent / constant) for s, c in base if s) if constant else ()
        if not rest or abs(exponent * math.log(abs(constant))) > _LARGEST:
            continue
        if constant < 0 and not float(exponent).is_integer():
            continue
        factor = constant**exponent
        units = list(equation.units)
        units[place] = Unit("exp", (rest,))
        source = first + place
        scaled = [replace(u, args=tuple(_scaled(arg, source, factor) for arg in u.args)) for u in units]
        output = _scaled(equation.output, source, factor)
        yield canonicalize(replace(equation, units=tuple(scaled), output=output), primitives)


def _high_power(equation: Equation, unit: Unit) -> tuple[Affine, float] | None:
    """Base and exponent of a high power, which a search may have as the exponential of a logarithm."""
    first = 1 + equation.n_features
    if unit.primitive == "pow" and is_constant(unit.args[1]):
        exponent = sum(c for _, c in unit.args[1])
        return (unit.args[0], exponent) if abs(exponent) >= _HIGH else None
    if unit.primitive == "exp" and len(unit.args[0]) == 1:
        [(source, exponent)] = unit.args[0]
        inner = equation.units[source - first] if source >= first else None
        if inner is not None and inner.primitive == "log" and abs(exponent) >= _HIGH:
            return inner.args[0], exponent
    return None


def _scaled(form: Affine, source: int, factor: float) -> Affine:
    return tuple((s, c * factor if s == source else c) for s, c in form)
