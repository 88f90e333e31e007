"""Training of encoder and cell: the curriculum, independent trials, what is frozen when, and what a time limit does."""

import math
import time

import numpy as np
import pytest
import torch

from sklearn_eql.networks.cells import EQLCell, ReLUCell
from sklearn_eql.networks.penalties import L1, HardConcreteL0, SmoothedL05
from sklearn_eql.primitives import resolve_functions
from sklearn_eql.training.rollouts import RecurrentNetwork, RecurrentSettings, Series, train_recurrent
from sklearn_eql.training.schedule import RolloutPhase

UNITS = resolve_functions(["const", "id", "mul"])
SEEDS = [3, 1, 4, 5]
N_STEPS = 6


@pytest.fixture(scope="module")
def series():
    """Bodies under constant forces, seen for eight steps."""
    rng = np.random.default_rng(0)
    force = rng.uniform(-1, 1, (24, 1))
    t = np.arange(8.0)
    windows = np.stack([0.5 * force * t**2, force * t], axis=1)  # (N, S, W)
    k = np.arange(N_STEPS + 1)[None]
    v0 = rng.uniform(-1, 1, (24, 1))
    states = np.stack([v0 * k + 0.5 * force * k**2, v0 + force * k], axis=2)  # (N, K + 1, S)
    tensors = [torch.tensor(array, dtype=torch.float32) for array in (windows / windows.std(), states)]
    step = tensors[1].diff(dim=1).square().mean(dim=(0, 1)).sqrt()
    return Series(*tensors, tensors[1].square().mean(dim=(0, 1)).sqrt(), step)


def encoder(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # As many hidden units as there are EQL networks of two trials and two states: shapes must not be confused.
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))


def network(seeds, head="eql"):
    cell = EQLCell(2, 1, UNITS, 1, seeds) if head == "eql" else ReLUCell(2, 1, (8,), seeds)
    return RecurrentNetwork([encoder(seed) for seed in seeds], cell, 1)


def settings(*phases, **changes):
    given = {
        "penalty": SmoothedL05(),
        "alpha": 1e-3,
        "optimizer": "adam",
        "batch_size": None,
        "any_start": True,
        "increments": True,
    }
    return RecurrentSettings(phases=tuple(phases), **{**given, **changes})


def test_training_lowers_the_loss_and_tells_its_course(series):
    trained = network(SEEDS)
    phases = RolloutPhase(100, n_rollout=1), RolloutPhase(110, learning_rate=5e-3)
    reported = []
    result = train_recurrent(
        trained, series, settings(*phases), 0, math.inf, lambda step, loss: reported.append((step, loss.copy()))
    )
    assert result.n_steps == 210
    assert result.stopped == "schedule"
    assert [step for step, _ in reported] == [100, 200]
    assert result.loss_curve == [float(loss.min()) for _, loss in reported] + [float(result.loss.min())]
    assert result.loss.shape == (4,)
    assert result.loss.min() < 0.1  # of the error of standing still


def test_the_loss_is_the_relative_error_of_the_whole_rollout(series):
    trained = network(SEEDS[:2])
    result = train_recurrent(trained, series, settings(RolloutPhase(3)), 0, math.inf)
    latents = trained.latents(series.windows)
    start = series.states[:, 0].expand(2, -1, -1)
    with torch.no_grad():
        flat = trained.cell.network.masked()
        rolled = torch.stack(trained.rollout(start, latents, N_STEPS, series, settings(), flat)[0], dim=2)
    still = (series.states[:, 1:] - series.states[:, :1]).square().mean(dim=0)
    expected = ((rolled - series.states[:, 1:]).square() / still).mean(dim=(1, 2, 3))
    np.testing.assert_allclose(result.loss, expected, rtol=1e-5)


class Recording(RecurrentNetwork):
    """Remembers the roll-outs of training: where they start and how long they are."""

    def rollout(self, start, latent, n_steps, *rest):
        if self.training:
            self.__dict__.setdefault("starts", []).append(start[0].clone())
            self.__dict__.setdefault("lengths", []).append(n_steps)
        return super().rollout(start, latent, n_steps, *rest)


def recorded(series, *phases, **changes):
    spy = Recording([encoder(3)], EQLCell(2, 1, UNITS, 1, [3]), 1)
    train_recurrent(spy, series, settings(*phases, **changes), 0, math.inf)
    return spy


def test_the_curriculum_sets_the_number_of_steps(series):
    phases = [
        RolloutPhase(2, n_rollout=1),
        RolloutPhase(3, n_rollout=4),
        RolloutPhase(1),
        RolloutPhase(1, n_rollout=99),
    ]
    assert recorded(series, *phases).lengths == [1, 1, 4, 4, 4, N_STEPS, N_STEPS]


def test_rollouts_start_where_y_starts_or_anywhere(series):
    phase = RolloutPhase(5, n_rollout=2)
    for start in recorded(series, phase, any_start=False).starts:
        torch.testing.assert_close(start, series.states[:, 0])
    places = set()
    for start in recorded(series, phase, any_start=True).starts:
        same = (series.states == start[:, None]).all(dim=2)  # (N, K + 1)
        assert same.any(dim=1).all()
        places |= set(same.double().argmax(dim=1).tolist())
    assert places == set(range(N_STEPS + 1 - 2))  # the last two have no two steps after them


def test_a_batch_is_a_part_of_the_series(series):
    for start in recorded(series, RolloutPhase(3, n_rollout=1), batch_size=5, any_start=False).starts:
        assert len(start) == len(torch.unique(start, dim=0)) == 5
    assert len(recorded(series, RolloutPhase(1, n_rollout=1), batch_size=99).starts[0]) == 24


def test_outputs_are_increments_or_states(series):
    net = network([3])
    start, latent = series.states[:, 0][None], torch.zeros(1, 24, 1)
    with torch.no_grad():
        flat = net.cell.network.masked()
        output, _ = net.cell(start / series.state_scale, latent, flat)
        (added,), _ = net.rollout(start, latent, 1, series, settings(increments=True), flat)
        (replaced,), _ = net.rollout(start, latent, 1, series, settings(increments=False), flat)
    torch.testing.assert_close(added, start + series.step_scale * output)
    torch.testing.assert_close(replaced, series.state_scale * output)


@pytest.mark.parametrize(("head", "penalty"), [("eql", SmoothedL05()), ("eql", HardConcreteL0()), ("relu", L1())])
def test_a_trial_in_a_batch_is_trained_as_alone(series, head, penalty):
    how = settings(RolloutPhase(30, n_rollout=2), penalty=penalty)
    together = train_recurrent(network(SEEDS[:2], head), series, how, 0, math.inf)
    for trial, seed in enumerate(SEEDS[:2]):
        alone = train_recurrent(network([seed], head), series, how, 0, math.inf)
        np.testing.assert_allclose(together.loss[trial], alone.loss[0], rtol=1e-3)


def test_a_trial_that_diverges_leaves_the_others_alone(series):
    how = settings(RolloutPhase(30, n_rollout=3))
    sound = train_recurrent(network([3]), series, how, 0, math.inf)
    pair = network([3, 1])
    with torch.no_grad():
        pair.cell.network.flat[2:] = 1e30  # the networks of the second trial
    result = train_recurrent(pair, series, how, 0, math.inf)
    assert result.loss[1] == math.inf
    np.testing.assert_allclose(result.loss[0], sound.loss[0], rtol=1e-3)


def test_small_weights_are_frozen_when_a_phase_with_a_threshold_ends(series):
    trained = network(SEEDS)
    result = train_recurrent(trained, series, settings(RolloutPhase(20, threshold=0.1, n_rollout=1)), 0, math.inf)
    weights = trained.cell.network.masked().detach()
    assert result.n_steps == 20
    assert (weights == 0).any()
    assert weights[weights != 0].abs().min() >= 0.1
    again = settings(RolloutPhase(20, n_rollout=1))
    train_recurrent(trained, series, again, 0, math.inf)
    assert (trained.cell.network.masked().detach()[weights == 0] == 0).all()


def test_gates_are_closed_for_good_in_the_end(series):
    trained = network(SEEDS)
    how = settings(RolloutPhase(120, n_rollout=1, learning_rate=5e-2), penalty=HardConcreteL0(), alpha=1.0)
    result = train_recurrent(trained, series, how, 0, math.inf)
    assert np.isfinite(result.loss).all()
    assert (trained.cell.network.masked() == 0).any()


@pytest.mark.parametrize("alpha_scale", [0.0, 1.0])
def test_training_goes_on_when_gates_are_closed(series, alpha_scale):
    trained = network([3])
    phases = RolloutPhase(3, n_rollout=1, threshold=0.1), RolloutPhase(3, n_rollout=1, alpha_scale=alpha_scale)
    result = train_recurrent(trained, series, settings(*phases, penalty=HardConcreteL0()), 0, math.inf)
    assert (result.n_steps, result.stopped) == (6, "schedule")
    assert np.isfinite(result.loss).all()


def test_frozen_parameters_of_an_encoder_stay_as_they_are(series):
    trained = network([3])
    frozen = trained.encoders[0][1].requires_grad_(False).weight.clone()
    free = trained.encoders[0][3].weight.detach().clone()
    train_recurrent(trained, series, settings(RolloutPhase(5, n_rollout=1)), 0, math.inf)
    assert torch.equal(trained.encoders[0][1].weight, frozen)
    assert not torch.equal(trained.encoders[0][3].weight, free)


def test_the_penalty_shrinks_weights(series):
    sizes = []
    for alpha in (0.0, 0.3):
        trained = network(SEEDS)
        how = settings(RolloutPhase(80, n_rollout=1), penalty=L1(), alpha=alpha)
        train_recurrent(trained, series, how, 0, math.inf)
        sizes.append(float(trained.cell.network.flat.detach().abs().sum()))
    assert sizes[1] < 0.8 * sizes[0]


def test_a_phase_without_penalty_has_none(series):
    weights = []
    for alpha in (0.0, 0.3):
        trained = network([3])
        how = settings(RolloutPhase(5, n_rollout=1, alpha_scale=0.0), penalty=L1(), alpha=alpha)
        train_recurrent(trained, series, how, 0, math.inf)
        weights.append(trained.cell.network.flat.detach())
    torch.testing.assert_close(*weights)


def test_an_expired_time_limit_ends_training_after_a_step(series):
    trained = network([3])
    result = train_recurrent(trained, series, settings(RolloutPhase(50, threshold=0.1)), 0, time.time() - 1)
    assert (result.n_steps, result.stopped) == (1, "max_time")
    weights = trained.cell.network.masked().detach()
    assert weights[weights != 0].abs().min() >= 0.1  # thresholded as at the end of the phase


class Interrupting(L1):
    """A penalty that presses Ctrl-C when it is asked for the n-th time."""

    def __init__(self, after):
        object.__setattr__(self, "calls", [after])

    def value(self, weights, gates=None):
        self.calls[0] -= 1
        if self.calls[0] < 0:
            raise KeyboardInterrupt
        return 0 * super().value(weights, gates)


def test_an_interrupted_training_is_evaluated(series):
    how = settings(RolloutPhase(50, n_rollout=1), penalty=Interrupting(7))
    result = train_recurrent(network([3]), series, how, 0, math.inf)
    assert (result.n_steps, result.stopped) == (7, "interrupted")
    assert np.isfinite(result.loss).all()


def test_an_interruption_does_not_repeat_the_threshold_of_a_phase_that_is_over(series):
    first = RolloutPhase(1, threshold=0.3, n_rollout=1, learning_rate=1e-4)
    long = RolloutPhase(60, n_rollout=1, learning_rate=3e-2)
    whole, cut = network(SEEDS), network(SEEDS)
    train_recurrent(whole, series, settings(first, long, penalty=Interrupting(10**9)), 0, math.inf)
    steps = settings(first, RolloutPhase(90, n_rollout=1, learning_rate=3e-2), penalty=Interrupting(61))
    result = train_recurrent(cut, series, steps, 0, math.inf)
    assert (result.n_steps, result.stopped) == (61, "interrupted")
    torch.testing.assert_close(cut.cell.network.masked(), whole.cell.network.masked())


def test_arguments_are_kept_within_the_domains_of_functions(series):
    trained = RecurrentNetwork([encoder(3)], EQLCell(2, 1, resolve_functions(["arcsin"]), 1, [3]), 1)
    with torch.no_grad():
        trained.cell.network.flat[:, :3] = 5.0
        trained.cell.network.mask[:, 3:] = False  # nothing reads the arcs: only their domain can move weights

    def violation() -> float:
        start, latent = series.states[:, 0][None], trained.latents(series.windows)
        with torch.no_grad():
            flat = trained.cell.network.masked()
            return float(trained.rollout(start, latent, 2, series, settings(), flat)[1])

    assert violation() > 0.5
    train_recurrent(
        trained, series, settings(RolloutPhase(150, learning_rate=0.1, n_rollout=2), alpha=0.0), 0, math.inf
    )
    assert violation() < 1e-3


def test_the_same_seed_draws_the_same_batches(series):
    how = settings(RolloutPhase(20, n_rollout=1), batch_size=6)
    first, second = (train_recurrent(network(SEEDS), series, how, 0, math.inf).loss for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (train_recurrent(network(SEEDS), series, how, 1, math.inf).loss != first).all()


def test_many_series_are_encoded_in_parts(series):
    net = network(SEEDS[:2])
    many = series.windows.repeat(30, 1, 1)  # more than are encoded at once
    whole = net.latents(many)
    assert whole.shape == (2, 720, 1)
    torch.testing.assert_close(whole[:, :24], net.latents(series.windows))
    torch.testing.assert_close(whole[:, -24:], whole[:, :24])
