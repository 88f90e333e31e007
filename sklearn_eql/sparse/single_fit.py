"""Levenberg-Marquardt for one structure, on rows in any number."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg.lapack import dposv, dpotrf, dpotrs

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.program import Program, SourceRows
from sklearn_eql.sparse.rows import ScaledRows
from sklearn_eql.sparse.steps import (
    DAMPING_MAX,
    DAMPING_MIN,
    JITTER,
    LESS,
    MAX_EXPONENT,
    MORE,
    MOST_IDLE,
    Rules,
    State,
    promises,
    without_undefined,
)


class _Expansion(NamedTuple):
    """The loss to second order in the inner coefficients, the output adapting (Gauss-Newton)."""

    curvature: np.ndarray  # (K, K) projected
    diagonal: np.ndarray  # (K,) of the unprojected one, ones where it is zero
    descent: np.ndarray  # (K,)


@dataclass(frozen=True)
class Block:
    """Some of the rows."""

    X: SourceRows  # n of them
    target: np.ndarray  # (n,) or (T, n), times the root weights
    root: np.ndarray | None  # (n,) or (T, n), root of the weights

    def of(self, t: int) -> Block:
        """Those of one structure where each has its own target or weights."""
        target, root = self.target, self.root
        if target.ndim == 2:
            target = target[t]
        return Block(self.X, target, root[t] if root is not None and root.ndim == 2 else root)

    def of_some(self, numbers: list[int]) -> Block:
        """Those of some structures."""
        target, root = self.target, self.root
        if target.ndim == 2:
            target = target[numbers]
        return Block(self.X, target, root[numbers] if root is not None and root.ndim == 2 else root)


def blocks_of_rows(
    X: torch.Tensor | ScaledRows | SourceRows,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None,
    size: int,
    primitives: Mapping[str, Primitive],
) -> list[Block]:
    """All rows, `size` at a time."""
    found = []
    sources = X if isinstance(X, SourceRows) else SourceRows(X, primitives)
    for first in range(0, len(sources), size):
        rows = slice(first, first + size)
        root = None if sample_weight is None else sample_weight[..., rows].sqrt().numpy()
        target = y[..., rows].numpy()
        mine = sources if size >= len(sources) else sources.part(rows)
        found.append(Block(mine, target if root is None else target * root, root))
    return found


class Model:
    """A structure as a function of its inner coefficients: the output is solved for.

    Rows of more than one block are gone through twice: once to solve for the output, once for the derivatives at it.
    What iterative refinement adds to the output follows from sums of the second pass: it undoes the squared condition
    number.
    """

    def __init__(self, program: Program, blocks: Sequence[Block]) -> None:
        self.program, self._blocks = program, blocks
        self.n_rows = sum(block.target.shape[-1] for block in blocks)

    def at(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients of the output, (M,), and the loss, infinite where the law is undefined on some row."""
        output, square = self._alone(theta) if len(self._blocks) == 1 else self._byblocks_of_rows(theta)
        return output, square / self.n_rows if math.isfinite(square) else math.inf

    def _bind(self, block: Block) -> bool:
        rows = block.X if len(self._blocks) == 1 else block.X.again()  # of many rows only one block is in memory
        return self.program.bind(rows, block.target, block.root)

    def _alone(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        program = self.program
        if not self._bind(self._blocks[0]):
            return np.zeros(program.n_terms), math.inf
        aim = program.evaluate(theta)
        phi, residual = program.phi, program.residual
        self._factor = _Factor(phi @ phi.T)
        output = self._factor.solve(phi @ aim)
        if len(phi) > 1:  # one coefficient needs no refinement
            output = output + self._factor.solve(phi @ (aim - output @ phi))
        np.subtract(aim, output @ phi, out=residual)
        return output, float(residual @ residual)

    def _byblocks_of_rows(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        program, n_terms = self.program, self.program.n_terms
        gram, right = np.zeros((n_terms, n_terms)), np.zeros(n_terms)
        for block in self._blocks:
            if not self._bind(block):
                return right, math.inf
            aim = program.evaluate(theta)
            gram += program.phi @ program.phi.T
            right += program.phi @ aim
        self._factor = _Factor(gram.copy())
        output = self._factor.solve(right)
        self._sums = np.zeros((len(program.stack),) * 2)
        for block in self._blocks:
            self._bind(block)
            np.subtract(program.evaluate(theta), output @ program.phi, out=program.residual)
            self._sums += self._products(output)
        left = self._sums[:n_terms, -1]
        more = self._factor.solve(left)
        square = float(self._sums[-1, -1] - more @ (2 * left - gram @ more))
        self._sums[n_terms:-1, -1] -= more @ self._sums[:n_terms, n_terms:-1]
        return output + more, max(square, 0.0) if math.isfinite(square) else math.inf

    def _products(self, output: np.ndarray) -> np.ndarray:
        """Of all rows of the stack with each other, at the coefficients evaluated last."""
        program, n_terms = self.program, self.program.n_terms
        program.differentiate(output)
        sums = program.stack @ program.stack.T
        descent = sums[n_terms:-1, -1]
        if not math.isfinite(descent @ descent):  # as soon as one derivative is not finite
            without_undefined(program.jacobian)
            sums = program.stack @ program.stack.T
        return sums

    def expand(self, output: np.ndarray) -> _Expansion | None:
        """Around the coefficients of the last call of `at`; None where the sums overflow."""
        n_terms = self.program.n_terms
        sums = self._products(output) if len(self._blocks) == 1 else self._sums
        joint, cross, descent = sums[n_terms:-1, n_terms:-1], sums[:n_terms, n_terms:-1], sums[n_terms:-1, -1]
        if not math.isfinite(descent @ descent):
            return None
        diagonal = joint.diagonal()
        return _Expansion(joint - cross.T @ self._factor.solve(cross), np.where(diagonal > 0, diagonal, 1.0), descent)


def fit_one(model: Model, begun: State | None, floor: float, rules: Rules) -> State:
    """One structure, from its start or from where it has come to."""
    start = model.program.theta if begun is None else begun.theta
    if begun is None or begun.moves(floor, rules):
        output, loss = model.at(start)
        begun = State(start, output, loss) if begun is None else replace(begun, output=output, loss=loss)
    state = begun
    if not state.moves(floor, rules):
        return state
    theta, output, loss, damping, idle = state.theta, state.output, state.loss, state.damping, state.idle
    here = model.expand(output)
    if here is None:
        return replace(state, loss=math.inf)
    exponents = model.program.layout.exponents
    step = state.n_steps
    while step < rules.max_iter and loss > floor and idle < MOST_IDLE and time.time() < rules.deadline:
        move = _damped_step(here, damping)
        if move is not None and not _promises(move, here, damping, rules.tol * loss * model.n_rows):
            idle = MOST_IDLE
            break
        step, idle = step + 1, idle + 1
        trial = None if move is None else theta + move
        damping = min(damping * MORE, DAMPING_MAX)
        if trial is None or any(abs(trial[k]) > MAX_EXPONENT for k in exponents):
            continue
        trial_output, trial_loss = model.at(trial)
        if not trial_loss < loss:
            continue
        there = model.expand(trial_output) if step < rules.max_iter else here
        if there is not None:
            damping = max(damping / MORE * LESS, DAMPING_MIN)
            idle = 0 if trial_loss <= loss * (1 - rules.tol) else idle
            theta, output, loss, here = trial, trial_output, trial_loss, there
    return State(theta, output, loss, damping, idle, step)


class _Factor:
    """Cholesky factor of a Gram matrix, which is overwritten. Coefficients that nothing depends on are solved as 0."""

    def __init__(self, gram: np.ndarray) -> None:
        diagonal = gram.ravel()[:: len(gram) + 1]
        diagonal *= 1 + JITTER if len(gram) > 1 else 1.0
        if not diagonal.all():
            diagonal[diagonal == 0] = 1.0
        self._pivot = float(gram[0, 0]) if len(gram) == 1 else None
        self._factor = dpotrf(gram.T, lower=1, overwrite_a=1)[0] if len(gram) > 1 else None

    def solve(self, right: np.ndarray) -> np.ndarray:
        """For right sides (M,) or (M, p)."""
        if self._factor is not None:
            return dpotrs(self._factor, right, lower=1)[0]
        return right if self._pivot is None else right / self._pivot


def _damped_step(point: _Expansion, damping: float) -> np.ndarray | None:
    """Solution of ``(curvature + damping * diagonal) step = descent``; None where that is singular."""
    system = point.curvature.copy()
    diagonal = system.ravel()[:: len(system) + 1]
    diagonal += (damping + JITTER) * point.diagonal
    _, step, info = dposv(system.T, point.descent, lower=1, overwrite_a=1)
    return step if info == 0 and math.isfinite(step @ step) else None


def _promises(step: np.ndarray, point: _Expansion, damping: float, least: float) -> bool:
    """See `promises`, for sums over the rows."""
    return promises(float(step @ point.descent), damping * float(step * step @ point.diagonal), least)
