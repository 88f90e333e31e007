"""Constraints on behaviour as conditions on values at points."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import qmc

from sklearn_eql.constraints.behaviour import Bounded, Convex, Even, Limit, Monotone, Odd, Passes
from sklearn_eql.sparse.behaviour import Approach, Conditions

_STEP = 1 / 40  # of the range of a feature, by which it is moved for slopes and curvature
_MOST_CORNERS = 32
_TO_INFINITY = 10.0 ** np.array([2, 4, 8, 16])  # of the largest value of the feature
_TO_A_PLACE = 10.0 ** -np.array([1, 2, 3, 4, 5])  # of its range

Part = Conditions | Approach


def points_in(box: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Corners of a box, and points spread over it, together about `count` of them, ``(count, n_features)``.

    Parameters
    ----------
    box : ndarray (2, n_features)
        Lowest and highest value of each feature.
    """
    wide = np.flatnonzero(box[1] > box[0])
    rng = np.random.default_rng(seed)
    n_corners = min(2 ** min(len(wide), 30), _MOST_CORNERS, max(2, count // 2))
    which = np.zeros((n_corners, box.shape[1]), dtype=int)
    if 2 ** min(len(wide), 30) == n_corners:
        which[:, wide] = (np.arange(n_corners)[:, None] >> np.arange(len(wide))) & 1
    else:
        which[:, wide] = rng.integers(0, 2, (n_corners, len(wide)))
    corners = np.take_along_axis(box, which, axis=0)
    inside = np.repeat(box[:1], max(count - n_corners, 0), axis=0)
    if len(wide) and len(inside):
        drawn = qmc.Halton(len(wide), scramble=False).random(len(inside) + 1)[1:]
        inside[:, wide] = box[0, wide] + drawn * (box[1, wide] - box[0, wide])
    return np.concatenate([corners, inside])


def parts_of(constraint: Any, column_of: Callable[[str], int], base: np.ndarray, box: np.ndarray) -> list[Part]:
    """What a constraint asks at some points ``(M, n_features)`` of its box ``(2, n_features)``."""
    name = repr(constraint)
    n = len(base)
    if isinstance(constraint, Bounded):
        low = -math.inf if constraint.low is None else constraint.low
        high = math.inf if constraint.high is None else constraint.high
        return [Conditions(base[:, None], np.ones(1), np.full(n, low), np.full(n, high), name)]
    if isinstance(constraint, Passes):
        fixed = base.copy()
        for feature, place in constraint.point:
            fixed[:, column_of(feature)] = place
        fixed = np.unique(fixed, axis=0)
        value = np.full(len(fixed), float(constraint.value))
        return [Conditions(fixed[:, None], np.ones(1), value, value, name)]
    column = column_of(constraint.feature)
    if isinstance(constraint, (Even, Odd)):
        mirrored = base.copy()
        mirrored[:, column] *= -1
        factors = np.array([1.0, -1.0 if isinstance(constraint, Even) else 1.0])
        return [Conditions(np.stack([base, mirrored], axis=1), factors, np.zeros(n), np.zeros(n), name)]
    if isinstance(constraint, Limit):
        return _approaches(constraint, column, base, box, name)
    step = _STEP * (box[1, column] - box[0, column])
    middle = np.clip(base[:, column], box[0, column] + step, box[1, column] - step)
    points = np.repeat(base[:, None], 3, axis=1)
    points[:, :, column] = middle[:, None] + step * np.array([-1.0, 0.0, 1.0])
    if isinstance(constraint, Monotone):
        sign = 1.0 if constraint.increasing else -1.0
        # Both halves: a maximum between the two ends would hide.
        pairs = np.concatenate([points[:, :2], points[:, 1:]])
        return [Conditions(pairs, sign * np.array([-1.0, 1.0]), np.zeros(2 * n), np.full(2 * n, math.inf), name)]
    sign = 1.0 if isinstance(constraint, Convex) else -1.0
    return [Conditions(points, sign * np.array([1.0, -2.0, 1.0]), np.zeros(n), np.full(n, math.inf), name)]


def _approaches(constraint: Limit, column: int, base: np.ndarray, box: np.ndarray, name: str) -> list[Part]:
    low, high = box[:, column]
    if math.isinf(constraint.at):
        size = max(abs(low), abs(high)) or 1.0
        lines = [math.copysign(size, constraint.at) * _TO_INFINITY]
    else:
        width = (high - low) or 1.0
        sides = [sign for sign, there in ((1.0, high > constraint.at), (-1.0, low < constraint.at)) if there]
        lines = [constraint.at + sign * width * _TO_A_PLACE for sign in sides or [1.0]]
    found: list[Part] = []
    for line in lines:
        points = np.repeat(base[:, None], len(line), axis=1)
        points[:, :, column] = line
        found.append(Approach(points, float(constraint.value), name))
    return found
