"""Normal equations of the structures of a batch: outputs solved for, losses to second order, damped steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from sklearn_eql.sparse.batch import Batch
from sklearn_eql.sparse.program import Program
from sklearn_eql.sparse.single_fit import Block
from sklearn_eql.sparse.steps import JITTER, MAX_EXPONENT, promises, without_undefined

_AT_ONCE = 64  # structures: their terms and derivatives stay near the core
_CLOSE = 1e-8  # share of the squares of a target that is left over, below which rounding of the output is part of it


class NormalEquations:
    """As `Model`, for the T structures of a batch, or some of them, given by ascending numbers.

    Outputs that leave next to nothing get a pass of iterative refinement, which undoes the squared condition number:
    with one of 1e12, rounding leaves 1e-20 of the squares of the target.

    Products are those of NumPy, of all rows of a stack and some of them: for Gram matrices of a few rows, torch and the
    symmetric product of BLAS take two to four times as long.

    A few at a time: arrays are padded to the largest of these, and neighbours are of about one size. Padded
    coefficients stay zero, because nothing depends on them.

    Parameters
    ----------
    batch : Batch
    programs : sequence of Program
    rows : Block
        With targets and weights of these structures.
    """

    def __init__(self, batch: Batch, programs: Sequence[Program], rows: Block) -> None:
        self._batch, self._target, self._root = batch, rows.target, rows.root
        self._n_inner = np.array([len(program.theta) for program in programs])
        self._n_terms = np.array([program.n_terms for program in programs])
        n_trials, n_terms, n_inner, n_rows = batch.n_trials, batch.n_terms, batch.n_inner, batch.n_rows
        self._may_be_any = np.ones((n_trials, n_inner), dtype=bool)
        for mine, program in zip(self._may_be_any, programs, strict=True):
            mine[program.layout.exponents] = False
        most = min(n_trials, _AT_ONCE) * n_rows
        self._phi, self._jacobian, self._factors = (np.empty(most * (n + 1)) for n in (n_terms, n_inner, n_inner))
        self._residual = np.empty((n_trials, n_rows))
        self._gram = np.tile(np.eye(n_terms), (n_trials, 1, 1))  # of the terms of the outputs
        self._curvature = np.zeros((n_trials, n_inner, n_inner))  # projected
        self._diagonal = np.ones((n_trials, n_inner))  # of the unprojected one
        self._descent = np.zeros((n_trials, n_inner))

    def solve(self, given: np.ndarray | None, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of the outputs, (n, M), and losses, (n,), at the coefficients that the batch was evaluated at.

        `given` (T, N) is what the fixed terms of the outputs of the batch give.
        """
        output, loss = np.zeros((len(numbers), self._batch.n_terms)), np.empty(len(numbers))
        for part, mine in _parts(numbers):
            self._solve(given, mine, output[part], loss[part])
        return output, np.where(np.isfinite(loss), loss, np.inf)

    def _solve(self, given: np.ndarray | None, numbers: np.ndarray, output: np.ndarray, loss: np.ndarray) -> None:
        stack, aim = self._terms(numbers, 1), self._target
        if aim.ndim == 2:
            aim = aim[numbers]
        if given is not None:
            root = self._root
            mine = given[numbers]
            aim = aim - (mine if root is None else mine * (root if root.ndim == 1 else root[numbers]))
        phi = stack[:, :-1]
        stack[:, -1] = aim
        sums = stack @ phi.transpose(0, 2, 1)  # Gram matrix, and the right side below
        gram, right = sums[:, :-1], sums[:, -1]
        diagonal = np.einsum("nmm->nm", gram)
        diagonal *= 1 + JITTER
        diagonal[diagonal == 0] = 1.0
        found = _solution(gram, right)
        residual = aim - _products(found, phi)
        square, whole = _squares(residual), _squares(aim)
        close = np.flatnonzero(~(square > _CLOSE * whole))
        if len(close):
            phi, aim = phi[close], aim if aim.ndim == 1 else aim[close]
            found[close] += _solution(gram[close], (phi @ residual[close, :, None])[:, :, 0])
            residual[close] = aim - _products(found[close], phi)
            square[close] = _squares(residual[close])
        n_terms = found.shape[1]
        output[:, :n_terms], self._residual[numbers] = found, residual
        self._gram[numbers, :n_terms, :n_terms] = gram
        loss[:] = square / self._batch.n_rows

    def _terms(self, numbers: np.ndarray, n_more: int) -> np.ndarray:
        """Terms of the outputs of a few, (n, m, N), times the root weights, and room for some more rows each."""
        n_all, root = self._n_terms[numbers].max() + n_more, self._root
        phi = self._batch.terms(numbers, _room(self._phi, len(numbers), n_all, self._batch.n_rows))
        if root is not None:
            phi *= root if root.ndim == 1 else root[numbers, None]
        return phi

    def expand(self, numbers: np.ndarray) -> np.ndarray:
        """Expand losses around coefficients at which they were solved last; which of the n could be, (n,).

        The batch is differentiated there before.
        """
        return np.concatenate([self._expand(mine) for _, mine in _parts(numbers)])

    def _expand(self, numbers: np.ndarray) -> np.ndarray:
        n_terms, n_inner, n_rows = self._n_terms[numbers].max(), self._n_inner[numbers].max(), self._batch.n_rows
        phi, gram = self._terms(numbers, 0), self._gram[numbers, :n_terms, :n_terms]
        stack = _room(self._jacobian, len(numbers), n_inner + 1, n_rows)
        jacobian = self._batch.jacobian(numbers, stack[:, :-1], _room(self._factors, len(numbers), n_inner, n_rows))
        stack[:, -1] = self._residual[numbers]
        sums = stack @ jacobian.transpose(0, 2, 1)  # products with each other, and what the residual has of them
        if not np.isfinite(sums[:, -1]).all():
            without_undefined(jacobian)
            sums = stack @ jacobian.transpose(0, 2, 1)
        joint, descent = sums[:, :-1], sums[:, -1]
        cross = phi @ jacobian.transpose(0, 2, 1)
        curvature = joint - cross.transpose(0, 2, 1) @ _solutions(gram, cross)
        diagonal = np.einsum("nkk->nk", joint)
        is_finite = np.isfinite(descent).all(axis=1)
        done = numbers[is_finite]
        self._curvature[done, :n_inner, :n_inner] = curvature[is_finite]
        self._diagonal[done, :n_inner] = np.where(diagonal > 0, diagonal, 1.0)[is_finite]
        self._descent[done, :n_inner] = descent[is_finite]
        return is_finite

    def step(
        self, theta: np.ndarray, damping: np.ndarray, least: np.ndarray, numbers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coefficients of n structures after a damped step, (n, K), whether it is to a law, and who rests, (n,) each.

        `theta` (n, K) are those where they were expanded; `damping` (n,); `least` (n,) is the loss that a step has to
        promise, see `steps.promises`.
        """
        trial, is_law, rests = theta.copy(), *np.zeros((2, len(numbers)), dtype=bool)
        for part, mine in _parts(numbers):
            n_inner = self._n_inner[mine].max()
            descent, diagonal = self._descent[mine, :n_inner], self._diagonal[mine, :n_inner]
            system = self._curvature[mine, :n_inner, :n_inner]
            np.einsum("nkk->nk", system)[...] += (damping[part, None] + JITTER) * diagonal
            step = _solution(system, descent)
            along, held = (step * descent).sum(axis=1), damping[part] * (step * step * diagonal).sum(axis=1)
            moves = (along >= 0) & (along < np.inf)  # as it is where the system is positive definite
            n_rows = self._batch.n_rows
            rests[part] = moves & ~promises(along / n_rows, held / n_rows, least[part])
            trial[part, :n_inner] += np.where(moves[:, None], step, 0.0)
            within = (np.abs(trial[part]) <= MAX_EXPONENT) | self._may_be_any[mine]
            is_law[part] = moves & ~rests[part] & within.all(axis=1)
        return trial, is_law, rests


def _parts(numbers: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """A few at a time, as many in each part."""
    n_parts = math.ceil(len(numbers) / _AT_ONCE)
    for i in range(n_parts):
        part = slice(len(numbers) * i // n_parts, len(numbers) * (i + 1) // n_parts)
        yield part, numbers[part]


def _room(buffer: np.ndarray, *shape: int) -> np.ndarray:
    """The first numbers of a buffer, in so many rows."""
    return buffer[: math.prod(shape)].reshape(shape)


def _products(output: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Sums of the terms (n, m, N) times the output (n, m), (n, N)."""
    return (output[:, None] @ phi)[:, 0]


def _squares(rows: np.ndarray) -> np.ndarray:
    """Sum of squares of each row, or of a single one."""
    return np.einsum("...n,...n->...", rows, rows)


def _solution(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of systems (n, m, m), for right sides (n, m)."""
    return _solutions(matrices, right[:, :, None])[:, :, 0]


def _solutions(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of systems (n, m, m), for right sides (n, m, p); not finite where a system is singular.

    By LU decompositions in one call. A Cholesky factor and its solution are two calls of torch, which take three times
    as long for so few rows.
    """
    try:
        return np.linalg.solve(matrices, right)
    except np.linalg.LinAlgError:  # one is singular to the last bit
        return torch.linalg.solve_ex(torch.from_numpy(matrices), torch.from_numpy(right))[0].numpy()
