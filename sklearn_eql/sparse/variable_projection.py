"""The residuals of one structure as a function of its inner coefficients, the output solved for, and their fit."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg.lapack import dposv, dpotrf, dpotrs

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.program import Program, SourceRows
from sklearn_eql.sparse.rows import ScaledRows

_DAMPING_START = 1e-2  # of the diagonal of the curvature: starts are anywhere, a full Gauss-Newton step may lead astray
_DAMPING_MIN, _DAMPING_MAX = 1e-12, 1e10  # less changes no digit that counts, with more no step moves a coefficient
_LESS, _MORE = 0.2, 4.0  # factors of the damping after a step that was taken, and one that was not
_JITTER = 1e-13  # relative to the diagonal: keeps a rank-deficient system solvable without moving its solution
_MOST_IDLE = 6  # steps in a row without progress, after which a fit rests
MAX_EXPONENT = 15.0
"""The force between two atoms has an exponent of 13. Larger ones that fit are exponentials, or bells, of a feature that
hardly varies: ``x**241 / (...)`` is no law, and nothing that float64 holds a little way off the data."""


@dataclass(frozen=True)
class Rules:
    """When to end; see :func:`sklearn_eql.sparse.levenberg_marquardt.levenberg_marquardt`."""

    max_iter: int
    tol: float
    deadline: float


class State(NamedTuple):
    """What a fit ends with."""

    theta: np.ndarray  # (K,) inner coefficients, in the order of the layout
    output: np.ndarray  # (M,)
    loss: float


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


def blocks_of_rows(
    X: torch.Tensor | ScaledRows,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None,
    size: int,
    primitives: Mapping[str, Primitive],
) -> list[Block]:
    """All rows, `size` at a time."""
    found = []
    for first in range(0, len(X), size):
        rows = slice(first, first + size)
        root = None if sample_weight is None else sample_weight[..., rows].sqrt().numpy()
        target = y[..., rows].numpy()
        found.append(Block(SourceRows(X[rows], primitives), target if root is None else target * root, root))
    return found


class Model:
    """A structure as a function of its inner coefficients: the output is solved for.

    Rows of more than one block are gone through twice: once to solve for the output, once for the derivatives at it.
    What iterative refinement adds to the output follows from sums of the second pass: it undoes the squared condition
    number.
    """

    def __init__(self, program: Program, blocks: Sequence[Block]) -> None:
        self.program, self._blocks = program, blocks
        self._n_rows = sum(block.target.shape[-1] for block in blocks)

    def at(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients of the output, (M,), and the loss, infinite where the law is undefined on some row."""
        output, square = self._alone(theta) if len(self._blocks) == 1 else self._byblocks_of_rows(theta)
        return output, square / self._n_rows if math.isfinite(square) else math.inf

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
            program.differentiate(output)
            self._sums += program.stack @ program.stack.T
        left = self._sums[:n_terms, -1]
        more = self._factor.solve(left)
        square = float(self._sums[-1, -1] - more @ (2 * left - gram @ more))
        self._sums[n_terms:-1, -1] -= more @ self._sums[:n_terms, n_terms:-1]
        return output + more, max(square, 0.0) if math.isfinite(square) else math.inf

    def expand(self, output: np.ndarray) -> _Expansion | None:
        """Around the coefficients of the last call of `at`; None where a derivative is not finite."""
        program, n_terms = self.program, self.program.n_terms
        if len(self._blocks) == 1:
            program.differentiate(output)
            sums = program.stack @ program.stack.T
        else:
            sums = self._sums
        joint, cross, descent = sums[n_terms:-1, n_terms:-1], sums[:n_terms, n_terms:-1], sums[n_terms:-1, -1]
        if not math.isfinite(descent @ descent):  # as soon as one derivative is not finite
            return None
        diagonal = joint.diagonal()
        return _Expansion(joint - cross.T @ self._factor.solve(cross), np.where(diagonal > 0, diagonal, 1.0), descent)


def fit_one(model: Model, floor: float, rules: Rules) -> State:
    """Levenberg-Marquardt from the coefficients of the program on."""
    theta = model.program.theta
    output, loss = model.at(theta)
    if not (len(theta) and rules.max_iter and floor < loss < math.inf):
        return State(theta, output, loss)
    here = model.expand(output)
    if here is None:
        return State(theta, output, math.inf)
    exponents = model.program.layout.exponents
    damping, idle, n_steps = _DAMPING_START, 0, 0
    while n_steps < rules.max_iter and loss > floor and idle < _MOST_IDLE and time.time() < rules.deadline:
        n_steps, idle = n_steps + 1, idle + 1
        trial = _damped_step(theta, here, damping)
        damping = min(damping * _MORE, _DAMPING_MAX)
        if trial is None or any(abs(trial[k]) > MAX_EXPONENT for k in exponents):
            continue
        trial_output, trial_loss = model.at(trial)
        if not trial_loss < loss:
            continue
        there = model.expand(trial_output) if n_steps < rules.max_iter else here  # after the last step nothing follows
        if there is not None:
            damping = max(damping / _MORE * _LESS, _DAMPING_MIN)
            idle = 0 if trial_loss <= loss * (1 - rules.tol) else idle
            theta, output, loss, here = trial, trial_output, trial_loss, there
    return State(theta, output, loss)


class _Factor:
    """Cholesky factor of a Gram matrix, which is overwritten. Coefficients that nothing depends on are solved as 0."""

    def __init__(self, gram: np.ndarray) -> None:
        diagonal = gram.ravel()[:: len(gram) + 1]
        diagonal *= 1 + _JITTER if len(gram) > 1 else 1.0
        if not diagonal.all():
            diagonal[diagonal == 0] = 1.0
        self._pivot = float(gram[0, 0]) if len(gram) == 1 else None
        self._factor = dpotrf(gram.T, lower=1, overwrite_a=1)[0] if len(gram) > 1 else None

    def solve(self, right: np.ndarray) -> np.ndarray:
        """For right sides (M,) or (M, p)."""
        if self._factor is not None:
            return dpotrs(self._factor, right, lower=1)[0]
        return right if self._pivot is None else right / self._pivot


def _damped_step(theta: np.ndarray, point: _Expansion, damping: float) -> np.ndarray | None:
    """Coefficients after the solution of ``(curvature + damping * diagonal) step = descent``; None where that is
    singular.
    """
    system = point.curvature.copy()
    diagonal = system.ravel()[:: len(system) + 1]
    diagonal += (damping + _JITTER) * point.diagonal
    _, step, info = dposv(system.T, point.descent, lower=1, overwrite_a=1)
    return theta + step if info == 0 and math.isfinite(step @ step) else None
