"""Rules that all fits share: a fit rests where the next step promises nothing."""

import math

import numpy as np
import pytest
import torch
from disguised_device import NAME, DisguisedDevice
from searched_structures import X

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse import device_lockstep, lockstep
from sklearn_eql.sparse.levenberg_marquardt import levenberg_marquardt
from sklearn_eql.sparse.steps import promises
from sklearn_eql.sparse.structure import SparseUnit, Structure

ROWS = torch.from_numpy(X)
TARGET = torch.from_numpy(np.sin(2 * X[:, 0]) + 0.1 * np.cos(30 * X[:, 1]))
SINE = Structure(3, (SparseUnit("sin", (((1, 1.9, True),),)),), ((4, 1.0, True),))


@pytest.mark.parametrize(
    ("along", "held", "worth"),
    [(1e-6, 0.0, True), (1e-12, 0.0, False), (1e-12, 1e-12, True), (1e-12, 1e-14, False), (0.0, 0.0, False)],
)
def test_a_step_is_worth_trying_if_it_promises_something_or_is_small_for_its_damping(along, held, worth):
    assert promises(along, held, 1e-9) == worth
    assert promises(np.array([along]), np.array([held]), np.array([1e-9])).tolist() == [worth]
    assert promises(torch.tensor([along]), torch.tensor([held]), torch.tensor([1e-9])).tolist() == [worth]


@pytest.mark.parametrize("how", ["alone", "in step", "on a device"])
def test_a_fit_rests_at_its_optimum(how, monkeypatch):
    monkeypatch.setattr(lockstep, "_FEWEST", 2 if how == "in step" else math.inf)
    monkeypatch.setattr(device_lockstep, "_LEAST_VALUES", 0)
    with DisguisedDevice():
        device = NAME if how == "on a device" else "cpu"
        first = levenberg_marquardt([SINE] * 3, PRIMITIVES, ROWS, TARGET, max_iter=30, device=device)
        again = levenberg_marquardt([r.structure for r in first], PRIMITIVES, ROWS, TARGET, max_iter=30, device=device)
    assert max(r.state.n_steps for r in first) < 12
    assert max(r.state.n_steps for r in again) <= 2
    assert [r.loss for r in again] == pytest.approx([r.loss for r in first], rel=1e-9)
    assert [r.structure.key for r in first] == [SINE.key] * 3
