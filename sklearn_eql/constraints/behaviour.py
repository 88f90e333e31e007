"""Constraints on the behaviour of a law.

All are checked on points of a box: that of the training rows, or the one that `on` gives for some of the features. The
points are the corners, a low-discrepancy sequence, and those of a search for the place where a law obeys least. So a
law that breaks a constraint in a small part of the box may pass; none that passes breaks it at any of these points by
more than a millionth of the spread of the target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def _frozen(box: Mapping[str, tuple[float, float]] | None) -> Any:
    return None if box is None else tuple((name, tuple(ends)) for name, ends in dict(box).items())


@dataclass(frozen=True)
class _OnABox:
    """A constraint that holds on a box."""

    on: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.on, Mapping):
            object.__setattr__(self, "on", _frozen(self.on))


@dataclass(frozen=True)
class Bounded(_OnABox):
    """``low <= y <= high``.

    Parameters
    ----------
    low, high : float or None
        In the unit of `y`; None for no bound on that side.
    on : mapping of str to (float, float), optional
        Ranges of features in place of those of the training rows.
    """

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Monotone(_OnABox):
    """The law never falls as a feature grows, or never rises.

    Parameters
    ----------
    feature : str
    increasing : bool, default=True
        False for a law that never rises.
    on : mapping of str to (float, float), optional
        As of :class:`Bounded`.
    """

    feature: str
    increasing: bool = True


@dataclass(frozen=True)
class Convex(_OnABox):
    """The law bends upwards, or not at all, as a function of one feature.

    Parameters
    ----------
    feature : str
    on : mapping of str to (float, float), optional
        As of :class:`Bounded`.
    """

    feature: str


@dataclass(frozen=True)
class Concave(_OnABox):
    """The law bends downwards, or not at all, as a function of one feature.

    Parameters
    ----------
    feature : str
    on : mapping of str to (float, float), optional
        As of :class:`Bounded`.
    """

    feature: str


@dataclass(frozen=True)
class Even(_OnABox):
    """The law is the same for ``-x`` as for ``x``, and defined for both.

    Parameters
    ----------
    feature : str
    on : mapping of str to (float, float), optional
        As of :class:`Bounded`.
    """

    feature: str


@dataclass(frozen=True)
class Odd(_OnABox):
    """The law for ``-x`` is minus the one for ``x``.

    Parameters
    ----------
    feature : str
    on : mapping of str to (float, float), optional
        As of :class:`Bounded`.
    """

    feature: str


@dataclass(frozen=True)
class Limit(_OnABox):
    """The law approaches a value as a feature approaches a place.

    Checked on a few points, each much nearer than the one before: what is left of the distance to the value has to
    shrink with each, or be nothing.

    Parameters
    ----------
    feature : str
    at : float, default=inf
        Infinite or finite; from the side where the training rows are, from both if they are on both sides.
    value : float, default=0
        May be infinite.
    on : mapping of str to (float, float), optional
        As of :class:`Bounded`.
    """

    feature: str
    at: float = math.inf
    value: float = 0.0


@dataclass(frozen=True)
class Passes(_OnABox):
    """The law has a value at a point.

    Parameters
    ----------
    point : mapping of str to float
        ``{"x": 0}``: wherever `x` is zero, whatever the other features are.
    value : float, default=0
    on : mapping of str to (float, float), optional
        As of :class:`Bounded`.
    """

    point: Any
    value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.point, Mapping):
            object.__setattr__(self, "point", tuple(self.point.items()))
