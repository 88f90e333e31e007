"""How a structure is computed, whatever the values of its free coefficients: what moves with them and what does not.

It depends on the structure only, so that all fits of one structure share it (`Structure.layout`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

Term = tuple[int, float, bool]
"""``(source, coefficient, free)``; coefficients that are not free keep their value while the rest is fitted."""


class Form(NamedTuple):
    """One argument of a unit, a linear form. Sources that nothing moves are `still`."""

    first: int  # free coefficients of still sources are theta[first:last]
    last: int
    still: Sequence[tuple[int, float]] = ()  # source, fixed coefficient
    free: Sequence[int] = ()  # still sources with a free coefficient
    moving: Sequence[tuple[int, float, int]] = ()  # source, coefficient, its place in theta or -1


class LaidUnit(NamedTuple):
    """A unit; `source` is its number in the structure."""

    source: int
    primitive: str
    args: list[Form]


STAGE_INPUT, STAGE_STILL, STAGE_MOVING = range(3)


class LayoutArrays(NamedTuple):
    """A layout as arrays, which those of other structures can be put behind.

    Unit `u` is source ``first + u``, whatever its stage; arguments are numbered in the order of `args`.
    """

    first: int
    names: list[str]  # primitive of each unit
    units: np.ndarray  # (U, 2) int: stage, and level among units of that stage
    args: np.ndarray  # (A, 2) int: unit, position; those of inputs not among them
    entries: np.ndarray  # (E, 3) int: argument, source, place in theta or -1
    values: np.ndarray  # (E,) coefficients, those that are fixed
    terms: np.ndarray  # (M,) int
    fixed: np.ndarray  # (F,) int
    fixed_values: np.ndarray  # (F,)


@dataclass
class Layout:
    """The parts of a structure, in the order of computation."""

    n_sources: int
    first_unit: int  # source
    read: list[int]  # the constant and the features that some form reads
    inputs: list[tuple[int, int, float]] = field(default_factory=list)  # logarithms: source, feature, factor
    still: list[LaidUnit] = field(default_factory=list)
    moving: list[LaidUnit] = field(default_factory=list)
    order: list[int] = field(default_factory=list)  # of theta: places in the order of ``Structure.with_coefficients``
    exponents: list[int] = field(default_factory=list)  # of theta, those that are constant exponents of powers
    moves: set[int] = field(default_factory=set)  # sources that are moving units
    terms: list[int] = field(default_factory=list)  # sources of the output with free coefficients
    fixed: list[tuple[int, float]] = field(default_factory=list)  # the others

    def in_order(self, theta: np.ndarray) -> list[float]:
        """Inner coefficients in the order of ``Structure.with_coefficients``."""
        inner = [0.0] * len(theta)
        for k, value in zip(self.order, theta.tolist(), strict=True):
            inner[k] = value
        return inner

    @cached_property
    def arrays(self) -> LayoutArrays:
        """The layout as arrays."""
        first = self.first_unit
        n_units = self.n_sources - first
        names, units = [""] * n_units, np.zeros((n_units, 2), dtype=np.int64)
        for source, _, _ in self.inputs:
            names[source - first] = "log"
        args, entries, values = [], [], []
        levels: dict[int, int] = {}
        for stage, laid in ((STAGE_STILL, self.still), (STAGE_MOVING, self.moving)):
            for unit in laid:
                below = []
                for position, form in enumerate(unit.args):
                    terms = [(s, c, -1) for s, c in form.still]
                    terms += [(s, 0.0, k) for k, s in enumerate(form.free, start=form.first)]
                    terms += form.moving
                    entries += [(len(args), s, k) for s, _, k in terms]
                    values += [c for _, c, _ in terms]
                    below += [s for s, _, _ in (form.moving if stage == STAGE_MOVING else terms)]
                    args.append((unit.source - first, position))
                levels[unit.source] = level = max((1 + levels[s] for s in below if s in levels), default=0)
                names[unit.source - first] = unit.primitive
                units[unit.source - first] = stage, level
        return LayoutArrays(
            first,
            names,
            units,
            np.array(args, dtype=np.int64).reshape(-1, 2),
            np.array(entries, dtype=np.int64).reshape(-1, 3),
            np.array(values, dtype=float),
            np.array(self.terms, dtype=np.int64),
            np.array([s for s, _ in self.fixed], dtype=np.int64),
            np.array([c for _, c in self.fixed], dtype=float),
        )


def layout_of(
    n_features: int,
    units: Sequence[tuple[str, Sequence[Sequence[Term]]]],
    depths: Sequence[int],
    output: Sequence[Term],
    exponent_flags: Sequence[bool],
) -> Layout:
    """Lay out the units of a structure, as pairs of primitive and arguments, and its output."""
    first = 1 + n_features
    forms = [arg for _, args in units for arg in args] + [output]
    found = Layout(first + len(units), first, sorted({s for form in forms for s, _, _ in form if s < first}))
    n_seen = 0
    for source, ((primitive, arguments), depth) in enumerate(zip(units, depths, strict=True), start=first):
        if depth == 0:
            feature, factor, _ = arguments[0][0]
            found.inputs.append((source, feature, factor))
            continue
        args = []
        for terms in arguments:
            form, n_seen = _form(terms, found, n_seen)
            args.append(form)
        is_moved = any(arg.free or arg.moving for arg in args)
        if is_moved:
            found.moves.add(source)
        (found.moving if is_moved else found.still).append(LaidUnit(source, primitive, args))
    found.exponents = [k for k, place in enumerate(found.order) if exponent_flags[place]]
    found.terms = [s for s, _, is_free in output if is_free]
    found.fixed = [(s, c) for s, c, is_free in output if not is_free]
    return found


def _form(terms: Sequence[Term], layout: Layout, n_seen: int) -> tuple[Form, int]:
    """An argument, and how many free coefficients there are by its end.

    Its own join `order`, those of still sources first, as one stretch.
    """
    order, moves, first = layout.order, layout.moves, len(layout.order)
    still, free, moving = [], [], []
    for source, value, is_free in terms:
        if source in moves:
            moving.append((source, value, n_seen if is_free else -1))
        elif is_free:
            free.append(source)
            order.append(n_seen)
        else:
            still.append((source, value))
        n_seen += is_free
    last = len(order)
    for i, (source, value, place) in enumerate(moving):
        if place >= 0:
            moving[i] = (source, value, len(order))
            order.append(place)
    return Form(first, last, still, free, moving), n_seen


def combined(terms: Sequence[tuple[int, float]], values: list) -> np.ndarray | None:
    """Sum of terms with fixed coefficients, (N,); None where there are none."""
    row = None
    for s, c in terms:
        term = values[s] if c == 1 else values[s] * c
        row = term if row is None else row + term
    return row
