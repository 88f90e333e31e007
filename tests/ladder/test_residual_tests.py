"""Residuals are noise, or they are not: the test that lets the search of noisy data end."""

from dataclasses import replace

import numpy as np
import pytest

from sklearn_eql.ladder.residual_tests import is_white
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure

X = np.random.default_rng(0).uniform(1, 3, (200, 3))
CLEAN = 2 * X[:, 0] - X[:, 1] + 3
LINEAR = Structure(3, (), ((0, 1.0, True), (1, 1.0, True), (2, 1.0, True)))
Z = X - 2

# What the linear law of the first two features misses, of size 0.1 or less.
MISSING = {
    "a feature": 0.1 * Z[:, 2],
    "a square": 0.2 * Z[:, 0] ** 2,
    "a product": 0.2 * Z[:, 0] * Z[:, 1],
    "a cube": 0.3 * (Z[:, 0] ** 3 - 0.6 * Z[:, 0]),
    "a product of three": 0.2 * Z.prod(axis=1),
    "a wave": 0.1 * np.sin(8 * X[:, 0]),
}


def fitted(y, structure=LINEAR, x=X, weight=None):
    target = make_problem(x, y, weight, Scaling.of(x, y), PRIMITIVES, PRESETS["default"], 2, 1000, 0)
    return target.fit([structure], 20)[0].structure, target


def noise(seed, size=0.05, n=200):
    return size * np.random.default_rng(seed).normal(size=n)


def test_noise_is_white():
    assert sum(is_white(*fitted(CLEAN + noise(seed))) for seed in range(20)) >= 19


def test_noise_is_white_whatever_its_distribution():
    heavy = [np.random.default_rng(seed).standard_t(4, size=200) for seed in range(20)]
    assert sum(is_white(*fitted(CLEAN + 0.05 * sample)) for sample in heavy) >= 19


def test_noise_is_white_under_weights():
    weight = np.random.default_rng(5).uniform(0.1, 3, 200)
    samples = [noise(seed) / np.sqrt(weight) for seed in range(20)]
    assert sum(is_white(*fitted(CLEAN + sample, weight=weight)) for sample in samples) >= 19


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_term_is_not_noise(name):
    assert not any(is_white(*fitted(CLEAN + MISSING[name] + noise(seed))) for seed in range(5))


@pytest.mark.parametrize("name", MISSING)
def test_a_law_without_noise_that_misses_a_term_is_not_white(name):
    assert not is_white(*fitted(CLEAN + MISSING[name]))


def test_a_wrong_curvature_of_a_nonlinear_law_is_not_noise():
    wave = Structure(3, (SparseUnit("sin", (((1, 0.5, True),),)),), ((0, 1.0, True), (4, 1.0, True)))
    y = np.log(X[:, 0])
    assert not is_white(*fitted(y + noise(0, 0.003), wave))


def test_residuals_of_many_features_are_judged_too():
    rows = np.random.default_rng(3).uniform(1, 3, (200, 12))
    structure = Structure(12, (), ((0, 1.0, True), (1, 1.0, True)))
    law = 2 * rows[:, 0] + 1
    assert is_white(*fitted(law + noise(1), structure, rows))
    assert not is_white(*fitted(law + 0.1 * rows[:, 11] + noise(1), structure, rows))


def test_columns_of_zeros_and_ones_and_constants_are_no_obstacle():
    rng = np.random.default_rng(4)
    rows = np.c_[rng.integers(0, 2, (200, 2)), np.full(200, 3.0)].astype(float)
    law = rows[:, 0] + 2 * rows[:, 1]
    assert is_white(*fitted(law + noise(1), x=rows))
    assert not is_white(*fitted(law + rows[:, 0] * rows[:, 1] + noise(1), x=rows))


def test_no_residuals_are_white():
    target = fitted(X[:, 0])[1]
    exact = Structure(3, (), ((1, 1.0, False),))
    assert is_white(exact, replace(target, y=target.X[:, 0]))
