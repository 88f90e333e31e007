"""Series of the laws of motion: that they obey them, and that asking for more rows changes none."""

import pickle

import numpy as np
import pytest
import sympy

from sklearn_eql import datasets
from sklearn_eql.datasets import (
    make_damped_oscillator,
    make_kinematics,
    make_lotka_volterra,
    make_oscillator,
    make_pendulum,
    make_projectile,
)

MAKERS = {
    "kinematics": make_kinematics,
    "oscillator": make_oscillator,
    "damped oscillator": make_damped_oscillator,
    "damped oscillator, both hidden": lambda *args, **kwargs: make_damped_oscillator(*args, hidden="both", **kwargs),
    "pendulum": make_pendulum,
    "Lotka-Volterra": make_lotka_volterra,
    "projectile": make_projectile,
    "projectile, both hidden": lambda *args, **kwargs: make_projectile(*args, hidden="both", **kwargs),
}
every_system = pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
# The Lotka-Volterra equations are integrated, by a solver whose steps depend on what is asked of it.
SAME = {"rtol": 1e-10, "atol": 1e-12}


def rollouts(series):
    """The start in the last row of X and what follows in Y, ``(n_series, n_steps + 1, n_states)``."""
    return np.concatenate([series.X[:, -1:], series.Y], axis=1)


def derivatives(series, states):
    """What ``series.equations`` say at `states`, ``(n_series, n_times, n_states)``."""
    names = series.state_names + series.latent_names
    values = [*np.moveaxis(states, -1, 0), *np.atleast_2d(series.z.T)[:, :, None]]
    laws = [
        sympy.lambdify(names, sympy.sympify(text, dict(zip(names, sympy.symbols(names), strict=True))))
        for text in series.equations
    ]
    return np.stack([np.broadcast_to(law(*values), states.shape[:2]) for law in laws], axis=-1)


@every_system
def test_window_start_and_future_have_the_shapes_of_the_estimator(make):
    series = make(7, 30, 4, random_state=0)
    n_states, n_latents = len(series.state_names), len(series.latent_names)
    assert series.X.shape == (7, 31, n_states)
    assert series.Y.shape == (7, 4, n_states)
    assert series.z.shape == ((7,) if n_latents == 1 else (7, n_latents))
    assert len(series.equations) == n_states
    np.testing.assert_allclose(series.t, series.dt * np.arange(1, 5))
    assert np.isfinite(series.X).all()
    assert np.isfinite(series.Y).all()


@pytest.mark.parametrize(
    ("make", "n_series", "n_observed", "n_steps", "dt"),
    [(make_kinematics, 100, 100, 5, 1.0), (make_oscillator, 1000, 500, 25, 0.1)],
)
def test_defaults_are_those_of_the_paper(make, n_series, n_observed, n_steps, dt):
    series = make(random_state=0)
    assert series.X.shape == (n_series, n_observed + 1, 2)
    assert series.Y.shape == (n_series, n_steps, 2)
    assert series.dt == dt


@every_system
def test_windows_and_futures_obey_the_equations_that_come_with_them(make):
    h = 1e-3
    series = make(20, 8, 8, dt=h, random_state=1)
    for states in (series.X[:, :-1], rollouts(series)):
        s = np.moveaxis(states, 1, 0)
        slopes = (s[:-4] - 8 * s[1:-3] + 8 * s[3:-1] - s[4:]) / (12 * h)  # central differences, error of order h**4
        np.testing.assert_allclose(np.moveaxis(slopes, 0, 1), derivatives(series, states[:, 2:-2]), atol=1e-9)


@every_system
def test_large_steps_meet_the_same_states_as_small_ones(make):
    fine, coarse = make(20, 101, 100, dt=0.05, random_state=1), make(20, 11, 10, dt=0.5, random_state=1)
    np.testing.assert_allclose(fine.X[:, :-1:10], coarse.X[:, :-1], **SAME)
    np.testing.assert_allclose(fine.Y[:, 9::10], coarse.Y, **SAME)


def test_kinematics_obeys_the_papers_update_rule():
    series = make_kinematics(random_state=0)
    u, v = np.moveaxis(rollouts(series), -1, 0)
    a = series.z[:, None]
    np.testing.assert_allclose(u[:, 1:], u[:, :-1] + v[:, :-1] + a / 2, atol=1e-12)
    np.testing.assert_allclose(v[:, 1:], v[:, :-1] + a, atol=1e-12)


def test_oscillator_conserves_its_energy():
    series = make_oscillator(random_state=0)
    for states in (series.X[:, :-1], rollouts(series)):
        energy = states[..., 1] ** 2 + series.z[:, None] * states[..., 0] ** 2
        assert np.ptp(energy, axis=1).max() < 1e-13


def test_pendulum_conserves_its_energy_and_swings_by_up_to_two_radians():
    series = make_pendulum(2000, random_state=0)
    angle, velocity = np.moveaxis(series.X[:, :-1], -1, 0)
    energy = velocity**2 / 2 - series.z[:, None] * np.cos(angle)
    assert np.ptp(energy, axis=1).max() < 1e-12
    amplitude = np.arccos(-energy[:, 0] / series.z)
    assert 1.8 < amplitude.max() < 2.05


def test_populations_are_positive_and_keep_what_they_conserve():
    series = make_lotka_volterra(random_state=0)
    prey, predator = np.moveaxis(series.X[:, :-1], -1, 0)
    assert min(series.X.min(), series.Y.min()) > 0
    conserved = prey - np.log(prey) + predator - series.z[:, None] * np.log(predator)
    assert np.ptp(conserved, axis=1).max() < 1e-11


def test_damping_takes_energy_away_but_nothing_stops_swinging():
    series = make_damped_oscillator(hidden="both", random_state=0)
    damping, omega2 = series.z.T
    assert (damping**2 < 4 * omega2).all()
    energy = series.X[:, :-1, 1] ** 2 + omega2[:, None] * series.X[:, :-1, 0] ** 2
    assert (np.diff(energy, axis=1) < 1e-15).all()


@every_system
def test_window_and_rollout_start_from_different_states_of_the_same_series(make):
    series = make(50, 20, 5, random_state=0)
    first, start = series.X[:, 0], series.X[:, -1]
    assert np.abs(first - start).min() > 0
    assert np.abs(np.diag(np.corrcoef(first.T, start.T), k=first.shape[1])).max() < 0.5


@every_system
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_more_rows_leave_the_series_as_they_were(make, noise):
    short = make(20, 30, 5, noise=noise, random_state=3)
    long = make(20, 45, 60, noise=noise, random_state=3)
    np.testing.assert_allclose(long.X[:, :30], short.X[:, :-1], **SAME)
    np.testing.assert_allclose(rollouts(long)[:, :6], rollouts(short), **SAME)
    np.testing.assert_array_equal(long.z, short.z)


@every_system
def test_more_series_leave_the_first_ones_as_they_were(make):
    few, many = make(5, 30, 5, random_state=3), make(50, 30, 5, random_state=3)
    np.testing.assert_allclose(many.X[:5], few.X, **SAME)
    np.testing.assert_allclose(many.Y[:5], few.Y, **SAME)


@every_system
def test_the_seed_decides_what_is_drawn(make):
    once, again, other = (make(10, 10, 5, noise=0.1, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(once.X, again.X)
    np.testing.assert_array_equal(once.Y, again.Y)
    assert np.abs(once.z - other.z).min() > 0


@every_system
def test_noise_has_the_standard_deviation_that_was_asked_for(make):
    clean, noisy = (make(200, 100, 50, noise=noise, random_state=0) for noise in (0.0, 0.05))
    unit = make(20000, 1, 1, random_state=0).X[:, 0].std(axis=0)
    for part in ("X", "Y"):
        error = noisy[part] - clean[part]
        np.testing.assert_allclose(error.std(axis=(0, 1)), 0.05 * unit, rtol=0.03)
        assert np.abs(error.mean(axis=(0, 1)) / unit).max() < 0.003
    np.testing.assert_array_equal(noisy.z, clean.z)
    errors = [(noisy[part] - clean[part])[:, :50].ravel() for part in ("X", "Y")]
    assert abs(np.corrcoef(*errors)[0, 1]) < 0.05  # window and future have noise of their own


def test_one_series_of_one_row_and_one_step_is_enough():
    for make in MAKERS.values():
        series = make(1, 1, 1, noise=0.1, random_state=0)
        assert (series.X.shape[:2], series.Y.shape[:2]) == ((1, 2), (1, 1))


def test_series_can_be_pickled():
    series = pickle.loads(pickle.dumps(make_pendulum(3, 5, 2, random_state=0)))
    assert series.name == "pendulum"


@every_system
@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("n_series", -1, "an integer of at least 1"),
        ("n_series", 2.5, "an integer of at least 1"),
        ("n_observed", 0, "an integer of at least 1"),
        ("n_steps", 0, "an integer of at least 1"),
        ("dt", 0.0, "a finite number above 0"),
        ("dt", np.nan, "a finite number above 0"),
        ("noise", -0.1, "a finite number of at least 0"),
        ("noise", np.inf, "a finite number of at least 0"),
    ],
)
def test_bad_arguments_are_named_together_with_what_is_expected(make, parameter, value, expected):
    with pytest.raises(ValueError, match=rf"^make_\w+: {parameter} must be {expected}, got {value}\.$"):
        make(**{parameter: value})


@pytest.mark.parametrize(
    ("make", "known"), [(make_damped_oscillator, "damping"), (make_projectile, "field")], ids=["damped", "projectile"]
)
def test_an_unknown_choice_of_hidden_parameters_lists_those_that_exist(make, known):
    with pytest.raises(ValueError, match=rf"hidden must be one of \['{known}', 'both'\], got 'all'"):
        make(hidden="all")


def test_every_maker_is_exported():
    assert {make.__name__ for make in MAKERS.values() if make.__name__ != "<lambda>"} <= set(datasets.__all__)
