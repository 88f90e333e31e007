"""Recurrent cells: trials in a batch are what each is alone, and cells are the networks that are printed."""

import numpy as np
import pytest
import torch

from sklearn_eql.dynamics.fitted_relu import FittedReLU
from sklearn_eql.networks.cells import EQLCell, ReLUCell
from sklearn_eql.networks.encoders import LATENT_SCALE, LatentNorm
from sklearn_eql.primitives import resolve_functions
from sklearn_eql.training.rollouts import Series

UNITS = resolve_functions(["const", "id", "mul", "sin"])
SEEDS = [3, 1, 4]
STATE = torch.tensor(np.random.default_rng(0).normal(size=(3, 7, 2)), dtype=torch.float32)  # (T, N, S)
LATENT = torch.tensor(np.random.default_rng(2).normal(size=(3, 7, 1)), dtype=torch.float32)  # (T, N, L)


def eql(seeds):
    return EQLCell(2, 1, UNITS, 2, seeds)


def relu(seeds):
    return ReLUCell(2, 1, (6, 5), seeds)


def step(cell, state, latent):
    with torch.no_grad():
        return cell(state, latent, cell.network.masked() if isinstance(cell, EQLCell) else None)[0]


@pytest.mark.parametrize("make", [eql, relu])
def test_a_trial_in_a_batch_is_what_it_is_alone(make):
    together = step(make(SEEDS), STATE, LATENT)
    assert together.shape == (3, 7, 2)
    for trial, seed in enumerate(SEEDS):
        alone = step(make([seed]), STATE[trial : trial + 1], LATENT[trial : trial + 1])
        torch.testing.assert_close(together[trial : trial + 1], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [eql, relu])
def test_trials_and_states_start_differently(make):
    same = STATE[:1].expand(3, -1, -1), LATENT[:1].expand(3, -1, -1)
    outputs = step(make(SEEDS), *same)
    columns = outputs.permute(0, 2, 1).reshape(6, -1)  # one per trial and state
    assert len(torch.unique(columns, dim=0)) == 6


def test_an_eql_cell_computes_what_its_equations_say():
    cell = eql(SEEDS)
    outputs = step(cell, STATE, LATENT)
    equations = cell.network.to_equations()  # one per trial and state
    for trial in range(3):
        features = torch.cat([STATE[trial], LATENT[trial]], dim=1).double()
        for state in range(2):
            (equation,) = equations[trial * 2 + state]
            np.testing.assert_allclose(equation.forward(features), outputs[trial, :, state], rtol=1e-4, atol=1e-5)


def test_a_state_of_an_eql_cell_reads_all_states_and_the_latent():
    state, latent = STATE.clone().requires_grad_(), LATENT.clone().requires_grad_()
    cell = eql(SEEDS)
    for output in range(2):
        by_state, by_latent = torch.autograd.grad(
            cell(state, latent, cell.network.masked())[0][:, :, output].sum(), (state, latent)
        )
        assert (by_state != 0).all()
        assert (by_latent != 0).all()


def test_a_cell_tells_how_far_each_trial_leaves_the_domains_of_its_functions():
    cell = EQLCell(2, 1, resolve_functions(["log"]), 1, SEEDS)  # one logarithm per state
    state, latent = torch.ones(3, 7, 2), torch.zeros(3, 7, 1)
    into_the_logarithm = torch.tensor([[1.0, -4.0], [1.0, 1.0], [-1.0, -2.0]])  # (T, S): weight of the first state
    with torch.no_grad():
        cell.network.flat.zero_()
        cell.network.weights[0][:, 0, 0] = into_the_logarithm.flatten()
    _, violation = cell(state, latent, cell.network.masked())
    margin = 0.1  # arguments are moved so far inside
    torch.testing.assert_close(violation, torch.tensor([4 + margin, 0.0, 3 + 2 * margin]))


def test_hidden_layers_of_a_relu_cell_may_be_missing():
    cell = ReLUCell(2, 1, (), SEEDS)
    first, second, middle = (step(cell, s, LATENT) for s in (STATE, STATE + 2.0, STATE + 1.0))
    torch.testing.assert_close((first + second) / 2, middle, rtol=1e-4, atol=1e-5)  # affine


@pytest.mark.parametrize("increments", [True, False])
def test_a_fitted_relu_cell_rolls_out_as_the_trained_one(increments):
    cell, trial = relu(SEEDS), 1
    scales = torch.tensor([2.0, 0.5]), torch.tensor([0.1, 0.3])
    series = Series(torch.empty(0), torch.empty(0), *scales)
    fitted = FittedReLU.of(cell, trial, series, increments)
    rolled = fitted.rollout(STATE[trial].double().numpy(), LATENT[trial].double().numpy(), 3)
    state = STATE
    for k in range(3):
        output = step(cell, state / scales[0], LATENT)
        state = state + scales[1] * output if increments else scales[0] * output
        np.testing.assert_allclose(rolled[:, k], state[trial], rtol=1e-4, atol=1e-5)


def test_latents_are_normalised_per_trial(rng):
    norm = LatentNorm(2, (3,))
    scales = [[[1.0, 10.0]], [[5.0, 0.1]], [[2.0, 2.0]]]
    raw = torch.tensor(rng.normal(size=(3, 50, 2)) * scales + 3.0, dtype=torch.float32)
    latents = norm(raw)
    torch.testing.assert_close(latents.mean(dim=1), torch.zeros(3, 2), rtol=0, atol=1e-5)
    spread = latents.std(dim=1, correction=0)
    torch.testing.assert_close(spread, torch.full((3, 2), LATENT_SCALE))
    for trial in range(3):
        alone = LatentNorm(2, (1,))(raw[trial : trial + 1])
        torch.testing.assert_close(latents[trial : trial + 1], alone)


def test_latents_are_normalised_by_running_statistics_in_evaluation(rng):
    norm = LatentNorm(1, (2,), momentum=0.25)
    raw = torch.tensor(rng.normal(3.0, 2.0, size=(2, 20, 1)), dtype=torch.float32)
    norm(raw)
    torch.testing.assert_close(norm.mean, 0.25 * raw.mean(dim=1, keepdim=True))
    torch.testing.assert_close(norm.var, 0.75 + 0.25 * raw.var(dim=1, keepdim=True, correction=0))
    mean, var = norm.mean.clone(), norm.var.clone()
    norm.eval()
    torch.testing.assert_close(norm(raw), LATENT_SCALE * (raw - mean) / var.sqrt())
    torch.testing.assert_close(norm.mean, mean)  # and stay as they are
    torch.testing.assert_close(norm.var, var)


def test_an_encoder_that_returns_a_constant_gives_finite_latents():
    assert torch.isfinite(LatentNorm(1, (1,))(torch.full((1, 5, 1), 7.0))).all()
