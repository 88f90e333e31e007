"""How a law must behave, as conditions on its values at points, and by how much a law misses them.

Every condition is linear in the values: a bound is one on a value, monotony one on a difference, convexity one on a
second difference, parity one on the values at a point and at its mirror image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.printed_complexity import printed_at_best
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.equation import Equation, Frame

_TOLERANCE = 1e-6  # of the spread of the target
_ROUNDING = 1e-9  # of the values that a condition is made of
_NEAR_INTEGER = 0.05  # exponents of a search, which are put to integers later
_CLOSER = 0.7  # of the distance to a limit, left with each step
_GROWTH = 1.2  # by which values without limit grow with each step


@dataclass(frozen=True)
class Conditions:
    """``low <= sum of factors * f(points) <= high``, one for each of `M` sets of `S` points."""

    points: np.ndarray  # (M, S, n_features)
    factors: np.ndarray  # (S,)
    low: np.ndarray  # (M,)
    high: np.ndarray  # (M,)
    name: str  # of what the user has asked for

    def combined(self, values: np.ndarray) -> np.ndarray:
        """What is bounded, (M,), from the values of a law at all points, (M * S,)."""
        return values.reshape(self.points.shape[:2]) @ self.factors

    def misses(self, values: np.ndarray, spread: float) -> np.ndarray:
        """By how many spreads each is missed, (M,): 0 where it is met, infinite where the law is undefined."""
        total = self.combined(values)
        rounding = _ROUNDING * (np.abs(values).reshape(self.points.shape[:2]) @ np.abs(self.factors))
        off = np.maximum(self.low - total, total - self.high)
        off = np.where(off > _TOLERANCE * spread + rounding, off / spread, 0.0)
        return np.where(np.isfinite(total), off, math.inf)


@dataclass(frozen=True)
class Approach:
    """Values that come near a limit along `M` lines of `S` points, each much nearer than the one before."""

    points: np.ndarray  # (M, S, n_features)
    value: float
    name: str

    def misses(self, values: np.ndarray, spread: float) -> np.ndarray:
        """As of conditions, (M,)."""
        values = values.reshape(self.points.shape[:2])
        if math.isinf(self.value):
            rising = math.copysign(1.0, self.value) * values
            grows = (rising[:, 1:] > np.maximum(_GROWTH * rising[:, :-1], 0.0)) | (rising[:, 1:] == math.inf)
            return np.where(grows[:, -2:].all(axis=1), 0.0, math.inf)
        off = np.abs(values - self.value)
        there = off[:, -1] <= _TOLERANCE * spread
        nearer = (off[:, 1:] <= _CLOSER * off[:, :-1])[:, -2:].all(axis=1) & (off[:, -1] < off[:, 0])
        with np.errstate(invalid="ignore"):
            return np.where(there | nearer, 0.0, np.where(np.isfinite(off[:, -1]), off[:, -1] / spread, math.inf))


@dataclass(frozen=True)
class Behaviour:
    """What is asked of the values of a law, in the units of a search."""

    parts: tuple[Conditions | Approach, ...]
    spread: float  # of the target
    max_complexity: int | None = None  # of a law as it is printed
    units: tuple[np.ndarray, float] | None = None  # of features and target, in those that laws are printed in

    def in_units(self, frame: Frame | None, x_units: np.ndarray, y_unit: float) -> Behaviour:
        """The same for laws of ``frame.inside(X) / x_units`` and ``y / y_unit``."""
        units = (np.asarray(x_units), y_unit)
        if frame is not None:
            y_unit = y_unit * frame.y_unit
        moved = []
        for part in self.parts:
            inside = part.points if frame is None else frame.inside(part.points)
            points = inside / x_units
            if isinstance(part, Approach):
                moved.append(replace(part, points=points, value=part.value / y_unit))
            else:
                moved.append(replace(part, points=points, low=part.low / y_unit, high=part.high / y_unit))
        return replace(self, parts=tuple(moved), spread=self.spread / y_unit, units=units)

    @cached_property
    def points(self) -> torch.Tensor:
        """Of all parts, (K, n_features)."""
        n_features = self.parts[0].points.shape[2]
        return torch.from_numpy(np.concatenate([part.points.reshape(-1, n_features) for part in self.parts]))

    def excess(self, structure: Structure, primitives: Mapping[str, Primitive]) -> float:
        """By how many spreads of the target a law of a search misses what it misses most; 0 where it behaves.

        Powers that will be printed with whole exponents have values for negative numbers already.
        """
        most = self.max_complexity
        if most is not None and printed_at_best(structure, most, self.units, primitives) > most:
            return math.inf
        return self._excess(values_at(structure, self.points, primitives)) if self.parts else 0.0

    def excess_as_printed(self, equation: Equation, primitives: Mapping[str, Primitive]) -> float:
        """The same of a law as it is, in these units, but for its complexity."""
        if not self.parts:
            return 0.0
        with np.errstate(all="ignore"):
            return self._excess(equation.forward(self.points, primitives).numpy())

    def missed(self, equation: Equation, primitives: Mapping[str, Primitive]) -> list[tuple[str, float]]:
        """Names of what a law misses, and by how many spreads."""
        if not self.parts:
            return []
        with np.errstate(all="ignore"):
            each = self._each(equation.forward(self.points, primitives).numpy())
        return [(part.name, float(m.max())) for part, m in zip(self.parts, each, strict=True) if m.any()]

    def _excess(self, values: np.ndarray) -> float:
        return max(float(missed.max()) for missed in self._each(values))

    def _each(self, values: np.ndarray) -> list[np.ndarray]:
        found, start = [], 0
        with np.errstate(all="ignore"):
            for part in self.parts:
                end = start + part.points.shape[0] * part.points.shape[1]
                found.append(part.misses(values[start:end], self.spread))
                start = end
        return found


@dataclass(frozen=True)
class Demands:
    """What is asked of laws in the user's units, at three stages of a search."""

    of_candidates: Behaviour  # on a few points
    of_printed: Behaviour  # on more
    confirms: Callable[[Equation], bool]  # whether a law that is printed stands a search for where it does not behave


def values_at(structure: Structure, points: torch.Tensor, primitives: Mapping[str, Primitive]) -> np.ndarray:
    """Values (K,) of a law at points that need not be like the rows.

    Products of powers are ``exp(sum a_i log x_i)`` in a search. Where an exponent is near an integer they have values
    for negative numbers, too.
    """
    first = 1 + structure.n_features
    one = points.new_ones(len(points))
    sources = [one, *points.unbind(dim=1)]
    signs: dict[int, torch.Tensor] = {}  # of the arguments of logarithms of features
    for unit, depth in zip(structure.units, structure.depths, strict=True):
        here = len(sources)
        if depth == 0 and unit.primitive == "log":
            [(feature, c, _)] = unit.args[0]
            signs[here] = torch.sign(c * sources[feature])
            sources.append(torch.log((c * sources[feature]).abs()))
            continue
        args = []
        sign = one
        for form in unit.args:
            total = torch.zeros_like(one)
            for s, c, _ in form:
                if s >= first and s in signs:
                    is_negative = signs[s] < 0
                    if bool(is_negative.any()):
                        whole = round(c) if unit.primitive == "exp" and abs(c - round(c)) < _NEAR_INTEGER else None
                        other = math.nan if whole is None else (-1.0) ** whole
                        sign = sign * torch.where(is_negative, other, 1.0)
                total = total + c * sources[s]
            args.append(total)
        sources.append(primitives[unit.primitive].torch_fn(*(args or [one])) * sign)
    total = torch.zeros_like(one)
    for s, c, _ in structure.output:
        value = torch.where(signs[s] < 0, math.nan, sources[s]) if s in signs else sources[s]
        total = total + c * value
    return total.numpy()
