"""Settings of a fit of laws of motion, read from the parameters of its estimator."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn_eql.dynamics.stages import FitSettings
from sklearn_eql.estimators._device import resolve_device
from sklearn_eql.networks.penalties import resolve_penalty
from sklearn_eql.primitives import PRIMITIVES, check_primitive, resolve_functions
from sklearn_eql.progress import Watched
from sklearn_eql.training.rollouts import RecurrentSettings
from sklearn_eql.training.schedule import ROLLOUT_SCHEDULES, RolloutPhase, resolve_phases


def motion_settings(estimator: Any, watched: Watched) -> FitSettings:
    """The settings that the parameters of an :class:`~sklearn_eql.EQLDynamicsRegressor` stand for.

    Raises
    ------
    ValueError
        Functions, phases or layers that are none, and an ``"ode"`` that is not refined.
    """
    units = resolve_functions(estimator.functions)
    for unit in set(units):
        if PRIMITIVES.get(unit.name) is not unit:
            check_primitive(unit)
    if estimator.form == "ode" and (estimator.head == "relu" or not estimator.refine):
        raise ValueError(
            f"form='ode' with head={estimator.head!r}, refine={estimator.refine}: networks are trained to make steps, "
            "only refined laws are read as derivatives. Use form='update' or 'increment'."
        )
    phases = resolve_phases(estimator.schedule, ROLLOUT_SCHEDULES, honoured=("n_rollout",))
    if isinstance(estimator.relu_layers, str) or not all(
        isinstance(n, Integral) and int(n) > 0 for n in estimator.relu_layers
    ):
        raise ValueError(
            f"relu_layers={estimator.relu_layers!r}: expected a sequence of positive integers, units per layer."
        )
    rollouts = tuple(p if isinstance(p, RolloutPhase) else RolloutPhase(**vars(p)) for p in phases)
    for phase in rollouts:
        if phase.n_rollout is not None and phase.n_rollout < 1:
            raise ValueError(f"{phase}: n_rollout must be >= 1, or None for all steps.")
    recurrent = RecurrentSettings(
        phases=rollouts,
        penalty=resolve_penalty(estimator.penalty),
        alpha=float(estimator.alpha),
        optimizer=estimator.optimizer,
        batch_size=estimator.batch_size,
        any_start=estimator.scale,
        increments=estimator.scale or estimator.form != "update",
    )
    return FitSettings(
        encoder=estimator.encoder,
        n_latents=estimator.n_latents,
        head=estimator.head,
        form=estimator.form,
        dt=float(estimator.dt or 1.0),
        units=units,
        n_hidden_layers=estimator.n_hidden_layers,
        relu_layers=tuple(estimator.relu_layers),
        n_trials=estimator.n_trials,
        scale=estimator.scale,
        max_degree=estimator.max_degree,
        quotients=estimator.functions == "motion" or any(unit.name in ("inv", "div") for unit in units),
        latent_scale=estimator.latent_scale,
        recurrent=recurrent,
        device=resolve_device(estimator.device),
        watched=watched if watched.watchers else None,
    )
