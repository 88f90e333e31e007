"""Levenberg-Marquardt for sparse networks, with the output layer solved inside (variable projection).

Golub and Pereyra (1973) eliminate the coefficients in which a model is linear; Kaufman (1975) drops the small term of
the projected Jacobian. Here the elimination is the Schur complement of the joint normal equations. These are sums over
the rows, so many rows are taken block by block: the memory is that of one block.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat

import numpy as np
import torch

from sklearn_eql._devices import CPU
from sklearn_eql.sparse.device_lockstep import fits_on, in_lockstep_on
from sklearn_eql.sparse.lockstep import in_lockstep
from sklearn_eql.sparse.program import Program, SourceRows
from sklearn_eql.sparse.rows import BLOCK, ScaledRows
from sklearn_eql.sparse.single_fit import Model, blocks_of_rows, fit_one
from sklearn_eql.sparse.steps import MAX_EXPONENT, Rules, State, without_undefined
from sklearn_eql.sparse.structure import Structure

_ROWS_AT_ONCE = 50_000  # structures times rows that are evaluated even after the deadline


@dataclass(frozen=True)
class FitResult:
    """Outcome of one structure: the loss it reaches, and its coefficients, filled in where they are asked for.

    Of most results of a search only size and loss are ever looked at.
    """

    form: Structure  # with the coefficients that the fit began from
    loss: float  # weighted mean of squared residuals
    trial: int = 0  # number of the network in its search
    state: State | None = field(default=None, repr=False, compare=False)  # None where the coefficients are those
    excess: float | None = field(default=None, compare=False)  # see `Behaviour.excess`; None where nobody has looked

    @cached_property
    def structure(self) -> Structure:
        """With the coefficients that were found."""
        if self.state is None:
            return self.form
        inner = self.form.layout.in_order(self.state.theta)
        return self.form.with_coefficients(inner, self.state.output.tolist())


def levenberg_marquardt(
    structures: Sequence[Structure],
    primitives,
    X: torch.Tensor | ScaledRows | SourceRows,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None = None,
    *,
    max_iter: int = 30,
    tol: float = 1e-9,
    floor: float | torch.Tensor = 0.0,
    deadline: float = math.inf,
    block: int = BLOCK,
    device: str = CPU,
    starts: Sequence[np.ndarray] | None = None,
) -> list[FitResult]:
    """Fit the free coefficients of T structures to one target, or to one each, in float64.

    Parameters
    ----------
    structures : sequence of Structure
        Starting points. A structure that is not finite on every row ends with an infinite loss, and so does one with
        an exponent over `MAX_EXPONENT`; steps to such exponents are not taken.
    X : Tensor, ScaledRows (N, n_features) or SourceRows
    y : Tensor (N,) or (T, N)
    sample_weight : Tensor (N,) or (T, N) with mean 1, or None
    max_iter : int
        Steps at most.
    tol : float
        A trial rests where the next step promises to lower its loss by less than this fraction, or after a few steps
        that did so.
    floor : float or Tensor (T,)
        A trial rests once its loss is below this.
    deadline : float
        Value of ``time.time()`` after which no step begins. Structures that no step has begun for have an infinite
        loss, except the first few, as many as `_ROWS_AT_ONCE` rows allow.
    block : int
        Rows of which the normal equations are added up at a time.
    device : str
        Where structures are fitted together if there is enough to do; a few on few rows are fitted on the CPU.
    starts : sequence of ndarray (K,), optional
        Inner coefficients to begin from, in the order of the layouts, in place of those of the structures.

    Returns
    -------
    results : list of FitResult, in the order of `structures`
    """
    n_evaluated = max(1, _ROWS_AT_ONCE // max(1, min(len(X), block)))
    rules = Rules(max_iter, tol, deadline)
    blocks = blocks_of_rows(X, y, sample_weight, block, primitives)
    floors = floor.numpy() if isinstance(floor, torch.Tensor) else np.full(len(structures), floor)
    programs = [Program(s, primitives, start) for s, start in zip(structures, starts or repeat(None), strict=False)]
    with np.errstate(all="ignore"):
        if device != CPU and fits_on(device, programs, len(X)):
            rows = blocks[0] if len(blocks) == 1 else blocks_of_rows(X, y, sample_weight, len(X), primitives)[0]
            begun = in_lockstep_on(device, programs, primitives, rows, floors, rules)
        else:
            begun = in_lockstep(programs, blocks[0], floors, rules) if len(blocks) == 1 else {}
        found = []
        for t, structure in enumerate(structures):
            if t not in begun and t >= n_evaluated and time.time() > deadline:
                found.append(FitResult(structure, math.inf))
                continue
            state = begun.get(t)
            if state is None or state.moves(floors[t], rules):
                model = Model(programs[t], [rows.of(t) for rows in blocks])
                state = fit_one(model, state, float(floors[t]), rules)
            loss = state.loss if structure.largest_exponent <= MAX_EXPONENT else math.inf
            found.append(FitResult(structure, loss, state=state))
            programs[t] = None  # and the rows that it holds
    return found


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
    [block] = blocks_of_rows(X, y, sample_weight, len(X), primitives)
    values = np.array([c for form in structure.forms() for _, c, free in form if free])
    output = np.array([c for _, c, free in structure.output if free])
    with np.errstate(all="ignore"):
        if not program.bind(block.X, block.target, block.root):
            return values, np.full((len(values), len(X)), np.nan), np.full(len(X), np.nan)
        aim = program.evaluate(program.theta)
        program.differentiate(output)
        residual = aim - output @ program.phi
    without_undefined(program.jacobian)
    jac = np.empty_like(program.jacobian)
    jac[program.layout.order] = program.jacobian
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
