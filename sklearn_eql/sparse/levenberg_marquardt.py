"""Levenberg-Marquardt for sparse networks, with the output layer solved inside (variable projection).

Golub and Pereyra (1973) eliminate the coefficients in which a model is linear; Kaufman (1975) drops the small term of
the projected Jacobian. Here the elimination is the Schur complement of the joint normal equations. These are sums over
the rows, so many rows are taken block by block: the memory is that of one block.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg.lapack import dposv, dpotrf, dpotrs

from sklearn_eql.sparse.program import Program, SourceRows
from sklearn_eql.sparse.rows import BLOCK, ScaledRows
from sklearn_eql.sparse.structure import Structure

_DAMPING_START = 1e-2  # of the diagonal of the curvature: starts are anywhere, a full Gauss-Newton step may lead astray
_DAMPING_MIN, _DAMPING_MAX = 1e-12, 1e10  # less changes no digit that counts, with more no step moves a coefficient
_JITTER = 1e-13  # relative to the diagonal: keeps a rank-deficient system solvable without moving its solution
MAX_EXPONENT = 15.0
"""The force between two atoms has an exponent of 13. Larger ones that fit are exponentials, or bells, of a feature that
hardly varies: ``x**241 / (...)`` is no law, and nothing that float64 holds a little way off the data."""

_MOST_IDLE = 6  # steps in a row without progress, after which a fit rests
_REFINED = 1  # passes of iterative refinement, which undoes the squared condition number
_ROWS_AT_ONCE = 50_000  # structures times rows that are evaluated even after the deadline


@dataclass(frozen=True)
class FitResult:
    """Outcome of one structure: its coefficients filled in, and the loss they reach."""

    structure: Structure
    loss: float  # weighted mean of squared residuals
    trial: int = 0  # number of the network in its search


class _Expansion(NamedTuple):
    """The loss to second order in the inner coefficients, the output adapting (Gauss-Newton)."""

    curvature: np.ndarray  # (K, K) projected
    diagonal: np.ndarray  # (K,) of the unprojected one
    descent: np.ndarray  # (K,)


def levenberg_marquardt(
    structures: Sequence[Structure],
    primitives,
    X: torch.Tensor | ScaledRows,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None = None,
    *,
    max_iter: int = 30,
    tol: float = 1e-9,
    floor: float | torch.Tensor = 0.0,
    deadline: float = math.inf,
    block: int = BLOCK,
) -> list[FitResult]:
    """Fit the free coefficients of T structures to one target, or to one each, in float64.

    Parameters
    ----------
    structures : sequence of Structure
        Starting points. A structure that is not finite on every row ends with an infinite loss, and so does one with
        an exponent over `MAX_EXPONENT`; steps to such exponents are not taken.
    X : Tensor or ScaledRows (N, n_features)
    y : Tensor (N,) or (T, N)
    sample_weight : Tensor (N,) or (T, N) with mean 1, or None
    max_iter : int
        Steps at most.
    tol : float
        A trial rests once an accepted step lowers its loss by less than this fraction.
    floor : float or Tensor (T,)
        A trial rests once its loss is below this.
    deadline : float
        Value of ``time.time()`` after which no step begins. Structures that no step has begun for have an infinite
        loss, except the first few, as many as `_ROWS_AT_ONCE` rows allow.
    block : int
        Rows of which the normal equations are added up at a time.

    Returns
    -------
    results : list of FitResult, in the order of `structures`
    """
    n_evaluated = max(1, _ROWS_AT_ONCE // max(1, min(len(X), block)))
    blocks = _blocks(X, y, sample_weight, block, primitives)
    floors = floor.tolist() if isinstance(floor, torch.Tensor) else [floor] * len(structures)
    found = []
    with np.errstate(all="ignore"):
        for t, structure in enumerate(structures):
            if t >= n_evaluated and time.time() > deadline:
                found += [FitResult(structure, math.inf) for structure in structures[t:]]
                break
            model = _Model(Program(structure, primitives), [rows.of(t) for rows in blocks])
            found.append(_fit(structure, model, max_iter, tol, floors[t], deadline))
    return found


def _fit(structure: Structure, model: _Model, max_iter: int, tol: float, floor: float, deadline: float) -> FitResult:
    """One structure from its coefficients; `model` is that of its program."""
    program = model.program
    theta, order = program.theta, program.order
    output, loss = model.at(theta)
    if structure.largest_exponent > MAX_EXPONENT:
        loss = math.inf
    if max_iter and len(theta) and floor < loss < math.inf:
        here = model.expand(output)
        exponents = np.array(structure.exponent_flags)[order]
        exponents = exponents if exponents.any() else None
        damping, idle = _DAMPING_START, 0
        if here is None:
            loss = math.inf
        for _ in range(max_iter):
            if not floor < loss < math.inf or idle == _MOST_IDLE or time.time() > deadline:
                break
            idle += 1
            trial = _damped_step(theta, here, damping)
            damping = min(damping * 4, _DAMPING_MAX)
            if trial is None or (exponents is not None and (np.abs(trial[exponents]) > MAX_EXPONENT).any()):
                continue
            trial_output, trial_loss = model.at(trial)
            there = model.expand(trial_output) if trial_loss < loss else None
            if there is not None:
                damping = max(damping / 20, _DAMPING_MIN)
                idle = 0 if trial_loss <= loss * (1 - tol) else idle
                theta, output, loss, here = trial, trial_output, trial_loss, there
    inner = np.empty_like(theta)
    inner[order] = theta
    return FitResult(structure.with_coefficients(inner.tolist(), output.tolist()), loss)


@dataclass(frozen=True)
class _Block:
    """Some of the rows."""

    X: SourceRows  # n of them
    target: np.ndarray  # (n,) or (T, n), times the root weights
    root: np.ndarray | None  # (n,) or (T, n), root of the weights

    def of(self, t: int) -> _Block:
        """Those of one structure where each has its own target or weights."""
        target, root = self.target, self.root
        if target.ndim == 2:
            target = target[t]
        return _Block(self.X, target, root[t] if root is not None and root.ndim == 2 else root)


def _blocks(
    X: torch.Tensor | ScaledRows, y: torch.Tensor, sample_weight: torch.Tensor | None, size: int, primitives
) -> list[_Block]:
    found = []
    for first in range(0, len(X), size):
        rows = slice(first, first + size)
        root = None if sample_weight is None else sample_weight[..., rows].sqrt().numpy()
        target = y[..., rows].numpy()
        found.append(_Block(SourceRows(X[rows], primitives), target if root is None else target * root, root))
    return found


class _Model:
    """A structure as a function of its inner coefficients: the output is solved for.

    Rows of more than one block are gone through twice: once to solve for the output, once for the derivatives at it.
    What iterative refinement adds to the output follows from sums of the second pass: it undoes the squared condition
    number.
    """

    def __init__(self, program: Program, blocks: Sequence[_Block]) -> None:
        self.program, self._blocks = program, blocks
        self._n_rows = sum(block.target.shape[-1] for block in blocks)

    def at(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients of the output, (M,), and the loss, infinite where the law is undefined on some row."""
        output, square = self._alone(theta) if len(self._blocks) == 1 else self._by_blocks(theta)
        return output, square / self._n_rows if math.isfinite(square) else math.inf

    def _bind(self, block: _Block) -> bool:
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
        for _ in range(_REFINED):
            output = output + self._factor.solve(phi @ (aim - output @ phi))
        np.subtract(aim, output @ phi, out=residual)
        return output, float(residual @ residual)

    def _by_blocks(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
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
        diagonal = joint.diagonal()
        if not math.isfinite(diagonal.sum() + descent.sum()):
            return None
        return _Expansion(joint - cross.T @ self._factor.solve(cross), diagonal, descent)


class _Factor:
    """Cholesky factor of a Gram matrix, which is overwritten. Coefficients that nothing depends on are solved as 0."""

    def __init__(self, gram: np.ndarray) -> None:
        diagonal = gram.ravel()[:: len(gram) + 1]
        diagonal *= 1 + _JITTER
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
    diagonal += (damping + _JITTER) * np.where(point.diagonal > 0, point.diagonal, 1.0)
    _, step, info = dposv(system.T, point.descent, lower=1, overwrite_a=1)
    return theta + step if info == 0 and math.isfinite(step.sum()) else None


def joint_curvature(
    structures: Sequence[Structure], primitives, X: torch.Tensor, y: torch.Tensor, sample_weight: torch.Tensor | None
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Gauss-Newton matrix over all free coefficients of each structure, at their current values.

    Returns
    -------
    list of (coefficients (P,), matrix (P, P), loss)
        Order of ``Equation.coefficients()`` restricted to the free ones: units first, then the output. The matrix is
        ``J.T @ J`` of the (weighted) residuals.
    """
    found = []
    for structure in structures:
        values, jac, residual = residual_jacobian(structure, primitives, X, y, sample_weight)
        found.append((values, jac @ jac.T, float(np.mean(residual**2))))
    return found


def residual_jacobian(
    structure: Structure, primitives, X: torch.Tensor, y: torch.Tensor, sample_weight: torch.Tensor | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Free coefficients (P,), derivatives of the law by them (P, N), and residuals (N,), both times the root weights.

    The coefficients are in the order of ``Equation.coefficients()``: units first, then the output.
    """
    program = Program(structure, primitives)
    [block] = _blocks(X, y, sample_weight, len(X), primitives)
    values = np.array([c for form in structure.forms() for _, c, free in form if free])
    output = np.array([c for _, c, free in structure.output if free])
    with np.errstate(all="ignore"):
        if not program.bind(block.X, block.target, block.root):
            return values, np.full((len(values), len(X)), np.nan), np.full(len(X), np.nan)
        aim = program.evaluate(program.theta)
        program.differentiate(output)
        residual = aim - output @ program.phi
    jac = np.empty_like(program.jacobian)
    jac[program.order] = program.jacobian
    return values, np.concatenate([jac, program.phi]), residual


def standard_errors(
    structure: Structure, primitives, X: torch.Tensor, y: torch.Tensor, sample_weight: torch.Tensor | None = None
) -> np.ndarray:
    """Standard error of each free coefficient, shape (P,); infinite where the rows do not determine it."""
    values, matrix, loss = joint_curvature([structure], primitives, X, y, sample_weight)[0]
    scale = np.sqrt(np.diag(matrix))
    found = np.full(len(values), np.inf)
    moves = scale > 0  # inside a function that jumps none does
    if not np.isfinite(matrix).all() or not moves.any():
        return found
    matrix, scale = matrix[np.ix_(moves, moves)], scale[moves]
    eigenvalues, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    floor = len(scale) * np.finfo(float).eps
    inverse = np.where(eigenvalues > floor, 1 / np.maximum(eigenvalues, floor), np.inf)
    n_rows = len(y)
    variance = loss * n_rows / max(n_rows - len(values), 1)
    # 0 * inf: a coefficient without part in an undetermined direction is not affected by it.
    parts = np.where(vectors**2 > floor, vectors**2, 0.0)
    spread = np.multiply(parts, inverse, where=parts > 0, out=np.zeros_like(parts)).sum(axis=1)
    found[moves] = np.sqrt(variance * spread) / scale
    return found
