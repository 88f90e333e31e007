"""The structure search: what the archive keeps, when the search ends, and what elimination leaves."""

import math

import numpy as np
import pytest
import torch

from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.search.evolution import EvolutionSettings, evolve
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.elimination import eliminate_networks, simplify
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import EXACT, Scaling, is_well_conditioned, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure
from sklearn_eql.stopping import NEVER, Deadline

X = np.random.default_rng(0).uniform(0.5, 2, (60, 2))
Y = X[:, 0] ** 2 / X[:, 1]
SMALL = EvolutionSettings(population_size=48, n_generations=10)


def problem(y=Y, x=X, functions=("mul", "div", "pow", "sin"), weight=None, **options):
    settings = {"max_depth": 2, "max_rows": 256, "seed": 0} | options
    scaling = Scaling.of(x, y, sample_weight=weight)
    return make_problem(x, y, weight, scaling, PRIMITIVES, dict.fromkeys(functions, 1), **settings)


def linear(*sources, n_features=2):
    return Structure(n_features, (), tuple((s, 1.0, True) for s in sources))


def sine(source, n_terms=1):
    output = ((0, 1.0, True),) * (n_terms - 1) + ((3, 1.0, True),)
    return Structure(2, (SparseUnit("sin", (((source, 2.0, True),),)),), output)


def fitted(structure, loss):
    return FitResult(structure, loss)


# The archive -------------------------------------------------------------------------------------------------------


def test_an_archive_keeps_the_better_of_two_fits_of_a_structure():
    archive = Archive(60, EXACT)
    archive.add([fitted(sine(1), 0.5), fitted(sine(1), 0.3), fitted(sine(1), 0.4)])
    assert [r.loss for r in archive.ranked()] == [0.3]


def test_an_archive_numbers_every_fit_it_was_shown():
    archive = Archive(60, EXACT)
    archive.add([fitted(sine(1), math.inf), fitted(sine(2), 0.5)])
    archive.add([fitted(linear(0, 1), 0.7)])
    assert archive.n_trials == 3
    assert sorted(r.trial for r in archive.ranked()) == [1, 2]


@pytest.mark.parametrize("loss", [math.inf, math.nan])
def test_an_archive_drops_what_is_not_finite(loss):
    archive = Archive(60, EXACT)
    archive.add([fitted(sine(1), loss)])
    assert archive.ranked() == []


def test_an_archive_keeps_the_best_of_every_size():
    archive = Archive(60, EXACT, per_size=1)
    archive.add([fitted(linear(0), 0.9), fitted(linear(1), 0.8), fitted(linear(0, 1), 0.5), fitted(linear(0, 2), 0.6)])
    assert {size: [r.loss for r in shelf] for size, shelf in archive.members.items()} == {1: [0.8], 2: [0.5]}


def test_the_front_holds_what_is_better_than_everything_smaller():
    archive = Archive(60, EXACT)
    archive.add(
        [fitted(linear(0), 0.8), fitted(linear(0, 1), 0.9), fitted(sine(1), 0.5), fitted(sine(1, 2), EXACT / 9)]
    )
    assert [r.loss for r in archive.front()] == [0.8, 0.5, EXACT / 9]
    archive.add([fitted(linear(0, 1, 2), EXACT / 99)])  # as exact as the larger one, and smaller than it
    assert [r.loss for r in archive.front()] == [0.8, EXACT / 99]


def test_merged_archives_hold_the_better_fits_of_both():
    one, other = Archive(60, EXACT), Archive(60, EXACT)
    one.add([fitted(sine(1), 0.5), fitted(linear(0), 0.9)])
    other.add([fitted(sine(1), 0.3), fitted(sine(2), 0.7)])
    one.merge(other)
    assert min(r.loss for r in one.ranked() if r.structure.key == sine(1).key) == 0.3
    assert {r.structure.key for r in one.ranked()} == {sine(1).key, sine(2).key, linear(0).key}


def test_among_exact_laws_the_loss_does_not_count():
    archive = Archive(60, EXACT)
    assert archive.score(fitted(linear(0), 0.0)) == archive.score(fitted(linear(0), EXACT))


# The problem -------------------------------------------------------------------------------------------------------


def test_a_problem_has_unit_scale():
    scaled = problem(Y * 1e30, X * [1e-30, 1e20])
    torch.testing.assert_close(scaled.X.square().mean(dim=0), torch.ones(2, dtype=torch.float64))
    assert float(scaled.y.std(correction=0)) == pytest.approx(1)


def test_a_problem_samples_at_most_max_rows():
    sampled = problem(max_rows=20)
    assert sampled.X.shape == (20, 2)
    rows = {tuple(row) for row in (X / Scaling.of(X, Y).x).tolist()}
    assert {tuple(row) for row in sampled.X.tolist()} <= rows


def test_a_problem_leaves_rows_without_weight_out():
    weighted = problem(weight=np.r_[np.zeros(10), np.full(50, 2.0)])
    assert len(weighted.y) == 50
    assert weighted.sample_weight.tolist() == pytest.approx([1.0] * 50)


def test_signs_are_those_of_all_rows():
    rows = np.c_[X[:, 0], -X[:, 0], X[:, 0] - 1]
    assert problem(x=rows, max_rows=10).signs == (1, -1, 0)


def test_structures_with_more_coefficients_than_rows_support_are_not_fitted():
    few = problem(Y[:6], X[:6])
    assert few.max_free < 6
    sines = tuple(SparseUnit("sin", (((1, 1.0 + i, True),),)) for i in range(6))
    big = Structure(2, sines, tuple((3 + i, 1.0, True) for i in range(6)))
    assert [r.structure.key for r in few.fit([big, linear(1)], 5)] == [linear(1).key]
    assert few.fit([big], 5) == []


@pytest.mark.parametrize("n_features", [3, 12])
def test_constant_features_have_no_importance(n_features, rng):
    rows = rng.uniform(1, 2, (60, n_features))
    rows[:, 1] = 7.0
    importances = problem(rows[:, 0], rows).importances
    assert importances[1] == 0
    assert importances.sum() == pytest.approx(1)
    assert (np.delete(importances, 1) > 0).all()


def test_the_importances_of_many_features_point_at_the_ones_in_use(rng):
    rows = rng.uniform(1, 2, (200, 12))
    importances = problem(rows[:, 3] * rows[:, 8], rows).importances
    assert set(np.argsort(importances)[-2:]) == {3, 8}


# The search --------------------------------------------------------------------------------------------------------


def test_the_search_stops_as_soon_as_an_exact_law_is_found():
    result = evolve(problem(), 0, SMALL)
    assert result.stop_reason == "exact"
    assert result.n_generations < SMALL.n_generations
    assert result.archive.ranked()[0].loss < EXACT


def test_a_linear_law_takes_no_generation():
    result = evolve(problem(2 * X[:, 0] - 3 * X[:, 1] + 1), 0, SMALL)
    assert (result.stop_reason, result.n_generations, result.loss_curve) == ("exact", 0, ())


def test_elimination_leaves_the_features_a_linear_law_needs(rng):
    rows = rng.uniform(1, 2, (60, 5))
    result = evolve(problem(2 * rows[:, 1] + 3, rows), 0, SMALL)
    assert result.archive.ranked()[0].structure.key == linear(0, 2, n_features=5).key


def test_the_search_stops_when_generations_are_used_up_or_patience_is(rng):
    noise = rng.normal(size=60)
    used_up = evolve(problem(noise), 0, EvolutionSettings(16, n_generations=3, patience=9))
    assert (used_up.stop_reason, used_up.n_generations) == ("generations", 3)
    impatient = evolve(problem(X[:, 0] + 5 * noise), 0, EvolutionSettings(2, n_generations=200, patience=1))
    assert impatient.stop_reason == "patience"
    assert impatient.n_generations < 200


def test_the_search_stops_at_the_deadline_with_a_law(rng):
    result = evolve(problem(rng.normal(size=60)), 0, SMALL, deadline=Deadline(at=0.0))
    assert (result.stop_reason, result.n_generations) == ("max_time", 0)
    assert result.archive.ranked()


def test_the_loss_is_recorded_after_every_generation(rng):
    result = evolve(problem(Y + 0.3 * rng.normal(size=60)), 0, SMALL)
    assert len(result.loss_curve) == result.n_generations
    assert all(np.isfinite(result.loss_curve))


def test_equal_seeds_give_equal_searches(rng):
    noisy = problem(Y + 0.3 * rng.normal(size=60))
    one, same, other = (evolve(noisy, seed, EvolutionSettings(24, n_generations=3)) for seed in (1, 1, 2))
    assert one.loss_curve == same.loss_curve
    assert [r.structure for r in one.archive.ranked()] == [r.structure for r in same.archive.ranked()]
    assert [r.structure for r in one.archive.ranked()] != [r.structure for r in other.archive.ranked()]


def test_structures_given_as_seeds_are_fitted_first():
    seed = Structure(2, (SparseUnit("div", (((1, 1.0, False),), ((2, 1.0, False),))),), ((3, 2.0, True),))
    result = evolve(problem(3 * X[:, 0] / X[:, 1]), 0, SMALL, seeds=[seed])
    assert (result.stop_reason, result.n_generations) == ("exact", 0)


def test_progress_is_reported_after_every_generation(rng):
    seen = []
    result = evolve(
        problem(rng.normal(size=60)), 0, EvolutionSettings(8, n_generations=3), report=lambda n, best: seen.append(n)
    )
    assert seen == list(range(1, result.n_generations + 1))


def test_simplifying_removes_what_a_law_does_not_need():
    archive = Archive(60, EXACT)
    target = problem(2 * np.sin(3 * X[:, 0]))
    spoiled = Structure(
        2, (SparseUnit("sin", (((1, 4.2, True), (2, 0.01, True)),)),), ((0, 0.1, True), (1, 0.1, True), (3, 1.0, True))
    )
    archive.add(target.fit([spoiled], 30))
    assert archive.ranked()[0].loss < EXACT
    simplify(archive, target, SMALL.max_size, NEVER)
    assert archive.ranked()[0].structure.key == sine(1).key


def test_a_small_difference_of_large_terms_is_no_law():
    cube = problem(X[:, 0] ** 3)
    tiny = 1e-3
    sine_term = SparseUnit("sin", (((1, tiny, True),),))
    limit = Structure(2, (sine_term,), ((1, 6 / tiny**2, True), (3, -6 / tiny**3, True)))
    assert not is_well_conditioned(limit, cube)
    assert is_well_conditioned(linear(0, 1), cube)


def dense_network():
    """``2*x0*x1`` in a network with more units and terms than it needs."""
    units = (
        SparseUnit("mul", (((1, 1.0, False), (2, 0.1, True)), ((1, 0.1, True), (2, 1.0, True)))),
        SparseUnit("sin", (((0, 0.2, True), (1, 0.5, True), (2, 0.1, True)),)),
        SparseUnit("square", (((1, 1.0, False), (2, 0.3, True)),)),
    )
    return Structure(2, units, tuple((s, 0.3, True) for s in range(6)))


def test_elimination_prunes_a_dense_network_down_to_the_law():
    archive = Archive(60, EXACT)
    target = problem(2 * X[:, 0] * X[:, 1])
    eliminate_networks([dense_network()], target, archive)
    simplify(archive, target, SMALL.max_size, NEVER)
    exact = [r for r in archive.front() if r.loss < EXACT]
    assert exact[0].structure.n_free == 1
    assert [unit.primitive for unit in exact[0].structure.units] == ["mul"]


def test_elimination_past_its_deadline_still_refits_what_there_is():
    archive = Archive(60, EXACT)
    eliminate_networks([dense_network()], problem(2 * X[:, 0] * X[:, 1]), archive, deadline=Deadline(at=0.0))
    assert [r.structure.size for r in archive.ranked()] == [dense_network().size]


def test_the_whole_vocabulary_can_be_searched():
    result = evolve(problem(functions=tuple(PRESETS["default"])), 0, EvolutionSettings(64, n_generations=10))
    assert result.archive.ranked()[0].loss < 1e-3
