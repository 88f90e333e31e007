"""Constants under which a law with named constants behaves as it must, in every group.

As :mod:`sklearn_eql.sparse.bending`, which does it for one table: least squares with a penalty on the conditions that
the law misses, raised in rounds, each of Levenberg-Marquardt on rows and on missed conditions together. A condition is
asked of every group, with its own constants, so the normal matrix stays an arrow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sklearn_eql.parametric.fit import Arrow, Linearised, ParametricFit, linearise
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.behaviour import Behaviour, Conditions
from sklearn_eql.symbolic.constants import recognise

_PENALTIES = (1e2, 1e5, 1e8)  # of a squared miss, in units of that of a row
_STEPS = 12  # in each round
_MARGIN = 3e-5  # of the spread of the target
_DAMPING, _RAISE, _LOWER, _LARGEST = 1e-4, 8.0, 10.0, 1e6
_SMALL_FALL = 1e-7  # relative fall of the objective that ends a round
_MOST_ROWS = 200_000  # of conditions, in all groups: of more, a sample


def excess_of_groups(
    law: ParametricLaw,
    fit: ParametricFit,
    behaviour: Behaviour,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
) -> float:
    """By how many spreads of the target the law of some group misses what it misses most; 0 where all behave."""
    if not behaviour.parts:
        return 0.0
    values = fit.values(law, np.arange(len(fit.own)))
    return max(behaviour.excess_as_printed(law.with_values(own, primitives), primitives) for own in values)


def bent_groups(
    law: ParametricLaw,
    rows: GroupedRows,
    fit: ParametricFit,
    behaviour: Behaviour,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    deadline: float = math.inf,
) -> ParametricFit | None:
    """Constants near those of a fit under which the law behaves in every group; None where none are found.

    Parameters
    ----------
    law : ParametricLaw
    rows : GroupedRows
    fit : ParametricFit
    behaviour : Behaviour
        In the units of the rows.
    deadline : float
        Value of ``time.time()`` after which no further step is taken.
    """
    state = _Bending(law, rows, behaviour, primitives, deadline)
    if not law.names or not state.parts:
        return None
    shared, own = fit.shared, fit.own
    with np.errstate(all="ignore"):
        for penalty in _PENALTIES:
            found = state.fitted(shared, own, penalty)
            if found is None:
                return None
            shared, own = found
        left = linearise(law, rows, shared, own, primitives).left
        bent = ParametricFit(shared, own, rows.total(left**2), fit.n_steps)
        if not math.isfinite(bent.squared_error) or excess_of_groups(law, bent, behaviour, primitives) > 0:
            return None
    return bent


def bent_constants(
    law: ParametricLaw,
    values: np.ndarray,
    rows: GroupedRows,
    behaviour: Behaviour | None,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    deadline: float = math.inf,
) -> np.ndarray | None:
    """Constants ``(n_constants,)`` under which a law of one table behaves: as they are if it does; None without any.

    Recognised constants stay what they are if they can.

    Parameters
    ----------
    rows : GroupedRows
        One group.
    behaviour : Behaviour or None
        In the units of the rows.
    """
    if behaviour is None or not behaviour.parts:
        return values
    known = {k: v for k, v in enumerate(values.tolist()) if recognise(v) is not None}
    for held in (known, {}) if known else ({},):
        rest = [k for k in range(len(values)) if k not in held]
        named = law.holding(held)
        fit = ParametricFit(values[rest], np.empty((1, 0)), np.zeros(1), 0)
        if excess_of_groups(named, fit, behaviour, primitives) == 0:
            return values
        found = bent_groups(named, rows, fit, behaviour, primitives, deadline=deadline)
        if found is not None:
            moved = values.copy()
            moved[rest] = found.shared
            return moved
    return None


@dataclass
class _Bending:
    """A law on its way to constants under which it behaves."""

    law: ParametricLaw
    rows: GroupedRows
    behaviour: Behaviour
    primitives: Mapping[str, Primitive]
    deadline: float

    def __post_init__(self) -> None:
        self.parts = [part for part in self.behaviour.parts if isinstance(part, Conditions)]
        self._unit = 1 / math.sqrt(float(np.average(self.rows.y**2, weights=self.rows.weight)) or 1.0)
        self._margin = _MARGIN * self.behaviour.spread
        if not self.parts:
            return
        n_groups, n_features = self.rows.n_groups, self.rows.X.shape[1]
        sets = sum(len(part.points) for part in self.parts)
        step = max(1, math.ceil(n_groups * sets / _MOST_ROWS))
        self._sets = [np.arange(0, len(part.points), step) for part in self.parts]
        points = [p.points[s].reshape(-1, n_features) for p, s in zip(self.parts, self._sets, strict=True)]
        every = np.tile(np.concatenate(points), (n_groups, 1))
        groups = np.repeat(np.arange(n_groups), len(every) // n_groups)
        self._points = GroupedRows.of(every, np.zeros(len(every)), None, groups)
        of_rows = [self.rows.groups, np.repeat(np.arange(n_groups), sum(map(len, self._sets)))]
        self._order = np.argsort(np.concatenate(of_rows), kind="stable")
        both = np.concatenate(of_rows)[self._order]
        empty = np.empty((len(both), 0))
        self._both = GroupedRows(empty, np.zeros(len(both)), np.ones(len(both)), both, self._order)

    def fitted(self, shared: np.ndarray, own: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Some steps under a penalty; None where the law is not defined wherever it has to be."""
        at = self._linearised(shared, own, penalty)
        now = float(at.left @ at.left)
        if not math.isfinite(now):
            return None
        damping = _DAMPING
        for _ in range(_STEPS):
            arrow = Arrow.of(at, self._both)
            of_shared, of_own = arrow.diagonals()
            while damping < _LARGEST and time.time() <= self.deadline:
                by_shared, by_own = arrow.solve(damping * of_shared, damping * of_own)
                tried = self._linearised(shared + by_shared, own + by_own, penalty)
                new = float(tried.left @ tried.left)
                if new < now:
                    break
                damping *= _RAISE
            else:
                break
            fall = (now - new) / now
            shared, own, at, now = shared + by_shared, own + by_own, tried, new
            damping /= _LOWER
            if fall < _SMALL_FALL:
                break
        return shared, own

    def _linearised(self, shared: np.ndarray, own: np.ndarray, penalty: float) -> Linearised:
        """Rows, of weight one in all, and conditions that are missed, those of one group together."""
        root = self._unit / math.sqrt(len(self.rows.y))
        at = linearise(self.law, self.rows, shared, own, self.primitives)
        there = linearise(self.law, self._points, shared, own, self.primitives)
        n_groups = self.rows.n_groups
        n_points = len(self._points.y) // n_groups
        at_points = (-there.left, there.by_shared, there.by_own)
        values, by_shared, by_own = (a.reshape(n_groups, n_points, *a.shape[1:]) for a in at_points)
        lefts, shareds, owns = [], [], []
        start = 0
        for part, sets in zip(self.parts, self._sets, strict=True):
            size = part.points.shape[1]
            end = start + len(sets) * size
            total, of_shared, of_own = (
                np.einsum("gms...,s->gm...", a[:, start:end].reshape(n_groups, len(sets), size, *a.shape[2:]), factors)
                for a, factors in ((values, part.factors), (by_shared, part.factors), (by_own, part.factors))
            )
            low, high = part.low[sets], part.high[sets]
            is_equal = high - low <= 2 * self._margin
            low, high = np.where(is_equal, low, low + self._margin), np.where(is_equal, high, high - self._margin)
            missed = np.where(total < low, low - total, np.where(total > high, high - total, 0.0 * total))
            active = (missed != 0) * math.sqrt(penalty / (len(sets) * n_groups)) * self._unit
            lefts.append(missed * active)
            shareds.append(of_shared * active[:, :, None])
            owns.append(of_own * active[:, :, None])
            start = end
        stacked = []
        for of_rows, of_conditions in ((at.left, lefts), (at.by_shared, shareds), (at.by_own, owns)):
            asked = np.concatenate(of_conditions, axis=1)
            flat = asked.reshape(asked.shape[0] * asked.shape[1], *asked.shape[2:])
            stacked.append(np.concatenate([of_rows * root, flat])[self._order])
        return Linearised(*stacked)
