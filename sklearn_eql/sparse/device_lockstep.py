"""Levenberg-Marquardt on a device of torch: as :mod:`sklearn_eql.sparse.lockstep`, without a look at what it computes.

Every read of a result makes the host wait for the device, so structures that rest are masked and not left out, and the
host looks every few steps only. Where few still move then, these go on in a smaller batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from sklearn_eql._devices import bytes_at_once, ship
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.device_batch import DeviceBatch
from sklearn_eql.sparse.packing import Packing
from sklearn_eql.sparse.program import Program
from sklearn_eql.sparse.single_fit import Block
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
)

_LEAST_VALUES = 10_000  # structures times rows, from which the launches of a step cost less than the step on a CPU
_MOST_VALUES = 1 << 21  # in one batch: more keeps no device busier, and structures of one size pad each other less
_MOST_STRUCTURES = 1 << 15  # in one batch: products of more matrices than 65,535 at once are not safe on every GPU
_LOOK = 4  # steps between looks at what still moves
_MOVING = 0.3  # of a batch, at least: fewer go on in a batch of their own
_EXTRA_ROWS = 8  # of a structure: targets, residuals, copies of them


def fits_on(device: str, programs: Sequence[Program], n_rows: int) -> bool:
    """Whether there is enough to do for a device, and no structure takes more than its memory."""
    if len(programs) * n_rows < _LEAST_VALUES:
        return False
    return n_rows * max(map(_rows_of, programs)) <= bytes_at_once(device) // 8


def in_lockstep_on(
    device: str,
    programs: Sequence[Program],
    primitives: Mapping[str, Primitive],
    rows: Block,
    floors: np.ndarray,
    rules: Rules,
) -> dict[int, State]:
    """How far structures come together, by number; missing ones are not begun, the last few are left to go on alone.

    Parameters
    ----------
    device : str
    programs : sequence of Program, T of them
    primitives : mapping of str to Primitive
    rows : Block
        All rows.
    floors : ndarray (T,)
        Losses below which they rest.
    """
    states: dict[int, State] = {}
    waiting: list[int] = []
    n_begun = 0
    for t, program in enumerate(programs):
        if all(rows.X.logarithm(f, c) is not None for _, f, c in program.layout.inputs):
            waiting.append(t)
        else:
            states[t] = State.undefined(program.theta, program.n_terms)
    while waiting:
        n_before = len(waiting)
        for chosen in _alike(waiting, programs, len(rows.X), device):
            if n_begun and time.time() > rules.deadline:
                return states
            n_begun += len(chosen)
            mine, begun = [programs[t] for t in chosen], [states.get(t) for t in chosen]
            found = _run(mine, primitives, rows.of_some(chosen), begun, floors[chosen], rules, device)
            states |= zip(chosen, found, strict=True)
        waiting = [t for t in waiting if states[t].moves(floors[t], rules)]
        if len(waiting) == n_before or len(waiting) * len(rows.X) < _LEAST_VALUES:
            break
    return states


def _alike(numbers: list[int], programs: Sequence[Program], n_rows: int, device: str) -> Iterator[list[int]]:
    """Numbers of structures of about the same size, as many as one batch takes."""
    room = bytes_at_once(device) // 8
    most = max(1, min(_MOST_STRUCTURES, min(_MOST_VALUES, room) // max(n_rows, 1)))
    chosen: list[int] = []
    used = 0
    for t in sorted(numbers, key=lambda t: (len(programs[t].theta), programs[t].n_terms)):
        mine = n_rows * _rows_of(programs[t])
        if chosen and (used + mine > room or len(chosen) == most):
            yield chosen
            chosen, used = [], 0
        chosen.append(t)
        used += mine
    if chosen:
        yield chosen


def _rows_of(program: Program) -> int:
    """Rows that one structure takes of the arrays of a batch."""
    arrays = program.layout.arrays
    return len(arrays.units) + 3 * len(arrays.args) + 2 * program.n_terms + 3 * len(program.theta) + _EXTRA_ROWS


def _run(
    programs: Sequence[Program],
    primitives: Mapping[str, Primitive],
    rows: Block,
    states: Sequence[State | None],
    floors: np.ndarray,
    rules: Rules,
    device: str,
) -> list[State]:
    """One batch, from its starts or from where it has come to, until it rests or too few move."""
    has_own_roots = rows.root is not None and rows.root.ndim == 2
    packing = Packing([program.layout for program in programs], has_own_roots)
    shape = (len(programs), packing.n_inner)
    theta, limits = np.zeros(shape), np.full(shape, np.inf)
    begun = [state or State(p.theta, np.zeros(0), math.inf) for p, state in zip(programs, states, strict=True)]
    for t, (program, state) in enumerate(zip(programs, begun, strict=True)):
        theta[t, : len(state.theta)] = state.theta
        limits[t, program.layout.exponents] = MAX_EXPONENT
    course = np.array([(state.damping, state.idle, state.n_steps) for state in begun], dtype=float)
    n_steps = np.array([rules.max_iter if len(p.theta) else 0 for p in programs], dtype=float)
    given = {"theta": theta, "limits": limits, "course": course, "most": n_steps, "floor": floors, "aim": rows.target}
    given["constants"] = packing.constants
    if rows.root is not None:
        given["root"] = rows.root
    there = ship(given, device)
    still = rows.X.on(device, packing.columns, packing.logarithms)
    batch = DeviceBatch(packing, primitives, still, there.get("root"), there["constants"])
    steps = _Steps(batch, there, rules)
    most = int(max(n_steps - course[:, 2], default=0))
    found = steps.run(most, rules.deadline).cpu().numpy()
    ends = np.cumsum([packing.n_inner, packing.n_terms])
    return [
        State(mine[: len(p.theta)].copy(), mine[ends[0] : ends[0] + p.n_terms].copy(), *_course(mine[ends[1] :]))
        for mine, p in zip(found, programs, strict=True)
    ]


def _course(values: np.ndarray) -> tuple[float, float, int, int]:
    loss, damping, idle, n_steps = values.tolist()
    return loss, damping, int(idle), int(n_steps)


class _Steps:
    """A batch on its way; see :class:`sklearn_eql.sparse.lockstep._Steps`."""

    def __init__(self, batch: DeviceBatch, given: Mapping[str, torch.Tensor], rules: Rules) -> None:
        self._batch, self._tol = batch, rules.tol
        self._aim, self._root, self._floor = given["aim"], given.get("root"), given["floor"]
        self._theta, self._limits, self._most = given["theta"], given["limits"], given["most"]
        self._damping, self._idle, self._n_steps = given["course"].T

    def run(self, most: int, deadline: float) -> torch.Tensor:
        """At most so many steps; inner coefficients, outputs, loss, damping, idle and steps in a row each."""
        theta, damping, idle, n_steps = self._theta, self._damping, self._idle, self._n_steps
        output, loss = self._at(theta)
        active = self._moves(loss, idle, n_steps)
        if most:
            *here, is_finite = self._expand(output)
            loss = torch.where(active & ~is_finite, math.inf, loss)
            active = active & is_finite
        for done in range(most):
            if done and done % _LOOK == 0 and self._ends(active, deadline):
                break
            trial, is_law, rests = self._stepped(theta, here, damping, self._tol * loss, active)
            active, idle = active & ~rests, torch.where(rests, float(MOST_IDLE), idle)
            trial_output, trial_loss = self._at(trial)
            better = is_law & (trial_loss < loss)
            there = here
            if done + 1 < most:
                *there, is_finite = self._expand(trial_output)
                better = better & (is_finite | (n_steps + 1 >= self._most))
            progress = better & (trial_loss <= loss * (1 - self._tol))
            known, new = [theta, output, loss, *here], [trial, trial_output, trial_loss, *there]
            theta, output, loss, *here = map(partial(_chosen, better), new, known)
            changed = torch.where(better, LESS * damping, MORE * damping).clamp(DAMPING_MIN, DAMPING_MAX)
            damping = torch.where(active, changed, damping)
            idle = torch.where(active, torch.where(progress, 0.0, idle + 1), idle)
            n_steps = n_steps + active
            active = active & self._moves(loss, idle, n_steps)
        course = torch.stack([loss, damping, idle, n_steps], dim=1)
        return torch.cat([theta, output, course], dim=1)

    def _moves(self, loss: torch.Tensor, idle: torch.Tensor, n_steps: torch.Tensor) -> torch.Tensor:
        return (loss > self._floor) & (loss < math.inf) & (idle < MOST_IDLE) & (n_steps < self._most)

    def _ends(self, active: torch.Tensor, deadline: float) -> bool:
        """Whether time is up or too few move: the only look at the device on the way."""
        return time.time() > deadline or float(active.sum()) < max(1.0, _MOVING * len(active))

    def _at(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Coefficients of the outputs, (T, M), and losses, (T,)."""
        given = self._batch.evaluate(theta)
        phi = self._phi = self._batch.phi
        aim = self._aim.expand(phi[:, 0].shape) if given is None else self._aim - given
        gram = torch.bmm(phi, phi.mT)
        diagonal = gram.diagonal(dim1=1, dim2=2)
        diagonal.mul_(1 + JITTER).add_(diagonal == 0)
        self._factor = torch.linalg.cholesky_ex(gram)[0]
        output = _solved(self._factor, torch.bmm(phi, aim[:, :, None]))
        residual = aim[:, None] - torch.bmm(output.mT, phi)
        output = output + _solved(self._factor, torch.bmm(phi, residual.mT))
        self._residual = aim[:, None] - torch.bmm(output.mT, phi)  # (T, 1, N)
        loss = self._residual.square().mean(dim=(1, 2))
        return output[:, :, 0], torch.where(loss < math.inf, loss, math.inf)  # NaN is not

    def _expand(self, output: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Curvature (T, K, K), its unprojected diagonal (T, K), descent (T, K), and whether all is finite, (T,)."""
        jacobian = self._batch.differentiate(output)
        joint, cross = torch.bmm(jacobian, jacobian.mT), torch.bmm(self._phi, jacobian.mT)
        descent = torch.bmm(jacobian, self._residual.mT)[:, :, 0]
        half = torch.linalg.solve_triangular(self._factor, cross, upper=False)
        curvature = joint - torch.bmm(half.mT, half)
        diagonal = joint.diagonal(dim1=1, dim2=2)
        return curvature, torch.where(diagonal > 0, diagonal, 1.0), descent, _are_finite(descent)

    def _stepped(
        self,
        theta: torch.Tensor,
        here: list[torch.Tensor],
        damping: torch.Tensor,
        least: torch.Tensor,
        active: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Coefficients after a damped step of those that move, whether it leads to a law, and who rests, (T,)."""
        curvature, diagonal, descent = here
        system = curvature.clone()
        system.diagonal(dim1=1, dim2=2).add_((damping[:, None] + JITTER) * diagonal)
        factor, info = torch.linalg.cholesky_ex(system)
        step = _solved(factor, descent[:, :, None])[:, :, 0]
        moves = active & (info == 0) & _are_finite(step)
        along, held = (step * descent).sum(dim=1), damping * (step.square() * diagonal).sum(dim=1)
        rests = moves & ~promises(along / self._batch.n_rows, held / self._batch.n_rows, least)
        moves = moves & ~rests
        trial = torch.where(moves[:, None], theta + step, theta)
        return trial, moves & (trial.abs() <= self._limits).all(dim=1), rests


def _chosen(better: torch.Tensor, new: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """What is new of the trials that became better, (T, ...)."""
    return torch.where(better.view(-1, *[1] * (new.ndim - 1)), new, known)


def _are_finite(rows: torch.Tensor) -> torch.Tensor:
    """Whether all numbers of a row (T, K) are, (T,), in fewer operations than `isfinite` has."""
    return rows.abs().amax(dim=1) < math.inf


def _solved(factor: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """With a Cholesky factor, for (T, M, p).

    As two operations: `cholesky_solve` goes through the matrices one after the other on some devices.
    """
    half = torch.linalg.solve_triangular(factor, right, upper=False)
    return torch.linalg.solve_triangular(factor.mT, half, upper=True)
