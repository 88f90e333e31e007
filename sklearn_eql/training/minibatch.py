"""Gradient descent on a network that reads samples a few at a time: the loop of the estimators with an encoder.

What is random in a step depends on the seed and the number of the step only, so that a run that was killed goes on as
if nothing had happened.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from sklearn_eql._devices import mixed_precision, moved, random_numbers_of
from sklearn_eql.training.checkpoint import Checkpoint
from sklearn_eql.training.optimizers import make_optimizer, set_learning_rate
from sklearn_eql.training.records import Status

_CHECK_EVERY = 50  # steps between two looks at the loss
_AVERAGE_DECAY = 0.998  # of the running mean of weights: about the last 500 steps
_WARM_UP = 0.2  # share of the steps of a one-cycle rate in which it rises
_SMOOTHING = 0.02  # of the loss that is shown


class Objective(Protocol):
    """What is minimised: a function of a model and a batch."""

    def __call__(self, model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True)
class Plan:
    """How a stretch of training goes.

    Parameters
    ----------
    n_steps : int
    learning_rate : float
        The highest one where `one_cycle`.
    one_cycle : bool
        Raise the rate to `learning_rate` and lower it to zero, both along a cosine (Smith and Topin, 2017).
    average : bool
        End with a running mean of the weights.
    mixed : bool
        Layers of the encoder in bfloat16, which has the range of float32, so that no loss scaling is needed.
    """

    n_steps: int
    learning_rate: float
    one_cycle: bool = True
    average: bool = False
    optimizer: str = "adam"
    mixed: bool = False

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        if not self.one_cycle:
            return self.learning_rate
        peak = max(1.0, _WARM_UP * self.n_steps)
        if step < peak:
            return self.learning_rate * (0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * step / peak)))
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - peak) / max(1.0, self.n_steps - peak)))


@dataclass(frozen=True)
class Batches:
    """Batches of samples: every epoch in another order, each batch a function of the seed and its number alone.

    Parameters
    ----------
    read : callable
        ``read(rows) -> (inputs, targets)``; may draw random numbers, which are seeded per step.
    rows : ndarray of int
        Samples to draw from.
    """

    read: Callable[[np.ndarray], tuple[torch.Tensor, torch.Tensor]]
    rows: np.ndarray
    batch_size: int
    seed: int
    _order: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch; samples that do not fill one wait for the next order."""
        return max(1, len(self.rows) // self.batch_size)

    def rows_of(self, step: int) -> np.ndarray:
        """Samples of a step, ascending, as files are read fastest."""
        epoch, index = divmod(step, self.per_epoch)
        if epoch not in self._order:
            self._order.clear()
            self._order[epoch] = np.random.default_rng((self.seed, epoch)).permutation(self.rows)
        return np.sort(self._order[epoch][index * self.batch_size : (index + 1) * self.batch_size])


@dataclass(frozen=True)
class Descent:
    """How a stretch of training went."""

    status: Status
    n_steps: int
    losses: list[float]  # smoothed, every `_CHECK_EVERY` steps


@dataclass
class Watch:
    """What ends training early, and who is told how it goes."""

    deadline: float = math.inf  # time.time()
    interrupted: bool = False
    report: Callable[[str, int, int, float], None] | None = None  # name, step, steps, loss
    flag: str | None = None  # a file that Ctrl-C makes

    def is_interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        self.interrupted |= self.flag is not None and os.path.exists(self.flag)
        return self.interrupted


@dataclass
class Patience:
    """Early stopping: the weights of lowest validation error are kept, and training ends when it falls no more.

    Parameters
    ----------
    error : callable
        ``error(model) -> float`` on held-out samples.
    every : int
        Steps between two looks, a multiple of 50.
    n_looks : int
        Looks without progress after which training ends.
    """

    error: Callable[[nn.Module], float]
    every: int
    n_looks: int
    best: dict[str, torch.Tensor] | None = None
    lowest: float = math.inf
    n_in_vain: int = 0

    def is_over(self, step: int, model: nn.Module) -> bool:
        """Look at the model, and tell whether to stop."""
        if step % self.every:
            return False
        error = self.error(model)
        self.n_in_vain += 1
        if error < self.lowest:
            self.lowest, self.n_in_vain = error, 0
            self.best = {name: value.clone() for name, value in model.state_dict().items()}
        return self.n_in_vain >= self.n_looks

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "lowest": self.lowest, "n_in_vain": self.n_in_vain}

    def load(self, state: dict[str, Any]) -> None:
        self.best, self.lowest, self.n_in_vain = state["best"], state["lowest"], state["n_in_vain"]


def descend(
    model: nn.Module,
    objective: Objective,
    batches: Batches,
    plan: Plan,
    checkpoint: Checkpoint,
    name: str,
    watch: Watch,
    patience: Patience | None = None,
) -> Descent:
    """Train `model` in place.

    Ctrl-C ends training, keeps the weights, and is noted in `watch`. A loss that is not finite ends it with
    ``Status.DIVERGED``; weights are then undefined.
    """
    run = _Run(model, plan, patience)
    device = next(model.parameters()).device
    earlier = checkpoint.resumed(name)
    if earlier is not None:
        run.load(earlier, device)
    status = Status.CONVERGED
    model.train()
    try:
        while run.step < plan.n_steps:
            if watch.is_interrupted() or time.time() > watch.deadline:
                status = Status.INTERRUPTED if watch.interrupted else Status.TIMED_OUT
                break
            with random_numbers_of(_seed_of(batches.seed, run.step), device):
                inputs, targets = (moved(part, device) for part in batches.read(batches.rows_of(run.step)))
                run.advance(model, objective, inputs, targets)
            if run.step % _CHECK_EVERY == 0 or run.step == plan.n_steps:
                loss = run.look()
                if not math.isfinite(loss):
                    status = Status.DIVERGED
                    break
                if watch.report:
                    watch.report(name, run.step, plan.n_steps, loss)
                if patience and patience.is_over(run.step, run.averaged or model):
                    status = Status.STOPPED
                    break
                model.train()
                checkpoint.tick(name, run.state)
    except KeyboardInterrupt:
        watch.interrupted, status = True, Status.INTERRUPTED
    if status in (Status.INTERRUPTED, Status.TIMED_OUT):
        checkpoint.save(name, run.state())
        checkpoint.close()
    run.finish()
    return Descent(status, run.step, run.losses)


class _Run:
    """State of one call of `descend`."""

    def __init__(self, model: nn.Module, plan: Plan, patience: Patience | None) -> None:
        self.model, self.plan, self.patience = model, plan, patience
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(plan.optimizer, self.parameters)
        self.averaged = copy.deepcopy(model) if plan.average else None
        self.step = 0
        self.loss: torch.Tensor | None = None
        self.losses: list[float] = []

    def advance(self, model: nn.Module, objective: Objective, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        set_learning_rate(self.optimizer, self.plan.rate(self.step))
        self.optimizer.zero_grad(set_to_none=True)
        with mixed_precision(inputs.device, self.plan.mixed):
            loss = objective(model, inputs, targets)
        loss.backward()
        self.optimizer.step()
        loss = loss.detach()
        self.loss = loss if self.loss is None else torch.lerp(self.loss, loss, _SMOOTHING)
        self.step += 1
        if self.averaged is not None:
            self._average()

    @torch.no_grad()
    def _average(self) -> None:
        weight = 1 - min(_AVERAGE_DECAY, self.step / (self.step + 10))
        for mean, value in zip(_tensors(self.averaged), _tensors(self.model), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, weight)
            else:
                mean.copy_(value)

    def look(self) -> float:
        self.losses.append(float(self.loss))
        return self.losses[-1]

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "loss": self.loss,
            "losses": list(self.losses),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "patience": None if self.patience is None else self.patience.state(),
        }

    def load(self, state: dict[str, Any], device: torch.device) -> None:
        self.step, self.losses = state["step"], list(state["losses"])
        self.loss = None if state["loss"] is None else state["loss"].to(device)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        if self.patience is not None:
            self.patience.load(state["patience"])

    def finish(self) -> None:
        if self.patience is not None and self.patience.best is not None:
            self.model.load_state_dict(self.patience.best)
        elif self.averaged is not None:
            self.model.load_state_dict(self.averaged.state_dict())


def _tensors(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


def _seed_of(seed: int, step: int) -> int:
    return int(np.random.SeedSequence((seed, step)).generate_state(1)[0])
