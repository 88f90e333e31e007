"""What a user says of a law, read and checked before the search."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from sklearn_eql.constraints.admission import FormAdmission
from sklearn_eql.constraints.behaviour import Bounded, Concave, Convex, Even, Limit, Monotone, Odd, Passes
from sklearn_eql.constraints.conditions import parts_of, points_in
from sklearn_eql.constraints.contradictions import check_consistent
from sklearn_eql.constraints.form import MaxComplexity, NotNested, Price, Uses, Without
from sklearn_eql.constraints.worst_point import WorstPoint
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.behaviour import Behaviour, Demands

_FORM = (MaxComplexity, Price, NotNested, Uses, Without)
_BEHAVIOUR = (Bounded, Monotone, Convex, Concave, Even, Odd, Limit, Passes)
_FEW_POINTS, _MORE_POINTS = 40, 200  # for each constraint, of laws in a search and of printed ones
_MOST_NUMBERS = 400_000  # in the points of one constraint: fewer points of wide tables


@dataclass(frozen=True)
class Constraints:
    """What is known of a law."""

    given: tuple[Any, ...]
    names: tuple[str, ...]  # of the features

    @classmethod
    def read(
        cls, constraints: Iterable[Any] | None, names: Sequence[str], primitives: Mapping[str, Primitive]
    ) -> Constraints | None:
        """The constraints, checked; None where there are none.

        Raises
        ------
        TypeError
            Something else than constraints.
        ValueError
            Unknown features or functions, numbers that make no sense, constraints that contradict each other.
        """
        if constraints is None:
            return None
        if isinstance(constraints, (str, Mapping)) or not isinstance(constraints, Iterable):
            raise TypeError(
                f"constraints={constraints!r}, expected a list of objects of sklearn_eql.constraints. Write "
                "constraints=[Monotone('x0')], for instance."
            )
        given = tuple(constraints)
        for constraint in given:
            _check(constraint, names, primitives)
        check_consistent(given)
        return cls(given, tuple(names)) if given else None

    @property
    def columns(self) -> dict[str, int]:
        """Where each feature stands."""
        return {name: column for column, name in enumerate(self.names)}

    @property
    def excluded(self) -> list[int]:
        """Columns that the law must not have."""
        columns = self.columns
        return sorted({columns[name] for c in self._of(Without) for name in c.features})

    @property
    def admission(self) -> FormAdmission | None:
        """The form of the law, as searches ask for it; None where any will do."""
        sources = {name: 1 + column for name, column in self.columns.items()}
        prices: dict[str, float] = {}
        for price in self._of(Price):
            for name, symbols in price.symbols:
                prices[name] = prices.get(name, 0.0) + float(symbols)
        required = frozenset(sources[name] for c in self._of(Uses) for name in c.features)
        excluded = frozenset(sources[name] for c in self._of(Without) for name in c.features)
        apart = tuple(frozenset(c.functions) for c in self._of(NotNested))
        if not (required or excluded or apart or prices):
            return None
        return FormAdmission(required, excluded, apart, tuple(sorted(prices.items())))

    def demands(self, ranges: np.ndarray, y: np.ndarray, primitives: Mapping[str, Primitive]) -> Demands | None:
        """Behaviour of the law, and its complexity, as searches ask for them; None where any will do.

        Parameters
        ----------
        ranges : ndarray (2, n_features)
            Lowest and highest value of every feature in the training rows.
        y : ndarray (n_samples,)
        """
        most = min((c.n for c in self._of(MaxComplexity)), default=None)
        asked = [(c, self._box(c, ranges)) for c in self._of(*_BEHAVIOUR)]
        if not asked and most is None:
            return None
        for constraint in self._of(Bounded):
            _check_bounds(constraint, y)
        spread = float(np.std(y)) or 1.0
        few, more = (self._behaviour(asked, n_points, spread, most) for n_points in (_FEW_POINTS, _MORE_POINTS))
        return Demands(few, more, WorstPoint(asked, self.columns, spread, primitives))

    def _behaviour(
        self, asked: Sequence[tuple[Any, np.ndarray]], n_points: int, spread: float, most: int | None
    ) -> Behaviour:
        n_points = max(8, min(n_points, _MOST_NUMBERS // max(1, 3 * len(self.names))))
        column_of = self.columns.__getitem__
        parts = [part for c, box in asked for part in parts_of(c, column_of, points_in(box, n_points), box)]
        return Behaviour(tuple(parts), spread, most)

    def _box(self, constraint: Any, ranges: np.ndarray) -> np.ndarray:
        box = ranges.astype(float).copy()
        for name, ends in constraint.on or ():
            box[:, self.columns[name]] = ends
        return box

    def _of(self, *kinds: type) -> list[Any]:
        return [c for c in self.given if isinstance(c, kinds)]


def _check_bounds(constraint: Bounded, y: np.ndarray) -> None:
    """Raise ValueError where all of the target is on the wrong side: no law obeys, and fits."""
    low = -math.inf if constraint.low is None else constraint.low
    high = math.inf if constraint.high is None else constraint.high
    if constraint.on is None and (y.max() < low or y.min() > high):
        raise ValueError(
            f"constraints: {constraint!r}, but all of y is from {y.min():g} to {y.max():g}. Give bounds that y is "
            "within, or the range of the features where they hold, on={...}."
        )


def _check(constraint: Any, names: Sequence[str], primitives: Mapping[str, Primitive]) -> None:
    """Raise for one constraint that says nothing sensible."""
    if not isinstance(constraint, (*_FORM, *_BEHAVIOUR)):
        kinds = ", ".join(kind.__name__ for kind in (*_FORM, *_BEHAVIOUR))
        raise TypeError(
            f"constraints holds {constraint!r}, expected objects of sklearn_eql.constraints: {kinds}. Write "
            "Monotone('x0'), for instance."
        )
    for name in _features_of(constraint):
        if name not in names:
            raise ValueError(
                f"constraints: {constraint!r} names {name!r}, expected a feature: {_listed(names)}. Use a name of the "
                "columns of X, or x0, x1, ... where they have none."
            )
    for name in _functions_of(constraint):
        if name not in primitives:
            raise ValueError(
                f"constraints: {constraint!r} names {name!r}, expected a function: {_listed(sorted(primitives))}."
            )
    for name, number in _numbers_of(constraint):
        if isinstance(number, bool) or not isinstance(number, Real) or math.isnan(number):
            raise ValueError(f"constraints: {constraint!r} has {name}={number!r}, expected a number. Give a real one.")
    _check_values(constraint)


def _features_of(constraint: Any) -> list[Any]:
    features = [name for name, _ in getattr(constraint, "on", None) or ()]
    if isinstance(constraint, (Uses, Without)):
        features += constraint.features
    if isinstance(constraint, Passes):
        features += [name for name, _ in constraint.point]
    if hasattr(constraint, "feature"):
        features.append(constraint.feature)
    return features


def _functions_of(constraint: Any) -> list[Any]:
    if isinstance(constraint, NotNested):
        return list(constraint.functions)
    return [name for name, _ in constraint.symbols] if isinstance(constraint, Price) else []


def _numbers_of(constraint: Any) -> list[tuple[str, Any]]:
    numbers = [(f"on[{name!r}]", end) for name, ends in getattr(constraint, "on", None) or () for end in ends]
    for name in ("low", "high", "at", "value", "n"):
        if getattr(constraint, name, None) is not None:
            numbers.append((name, getattr(constraint, name)))
    for name in ("symbols", "point"):
        numbers += [(f"{name}[{key!r}]", number) for key, number in getattr(constraint, name, ())]
    return numbers


def _check_values(constraint: Any) -> None:
    """Raise ValueError for numbers out of range, and for constraints that name nothing."""
    wrong = None
    if isinstance(constraint, MaxComplexity) and not (isinstance(constraint.n, Integral) and constraint.n >= 1):
        wrong = "expected a whole number from 1 on. A law of one variable or constant has complexity 1"
    elif isinstance(constraint, Bounded) and constraint.low is constraint.high is None:
        wrong = "expected low, high or both. Leave it out for a law without bounds"
    elif isinstance(constraint, Bounded) and constraint.low is not None and constraint.high is not None:
        if not constraint.low <= constraint.high:
            wrong = "expected low <= high. Exchange the two"
    elif isinstance(constraint, (Uses, Without)) and not constraint.features:
        wrong = "expected names of features. Leave it out where you know none"
    elif isinstance(constraint, (NotNested, Price)) and not _functions_of(constraint):
        wrong = "expected names of functions. Leave it out where you know none"
    elif isinstance(constraint, Price) and any(math.isinf(p) for _, p in constraint.symbols):
        wrong = "expected finite prices. Leave the function out of `functions` to forbid it"
    elif isinstance(constraint, Passes) and not constraint.point:
        wrong = "expected a point. Write Passes({'x0': 0}, value=1)"
    elif isinstance(constraint, Passes) and math.isinf(constraint.value):
        wrong = "expected a finite value. Use Limit for a pole"
    for name, ends in getattr(constraint, "on", None) or ():
        if len(ends) != 2 or not (math.isfinite(ends[0]) and math.isfinite(ends[1]) and ends[0] < ends[1]):
            wrong = f"expected two finite numbers, ascending, as the range of {name!r}. Write on={{{name!r}: (0, 10)}}"
    if wrong:
        raise ValueError(f"constraints: {constraint!r}, {wrong}.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:20]))
    return shown if len(names) <= 20 else f"{shown}, ... ({len(names)} in all)"
