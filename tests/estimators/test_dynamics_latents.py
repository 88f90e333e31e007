"""As many hidden parameters as the series need, low degrees first, and a word where no law was found."""

import numpy as np
import pytest
import sympy

from sklearn_eql import EQLDynamicsRegressor, RolloutPhase
from sklearn_eql.dynamics.diagnosis import is_systematic, rollout_error
from sklearn_eql.dynamics.varying_coefficients import latents_from_coefficients
from sklearn_eql.exceptions import AllTrialsFailedError, NoLawWarning, UnusedLatentWarning

SHORT = {
    "encoder": "mlp",
    "n_trials": 1,
    "schedule": (RolloutPhase(30, learning_rate=1e-2, n_rollout=1),),
    "state_names": ("u", "v"),
    "random_state": 0,
}
U, V, Z = sympy.symbols("u v z")


def series(step, n_series=30, n_rows=15, n_steps=10, noise=0.0, seed=0):
    """Series of a map ``step(u, v, z) -> (u, v)``, and the z, from 0.5 to 2, of each."""
    rng = np.random.default_rng(seed)
    states, z = [rng.normal(size=(2, n_series)).T], rng.uniform(0.5, 2, n_series)
    for _ in range(n_rows + n_steps - 1):
        states.append(np.stack(step(*states[-1].T, z), axis=1))
    whole = np.stack(states, axis=1)
    whole = whole + noise * rng.normal(size=whole.shape)
    return whole[:, :n_rows], whole[:, n_rows:], z


def spiral(u, v, z):
    return u + 0.1 * v, v - 0.13 * u


def oscillator(u, v, z):
    return u + 0.1 * v, v - 0.1 * z * u


def coefficients(law):
    """By the exponents of u, v and z."""
    return {powers: float(c) for powers, c in sympy.Poly(sympy.expand(law), U, V, Z).as_dict().items()}


@pytest.mark.parametrize(("noise", "tolerance"), [(0.0, 1e-9), (0.02, 0.01)])
def test_series_that_differ_in_nothing_obey_a_law_without_latents(noise, tolerance):
    X, Y, _ = series(spiral, noise=noise)
    with pytest.warns(UnusedLatentWarning, match="does not depend on z; transform returns 0.*n_latents=0 finds"):
        model = EQLDynamicsRegressor(**SHORT).fit(X, Y)
    for law, wanted in zip(model.sympy_expr_, ({"u": 1.0, "v": 0.1}, {"u": -0.13, "v": 1.0}), strict=True):
        found = coefficients(law)
        assert set(found) == {(1, 0, 0), (0, 1, 0)}
        assert found[1, 0, 0] == pytest.approx(wanted["u"], abs=tolerance)
        assert found[0, 1, 0] == pytest.approx(wanted["v"], abs=tolerance)
    np.testing.assert_array_equal(model.latents_used_, [False])
    np.testing.assert_array_equal(model.latents_, np.zeros((30, 1)))
    np.testing.assert_array_equal(model.transform(X[:3]), np.zeros((3, 1)))
    assert model.score(X, Y) > 0.99


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_series_that_stop_at_once_obey_a_constant_law(value):
    X, Y, _ = series(spiral)
    with pytest.warns(UnusedLatentWarning):
        model = EQLDynamicsRegressor(**SHORT).fit(X, np.full_like(Y, value))
    assert [float(law) for law in model.sympy_expr_] == [value, value]
    np.testing.assert_array_equal(model.predict(X), np.full_like(Y, value))


def test_of_two_latents_offered_the_law_takes_the_one_it_needs():
    X, Y, z = series(oscillator)
    with pytest.warns(UnusedLatentWarning, match="does not depend on z1"):
        model = EQLDynamicsRegressor(**SHORT, n_latents=2).fit(X, Y)
    np.testing.assert_array_equal(model.latents_used_, [True, False])
    latents = model.transform(X)
    assert abs(np.corrcoef(latents[:, 0], z)[0, 1]) > 1 - 1e-6
    np.testing.assert_array_equal(latents[:, 1], 0.0)


def test_an_oscillator_is_found_among_products_of_two():  # not among ten terms with exponentials
    X, Y, z = series(oscillator, n_series=60)
    model = EQLDynamicsRegressor(**SHORT).fit(X, Y)
    position, velocity = (coefficients(law) for law in model.sympy_expr_)
    assert position == {(1, 0, 0): pytest.approx(1.0), (0, 1, 0): pytest.approx(0.1)}
    assert set(velocity) == {(1, 0, 0), (0, 1, 0), (1, 0, 1)}
    slope = velocity[1, 0, 1] * model.latents_[:, 0] + velocity[1, 0, 0]
    np.testing.assert_allclose(slope, -0.1 * z, atol=1e-9)


def test_noise_does_not_hide_the_latent_nor_add_one():
    X, Y, z = series(oscillator, n_series=60, noise=0.02)
    model = EQLDynamicsRegressor(**SHORT).fit(X, Y)
    assert set(coefficients(model.sympy_expr_[1])) == {(1, 0, 0), (0, 1, 0), (1, 0, 1)}
    assert abs(np.corrcoef(model.latents_[:, 0], z)[0, 1]) > 0.95


def test_the_coefficient_that_differs_is_a_latent(rng):
    phi, z = rng.normal(size=(20, 8, 3)), rng.normal(size=20)
    target = np.stack([phi[:, :, 0] - phi[:, :, 1], 2 * phi[:, :, 2] + z[:, None] * phi[:, :, 1]], axis=2)
    assert abs(np.corrcoef(latents_from_coefficients(phi, target, 1)[:, 0], z)[0, 1]) > 1 - 1e-9


@pytest.mark.parametrize("noise", [0, 0.05])
def test_several_coefficients_that_differ_together_give_the_latent(noise, rng):
    """No slope of one term alone follows it."""
    phi = rng.normal(size=(40, 10, 8))
    z = rng.normal(size=40)
    varying = phi[:, :, 1:7] @ np.array([1.0, -1, 1, -1, 1, -1])
    target = (phi[:, :, 0] + z[:, None] * varying + noise * rng.normal(size=(40, 10)))[:, :, None]
    found = latents_from_coefficients(phi, target, 1)[:, 0]
    assert abs(np.corrcoef(found, z)[0, 1]) > (0.99 if noise else 1 - 1e-6)


def test_no_latent_is_made_where_no_coefficient_differs():
    phi = np.zeros((5, 4, 1))
    assert latents_from_coefficients(phi, np.ones((5, 4, 1)), 1) is None


def test_what_is_no_law_is_called_none():
    X, Y, _ = series(oscillator, n_series=60)
    with pytest.warns(NoLawWarning, match=r"no law of these series: its roll-outs are off by \d+%.*n_latents"):
        EQLDynamicsRegressor(n_latents=0).fit(X, Y)


@pytest.mark.parametrize("where", ["measurements", "states"])
def test_noise_is_not_taken_for_a_law_that_is_missing(where, rng):
    def step(u, v, z):
        noise = 0.1 * rng.normal(size=(2, len(u))) if where == "states" else np.zeros(2)
        return u + 0.1 * v + noise[0], v - 0.13 * u + noise[1]

    X, Y, _ = series(step, n_series=60, noise=0.1 if where == "measurements" else 0.0)
    states = np.concatenate([X[:, -1:], Y], axis=1)
    model = EQLDynamicsRegressor(n_latents=0).fit(X, Y)  # a warning would be an error
    assert rollout_error(model._law_cell(), states, model.latents_) > 0.01
    assert not is_systematic(model._law_cell(), states, model.latents_, 0)


DIVERGING = {"scale": False, "schedule": (RolloutPhase(3, learning_rate=1e30),)}


def test_a_refit_that_fails_leaves_the_model_as_it_was():
    X, Y, _ = series(spiral)
    model = EQLDynamicsRegressor(**SHORT, n_latents=0).fit(X, Y)
    before, laws = model.predict(X), model.sympy_expr_
    model.set_params(n_latents=1, refine=False, **DIVERGING)
    with pytest.raises(AllTrialsFailedError, match="diverged"):
        model.fit(X[:, :, ::-1], Y[:, :, ::-1])
    assert model.sympy_expr_ == laws
    np.testing.assert_array_equal(model.predict(X), before)


def test_a_law_without_latents_needs_no_network_that_stays_finite():
    X, Y, _ = series(spiral)
    with pytest.warns(UnusedLatentWarning):
        model = EQLDynamicsRegressor(**{**SHORT, **DIVERGING}).fit(X, Y)
    assert set(coefficients(model.sympy_expr_[0])) == {(1, 0, 0), (0, 1, 0)}


def test_a_first_fit_that_fails_leaves_the_model_unfitted():
    X, Y, _ = series(oscillator)
    model = EQLDynamicsRegressor(**{**SHORT, **DIVERGING})
    with pytest.raises(AllTrialsFailedError):
        model.fit(X, Y)
    assert not model.__sklearn_is_fitted__()
    assert [name for name in vars(model) if name.endswith("_") and not name.startswith("_")] == []
