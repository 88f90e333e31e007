"""Whole fits on a device: what is learned there is what is learned on the CPU."""

import numpy as np
import pytest
from disguised_device import NAME
from equal_laws import same_law

from sklearn_eql import EQLDynamicsRegressor, EQLEncoderRegressor, EQLRegressor, Phase
from sklearn_eql.datasets import load_digits_arithmetic, make_kinematics
from sklearn_eql.dynamics import stages
from sklearn_eql.training.schedule import RolloutPhase

pytestmark = pytest.mark.usefixtures("one_thread")

DIGITS = load_digits_arithmetic(n_samples=300)
FALL = make_kinematics(30, 12, 4, random_state=0)
TABLE = np.random.default_rng(0).uniform(-1, 1, (60, 2))
WEIGHTS = 1.0 + (TABLE[:, 0] > 0)


def _product(device, **changes):
    phases = [Phase(60, 1e-2, keep=0.5), Phase(60, 3e-3, threshold=0.01)]
    options = {"functions": ["id", "mul"], "n_hidden_layers": 1, "n_trials": 4, "schedule": phases, **changes}
    model = EQLRegressor(search="gradient", random_state=0, device=device, **options)
    return model.fit(TABLE, TABLE.prod(axis=1), sample_weight=WEIGHTS)


def _sum_of_digits(device, **changes):
    small = {"functions": {"const": 1, "id": 2, "mul": 1}, "n_hidden_layers": 1, "n_generations": 1, "batch_size": 32}
    short = {"linear_steps": 20, "schedule": [Phase(20, 3e-3, threshold=0.01)], "max_iter": 20}
    options = {"mixed_precision": False, **small, **short, **changes}
    return EQLEncoderRegressor(random_state=0, device=device, **options).fit(DIGITS.X, DIGITS.y)


def _fall(device, **changes):
    short = (RolloutPhase(40, n_rollout=1), RolloutPhase(40, learning_rate=5e-3, n_rollout=3, threshold=0.01))
    options = {"encoder": "mlp", "n_trials": 1, "schedule": short, **changes}
    return EQLDynamicsRegressor(random_state=0, device=device, **options).fit(FALL.X, FALL.Y)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"penalty": "l0", "batch_size": 20, "functions": ["id", "sqrt", "exp"]},
        {"penalty": "l1", "optimizer": "adam"},
    ],
    ids=["plain", "gates and batches", "adam"],
)
def test_gradient_search_on_a_device_finds_what_it_finds_on_the_cpu(disguised_device, changes):
    here, there = (_product(device, **changes) for device in ("cpu", NAME))
    assert disguised_device.launches > 1000
    assert same_law(here.sympy_expr_, there.sympy_expr_)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    assert sum(disguised_device.reads.values()) < 12, disguised_device.reads
    np.testing.assert_allclose(there.predict(TABLE), here.predict(TABLE), rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": "mlp"},
        {"encoder": "conv2d", "transforms": "affine", "penalty": "l0"},
        {"encoder": "mlp", "n_classes": 10, "early_stopping": True},
        {"encoder": "mlp", "head": "relu"},
    ],
    ids=["plain", "distorted images and gates", "classes", "relu"],
)
def test_an_encoder_on_a_device_learns_what_it_learns_on_the_cpu(disguised_device, changes):
    here, there = (_sum_of_digits(device, **changes) for device in ("cpu", NAME))
    assert disguised_device.launches > 1000
    np.testing.assert_allclose(there.predict(DIGITS.X), here.predict(DIGITS.X), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(there.transform(DIGITS.X), here.transform(DIGITS.X), atol=1e-3)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [{}, {"batch_size": 10, "refine": False, "penalty": "l0"}, {"head": "relu", "refine": False}],
    ids=["plain", "gates and batches", "relu"],
)
def test_dynamics_on_a_device_are_those_of_the_cpu(disguised_device, monkeypatch, changes):
    monkeypatch.setattr(stages, "_TAUGHT_STEPS", 30)
    here, there = (_fall(device, **changes) for device in ("cpu", NAME))
    assert disguised_device.launches > 1000
    np.testing.assert_allclose(there.predict(FALL.X), here.predict(FALL.X), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
