"""The training loop: schedules, independence of trials, freezing, failures as values."""

import numpy as np
import pytest
import torch

from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.networks.freezing import count_active, freeze_dead, freeze_small
from sklearn_eql.networks.penalties import HardConcreteL0, SmoothedL05
from sklearn_eql.primitives import Primitive, resolve_functions
from sklearn_eql.stopping import Deadline
from sklearn_eql.training.batched import Status, train
from sklearn_eql.training.optimizers import make_optimizer, set_learning_rate
from sklearn_eql.training.schedule import SCHEDULES, Phase, RolloutPhase, alpha_ladder, resolve_phases, scale_steps

SHORT = (Phase(200, 1e-2, threshold=0.01), Phase(100, 1e-3, alpha_scale=0.0))


def _data(n_rows=64):
    X = np.random.default_rng(0).uniform(-1, 1, (n_rows, 2))
    return X, X[:, 0] * X[:, 1]


def _network(seeds=range(4), functions="paper", n_outputs=1, dtype=torch.float64, **kwargs):
    return BatchedEQL(2, n_outputs, resolve_functions(functions), 2, seeds, dtype=dtype, **kwargs)


@pytest.mark.parametrize("penalty", ["l05", "l0", "l1"])
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_a_trial_in_a_batch_gets_its_solo_result(penalty, optimizer):
    X, y = _data()
    options = {"penalty": penalty, "optimizer": optimizer, "batch_size": 48}
    alphas = np.array([1e-3, 2e-3, 5e-3, 1e-2])
    batch = train(_network(), X, y, SHORT, alpha=alphas, **options)
    for seed in (0, 3):
        solo = train(_network([seed]), X, y, SHORT, alpha=alphas[seed], **options)
        np.testing.assert_allclose(batch.weights[seed], solo.weights[0], rtol=1e-8, atol=1e-10)


def test_float32_trials_get_the_same_bits_alone_and_in_a_batch():
    X, y = _data()
    batch = train(_network(dtype=torch.float32), X, y, SHORT)
    solo = train(_network([2], dtype=torch.float32), X, y, SHORT)
    np.testing.assert_array_equal(batch.weights[2], solo.weights[0])


def test_chunking_of_a_large_batch_changes_nothing(monkeypatch):
    X, y = _data()
    whole = train(_network(), X, y, SHORT, penalty="l0")
    monkeypatch.setattr("sklearn_eql.training.batched.CHUNK_BYTES", 1)
    chunked = train(_network(), X, y, SHORT, penalty="l0")
    np.testing.assert_allclose(chunked.weights, whole.weights, rtol=1e-8, atol=1e-10)


def test_frozen_weights_stay_zero_and_results_are_thresholded():
    X, y = _data()
    network = _network()
    result = train(network, X, y, SHORT)
    assert (result.weights[~result.mask] == 0).all()
    assert 0 < result.mask.mean() < 0.9
    np.testing.assert_array_equal(network.flat.detach().numpy(), result.weights)
    assert [r.n_active for r in result.records] == np.count_nonzero(result.weights, axis=1).tolist()


def test_losses_are_those_of_the_equations():
    X, y = _data()
    network = _network(n_outputs=2)
    result = train(network, X, np.stack([y, X[:, 0] ** 2], axis=1), SHORT)
    for t, (first, second) in enumerate(network.to_equations(result.weights)):
        error = ((first.evaluate(X) - y) ** 2).mean() / 2 + ((second.evaluate(X) - X[:, 0] ** 2) ** 2).mean() / 2
        assert result.loss[t] == pytest.approx(error)
        assert result.records[t].status is Status.CONVERGED


def test_sample_weights_repeat_rows():
    X, y = _data(32)
    weight = np.arange(32) % 3
    phases = (Phase(20),)  # rounding differs, and grows with the steps
    weighted = train(_network(), X, y, phases, sample_weight=weight)
    repeated = train(_network(), np.repeat(X, weight, axis=0), np.repeat(y, weight), phases)
    np.testing.assert_allclose(weighted.loss, repeated.loss, rtol=1e-6)


def test_the_fast_schedule_approaches_a_product_in_most_trials():
    X, y = _data(128)
    network = _network(range(8), dtype=torch.float32)
    result = train(network, X, y, scale_steps(SCHEDULES["fast"], 0.5), alpha=alpha_ladder(8))
    assert np.median(result.loss) < 5e-2 * np.var(y)
    assert result.n_steps == 1500


def test_diverging_trials_are_restarted_within_the_bound_and_leave_the_others_alone():
    X, y = _data()
    explosive = Primitive("explosive", 1, lambda g: torch.exp(1e4 * g.square()), lambda g: g)
    units = [*resolve_functions(["id", "mul"]), explosive]
    enabled = np.array([[True, True, False], [True, True, True], [True, True, False]])
    network = _network([0, 1, 2], units, enabled=enabled)
    result = train(network, X, y, SHORT, max_restarts=2, check_every=50)
    bad = result.records[1]
    assert (bad.status, bad.loss, bad.n_restarts, bad.n_active) == (Status.DIVERGED, np.inf, 2, 0)
    assert result.records[0].status is result.records[2].status is Status.CONVERGED
    alone = train(_network([2], units, enabled=enabled[2:]), X, y, SHORT, check_every=50)
    np.testing.assert_allclose(result.weights[2], alone.weights[0], rtol=1e-8, atol=1e-10)


def test_all_trials_diverging_is_a_result_too():
    X, y = _data()
    result = train(_network([0, 1]), X, y * np.inf, SHORT, max_restarts=1)
    assert {record.status for record in result.records} == {Status.DIVERGED}
    assert np.isinf(result.loss).all()


def test_weak_trials_are_culled_and_the_kept_ones_do_not_notice():
    X, y = _data()
    phases = (Phase(50, keep=0.5), Phase(50), Phase(50, threshold=0.01))
    result = train(_network(), X, y, phases)
    culled = [r for r in result.records if r.status is Status.CULLED]
    kept = [t for t, r in enumerate(result.records) if r.status is Status.CONVERGED]
    assert [r.n_steps for r in culled] == [50, 50]
    assert len(kept) == 2
    without = train(_network(), X, y, (Phase(100), Phase(50, threshold=0.01)))
    np.testing.assert_allclose(result.weights[kept], without.weights[kept], rtol=1e-8, atol=1e-10)


def test_training_stops_at_the_deadline_with_thresholded_weights():
    X, y = _data()
    result = train(_network(), X, y, (Phase(10**6, threshold=0.01),), deadline=Deadline(at=0.0))
    assert result.n_steps == 1
    assert result.status is Status.TIMED_OUT
    assert result.records[0].status is Status.TIMED_OUT
    assert (np.abs(result.weights[result.weights != 0]) >= 0.01).all()


def test_a_callback_sees_progress_and_can_stop():
    X, y = _data()
    seen = []

    def callback(progress):
        seen.append((progress.step, progress.n_steps, progress.loss.shape))
        return progress.step == 100

    result = train(_network(), X, y, SHORT, callback=callback, check_every=50)
    assert seen == [(50, 300, (4,)), (100, 300, (4,))]
    assert result.status is Status.STOPPED
    assert result.n_steps == 100


def test_an_interrupt_keeps_what_was_learned():
    X, y = _data()

    def callback(progress):
        raise KeyboardInterrupt

    result = train(_network(), X, y, SHORT, callback=callback)
    assert result.status is Status.INTERRUPTED
    assert result.n_steps == 100
    assert np.isfinite(result.loss).all()


def test_the_loss_curve_is_recorded_per_trial():
    X, y = _data()
    result = train(_network(), X, y, SHORT, check_every=50)
    assert result.loss_curve.shape == (6, 4)
    assert result.curve_steps.tolist() == [50, 100, 150, 200, 250, 300]


def test_relaxed_l0_ends_with_deterministic_weights():
    X, y = _data()
    network = _network()
    result = train(network, X, y, (Phase(300),), penalty="l0", alpha=5e-2)
    prediction = network(torch.as_tensor(X))[:, :, 0].detach().numpy()
    np.testing.assert_allclose(((prediction - y) ** 2).mean(axis=1), result.loss)
    assert (result.weights == 0).any()


def test_dead_weights_are_frozen_without_changing_the_output():
    network = _network([0, 1])
    network.flat.data *= torch.rand(network.flat.shape, generator=torch.Generator().manual_seed(0)) < 0.15
    freeze_small(network, 1e-12)
    X = torch.as_tensor(_data()[0])
    before, n_before = network(X).detach(), count_active(network.flat)
    freeze_dead(network)
    torch.testing.assert_close(network(X).detach(), before)
    assert (count_active(network.flat) < n_before).all()


def test_the_paper_schedule_is_that_of_appendix_a():
    first, second = SCHEDULES["paper"]
    assert (first.n_steps, first.learning_rate, first.threshold) == (2000, 1e-2, 0.01)
    assert (second.n_steps, second.learning_rate, second.alpha_scale) == (10_000, 1e-3, 0.0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("slow", "schedule must be one of"),
        ((), "non-empty"),
        ((Phase(1, learning_rate=-1.0),), "learning_rate > 0"),
        ((Phase(1, keep=0.0),), "keep in"),
    ],
)
def test_bad_schedules_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        resolve_phases(bad)


@pytest.mark.parametrize(
    ("phase", "honoured", "message"),
    [
        (Phase(1, keep=0.5), (), "keep=0.5.*keep < 1 is for EQLRegressor only"),
        (RolloutPhase(1, keep=0.5), ("n_rollout",), "keep=0.5.*keep < 1 is for EQLRegressor only"),
        (RolloutPhase(1, n_rollout=3), ("keep",), "n_rollout=3.*n_rollout is for EQLDynamicsRegressor only"),
    ],
)
def test_a_setting_that_a_loop_would_ignore_is_refused(phase, honoured, message):
    with pytest.raises(ValueError, match=message):
        resolve_phases([phase], honoured=honoured)
    assert resolve_phases([phase], honoured=("keep", "n_rollout")) == (phase,)


@pytest.mark.parametrize("penalty", ["l0", HardConcreteL0(gate_output=True), "l05"])
def test_training_goes_on_under_the_penalty_weight_when_gates_are_closed(penalty):
    X, y = _data()
    result = train(_network(), X, y, (Phase(50, threshold=0.01), Phase(50)), penalty=penalty)
    assert {record.status for record in result.records} == {Status.CONVERGED}
    assert result.n_steps == 100


def test_a_penalty_of_the_user_is_differentiated_by_autograd():
    class Own(SmoothedL05):
        def value(self, weights, gates=None):
            return SmoothedL05().value(weights)

    class Constant(SmoothedL05):
        def value(self, weights, gates=None):
            return weights.new_ones(len(weights))

    X, y = _data()
    phases = (Phase(5),)  # rounding differs, and grows with the steps
    built_in, own = (train(_network(), X, y, phases, penalty=penalty).weights for penalty in ("l05", Own()))
    np.testing.assert_allclose(own, built_in, rtol=1e-6, atol=1e-8)
    without, constant = (train(_network(), X, y, SHORT, alpha=alpha, penalty=Constant()) for alpha in (0.0, 1.0))
    np.testing.assert_array_equal(constant.weights, without.weights)


def test_rmsprop_of_one_parameter_is_that_of_many():
    one, many = torch.nn.Parameter(torch.linspace(-1, 1, 5)), torch.nn.Parameter(torch.linspace(-1, 1, 5))
    optimizers = make_optimizer("rmsprop", [one]), make_optimizer("rmsprop", [many, torch.nn.Parameter(torch.ones(1))])
    for optimizer, parameter in zip(optimizers, (one, many), strict=True):
        set_learning_rate(optimizer, 0.1)
        for _ in range(5):
            parameter.grad = parameter.detach() ** 3 - 0.1
            optimizer.step()
    torch.testing.assert_close(one, many)
    assert type(optimizers[0]) is not type(optimizers[1])


def test_unknown_optimisers_are_refused_with_the_choices():
    X, y = _data()
    with pytest.raises(ValueError, match=r"optimizer must be one of \['adam', 'rmsprop'\]"):
        train(_network(), X, y, SHORT, optimizer="sgd")
