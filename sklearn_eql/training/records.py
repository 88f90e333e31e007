"""What training reports: the status of each trial, progress while it runs, the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sklearn_eql.networks.batched_eql import BatchedEQL


class Status(StrEnum):
    """How a trial ended."""

    CONVERGED = "converged"  # went through all phases
    CULLED = "culled"  # stopped early because others did better
    DIVERGED = "diverged"  # not finite, restarts used up
    TIMED_OUT = "timed out"
    STOPPED = "stopped"  # by the callback
    INTERRUPTED = "interrupted"  # Ctrl-C


@dataclass(frozen=True)
class TrialRecord:
    """What became of one trial."""

    seed: int
    status: Status
    loss: float  # mean squared error of the final weights; inf if diverged
    n_steps: int
    n_restarts: int
    n_active: int  # nonzero weights


@dataclass(frozen=True)
class Progress:
    """What a callback sees, every `check_every` steps."""

    step: int
    n_steps: int
    trials: np.ndarray  # (n,) indices of the trials still training
    loss: np.ndarray  # (n,) their mean squared errors
    network: BatchedEQL  # holding those trials


@dataclass(frozen=True)
class TrainingResult:
    """Weights and records of all trials, in the order of the seeds."""

    weights: np.ndarray  # (T, P), exact zeros where frozen; see BatchedEQL.split and BatchedEQL.to_equations
    mask: np.ndarray  # (T, P) bool, False where frozen
    loss: np.ndarray  # (T,)
    records: tuple[TrialRecord, ...]
    loss_curve: np.ndarray  # (n_checks, T), NaN after a trial ended
    curve_steps: np.ndarray  # (n_checks,)
    n_steps: int
    status: Status  # how the whole run ended
