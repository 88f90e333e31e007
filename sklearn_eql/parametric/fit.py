"""Least squares over named constants, those of all rows and those of every group, by Levenberg-Marquardt.

Every constant of a group meets the shared ones, but no other group's. So the normal matrix is an arrow, and a group's
own constants are eliminated group by group: a step takes ``n_groups`` solves of a few unknowns, and one of the shared
ones. Where no constant is shared, groups are problems of their own, and each has its own damping. Constants in which
the law is linear are solved for after every step (variable projection, Golub and Pereyra 1973).

Shapes: `N` rows, `G` groups, `S` shared constants, `O` own ones of each group, `P = S + O`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES, Primitive

_FIRST_DAMPING, _LARGEST_DAMPING = 1e-3, 1e10
_RAISE, _LOWER = 5.0, 10.0  # of the damping
_CONVERGED = 1e-12  # relative fall of the loss
_RIDGE = 1e-12  # of the diagonal, for directions that nothing holds
_ROWS_AT_ONCE = 200_000  # rows times starts
_BLOCK = 2**14  # rows that are differentiated at once: bounds the memory of autograd


@dataclass(frozen=True)
class ParametricFit:
    """Constants at an optimum."""

    shared: np.ndarray  # (S,)
    own: np.ndarray  # (G, O)
    losses: np.ndarray  # (G,) weighted squared errors of every group, infinite where the law is undefined on a row
    n_steps: int

    @property
    def squared_error(self) -> float:
        """Weighted, of all rows."""
        return float(self.losses.sum())

    def values(self, law: ParametricLaw, groups: np.ndarray) -> np.ndarray:
        """Constants of rows of these groups ``(n,)``, ``(n, P)`` in the order of the law."""
        found = np.empty((len(groups), len(law.names)))
        own = np.array(law.own, dtype=bool)
        found[:, ~own], found[:, own] = self.shared, self.own[groups]
        return found


@dataclass(frozen=True)
class Linearised:
    """A law at given constants: residuals and their derivatives, both times the root of the weight."""

    left: np.ndarray  # (N,)
    by_shared: np.ndarray  # (N, S)
    by_own: np.ndarray  # (N, O)


def linearise(
    law: ParametricLaw,
    rows: GroupedRows,
    shared: np.ndarray,
    own: np.ndarray,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
) -> Linearised:
    """The law at constants ``(S,)`` and ``(G, O)``: what it leaves over, and how its values change."""
    mask = np.array(law.own, dtype=bool)
    left, jacobian = np.empty(len(rows.y)), np.empty((len(rows.y), len(mask)))
    for first in range(0, len(rows.y), _BLOCK):
        some = slice(first, first + _BLOCK)
        constants = np.empty((len(rows.y[some]), len(mask)))
        constants[:, ~mask], constants[:, mask] = shared, own[rows.groups[some]]
        values, slopes = _with_slopes(law, rows.X[some], constants, primitives)
        root = np.sqrt(rows.weight[some])
        left[some] = (rows.y[some] - values) * root
        jacobian[some] = np.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0) * root[:, None]
    return Linearised(left, jacobian[:, ~mask], jacobian[:, mask])


def _with_slopes(
    law: ParametricLaw, X: np.ndarray, constants: np.ndarray, primitives: Mapping[str, Primitive]
) -> tuple[np.ndarray, np.ndarray]:
    """Values on some rows, (n,), and their derivatives by the constants of each, (n, P)."""
    leaf = torch.from_numpy(constants).requires_grad_()
    with torch.enable_grad():
        values = law.equation.forward(torch.cat([torch.from_numpy(X), leaf], dim=1), primitives)
    if not values.requires_grad:
        return values.numpy(), np.zeros_like(constants)
    [slopes] = torch.autograd.grad(values.sum(), leaf)
    return values.detach().numpy(), slopes.numpy()


def fit_constants(
    law: ParametricLaw,
    rows: GroupedRows,
    shared: np.ndarray,
    own: np.ndarray,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    max_iter: int = 40,
    floor: float = 0.0,
    deadline: float = np.inf,
) -> ParametricFit:
    """Constants of least squares, from a start.

    Parameters
    ----------
    law : ParametricLaw
    rows : GroupedRows
    shared : ndarray (S,);  own : ndarray (G, O)
        Where to start.
    primitives : mapping of str to Primitive
    max_iter : int
    floor : float
        Squared error below which no further step is taken.
    deadline : float
        Value of ``time.time()`` after which no further step is taken.
    """
    mask = np.array(law.own, dtype=bool)
    linear = np.array(law.linear, dtype=bool)
    state = _State(law, rows, primitives, linear[~mask], linear[mask])
    with np.errstate(all="ignore"):
        return state.fit(np.array(shared, dtype=float), np.array(own, dtype=float), max_iter, floor, deadline)


def fit_each(
    law: ParametricLaw,
    rows: GroupedRows,
    starts: np.ndarray,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    max_iter: int = 40,
    deadline: float = np.inf,
) -> ParametricFit:
    """Every group for itself, with no constant shared: the best of several starts, in one batch.

    Parameters
    ----------
    starts : ndarray (n_starts, P) or (n_starts, G, P)
        In the order of ``law.names``; as many at once as memory allows, none after the `deadline` but the first.
    """
    alone = law.sharing((True,) * len(law.names))
    n_groups, n_constants = rows.n_groups, len(law.names)
    if starts.ndim == 2:
        starts = np.broadcast_to(starts[:, None, :], (len(starts), n_groups, n_constants))
    at_once = max(1, _ROWS_AT_ONCE // max(len(rows.y), 1))
    best: ParametricFit | None = None
    for i in range(0, len(starts), at_once):
        if best is not None and time.time() > deadline:
            break
        some = starts[i : i + at_once]
        found = fit_constants(
            alone, rows.repeated(len(some)), np.empty(0), some.reshape(-1, n_constants), primitives,
            max_iter=max_iter, deadline=deadline,
        )  # fmt: skip
        losses = found.losses.reshape(len(some), n_groups)
        own = found.own.reshape(len(some), n_groups, n_constants)
        if best is not None:
            losses = np.concatenate([best.losses[None], losses])
            own = np.concatenate([best.own[None], own])
        chosen = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=0)
        each = np.arange(n_groups)
        best = ParametricFit(np.empty(0), own[chosen, each], losses[chosen, each], found.n_steps)
    return best


@dataclass
class Arrow:
    """The normal equations: blocks of the shared constants, of each group's own, and between them."""

    shared: np.ndarray  # (S, S)
    own: np.ndarray  # (G, O, O)
    between: np.ndarray  # (G, O, S)
    right_shared: np.ndarray  # (S,)
    right_own: np.ndarray  # (G, O)

    @classmethod
    def of(cls, at: Linearised, rows: GroupedRows) -> Arrow:
        """Of a linearised law; one column times another at a time, so that the memory is that of some columns."""
        n_shared, n_own = at.by_shared.shape[1], at.by_own.shape[1]
        own = np.empty((rows.n_groups, n_own, n_own))
        between = np.empty((rows.n_groups, n_own, n_shared))
        for i in range(n_own):
            for j in range(i + 1):
                own[:, i, j] = own[:, j, i] = rows.total(at.by_own[:, i] * at.by_own[:, j])
            for j in range(n_shared):
                between[:, i, j] = rows.total(at.by_own[:, i] * at.by_shared[:, j])
        right_own = rows.total(at.by_own * at.left[:, None])
        return cls(at.by_shared.T @ at.by_shared, own, between, at.by_shared.T @ at.left, right_own)

    def diagonals(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the shared block ``(S,)`` and of the own ones ``(G, O)``."""
        return np.diagonal(self.shared).copy(), np.diagonal(self.own, axis1=1, axis2=2).copy()

    def solve(self, more_shared: np.ndarray, more_own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Steps ``(S,)`` and ``(G, O)`` with these added to the diagonals."""
        own = self.own + more_own[:, :, None] * np.eye(self.own.shape[1])
        both = np.concatenate([self.between, self.right_own[:, :, None]], axis=2)
        solved = _solve(own, both)
        of_shared, of_right = solved[:, :, :-1], solved[:, :, -1]
        left = self.shared + np.diag(more_shared) - np.einsum("gos,got->st", self.between, of_shared)
        right = self.right_shared - np.einsum("gos,go->s", self.between, of_right)
        shared = _solve(left[None], right[None, :, None])[0, :, 0]
        return shared, of_right - of_shared @ shared

    def restricted(self, shared: np.ndarray, own: np.ndarray) -> Arrow:
        """To some of the constants, bool ``(S,)`` and ``(O,)``."""
        return Arrow(
            self.shared[np.ix_(shared, shared)],
            self.own[:, own][:, :, own],
            self.between[:, own][:, :, shared],
            self.right_shared[shared],
            self.right_own[:, own],
        )


def _solve(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Positive semidefinite systems, scaled to a unit diagonal, with a ridge of rounding."""
    if not matrices.shape[1]:
        return np.zeros_like(right)
    size = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    size = np.where((size > 0) & np.isfinite(size), size, 1.0)
    scaled = matrices / (size[:, :, None] * size[:, None, :]) + _RIDGE * np.eye(matrices.shape[1])
    scaled = np.where(np.isfinite(scaled), scaled, 0.0) + 1e-300 * np.eye(matrices.shape[1])
    try:
        return np.linalg.solve(scaled, right / size[:, :, None]) / size[:, :, None]
    except np.linalg.LinAlgError:
        return np.linalg.pinv(scaled, hermitian=True) @ (right / size[:, :, None]) / size[:, :, None]


class _State:
    """One run of Levenberg-Marquardt."""

    def __init__(self, law, rows: GroupedRows, primitives, linear_shared: np.ndarray, linear_own: np.ndarray) -> None:
        self.law, self.rows, self.primitives = law, rows, primitives
        self.linear = (linear_shared, linear_own)
        self.is_joint = len(linear_shared) > 0

    def fit(self, shared: np.ndarray, own: np.ndarray, max_iter: int, floor: float, deadline: float) -> ParametricFit:
        shared, own, losses = self._with_linear(shared, own)
        damping = np.full(len(losses), _FIRST_DAMPING)
        active = np.ones(len(losses), dtype=bool)
        scales: tuple[np.ndarray, np.ndarray] | None = None
        arrow, n_steps = None, 0
        if not len(self.law.names):
            max_iter = 0
        while n_steps < max_iter and time.time() <= deadline and losses.sum() > floor and active.any():
            n_steps += 1
            if arrow is None:
                arrow = Arrow.of(linearise(self.law, self.rows, shared, own, self.primitives), self.rows)
                found = arrow.diagonals()
                scales = found if scales is None else tuple(map(np.maximum, scales, found))
            by_shared, by_own = arrow.solve(damping[:1] * scales[0], damping[:, None] * scales[1])
            tried_shared, tried_own, tried = self._with_linear(shared + by_shared, own + by_own)
            if self.is_joint:
                better = np.full(len(losses), bool(tried.sum() < losses.sum()))
                fall = 1 - tried.sum() / losses.sum() if losses.sum() else 0.0
            else:
                better = tried < losses
                fall = 1 - tried / np.where(losses > 0, losses, 1.0)
            if better.any():
                shared = tried_shared if self.is_joint else shared
                own = np.where(better[:, None], tried_own, own)
                losses = np.where(better, tried, losses)
                arrow = None
            active = ~(better & (fall < _CONVERGED)) & (damping < _LARGEST_DAMPING) & active
            damping = np.where(better, damping / _LOWER, damping * _RAISE)
        return ParametricFit(shared, own, losses, n_steps)

    def _with_linear(self, shared: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """With the linear constants at their best, and the squared errors of every group."""
        shared, own = shared.copy(), own.copy()
        of_shared, of_own = self.linear
        at = linearise(self.law, self.rows, shared, own, self.primitives)
        left = at.left
        if of_shared.any() or of_own.any():
            finite = np.isfinite(left)
            given = Linearised(np.where(finite, left, 0.0), at.by_shared, at.by_own)
            some = Arrow.of(given, self.rows).restricted(of_shared, of_own)
            by_shared, by_own = some.solve(np.zeros(int(of_shared.sum())), np.zeros((len(own), int(of_own.sum()))))
            moved = at.by_shared[:, of_shared] @ by_shared + (at.by_own[:, of_own] * by_own[self.rows.groups]).sum(
                axis=1
            )
            shared[of_shared] += by_shared
            own[:, of_own] += by_own
            left = left - moved
        losses = self.rows.total(left**2)
        return shared, own, np.where(np.isfinite(losses), losses, np.inf)
