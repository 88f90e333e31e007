"""The classical Runge-Kutta method, for laws that are read as differential equations (``form="ode"``)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

N_SUBSTEPS = 8
"""Runge-Kutta steps per time step of the data."""

N_ROUGH = 4
"""The same while terms are searched for."""

Velocity = Callable[[np.ndarray], np.ndarray]


def advance(velocity: Velocity, state: np.ndarray, dt: float, n_substeps: int = N_SUBSTEPS) -> np.ndarray:
    """The state after `dt`; any shape that `velocity` maps to itself."""
    h = dt / n_substeps
    for _ in range(n_substeps):
        k1 = velocity(state)
        k2 = velocity(state + h / 2 * k1)
        k3 = velocity(state + h / 2 * k2)
        k4 = velocity(state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def mean_velocity(velocity: Velocity, state: np.ndarray, dt: float, n_substeps: int = N_SUBSTEPS) -> np.ndarray:
    """Mean rate of change over a step."""
    return (advance(velocity, state, dt, n_substeps) - state) / dt
