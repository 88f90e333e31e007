"""Rules that pick one law of a front, and the table of rows they are judged on."""

import time
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from sklearn_eql.estimators._check_table import check_varies, merge_duplicates, read_weight
from sklearn_eql.laws.finishing import finish, rerank
from sklearn_eql.laws.judging import SAMPLE_ROWS, Table
from sklearn_eql.laws.law import Law, pareto, scores, shortlist
from sklearn_eql.laws.selection import (
    OUTER_FRACTION,
    extrapolation_errors,
    outer_rows,
    random_rows,
    select,
    simplest_cross_validated,
    simplest_outside,
    simplest_validated,
)
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import EXACT, Scaling
from sklearn_eql.sparse.rows import RowView
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.equation import Equation, Unit


def law(loss, complexity, n_free=1, equation=None):
    """A law of a front, everything else zero."""
    zeros = dict.fromkeys((field.name for field in fields(Law)), 0)
    known = {"loss": loss, "relative_loss": loss, "complexity": complexity, "n_free": n_free, "n_symbols": complexity}
    known["exact"] = EXACT
    return Law(**{**zeros, **known, "equation": equation or Equation(1, (), ((1, 1.0),))})


FRONT = [law(1.0, 1), law(0.1, 4), law(0.06, 9, n_free=3), law(0.05, 30, n_free=12)]


def test_accurate_takes_the_lowest_loss():
    assert select("accurate", FRONT, 60, None) == 3


def test_simple_takes_the_shortest_within_twice_the_lowest_loss():
    assert select("simple", FRONT, 60, None) == 1


def test_best_weighs_accuracy_against_size():
    assert select("best", FRONT, 20, None) == 1
    assert select("best", FRONT, 100_000, None) == 3


def test_recognised_constants_cost_what_it_takes_to_say_them():
    plain, said = law(0.1, 5), replace(law(0.1, 5), bits=3.0)
    more = replace(law(0.1, 5), n_free=2)
    lengths = [x.description_length(100) for x in (plain, said, more)]
    assert lengths == sorted(lengths)
    assert lengths[1] - lengths[0] == pytest.approx(2 * 3 * np.log(2))


@pytest.mark.parametrize("rule", ["accurate", "simple", "best"])
def test_among_exact_laws_every_rule_takes_the_shortest(rule):
    exact = [law(1.0, 1), law(EXACT / 2, 5), law(EXACT / 50, 9), law(0.0, 20)]
    assert select(rule, exact, 60, None) == 1


@pytest.mark.parametrize("rule", ["accurate", "simple", "best"])
def test_a_front_of_one_law_leaves_no_choice(rule):
    assert select(rule, FRONT[:1], 60, None) == 0


def test_a_callable_names_a_label():
    table = pd.DataFrame({"loss": [3.0, 1.0, 2.0]})
    assert select(lambda rows: rows["loss"].idxmin(), FRONT, 60, table) == 1
    with pytest.raises(
        ValueError, match=r"selection: the callable returned 7, .*Return one of its labels: \[0, 1, 2\]"
    ):
        select(lambda rows: 7, FRONT, 60, table)


def test_a_front_is_better_than_everything_simpler():
    laws = [law(0.5, 5), law(0.9, 3), law(0.6, 6), law(0.4, 8), law(0.95, 3), law(0.0, 9), law(EXACT / 3, 20)]
    assert [(x.complexity, x.loss) for x in pareto(laws)] == [(3, 0.9), (5, 0.5), (8, 0.4), (9, 0.0)]


def test_the_score_is_the_fall_of_the_log_loss_per_node():
    assert scores([law(1.0, 1), law(np.exp(-6), 4)]) == pytest.approx([0.0, 2.0])
    assert scores([law(1.0, 1)]) == [0.0]
    assert scores([law(1.0, 4), law(np.exp(2), 4)]) == pytest.approx([0.0, -2.0])  # as complex, off the front
    assert scores([]) == []


def test_outer_rows_are_those_far_from_the_middle():
    rows = np.c_[np.arange(20.0), np.zeros(20)]
    outer = outer_rows(rows)
    assert outer.sum() == int(OUTER_FRACTION * 20)
    assert np.flatnonzero(outer).tolist() == [0, 1, 18, 19]


def test_outer_rows_do_not_depend_on_the_units(rng):
    rows = rng.normal(size=(50, 3))
    np.testing.assert_array_equal(outer_rows(rows), outer_rows(rows * [1e-30, 1e30, 1.0]))


def test_extrapolation_errors_are_infinite_where_a_law_is_undefined():
    rows = np.array([[-1.0], [2.0]])
    square = Equation(1, (Unit("square", (((1, 1.0),),)),), ((2, 1.0),))
    log = Equation(1, (Unit("log", (((1, 1.0),),)),), ((2, 1.0),))
    front = [law(0, 1), law(0, 2, equation=square), law(0, 3, equation=log)]
    errors = extrapolation_errors(front, rows, np.array([1.0, 4.0]), None, PRIMITIVES)
    np.testing.assert_allclose(errors, [(4 + 4) / 2 / 16, EXACT, np.inf])


def test_extrapolation_errors_are_weighted():
    rows, target = np.array([[1.0], [2.0]]), np.array([1.0, 4.0])
    assert extrapolation_errors([law(0, 1)], rows, target, np.array([3.0, 1.0]), PRIMITIVES) == pytest.approx([1 / 16])


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_extrapolation_errors_do_not_overflow(scale):
    rows, target = np.array([[1.0], [2.0]]) * scale, np.array([1.0, 4.0]) * scale
    assert extrapolation_errors([law(0, 1)], rows, target, None, PRIMITIVES) == pytest.approx([2 / 16])


# Rows --------------------------------------------------------------------------------------------------------------


def test_equal_rows_are_merged_into_weights():
    X = np.array([[2.0, 1.0], [1.0, 5.0], [2.0, 1.0], [2.0, 1.0]])
    y = np.array([3.0, 4.0, 3.0, 9.0])
    rows, target, weight = merge_duplicates(X, y, None)
    assert rows.tolist() == [[1, 5], [2, 1], [2, 1]]
    assert target.tolist() == [4, 3, 9]
    assert weight.tolist() == [1, 2, 1]


def test_weights_of_equal_rows_add_up_and_rows_without_weight_go():
    X = np.array([[1.0], [2.0], [1.0], [3.0]])
    rows, _, weight = merge_duplicates(X, np.zeros(4), np.array([0.5, 0.25, 0.25, 0.0]))
    assert rows.ravel().tolist() == [1, 2]
    assert weight.tolist() == [0.75, 0.25]


def test_equal_weights_are_no_weights(rng):
    X = rng.normal(size=(5, 2))
    assert merge_duplicates(X, X[:, 0], np.full(5, 3.0))[2] is None
    assert merge_duplicates(np.r_[X, X], np.r_[X[:, 0], X[:, 0]], None)[2] is None


def test_merged_rows_do_not_depend_on_their_order(rng):
    X, order = rng.integers(0, 3, (40, 2)).astype(float), rng.permutation(40)
    one = merge_duplicates(X, X[:, 0], None)
    other = merge_duplicates(X[order], X[order, 0], None)
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_given_rows_are_left_as_they_are(rng):
    X = rng.normal(size=(5, 2))
    before = X.copy()
    merge_duplicates(X, X[:, 0], np.arange(5.0))
    np.testing.assert_array_equal(X, before)


def test_the_largest_weight_is_one():
    assert read_weight([1e300, 0.0, 5e299], np.zeros((3, 1))).tolist() == [1.0, 0.0, 0.5]
    assert read_weight(None, np.zeros((3, 1))) is None


def test_values_over_the_whole_range_of_float64_vary():
    extreme = np.array([[-4e307], [4e307]])
    check_varies(extreme, extreme, ["y"])


def test_a_longer_law_must_beat_a_simpler_one_by_a_standard_error_outside():
    assert simplest_outside(np.array([1.0, 0.21, 0.20]), 50) == 1
    assert simplest_outside(np.array([1.0, 0.25, 0.20]), 50) == 2
    assert simplest_outside(np.array([0.3, 0.25, 0.20]), 2) == 0


# The short list ----------------------------------------------------------------------------------------------------


def test_the_short_list_is_the_front():
    assert shortlist(FRONT[::-1], 60) == FRONT
    assert shortlist([], 60) == []


def test_the_shortest_description_takes_the_place_of_a_law_that_buys_accuracy_with_digits():
    measured, named = law(0.05, 6, n_free=3), law(0.0501, 7, n_free=0)
    assert pareto([measured, named]) == [measured]
    others = [law(0.9, 3), law(0.04, 9, n_free=3), law(0.0501, 9)]
    assert shortlist([measured, named, *others], 60) == [others[0], named, others[1]]
    assert select("best", shortlist([measured, named], 60), 60, None) == 0


def test_a_law_that_is_simpler_and_more_accurate_goes_first_where_nothing_speaks_against_it():
    shortest, simpler = law(0.05, 8, n_free=2), law(0.0485, 6, n_free=2)
    near, far = replace(simpler, n_symbols=9), replace(simpler, n_symbols=12)
    assert shortest.description_length(60) < near.description_length(60) < shortest.description_length(60) + 4
    assert shortlist([shortest, near], 60) == [near]
    assert shortlist([shortest, far], 60) == [shortest]


def test_laws_of_one_length_are_told_by_their_complexity():
    longer = law(0.05, 9, n_free=2)
    simple = replace(longer, complexity=6, relative_loss=longer.relative_loss * (1 + 1e-7))
    assert select("best", shortlist([longer, simple], 60), 60, None) == 0
    assert simple in shortlist([longer, simple], 60)


def test_every_law_of_the_front_is_better_than_all_before_it():
    rng = np.random.default_rng(0)
    for _ in range(50):
        laws = [law(float(rng.choice([0.9, 0.5, 0.1, 1e-25, 1e-30])), int(rng.integers(1, 8))) for _ in range(12)]
        front = shortlist(laws, 60)
        assert all(a.complexity < b.complexity and a.level > b.level for a, b in pairwise(front))


def test_the_front_does_not_depend_on_rounding_or_on_the_order_of_arrival():
    rng = np.random.default_rng(0)
    laws = [replace(law(loss, c), n_symbols=n) for loss, c, n in [(0.5, 3, 3), (0.5, 3, 4), (0.1, 5, 7), (0.1, 5, 6)]]
    for _ in range(20):
        moved = [replace(x, relative_loss=x.relative_loss * (1 + 1e-14 * rng.normal())) for x in laws]
        front = shortlist([moved[i] for i in rng.permutation(len(moved))], 60)
        assert [(x.complexity, x.n_symbols) for x in front] == [(3, 3), (5, 6)]


LINES = [Structure(6, (), tuple((s, 0.0, True) for s in range(size))) for size in (1, 2, 3, 4, 5, 6, 7)]
ROWS = np.random.default_rng(0).uniform(1, 2, (80, 6))


def archive():
    found = Archive(80, EXACT)
    found.add(FitResult(structure, 1.0 / structure.size) for structure in LINES)
    return found


def table():
    y = ROWS.sum(axis=1)
    return Table(ROWS, y, None, Scaling.of(ROWS, y), PRIMITIVES, 0)


def test_members_are_refitted_on_the_rows_of_the_table_and_keep_their_numbers():
    found = rerank(archive(), table(), 100)
    assert {r.structure.key: r.trial for r in found.ranked()} == {s.key: k for k, s in enumerate(LINES)}
    losses = [r.loss for r in sorted(found.ranked(), key=lambda r: r.structure.size)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-20
    assert losses[0] == pytest.approx(1, rel=1e-9)


def test_only_the_best_by_score_and_the_front_are_refitted():
    members = archive()
    members.add([FitResult(Structure(6, (), ((1, 0.0, True), (2, 0.0, True))), 5.0)])  # of the size of a better one
    kept = {r.structure.key for r in rerank(members, table(), 2).ranked()}
    assert kept == {structure.key for structure in LINES}


def test_after_the_deadline_the_best_by_score_are_refitted_all_the_same(monkeypatch):
    monkeypatch.setattr("sklearn_eql.laws.finishing._RERANKED_AT_ONCE", 2)
    members = archive()
    found = rerank(members, table(), 100, deadline=time.time() - 1)
    assert {r.structure.key for r in found.ranked()} == {r.structure.key for r in members.ranked()[:2]}


# Long tables -------------------------------------------------------------------------------------------------------


@pytest.fixture
def long_table(rng):
    """Builds a table of more rows than a block: its laws, and the rows."""

    def build(deadline=np.inf, weighted=False):
        rows = rng.uniform(1, 2, (3 * SAMPLE_ROWS, 3))
        y = 2 * rows[:, 0] + rows[:, 1] ** 2 + 0.1 * rng.normal(size=len(rows))
        weight = rng.uniform(0.5, 1.5, len(y)) if weighted else None
        scaling = Scaling.of(rows, y, sample_weight=weight)
        return Table(rows, y, weight, scaling, PRIMITIVES, 0, deadline), rows, y, weight

    return build


SQUARE = Equation(3, (Unit("square", (((2, 1.0),),)),), ((1, 1.9), (4, 1.0)))
LINE = Equation(3, (), ((0, -1.0), (1, 2.0), (2, 3.0)))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_a_law_as_it_stands_is_summed_in_blocks(long_table, weighted, monkeypatch):
    monkeypatch.setattr("sklearn_eql.laws.judging.BLOCK", 700)
    table, rows, y, weight = long_table(weighted=weighted)
    error = np.average((SQUARE.evaluate(rows) - y) ** 2, weights=weight)
    mean = np.average(y, weights=weight)
    assert table.loss(SQUARE) == pytest.approx(error / np.average((y - mean) ** 2, weights=weight), rel=1e-10)
    assert table.refit(SQUARE, np.zeros(3, dtype=bool), 0)[1] == pytest.approx(table.loss(SQUARE), rel=1e-10)


def test_a_law_that_is_undefined_on_a_row_has_no_loss(long_table):
    table, rows, *_ = long_table()
    rows[-1, 2] = -5.0
    assert table.loss(Equation(3, (Unit("log", (((3, 1.0),),)),), ((4, 1.0),))) == np.inf


def results(table, *laws):
    return [
        FitResult(table._scaled(law, np.ones(len(law.coefficients()), dtype=bool)), 1.0, trial)
        for trial, law in enumerate(laws)
    ]


def test_laws_are_refitted_on_all_rows(long_table):
    table, rows, y, _ = long_table()
    laws, _ = finish(results(table, SQUARE, LINE), table)
    best = min(laws, key=lambda law: law.relative_loss)
    assert best.relative_loss * np.var(y) == pytest.approx(0.01, rel=0.1)
    assert best.loss == pytest.approx(np.mean((best.equation.evaluate(rows) - y) ** 2), rel=1e-9)


def test_after_the_deadline_one_law_is_judged_on_all_rows_and_none_refitted(long_table, monkeypatch):
    table, rows, y, _ = long_table(deadline=0.0)
    judged, polished = [], []
    loss = Table.loss
    monkeypatch.setattr(Table, "loss", lambda self, equation: judged.append(equation) or loss(self, equation))
    monkeypatch.setattr("sklearn_eql.laws.finishing._on_all_rows", lambda law, table: polished.append(law))
    laws, interrupted = finish(results(table, SQUARE, LINE), table, deadline=0.0)
    assert (len(laws), len(judged), polished, interrupted) == (1, 1, [], False)
    assert laws[0].loss == pytest.approx(np.mean((laws[0].equation.evaluate(rows) - y) ** 2), rel=1e-9)


@pytest.mark.parametrize("kinds", [10**9, 7, 2], ids=["distinct", "ties", "copies"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_long_table_is_viewed_in_the_order_in_which_a_short_one_is_sorted(kinds, weighted, rng, monkeypatch):
    X = rng.integers(0, kinds, (500, 4)).astype(float)
    X[::7, 1] = -0.0
    y = rng.integers(0, min(kinds, 3), 500).astype(float)
    weight = rng.integers(0, 3, 500).astype(float) if weighted else None
    keep = np.ones(500, dtype=bool) if weight is None else weight > 0
    order = np.flatnonzero(keep)[np.lexsort([y[keep], *X[keep].T[::-1]])]
    table = np.column_stack([X, y])[order]
    first = np.flatnonzero(np.append(True, (table[1:] != table[:-1]).any(axis=1)))
    expected = np.add.reduceat(np.ones(len(order)) if weight is None else weight[order], first)
    monkeypatch.setattr("sklearn_eql.estimators._check_table.BLOCK", 3)
    rows, target, merged = merge_duplicates(X, y, weight)
    np.testing.assert_array_equal(np.column_stack([rows[:], target]), table[first])
    np.testing.assert_array_equal(np.ones(len(first)) if merged is None else merged, expected)
    assert isinstance(rows, RowView)


def test_rows_are_drawn_by_the_seed():
    assert random_rows(50, 3).sum() == 10
    assert (random_rows(50, 3) == random_rows(50, 3)).all()
    assert (random_rows(50, 3) != random_rows(50, 4)).any()


def test_a_simpler_law_is_taken_where_rows_held_out_do_not_tell_it_from_the_best():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=100) ** 2
    wiggle = 0.1 * rng.normal(size=100)
    squares = np.stack([noise + 1, noise + wiggle, noise])  # far off, the same but for chance, the best
    assert simplest_validated(squares.mean(axis=1), squares) == 1
    squares[1] += 0.05
    assert simplest_validated(squares.mean(axis=1), squares) == 2


def test_a_loss_of_cross_validation_within_a_standard_error_of_the_lowest_is_enough():
    losses = np.array([9.0, 3.0, 2.5, np.inf])
    assert simplest_cross_validated(losses, np.array([1, 1, 1, np.inf])) == 1
    assert simplest_cross_validated(losses, np.array([1, 1, 0.1, np.inf])) == 2
    assert simplest_cross_validated(losses, np.full(4, np.nan)) == 2
    assert simplest_cross_validated(np.full(4, np.nan), losses) is None
