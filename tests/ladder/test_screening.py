"""Hints for the search: exponents from logarithmic slopes, likely waves, best subsets of a dictionary."""

import numpy as np
import pytest
import scipy

from sklearn_eql.ladder import screening
from sklearn_eql.ladder.dictionary import best_subsets, library
from sklearn_eql.ladder.screening import log_monomials, screen_waves
from sklearn_eql.ladder.term_generator import TermGenerator
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure

X = np.random.default_rng(0).uniform(1, 3, (400, 4))
NOISE = np.random.default_rng(2).normal(size=400)


def hints(y, x=X, signed=None, noise=0.0):
    noisy = y * (1 + noise * NOISE[: len(y)])
    return log_monomials(x, noisy, list(range(x.shape[1])) if signed is None else signed, np.ones(x.shape[1]))


def holds(candidates, exponents):
    return any(np.array_equal(c, exponents) for c in candidates)


# Monomials ---------------------------------------------------------------------------------------------------------


FUNCTIONS = {
    "exp": np.exp,
    "exp - 1": np.expm1,
    "tanh": np.tanh,
    "rational": lambda m: 1 / (1 + m**2),
    "root": lambda m: np.sqrt(2 + m),
}


@pytest.mark.parametrize(
    ("name", "noise"), [*((name, 0.0) for name in FUNCTIONS), *((name, 0.01) for name in FUNCTIONS if name != "root")]
)
def test_the_monomials_of_a_product_and_of_a_functions_argument_are_found(name, noise):
    found = hints(X[:, 0] * X[:, 1] ** 2 * FUNCTIONS[name](X[:, 2] / X[:, 3]), noise=noise)
    assert found.on_a_line
    assert holds(found.inner, [0, 0, 1, -1]) or holds(found.inner, [0, 0, -1, 1])
    assert holds(found.outer, [1, 2, 0, 0])
    assert found.separable[:2].tolist() == [1, 2]


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_power_law_is_separable_in_all_its_features(noise):
    found = hints(3 * X[:, 0] ** 1.5 / X[:, 2] ** 2, noise=noise)
    np.testing.assert_allclose(found.slopes, [1.5, 0, -2, 0], atol=0.05)
    assert found.separable.tolist() == [1.5, 0, -2, 0]


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_features_that_are_no_factors_are_not_separable(noise):
    found = hints(X[:, 0] * (X[:, 1] ** 2 + X[:, 2] * X[:, 3]), noise=noise)
    assert found.separable.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_columns_of_which_only_the_difference_counts_are_paired(noise):
    found = hints(1 + (X[:, 0] - X[:, 3]) ** 2 + X[:, 1] * X[:, 2], noise=noise)
    assert found.pairs[0] == (0, 3)


def test_pairs_are_of_columns_in_the_users_units():
    rows = X / [1, 4, 1, 1]
    found = log_monomials(rows, 5 + (X[:, 0] - X[:, 1]) ** 2, [0, 1, 2, 3], np.array([1.0, 4, 1, 1]))
    assert found.pairs[0] == (0, 1)


def test_negative_columns_and_targets_have_slopes_too():
    found = hints(-(X[:, 0] ** 2) / X[:, 1], x=-X)
    assert found.separable.tolist() == [2, -1, 0, 0]


def test_columns_of_both_signs_have_no_exponents():
    rows = X - [0, 2, 0, 0]
    found = hints(X[:, 0] ** 2 * np.exp(rows[:, 1]), x=rows, signed=[0, 2, 3])
    assert found.separable.tolist() == [2, 0, 0, 0]
    assert found.slopes[1] == 0


@pytest.mark.parametrize(
    ("x", "y", "signed"),
    [(X, X[:, 0], []), (X[:8], X[:8, 0], [0]), (X, np.where(np.arange(400) < 395, 0.0, 1.0), [0])],
    ids=["no column of one sign", "few rows", "a target of zeros"],
)
def test_without_logarithms_there_are_no_hints(x, y, signed):
    found = hints(y, x=x, signed=signed)
    assert (found.outer, found.inner, found.pairs, found.on_a_line) == ((), (), (), False)
    assert not found.slopes.any()


def test_a_constant_column_has_no_slope():
    rows = np.c_[X[:, :2], np.full(400, 2.0)]
    found = hints(X[:, 0] / X[:, 1], x=rows)
    assert found.separable.tolist() == [1, -1, 0]


# Waves -------------------------------------------------------------------------------------------------------------

WAVES = {
    "a feature": (lambda x, w: 2 * np.cos(w * x[:, 0]), {(1, 1.0)}, set(), 4.0),
    "a product": (lambda x, w: x[:, 2] * np.sin(w * x[:, 0] * x[:, 1]), {(1, 1.0), (2, 1.0)}, set(), 2.0),
    "a quotient": (lambda x, w: np.cos(w * x[:, 1] / x[:, 2]) + x[:, 0], {(2, 1.0), (3, -1.0)}, set(), 7.0),
    "a difference": (lambda x, w: x[:, 2] * np.sin(w * (x[:, 0] - x[:, 1])), set(), {(1, 1.0), (2, -1.0)}, 3.0),
}


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("name", WAVES)
def test_the_argument_of_a_wave_comes_first(name, noise):
    law, exponents, weights, frequency = WAVES[name]
    rows = X[:200, :3]
    y = law(rows, frequency) + noise * NOISE[:200]
    first = screen_waves(rows, y, [0, 1, 2], np.ones(3))[0]
    flipped = {(f, -e) for f, e in first.exponents}
    assert exponents in (set(first.exponents), flipped)
    assert set(first.weights) == weights
    assert first.loss < 0.05
    # The slopes of the quadratic forms bend the frequency; what counts is where a fit from there ends.
    fitted = scipy.optimize.least_squares(lambda w: law(rows, w) - y, first.frequency).x
    assert fitted == pytest.approx(frequency, rel=0.01)


def test_waves_are_ranked_by_what_they_leave_over():
    waves = screen_waves(X[:200, :2], np.cos(3 * X[:200, 0]), [0, 1], np.ones(2))
    losses = [wave.loss for wave in waves]
    assert losses == sorted(losses)
    assert 0 < len(waves) <= 24


def test_the_frequency_of_a_wave_may_be_a_root_of_features():
    rng = np.random.default_rng(3)
    t, k, m = rng.uniform(0.2, 4, (3, 200))
    rows = np.c_[t, k, m]
    first = screen_waves(rows, np.exp(-0.3 * t) * np.cos(2 * t * np.sqrt(k / m)), [0, 1, 2], np.ones(3))[0]
    assert dict(first.exponents) == {1: 1.0, 2: 0.5, 3: -0.5}
    assert first.frequency == pytest.approx(2, abs=0.1)


def test_noise_is_no_wave():
    waves = screen_waves(X[:200, :2], NOISE[:200], [0, 1], np.ones(2))
    assert waves[0].loss > 0.5


# The dictionary ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("planted", [(17,), (3, 40), (5, 22, 49)])
def test_planted_columns_are_the_best_subset_of_their_size(planted, noise):
    columns = np.random.default_rng(1).normal(size=(100, 60)) + 2
    y = 4 + columns[:, planted] @ np.array([2.0, -1.0, 1.5])[: len(planted)]
    found = list(best_subsets(columns, y + noise * NOISE[:100]))
    assert next(chosen for chosen in found if len(chosen) == len(planted)) == planted


def test_a_pair_is_found_where_neither_column_alone_says_much():
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(200, 40))
    columns[:, 9] = columns[:, 30] + 0.1 * rng.normal(size=200)
    found = list(best_subsets(columns, columns[:, 9] - columns[:, 30]))
    assert next(chosen for chosen in found if len(chosen) == 2) == (9, 30)


def test_constant_columns_are_in_no_subset(rng):
    columns = np.c_[np.full(100, 3.0), rng.normal(size=(100, 3))]
    assert all(0 not in chosen for chosen in best_subsets(columns, columns[:, 1] + NOISE[:100]))


@pytest.fixture
def generator():
    def make(x, functions=None):
        y = x[:, 0] + 1
        copies = PRESETS["default"] if functions is None else dict.fromkeys(functions, 1)
        problem = make_problem(x, y, None, Scaling.of(x, y), PRIMITIVES, copies, 2, 100, 0)
        rows = problem.X.numpy()
        signed = [f for f, sign in enumerate(problem.signs) if sign]
        found = log_monomials(rows, problem.y.numpy(), signed, problem.x_units)
        return TermGenerator(problem, np.random.default_rng(0), found, 1.0)

    return make


@pytest.mark.parametrize("shift", [0.0, 2.0, 4.0], ids=["positive", "mixed", "negative"])
def test_entries_of_the_dictionary_are_finite_and_are_what_their_terms_say(generator, shift):
    chosen = generator(X[:, :2] - shift)
    entries, values = library(chosen)
    assert values.shape == (100, len(entries))
    assert np.isfinite(values).all()
    for k in range(0, len(entries), 7):
        editable = EditableStructure(Structure(2, (), ()))
        editable.output = [list(term) for term in entries[k]]
        np.testing.assert_allclose(editable.equation().evaluate(chosen.rows), values[:, k], rtol=1e-12)


def test_the_dictionary_holds_only_allowed_functions(generator):
    entries, _ = library(generator(X[:, :2], ["mul", "square"]))
    editable = EditableStructure(Structure(2, (), ()))
    editable.output = [list(term) for form in entries for term in form]
    assert {node.primitive for node in editable.nodes()} == {"mul", "square"}


def test_of_many_columns_no_more_arguments_are_built_than_are_tried(monkeypatch, rng):
    built = []
    arguments = screening._arguments

    def counted(*args):
        for argument in arguments(*args):
            built.append(argument[:2])
            yield argument

    monkeypatch.setattr(screening, "_arguments", counted)
    rows = rng.uniform(1, 2, (50, 200))
    assert screen_waves(rows, rows[:, 0], list(range(200)), np.ones(200), deadline=0.0) == []
    assert len(built) == screening._MAX_ARGUMENTS
    built.clear()
    screen_waves(rows, rows[:, 0], [3, 7], np.ones(200), columns=[3, 7], deadline=0.0)
    assert {f for exponents, weights in built for f, _ in (*exponents, *weights)} == {4, 8}


def test_hints_of_some_columns_stand_at_their_places():
    found = hints(X[:, 0] ** 2 / X[:, 2], x=X[:, [0, 2]]).spread([5, 9], 12)
    assert np.flatnonzero(found.separable).tolist() == [5, 9]
    assert found.separable[[5, 9]].tolist() == [2, -1]
    paired = hints(1 + (X[:, 0] - X[:, 1]) ** 2, x=X[:, :2]).spread([5, 9], 12)
    assert paired.pairs == ((5, 9),)
