"""The parts a law of motion is found with: terms, joint fits, gauges, integration, identification, encoders, laws."""

import math
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from sklearn_eql.datasets import make_kinematics, make_pendulum
from sklearn_eql.dynamics import joint
from sklearn_eql.dynamics import latent_coordinates as gauge
from sklearn_eql.dynamics.fitted_encoder import FittedEncoder, standardisation, window_tensor
from sklearn_eql.dynamics.joint import JointFit, JointProblem
from sklearn_eql.dynamics.latent_inference import identify
from sklearn_eql.dynamics.law_cell import LawCell
from sklearn_eql.dynamics.laws import to_equations, with_simple_latents
from sklearn_eql.dynamics.library import Term, evaluate, latent_powers, state_terms
from sklearn_eql.dynamics.motion import Motion, MotionSettings
from sklearn_eql.dynamics.runge_kutta import advance, mean_velocity
from sklearn_eql.dynamics.search import find_motion
from sklearn_eql.dynamics.stepwise import discover
from sklearn_eql.networks.encoders import LatentNorm, build_encoder
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic.equation import Equation, Unit

N, K = 30, 12
STATES = np.random.default_rng(0).uniform(-1, 1, (N, K, 2))
TERMS = [Term((0, 0)), Term((1, 0)), Term((0, 1)), Term((2, 0))]  # 1, x, y, x**2


def problem_of(target, n_latents=1, **changes):
    phi = np.stack([evaluate(term, STATES.reshape(-1, 2), {}) for term in TERMS], axis=1).reshape(N, K, -1)
    floor = np.full(target.shape[2], 1e-24)
    return JointProblem(phi, target, latent_powers(n_latents, 2), floor, np.ones(len(TERMS)), **changes)


def bilinear(noise=0.0):
    """d0 = 2*x + 3*z and d1 = z*y - 0.5, in one latent."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=(N, 1))
    x, y = STATES[..., 0], STATES[..., 1]
    target = np.stack([2 * x + 3 * z, z * y - 0.5], axis=2) + noise * rng.normal(size=(N, K, 2))
    problem = problem_of(target)
    active = np.zeros((2, 4, 3), dtype=bool)
    active[0, 1, 0] = active[0, 0, 1] = active[1, 2, 1] = active[1, 0, 0] = True
    return problem, active, z


def rough_law(problem, active, z, error=0.2):
    started = joint.start(problem, z + error * np.random.default_rng(3).normal(size=z.shape))
    return replace(started, active=active)


def values(problem, law):
    """What the law says, ``(N, K, E)``."""
    return problem.target - joint.residuals(problem, law.coefficients, law.latents)


def test_coefficients_and_latents_are_solved_for_together():
    problem, active, z = bilinear()
    law = joint.fit(problem, rough_law(problem, active, z))
    assert law.loss.max() < 1e-20
    assert np.abs(joint.residuals(problem, law.coefficients, law.latents)).max() < 1e-9
    assert law.coefficients[0, 1, 0] == pytest.approx(2, abs=1e-9)
    assert law.coefficients[1, 0, 0] == pytest.approx(-0.5, abs=1e-9)
    scale = law.coefficients[1, 2, 1]  # the unit of z is free
    assert law.coefficients[0, 0, 1] == pytest.approx(3 * scale, rel=1e-9)
    np.testing.assert_allclose(scale * law.latents, z, atol=1e-9)
    assert (law.coefficients[~active] == 0).all()


def test_latents_that_are_held_stay_where_they_are():
    problem, active, z = bilinear()
    rough = rough_law(replace(problem, free_latents=False), active, z)
    law = joint.fit(replace(problem, free_latents=False), rough)
    np.testing.assert_array_equal(law.latents, rough.latents)
    assert law.loss.min() > 1e-3


def test_latents_alone_are_solved_for_at_given_coefficients(rng):
    problem, active, z = bilinear()
    law = joint.fit(problem, rough_law(problem, active, z))
    moved = replace(law, latents=law.latents + 0.5 * rng.normal(size=z.shape))
    again = joint.solve_latents(problem, moved)
    np.testing.assert_array_equal(again.coefficients, law.coefficients)
    np.testing.assert_allclose(again.latents, law.latents, atol=1e-6)
    assert again.loss.max() < 1e-14


def weighted_error(problem, law, like):
    """Summed squared error, each equation in units of the loss of `like`."""
    return float((law.loss / like.loss).sum() * problem.n_rows)


@pytest.mark.parametrize("free_latents", [False, True], ids=["held", "free"])
def test_saliencies_are_what_a_refit_without_the_coefficient_costs(free_latents):
    problem, active, z = bilinear(noise=0.05)
    problem = replace(problem, free_latents=free_latents)
    active[0, 2, 0] = active[1, 1, 0] = True  # terms that are not there: few enough to be first order
    law = joint.fit(problem, rough_law(problem, active, z, error=0.01))
    places, found = joint.saliencies(problem, law)
    np.testing.assert_array_equal(places, np.argwhere(active))
    for place, saliency in zip(places, found, strict=True):
        smaller = active.copy()
        smaller[tuple(place)] = False
        refitted = joint.fit(problem, replace(law, active=smaller))
        rise = weighted_error(problem, refitted, law) - weighted_error(problem, law, law)
        if not free_latents:
            assert saliency == pytest.approx(rise, rel=1e-6)
        elif place.tolist() in ([0, 2, 0], [1, 1, 0]):
            assert saliency == pytest.approx(rise, rel=0.1, abs=1e-3)


def test_terms_that_are_there_are_salient_whatever_the_scale_of_the_latent():
    problem, active, z = bilinear(noise=0.05)
    stray = [[0, 2, 0], [1, 1, 0]]
    active[0, 2, 0] = active[1, 1, 0] = True
    law = joint.fit(problem, rough_law(problem, active, z, error=0.01))
    places, found = joint.saliencies(problem, law)
    order = places[np.argsort(found)].tolist()
    assert sorted(order[:2]) == stray  # these are to be dropped first


@pytest.mark.parametrize("free_latents", [False, True], ids=["held", "free"])
def test_gains_are_what_a_refit_with_the_coefficient_brings(free_latents):
    problem, active, z = bilinear(noise=0.05)
    problem = replace(problem, free_latents=free_latents)
    law = joint.fit(problem, rough_law(problem, active, z, error=0.01))
    gains = joint.gains(problem, law)
    assert (gains[active] == 0).all()
    for place in ([0, 2, 0], [0, 3, 0], [1, 1, 0], [1, 3, 0]):
        larger = active.copy()
        larger[tuple(place)] = True
        refitted = joint.fit(problem, replace(law, active=larger), max_iter=60, tolerance=1e-14)
        fall = weighted_error(problem, law, law) - weighted_error(problem, refitted, law)
        if free_latents:
            assert gains[tuple(place)] == pytest.approx(fall, rel=0.1, abs=0.02)
        else:
            assert gains[tuple(place)] == pytest.approx(fall, rel=1e-6)


def test_the_term_that_is_missing_gains_most():
    problem, active, z = bilinear(noise=0.01)
    active[1, 2, 1] = False
    law = joint.fit(problem, rough_law(problem, active, z, error=0.01))
    gains = joint.gains(problem, law)
    assert np.unravel_index(np.argmax(gains), gains.shape) == (1, 2, 1)


def test_slopes_of_latent_monomials_are_their_derivatives(rng):
    problem = problem_of(np.zeros((N, K, 1)), n_latents=2)
    z = rng.normal(size=(5, 2))
    slopes = problem.latent_slopes(z)
    for latent in range(2):
        step = 1e-6 * np.eye(2)[latent]
        difference = (problem.latent_monomials(z + step) - problem.latent_monomials(z - step)) / 2e-6
        np.testing.assert_allclose(slopes[:, :, latent], difference, atol=1e-8)


def some_law(n_latents):
    rng = np.random.default_rng(4)
    problem = problem_of(rng.normal(size=(N, K, 2)), n_latents=n_latents)
    active = rng.random((2, 4, len(problem.powers))) < 0.6
    active[0, 1] = True
    coefficients = np.where(active, rng.normal(size=active.shape), 0.0)
    latents = rng.normal(2.0, 3.0, size=(N, n_latents))
    loss = np.mean(joint.residuals(problem, coefficients, latents) ** 2, axis=(0, 1))
    return problem, JointFit(active, coefficients, latents, loss)


@pytest.mark.parametrize("n_latents", [1, 2])
def test_other_latents_tell_the_same_law(n_latents, rng):
    problem, law = some_law(n_latents)
    mix, shift = rng.normal(size=(n_latents, n_latents)), rng.normal(size=n_latents)
    moved = gauge.transformed(problem, law, mix, shift)
    np.testing.assert_allclose(moved.latents, law.latents @ mix.T + shift)
    np.testing.assert_allclose(values(problem, moved), values(problem, law), rtol=1e-8, atol=1e-8)
    assert (moved.coefficients[~moved.active] == 0).all()


@pytest.mark.parametrize("n_latents", [1, 2])
def test_standardised_latents_tell_the_same_law(n_latents):
    problem, law = some_law(n_latents)
    moved = gauge.standardised(problem, law, 0.5)
    np.testing.assert_allclose(moved.latents.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(moved.latents.std(axis=0), 0.5)
    np.testing.assert_allclose(values(problem, moved), values(problem, law), rtol=1e-8, atol=1e-8)


def test_a_latent_that_does_not_vary_is_standardised_to_zero():
    problem, law = some_law(1)
    moved = gauge.standardised(problem, replace(law, latents=np.full((N, 1), 4.0)), 0.5)
    np.testing.assert_allclose(moved.latents, 0, atol=1e-12)


def test_the_simplest_latent_is_a_coefficient():
    problem, active, z = bilinear()
    law = joint.fit(problem, rough_law(problem, active, z))
    shifted = gauge.transformed(problem, law, np.array([[0.7]]), np.array([1.3]))  # 5 terms
    assert shifted.n_free > law.n_free
    simple = gauge.simplest(problem, shifted, price=10.0)
    np.testing.assert_array_equal(simple.active, active)
    assert simple.loss.max() < 1e-20


def test_a_latent_that_appears_squared_only_becomes_its_square(rng):
    z = rng.uniform(0.5, 2.0, (N, 1))
    problem = problem_of((z * STATES[..., 0])[:, :, None])
    active = np.zeros((1, 4, 3), dtype=bool)
    active[0, 1, 0] = active[0, 1, 2] = True  # x and x*z**2, an exact law in latents sqrt(3 - z)
    law = joint.fit(problem, replace(joint.start(problem, np.sqrt(3 - z)), active=active))
    assert law.loss.max() < 1e-20
    simple = gauge.simplest(problem, law, price=10.0)
    assert np.argwhere(simple.active).tolist() == [[0, 1, 1]]
    assert abs(np.corrcoef(simple.latents[:, 0], z[:, 0])[0, 1]) > 1 - 1e-9


def test_terms_are_discovered_from_rough_latents(rng):
    problem, active, z = bilinear()
    degrees = np.array([term.degree for term in TERMS])
    law = discover(problem, z + 0.2 * rng.normal(size=z.shape), degrees, 3, math.inf)
    np.testing.assert_array_equal(law.active, active)
    assert law.loss.max() < 1e-20


def test_terms_are_discovered_without_latents():
    x, y = STATES[..., 0], STATES[..., 1]
    problem = problem_of(np.stack([2 * x - y, x**2], axis=2), n_latents=0, free_latents=False)
    law = discover(problem, np.zeros((N, 0)), np.array([term.degree for term in TERMS]), 3, math.inf)
    assert np.argwhere(law.active).tolist() == [[0, 1, 0], [0, 2, 0], [1, 3, 0]]


def test_the_integration_is_of_fourth_order():
    start, dt = np.array([[0.1], [0.5], [0.9]]), 2.0
    exact = start * np.exp(dt) / (1 + start * (np.exp(dt) - 1))
    errors = [np.abs(advance(lambda s: s * (1 - s), start, dt, n) - exact).max() for n in (4, 8, 16)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(4, abs=0.4)


def test_the_mean_velocity_is_the_step_over_the_time(rng):
    state = rng.normal(size=(4, 2))
    constant = np.array([2.0, -1.0])
    np.testing.assert_allclose(mean_velocity(lambda s: np.broadcast_to(constant, s.shape), state, 0.3), [constant] * 4)
    moved = advance(np.sin, state, 0.3)
    np.testing.assert_allclose(state + 0.3 * mean_velocity(np.sin, state, 0.3), moved)


def test_tensors_are_integrated_like_arrays(rng):
    state = rng.normal(size=(4, 2))
    np.testing.assert_allclose(advance(torch.sin, torch.tensor(state), 0.3).numpy(), advance(np.sin, state, 0.3))


def test_terms_are_all_products_up_to_the_degree(rng):
    states = rng.normal(size=(20, 2))
    terms = state_terms(states, {}, 3)
    assert [term.powers for term in terms[:3]] == [(0, 0), (1, 0), (0, 1)]
    assert len({term.powers for term in terms}) == len(terms) == 10
    assert max(term.degree for term in terms) == 3
    for term in terms:
        expected = states[:, 0] ** term.powers[0] * states[:, 1] ** term.powers[1]
        np.testing.assert_allclose(evaluate(term, states, {}), expected)


def test_functions_of_a_state_are_terms_alone_and_times_a_state(rng):
    states = rng.normal(size=(20, 2))
    chosen = {name: PRIMITIVES[name] for name in ("sin", "mul", "square")}
    found = [term for term in state_terms(states, chosen, 2) if term.function]
    assert {(term.powers, term.function) for term in found} == {
        (powers, ("sin", state)) for powers in ((0, 0), (1, 0), (0, 1)) for state in (0, 1)
    }
    term = Term((1, 0), ("sin", 1))
    assert term.degree == 2
    np.testing.assert_allclose(evaluate(term, states, chosen), states[:, 0] * np.sin(states[:, 1]))


def test_states_that_stay_away_from_zero_may_be_in_denominators(rng):
    states = np.column_stack([rng.uniform(-3, -1, 20), rng.normal(size=20)])
    found = [term for term in state_terms(states, {}, 2, quotients=True) if min(term.powers) < 0]
    assert {term.powers for term in found} == {(-1, 0), (-2, 0), (-1, 1)}
    assert {term.degree for term in found} == {1, 2}
    np.testing.assert_allclose(evaluate(Term((-2, 1)), states, {}), states[:, 1] / states[:, 0] ** 2)


def test_terms_that_are_undefined_or_constant_are_left_out(rng):
    states = np.column_stack([rng.normal(size=20), np.full(20, 2.0), np.zeros(20)])
    names = {term.powers for term in state_terms(states, {}, 2)}
    assert names == {(0, 0, 0), (1, 0, 0), (2, 0, 0), (1, 1, 0)}
    assert all(term.function is None for term in state_terms(states, {"log": PRIMITIVES["log"]}, 1))


def test_powers_of_latents_begin_with_the_constant():
    assert latent_powers(2, 2).tolist() == [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    assert latent_powers(0, 2).shape == (1, 0)


@pytest.mark.parametrize("n_latents", [0, 1, 2])
@pytest.mark.parametrize("form", ["update", "increment"])
def test_equations_say_what_the_terms_do(n_latents, form, rng):
    terms = [*TERMS, Term((3, 1)), Term((-2, 1)), Term((1, 0), ("sin", 1))]
    phi = np.stack([evaluate(term, STATES.reshape(-1, 2), PRIMITIVES) for term in terms], axis=1)
    scale, unit = rng.uniform(0.5, 2, len(terms)), np.array([3.0, 0.2])
    powers = latent_powers(n_latents, 2)
    problem = JointProblem(
        (phi / scale).reshape(N, K, -1), np.zeros((N, K, 2)), powers, np.ones(2), np.ones(len(terms))
    )
    active = rng.random((2, len(terms), len(powers))) < 0.7
    coefficients = np.where(active, rng.normal(size=active.shape), 0.0)
    latents = rng.normal(size=(N, n_latents))
    law = JointFit(active, coefficients, latents, np.ones(2))
    motion = Motion(terms, scale, unit, problem, law)
    X = np.concatenate([STATES, np.repeat(latents[:, None], K, axis=1)], axis=2).reshape(N * K, -1)
    equations = to_equations(motion, PRIMITIVES)
    assert len(equations) == 2
    for e, equation in enumerate(equations):
        expected = values(problem, law)[:, :, e].ravel() * unit[e]
        np.testing.assert_allclose(equation.evaluate(X), expected, rtol=1e-9, atol=1e-9)


def test_simple_latents_have_simple_coefficients():
    problem, active, z = bilinear()
    law = joint.fit(problem, rough_law(problem, active, 5 * z))
    motion = with_simple_latents(Motion(TERMS, np.ones(4), np.ones(2), problem, law), 1.0, True)
    np.testing.assert_allclose(values(problem, motion.law), values(problem, law), atol=1e-9)
    assert 1.0 in np.abs(motion.coefficients()[active][[0, 3]]).round(9)  # of z, or of z*y


def test_a_motion_is_found_from_few_states_with_rough_latents(rng):
    data = make_kinematics(40, 5, 6, random_state=0)
    states = np.concatenate([data.X[:, -1:], data.Y], axis=1)
    rough = data.z[:, None] + 0.1 * rng.normal(size=(40, 1))
    motion = find_motion(states, [rough], MotionSettings("update", 1.0, {}, 3), 0, math.inf)
    assert abs(np.corrcoef(motion.law.latents[:, 0], data.z)[0, 1]) > 1 - 1e-9
    law = LawCell(to_equations(motion, PRIMITIVES), PRIMITIVES, "update", 1.0)
    np.testing.assert_allclose(law.rollout(states[:, 0], motion.law.latents, 6), data.Y, atol=1e-7)


def _stepped(rates, starts, z, dt, n_steps):
    """States (N, n_steps + 1, S) of series with parameters z (N,), by Euler's steps."""
    states = [starts]
    for _ in range(n_steps):
        states.append(states[-1] + dt * rates(states[-1], z))
    return np.stack(states, axis=1)


@pytest.mark.parametrize(
    ("rates", "low", "high", "degree", "quotients", "expected"),
    [
        # The oscillator of van der Pol, whose parameter stands before a product of the third degree.
        (
            lambda s, z: np.stack([s[:, 1], z * (1 - s[:, 0] ** 2) * s[:, 1] - s[:, 0]], axis=1),
            [-2, -2],
            [2, 2],
            3,
            False,
            {(1, 0), (0, 1), (2, 1)},
        ),
        # A fall towards a mass.
        (lambda s, z: np.stack([s[:, 1], -z / s[:, 0] ** 2], axis=1), [2, 0], [4, 1], 2, True, {(-2, 0)}),
    ],
    ids=["van der pol", "kepler"],
)
def test_a_parameter_may_stand_before_cubes_and_quotients(rates, low, high, degree, quotients, expected, rng):
    z = rng.uniform(0.5, 2, 20)
    states = _stepped(rates, rng.uniform(low, high, (20, 2)), z, 0.1, 8)
    rough = z[:, None] + 0.02 * rng.normal(size=(20, 1))
    motion = find_motion(
        states, [rough], MotionSettings("increment", 0.1, {}, degree, quotients=quotients), 0, math.inf
    )
    assert {motion.terms[b].powers for b, _ in np.argwhere(motion.law.active[1])} == expected
    assert abs(np.corrcoef(motion.law.latents[:, 0], z)[0, 1]) > 1 - 1e-9


def test_a_function_of_the_state_is_found_where_products_do_not_do(rng):
    data = make_pendulum(30, 1, 12, random_state=0)
    states = np.concatenate([data.X[:, -1:], data.Y], axis=1)
    settings = MotionSettings("ode", data.dt, {name: PRIMITIVES[name] for name in ("sin", "mul", "id")}, 2)
    motion = find_motion(states, [data.z[:, None] + 0.02 * rng.normal(size=(30, 1))], settings, 0, math.inf)
    angle, velocity = (
        {(motion.terms[b].powers, motion.terms[b].function) for b, _ in np.argwhere(active)}
        for active in motion.law.active
    )
    assert angle == {((0, 1), None)}
    assert velocity == {((0, 0), ("sin", 0))}
    assert abs(np.corrcoef(motion.law.latents[:, 0], data.z)[0, 1]) > 1 - 1e-9


def affine(*output):
    return Equation(3, (), tuple(output))


def test_the_latent_of_a_window_is_identified(rng):
    data = make_kinematics(20, 15, 1, random_state=0)
    cell = LawCell([affine((1, 1.0), (2, 1.0), (3, 0.5)), affine((2, 1.0), (3, 1.0))], PRIMITIVES, "update", 1.0)
    rough = data.z[:, None] + 0.3 * rng.normal(size=(20, 1))
    found = identify(cell, data.X[:, :-1], rough, np.ones(2))
    np.testing.assert_allclose(found[:, 0], data.z, atol=1e-9)
    np.testing.assert_allclose(identify(cell, data.X[:, :2], rough, np.ones(2))[:, 0], data.z, atol=1e-9)


def test_identification_follows_a_law_that_is_not_linear_in_the_latent(rng):
    """x' = x + dt * (z**2 - x), from latents of the right sign."""
    law = Equation(2, (Unit("square", (((2, 1.0),),)),), ((1, -1.0), (3, 1.0)))
    cell = LawCell([law], PRIMITIVES, "ode", 0.1)
    z = rng.uniform(0.5, 1.5, (20, 1))
    start = rng.normal(size=(20, 1))
    windows = np.concatenate([start[:, None], cell.rollout(start, z, 9)], axis=1)
    np.testing.assert_allclose(windows[:, 1], z**2 + (start - z**2) * np.exp(-0.1), rtol=1e-9)
    np.testing.assert_allclose(identify(cell, windows, z * 1.4, np.ones(1)), z, rtol=1e-8)


def test_latents_that_the_law_does_not_read_stay_as_they_are(rng):
    cell = LawCell([affine((1, 1.0), (2, 1.0)), affine((2, 1.0))], PRIMITIVES, "update", 1.0)
    rough = rng.normal(size=(6, 1))
    np.testing.assert_allclose(identify(cell, rng.normal(size=(6, 5, 2)), rough, np.ones(2)), rough)


def test_a_series_on_which_the_law_is_undefined_keeps_its_latent():
    law = Equation(2, (Unit("log", (((1, 1.0),),)),), ((2, 1.0), (3, 1.0)))  # x' = log(x) + z
    cell = LawCell([law], PRIMITIVES, "update", 1.0)
    windows = np.array([[3.0, math.log(3.0) + 0.5], [-1.0, 2.0]])[:, :, None]
    found = identify(cell, windows, np.array([[0.1], [0.1]]), np.ones(1))
    np.testing.assert_allclose(found[:, 0], [0.5, 0.1], atol=1e-9)


@pytest.mark.parametrize(("form", "factor"), [("update", 2.0), ("increment", 1.0 + 2.0 * 0.1), ("ode", math.exp(0.2))])
def test_forms_of_a_law_differ_in_what_a_step_is(form, factor):
    """f(x) = 2*x."""
    cell = LawCell([Equation(1, (), ((1, 2.0),))], PRIMITIVES, form, 0.1)
    rolled = cell.rollout(np.array([[1.0], [3.0]]), np.zeros((2, 0)), 2)
    np.testing.assert_allclose(rolled[:, :, 0], [[factor, factor**2], [3 * factor, 3 * factor**2]], rtol=1e-7)


def fitted_encoder(windows, n_latents=1):
    torch.manual_seed(0)
    module = build_encoder("mlp", (windows.shape[2], windows.shape[1]), n_latents)
    norm = LatentNorm(n_latents, (2,))
    with torch.no_grad():
        norm.mean[:], norm.var[:] = torch.randn(2, 1, n_latents), torch.rand(2, 1, n_latents) + 0.5
    return FittedEncoder.of("mlp", module, norm, 1, windows), module.eval(), norm.eval()


WINDOWS = make_kinematics(50, 10, 1, random_state=0)


def test_a_fitted_encoder_gives_what_the_trained_one_does():
    windows = WINDOWS.X[:, :-1]
    fitted, module, norm = fitted_encoder(windows, n_latents=2)
    inputs = window_tensor(windows, *standardisation(windows))
    assert inputs.shape == (50, 2, 10)
    with torch.no_grad():
        raw = module(inputs)
        expected = norm(torch.stack([raw, raw]))[1]
    np.testing.assert_allclose(fitted(windows), expected, rtol=1e-4, atol=1e-5)


def test_windows_are_read_at_unit_scale_and_constant_states_too():
    windows = np.concatenate([WINDOWS.X, np.full_like(WINDOWS.X[..., :1], 5.0)], axis=2)
    tensor = window_tensor(windows, *standardisation(windows)).double()
    np.testing.assert_allclose(tensor.mean(dim=(0, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(tensor.square().mean(dim=(0, 2)).sqrt(), [1, 1, 0], rtol=1e-5)


def test_an_encoder_is_taught_latents_of_any_scale():
    windows, latents = WINDOWS.X[:, :-1], 1e4 + 300 * WINDOWS.z[:, None]
    fitted, _, _ = fitted_encoder(windows)
    taught = fitted.taught(windows, latents, 300, 25, 0, math.inf)
    assert np.corrcoef(taught(windows)[:, 0], WINDOWS.z)[0, 1] > 0.99
    np.testing.assert_allclose(taught(windows), latents, atol=150)
    assert np.corrcoef(fitted(windows)[:, 0], WINDOWS.z)[0, 1] ** 2 < 0.98  # which it was not before


def test_teaching_begins_with_the_scale_of_the_latents():
    windows = WINDOWS.X[:, :-1]
    fitted, _, _ = fitted_encoder(windows)
    wanted = 7.0 - 3.0 * fitted(windows)
    np.testing.assert_allclose(fitted.taught(windows, wanted, 0, 25, 0, math.inf)(windows), wanted, atol=1e-4)


def test_teaching_ends_at_its_deadline():
    windows, latents = WINDOWS.X[:, :-1], WINDOWS.z[:, None]
    fitted, _, _ = fitted_encoder(windows)
    one, expired = fitted.taught(windows, latents, 10**6, 25, 0, time.time() - 1), fitted.weights
    assert np.isfinite(one(windows)).all()
    moved = max(np.abs(one.weights[name] - expired[name]).max() for name in expired)
    assert 0 < moved < 0.01  # one step


def test_an_encoder_does_not_move_the_random_stream():
    windows = WINDOWS.X[:, :-1]
    fitted, _, _ = fitted_encoder(windows)
    before = torch.get_rng_state()
    fitted(windows)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_law_of_motion_has_one_price_in_its_search_and_beside_others(rng):
    states = rng.normal(size=(40, 6, 2))
    motion = find_motion(states, [rng.normal(size=(40, 1))], MotionSettings("update", 1.0, {}, 2), 0, math.inf)
    # Noise has no law: of the libraries the smallest wins, 1, u, v for each of two states.
    assert motion.problem.price == pytest.approx(math.log(200) + 2 * math.log(2 * 3))
    assert motion.cost == motion.law.description(motion.problem, motion.problem.price)
