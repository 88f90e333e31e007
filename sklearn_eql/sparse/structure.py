"""The structure of a sparse EQL network: which units there are, what each reads, which coefficients are to be fitted.

A dense network (:mod:`sklearn_eql.networks.batched_eql`) holds every possible connection; what is left of it after
pruning is a :class:`Structure`. Sources are numbered as in :class:`sklearn_eql.symbolic.equation.Equation`: 0 is the
constant 1, then the features, then the units in order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sklearn_eql.primitives import ALGEBRAIC, Primitive
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL
from sklearn_eql.sparse.layout import Layout, Term, layout_of
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.equation import Equation, Unit

_KNOWN = 0.65  # of a symbol, that an offset does not cost
_FAMILIAR = 10  # columns of a table: the choice of one of so many is in the price of a symbol
_SELDOM = frozenset({"arcsin", "arctan"})  # laws have them in one of fifty, a sine or an exponential in one of five
_NESTING = 3  # symbols that one level of nested transcendental functions counts for


class SparseUnit(NamedTuple):
    """``primitive(sum of terms, ...)``."""

    primitive: str
    args: tuple[tuple[Term, ...], ...]


@dataclass(frozen=True)
class Structure:
    """A sparse network: units in topological order and the terms of the linear output."""

    n_features: int
    units: tuple[SparseUnit, ...]
    output: tuple[Term, ...]

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Layer of each unit: 1 for units that read features only, 0 for the logarithm of a feature.

        A power law ``x**a * z**b`` is ``exp(a*log(x) + b*log(z))``: one layer on inputs given twice, as they are and
        as their logarithms.
        """
        depths: list[int] = []
        first = 1 + self.n_features
        for unit in self.units:
            below = [depths[s - first] for arg in unit.args for s, _, _ in arg if s >= first]
            is_input = unit.primitive == "log" and not below and len(unit.args[0]) == 1 and not unit.args[0][0][2]
            depths.append(0 if is_input else 1 + max(below, default=0))
        return tuple(depths)

    @cached_property
    def key(self) -> tuple:
        """Hashable identity of the structure without the values of its free coefficients."""
        units = [(name, tuple([_identity(arg) for arg in args])) for name, args in self.units]
        return tuple(units), _identity(self.output)

    @cached_property
    def size(self) -> int:
        """Number of terms plus number of units: how much there is to read."""
        return sum([len(arg) for _, args in self.units for arg in args]) + len(self.units) + len(self.output)

    @cached_property
    def n_symbols(self) -> float:
        """`size`, and a surcharge for every transcendental unit inside another: ``cos(sin(x))`` is no law of nature.

        The offset of a law costs little: zero is where somebody has put it. Functions that laws seldom have cost a
        symbol more, as a code for symbols would have it (the prior of Guimera et al., 2020, is made of such counts).

        Algebraic functions may be nested at no extra cost. In a wide table there is a surcharge for every column, too:
        of a thousand columns of noise some explain a part of anything. It is twice the logarithm of how many there are
        to choose from (the extended information criterion of Chen and Chen, 2008).
        """
        first = 1 + self.n_features
        columns = {s for form in self.forms() for s, _, _ in form if 0 < s < first}
        choice = 2 * math.log(max(self.n_features / _FAMILIAR, 1)) / NATS_PER_SYMBOL
        nested = 0
        holds: list[bool] = []  # per unit: is there a transcendental unit in it?
        for unit, depth in zip(self.units, self.depths, strict=True):
            below = any(holds[s - first] for arg in unit.args for s, _, _ in arg if s >= first)
            transcendental = unit.primitive not in ALGEBRAIC and depth > 0
            nested += below and transcendental
            holds.append(below or transcendental)
        offset = _KNOWN * sum(source == 0 for source, _, _ in self.output)
        seldom = sum(unit.primitive in _SELDOM for unit in self.units)
        return self.size + _NESTING * nested + seldom + choice * len(columns) - offset

    @cached_property
    def n_free(self) -> int:
        """Number of free coefficients."""
        return sum([free for form in self.forms() for _, _, free in form])

    @property
    def largest_exponent(self) -> float:
        """Magnitude of the largest constant exponent of a power, 0 if there is none."""
        return max((abs(self.units[u].args[a][i][1]) for u, a, i in self._exponents), default=0.0)

    @cached_property
    def exponent_flags(self) -> tuple[bool, ...]:
        """Which of the free coefficients of the units are constant exponents of powers, in their order."""
        exponents = self._exponents
        if not exponents:
            return (False,) * sum([free for unit in self.units for arg in unit.args for _, _, free in arg])
        return tuple(
            (u, a, i) in exponents
            for u, unit in enumerate(self.units)
            for a, arg in enumerate(unit.args)
            for i, (_, _, free) in enumerate(arg)
            if free
        )

    @cached_property
    def _exponents(self) -> frozenset[tuple[int, int, int]]:
        """Unit, argument and position of constant exponents of powers: free ones and fixed ones."""
        first = 1 + self.n_features
        found = []
        for u, unit in enumerate(self.units):
            if unit.primitive == "exp":  # of the logarithm of a feature
                places = (i for i, (s, _, _) in enumerate(unit.args[0]) if s >= first and self.depths[s - first] == 0)
                found += [(u, 0, i) for i in places]
            elif unit.primitive == "pow" and len(unit.args[1]) == 1 and unit.args[1][0][0] == 0:
                found.append((u, 1, 0))
        return frozenset(found)

    @cached_property
    def _units_with_free(self) -> list[int]:
        return [u for u, unit in enumerate(self.units) if any(free for arg in unit.args for _, _, free in arg)]

    @cached_property
    def layout(self) -> Layout:
        """How it is computed."""
        return layout_of(self.n_features, self.units, self.depths, self.output, self.exponent_flags)

    def __getstate__(self) -> dict:
        """Without what is computed from it."""
        return {name: vars(self)[name] for name in ("n_features", "units", "output")}

    def forms(self) -> list[tuple[Term, ...]]:
        """Every linear form: arguments of the units in order, then the output."""
        return [arg for u in self.units for arg in u.args] + [self.output]

    def to_equation(self) -> Equation:
        """The equation of the current coefficients."""

        def strip(form: tuple[Term, ...]) -> tuple[tuple[int, float], ...]:
            return tuple((s, float(c)) for s, c, _ in form)

        return Equation(
            self.n_features, tuple(Unit(u.primitive, tuple(map(strip, u.args))) for u in self.units), strip(self.output)
        )

    @classmethod
    def from_equation(cls, equation: Equation, free: np.ndarray) -> Structure:
        """A structure of which the coefficients marked in `free` (order of ``coefficients()``) are to be fitted."""
        stream = iter(np.asarray(free, dtype=bool).tolist())

        def mark(form: tuple[tuple[int, float], ...]) -> tuple[Term, ...]:
            return tuple((s, c, next(stream)) for s, c in form)

        units = tuple(SparseUnit(u.primitive, tuple(mark(a) for a in u.args)) for u in equation.units)
        return cls(equation.n_features, units, mark(equation.output))

    def with_coefficients(self, inner: Sequence[float], output: Sequence[float]) -> Structure:
        """The same structure with the free coefficients replaced, those of the units and those of the output.

        What was computed of the structure is taken over: no cached property depends on them.
        """
        inner, output = iter(inner), iter(output)
        units = list(self.units)
        for u in self._units_with_free:
            units[u] = SparseUnit(units[u].primitive, tuple([_refilled(arg, inner) for arg in units[u].args]))
        same = object.__new__(Structure)
        vars(same).update(vars(self), units=tuple(units), output=_refilled(self.output, output))
        return same


def fixed_in_print(law: Equation, primitives: Mapping[str, Primitive]) -> np.ndarray:
    """Which coefficients of a law say no more than its form does: exponents, and ones that are not written; bool."""
    free = free_mask(law, primitives)
    flags = np.array(Structure.from_equation(law, free).exponent_flags, dtype=bool)
    free[np.flatnonzero(free)[: len(flags)][flags]] = False
    return ~free | (np.abs(law.coefficients()) == 1)


def _identity(form: tuple[Term, ...]) -> tuple[tuple[int, float | None], ...]:
    """A form without the values of its free coefficients."""
    return tuple([(s, None if free else c) for s, c, free in form])


def _refilled(form: tuple[Term, ...], values: Iterator[float]) -> tuple[Term, ...]:
    return tuple([(term[0], float(next(values)), True) if term[2] else term for term in form])
