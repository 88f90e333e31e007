"""Backward elimination at the optimum, exponents put to round values: what the rows support stays, the rest goes."""

import numpy as np
import pytest

from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.elimination import eliminate
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.round_exponents import n_loose, snap, with_round_exponents_fixed
from sklearn_eql.sparse.structure import SparseUnit, Structure

X = np.random.default_rng(0).uniform(1, 3, (200, 3))
NOISE = np.random.default_rng(1).normal(size=200)


def problem(y, noise=0.0, x=X):
    noisy = y + noise * np.std(y) * NOISE
    return make_problem(x, noisy, None, Scaling.of(x, noisy), PRIMITIVES, PRESETS["default"], 2, 200, 0)


def power_law(*exponents, extra=()):
    """One monomial of the three features, and terms beside it."""
    logs = tuple(SparseUnit("log", (((f, 1.0, False),),)) for f in (1, 2, 3))
    unit = SparseUnit("exp", (tuple((4 + f, a, True) for f, a in enumerate(exponents)),))
    return Structure(3, (*logs, unit), (*((s, 0.1, True) for s in extra), (7, 1.0, True)))


def fitted(structure, target):
    return target.fit([structure], 60)[0]


def exponents(structure):
    """Of the features, in the one power that there is."""
    logs = {4 + i: unit.args[0][0][0] for i, unit in enumerate(structure.units) if unit.primitive == "log"}
    powers = [unit for unit in structure.units if unit.primitive == "exp"]
    assert len(powers) == 1
    return {logs[s] - 1: (value, free) for s, value, free in powers[0].args[0]}


# Thinning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_terms_and_features_that_the_law_does_not_need_are_removed(noise):
    target = problem(2.3 * X[:, 0] ** 1.73 / X[:, 1], noise)
    thinned = eliminate(fitted(power_law(1.5, -1.2, 0.1, extra=(0, 1, 3)), target), target)
    assert set(exponents(thinned.structure)) == {0, 1}
    assert [s for s, _, _ in thinned.structure.output] == [3 + len(thinned.structure.units)]


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_terms_that_the_law_needs_are_kept(noise):
    target = problem(2 * X[:, 0] - X[:, 1] + 0.5 * np.sin(3 * X[:, 2]), noise)
    sine = SparseUnit("sin", (((3, 3.7, True),),))
    needed = Structure(3, (sine,), ((1, 1.0, True), (2, 1.0, True), (4, 1.0, True)))
    thinned = eliminate(fitted(needed, target), target)
    assert thinned.structure.key == needed.key


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_small_term_is_kept_if_it_stands_out_of_the_noise(noise):
    target = problem(X[:, 0] ** 2 + 0.05 * X[:, 1], noise)
    square = SparseUnit("square", (((1, 1.0, False),),))
    full = Structure(3, (square,), tuple((s, 1.0, True) for s in range(5)))
    assert [s for s, _, _ in eliminate(fitted(full, target), target).structure.output] == [2, 4]


def test_a_polynomial_of_twenty_terms_is_thinned_to_the_two_of_the_law():
    target = problem(X[:, 0] * X[:, 1] - 3 * X[:, 2] ** 2, 0.01)
    pairs = [(a, b) for a in (1, 2, 3) for b in range(a, 4)]
    units = [SparseUnit("mul", (((a, 1.0, False),), ((b, 1.0, False),))) for a, b in pairs]
    triples = [(4 + k, c) for k, (_, b) in enumerate(pairs) for c in range(b, 4)]
    units += [SparseUnit("mul", (((k, 1.0, False),), ((c, 1.0, False),))) for k, c in triples]
    full = Structure(3, tuple(units), tuple((s, 1.0, True) for s in range(4 + len(units))))
    assert full.n_free == 20
    thinned = eliminate(fitted(full, target), target).structure
    assert thinned.n_free == 2
    used = [tuple(arg[0][0] for arg in unit.args) for unit in thinned.units]
    assert used == [(1, 2), (3, 3)]


def test_thinning_never_makes_the_description_longer():
    target = problem(NOISE)
    structure = Structure(3, (), tuple((s, 1.0, True) for s in range(4)))
    before = fitted(structure, target)
    after = eliminate(before, target)
    assert after.structure.n_free < before.structure.n_free
    assert after.structure.output
    assert np.isfinite(after.loss)


# Exponents ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_exponents_near_integers_and_halves_are_put_there(noise):
    target = problem(X[:, 0] ** 2 * X[:, 1] ** -1.5 * X[:, 2], noise)
    snapped = snap(fitted(power_law(1.9, -1.3, 1.1), target), target)
    assert exponents(snapped.structure) == {0: (2.0, False), 1: (-1.5, False), 2: (1.0, False)}
    assert n_loose(snapped.structure) == 0


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_an_exponent_that_is_not_round_stays_and_does_not_hold_the_others_back(noise):
    target = problem(X[:, 0] ** 1.73 / X[:, 1], noise)
    snapped = snap(fitted(power_law(1.9, -1.3, 0.1), target), target)
    found = exponents(snapped.structure)
    assert found[0] == (pytest.approx(1.73, abs=0.03), True)
    assert found[1] == (-1.0, False)


def test_an_exponent_within_its_error_of_two_becomes_two():
    target = problem(X[:, 0] ** 2, 0.05)
    loose = fitted(power_law(1.9, 0.1, -0.1), target)
    assert 1e-4 < abs(exponents(loose.structure)[0][0] - 2) < 0.1
    snapped = snap(eliminate(loose, target), target)
    assert exponents(snapped.structure) == {0: (2.0, False)}


def test_an_exponent_surely_off_two_does_not_become_two():
    target = problem(X[:, 0] ** 1.98)
    structure = fitted(power_law(1.9, 0.5, 0.5), target)
    snapped = snap(eliminate(structure, target), target)
    assert exponents(snapped.structure) == {0: (pytest.approx(1.98, rel=1e-9), True)}


def test_the_exponent_of_a_sum_is_put_to_a_half():
    target = problem(np.sqrt(1 + X[:, 0]), 0.001)
    root = SparseUnit("pow", (((0, 0.8, True), (1, 1.0, False)), ((0, 0.6, True),)))
    snapped = snap(fitted(Structure(3, (root,), ((4, 1.0, True),)), target), target)
    assert snapped.structure.units[0].args[1] == ((0, 0.5, False),)


def test_a_fixed_exponent_keeps_the_number_of_its_trial():
    target = problem(X[:, 0] ** 2 / X[:, 1], 0.01)
    loose = fitted(power_law(1.9, -1.1, 0.1), target)
    numbered = type(loose)(loose.structure, loose.loss, trial=17)
    assert snap(numbered, target).trial == 17


def test_exponents_at_round_values_can_be_fixed_where_they_are():
    structure = with_round_exponents_fixed(power_law(2.0, -1.5, 0.3))
    assert exponents(structure) == {0: (2.0, False), 1: (-1.5, False), 2: (0.3, True)}
    assert n_loose(structure) == 1


def test_what_is_no_exponent_is_not_fixed():
    growth = Structure(3, (SparseUnit("exp", (((1, 2.0, True),),)),), ((4, 1.0, True),))
    assert with_round_exponents_fixed(growth) == growth
    assert n_loose(growth) == 0
