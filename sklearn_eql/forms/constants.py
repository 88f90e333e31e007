"""Constants of a known form, from no starting values: many starts, one constant after the other, and refinement."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np

from sklearn_eql.forms.form import Form
from sklearn_eql.forms.starts import grid, linearised_quotients, spread_starts
from sklearn_eql.parametric.fit import fit_constants, linearise
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES, Primitive

_N_STARTS = (200, 600, 1500)  # with one constant inside functions, two, and more
_N_FITTED = 60  # starts of least error that take some steps
_FEW_STEPS, _MANY_STEPS, _POLISH_STEPS = 30, 200, 30
_N_KEPT = 6  # optima that take many steps, and of which constants are moved one by one
_N_VALUES = 100  # of one constant, for each sign
_N_CYCLES = 3
_ROWS_AT_ONCE = 100_000  # rows times starts
_SAMPLE_ROWS = 300  # on which starts are judged
_SAME = 1e-6  # relative difference of the errors of one optimum


def best_constants(
    form: Form,
    law: ParametricLaw,
    rows: GroupedRows,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    seed: int = 0,
    floor: float = 0.0,
    deadline: float = math.inf,
) -> tuple[np.ndarray, float]:
    """Constants of least squares ``(n_constants,)`` and the weighted squared error, infinite where no start is finite.

    Parameters
    ----------
    form : Form
        What the law is: for the magnitudes of its constants.
    law : ParametricLaw
        Of the form, without unknown functions.
    rows : GroupedRows
        One group.
    primitives : mapping of str to Primitive
    seed : int
    floor : float
        Squared error of all rows below which no further start is tried.
    deadline : float
        Value of ``time.time()`` after which no further start is tried and no further step taken.
    """
    if not law.names:
        return np.empty(0), fit_constants(law, rows, np.empty(0), np.empty((1, 0)), primitives).squared_error
    rng = np.random.default_rng(seed)
    few = _sample(rows, rng)
    search = _Search(form, law, few, primitives, floor * len(few.y) / len(rows.y), deadline)
    values = search.best(rng)
    return polished(law, rows, values, primitives, deadline=deadline)


def _sample(rows: GroupedRows, rng: np.random.Generator) -> GroupedRows:
    counted = np.flatnonzero(rows.weight)
    if len(counted) > _SAMPLE_ROWS:
        counted = np.sort(rng.choice(counted, _SAMPLE_ROWS, replace=False))
    return GroupedRows.of(rows.X[counted], rows.y[counted], rows.weight[counted])


class _Search:
    """The search for the best start, on few rows."""

    def __init__(self, form, law, rows: GroupedRows, primitives, floor: float, deadline: float) -> None:
        self.form, self.law, self.rows, self.primitives = form, law, rows, primitives
        self.floor, self.deadline = floor, deadline
        self.alone = law.sharing((True,) * len(law.names))
        self.inner = np.flatnonzero(~np.array(law.linear, dtype=bool))

    def best(self, rng: np.random.Generator) -> np.ndarray:
        if not len(self.inner):
            return self.fitted(np.zeros((1, len(self.law.names))), 1)[0][0]
        X, y = self.rows.X, self.rows.y
        starts = spread_starts(
            self.form, self.law, X, y, _N_STARTS[min(len(self.inner), len(_N_STARTS)) - 1], self.primitives, rng
        )
        given = [*linearised_quotients(self.form, X, y, self.rows.weight, self.primitives)]
        values, losses = self.fitted(np.array([*given, *starts]), 0)
        first = np.argsort(losses, kind="stable")[:_N_FITTED].tolist()
        chosen = [*range(len(given)), *(i for i in first if i >= len(given))]
        values, losses = self.fitted(values[chosen], _FEW_STEPS)
        values, losses = self.distinct(values, losses)
        values, losses = self.fitted(values, _MANY_STEPS)
        values, losses = self.distinct(values, losses)
        for _ in range(_N_CYCLES):
            if losses[0] <= self.floor or time.time() > self.deadline or len(self.inner) < 2:
                break
            before = losses[0]
            moved = np.concatenate([values, *(self.moved(v) for v in values)])
            values, losses = self.distinct(*self.fitted(moved, _FEW_STEPS))
            values, losses = self.distinct(*self.fitted(values, _MANY_STEPS))
            if losses[0] > before * (1 - _SAME):
                break
        return values[0]

    def fitted(self, starts: np.ndarray, max_iter: int) -> tuple[np.ndarray, np.ndarray]:
        """Constants ``(n_starts, n_constants)`` after some steps from each start, and their errors ``(n_starts,)``."""
        at_once = max(1, _ROWS_AT_ONCE // len(self.rows.y))
        values, losses = starts.copy(), np.full(len(starts), np.inf)
        for i in range(0, len(starts), at_once):
            if i and time.time() > self.deadline:
                break
            some = slice(i, i + at_once)
            repeated = self.rows.repeated(len(starts[some]))
            found = fit_constants(
                self.alone, repeated, np.empty(0), starts[some], self.primitives,
                max_iter=max_iter, deadline=self.deadline,
            )  # fmt: skip
            values[some], losses[some] = found.own, found.losses
        return values, np.where(np.isfinite(losses), losses, np.inf)

    def distinct(self, values: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best few of different error."""
        kept: list[int] = []
        for i in np.argsort(losses, kind="stable").tolist():
            if len(kept) < _N_KEPT and (not kept or losses[i] > losses[kept[-1]] * (1 + _SAME)):
                kept.append(i)
        return values[kept], losses[kept]

    def moved(self, values: np.ndarray) -> np.ndarray:
        """Starts in which one constant after the other is put to the best of many values, ``(n, n_constants)``."""
        found = []
        for k in self.inner.tolist():
            tried = grid(self.form, k, self.rows.X, self.rows.y, _N_VALUES, self.primitives)
            starts = np.repeat(values[None], len(tried), axis=0)
            starts[:, k] = tried
            at, losses = self.fitted(starts, 0)
            found += [at[i] for i in np.argsort(losses, kind="stable")[:2]]
        return np.array(found)


def polished(
    law: ParametricLaw,
    rows: GroupedRows,
    values: np.ndarray,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    deadline: float = math.inf,
) -> tuple[np.ndarray, float]:
    """Constants from near an optimum, and the squared error: further steps, then those of an orthogonal factorisation.

    Normal equations have the square of the condition number of the derivatives, which are solved with here as they are.
    """
    found = fit_constants(law, rows, values, np.empty((1, 0)), primitives, max_iter=_MANY_STEPS, deadline=deadline)
    values, loss = found.shared, found.squared_error
    with np.errstate(all="ignore"):
        for _ in range(_POLISH_STEPS):
            if not (math.isfinite(loss) and loss > 0) or time.time() > deadline:
                break
            at = linearise(law, rows, values, np.empty((1, 0)), primitives)
            size = np.linalg.norm(at.by_shared, axis=0)
            size = np.where((size > 0) & np.isfinite(size), size, 1.0)
            step = np.linalg.lstsq(at.by_shared / size, at.left, rcond=None)[0] / size
            tried = values + step
            left = linearise(law, rows, tried, np.empty((1, 0)), primitives).left
            lower = float(left @ left)
            if not lower < loss:
                break
            values, loss = tried, lower
    return values, loss
