"""One law for many groups, as it is kept: a law of which the last columns are own constants, and their table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_eql.laws.law import Law
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL, digits
from sklearn_eql.symbolic.equation import Affine, Equation, Frame, Unit


@dataclass(frozen=True)
class NamedConstants:
    """Constants of a form that a user wrote.

    Parameters
    ----------
    own : tuple of str
        Names of those that every group has for itself.
    law : ParametricLaw
        Over the features and the own constants, with those that are shared.
    values : tuple of float
        Of the shared ones.
    """

    own: tuple[str, ...]
    law: ParametricLaw
    values: tuple[float, ...]


@dataclass(frozen=True)
class GroupLaw(Law):
    """A law over features and own constants.

    Parameters
    ----------
    own : ndarray (G, O)
        Values of the own constants, the last columns of the equation.
    own_errors : ndarray (G, O)
        Their standard errors.
    words : float
        Sum over the groups of the logarithm of their rows: what one own constant costs.
    laws : tuple of Equation or None, length O
        Of each own constant, in the number of the group, where it has one.
    named : NamedConstants or None
        Where a user wrote the form.
    """

    own: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), compare=False)
    own_errors: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), compare=False)
    words: float = 0.0
    laws: tuple[Equation | None, ...] = ()
    named: NamedConstants | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if len(self.laws) != self.own.shape[1]:
            object.__setattr__(self, "laws", (None,) * self.own.shape[1])

    @property
    def n_own(self) -> int:
        """Constants that every group has for itself."""
        return self.own.shape[1]

    @property
    def n_features(self) -> int:
        """Columns that are no constants."""
        return self.equation.n_features - self.n_own

    def placed(self, first: int, n_columns: int) -> GroupLaw:
        """The same law with `n_columns` columns of constants, of which it reads its own only, from `first` on.

        Parameters
        ----------
        first : int
            Column of its first own constant, from 0.
        n_columns : int
            Of constants, of this law and others.
        """
        n, width = self.n_features, self.equation.n_features

        def moved(form: Affine) -> Affine:
            return tuple((_moved(source, n, width, first, n_columns), c) for source, c in form)

        units = tuple(Unit(unit.primitive, tuple(map(moved, unit.args))) for unit in self.equation.units)
        frame = self.equation.frame
        if frame is not None:
            frame = with_more_columns(frame.of_columns(list(range(n))), n_columns)
        return replace(self, equation=Equation(n + n_columns, units, moved(self.equation.output), frame))

    def equation_of(self, group: int, primitives: Mapping[str, Primitive] = PRIMITIVES) -> Equation:
        """The law of one group, by its position: the canonical equation over the features."""
        names = tuple(f"c{k}" for k in range(self.n_own))
        return ParametricLaw(self.equation, names, (True,) * self.n_own).with_values(self.own[group], primitives)

    def description_length(self, n_rows: int) -> float:
        """As of a law, where an own constant costs the logarithm of the rows of its group."""
        n_own = sum(law is None for law in self.laws)
        n_constants = self.n_free + n_own * len(self.own)
        unbiased = self.level * n_rows / max(n_rows - n_constants, 1)
        constants = self.n_free * math.log(n_rows) + n_own * self.words + n_constants * digits(unbiased)
        constants += 2 * math.log(2) * self.bits
        return n_rows * math.log(unbiased) + constants + NATS_PER_SYMBOL * self.n_symbols


def _moved(source: int, n_features: int, width: int, first: int, n_columns: int) -> int:
    if source <= n_features:
        return source
    return source + first if source <= width else source - width + n_features + n_columns


def with_more_columns(frame: Frame, count: int) -> Frame:
    """A frame with further columns, which stay as they are."""
    return replace(frame, origins=(*frame.origins, *(0.0,) * count), units=(*frame.units, *(1.0,) * count))


def with_columns(equation: Equation, order: Sequence[int]) -> Equation:
    """The same equation over columns in another order."""
    number = {0: 0} | {column + 1: place + 1 for place, column in enumerate(order)}

    def moved(form: Affine) -> Affine:
        return tuple(sorted((number.get(source, source), c) for source, c in form))

    units = tuple(replace(unit, args=tuple(map(moved, unit.args))) for unit in equation.units)
    frame = None if equation.frame is None else equation.frame.of_columns(list(order))
    return Equation(equation.n_features, units, moved(equation.output), frame)
