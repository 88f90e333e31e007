"""One law for many groups, as it is kept: a law of which the last columns are own constants, and their table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_eql.laws.law import Law
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL, digits
from sklearn_eql.symbolic.equation import Affine, Equation, Unit


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
    """

    own: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), compare=False)
    own_errors: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), compare=False)
    words: float = 0.0
    laws: tuple[Equation | None, ...] = ()

    def __post_init__(self) -> None:
        if len(self.laws) != self.own.shape[1]:
            object.__setattr__(self, "laws", (None,) * self.own.shape[1])

    @property
    def n_own(self) -> int:
        """Constants that every group has for itself."""
        return self.own.shape[1]

    def widened(self, n_own: int) -> GroupLaw:
        """The same law with columns for `n_own` constants, of which it reads its own only."""
        equation = self.equation
        more, first = n_own - self.n_own, equation.n_features

        def moved(form: Affine) -> Affine:
            return tuple((source + more if source > first else source, c) for source, c in form)

        units = tuple(Unit(unit.primitive, tuple(map(moved, unit.args))) for unit in equation.units)
        frame = equation.frame
        if frame is not None:
            frame = replace(frame, origins=(*frame.origins, *(0.0,) * more), units=(*frame.units, *(1.0,) * more))
        return replace(self, equation=Equation(first + more, units, moved(equation.output), frame))

    def description_length(self, n_rows: int) -> float:
        """As of a law, where an own constant costs the logarithm of the rows of its group."""
        n_own = sum(law is None for law in self.laws)
        n_constants = self.n_free + n_own * len(self.own)
        unbiased = self.level * n_rows / max(n_rows - n_constants, 1)
        constants = self.n_free * math.log(n_rows) + n_own * self.words + n_constants * digits(unbiased)
        constants += 2 * math.log(2) * self.bits
        return n_rows * math.log(unbiased) + constants + NATS_PER_SYMBOL * self.n_symbols
