"""A form with constants of its own for each group, fitted: its description, and fits of all groups for themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sklearn_eql.parametric.fit import ParametricFit, fit_constants, fit_each
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive

_STEPS = 60  # of Levenberg-Marquardt
_N_JITTERED = 6  # starts around given constants
_SPREAD = 0.7  # of the logarithms of their factors
_N_BEST = 3  # groups whose constants are starts for the others
_ROUNDS = 3  # of starts from other groups
_WORSE = 1.5  # a loss by this factor above the median of all groups may be a local optimum


def _any_law(_: ParametricLaw) -> bool:
    return True


@dataclass(frozen=True)
class Rows:
    """Rows with what fits and descriptions need.

    Parameters
    ----------
    grouped : GroupedRows
        Of weights with mean 1.
    variance : float
        Weighted, of the target.
    exact : float
        Relative squared error of an exact law.
    primitives : mapping of str to Primitive
    deadline : float
        Value of ``time.time()``.
    admits : callable
        Which laws may be printed; all by default.
    """

    grouped: GroupedRows
    variance: float
    exact: float
    primitives: Mapping[str, Primitive]
    deadline: float = math.inf
    admits: Callable[[ParametricLaw], bool] = _any_law

    @property
    def n_rows(self) -> int:
        """Rows with weight."""
        return int(np.count_nonzero(self.grouped.weight))

    @property
    def floor(self) -> float:
        """Squared error of an exact law."""
        return self.exact * self.variance * self.n_rows

    @property
    def words(self) -> float:
        """What one constant of each group costs, all together: the logarithms of their rows."""
        return float(np.log(np.maximum(np.bincount(self.grouped.groups), 2)).sum())


@dataclass(frozen=True)
class FittedForm:
    """A law with named constants and their values."""

    law: ParametricLaw
    fit: ParametricFit

    @property
    def n_own(self) -> int:
        """Constants that every group has for itself."""
        return sum(self.law.own)

    @property
    def n_shared(self) -> int:
        """Constants that all groups share."""
        return len(self.law.own) - self.n_own

    def n_constants(self, rows: Rows) -> int:
        """Numbers that are fitted."""
        return self.n_shared + self.n_own * rows.grouped.n_groups

    def level(self, rows: Rows) -> float:
        """Squared error, not less than that of an exact law."""
        return max(self.fit.squared_error, rows.floor)

    def description(self, rows: Rows) -> float:
        """Twice the nats that residuals and constants take, without the symbols: with the unbiased variance.

        A constant costs the logarithm of the rows that tell of it: all, or those of its group.
        """
        left = rows.n_rows - self.n_constants(rows)
        if left <= 0 or not math.isfinite(self.fit.squared_error):
            return math.inf
        error = self.level(rows) / left / rows.variance
        return rows.n_rows * math.log(error) + self.n_shared * math.log(rows.n_rows) + self.n_own * rows.words


def fitted_alone(law: ParametricLaw, starts: np.ndarray, rows: Rows, seed: int = 0) -> FittedForm:
    """Every group for itself, with all constants its own.

    Parameters
    ----------
    law : ParametricLaw
    starts : ndarray (n_starts, P) or (n_starts, G, P)
        The first ones are tried with random factors as well.
    """
    alone = law.sharing((True,) * len(law.names))
    grouped = rows.grouped
    rng = np.random.default_rng(seed)
    starts = np.asarray(starts, dtype=float)
    if starts.ndim == 2:
        starts = np.broadcast_to(starts[:, None, :], (len(starts), grouped.n_groups, starts.shape[1]))
    options = {"max_iter": _STEPS, "deadline": rows.deadline}
    best = fit_each(alone, grouped, starts, rows.primitives, **options)
    if all(law.linear):
        return FittedForm(alone, best)
    sizes = np.bincount(grouped.groups)
    for round_number in range(_ROUNDS):
        losses = np.maximum(best.losses / sizes, rows.exact * rows.variance)
        level = np.median(losses[np.isfinite(losses)]) if np.isfinite(losses).any() else math.inf
        order = np.argsort(losses, kind="stable")
        lowest = losses[order[min(_N_BEST, len(order)) - 1]]
        worse = np.flatnonzero(~(losses <= _WORSE * max(min(level, 3 * lowest), rows.exact * rows.variance * 10)))
        if not len(worse):
            break
        neighbours = best.own[order[:_N_BEST]]
        around = best.own[order[0]] if round_number else starts[0, order[0]]
        factors = np.exp(rng.normal(0.0, _SPREAD, (_N_JITTERED, len(around))))
        tried = np.concatenate([neighbours, around * factors])
        part = _of_groups(grouped, worse)
        again = fit_each(alone, part, tried, rows.primitives, **options)
        better = again.losses < best.losses[worse] * (1 - 1e-9)
        if not better.any():
            break
        best.own[worse[better]], best.losses[worse[better]] = again.own[better], again.losses[better]
    return FittedForm(alone, best)


def refitted(law: ParametricLaw, shared: np.ndarray, own: np.ndarray, rows: Rows) -> FittedForm:
    """All constants together, from a start."""
    fit = fit_constants(
        law, rows.grouped, shared, own, rows.primitives, max_iter=_STEPS, floor=rows.floor / 100, deadline=rows.deadline
    )
    return FittedForm(law, fit)


def _of_groups(rows: GroupedRows, groups: np.ndarray) -> GroupedRows:
    """The rows of some groups, numbered in the order in which they are given (ascending)."""
    kept = np.isin(rows.groups, groups)
    return GroupedRows(
        rows.X[kept], rows.y[kept], rows.weight[kept], np.searchsorted(groups, rows.groups[kept]), rows.order[kept]
    )
