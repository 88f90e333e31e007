"""Series that obey a law of motion with a hidden parameter: what the paper's section III-C uses, and more of the kind.

Every function draws for each series its hidden parameters and two initial states, independently of each other. The
first is observed for `n_observed` rows; the second, in the last row of `X`, is where the series in `Y` starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from sklearn_eql.datasets import _systems
from sklearn_eql.datasets._systems import System


def make_kinematics(
    n_series: int = 100,
    n_observed: int = 100,
    n_steps: int = 5,
    *,
    dt: float = 1.0,
    noise: float = 0.0,
    random_state: Any = None,
) -> Bunch:
    """Sample masses under a constant force, the paper's first dynamical system (section III-C.1, Appendix C-B).

    ``u' = v``, ``v' = a``, with `u`, `v` and the hidden acceleration `a` from U(-1, 1). From one step to the next,
    exactly: ``u + v*dt + a*dt**2/2`` and ``v + a*dt``.

    Parameters
    ----------
    n_series : int, default=100
        Number of series, each with its own hidden parameter; with the same `random_state`, the first of them stay
        the same where there are more.
    n_observed : int, default=100
        Rows of the observed window.
    n_steps : int, default=5
        Steps to predict. More steps with the same `random_state` continue the same series, so that roll-outs have a
        truth to be compared with far beyond what a model was trained on.
    dt : float, default=1.0
        Time between two rows.
    noise : float, default=0.0
        Standard deviation of Gaussian noise added to every number of `X` and `Y`, in units of the standard deviation
        with which initial states are drawn (1/sqrt(3) for U(-1, 1)): a measuring device does not get worse where a
        body has gone far.
    random_state : int, RandomState instance or None, default=None
        Seed of hidden parameters, initial states and noise.

    Returns
    -------
    series : :class:`~sklearn.utils.Bunch`
        ``X`` of shape ``(n_series, n_observed + 1, n_states)``: the observed window, and in the last row the state from
        which ``Y`` of shape ``(n_series, n_steps, n_states)`` starts; ``z``, the hidden parameters, of shape
        ``(n_series,)`` or, if several, ``(n_series, n_latents)``; ``t`` of shape ``(n_steps,)``, the times of ``Y``
        since its start; ``dt``, ``state_names``, ``latent_names``; ``equations``, the time derivative of each state
        as text; ``name`` and ``DESCR``.

    Examples
    --------
    >>> from sklearn_eql.datasets import make_kinematics
    >>> series = make_kinematics(random_state=0)
    >>> series.X.shape, series.Y.shape, series.z.shape, series.equations
    ((100, 101, 2), (100, 5, 2), (100,), ['v', 'a'])
    """
    return _make("make_kinematics", _systems.KINEMATICS, n_series, n_observed, n_steps, dt, noise, random_state)


def make_oscillator(
    n_series: int = 1000,
    n_observed: int = 500,
    n_steps: int = 25,
    *,
    dt: float = 0.1,
    noise: float = 0.0,
    random_state: Any = None,
) -> Bunch:
    """Sample harmonic oscillators, the paper's second dynamical system (section III-C.2, Appendix C-C).

    ``u' = v``, ``v' = -omega2*u``, with `u` and `v` from U(-1, 1) and the hidden `omega2` from U(0.1, 1). From one step
    to the next, exactly: ``u*cos(omega*dt) + v*sin(omega*dt)/omega`` and ``v*cos(omega*dt) - omega*u*sin(omega*dt)``.

    Parameters and result are those of :func:`make_kinematics`.

    Examples
    --------
    >>> from sklearn_eql.datasets import make_oscillator
    >>> series = make_oscillator(n_series=100, random_state=0)
    >>> series.X.shape, series.Y.shape, series.z.shape, series.equations
    ((100, 501, 2), (100, 25, 2), (100,), ['v', '-omega2*u'])
    """
    return _make("make_oscillator", _systems.OSCILLATOR, n_series, n_observed, n_steps, dt, noise, random_state)


def make_damped_oscillator(
    n_series: int = 1000,
    n_observed: int = 200,
    n_steps: int = 25,
    *,
    hidden: str = "damping",
    dt: float = 0.1,
    noise: float = 0.0,
    random_state: Any = None,
) -> Bunch:
    """Sample oscillators with friction, with one hidden parameter or two.

    ``u' = v``, ``v' = -omega2*u - damping*v``, with `u` and `v` from U(-1, 1) and `damping` from U(0.05, 0.5).

    Parameters and result are those of :func:`make_kinematics`, with one parameter more.

    Parameters
    ----------
    hidden : {"damping", "both"}, default="damping"
        Whether `omega2` is 1, or hidden as well and from U(0.1, 1). Friction never is so strong that nothing swings.

    Examples
    --------
    >>> from sklearn_eql.datasets import make_damped_oscillator
    >>> series = make_damped_oscillator(n_series=100, hidden="both", random_state=0)
    >>> series.z.shape, series.latent_names, series.equations
    ((100, 2), ['damping', 'omega2'], ['v', '-omega2*u - damping*v'])
    """
    name = "make_damped_oscillator"
    system = _choose(name, _systems.DAMPED_OSCILLATOR, hidden)
    return _make(name, system, n_series, n_observed, n_steps, dt, noise, random_state)


def make_pendulum(
    n_series: int = 1000,
    n_observed: int = 200,
    n_steps: int = 25,
    *,
    dt: float = 0.1,
    noise: float = 0.0,
    random_state: Any = None,
) -> Bunch:
    """Sample pendulums that swing by up to 2 rad, far beyond where they are harmonic.

    ``angle' = velocity``, ``velocity' = -omega2*sin(angle)``, with the angle from U(-1.5, 1.5), the velocity from
    U(-0.7, 0.7) and the hidden ``omega2 = g / length`` from U(0.5, 1.5). The solution is exact.

    Parameters and result are those of :func:`make_kinematics`.

    Examples
    --------
    >>> from sklearn_eql.datasets import make_pendulum
    >>> series = make_pendulum(n_series=100, random_state=0)
    >>> series.X.shape, series.state_names, series.equations
    ((100, 201, 2), ['angle', 'velocity'], ['velocity', '-omega2*sin(angle)'])
    """
    return _make("make_pendulum", _systems.PENDULUM, n_series, n_observed, n_steps, dt, noise, random_state)


def make_lotka_volterra(
    n_series: int = 1000,
    n_observed: int = 200,
    n_steps: int = 25,
    *,
    dt: float = 0.1,
    noise: float = 0.0,
    random_state: Any = None,
) -> Bunch:
    """Sample populations of prey and predator whose prey multiplies at a hidden rate.

    ``prey' = growth*prey - prey*predator``, ``predator' = prey*predator - predator``, with both populations from
    U(0.5, 2) and the hidden `growth` from U(0.5, 1.5). There is no solution in closed form; it is integrated to a
    relative error below 1e-10, which is why here other numbers of rows may change the last digits.

    Parameters and result are those of :func:`make_kinematics`.

    Examples
    --------
    >>> from sklearn_eql.datasets import make_lotka_volterra
    >>> series = make_lotka_volterra(n_series=100, random_state=0)
    >>> series.X.shape, series.equations
    ((100, 201, 2), ['growth*prey - prey*predator', 'prey*predator - predator'])
    """
    return _make("make_lotka_volterra", _systems.LOTKA_VOLTERRA, n_series, n_observed, n_steps, dt, noise, random_state)


def make_projectile(
    n_series: int = 1000,
    n_observed: int = 100,
    n_steps: int = 25,
    *,
    hidden: str = "field",
    dt: float = 0.1,
    noise: float = 0.0,
    random_state: Any = None,
) -> Bunch:
    """Sample projectiles in a constant field: three states, with one hidden parameter or two.

    ``x' = speed``, ``y' = w``, ``w' = -field``: horizontal position, height and vertical velocity, all from U(-1, 1),
    of a body that keeps its horizontal speed. The hidden `field` is from U(0.5, 1.5).

    Parameters and result are those of :func:`make_kinematics`, with one parameter more.

    Parameters
    ----------
    hidden : {"field", "both"}, default="field"
        Whether `speed` is 1, or hidden as well and from U(0.5, 1.5).

    Examples
    --------
    >>> from sklearn_eql.datasets import make_projectile
    >>> series = make_projectile(n_series=100, random_state=0)
    >>> series.X.shape, series.state_names, series.equations
    ((100, 101, 3), ['x', 'y', 'w'], ['1', 'w', '-field'])
    """
    system = _choose("make_projectile", _systems.PROJECTILE, hidden)
    return _make("make_projectile", system, n_series, n_observed, n_steps, dt, noise, random_state)


def _choose(caller: str, systems: Mapping[str, System], hidden: str) -> System:
    if hidden not in systems:
        raise ValueError(f"{caller}: hidden must be one of {list(systems)}, got {hidden!r}.")
    return systems[hidden]


def _make(
    caller: str,
    system: System,
    n_series: int,
    n_observed: int,
    n_steps: int,
    dt: float,
    noise: float,
    random_state: Any,
) -> Bunch:
    for name, value in (("n_series", n_series), ("n_observed", n_observed), ("n_steps", n_steps)):
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{caller}: {name} must be an integer of at least 1, got {value!r}.")
    if not 0 < dt < np.inf:
        raise ValueError(f"{caller}: dt must be a finite number above 0, got {dt!r}.")
    if not 0 <= noise < np.inf:
        raise ValueError(f"{caller}: noise must be a finite number of at least 0, got {noise!r}.")

    rng = check_random_state(random_state)
    # Streams of their own for the noise: nothing that is drawn may depend on how many rows were asked for.
    noise_seeds = rng.randint(np.iinfo(np.int32).max, size=2)
    z, observed_start, start = system.draw(rng, n_series)
    observed = system.solve(observed_start, z, dt * np.arange(n_observed))
    predicted = system.solve(start, z, dt * np.arange(n_steps + 1))
    if noise > 0:
        for states, seed in zip((observed, predicted), noise_seeds, strict=True):
            # Drawn one step after the other, so that more steps leave the noise of earlier ones as it was.
            drawn = check_random_state(seed).normal(size=(states.shape[1], n_series, states.shape[2]))
            states += noise * system.spread * drawn.swapaxes(0, 1)
    return Bunch(
        X=np.concatenate([observed, predicted[:, :1]], axis=1),
        Y=predicted[:, 1:].copy(),
        z=z[:, 0] if z.shape[1] == 1 else z,
        t=dt * np.arange(1, n_steps + 1),
        dt=dt,
        state_names=list(system.states),
        latent_names=list(system.latents),
        equations=list(system.equations),
        name=system.name,
        DESCR=system.descr,
    )
