"""Waves times envelopes: what is left is that of least squares, with and without weights."""

import time

import numpy as np
import pytest
import torch

from sklearn_eql.primitives import PRESETS
from sklearn_eql.scan.factors import arguments, factors_of
from sklearn_eql.scan.modulated_waves import highest_frequency, scan_waves

X = np.column_stack([np.linspace(0, 5, 120), np.random.default_rng(0).uniform(1, 3, 120)])
WEIGHT = np.random.default_rng(1).uniform(0.1, 2, 120)
ANGLES = arguments(X, np.ones(2), [0, 1], [0, 1])
FACTORS = [factors_of(a, lambda *names: set(names) <= PRESETS["default"].keys()) for a in ANGLES if a.is_feature]


def by_least_squares(wave, y, weight):
    envelope = np.prod([FACTORS[f].values[e].numpy() for f, e in wave.envelope], axis=0)
    angle = wave.frequency * ANGLES[wave.argument].values
    columns = np.stack([np.ones(120), envelope * np.cos(angle), envelope * np.sin(angle)], axis=1)
    root = np.sqrt(weight)
    solution, *_ = np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)
    mean = np.average(y, weights=weight)
    left = np.sum(weight * (y - columns @ solution) ** 2) / np.sum(weight * (y - mean) ** 2)
    return left, np.arctan2(solution[2], solution[1])


@pytest.mark.parametrize("weight", [np.ones(120), WEIGHT], ids=["equal", "weights"])
def test_what_is_left_and_the_phase_are_those_of_least_squares(weight):
    y = X[:, 1] * np.exp(-0.4 * X[:, 0]) * np.cos(3 * X[:, 0] + 1) + np.random.default_rng(2).normal(size=120) / 9
    found = scan_waves(FACTORS, ANGLES, torch.as_tensor(y), torch.as_tensor(weight))
    assert {wave.argument for wave in found} == set(range(len(ANGLES)))
    for wave in found:
        left, phase = by_least_squares(wave, y, weight)
        assert wave.left == pytest.approx(left, rel=1e-6)
        assert np.cos(wave.phase - phase) == pytest.approx(1, abs=1e-6)


def test_the_right_envelope_comes_first():
    y = X[:, 1] * np.exp(-0.4 * X[:, 0]) * np.cos(3 * X[:, 0] + 1) + 2
    best = min(scan_waves(FACTORS, ANGLES, torch.as_tensor(y)), key=lambda wave: wave.length(120))
    assert {(f, FACTORS[f].kinds[e]) for f, e in best.envelope} == {(0, "exp-1"), (1, "power 1")}
    assert (best.argument, best.frequency) == (0, pytest.approx(3, abs=0.3))


def test_nothing_is_found_where_there_is_nothing_to_find():
    y = torch.as_tensor(np.cos(3 * X[:, 0]))
    assert scan_waves(FACTORS, ANGLES, y, deadline=time.time() - 1) == []
    assert scan_waves(FACTORS, [], y) == []
    constant = arguments(np.ones((120, 1)), np.ones(1), [1], [0])
    assert scan_waves([], constant, y) == []
    assert scan_waves(FACTORS, ANGLES, torch.zeros(120, dtype=torch.float64)) == []


def test_waves_beyond_a_grid_are_not_told_apart():
    assert highest_frequency(np.arange(20.0)) == pytest.approx(0.9 * np.pi)
    assert highest_frequency(np.array([0.0, 1.0, 4.0, 6.0]) / 2) == pytest.approx(1.8 * np.pi)
    assert highest_frequency(np.random.default_rng(0).uniform(0, 1, 50)) == np.inf
    assert highest_frequency(np.ones(5)) == np.inf
