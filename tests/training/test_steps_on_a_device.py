"""A training step on a device: the host waits for nothing and sends no more than the batch and what is random."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from disguised_device import NAME, DisguisedDevice

from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.networks.cells import EQLCell
from sklearn_eql.networks.encoders import LatentClasses, build_encoder
from sklearn_eql.networks.penalties import HardConcreteL0, SmoothedL05
from sklearn_eql.primitives import resolve_functions
from sklearn_eql.training.batched import train
from sklearn_eql.training.checkpoint import Checkpoint
from sklearn_eql.training.minibatch import Batches, Plan, Watch, descend
from sklearn_eql.training.rollouts import RecurrentNetwork, RecurrentSettings, Series, train_recurrent
from sklearn_eql.training.schedule import Phase, RolloutPhase

N_STEPS = 10


def per_step(run):
    """Launches, reads and uploads of a step, from ``run(n_steps)`` with two numbers of steps."""
    found = []
    for n_steps in (N_STEPS, 2 * N_STEPS):
        with DisguisedDevice() as device:
            run(n_steps)
        found.append(np.array([device.launches, device.reads.total(), device.uploads.total()]))
    return (found[1] - found[0]) / N_STEPS


def batched(n_trials=4, n_rows=40, functions="paper", **options):
    X = np.random.default_rng(0).uniform(-1, 1, (n_rows, 2))

    def run(n_steps):
        network = BatchedEQL(2, 1, resolve_functions(functions), 2, range(n_trials), device=NAME)
        train(network, X, X.prod(axis=1), (Phase(n_steps, 1e-3),), check_every=10**6, **options)

    return run


def test_a_step_of_many_networks_waits_for_nothing():
    launches, reads, uploads = per_step(batched())
    assert (reads, uploads) == (0, 0)
    assert launches < 75
    assert per_step(batched(n_trials=50, n_rows=300))[0] == launches


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"batch_size": 4}, 1 / N_STEPS), ({"penalty": "l0"}, 1), ({"functions": "default"}, 0)],
    ids=["the order of an epoch", "noise of gates", "functions with domains"],
)
def test_only_what_is_random_is_sent(options, expected):
    _, reads, uploads = per_step(batched(**options))
    assert (reads, uploads) == (0, expected)


@pytest.mark.parametrize("n_classes", [None, 3])
def test_a_step_of_an_encoder_waits_for_nothing_and_sends_the_batch(n_classes):
    X = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))

    def run(n_steps):
        model = build_encoder("mlp", (6,), 1, n_classes).to(NAME)
        batches = Batches(lambda rows: (X[rows], X[rows, :1]), np.arange(40), 8, 0)
        plan = Plan(n_steps, 1e-3, average=True)
        loss = lambda model, x, y: (model(x) - y).square().mean()  # noqa: E731
        descend(model, loss, batches, plan, Checkpoint(None, {}), "test", Watch())

    _, reads, uploads = per_step(run)
    assert (reads, uploads) == (0, 2)


def test_training_that_was_cut_short_on_a_device_is_taken_up_there(tmp_path):
    X = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
    batches = Batches(lambda rows: (X[rows], X[rows, :1]), np.arange(40), 8, 0)
    loss = lambda model, x, y: (model(x) - y).square().mean()  # noqa: E731

    def trained(checkpoint, watch):
        torch.manual_seed(0)
        model = build_encoder("mlp", (6,), 1).to(NAME)
        descend(model, loss, batches, Plan(100, 1e-2, average=True), checkpoint, "test", watch)
        return torch.cat([p.detach().cpu().flatten() for p in model.parameters()])

    def stop_at_50(name, step, n_steps, loss):
        watch.interrupted = True

    with torch.random.fork_rng(devices=[]), DisguisedDevice():
        whole = trained(Checkpoint(None, {}), Watch())
        watch = Watch(report=stop_at_50)
        cut = trained(Checkpoint(tmp_path / "fit", {}), watch)
        assert not torch.allclose(cut, whole)
        torch.testing.assert_close(trained(Checkpoint(tmp_path / "fit", {}), Watch()), whole)


def test_an_encoder_of_classes_is_evaluated_without_waiting():
    with DisguisedDevice() as device:
        encoder = LatentClasses(torch.nn.Linear(2, 3), 3, 1).to(NAME).eval()
        encoder.decided.fill_(True)
        with torch.no_grad():
            latents = encoder(torch.rand(20, 2).to(NAME))
        assert device.reads == Counter()
        assert set(latents.flatten().tolist()) <= set(encoder.prototypes.flatten().tolist())


@pytest.mark.parametrize(("penalty", "expected"), [(SmoothedL05(), 1), (HardConcreteL0(), 2)])
def test_a_step_of_recurrent_cells_waits_for_nothing_and_sends_its_rows(penalty, expected):
    states = torch.rand(12, 6, 2, generator=torch.Generator().manual_seed(0))
    units = resolve_functions(["const", "id", "mul"])

    def run(n_steps):
        series = Series(*(t.to(NAME) for t in (states.mT.contiguous(), states, torch.ones(2), torch.ones(2))))
        encoders = [build_encoder("mlp", (2, 6), 1) for _ in range(2)]
        network = RecurrentNetwork(encoders, EQLCell(2, 1, units, 1, range(2)), 1).to(NAME)
        phases = (RolloutPhase(n_steps, n_rollout=2),)
        how = {"penalty": penalty, "alpha": 1e-3, "optimizer": "adam", "any_start": True, "increments": True}
        settings = RecurrentSettings(phases=phases, batch_size=5, **how)
        train_recurrent(network, series, settings, 0, math.inf)

    _, reads, uploads = per_step(run)
    assert (reads, uploads) == (0, expected)
