"""Training of an encoder: with a linear form, with a dense EQL head, with a law, with the head of the comparison."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from sklearn_eql._devices import moved, random_numbers_of
from sklearn_eql.encoder.augment import Transform, transformed
from sklearn_eql.encoder.heads import Composite, DenseHead, LawHead, relu_head
from sklearn_eql.encoder.items import Items
from sklearn_eql.encoder.latent_classes import by_classes, clusters, decide, disagreement, soft_minimum
from sklearn_eql.encoder.latent_laws import LatentSearch, scaled_back
from sklearn_eql.encoder.tied_coefficients import Ties
from sklearn_eql.networks.encoders import LatentClasses, LatentNorm
from sklearn_eql.networks.penalties import Penalty
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.training.checkpoint import Checkpoint
from sklearn_eql.training.minibatch import Batches, Descent, Patience, Plan, Watch, descend
from sklearn_eql.training.records import Status
from sklearn_eql.training.schedule import Schedule

HUBER_DELTA = 0.05
"""Residuals, in units of half the range of y, above which the Huber loss is linear: half a unit for sums of digits."""


def _huber(residual: torch.Tensor) -> torch.Tensor:
    size = residual.abs()
    near = size.clamp(max=HUBER_DELTA)
    return near * (size - near / 2) / HUBER_DELTA


LOSSES: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "huber": _huber,
    "absolute_error": torch.abs,
    "squared_error": torch.square,
}
"""Functions of the residuals that are minimised on average."""

_DELTAS = {"huber": HUBER_DELTA, "absolute_error": HUBER_DELTA / 10}

_TEMPERATURES = {"huber": 3 * HUBER_DELTA, "absolute_error": 3 * HUBER_DELTA, "squared_error": 6 * HUBER_DELTA**2}
"""Of `latent_classes.soft_minimum`, chosen on held-out training images (docs/experiments.md)."""

LATENT_ROWS = 20_000
"""Samples at most whose latents the coefficients of the final law are fitted to."""

_CALIBRATION_ROWS = 2_000  # for the mean and variance of latents in between
_READ_AT_ONCE = 128  # samples; activations of more leave the caches
_LINEAR_ROUNDS = 3  # while next to nothing is explained: encoders may need a while before they see anything
_SETTLING_STEPS = 300  # at most, for classes to be told apart
_LEARNT_SHARE = 0.7  # of the variance
_JOINT_SHARE = 0.4  # of max_time, after which the first stages end


@dataclass(frozen=True)
class TrainingSettings:
    """Everything beside data and seed."""

    n_latents: int
    head: str
    linear_steps: int
    schedule: Schedule
    penalty: Penalty
    alpha: float
    search: LatentSearch
    tolerance: float  # factor of the loss by which a simpler law may be worse
    loss: str
    max_iter: int
    learning_rate: float
    optimizer: str
    batch_size: int
    transforms: str | Transform | None
    n_validation: int
    patience: int | None  # of early stopping
    device: str
    mixed: bool


class Seeds(NamedTuple):
    """One for everything in a training that is random."""

    held_out: int  # which samples are
    encoder: int  # initial weights
    head: int  # initial weights
    search: int  # for laws of the latents
    batches: int
    sample: int  # of the rows, where few do
    classes: int  # where the prototypes of latent classes start

    @classmethod
    def of(cls, seed: int) -> Seeds:
        return cls(*np.random.SeedSequence(seed).generate_state(len(cls._fields)).tolist())


class Training:
    """Data, settings and the means to train on them.

    Parameters
    ----------
    items : Items;  y : ndarray (n_samples,)
    scale : float
        Items are divided by it.
    make_encoder : callable
        Returns a module with fresh weights.
    """

    def __init__(
        self,
        items: Items,
        y: np.ndarray,
        scale: float,
        make_encoder: Callable[[], nn.Module],
        settings: TrainingSettings,
        seed: int,
        checkpoint: Checkpoint,
        watch: Watch,
    ) -> None:
        self.items, self.y, self.scale, self.settings = items, y, scale, settings
        self.make_encoder, self.checkpoint, self.watch = make_encoder, checkpoint, watch
        self.center, self.half = float(y.max() / 2 + y.min() / 2), float(y.max() / 2 - y.min() / 2)
        self.seeds = Seeds.of(seed)
        order = np.random.default_rng(self.seeds.held_out).permutation(len(y))
        self.held_out, self.rows = np.sort(order[: settings.n_validation]), np.sort(order[settings.n_validation :])
        self.n_features = items.n_items * settings.n_latents
        self.losses: list[float] = []
        self.n_steps = 0
        self.ended = StopReason.SCHEDULE
        self.started = time.time()

    @property
    def means(self) -> dict[str, Any]:
        """What all plans share."""
        return {"optimizer": self.settings.optimizer, "mixed": self.settings.mixed}

    @property
    def delta(self) -> float | None:
        """Residual, in units of y, above which coefficients are refitted by absolute error; None for least squares."""
        share = _DELTAS.get(self.settings.loss)
        return None if share is None else share * self.half

    def model(self, head: nn.Module, state: Mapping[str, torch.Tensor] | None = None) -> Composite:
        """A network on the device of the training; encoder and normalisation from the state of an earlier one."""
        with random_numbers_of(self.seeds.encoder):
            model = Composite(self.make_encoder(), LatentNorm(self.settings.n_latents), head).to(self.settings.device)
        if state is not None:
            encoder = {name: value for name, value in state.items() if not name.startswith("head.")}
            model.load_state_dict(encoder, strict=False)
        return model

    def dense_model(self, state: Mapping[str, torch.Tensor] | None = None) -> Composite:
        """With a dense EQL head."""
        s = self.settings
        head = DenseHead(
            self.n_features,
            s.search.units,
            s.search.n_hidden_layers,
            s.penalty,
            self.seeds.head,
            device=s.device,
        )
        return decide(self.model(head, state), False)

    def law_model(self, equation: Equation, ties: Ties, state: Mapping[str, torch.Tensor]) -> Composite:
        """With a law as head."""
        head = LawHead(equation, ties, self.settings.search.primitives, self.center, self.half)
        return self.model(head, state)

    def train_jointly(self, state: Mapping[str, torch.Tensor] | None) -> tuple[dict[str, torch.Tensor], Equation]:
        """Encoder and dense head, phase by phase: the state of the network, and the law of the head.

        Raises
        ------
        FloatingPointError
            Training left the range of floating point numbers.
        """
        model = self.dense_model(state)
        for number, phase in enumerate(self.settings.schedule):
            name = f"phase {number + 1}"

            def work(phase=phase, name=name) -> dict:
                plan = Plan(phase.n_steps, phase.learning_rate, one_cycle=False, **self.means)
                run = self.descend(model, plan, name, self.rows, self.settings.alpha * phase.alpha_scale, _JOINT_SHARE)
                if run.status is Status.DIVERGED:
                    raise FloatingPointError(name)
                if phase.threshold is not None:
                    model.head.freeze(phase.threshold)
                return self.outcome(model, run)

            self._restore(model, self.checkpoint.stage(name, work))
        self.calibrate(model, self.rows)
        law = scaled_back(model.head.equation(), self.center, self.half, self.settings.search.primitives)
        return model.state_dict(), law

    def train_linearly(self, state: Mapping[str, torch.Tensor] | None) -> tuple[dict[str, torch.Tensor], Equation]:
        """Encoder and a linear form of the latents: the state of the network, and the form.

        Latents are defined only up to a map of each, which the head can undo. The simplest head settles which: behind
        a linear form, latents are the additive part of the target.
        """
        with random_numbers_of(self.seeds.head):
            model = decide(self.model(nn.Sequential(nn.Linear(self.n_features, 1), nn.Flatten(0)), state), False)

        for number in range(_LINEAR_ROUNDS):
            name = "linear form" + (f", round {number + 1}" if number else "")

            def work(name=name) -> dict:
                plan = Plan(self.settings.linear_steps, self.settings.learning_rate, **self.means)
                run = self.descend(model, plan, name, self.rows, 0.0, _JOINT_SHARE)
                if run.status is Status.DIVERGED:
                    raise FloatingPointError(name)
                self.calibrate(model, self.rows)
                return {**self.outcome(model, run), "error": self.error(model, torch.square)}

            outcome = self.checkpoint.stage(name, work)
            self._restore(model, outcome)
            if outcome["error"] < _LEARNT_SHARE * np.var((self.y - self.center) / self.half):
                break
        weight = model.head[0].weight.detach().cpu().double().numpy()[0]
        bias = float(model.head[0].bias.detach())
        form = Equation(self.n_features, (), ((0, bias), *((i + 1, float(w)) for i, w in enumerate(weight))))
        law = scaled_back(form, self.center, self.half, self.settings.search.primitives)
        return model.state_dict(), law

    def settle_classes(self, state: Mapping[str, torch.Tensor], source: str) -> dict[str, torch.Tensor]:
        """State of a network whose encoder decides for classes, from one that gives a mean of their prototypes.

        A mean can be right without any place being: classes start anew where latents crowd, and the network learns to
        tell which of them is next to the latent of an item. Without the time for it, it goes on with the mean.
        """
        teacher = decide(self.model(nn.Identity(), state), False).eval()
        model = decide(self.model(nn.Identity(), state), True)
        if not isinstance(model.encoder, LatentClasses):
            return dict(state)

        def work() -> dict:
            n_classes = len(model.encoder.prototypes)
            latents = self.latents(teacher, self.some(self.rows, LATENT_ROWS)).reshape(-1, self.settings.n_latents)
            prototypes = torch.as_tensor(clusters(latents, n_classes, self.seeds.classes), dtype=torch.float32)
            model.encoder.prototypes.data.copy_(teacher.norm.raw(prototypes.to(model.encoder.prototypes.device)))
            n_steps = min(_SETTLING_STEPS, max(self.settings.linear_steps, self.settings.max_iter))
            plan = Plan(n_steps, self.settings.learning_rate, **self.means)
            run = self.descend(model, plan, name, self.rows, 0.0, _JOINT_SHARE, teacher=teacher)
            if run.status is Status.DIVERGED:
                raise FloatingPointError(name)
            self.calibrate(model, self.rows)
            return self.outcome(model, run)

        name = f"classes of the {source}"
        outcome = self.checkpoint.stage(name, work)
        self._restore(model, outcome)
        return model.state_dict() if outcome["status"] == Status.CONVERGED else dict(state)

    def train_relu(self, state: Mapping[str, torch.Tensor] | None) -> Composite:
        """Encoder and the comparison head of the paper, for as many steps as EQL head and law."""
        with random_numbers_of(self.seeds.head):
            model = decide(self.model(relu_head(self.n_features), state), False)
        n_steps = self.settings.max_iter + sum(phase.n_steps for phase in self.settings.schedule)
        return self._train_fully(model, n_steps, "ReLU head")

    def train_with_law(self, equation: Equation, ties: Ties, state: Mapping[str, torch.Tensor]) -> Composite:
        """Encoder and the coefficients of the law."""
        return self._train_fully(self.law_model(equation, ties, state), self.settings.max_iter, "law")

    def latents(self, model: Composite, rows: np.ndarray) -> np.ndarray:
        """Latents of training samples, as they are, float64 (len(rows), n_features)."""
        return latents_of(model, self.items, self.scale, rows)

    @torch.no_grad()
    def calibrate(self, model: Composite, rows: np.ndarray, limit: int = _CALIBRATION_ROWS) -> None:
        """Put mean and variance of the normalisation to those of the training items, without distortions."""
        model.eval()
        parts = [model.raw_latents(x) for x in _read(model, self.items, self.scale, self.some(rows, limit))]
        raw = torch.cat(parts).double()
        model.norm.mean.copy_(raw.mean(dim=0, keepdim=True))
        model.norm.var.copy_(raw.var(dim=0, correction=0, keepdim=True))

    def _train_fully(self, model: Composite, n_steps: int, name: str) -> Composite:
        patience, rows = None, np.sort(np.concatenate([self.rows, self.held_out]))
        if self.settings.patience is not None:
            every = 50 * max(1, round(len(self.rows) / self.settings.batch_size / 50))
            patience, rows = Patience(self.error, every, self.settings.patience), self.rows
        start = {key: value.clone() for key, value in model.state_dict().items()}

        def work() -> dict:
            plan = Plan(n_steps, self.settings.learning_rate, average=True, **self.means)
            run = self.descend(model, plan, name, rows, 0.0, 1.0, patience)
            if run.status is Status.DIVERGED:
                model.load_state_dict(start)  # the encoder as it was before is still a model
            return self.outcome(model, run)

        self._restore(model, self.checkpoint.stage(name, work))
        self.calibrate(model, rows, LATENT_ROWS)
        return model.eval()

    def descend(
        self,
        model: Composite,
        plan: Plan,
        name: str,
        rows: np.ndarray,
        alpha: float,
        share: float,
        patience: Patience | None = None,
        teacher: Composite | None = None,
    ) -> Descent:
        """Train on some rows, with penalty of weight `alpha`, until a share of max_time is over at most.

        On the classes that a teacher sees, if there is one.
        """
        residual_loss, temperature = LOSSES[self.settings.loss], _TEMPERATURES[self.settings.loss]
        decides = by_classes(model)

        def objective(model: Composite, samples: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            if teacher is not None:
                return disagreement(model, teacher, samples)
            if decides:
                return soft_minimum(model, samples, targets, residual_loss, temperature)
            total = residual_loss(model(samples) - targets).mean()
            if alpha:
                total = total + alpha * model.head.cost()
            if getattr(model.head, "domain_weight", 0.0):
                total = total + model.head.domain_weight * model.head.violation[0]
            return total

        batches = Batches(self._read_batch, rows, min(self.settings.batch_size, len(rows)), self.seeds.batches)
        watch = replace(self.watch, deadline=self.until(share))
        run = descend(model, objective, batches, plan, self.checkpoint, name, watch, patience)
        self.watch.interrupted |= watch.interrupted
        return run

    def _read_batch(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        samples = transformed(self.items.take(rows, self.scale), self.settings.transforms, self.settings.device)
        return samples, torch.as_tensor((self.y[rows] - self.center) / self.half, dtype=torch.float32)

    @torch.no_grad()
    def error(self, model: Composite, loss: Callable[[torch.Tensor], torch.Tensor] | None = None) -> float:
        """Mean loss on the held-out samples, those of the training where none are held out."""
        rows = self.held_out if len(self.held_out) else self.some(self.rows, _CALIBRATION_ROWS)
        model.eval()
        values = torch.cat([model(x) for x in _read(model, self.items, self.scale, rows)]).cpu()
        target = torch.as_tensor((self.y[rows] - self.center) / self.half, dtype=torch.float32)
        error = float((loss or LOSSES[self.settings.loss])(values - target).mean())
        return error if math.isfinite(error) else math.inf

    def until(self, share: float) -> float:
        """Point in time at which a share of max_time is over."""
        deadline = self.watch.deadline
        return self.started + share * (deadline - self.started) if math.isfinite(deadline) else deadline

    def some(self, rows: np.ndarray, limit: int) -> np.ndarray:
        """At most `limit` of the rows, always the same ones."""
        if len(rows) <= limit:
            return rows
        return np.sort(np.random.default_rng(self.seeds.sample).choice(rows, limit, replace=False))

    def outcome(self, model: Composite, run: Descent) -> dict:
        """Result of a stage, as a checkpoint keeps it."""
        state = {name: value.clone() for name, value in model.state_dict().items()}  # the model may be trained on
        return {"model": state, "losses": run.losses, "n_steps": run.n_steps, "status": str(run.status)}

    def _restore(self, model: Composite, outcome: dict) -> None:
        state = dict(outcome["model"])
        if isinstance(model.head, DenseHead) and "head.log_alpha" not in state:
            model.head.drop_gates()  # frozen in an earlier run
        model.load_state_dict(state)
        self.count(outcome)

    def count(self, outcome: dict) -> None:
        """Add what a stage did to the totals."""
        self.losses += outcome["losses"]
        if outcome["status"] == Status.STOPPED:
            self.ended = StopReason.EARLY_STOPPING
        if outcome["status"] == Status.TIMED_OUT:
            self.ended = StopReason.MAX_TIME
        self.n_steps += outcome["n_steps"]


@torch.no_grad()
def latents_of(model: Composite, items: Items, scale: float, rows: np.ndarray) -> np.ndarray:
    """Latents of samples, float64 (len(rows), n_items * n_latents)."""
    model.eval()
    parts = [model.latents(x) for x in _read(model, items, scale, rows)]
    return torch.cat(parts).cpu().double().numpy()


@torch.no_grad()
def values_of(model: Composite, items: Items, scale: float, rows: np.ndarray) -> np.ndarray:
    """What the network returns for samples, float64 (len(rows),)."""
    model.eval()
    return torch.cat([model(x) for x in _read(model, items, scale, rows)]).cpu().double().numpy()


def _read(model: Composite, items: Items, scale: float, rows: np.ndarray):
    like = next(model.parameters())
    for start in range(0, len(rows), _READ_AT_ONCE):
        yield moved(items.take(rows[start : start + _READ_AT_ONCE], scale), like.device).to(like.dtype)
