"""Levenberg-Marquardt for many structures in step, as long as most of them move."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch

from sklearn_eql._threads import single_threaded
from sklearn_eql.sparse.batch import Batch
from sklearn_eql.sparse.program import Program
from sklearn_eql.sparse.single_fit import Block
from sklearn_eql.sparse.steps import (
    DAMPING_MAX,
    DAMPING_MIN,
    DAMPING_START,
    JITTER,
    LESS,
    MAX_EXPONENT,
    MORE,
    MOST_IDLE,
    Rules,
    State,
    without_undefined,
)

_VALUES = 20_000  # structures times rows in one batch: what they compute fits into the cache of a core
_FEWEST = 24  # structures for which a batch is cheaper than one after the other
_MOST_ROWS = 400  # beyond, the cache holds too few structures at a time
_MOVING = 0.3  # of a batch, at least: the last ones go on one by one


@single_threaded()
def in_lockstep(programs: Sequence[Program], rows: Block, floors: np.ndarray, rules: Rules) -> dict[int, State]:
    """How far structures come together, by number; those that are missing are not begun.

    Parameters
    ----------
    programs : sequence of Program, T of them
    rows : Block
    floors : ndarray (T,)
        Losses below which they rest.
    """
    begun: dict[int, State] = {}
    for chosen in _alike(programs, len(rows.X)):
        if begun and time.time() > rules.deadline:
            break
        still = [programs[t].still_values(rows.X) for t in chosen]
        defined = [i for i, values in enumerate(still) if values is not None]
        for t, values in zip(chosen, still, strict=True):
            if values is None:
                begun[t] = State.undefined(programs[t].theta, programs[t].n_terms)
        if not defined:
            continue
        mine = [chosen[i] for i in defined]
        batch = Batch([programs[t] for t in mine], [still[i] for i in defined], len(rows.X))
        begun |= zip(mine, _Steps(batch, [programs[t] for t in mine], rows, mine).run(floors[mine], rules), strict=True)
    return begun


def _alike(programs: Sequence[Program], n_rows: int) -> Iterator[list[int]]:
    """Numbers of structures of about the same size, as many as one batch takes; none if so few do not pay."""
    if n_rows > _MOST_ROWS or len(programs) < _FEWEST:
        return
    order = sorted(range(len(programs)), key=lambda t: (len(programs[t].theta), programs[t].n_terms))
    n_batches = max(1, round(len(order) * n_rows / _VALUES))
    for i in range(n_batches):
        yield order[i * len(order) // n_batches : (i + 1) * len(order) // n_batches]


def _chosen(better: np.ndarray, new: np.ndarray, known: np.ndarray) -> np.ndarray:
    """What is new of the trials that became better, (T, ...)."""
    return np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, known)


class _Steps:
    """A batch on its way: as `Model` and `fit_one`, for T structures.

    Padded coefficients stay zero: nothing depends on them.
    """

    def __init__(self, batch: Batch, programs: Sequence[Program], rows: Block, numbers: list[int]) -> None:
        self._batch, self._programs = batch, programs
        self._target = rows.target if rows.target.ndim == 1 else rows.target[numbers]
        self._root = rows.root if rows.root is None or rows.root.ndim == 1 else rows.root[numbers]
        self._is_exponent = np.zeros(batch.theta.shape, dtype=bool)
        for mine, program in zip(self._is_exponent, programs, strict=True):
            mine[program.layout.exponents] = True

    def run(self, floor: np.ndarray, rules: Rules) -> list[State]:
        """Until the rules end it, or too few move."""
        theta = self._batch.theta
        output, loss = self._at(theta)
        n_trials, n_done = len(theta), 0
        damping, idle = np.full(n_trials, DAMPING_START), np.zeros(n_trials, dtype=np.int64)
        has_inner = np.array([len(program.theta) > 0 for program in self._programs])
        active = np.isfinite(loss) & (loss > floor) & has_inner
        if rules.max_iter and active.any():
            *here, is_finite = self._expand(output, active)
            loss[active & ~is_finite] = np.inf
            active &= is_finite
            while n_done < rules.max_iter and active.sum() >= max(1, _MOVING * n_trials):
                if time.time() > rules.deadline:
                    break
                n_done += 1
                trial, is_law = self._stepped(theta, here, damping, active)
                trial_output, trial_loss = self._at(trial)
                better = active & is_law & (trial_loss < loss)
                there = here
                if n_done < rules.max_iter and better.any():
                    *there, is_finite = self._expand(trial_output, better)
                    better &= is_finite
                progress = better & (trial_loss <= loss * (1 - rules.tol))
                known, new = [theta, output, loss, *here], [trial, trial_output, trial_loss, *there]
                theta, output, loss, *here = new if better.all() else map(partial(_chosen, better), new, known)
                factor = np.where(better, LESS, MORE)
                damping = np.where(active, (damping * factor).clip(DAMPING_MIN, DAMPING_MAX), damping)
                idle = np.where(active, np.where(progress, 0, idle + 1), idle)
                active &= (loss > floor) & (idle < MOST_IDLE)
        return [
            State(
                theta[t, : len(program.theta)].copy(),
                output[t, : program.n_terms].copy(),
                float(loss[t]),
                float(damping[t]),
                int(idle[t]),
                n_done,
            )
            for t, program in enumerate(self._programs)
        ]

    def _at(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of the outputs, (T, M), and losses, (T,)."""
        batch, root, aim = self._batch, self._root, self._target
        given = batch.evaluate(theta)
        if root is not None:
            batch.phi *= root if root.ndim == 1 else root[:, None]
        if given is not None:
            aim = aim - (given if root is None else given * root)
        phi = batch.phi
        self._phi = torch.from_numpy(phi)
        gram = torch.bmm(self._phi, self._phi.mT)
        diagonal = gram.diagonal(dim1=1, dim2=2)
        diagonal.mul_(1 + JITTER).add_(diagonal == 0)
        self._factor = torch.linalg.cholesky_ex(gram)[0]
        right = phi @ aim if aim.ndim == 1 else (phi @ aim[:, :, None])[:, :, 0]
        output = self._solve(right[:, :, None])[:, :, 0]
        residual = aim - (output[:, None] @ phi)[:, 0]
        output = output + self._solve(phi @ residual[:, :, None])[:, :, 0]
        self._residual = aim - (output[:, None] @ phi)[:, 0]
        loss = np.einsum("tn,tn->t", self._residual, self._residual) / phi.shape[2]
        return output, np.where(np.isfinite(loss), loss, np.inf)

    def _solve(self, right: np.ndarray) -> np.ndarray:
        """With the Gram matrix of the terms, for (T, M, p)."""
        return torch.cholesky_solve(torch.from_numpy(right), self._factor).numpy()

    def _expand(self, output: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Curvature (T, K, K), its unprojected diagonal (T, K), descent (T, K), and whether all is finite, (T,)."""
        self._batch.differentiate(output, self._root)
        descent = self._descent()
        if (wanted & ~np.isfinite(descent).all(axis=1)).any():
            without_undefined(self._batch.jacobian)
            descent = self._descent()
        jacobian = torch.from_numpy(self._batch.jacobian)
        joint, cross = torch.bmm(jacobian, jacobian.mT), torch.bmm(self._phi, jacobian.mT)
        curvature = joint - cross.mT @ torch.cholesky_solve(cross, self._factor)
        diagonal = joint.diagonal(dim1=1, dim2=2).numpy()
        is_finite = np.isfinite(descent).all(axis=1)
        return curvature.numpy(), np.where(diagonal > 0, diagonal, 1.0), descent, is_finite

    def _descent(self) -> np.ndarray:
        return (self._batch.jacobian @ self._residual[:, :, None])[:, :, 0]

    def _stepped(
        self, theta: np.ndarray, here: list[np.ndarray], damping: np.ndarray, active: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients after a damped step of those that move, and whether there is one to a law, (T,)."""
        curvature, diagonal, descent = here
        system = torch.from_numpy(curvature).clone()
        system.diagonal(dim1=1, dim2=2).add_(torch.from_numpy((damping[:, None] + JITTER) * diagonal))
        factor, info = torch.linalg.cholesky_ex(system)
        step = torch.cholesky_solve(torch.from_numpy(descent)[:, :, None], factor)[:, :, 0].numpy()
        moves = active & (info.numpy() == 0) & np.isfinite(step).all(axis=1)
        trial = np.where(moves[:, None], theta + step, theta)
        return trial, moves & ((np.abs(trial) <= MAX_EXPONENT) | ~self._is_exponent).all(axis=1)
