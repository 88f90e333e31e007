"""Training with teacher forcing: AdamW, a cosine schedule, curves, and checkpoints that go on to the bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sklearn_eql.language.ahead import Ahead, Encoded, Here
from sklearn_eql.language.datasets import Batch, Source
from sklearn_eql.language.exact_rate import Judge, exact_rate, same_values
from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.recorded import Recorded
from sklearn_eql.language.tokens import PAD, START, Vocabulary
from sklearn_eql.stopping import NEVER, Deadline, StopReason
from sklearn_eql.training.checkpoint import Checkpoint

_STAGE = "pretraining"
_BETAS = (0.9, 0.98)
_MAX_NORM = 1.0  # of the gradient


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Parameters
    ----------
    n_steps : int
        Batches; the learning rate falls to zero over them.
    learning_rate : float
        Its largest value, reached after `n_warmup` steps.
    n_warmup : int
        Steps over which it rises from zero.
    weight_decay, label_smoothing : float
        Of AdamW, and of the cross-entropy.
    seed : int
        Of the first weights.
    log_every, rate_every : int
        Steps between two entries of the curves: the mean loss, and the exact rates.
    n_beams : int
        Of the exact rates.
    n_seconds : float
        The learning rate falls to zero over these, if that is sooner than by steps.
    """

    n_steps: int
    learning_rate: float = 1e-3
    n_warmup: int = 200
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    seed: int = 0
    log_every: int = 50
    rate_every: int = 1000
    n_beams: int = 32
    n_seconds: float = math.inf

    def rate_at(self, step: int, seconds: float = 0.0) -> float:
        """Learning rate of a step, from 0, that begins after so many seconds of training."""
        if step < self.n_warmup:
            return self.learning_rate * (step + 1) / self.n_warmup
        share = max((step - self.n_warmup) / max(self.n_steps - self.n_warmup, 1), seconds / self.n_seconds)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


@dataclass(frozen=True)
class Pretrained:
    """What training ended with.

    Attributes
    ----------
    network : LawTransformer
        On the CPU, in evaluation mode.
    curves : list of dict
        Entries with ``step``, ``expressions``, ``seconds`` on the clock, ``cpu_seconds`` of the processor, and ``loss``
        or ``first`` and ``best`` (exact rates of the first beam and of the best).
    reason : StopReason
        Why it ended.
    """

    network: LawTransformer
    curves: list[dict[str, float]]
    reason: StopReason


def loss_of(network: LawTransformer, codes: Tensor, X: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of every token, given those before it and the rows.

    Parameters
    ----------
    network : LawTransformer
        What is trained.
    codes : Tensor, shape (B, T)
        Token numbers, padded.
    X, y : Tensor, shapes (B, N, n_variables) and (B, N)
        Rows.
    label_smoothing : float
        Share of the target that goes to all tokens alike.
    """
    inputs = torch.cat([torch.full_like(codes[:, :1], START), codes[:, :-1]], dim=1)
    logits = network(network.memory(network.encode(X, y)), inputs).float()
    return functional.cross_entropy(
        logits.flatten(0, 1), codes.flatten(), ignore_index=PAD, label_smoothing=label_smoothing
    )


def pretrain(
    source: Source,
    vocabulary: Vocabulary,
    config: NetworkConfig,
    schedule: Schedule,
    test: Batch | None = None,
    checkpoint: Checkpoint | None = None,
    deadline: Deadline = NEVER,
    device: str = "cpu",
    mixed: bool = False,
    report: Callable[[dict[str, float]], None] | None = None,
    judge: Judge = same_values,
    n_workers: int = 0,
    is_recorded: bool = True,
    initial: LawTransformer | None = None,
) -> Pretrained:
    """Train a network on batches of a source.

    Parameters
    ----------
    source : Source
        Batch `k` is taken in step `k`, so a run that is taken up sees what it would have seen.
    vocabulary, config, schedule : Vocabulary, NetworkConfig, Schedule
        Tokens, sizes, and how to train.
    test : Batch, optional
        Tables for the exact rates.
    checkpoint : Checkpoint, optional
        Where to save the state every minute and at the end, and to take it up from; see `identity_of`.
    deadline : Deadline
        When to end early, between two steps.
    device : str
        Of torch.
    mixed : bool
        Multiply in bfloat16; the weights are in float32.
    report : callable, optional
        Is given every new entry of the curves.
    judge : callable
        Of the exact rates.
    n_workers : int
        Processes that draw batches; 0 for none but this one.
    is_recorded : bool
        On a CUDA device, replay steps as CUDA graphs (`Recorded`).
    initial : LawTransformer, optional
        Weights to begin with, of the same sizes; it is not changed. By default they are random.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(schedule.seed)
        network = LawTransformer(config)
    if initial is not None:
        network.load_state_dict(initial.state_dict())
    network.to(device)
    optimizer = _optimizer(network, schedule)
    run = _Run(network, optimizer)
    saved = checkpoint.resumed(_STAGE) if checkpoint else None
    if saved:
        run.restore(saved)
    rate = optimizer.param_groups[0]["lr"] = torch.as_tensor(0.0).to(device)
    step = _step_of(network, optimizer, schedule.label_smoothing, mixed, is_recorded)
    reason: StopReason | None = None
    with Ahead(source, vocabulary, n_workers, run.step) if n_workers else Here(source, vocabulary) as batches:
        since = _clocks()
        while run.step < schedule.n_steps and not (reason := deadline.passed):
            batch = batches.batch(run.step)
            rate.fill_(schedule.rate_at(run.step, run.seconds[0]))
            run.losses.append(step(batch))
            run.step += 1
            run.expressions += len(batch)
            entries = []
            if run.step % schedule.log_every == 0:
                entries.append({"loss": torch.stack(run.losses).mean().item()})
                run.losses.clear()
            if test is not None and (run.step % schedule.rate_every == 0 or run.step == schedule.n_steps):
                found = exact_rate(network, vocabulary, test, schedule.n_beams, judge)
                entries.append({"first": found.first, "best": found.best})
            now = _clocks()
            run.seconds, since = run.seconds + (now - since), now
            for entry in entries:
                seconds, cpu_seconds = run.seconds.tolist()
                times = {"seconds": seconds, "cpu_seconds": cpu_seconds}
                run.curves.append({"step": run.step, "expressions": run.expressions} | times | entry)
                if report:
                    report(run.curves[-1])
            if checkpoint:
                checkpoint.tick(_STAGE, run.state)
    if checkpoint:
        checkpoint.save(_STAGE, run.state())
    return Pretrained(network.cpu().eval(), run.curves, reason or StopReason.SCHEDULE)


def identity_of(config: NetworkConfig, schedule: Schedule, **others: Any) -> dict[str, str]:
    """What has to agree before a checkpoint is taken up: sizes, the schedule, and what else the batches depend on."""
    return {name: str(value) for name, value in (asdict(config) | asdict(schedule) | others).items()}


class _Run:
    """The state of a training run."""

    def __init__(self, network: LawTransformer, optimizer: torch.optim.Optimizer) -> None:
        self.network, self.optimizer = network, optimizer
        self.step, self.expressions = 0, 0
        self.seconds = np.zeros(2)  # on the clock, and of the processor
        self.losses: list[Tensor] = []  # since the last entry of the curves
        self.curves: list[dict[str, float]] = []

    def state(self) -> dict[str, Any]:
        """Tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "expressions": self.expressions,
            "seconds": self.seconds.tolist(),
            "losses": [loss.item() for loss in self.losses],
            "curves": self.curves,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.expressions = state["step"], state["expressions"]
        self.seconds = np.array(state["seconds"])
        device = self.network.latents.device
        self.losses = [torch.tensor(loss, device=device) for loss in state["losses"]]
        self.curves = list(state["curves"])


def _clocks() -> np.ndarray:
    """Seconds on the clock, and of the processor."""
    return np.array([time.monotonic(), time.process_time()])


def _optimizer(network: LawTransformer, schedule: Schedule) -> torch.optim.Optimizer:
    """AdamW, whose learning rate is a tensor, so that a recorded step sees it change."""
    on_gpu = network.latents.device.type == "cuda"
    return torch.optim.AdamW(
        network.parameters(), betas=_BETAS, weight_decay=schedule.weight_decay, fused=on_gpu, capturable=on_gpu
    )


def _step_of(
    network: LawTransformer, optimizer: torch.optim.Optimizer, label_smoothing: float, mixed: bool, is_recorded: bool
) -> Callable[[Encoded], Tensor]:
    """What takes a step on a batch and returns the loss, which stays on the device."""
    device = network.latents.device

    def step(codes: Tensor, X: Tensor, y: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            loss = loss_of(network, codes, X, y, label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _MAX_NORM)
        optimizer.step()
        return loss.detach()

    if device.type == "cuda" and is_recorded:
        return Recorded(step, network.config.max_tokens, device)
    return lambda batch: step(*(torch.from_numpy(values).to(device) for values in (batch.codes, batch.X, batch.y)))
