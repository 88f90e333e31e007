"""Phases of training, and the named schedules made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Phase:
    """A stretch of training with fixed settings.

    Parameters
    ----------
    n_steps : int
        Optimiser steps.
    learning_rate : float
    alpha_scale : float
        Multiplies the penalty weight ``alpha`` (lambda in the paper) of every trial; 0 trains without penalty.
    threshold : float or None
        When the phase ends, weights smaller than this are set to zero and frozen; gates of relaxed L0 are made
        deterministic and closed ones frozen. None freezes nothing.
    keep : float
        When the phase ends, the fraction of trials (lowest loss) that go on; the others are culled. A phase may be
        split in two to cull halfway. For :class:`~sklearn_eql.EQLRegressor`; the other estimators refuse less than 1.
    """

    n_steps: int
    learning_rate: float = 1e-2
    alpha_scale: float = 1.0
    threshold: float | None = None
    keep: float = 1.0


@dataclass(frozen=True)
class RolloutPhase(Phase):
    """A phase of recurrent training.

    Parameters
    ----------
    n_rollout : int or None
        Steps that the cell is applied before the error is taken; None for as many as there are data for.
    """

    n_rollout: int | None = None


Schedule = tuple[Phase, ...]

PAPER_ALPHA = 5e-3
"""Penalty weight of Appendix A."""

SCHEDULES: dict[str, Schedule] = {
    # Appendix A; the threshold is stated for the other experiments (Appendix C).
    "paper": (
        Phase(2_000, learning_rate=1e-2, threshold=0.01),
        Phase(10_000, learning_rate=1e-3, alpha_scale=0.0),
    ),
    # The same steps for relaxed L0, which needs "no final stage where small weights are set to 0 and frozen" (Appendix
    # B): gates and penalty stay on until the end.
    "paper-l0": (
        Phase(2_000, learning_rate=1e-2),
        Phase(10_000, learning_rate=1e-3),
    ),
    # The authors' public benchmark_l0.py, to be used with alpha = 1e-2: one long phase.
    "paper-code-l0": (Phase(20_000, learning_rate=1e-2),),
    # The authors' public benchmark.py: a warm-up at ten times the learning rate, and longer phases than the paper says.
    # It also differs from the paper in a = 0.05 of eq. (3), sin(4 pi g), (exp(g) - 1) / e and 10 g1 g2.
    "paper-code": (
        Phase(2_000, learning_rate=1e-1),
        Phase(10_000, learning_rate=1e-2, threshold=0.01),
        Phase(10_000, learning_rate=1e-3, alpha_scale=0.0),
    ),
    # For sparse structures that are refined afterwards: long training buys little (with `alpha_ladder`).
    "fast": (
        Phase(1_000, learning_rate=1e-2),
        Phase(2_000, learning_rate=3e-3, threshold=0.01),
    ),
}
"""Schedules by name."""

IMAGE_SCHEDULES: dict[str, Schedule] = {
    # Appendix C-A, with alpha = 0.05.
    "paper": (
        Phase(10_000, learning_rate=1e-2, threshold=0.01),
        Phase(10_000, learning_rate=1e-4, alpha_scale=0.0),
    ),
    # Long enough to see what the latents are and how they combine; the law is then trained further with the encoder.
    "fast": (
        Phase(600, learning_rate=1e-3, alpha_scale=0.0),
        Phase(600, learning_rate=1e-3, threshold=0.01),
    ),
}
"""Schedules by name, for encoder and head together."""

ROLLOUT_SCHEDULES: dict[str, Schedule] = {
    # Roll-outs that grow from 1 to 5 steps: enough to see what the hidden parameter is; the law is refined afterwards.
    "fast": (
        RolloutPhase(300, learning_rate=1e-2, n_rollout=1),
        RolloutPhase(300, learning_rate=5e-3, n_rollout=3),
        RolloutPhase(200, learning_rate=2e-3, n_rollout=5, threshold=0.01),
    ),
    # Without a law to refine: on until the error no longer falls, over all steps in the end.
    "long": (
        RolloutPhase(500, learning_rate=5e-3, alpha_scale=0.0, n_rollout=1),
        RolloutPhase(1_000, learning_rate=5e-3, alpha_scale=0.0, n_rollout=5),
        RolloutPhase(1_000, learning_rate=2e-3, alpha_scale=0.0),
        RolloutPhase(1_000, learning_rate=5e-4, alpha_scale=0.0),
    ),
    # Appendix C-B, with alpha = 1e-3.
    "paper-kinematics": (
        RolloutPhase(1_000, learning_rate=1e-2, n_rollout=1),
        RolloutPhase(4_000, learning_rate=1e-2, n_rollout=5, threshold=0.1),
        RolloutPhase(10_000, learning_rate=1e-3, alpha_scale=0.0),
    ),
    # Appendix C-C, with alpha = 4e-5. The paper does not say how long the second and third phase are.
    "paper-sho": (
        *(RolloutPhase(500, learning_rate=1e-2, n_rollout=n) for n in (1, 3, 5, 7)),
        RolloutPhase(2_000, learning_rate=2e-3, alpha_scale=5.0, threshold=0.01),
        RolloutPhase(2_000, learning_rate=1e-3, alpha_scale=0.0),
    ),
}
"""Schedules of recurrent training by name: curricula over the number of steps."""


def resolve_phases(
    schedule: str | Sequence[Phase],
    known: Mapping[str, Schedule] = SCHEDULES,
    honoured: Collection[str] = ("keep",),
) -> Schedule:
    """Phases from the name of a `known` schedule or a sequence of `Phase`.

    Parameters
    ----------
    honoured : collection of {"keep", "n_rollout"}
        Which of the settings that only some loops know this one acts upon; others must have their defaults.

    Raises
    ------
    ValueError
        An unknown name, values out of range, or a setting that would be ignored.
    """
    if isinstance(schedule, str):
        if schedule not in known:
            raise ValueError(f"schedule must be one of {sorted(known)} or a sequence of Phase, got {schedule!r}.")
        return known[schedule]
    phases = tuple(schedule)
    if not phases or not all(isinstance(phase, Phase) for phase in phases):
        raise ValueError(f"schedule must be a non-empty sequence of Phase, got {schedule!r}.")
    for phase in phases:
        if phase.n_steps < 0 or phase.learning_rate <= 0 or not 0 < phase.keep <= 1:
            raise ValueError(f"{phase}: n_steps must be >= 0, learning_rate > 0 and keep in (0, 1].")
        if "keep" not in honoured and phase.keep != 1:
            raise ValueError(f"{phase}: keep < 1 is for EQLRegressor only, here all trials go on. Leave keep=1.")
        if "n_rollout" not in honoured and getattr(phase, "n_rollout", None) is not None:
            raise ValueError(f"{phase}: n_rollout is for EQLDynamicsRegressor only. Use Phase, or n_rollout=None.")
    return phases


def pending_threshold(phases: Sequence[Phase]) -> float:
    """What training that ends before these phases freezes at: the first threshold to come, 0 without one."""
    return next((phase.threshold for phase in phases if phase.threshold is not None), 0.0)


def scale_steps(phases: Sequence[Phase], factor: float) -> Schedule:
    """The same phases with `factor` times as many steps."""
    return tuple(replace(phase, n_steps=round(phase.n_steps * factor)) for phase in phases)


def alpha_ladder(n_trials: int, low: float = 2e-4, high: float = 1e-2) -> np.ndarray:
    """Penalty weights from `low` to `high` in equal ratios, one per trial, shape ``(T,)``."""
    return np.geomspace(low, high, n_trials)
