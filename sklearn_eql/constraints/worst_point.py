"""The last check of a printed law: a search for the place where it obeys least."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_eql.constraints.conditions import parts_of, points_in
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.behaviour import Approach, Behaviour, Conditions
from sklearn_eql.symbolic.equation import Equation

_FIRST, _AROUND, _ROUNDS, _WORST = 256, 32, 3, 4  # points, points around each of the worst, rounds, how many are worst
_SHRINK = 0.2  # of the range, with each round


@dataclass(frozen=True)
class WorstPoint:
    """Whether a law in the user's units obeys constraints, wherever a search for a place where it does not looks."""

    asked: Sequence[tuple[Any, np.ndarray]]  # constraints, each with its box (2, n_features)
    columns: Mapping[str, int]
    spread: float  # of the target
    primitives: Mapping[str, Primitive]

    def __call__(self, equation: Equation) -> bool:
        """Whether the law obeys."""
        return all(self._obeys(equation, constraint, box) for constraint, box in self.asked)

    def _obeys(self, equation: Equation, constraint: Any, box: np.ndarray) -> bool:
        column_of: Callable[[str], int] = self.columns.__getitem__
        base, width = points_in(box, _FIRST), box[1] - box[0]
        for number in range(_ROUNDS):
            parts = parts_of(constraint, column_of, base, box)
            if Behaviour(tuple(parts), self.spread).excess_as_printed(equation, self.primitives) > 0:
                return False
            first = parts[0]
            if isinstance(first, Approach) or any(isinstance(part, Approach) for part in parts):
                return True
            if len(first.points) < len(base):
                return True
            width = width * _SHRINK
            slack = self._slack(equation, first)
            places = base[np.argsort(slack.reshape(-1, len(base)).min(axis=0), kind="stable")[:_WORST]]
            around = [
                points_in(np.stack([np.maximum(p - width, box[0]), np.minimum(p + width, box[1])]), _AROUND, number)
                for p in places
            ]
            base = np.concatenate(around)
        return True

    def _slack(self, equation: Equation, part: Conditions) -> np.ndarray:
        """How far each condition is from being missed, (M,)."""
        points = part.points.reshape(-1, part.points.shape[2])
        with np.errstate(all="ignore"):
            total = part.combined(equation.evaluate(points, self.primitives))
            return np.minimum(total - part.low, part.high - total)
