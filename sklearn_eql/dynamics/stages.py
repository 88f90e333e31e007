"""The stages of a fit: networks trained by gradient descent, the law behind them, and the encoder taught that law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from sklearn_eql._devices import random_numbers_of
from sklearn_eql.dynamics.earlier_laws import EarlierLaws
from sklearn_eql.dynamics.fitted_encoder import FittedEncoder, standardisation, window_tensor
from sklearn_eql.dynamics.latent_coordinates import carried
from sklearn_eql.dynamics.latent_inference import identify
from sklearn_eql.dynamics.law_cell import LawCell
from sklearn_eql.dynamics.laws import no_finite_law, vocabulary, with_simple_latents
from sklearn_eql.dynamics.motion import Motion, MotionSettings, with_all_latents, with_standard_latents
from sklearn_eql.dynamics.search import find_motion
from sklearn_eql.laws.finishing import as_law
from sklearn_eql.laws.judging import Table
from sklearn_eql.networks.cells import EQLCell, ReLUCell
from sklearn_eql.networks.encoders import LATENT_SCALE, Encoder, build_encoder
from sklearn_eql.networks.penalties import initial_scales
from sklearn_eql.primitives import Primitive
from sklearn_eql.progress import Watched
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.symbolic.canonical import canonicalize, rescale
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.training.rollouts import RecurrentNetwork, RecurrentResult, RecurrentSettings, Series, train_recurrent

_N_REFINED = 2  # trials whose latents a law is looked for with
_GOOD_LOSS = 1e-12  # relative loss from which a law needs no rival
_TAUGHT_STEPS = 1200  # of the encoder, towards the latents of the law; not tuned
_HORIZONS = (1, 5, 25)  # steps: one is exact without noise, over more a latent stands out of it
_DECISIVE_SHARE = 1e-6  # share of the encoder's error, from which longer horizons are not tried
_EXERCISES = 4  # windows that a law makes, per window that was given
_SPREAD = 0.2  # of the way from one latent to another
_TRAINING_SHARE, _SEARCH_SHARE = 0.5, 0.8  # of max_time, when these stages are to be over


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """Everything a fit needs beside the series."""

    encoder: Encoder
    n_latents: int
    head: str
    form: str
    dt: float
    units: tuple[Primitive, ...]
    n_hidden_layers: int
    relu_layers: tuple[int, ...]
    n_trials: int
    scale: bool
    max_degree: int
    quotients: bool
    latent_scale: str
    recurrent: RecurrentSettings
    device: str
    watched: Watched | None = None  # those who are told how training goes

    @property
    def primitives(self) -> dict[str, Primitive]:
        """Functions by name."""
        return {unit.name: unit for unit in self.units}


@dataclass(frozen=True)
class Trained:
    """Networks after gradient descent."""

    network: RecurrentNetwork
    result: RecurrentResult
    series: Series

    @property
    def order(self) -> list[int]:
        """Trials that stayed finite, best first."""
        return [int(t) for t in np.argsort(self.result.loss, kind="stable") if math.isfinite(self.result.loss[t])]


def train_networks(
    windows: np.ndarray,
    states: np.ndarray,
    settings: FitSettings,
    seed: int,
    deadline: float,
    earlier: FittedEncoder | None = None,
) -> Trained:
    """Encoders and cells of all trials; ``windows`` (N, W, S), ``states`` (N, K + 1, S).

    The first trial starts from an `earlier` encoder, if there is one.
    """
    seeds = np.random.SeedSequence(seed).generate_state(settings.n_trials + 1).tolist()
    n_states = states.shape[2]
    item_shape = (windows.shape[2], windows.shape[1])
    encoders = []
    for trial_seed in seeds[1:]:
        with random_numbers_of(trial_seed):
            encoders.append(build_encoder(settings.encoder, item_shape, settings.n_latents))
    if earlier is not None:
        encoders[0] = earlier.module().train()
    cell: EQLCell | ReLUCell
    if settings.head == "relu":
        cell = ReLUCell(n_states, settings.n_latents, settings.relu_layers, seeds[1:])
    else:
        scales = initial_scales(settings.recurrent.penalty)
        cell = EQLCell(
            n_states, settings.n_latents, settings.units, settings.n_hidden_layers, seeds[1:], init_scales=scales
        )
    network = RecurrentNetwork(encoders, cell, settings.n_latents).to(settings.device)
    series = _series(windows, states, settings)
    report = partial(_report, settings) if settings.watched else None
    result = train_recurrent(network, series, settings.recurrent, seeds[0], deadline, report)
    return Trained(network.cpu(), result, series)


def _series(windows: np.ndarray, states: np.ndarray, settings: FitSettings) -> Series:
    n_states = states.shape[2]
    scale = np.sqrt(np.mean(states**2, axis=(0, 1))) if settings.scale else np.ones(n_states)
    step = np.sqrt(np.mean(np.diff(states, axis=1) ** 2, axis=(0, 1))) if settings.scale else np.ones(n_states)
    unit = float(scale.max()) if settings.scale and scale.any() else 1.0
    ones = [np.where(values > 0, values, unit) / unit for values in (scale, step)]
    on = {"dtype": torch.float32, "device": settings.device}
    return Series(
        window_tensor(windows, *standardisation(windows)).to(settings.device),
        torch.tensor(states / unit, **on),
        torch.tensor(ones[0], **on),
        torch.tensor(ones[1], **on),
        unit,
    )


def _report(settings: FitSettings, step: int, loss: np.ndarray) -> None:
    n_steps = sum(phase.n_steps for phase in settings.recurrent.phases)
    if settings.watched is not None:
        settings.watched("training", float(loss.min()), step, n_steps)


def trained_encoder(trained: Trained, trial: int, windows: np.ndarray, settings: FitSettings) -> FittedEncoder:
    """The encoder of a trial as plain arrays."""
    return FittedEncoder.of(settings.encoder, trained.network.encoders[trial], trained.network.norm, trial, windows)


def trained_laws(trained: Trained, trial: int, states: np.ndarray, latents: np.ndarray, settings: FitSettings):
    """What is left of the cell of a trial, as one law per state: the network itself, in the user's units."""
    n_states = states.shape[2]
    flat = trained.network.cell.network.masked().detach()[trial * n_states : (trial + 1) * n_states]
    series = trained.series
    state_scale, step_scale = (t.cpu().double().numpy() * series.unit for t in (series.state_scale, series.step_scale))
    x_scale = np.concatenate([state_scale, np.ones(latents.shape[1])])
    unit = step_scale if settings.recurrent.increments else state_scale
    unit = unit / (1.0 if settings.form == "update" else settings.dt)
    here, primitives = states[:, :-1], vocabulary(settings.primitives)
    repeated = np.repeat(latents[:, None], here.shape[1], axis=1)
    X = np.concatenate([here, repeated], axis=2).reshape(here[:, :, 0].size, -1)
    targets = states[:, 1:] if settings.form == "update" else np.diff(states, axis=1) / settings.dt
    found = []
    for e, (equation,) in enumerate(trained.network.cell.network.to_equations(flat)):
        law = rescale(equation, x_scale, unit[e], primitives)
        if settings.recurrent.increments and settings.form == "update":
            law = _plus_state(law, e)
        law = canonicalize(law, primitives)
        y = targets[:, :, e].ravel()
        table = Table(X, y, None, Scaling.of(X, y), primitives, 0)
        with np.errstate(over="ignore", invalid="ignore"):
            loss = table.refit(law, np.zeros(len(law.coefficients()), dtype=bool))[1]
        kept = as_law(law, loss, trial, table)
        if kept is None:
            raise no_finite_law(e)
        found.append([kept])
    return found


def _plus_state(equation: Equation, state: int) -> Equation:
    output = dict(equation.output)
    output[1 + state] = output.get(1 + state, 0.0) + 1.0
    return replace(equation, output=tuple(sorted(output.items())))


def best_motion(
    states: np.ndarray,
    candidates: Sequence[np.ndarray],
    settings: FitSettings,
    seed: int,
    deadline: float,
    earlier: EarlierLaws | None = None,
) -> Motion:
    """The shortest law of motion from any of the `candidates`, latents (N, L) of the best trials."""
    wanted = MotionSettings(
        settings.form, settings.dt, settings.primitives, settings.max_degree, quotients=settings.quotients
    )
    best = find_motion(states, candidates[:_N_REFINED], wanted, seed, deadline, earlier)
    if settings.latent_scale == "unit":
        scaled = with_standard_latents(best, LATENT_SCALE)
    else:
        scaled = with_simple_latents(best, settings.dt, settings.form == "update")
    return with_all_latents(scaled, settings.n_latents)


def taught_encoder(
    fitted: FittedEncoder,
    cell: LawCell,
    windows: np.ndarray,
    states: np.ndarray,
    latents: np.ndarray,
    scale: np.ndarray,
    batch_size: int,
    seed: int,
    deadline: float,
    device: str = "cpu",
) -> FittedEncoder:
    """The encoder, trained on to give the latents that the law found.

    Where the law holds within windows, too, it makes more of them to learn from: other starts with other latents.
    """
    if best_horizon(cell, windows, states, carried(fitted(windows), latents), scale):
        rng = np.random.default_rng(seed)
        first = np.concatenate([windows[rng.permutation(len(windows)), 0] for _ in range(_EXERCISES)])
        drawn = np.concatenate([_between(latents, rng) for _ in range(_EXERCISES)])
        with np.errstate(all="ignore"):
            made = np.concatenate([first[:, None], cell.rollout(first, drawn, windows.shape[1] - 1)], axis=1)
        sound = (np.abs(made) <= np.abs(windows).max(axis=(0, 1))).all(axis=(1, 2))
        windows, latents = np.concatenate([windows, made[sound]]), np.concatenate([latents, drawn[sound]])
    return fitted.taught(windows, latents, _TAUGHT_STEPS, batch_size, seed, deadline, device)


def _between(latents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As many latents again, each somewhere between two neighbours in a random order of the given ones."""
    order = rng.permutation(len(latents))
    share = rng.random((len(latents), 1)) * _SPREAD
    return latents[order] + share * (latents[np.roll(order, 1)] - latents[order])


def best_horizon(cell: LawCell, windows: np.ndarray, states: np.ndarray, encoded: np.ndarray, scale: np.ndarray) -> int:
    """Steps over which the law is to find latents from windows, for the best roll-outs on the training series.

    0 if the encoder's own latents are better.
    """
    errors = {}
    for horizon in (0, *(h for h in _HORIZONS if h < windows.shape[1])):
        latents = identify(cell, windows, encoded, scale, horizon) if horizon else encoded
        with np.errstate(all="ignore"):
            rolled = cell.rollout(states[:, 0], latents, states.shape[1] - 1)
            errors[horizon] = np.median(np.mean(((rolled - states[:, 1:]) / scale) ** 2, axis=(1, 2)))
        if errors[horizon] < _DECISIVE_SHARE * errors[0]:
            break
    return min(errors, key=lambda horizon: np.nan_to_num(errors[horizon], nan=np.inf))


def stage_deadlines(start: float, max_time: float | None) -> tuple[float, float, float]:
    """When training, the search for the law, and everything is to be over (``time.time()``)."""
    if max_time is None:
        return (math.inf,) * 3
    return start + _TRAINING_SHARE * max_time, start + _SEARCH_SHARE * max_time, start + max_time
