"""Constraints that no law obeys together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from sklearn_eql.constraints.behaviour import Bounded, Even, Limit, Monotone, Odd, Passes
from sklearn_eql.constraints.form import MaxComplexity, Uses, Without


def check_consistent(constraints: Sequence[Any]) -> None:
    """Raise ValueError where two constraints contradict each other, or leave nothing but a law that ignores a feature.

    Constraints on different boxes are taken to be about different places.
    """
    for first, second in combinations(constraints, 2):
        if why := _conflict(first, second) or _conflict(second, first):
            raise ValueError(f"constraints: {first!r} and {second!r} contradict each other: {why}.")
    required = {name for c in constraints if isinstance(c, Uses) for name in c.features}
    for constraint in constraints:
        if isinstance(constraint, MaxComplexity) and 2 * len(required) - 1 > constraint.n:
            raise ValueError(
                f"constraints: {constraint!r} and {len(required)} features in Uses contradict each other: a law of "
                f"{len(required)} features has complexity {2 * len(required) - 1} at least. Allow more, or ask for "
                "fewer features."
            )


def _conflict(first: Any, second: Any) -> str | None:
    """Why the two cannot be obeyed together, with a cure; None where they can, or in the other order."""
    if isinstance(first, Uses) and isinstance(second, Without):
        if both := [name for name in first.features if name in second.features]:
            return f"{both[0]!r} must occur and must not. Leave it out of one"
        return None
    if getattr(first, "on", None) != getattr(second, "on", None):
        return None
    if isinstance(first, Bounded) and isinstance(second, Bounded):
        lows, highs = zip(_ends(first), _ends(second), strict=True)
        return "no value is within both. Give one pair of bounds" if max(lows) > min(highs) else None
    if isinstance(first, Passes) and isinstance(second, Bounded):
        low, high = _ends(second)
        return None if low <= first.value <= high else f"{first.value!r} is out of bounds. Widen them"
    if isinstance(first, Passes) and isinstance(second, Passes):
        same = dict(first.point) == dict(second.point) and first.value != second.value
        return "one point has one value. Leave one out" if same else None
    if getattr(first, "feature", 0) != getattr(second, "feature", 1):
        return None
    name = first.feature
    if isinstance(first, Monotone) and isinstance(second, Monotone) and first.increasing != second.increasing:
        return f"a law that neither rises nor falls with {name!r} does not have it. Leave out one, or use Without"
    if isinstance(first, Even) and isinstance(second, Odd):
        return f"a law that is even and odd in {name!r} is zero. Leave out one"
    if isinstance(first, Limit) and isinstance(second, Limit) and first.at == second.at:
        return "a law has one limit at one place. Leave out one" if first.value != second.value else None
    return None


def _ends(constraint: Bounded) -> tuple[float, float]:
    low = -math.inf if constraint.low is None else constraint.low
    return low, math.inf if constraint.high is None else constraint.high
