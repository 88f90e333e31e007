"""Training of an encoder and a recurrent cell end to end (Fig. 4 of the paper), several trials side by side.

The cells of all trials are one batch. Encoders run one after the other: a convolution with groups, one per trial, was
slower by a third to a factor of two on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql._devices import moved
from sklearn_eql.networks.cells import EQLCell, ReLUCell
from sklearn_eql.networks.encoders import LatentNorm
from sklearn_eql.networks.freezing import freeze
from sklearn_eql.networks.penalties import DOMAIN_WEIGHT, Penalty
from sklearn_eql.stopping import StopReason
from sklearn_eql.training.optimizers import make_optimizer, set_learning_rate
from sklearn_eql.training.schedule import RolloutPhase, pending_threshold

CHECK_EVERY = 100  # steps between two looks at the loss
_CLIP = 1.0  # norm to which the gradient of each cell is clipped; roll-outs of a bad start explode
_LATENT_ROWS = 512  # series that are encoded at once after training


@dataclass(frozen=True)
class Series:
    """What the recurrent network is trained on, as float32 tensors at unit scale."""

    windows: torch.Tensor  # (N, S, W) what the encoder reads
    states: torch.Tensor  # (N, K + 1, S) the start of the roll-out and its K future states, in units of `unit`
    state_scale: torch.Tensor  # (S,) of the states, in the same units
    step_scale: torch.Tensor  # (S,) of one-step increments, likewise
    unit: float = 1.0  # one for all states, so that squares of 1e20 stay within float32


@dataclass(frozen=True, kw_only=True)
class RecurrentSettings:
    """How encoder and cell are trained."""

    phases: tuple[RolloutPhase, ...]
    penalty: Penalty
    alpha: float
    optimizer: str
    batch_size: int | None
    any_start: bool  # start roll-outs at any known state of a series, not only the first
    increments: bool  # the cell's output is added to the state, in units of `step_scale`


@dataclass(frozen=True)
class RecurrentResult:
    """What training leaves behind."""

    loss: (
        np.ndarray
    )  # (T,) mean squared error of all-step roll-outs, relative to that of standing still; inf if diverged
    loss_curve: list[float]  # of the best trial, once per check
    n_steps: int
    stopped: StopReason


class RecurrentNetwork(torch.nn.Module):
    """Encoders and cells of `T` trials."""

    def __init__(self, encoders: Sequence[torch.nn.Module], cell: EQLCell | ReLUCell, n_latents: int) -> None:
        super().__init__()
        self.encoders = torch.nn.ModuleList(encoders)
        self.cell = cell
        self.norm = LatentNorm(n_latents, (len(encoders),))

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        """Latents ``(T, N, L)`` of windows ``(N, S, W)``."""
        return self.norm(torch.stack([encoder(windows) for encoder in self.encoders]))

    @torch.no_grad()
    def latents(self, windows: torch.Tensor) -> torch.Tensor:
        """As `encode`, in evaluation mode and a part of the series at a time."""
        self.eval()
        return torch.cat([self.encode(part) for part in windows.split(_LATENT_ROWS)], dim=1)

    def rollout(
        self, start: torch.Tensor, latent: torch.Tensor, n_steps: int, series: Series, settings, flat
    ) -> tuple[list[torch.Tensor], torch.Tensor | float]:
        """The next `n_steps` states, each ``(T, N, S)``, from `start` ``(T, N, S)``, in units of the series.

        And by how much arguments leave the domains of their functions, ``(T,)``, on average over the steps.
        """
        state, states, violation = start, [], 0.0
        for _ in range(n_steps):
            output, outside = self.cell(state / series.state_scale, latent, flat)
            violation = violation + outside / n_steps
            state = state + series.step_scale * output if settings.increments else series.state_scale * output
            states.append(state)
        return states, violation


def train_recurrent(
    network: RecurrentNetwork,
    series: Series,
    settings: RecurrentSettings,
    seed: int,
    deadline: float,
    report: Callable[[int, np.ndarray], None] | None = None,
    check_every: int = CHECK_EVERY,
) -> RecurrentResult:
    """Train all trials of `network`, in place, until `deadline` (``time.time()``) at the latest.

    Per trial, the objective is the mean squared error of the roll-outs, each state in units of how far it moves within
    the horizon of the phase, plus ``alpha`` times the penalty of the cell, plus `DOMAIN_WEIGHT` times the domain
    violation, as for other networks.
    """
    return _Run(network, series, settings, seed).execute(deadline, report, check_every)


class _Run:
    def __init__(self, network: RecurrentNetwork, series: Series, settings: RecurrentSettings, seed: int) -> None:
        self.network, self.series, self.settings = network, series, settings
        self.rng = np.random.default_rng(seed)
        self.is_eql = isinstance(network.cell, EQLCell)
        self.gates, self.penalty = None, settings.penalty if self.is_eql else None
        parameters = list(network.parameters())
        if self.is_eql:
            eql = network.cell.network
            self.gates = self.penalty.gates(eql.flat.detach(), eql.seeds, eql.n_output_weights)
            if self.gates is not None:
                parameters.append(self.gates.log_alpha)
        self.parameters = parameters
        self.optimizer = make_optimizer(settings.optimizer, parameters)
        moved = series.states[:, 1:] - series.states[:, :1]  # (N, K, S)
        self.moved = moved.square().mean(dim=0).clamp_min(1e-30)  # (K, S)

    def execute(self, deadline: float, report, check_every: int) -> RecurrentResult:
        step, stopped, curve = 0, StopReason.SCHEDULE, []
        ahead = list(self.settings.phases)
        try:
            for phase in self.settings.phases:
                set_learning_rate(self.optimizer, phase.learning_rate)
                self.network.train()
                for _ in range(phase.n_steps):
                    self._step(phase)
                    step += 1
                    if step % check_every == 0:
                        loss = self.losses()
                        self.network.train()
                        curve.append(float(loss.min()))
                        if report:
                            report(step, loss)
                    if time.time() > deadline:
                        stopped = StopReason.MAX_TIME
                        break
                if stopped != StopReason.SCHEDULE:
                    break
                if phase.threshold is not None:
                    self._freeze(phase.threshold)
                ahead.remove(phase)
        except KeyboardInterrupt:
            stopped = StopReason.INTERRUPTED
        if self.gates is not None or stopped != StopReason.SCHEDULE:
            self._freeze(pending_threshold(ahead))
        loss = self.losses()
        curve.append(float(loss.min()))
        return RecurrentResult(loss, curve, step, stopped)

    def _step(self, phase: RolloutPhase) -> None:
        states, n_rollout = self.series.states, self._horizon(phase)
        n_series, n_known, _ = states.shape
        rows = np.arange(n_series)
        size = self.settings.batch_size
        if size is not None and size < n_series:
            rows = self.rng.choice(n_series, size, replace=False)
        first = np.zeros(len(rows), dtype=int)
        if self.settings.any_start:
            first = self.rng.integers(0, n_known - n_rollout, len(rows))
        if self.gates is not None:
            self.gates.draw()
        rows, first = moved(torch.from_numpy(np.stack([rows, first])), states.device)
        steps = torch.arange(n_rollout + 1, device=states.device)
        target = states[rows[:, None], first[:, None] + steps]  # (n, k + 1, S)
        self.optimizer.zero_grad(set_to_none=True)
        latent = self.network.encode(self.series.windows[rows])
        start = target[:, 0].expand(len(latent), -1, -1)
        flat = self._flat(self.gates.sample if self.gates is not None else None)
        rolled, violation = self.network.rollout(start, latent, n_rollout, self.series, self.settings, flat)
        rolled = torch.stack(rolled, dim=2)  # (T, n, k, S)
        error = ((rolled - target[:, 1:]).square() / self.moved[:n_rollout].mean(dim=0)).mean(dim=(1, 2, 3))  # (T,)
        objective = error.sum()
        if isinstance(violation, torch.Tensor):
            objective = objective + DOMAIN_WEIGHT * violation.sum()
        if phase.alpha_scale and self.penalty is not None:
            cost = self.penalty.value(self._flat(), self.gates)  # (T * S,)
            objective = objective + self.settings.alpha * phase.alpha_scale * cost.sum()
        objective.backward()
        self._tame()
        self.optimizer.step()

    def _horizon(self, phase: RolloutPhase) -> int:
        available = self.series.states.shape[1] - 1
        return available if phase.n_rollout is None else min(phase.n_rollout, available)

    def _flat(self, gated=None) -> torch.Tensor | None:
        if not self.is_eql:
            return None
        flat = self.network.cell.network.masked()
        return flat if gated is None else gated(flat)

    def _tame(self) -> None:
        """Bound the gradients: of each cell in a batch, and of every encoder; what is not finite counts as nothing."""
        batched = {id(parameter) for parameter in self.network.cell.parameters()}
        if self.gates is not None:
            batched.add(id(self.gates.log_alpha))
        for parameter in self.parameters:
            if parameter.grad is None:  # frozen by the user, or gates that are closed for good
                continue
            grad = torch.nan_to_num_(parameter.grad, nan=0.0, posinf=0.0, neginf=0.0)
            norm = grad.flatten(1).norm(dim=1) if id(parameter) in batched else grad.norm()[None]
            factor = (_CLIP / norm.clamp_min(1e-12)).clamp_max(1.0)
            grad.mul_(factor.view(-1, *[1] * (grad.dim() - 1)))

    def _freeze(self, threshold: float) -> None:
        if not self.is_eql:
            return
        freeze(self.network.cell.network, threshold, self.gates)
        if self.gates is not None:
            self.gates = self.penalty = None

    @torch.no_grad()
    def losses(self) -> np.ndarray:
        """Relative loss of the roll-outs over all steps, ``(T,)``."""
        latent = self.network.latents(self.series.windows)
        states = self.series.states
        start = states[:, 0].expand(len(latent), -1, -1)
        gated = self.gates.expected if self.gates is not None else None
        flat = self._flat(gated)
        rolled, _ = self.network.rollout(start, latent, states.shape[1] - 1, self.series, self.settings, flat)
        error = ((torch.stack(rolled, dim=2) - states[:, 1:]).square() / self.moved).mean(dim=(1, 2, 3))
        return torch.where(torch.isfinite(error), error, torch.inf).double().cpu().numpy()
