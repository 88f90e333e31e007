"""A search on a device ends with the law of the CPU, and neither mixes devices nor waits for every result."""

import numpy as np
import pytest
from disguised_device import NAME, DisguisedDevice
from equal_laws import same_law

from sklearn_eql import EQLRegressor
from sklearn_eql._devices import generation_size
from sklearn_eql.estimators import regressor
from sklearn_eql.sparse import device_lockstep

X = np.random.default_rng(0).uniform(0.5, 2, (30, 2))
SMALL = {"population_size": 32, "n_generations": 6, "n_hidden_layers": 1, "random_state": 0}
SINE = np.sin(2 * X[:, 0]) + X[:, 1]
INVERSE = 1 / (1 + X[:, 0] * X[:, 1] + X[:, 1] ** 2)


@pytest.fixture
def device(monkeypatch):
    """What `device=` names is the device in disguise."""
    monkeypatch.setattr(regressor, "resolve_device", lambda name: NAME if name == "cuda" else name)
    monkeypatch.setattr(device_lockstep, "_LEAST_VALUES", 10 * len(X))
    with DisguisedDevice() as device:
        yield device


@pytest.mark.parametrize(
    ("y", "parameters"),
    [
        pytest.param(SINE, {"n_families": 0, "functions": ["id", "mul", "sin"]}, id="evolution"),
        pytest.param(
            INVERSE,
            {"n_hidden_layers": 2, "n_families": 3, "n_generations": 1, "functions": ["mul", "div"]},
            id="ladder",
        ),
    ],
)
def test_the_law_is_that_of_the_cpu(device, y, parameters):
    here = EQLRegressor(device="cpu", **SMALL | parameters).fit(X, y)
    assert not device.launches
    there = EQLRegressor(device="cuda", **SMALL | parameters).fit(X, y)
    assert device.launches
    assert same_law(here.sympy_expr_, there.sympy_expr_)


def test_neither_batches_nor_generations_make_the_host_wait_often(device):
    EQLRegressor(device="cuda", **SMALL | {"n_families": 0, "functions": ["id", "mul", "sin"]}).fit(X, SINE)
    places = {place.split()[0].split(":")[0] for place in (device.reads + device.uploads)}
    assert places <= {"sparse/device_lockstep.py", "sparse/device_batch.py", "sparse/program.py"}
    n_batches = sum(count for place, count in device.uploads.items() if place.startswith("sparse/device_batch.py"))
    assert sum(device.reads.values()) <= 3 * n_batches  # the result, and a look every four of at most twelve steps


def test_generations_are_larger_on_a_device():
    assert generation_size("cpu") < generation_size("cuda")
    with pytest.raises(ValueError, match="'population_size' parameter"):
        EQLRegressor(population_size="large").fit(X, SINE)
