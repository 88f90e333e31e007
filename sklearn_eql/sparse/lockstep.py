"""Levenberg-Marquardt for many structures in step, as long as most of them move."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from sklearn_eql._threads import single_threaded
from sklearn_eql.sparse.batch import Batch
from sklearn_eql.sparse.normal_equations import NormalEquations
from sklearn_eql.sparse.program import Program
from sklearn_eql.sparse.single_fit import Block
from sklearn_eql.sparse.steps import DAMPING_MAX, DAMPING_MIN, DAMPING_START, LESS, MORE, MOST_IDLE, Rules, State

_VALUES = 60_000  # structures times rows in one batch: units and arguments, which are gone through once in a step
_FEWEST = 32  # structures for which a batch is cheaper than one after the other
_MOST_ROWS = 400  # beyond, the cache holds too few structures at a time
_MOVING = 0.15  # of a batch, at least: the last ones go on one by one


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
        batch = Batch([programs[t] for t in mine], [values for values in still if values is not None], len(rows.X))
        begun |= zip(
            mine, _Steps(batch, [programs[t] for t in mine], rows.of_some(mine)).run(floors[mine], rules), strict=True
        )
    return begun


def _alike(programs: Sequence[Program], n_rows: int) -> Iterator[list[int]]:
    """Numbers of structures of about the same size, as many as one batch takes; none if so few do not pay."""
    if n_rows > _MOST_ROWS or len(programs) < _FEWEST:
        return
    order = sorted(range(len(programs)), key=lambda t: (len(programs[t].theta), programs[t].n_terms))
    n_solved = sum(not len(program.theta) for program in programs)  # at once: nothing inside them moves
    for numbers in (order[:n_solved], order[n_solved:]):
        n_batches = math.ceil(len(numbers) * n_rows / _VALUES)
        for i in range(n_batches):
            yield numbers[i * len(numbers) // n_batches : (i + 1) * len(numbers) // n_batches]


class _Steps:
    """A batch on its way: as `fit_one`, for T structures. Padded coefficients stay zero."""

    def __init__(self, batch: Batch, programs: Sequence[Program], rows: Block) -> None:
        self._batch, self._programs, self._root = batch, programs, rows.root
        self._equations = NormalEquations(batch, programs, rows)

    def run(self, floor: np.ndarray, rules: Rules) -> list[State]:
        """Until the rules end it, or too few move."""
        theta = self._batch.theta
        n_trials, n_done = len(theta), 0
        output, loss = self._at(theta, np.arange(n_trials))
        damping, idle = np.full(n_trials, DAMPING_START), np.zeros(n_trials, dtype=np.int64)
        has_inner = np.array([len(program.theta) > 0 for program in self._programs])
        active = (loss < np.inf) & (loss > floor) & has_inner
        if rules.max_iter and active.any():
            begun = np.flatnonzero(active)
            active[begun] = self._expand(output, begun)
            loss[begun[~active[begun]]] = np.inf
            while n_done < rules.max_iter and active.sum() >= max(1, _MOVING * n_trials):
                if time.time() > rules.deadline:
                    break
                n_done += 1
                moving = np.flatnonzero(active)
                trial, trial_output = theta.copy(), np.zeros_like(output)
                trial_loss, is_law, rests = np.full(n_trials, np.inf), *np.zeros((2, n_trials), dtype=bool)
                trial[moving], is_law[moving], rests[moving] = self._equations.step(
                    theta[moving], damping[moving], rules.tol * loss[moving], moving
                )
                idle[rests] = MOST_IDLE
                active &= ~rests
                trial[rests] = theta[rests]
                tried = np.flatnonzero(is_law)
                trial_output[tried], trial_loss[tried] = self._at(trial, tried)
                better = trial_loss < loss
                if n_done < rules.max_iter and better.any():
                    better[better] = self._expand(trial_output, np.flatnonzero(better))
                progress = better & (trial_loss <= loss * (1 - rules.tol))
                theta[better], output[better], loss[better] = trial[better], trial_output[better], trial_loss[better]
                changed = (damping * np.where(better, LESS, MORE)).clip(DAMPING_MIN, DAMPING_MAX)
                damping = np.where(active, changed, damping)
                idle = np.where(active, np.where(progress, 0, idle + 1), idle)
                active &= (loss > floor) & (idle < MOST_IDLE)
        course = zip(loss.tolist(), damping.tolist(), idle.tolist(), strict=True)
        return [
            State(mine[: len(program.theta)].copy(), out[: program.n_terms].copy(), *how, n_done)
            for mine, out, how, program in zip(theta, output, course, self._programs, strict=True)
        ]

    def _at(self, theta: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of the outputs, (n, M), and losses, (n,), of some structures at `theta` (T, K)."""
        return self._equations.solve(self._batch.evaluate(theta), numbers)

    def _expand(self, output: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Expand some losses around the coefficients of the last call of `_at` and its output (T, M); which can be."""
        self._batch.differentiate(output, self._root)
        return self._equations.expand(numbers)
