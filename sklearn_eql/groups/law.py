"""One law for many groups, as it is kept: a law of which the last columns are own constants, and their table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from sklearn_eql.laws.law import Law, equation_from_record, law_from_record, parametric_law_from_record
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL, digits
from sklearn_eql.symbolic.equation import Affine, Equation, Frame, Unit
from sklearn_eql.symbolic.frames import in_own_units


@dataclass(frozen=True)
class NamedConstants:
    """Constants of a form that a user wrote.

    Parameters
    ----------
    own : tuple of str
        Names of those that every group has for itself.
    law : ParametricLaw
        Over the features and the own constants (as placed among those of other laws), with those that are shared.
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

    @classmethod
    def of(cls, law: Law, n_groups: int) -> GroupLaw:
        """A law of which all groups share all constants."""
        nothing = np.empty((n_groups, 0))
        return cls(**{f.name: getattr(law, f.name) for f in fields(Law)}, own=nothing, own_errors=nothing)

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

        def placed(equation: Equation) -> Equation:
            """With the columns, of which those of own constants and what comes after them are moved."""

            def moved(form: Affine) -> Affine:
                return tuple((_moved(source, n, width, first, n_columns), c) for source, c in form)

            units = tuple(Unit(unit.primitive, tuple(map(moved, unit.args))) for unit in equation.units)
            frame, more = equation.frame, n_columns + equation.n_features - width
            if frame is not None:
                frame = with_more_columns(frame.of_columns(list(range(n))), more)
            return Equation(n + more, units, moved(equation.output), frame)

        named = self.named
        if named is not None:
            named = replace(named, law=replace(named.law, equation=placed(named.law.equation)))
        return replace(self, equation=placed(self.equation), named=named)

    def equation_of(self, group: int, primitives: Mapping[str, Primitive] = PRIMITIVES) -> Equation:
        """The law of one group, by its position: the canonical equation over the features."""
        names = tuple(f"c{k}" for k in range(self.n_own))
        return ParametricLaw(self.equation, names, (True,) * self.n_own).with_values(self.own[group], primitives)

    def in_own_units(self, frame: Frame | None, X: np.ndarray, groups: np.ndarray) -> GroupLaw:
        """A law that was found in a frame, as the user reads it.

        Parameters
        ----------
        X : ndarray (n_samples, n_features)
            Rows, in the frame.
        groups : ndarray (n_samples,) of int
            Their groups.
        """
        if frame is None:
            return self
        wide = with_more_columns(frame, self.n_own)
        X = X * np.array(frame.units) + np.array(frame.origins)
        columns = np.concatenate([X, self.own[groups]], axis=1)
        return replace(self, equation=in_own_units(replace(self.equation, frame=wide), columns))

    def description_length(self, n_rows: int) -> float:
        """As of a law, where an own constant costs the logarithm of the rows of its group."""
        n_own = sum(law is None for law in self.laws)
        n_constants = self.n_free + n_own * len(self.own)
        unbiased = self.level * n_rows / max(n_rows - n_constants, 1)
        constants = self.n_free * math.log(n_rows) + n_own * self.words + n_constants * digits(unbiased)
        constants += 2 * math.log(2) * self.bits
        return n_rows * math.log(unbiased) + constants + NATS_PER_SYMBOL * self.n_symbols


def group_law_from_record(record: Mapping) -> GroupLaw:
    """A law of groups from its record of plain values."""
    plain, named = law_from_record(record), record["named"]
    if named is not None:
        named = NamedConstants(tuple(named["own"]), parametric_law_from_record(named["law"]), tuple(named["values"]))
    laws = tuple(None if law is None else equation_from_record(law) for law in record["laws"])
    own, errors = (np.asarray(record[name], dtype=float) for name in ("own", "own_errors"))
    about = {"own": own, "own_errors": errors, "words": record["words"], "laws": laws, "named": named}
    return GroupLaw(**{f.name: getattr(plain, f.name) for f in fields(Law)}, **about)


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
