"""Levenberg-Marquardt for batches of sparse networks, with the output layer solved inside (variable projection).

Golub and Pereyra (1973) eliminate the coefficients in which a model is linear; Kaufman (1975) drops the small term of
the projected Jacobian. Here the elimination is the Schur complement of the joint normal equations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.sparse import SparseBatch, Structure

_DAMPING_START, _DAMPING_MIN, _DAMPING_MAX = 1e-2, 1e-12, 1e10
_JITTER = 1e-13  # relative to the diagonal: keeps a rank-deficient system solvable without moving its solution


@dataclass(frozen=True)
class FitResult:
    """Outcome of one structure: its coefficients filled in, and the loss they reach."""

    structure: Structure
    loss: float  # weighted mean of squared residuals


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
    X: torch.Tensor,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None = None,
    *,
    max_iter: int = 30,
    tol: float = 1e-9,
    floor: float = 0.0,
) -> list[FitResult]:
    """Fit the free coefficients of T structures to one target, all in one batch, in float64.

    Parameters
    ----------
    structures : sequence of Structure
        Starting points. A structure that is not finite on every row ends with an infinite loss.
    X : Tensor (N, n_features);  y : Tensor (N,);  sample_weight : Tensor (N,) with mean 1, or None
    max_iter : int
        Steps at most.
    tol : float
        A trial rests once an accepted step lowers its loss by less than this fraction.
    floor : float
        A trial rests once its loss is below this.

    Returns
    -------
    results : list of FitResult, in the order of `structures`
    """
    batch = SparseBatch(structures, primitives, X)
    root = None if sample_weight is None else sample_weight.sqrt()
    target = y if root is None else y * root
    best = _linearize(batch, batch.theta, target, root)
    n_trials = len(structures)
    damping = torch.full((n_trials,), _DAMPING_START, dtype=torch.float64)
    active = torch.isfinite(best.loss) & (best.loss > floor) & batch.inner_mask.any(dim=1)
    idle = torch.zeros(n_trials, dtype=torch.long)
    for _ in range(max_iter):
        if not bool(active.any()):
            break
        step = _damped_step(best, damping)
        trial = _linearize(batch, best.theta + step, target, root)
        better = active & (trial.loss < best.loss)
        small = trial.loss > best.loss * (1 - tol)
        best.update(trial, better)
        damping = torch.where(better, damping / 5, damping * 4).clamp(_DAMPING_MIN, _DAMPING_MAX)
        idle = torch.where(better & ~small, 0, idle + 1)
        active = active & (best.loss > floor) & (idle < 6)
    return _collect(batch, best)


def _linearize(batch: SparseBatch, theta: torch.Tensor, target: torch.Tensor, root: torch.Tensor | None) -> _Point:
    """Solve the output layer at `theta` and expand around it."""
    phi, arguments, sources = batch.evaluate(theta)
    n_rows = phi.shape[-1]
    rows = phi.detach()
    if root is not None:
        rows = rows * root
    finite = torch.isfinite(rows).all(dim=2).all(dim=1) & batch.valid
    rows = torch.where(finite[:, None, None], rows, 0.0)
    mask = batch.output_mask
    aim = target - (batch.output_fixed[:, None, :] @ rows)[:, 0] if bool((batch.output_fixed != 0).any()) else (
        target.expand(len(rows), n_rows)
    )
    phi_free = rows * mask[:, :, None]
    gram = phi_free @ phi_free.mT  # (T, M, M)
    scale = torch.diagonal(gram, dim1=1, dim2=2).sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    normal = gram / (scale[:, :, None] * scale[:, None, :])
    normal.diagonal(dim1=1, dim2=2).add_(_JITTER)
    normal.diagonal(dim1=1, dim2=2).add_((~mask).to(normal.dtype))
    factor, info = torch.linalg.cholesky_ex(normal)
    finite &= info == 0

    def solve(rhs: torch.Tensor) -> torch.Tensor:  # (T, M, p)
        return torch.cholesky_solve(rhs / scale[:, :, None], factor) / scale[:, :, None]

    output = torch.zeros_like(scale)
    residual = aim
    for _ in range(2):  # the second pass is iterative refinement: it undoes the squared condition number
        output = output + solve(phi_free @ residual[:, :, None])[:, :, 0] * mask
        residual = aim - (output[:, None, :] @ phi_free)[:, 0]
    loss = residual.square().mean(dim=1)
    jac = batch.jacobian(phi, arguments, sources, output + batch.output_fixed)
    if root is not None:
        jac = jac * root
    finite &= torch.isfinite(jac).all(dim=2).all(dim=1) & torch.isfinite(loss)
    jac = torch.where(finite[:, None, None], jac, 0.0)
    cross = phi_free @ jac.mT  # (T, M, K)
    joint = jac @ jac.mT
    curvature = joint - cross.mT @ solve(cross)
    diagonal = torch.diagonal(joint, dim1=1, dim2=2).clone()
    descent = (jac @ residual[:, :, None])[:, :, 0]
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


def evaluate_structures(structures, primitives, X: torch.Tensor) -> np.ndarray:
    """Values of T structures on the rows of X, shape (T, N), without fitting."""
    return np.stack([s.to_equation().evaluate(X.numpy(), primitives) for s in structures])
