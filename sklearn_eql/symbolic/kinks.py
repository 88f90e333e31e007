"""Kinks in other words: ``min``, ``max`` and ``abs`` are one function in three ways, of which the shortest is printed.

``a + b - min(a, b)`` is ``max(a, b)``, ``max(a, b) - min(a, b)`` is ``abs(a - b)``, ``max(0, x - 2) + 2`` is
``max(2, x)``, and so is ``x - min(0, x - 2)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.symbolic.graph import is_builtin

_OTHER = {"min": "max", "max": "min"}
_MOST = 4  # kinks of a law that are rewritten, one at a time


def with_kinks_rewritten(equation: Equation, primitives: Mapping[str, Primitive]) -> list[Equation]:
    """The same law, canonical, with one of its kinks in other words; empty for a law without kinks."""
    kinks = [i for i, unit in enumerate(equation.units) if unit.primitive in ("min", "max", "abs")]
    if not all(is_builtin(name, primitives) for name in ("min", "max", "abs", "id")):
        return []
    return [
        canonicalize(_replaced(equation, i, unit, rest, factor), primitives)
        for i in kinks[:_MOST]
        for unit, rest, factor in _rewritten(equation, i)
    ]


def _rewritten(equation: Equation, position: int) -> Iterator[tuple[Unit, Affine, float]]:
    """Units and forms: ``factor * unit + form`` is the unit at `position`."""
    name, args = equation.units[position].primitive, equation.units[position].args
    if name == "abs":
        yield Unit("max", (args[0], ())), _sum(args[0], (), -1.0), 2.0
        return
    a, b = args
    yield Unit(_OTHER[name], (a, b)), _sum(a, b), -1.0
    half = 0.5 if name == "max" else -0.5
    yield Unit("abs", (_sum(a, _sum(b, (), -1.0)),)), _sum(_sum(a, b), (), 0.5), half
    source = equation.n_features + 1 + position
    for form in equation.forms():
        c = dict(form).get(source)
        if not c:
            continue
        beside = tuple((s, other / c) for s, other in form if s < source)
        for shift in dict.fromkeys((tuple(term for term in beside if term[0] == 0), beside)):  # it goes inside
            if shift and c > 0:
                yield Unit(name, (_sum(a, shift), _sum(b, shift))), _sum(shift, (), -1.0), 1.0
            elif shift:  # x - min(0, x - 2) is max(x, 2)
                yield Unit(_OTHER[name], (_sum(a, shift, -1.0), _sum(b, shift, -1.0))), _sum(shift, (), -1.0), -1.0


def _sum(a: Affine, b: Affine, factor: float = 1.0) -> Affine:
    """``factor * (a + b)``."""
    terms = dict(a)
    for source, c in b:
        terms[source] = terms.get(source, 0.0) + c
    return tuple((source, factor * c) for source, c in sorted(terms.items()) if c)


def _replaced(equation: Equation, position: int, unit: Unit, rest: Affine, factor: float) -> Equation:
    """The law with ``factor * unit + rest`` in the place of one of its units."""
    new = equation.n_features + 1 + position

    def renumbered(form: Affine) -> Affine:
        return tuple((source + (source >= new), c) for source, c in form)

    units = [
        *equation.units[:position],
        unit,
        Unit("id", (tuple(sorted((*rest, (new, factor)))),)),
        *(Unit(u.primitive, tuple(map(renumbered, u.args))) for u in equation.units[position + 1 :]),
    ]
    return replace(equation, units=tuple(units), output=renumbered(equation.output))
