"""Laws of motion whose solutions are known: what :mod:`~sklearn_eql.datasets._motion` draws its series from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import ellipj, ellipkinc

Range = tuple[float, float]
Array = np.ndarray


@dataclass(frozen=True)
class System:
    """A system of ordinary differential equations with hidden parameters, and its solution.

    Parameters
    ----------
    states, latents : mapping from name to (lower, upper)
        Where initial states and hidden parameters are drawn from, uniformly.
    equations : tuple of str
        Time derivative of each state, in the names of states and latents.
    solution : callable
        ``solution(*states, *latents, t)``, arrays that broadcast (``(n_series, 1)`` against ``(n_times,)``), to one
        array for each state. Times start anywhere at or after 0, the time of the initial states.
    descr : str
        What moves, and where the solution comes from.
    """

    name: str
    states: Mapping[str, Range]
    latents: Mapping[str, Range]
    equations: tuple[str, ...]
    solution: Callable[..., tuple[Array, ...]]
    descr: str

    def draw(self, rng: np.random.RandomState, n_series: int) -> tuple[Array, Array, Array]:
        """Hidden parameters, and two initial states of each series: of what is observed, and of what is predicted."""
        latents, states = list(self.latents.values()), list(self.states.values())
        lower, upper = np.transpose([*latents, *states, *states])
        # One row for each series, so that the first series are the same however many there are.
        rows = rng.uniform(lower, upper, size=(n_series, len(lower)))
        z, observed, predicted = np.split(rows, [len(latents), len(latents) + len(states)], axis=1)
        return z, observed, predicted

    def solve(self, start: Array, z: Array, t: Array) -> Array:
        """States at times `t`, shape ``(n_series, n_times, n_states)``; at time 0 they are `start`."""
        columns = np.concatenate([start, z], axis=1).T[:, :, None]
        return np.stack(np.broadcast_arrays(*self.solution(*columns, t)), axis=-1)

    @property
    def spread(self) -> Array:
        """Standard deviation of each state where initial states are drawn, shape ``(n_states,)``."""
        return np.array([(upper - lower) / np.sqrt(12) for lower, upper in self.states.values()])


def _kinematics(u: Array, v: Array, a: Array, t: Array) -> tuple[Array, ...]:
    return u + v * t + a * t**2 / 2, v + a * t


def _damped_oscillator(
    u: Array, v: Array, damping: Array | float, omega2: Array | float, t: Array
) -> tuple[Array, ...]:
    """For ``damping**2 < 4 * omega2``, which the ranges below grant."""
    rate, omega = damping / 2, np.sqrt(omega2 - damping**2 / 4)
    decay, cos, sin = np.exp(-rate * t), np.cos(omega * t), np.sin(omega * t)
    return decay * (u * cos + (v + rate * u) / omega * sin), decay * (v * cos - (omega2 * u + rate * v) / omega * sin)


def _pendulum(angle: Array, velocity: Array, omega2: Array, t: Array) -> tuple[Array, ...]:
    """Jacobi's elliptic functions, for swings that do not go over the top: ``sin(angle / 2) = k sn(omega t + c)``."""
    omega = np.sqrt(omega2)
    sine, cosine = np.sin(angle / 2), velocity / (2 * omega)  # k sn(c) and k cn(c)
    m = sine**2 + cosine**2
    sn, cn, _, _ = ellipj(omega * t + ellipkinc(np.arctan2(sine, cosine), m), m)
    k = np.sqrt(m)
    return 2 * np.arcsin(k * sn), 2 * k * omega * cn


def _lotka_volterra(prey: Array, predator: Array, growth: Array, t: Array) -> tuple[Array, ...]:
    """By integration, all series at once; in logarithms, which cannot become negative and vary less."""

    def derivative(_: float, log_states: Array) -> Array:
        log_prey, log_predator = np.split(log_states, 2)
        return np.concatenate([growth[:, 0] - np.exp(log_predator), np.exp(log_prey) - 1])

    start = np.log(np.concatenate([prey[:, 0], predator[:, 0]]))
    step = 0.05  # no longer, so that the interpolation between steps is as accurate as the steps themselves
    span = (0, t[-1] + step)  # never empty, even for a single row
    run = solve_ivp(derivative, span, start, "DOP853", t_eval=t, rtol=1e-12, atol=1e-13, max_step=step)
    log_prey, log_predator = np.split(run.y, 2)
    return np.exp(log_prey), np.exp(log_predator)


def _projectile(x: Array, y: Array, w: Array, field: Array, speed: Array | float, t: Array) -> tuple[Array, ...]:
    return x + speed * t, y + w * t - field * t**2 / 2, w - field * t


_UNIT = (-1.0, 1.0)

KINEMATICS = System(
    name="kinematics",
    states={"u": _UNIT, "v": _UNIT},
    latents={"a": _UNIT},
    equations=("v", "a"),
    solution=_kinematics,
    descr="A mass under a constant force: position u, velocity v; hidden: the acceleration a. Exact solution.",
)

OSCILLATOR = System(
    name="oscillator",
    states={"u": _UNIT, "v": _UNIT},
    latents={"omega2": (0.1, 1.0)},
    equations=("v", "-omega2*u"),
    solution=lambda u, v, omega2, t: _damped_oscillator(u, v, 0.0, omega2, t),
    descr="A mass on a spring: position u, velocity v; hidden: the square of the frequency, omega2. Exact solution.",
)

DAMPED_OSCILLATOR = {
    "damping": System(
        name="damped oscillator",
        states={"u": _UNIT, "v": _UNIT},
        latents={"damping": (0.05, 0.5)},
        equations=("v", "-u - damping*v"),
        solution=lambda u, v, damping, t: _damped_oscillator(u, v, damping, 1.0, t),
        descr="A mass on a spring with friction: position u, velocity v; hidden: the damping rate. The square of the "
        "frequency is 1. Exact solution.",
    ),
    "both": System(
        name="damped oscillator",
        states={"u": _UNIT, "v": _UNIT},
        latents={"damping": (0.05, 0.5), "omega2": (0.1, 1.0)},
        equations=("v", "-omega2*u - damping*v"),
        solution=_damped_oscillator,
        descr="A mass on a spring with friction: position u, velocity v; hidden: the damping rate and the square of "
        "the frequency, omega2. Exact solution.",
    ),
}

PENDULUM = System(
    name="pendulum",
    # Together these allow amplitudes of up to 2.0 rad (most for the smallest omega2), and never a full turn.
    states={"angle": (-1.5, 1.5), "velocity": (-0.7, 0.7)},
    latents={"omega2": (0.5, 1.5)},
    equations=("velocity", "-omega2*sin(angle)"),
    solution=_pendulum,
    descr="A pendulum: angle (rad) from its rest, angular velocity; hidden: omega2 = g / length. Exact solution in "
    "Jacobi's elliptic functions.",
)

LOTKA_VOLTERRA = System(
    name="Lotka-Volterra",
    states={"prey": (0.5, 2.0), "predator": (0.5, 2.0)},
    latents={"growth": (0.5, 1.5)},
    equations=("growth*prey - prey*predator", "prey*predator - predator"),
    solution=_lotka_volterra,
    descr="Prey and predator, in units in which all rates but one are 1; hidden: the rate at which prey multiplies, "
    "growth. The fixed point is prey = 1, predator = growth. Integrated to a relative error below 1e-10.",
)

PROJECTILE = {
    "field": System(
        name="projectile",
        states={"x": _UNIT, "y": _UNIT, "w": _UNIT},
        latents={"field": (0.5, 1.5)},
        equations=("1", "w", "-field"),
        solution=lambda x, y, w, field, t: _projectile(x, y, w, field, 1.0, t),
        descr="A projectile in a constant field, such as an electron between charged plates: horizontal position x, "
        "height y, vertical velocity w; hidden: the field, downwards. The horizontal speed is 1. Exact solution.",
    ),
    "both": System(
        name="projectile",
        states={"x": _UNIT, "y": _UNIT, "w": _UNIT},
        latents={"field": (0.5, 1.5), "speed": (0.5, 1.5)},
        equations=("speed", "w", "-field"),
        solution=_projectile,
        descr="A projectile in a constant field, such as an electron between charged plates: horizontal position x, "
        "height y, vertical velocity w; hidden: the field, downwards, and the horizontal speed. Exact solution.",
    ),
}
