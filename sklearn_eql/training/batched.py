"""The one training loop: gradient descent on all trials of a batched network at once.

Trials are independent: the objective is a sum over trials, optimisers act elementwise, and whatever is random depends
on a trial's own seed. A trial whose loss or weights stop being finite cannot reach the others; it is started again from
a fresh seed while that is cheap (in the first phase, a bounded number of times) and retired otherwise. Exponentials are
therefore not clamped: a clamp would make the trained network differ from the law that is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from sklearn_eql._devices import moved
from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.networks.freezing import count_active, freeze
from sklearn_eql.networks.penalties import DOMAIN_WEIGHT, Penalty, closed_gradient, resolve_penalty
from sklearn_eql.stopping import NEVER, Deadline, StopReason
from sklearn_eql.training.closed_form import ErrorGradient
from sklearn_eql.training.optimizers import OptimizerFactory, make_optimizer, set_learning_rate
from sklearn_eql.training.records import Progress, Status, TrainingResult, TrialRecord
from sklearn_eql.training.schedule import PAPER_ALPHA, Phase, pending_threshold, resolve_phases

CHUNK_BYTES = 4 << 20
"""Activations of one layer that are worked on at once on a CPU: what stays in its caches (more is 3 times slower)."""

ACCELERATOR_CHUNK_BYTES = 256 << 20
"""The same on other devices, where it bounds memory."""


def train(
    network: BatchedEQL,
    X: torch.Tensor | np.ndarray,
    y: torch.Tensor | np.ndarray,
    phases: str | Sequence[Phase] = "paper",
    *,
    optimizer: str | OptimizerFactory = "rmsprop",
    penalty: str | Penalty = "l05",
    alpha: float | np.ndarray = PAPER_ALPHA,
    sample_weight: np.ndarray | None = None,
    batch_size: int | None = None,
    batch_seed: int = 0,
    deadline: Deadline = NEVER,
    callback: Callable[[Progress], bool | None] | None = None,
    check_every: int = 100,
    max_restarts: int = 3,
    domain_weight: float = DOMAIN_WEIGHT,
) -> TrainingResult:
    """Train all trials of `network`, in place.

    Per trial, the objective is the mean over rows and outputs of the squared error, plus ``alpha`` times the penalty,
    plus `domain_weight` times the domain violation.

    Parameters
    ----------
    network : BatchedEQL
        Holds the final weights afterwards.
    X : array of shape (N, F)
    y : array of shape (N,) or (N, O)
    phases : str or sequence of Phase
        A name of `SCHEDULES`, or phases.
    optimizer : {"rmsprop", "adam"} or callable
        A callable takes parameters and returns a `torch.optim.Optimizer`; it must act elementwise.
    penalty : {"l05", "l0", "l1"} or Penalty
    alpha : float or array of shape (T,)
        Penalty weight (lambda in the paper), per trial.
    sample_weight : array of shape (N,), optional
    batch_size : int, optional
        Rows per step; all by default. Batches are the same for all trials, drawn from `batch_seed`.
    deadline : Deadline
        When to stop. Weights are then thresholded as at the end of the phase.
    callback : callable, optional
        Called every `check_every` steps with a `Progress`; returning True stops training.
    max_restarts : int
        How often a trial that diverges in the first phase is started again, with fresh weights.
    """
    run = _Run(network, X, y, resolve_phases(phases), resolve_penalty(penalty), alpha, sample_weight)
    run.configure(optimizer, batch_size, batch_seed, domain_weight, max_restarts)
    return run.execute(deadline, callback, check_every)


class _Run:
    """State of one call of `train`."""

    def __init__(self, network, X, y, phases, penalty, alpha, sample_weight) -> None:
        self.network, self.phases, self.penalty = network, phases, penalty
        like = network.flat.detach()
        as_tensor = lambda values: torch.as_tensor(values).to(device=like.device, dtype=like.dtype)  # noqa: E731
        self.x = as_tensor(X).T.contiguous()  # (F, N)
        self.y = as_tensor(y).reshape(self.x.shape[1], -1).T.contiguous()  # (O, N)
        self.weight = None  # (N,)
        if sample_weight is not None:
            weight = as_tensor(sample_weight)
            self.weight = weight / weight.mean()
        n_trials = network.n_trials
        self.alpha = as_tensor(np.broadcast_to(np.asarray(alpha, dtype=np.float64), (n_trials,)).copy())  # (T,)
        self.active = np.arange(n_trials)
        self.seeds = np.asarray(network.seeds)
        self.n_restarts = np.zeros(n_trials, dtype=int)
        self.trial_steps = np.zeros(n_trials, dtype=int)
        self.status: list[Status | None] = [None] * n_trials
        self.loss = np.full(n_trials, np.inf)
        self.weights = np.zeros(tuple(like.shape), dtype=like.cpu().numpy().dtype)
        self.mask = np.zeros(tuple(like.shape), dtype=bool)
        self.curve: list[np.ndarray] = []
        self.curve_steps: list[int] = []
        self.step = 0

    def configure(self, optimizer, batch_size, batch_seed, domain_weight, max_restarts) -> None:
        self.gates = self.penalty.gates(self.network.flat.detach(), self.network.seeds, self.network.n_output_weights)
        parameters = [self.network.flat] + ([self.gates.log_alpha] if self.gates else [])
        self.optimizer = make_optimizer(optimizer, parameters)
        n_rows = self.x.shape[1]
        self.batch_size = None if batch_size is None or batch_size >= n_rows else batch_size
        self.batches = torch.Generator().manual_seed(batch_seed)
        self.order = torch.empty(0, dtype=torch.long)
        self.error_gradient = ErrorGradient(self.network, domain_weight)
        self.penalty_gradient = closed_gradient(self.penalty)
        self.max_restarts = max_restarts
        self.frozen = not bool(self.network.mask.all())

    def execute(self, deadline, callback, check_every) -> TrainingResult:
        total_steps = sum(phase.n_steps for phase in self.phases)
        ended, index = Status.CONVERGED, 0
        for _ in range(self.max_restarts):  # weights that are not finite on the data before training even starts
            bad = ~np.isfinite(self._evaluate())
            if not bad.any():
                break
            self._restart(np.flatnonzero(bad))
        try:
            for index, phase in enumerate(self.phases):
                set_learning_rate(self.optimizer, phase.learning_rate)
                for step in range(1, phase.n_steps + 1):
                    self._step(phase)
                    if reason := deadline.passed:
                        ended = Status.INTERRUPTED if reason == StopReason.INTERRUPTED else Status.TIMED_OUT
                        break
                    if step % check_every == 0 or step == phase.n_steps:
                        self._check(may_restart=index == 0 and step < phase.n_steps)
                        if callback is not None and len(self.active) and callback(self._progress(total_steps)):
                            ended = Status.STOPPED
                            break
                    if not len(self.active):
                        break
                if ended is not Status.CONVERGED or not len(self.active):
                    break
                self._leave(phase)
        except KeyboardInterrupt:
            ended = Status.INTERRUPTED
        if ended is not Status.CONVERGED:
            self._freeze(pending_threshold(self.phases[index:]))
        elif self.gates is not None:
            self._freeze(0.0)
        return self._finish(ended)

    def _step(self, phase: Phase) -> None:
        parameters = [self.network.flat] + ([self.gates.log_alpha] if self.gates else [])
        if self.gates:
            self.gates.draw()
        rows = self._rows()
        chunks = self._chunks(rows[0].shape[1])
        if len(chunks) == 1:
            for parameter, gradient in zip(parameters, self._gradients(chunks[0], phase, *rows), strict=True):
                parameter.grad = gradient
        else:
            for parameter in parameters:
                parameter.grad = torch.empty_like(parameter) if parameter.grad is None else parameter.grad
            for trials in chunks:
                for parameter, gradient in zip(parameters, self._gradients(trials, phase, *rows), strict=True):
                    parameter.grad[trials] = gradient
        self.optimizer.step()
        self.step += 1
        self.trial_steps[self.active] += 1

    def _gradients(self, trials: slice, phase: Phase, x, y, weight) -> Sequence[torch.Tensor]:
        """Of error, penalty and domain violation, summed over trials, by weights and gates; trials do not mix in it."""
        flat, alpha = self.network.flat.detach()[trials], None
        mask = self.network.mask[trials] if self.frozen else None
        if phase.alpha_scale and self.penalty is not None:
            alpha = self.alpha[trials]  # (n,)
        if self.gates is None and (alpha is None or self.penalty_gradient is not None):
            used = flat if mask is None else flat * mask
            gradient = self.error_gradient(used, x, y, weight)
            if alpha is not None and self.penalty_gradient is not None:
                gradient.addcmul_(self.penalty_gradient(used), alpha[:, None], value=phase.alpha_scale)
            return [gradient if mask is None else gradient.mul_(mask)]
        leaves = [flat.requires_grad_()]
        if self.gates:
            leaves.append(self.gates.log_alpha.detach()[trials].requires_grad_())
        gates = self.gates.rows(trials, leaves[1]) if self.gates else None
        flat = leaves[0] if mask is None else leaves[0] * mask
        used = gates.sample(flat) if gates else flat
        ends, slopes = [used], [self.error_gradient(used.detach(), x, y, weight)]
        if alpha is not None and (cost := self.penalty.value(flat, gates)).requires_grad:
            ends, slopes = [*ends, cost], [*slopes, alpha * phase.alpha_scale]
        return torch.autograd.grad(ends, leaves, slopes, materialize_grads=True)

    def _chunks(self, n_rows: int) -> list[slice]:
        """Active trials in chunks of bounded memory; their results do not depend on it."""
        n_trials = len(self.active)
        limit = CHUNK_BYTES if self.x.device.type == "cpu" else ACCELERATOR_CHUNK_BYTES
        size = max(2, limit // (n_rows * len(self.network.units) * self.x.element_size()))
        return [slice(start, start + size) for start in range(0, n_trials, size)]

    def _rows(self):
        if self.batch_size is None:
            return self.x, self.y, self.weight
        if len(self.order) < self.batch_size:
            self.order = moved(torch.randperm(self.x.shape[1], generator=self.batches), self.x.device)
        rows, self.order = self.order[: self.batch_size], self.order[self.batch_size :]
        return self.x[:, rows], self.y[:, rows], None if self.weight is None else self.weight[rows]

    @torch.no_grad()
    def _evaluate(self) -> np.ndarray:
        """Mean squared error of each active trial on all rows, deterministic gates, shape ``(n,)``."""
        flat = self.network.masked()
        if self.gates:
            flat = self.gates.expected(flat)
        loss = flat.new_empty(len(flat))
        for rows in self._chunks(self.x.shape[1]):
            residual = self.network.propagate(self.x, flat[rows])[0] - self.y  # (n, O, N)
            squares = residual.square_()
            loss[rows] = (squares if self.weight is None else squares.mul_(self.weight)).mean(dim=(1, 2))
        finite = torch.isfinite(flat).all(dim=1) & torch.isfinite(loss)
        return torch.where(finite, loss, torch.inf).cpu().numpy()

    def _check(self, may_restart: bool) -> None:
        """Record losses, restart or retire what is not finite."""
        loss = self._evaluate()
        self.loss[self.active] = loss
        self.curve.append(np.full(len(self.loss), np.nan))
        self.curve[-1][self.active] = loss
        self.curve_steps.append(self.step)
        bad = ~np.isfinite(loss)
        if not bad.any():
            return
        again = bad & (self.n_restarts[self.active] < self.max_restarts) & may_restart
        if again.any():
            self._restart(np.flatnonzero(again))
        if (bad & ~again).any():
            self._shrink(~(bad & ~again), Status.DIVERGED)

    def _restart(self, rows: np.ndarray) -> None:
        trials = self.active[rows]
        self.n_restarts[trials] += 1
        self.trial_steps[trials] = 0
        self.network.restart(rows, self.seeds[trials], self.n_restarts[trials])
        rows = torch.as_tensor(rows, device=self.x.device)
        if self.gates:
            self.gates.restart(rows, self.seeds[trials])
        for tensors in self.optimizer.state.values():
            for value in tensors.values():
                if _is_per_trial(value, len(self.active)):
                    value[rows] = 0.0

    def _shrink(self, keep: np.ndarray, status: Status) -> None:
        """Retire the active trials outside the boolean array `keep`: store them, and go on with a smaller batch."""
        self._store(~keep, status)
        n_before = len(self.active)
        rows = torch.as_tensor(np.flatnonzero(keep), device=self.x.device)
        for parameter in [p for group in self.optimizer.param_groups for p in group["params"]]:
            for name, value in self.optimizer.state[parameter].items():
                if _is_per_trial(value, n_before):
                    self.optimizer.state[parameter][name] = value[rows]
            parameter.grad = None
            parameter.data = parameter.data[rows]
        self.network.mask = self.network.mask[rows]
        if self.gates:
            self.gates.keep(rows)
        self.alpha = self.alpha[rows]
        self.active = self.active[keep]

    def _leave(self, phase: Phase) -> None:
        if phase.keep < 1:
            n_kept = max(1, round(phase.keep * len(self.active)))
            keep = np.zeros(len(self.active), dtype=bool)
            keep[np.argsort(self.loss[self.active], kind="stable")[:n_kept]] = True
            if not keep.all():
                self._shrink(keep, Status.CULLED)
        if phase.threshold is not None:
            self._freeze(phase.threshold)

    def _freeze(self, threshold: float) -> None:
        """Close gates for good, then freeze small weights and those that lead nowhere."""
        freeze(self.network, threshold, self.gates)
        if self.gates:
            self.optimizer.param_groups[0]["params"] = [self.network.flat]
            self.gates = self.penalty = None
        self.frozen = True

    def _store(self, rows: np.ndarray, status: Status) -> None:
        flat = self.network.masked().detach()
        if self.gates:
            flat = self.gates.expected(flat)
        trials = self.active[rows]
        if status is not Status.DIVERGED:
            self.weights[trials] = flat.cpu().numpy()[rows]
            self.mask[trials] = self.network.mask.cpu().numpy()[rows]
        for trial in trials:
            self.status[trial] = status

    def _finish(self, ended: Status) -> TrainingResult:
        if len(self.active):
            loss = self._evaluate()
            self.loss[self.active] = loss
            if not np.isfinite(loss).all():
                self._shrink(np.isfinite(loss), Status.DIVERGED)
            self._store(np.ones(len(self.active), dtype=bool), ended)
        device = self.network.flat.device
        self.network.flat.grad = None
        self.network.flat.data = torch.as_tensor(self.weights, device=device)
        self.network.mask = torch.as_tensor(self.mask, device=device)
        n_active = count_active(torch.as_tensor(self.weights)).tolist()
        records = tuple(
            TrialRecord(int(seed), status, float(loss), int(n_steps), int(n_restarts), n)
            for seed, status, loss, n_steps, n_restarts, n in zip(
                self.seeds, self.status, self.loss, self.trial_steps, self.n_restarts, n_active, strict=True
            )
        )
        curve = np.array(self.curve).reshape(len(self.curve), len(self.loss))
        return TrainingResult(
            self.weights, self.mask, self.loss, records, curve, np.array(self.curve_steps, dtype=int), self.step, ended
        )

    def _progress(self, n_steps: int) -> Progress:
        return Progress(self.step, n_steps, self.active, self.loss[self.active], self.network)


def _is_per_trial(value: object, n_trials: int) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 0 and value.shape[0] == n_trials
