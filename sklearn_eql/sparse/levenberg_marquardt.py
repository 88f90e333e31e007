"""Levenberg-Marquardt for batches of sparse networks, with the output layer solved inside (variable projection).

Golub and Pereyra (1973) eliminate the coefficients in which a model is linear; Kaufman (1975) drops the small term of
the projected Jacobian. Here the elimination is the Schur complement of the joint normal equations. These are sums over
the rows, so many rows are taken block by block: the memory is that of one block.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.sparse.batch import Expansion, SparseBatch
from sklearn_eql.sparse.rows import BLOCK, ScaledRows
from sklearn_eql.sparse.structure import Structure

_DAMPING_START = 1e-2  # of the diagonal of the curvature: starts are anywhere, a full Gauss-Newton step may lead astray
_DAMPING_MIN, _DAMPING_MAX = 1e-12, 1e10  # less changes no digit that counts, with more no step moves a coefficient
_JITTER = 1e-13  # relative to the diagonal: keeps a rank-deficient system solvable without moving its solution
MAX_EXPONENT = 15.0
"""The force between two atoms has an exponent of 13. Larger ones that fit are exponentials, or bells, of a feature that
hardly varies: ``x**241 / (...)`` is no law, and nothing that float64 holds a little way off the data."""

_ROWS_AT_ONCE = 50_000  # structures times rows in one batch: bounds the memory, and more is no faster


@dataclass(frozen=True)
class FitResult:
    """Outcome of one structure: its coefficients filled in, and the loss they reach."""

    structure: Structure
    loss: float  # weighted mean of squared residuals
    trial: int = 0  # number of the network in its search


@dataclass
class _Point:
    """Everything known of all trials at one set of inner coefficients."""

    theta: torch.Tensor  # (T, K)
    output: torch.Tensor  # (T, M)
    loss: torch.Tensor  # (T,)
    curvature: torch.Tensor  # (T, K, K) projected Gauss-Newton matrix
    diagonal: torch.Tensor  # (T, K) of the unprojected one
    descent: torch.Tensor  # (T, K)

    def update(self, other: _Point, better: torch.Tensor) -> None:
        for name, mine in vars(self).items():
            mine[better] = getattr(other, name)[better]


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
    """Fit the free coefficients of T structures to one target, or to one each, all in one batch, in float64.

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
        loss, except those of the first batch.
    block : int
        Rows of which the normal equations are added up at a time.

    Returns
    -------
    results : list of FitResult, in the order of `structures`
    """
    if not structures:
        return []
    size = max(1, _ROWS_AT_ONCE // min(len(X), block))
    if len(structures) > size:
        found = []
        for i in range(0, len(structures), size):
            part = slice(i, i + size)
            if i and time.time() > deadline:
                found += [FitResult(structure, math.inf) for structure in structures[i:]]
                break
            own_y = y if y.ndim == 1 else y[part]
            own_weight = sample_weight if sample_weight is None or sample_weight.ndim == 1 else sample_weight[part]
            own_floor = floor[part] if isinstance(floor, torch.Tensor) else floor
            options = {"max_iter": max_iter, "tol": tol, "floor": own_floor, "deadline": deadline, "block": block}
            found += levenberg_marquardt(structures[part], primitives, X, own_y, own_weight, **options)
        return found
    blocks = _blocks(X, y, sample_weight, block)
    batch = SparseBatch(structures, primitives, blocks[0].X)
    best = _linearize(batch, batch.theta, blocks)
    is_exponent = _exponents_of(batch)
    best.loss[torch.tensor([s.largest_exponent > MAX_EXPONENT for s in batch.structures])] = math.inf
    n_trials = len(structures)
    damping = torch.full((n_trials,), _DAMPING_START, dtype=torch.float64)
    active = torch.isfinite(best.loss) & (best.loss > floor) & batch.inner_mask.any(dim=1)
    idle = torch.zeros(n_trials, dtype=torch.long)
    for _ in range(max_iter):
        if not bool(active.any()) or time.time() > deadline:
            break
        step = _damped_step(best, damping)
        trial = _linearize(batch, best.theta + step, blocks)
        is_law = ((trial.theta.abs() <= MAX_EXPONENT) | ~is_exponent).all(dim=1)
        better = active & is_law & (trial.loss < best.loss)
        small = trial.loss > best.loss * (1 - tol)
        best.update(trial, better)
        damping = torch.where(better, damping / 5, damping * 4).clamp(_DAMPING_MIN, _DAMPING_MAX)
        idle = torch.where(better & ~small, 0, idle + 1)
        active = active & (best.loss > floor) & (idle < 6)
    return _collect(batch, best)


def _exponents_of(batch: SparseBatch) -> torch.Tensor:
    """Which of the inner coefficients are exponents, bool (T, K)."""
    found = torch.zeros_like(batch.inner_mask)
    for t, structure in enumerate(batch.structures):
        flags = structure.exponent_flags
        found[t, : len(flags)] = torch.tensor(flags, dtype=torch.bool)
    return found


@dataclass(frozen=True)
class _Block:
    """Some of the rows."""

    X: torch.Tensor | ScaledRows  # (n, n_features)
    target: torch.Tensor  # (n,) or (T, n), times the root weights
    root: torch.Tensor | None  # (n,) or (T, 1, n), root of the weights


def _blocks(
    X: torch.Tensor | ScaledRows, y: torch.Tensor, sample_weight: torch.Tensor | None, size: int
) -> list[_Block]:
    found = []
    for first in range(0, len(X), size):
        rows = slice(first, first + size)
        root = None if sample_weight is None else sample_weight[..., rows].sqrt()
        target = y[..., rows] if root is None else y[..., rows] * root
        found.append(_Block(X[rows], target, root[:, None] if root is not None and root.ndim == 2 else root))
    return found


@dataclass(frozen=True)
class _Part:
    """A batch on one block of rows: what its output combines, and what that is to give."""

    point: Expansion
    phi: torch.Tensor  # (T, M, n) rows of free coefficients; the others are zero
    aim: torch.Tensor  # (T, n) the target less what the fixed coefficients give
    root: torch.Tensor | None
    valid: torch.Tensor  # (T,)


def _part(batch: SparseBatch, theta: torch.Tensor, block: _Block, with_slopes: bool) -> _Part:
    batch.bind(block.X)
    point = batch.evaluate(theta, with_slopes)
    rows = point.phi if block.root is None else point.phi * block.root
    aim = (
        block.target - (batch.output_fixed[:, None, :] @ rows)[:, 0]
        if bool((batch.output_fixed != 0).any())
        else block.target.expand(len(rows), rows.shape[-1])
    )
    return _Part(point, rows * batch.output_mask[:, :, None], aim, block.root, batch.valid)


def _linearize(batch: SparseBatch, theta: torch.Tensor, blocks: Sequence[_Block]) -> _Point:
    """Solve the output layer at `theta` and expand around it.

    The blocks are gone through twice: once to solve for the output, once for the derivatives at it. What iterative
    refinement adds to the output follows from sums of the second pass: it undoes the squared condition number.
    """
    only = [_part(batch, theta, blocks[0], True)] if len(blocks) == 1 else None

    def parts(with_slopes: bool) -> Iterable[_Part]:
        return only or (_part(batch, theta, block, with_slopes) for block in blocks)

    mask = batch.output_mask
    gram, right, valid = 0.0, 0.0, True  # (T, M, M), (T, M), (T,)
    for part in parts(with_slopes=False):
        gram = gram + part.phi @ part.phi.mT
        right = right + (part.phi @ part.aim[:, :, None])[:, :, 0]
        valid = valid & part.valid
    scale = torch.diagonal(gram, dim1=1, dim2=2).sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    normal = gram / (scale[:, :, None] * scale[:, None, :])
    normal.diagonal(dim1=1, dim2=2).add_(_JITTER)
    normal.diagonal(dim1=1, dim2=2).add_((~mask).to(normal.dtype))
    factor, _ = torch.linalg.cholesky_ex(normal)

    def solve(rhs: torch.Tensor) -> torch.Tensor:  # (T, M, p)
        return torch.cholesky_solve(rhs / scale[:, :, None], factor) / scale[:, :, None]

    output = solve(right[:, :, None])[:, :, 0] * mask
    if only:  # refined before the derivatives, at no cost
        residual = only[0].aim - (output[:, None, :] @ only[0].phi)[:, 0]
        output = output + solve(only[0].phi @ residual[:, :, None])[:, :, 0] * mask
    square, left, joint, cross, descent = 0.0, 0.0, 0.0, 0.0, 0.0  # (T,), (T, M), (T, K, K), (T, M, K), (T, K)
    for part in parts(with_slopes=True):
        residual = part.aim - (output[:, None, :] @ part.phi)[:, 0]
        jac = batch.jacobian(part.point, output + batch.output_fixed)
        if part.root is not None:
            jac = jac * part.root
        square = square + residual.square().sum(dim=1)
        joint = joint + jac @ jac.mT
        cross = cross + part.phi @ jac.mT
        descent = descent + (jac @ residual[:, :, None])[:, :, 0]
        if not only:
            left = left + (part.phi @ residual[:, :, None])[:, :, 0]
    if not only:
        more = solve(left[:, :, None])[:, :, 0] * mask
        output = output + more
        square = (square - (more * (2 * left - (gram @ more[:, :, None])[:, :, 0])).sum(dim=1)).clamp(min=0)
        descent = descent - (cross.mT @ more[:, :, None])[:, :, 0]
    loss = square / sum(block.target.shape[-1] for block in blocks)
    curvature = joint - cross.mT @ solve(cross)
    diagonal = torch.diagonal(joint, dim1=1, dim2=2).clone()
    # A value that is not finite stays within its trial: every operation above is batched over trials.
    finite = valid & torch.isfinite(loss) & torch.isfinite(descent).all(dim=1) & torch.isfinite(diagonal).all(1)
    loss = torch.where(finite, loss, torch.inf)
    return _Point(theta.clone(), output + batch.output_fixed, loss, curvature, diagonal, descent)


def _damped_step(point: _Point, damping: torch.Tensor) -> torch.Tensor:
    """Solve ``(curvature + damping * diagonal) step = descent``; zero where the system is singular."""
    scale = point.diagonal.sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    system = point.curvature / (scale[:, :, None] * scale[:, None, :])
    system.diagonal(dim1=1, dim2=2).add_(damping[:, None] + _JITTER)
    factor, info = torch.linalg.cholesky_ex(system)
    step = torch.cholesky_solve((point.descent / scale)[:, :, None], factor)[:, :, 0] / scale
    return torch.where((info == 0)[:, None] & torch.isfinite(step), step, 0.0)


def _collect(batch: SparseBatch, best: _Point) -> list[FitResult]:
    theta, output = best.theta.numpy(), best.output.numpy()
    inner_mask, output_mask = batch.inner_mask.numpy(), batch.output_mask.numpy()
    losses = best.loss.tolist()
    return [
        FitResult(s.with_coefficients(theta[t][inner_mask[t]].tolist(), output[t][output_mask[t]].tolist()), losses[t])
        for t, s in enumerate(batch.structures)
    ]


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
    root = None if sample_weight is None else sample_weight.sqrt()
    batch = SparseBatch([structure], primitives, X)
    point = batch.evaluate(batch.theta)
    output = torch.zeros_like(batch.output_fixed)  # padded: the law 0 has no terms
    output[0, : len(structure.output)] = torch.tensor([c for _, c, _ in structure.output], dtype=torch.float64)
    residual = y - (output[:, None, :] @ point.phi)[0, 0]
    jac = torch.cat([batch.jacobian(point, output)[0][batch.inner_mask[0]], point.phi[0][batch.output_mask[0]]])
    if root is not None:
        jac, residual = jac * root, residual * root
    values = [c for form in structure.forms() for _, c, free in form if free]
    return np.array(values), jac.numpy(), residual.numpy()


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
