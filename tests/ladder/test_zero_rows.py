"""Columns that are zero on a few rows: laws are found without these rows, and hold for them too."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor
from sklearn_eql.ladder.climb import LADDER, climb
from sklearn_eql.ladder.zero_rows import defined_at_zero, has_one_sign, without_zeros
from sklearn_eql.primitives import PRESETS, PRIMITIVES, Primitive
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import StopReason

N = 120
TIMES = np.linspace(0, 10, N)


def problem_of(X, y, primitives=PRIMITIVES, weight=None):
    return make_problem(X, y, weight, Scaling.of(X, y), primitives, PRESETS["default"], 2, 200, 0)


def table(rng, *ranges):
    """Times from zero, and uniform columns."""
    return np.column_stack([TIMES, *(rng.uniform(*limits, N) for limits in ranges)])


def go(X, y, **options):
    problem = problem_of(X, y)
    return climb(problem, problem, 0, **options)


# Rows --------------------------------------------------------------------------------------------------------------


def test_rows_with_zeros_are_left_out_where_they_are_few(rng):
    X = np.column_stack([TIMES, rng.integers(0, 9, N), np.linspace(-1, 1, N + 1)[1:], rng.uniform(-2, -1, N)])
    X[:, 2] -= X[40, 2]  # both signs, and a zero
    problem = problem_of(X, TIMES + X[:, 3])
    found = without_zeros(problem, problem)
    assert found.problem.signs == (1, 1, 0, -1)
    assert found.features == {1, 2}
    assert len(found.problem.y) == len(found.judge.y) == (X != 0).all(axis=1).sum()
    assert found.problem.X.all()


@pytest.mark.parametrize(
    "column",
    [
        lambda rng: rng.uniform(1, 2, N),
        lambda rng: rng.uniform(-1, 1, N),
        lambda rng: rng.integers(0, 2, N),
        lambda rng: rng.integers(0, 10, N) // 5 * rng.uniform(1, 2, N),
        lambda rng: np.maximum(rng.integers(0, 40, N) - 36, 0),
    ],
    ids=["positive", "both signs", "zeros and ones", "half of it zeros", "mostly zero"],
)
def test_all_rows_stay_where_there_is_no_zero_or_there_are_many(column, rng):
    X = np.column_stack([column(rng), rng.uniform(1, 2, N)])
    problem = problem_of(X, X[:, 1])
    assert without_zeros(problem, problem) is None


def test_weights_stay_with_their_rows(rng):
    X, weight = table(rng, (1, 2)), rng.uniform(1, 2, N)
    problem = problem_of(X, X[:, 1], weight=weight)
    inner = without_zeros(problem, problem).problem
    assert (inner.sample_weight == problem.sample_weight[1:]).all()
    assert (inner.y == problem.y[1:]).all()


def test_nothing_is_left_out_where_functions_are_the_users_own(rng):
    X = table(rng, (1, 2))
    primitives = {**PRIMITIVES, "log": Primitive("log", 1, lambda g: g - 1, lambda g: g - 1)}
    problem = problem_of(X, X[:, 1], primitives)
    assert without_zeros(problem, problem) is None
    problem = replace(problem_of(X, X[:, 1]), copies={"mul": 1, "exp": 1})
    assert without_zeros(problem, problem) is None, "no power may be used"


def test_a_column_of_times_has_one_sign():
    problem = problem_of(TIMES[:, None], TIMES**2)
    assert has_one_sign(problem, problem)
    problem = problem_of(TIMES[:, None] - 5, TIMES**2)
    assert not has_one_sign(problem, problem)


# Laws --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0, 0.5, 1.7, -1.0, -2.0, -0.5, -1.2])
def test_a_power_is_a_factor_of_its_own(exponent, rng):
    X = rng.uniform(1, 2, (9, 2)) * [1, -1]
    editable = EditableStructure(Structure(2, (), ()))
    logs = [Node("log", [[[f, s]]]) for f, s in ((1, 1.0), (2, -1.0))]
    power = Node("exp", [[[logs[0], exponent], [logs[1], 0.3], [1, 0.2]]])
    editable.output = [[Node("sin", [[[power, 2.0], [1, 1.0]]]), 3.0], [power, 1.0]]
    before = editable.finish(PRIMITIVES)
    after = defined_at_zero(before, frozenset({1}), PRIMITIVES)
    values = [law.to_equation().evaluate(X, PRIMITIVES) for law in (before, after)]
    assert values[1] == pytest.approx(values[0], rel=1e-12)
    at_zero = after.to_equation().evaluate(X * [0, 1], PRIMITIVES)
    assert np.isfinite(at_zero).all() == (exponent > 0)


def test_a_power_inside_another_is_rewritten(rng):
    X = rng.uniform(1, 2, (9, 1))
    log = Node("log", [[[1, 1.0]]])
    inner = Node("exp", [[[log, 1.0]]])
    editable = EditableStructure(Structure(1, (), ()))
    editable.output = [[Node("exp", [[[inner, -0.4], [log, 1.5]]]), 1.0]]
    before = editable.finish(PRIMITIVES)
    after = defined_at_zero(before, frozenset({1}), PRIMITIVES)
    assert {unit.primitive for unit in after.units} == {"pow", "exp", "mul"}
    values = [law.to_equation().evaluate(X, PRIMITIVES) for law in (before, after)]
    assert values[1] == pytest.approx(values[0], rel=1e-12)


LAWS = {
    "3*t*exp(-0.4*t)": lambda t: 3 * t * np.exp(-0.4 * t),
    "sqrt(t)*x/(y + 2)": lambda t, x, y: np.sqrt(t) * x / (y + 2),
    "t**1.5*exp(-t/3)*sin(1.3*x)": lambda t, x: t**1.5 * np.exp(-t / 3) * np.sin(1.3 * x),
    "x*y*(1 - exp(-t/x))": lambda t, x, y: x * y * (1 - np.exp(-t / x)),
    "y*x**2*t/(1 + t)**2": lambda t, x, y: y * x**2 * t / (1 + t) ** 2,
}


@pytest.mark.parametrize("name", LAWS)
def test_laws_of_times_from_zero_are_exact_on_all_rows(name, rng):
    law = LAWS[name]
    X = table(rng, (1, 4), (1, 3))[:, : law.__code__.co_argcount]
    found = go(X, law(*X.T))
    assert found.stop_reason == StopReason.EXACT
    assert found.archive.n_rows == N


def test_counts_with_zeros_are_columns_of_laws(rng):
    X = np.column_stack([TIMES, rng.integers(0, 9, N), rng.uniform(1, 4, N)])
    y = X[:, 0] * X[:, 1] / (X[:, 1] + X[:, 2])
    assert go(X, y).stop_reason == StopReason.EXACT


def test_a_law_that_the_rows_of_zeros_do_not_follow_is_not_exact(rng):
    X = table(rng, (1, 3))
    y = 2 * TIMES**1.5 * X[:, 1]
    y[0] = 5.0
    found = go(X, y, families=LADDER[:2])
    assert found.stop_reason == StopReason.FAMILIES
    assert found.archive.ranked()[0].loss > 1e-6


def test_the_law_is_printed_and_predicted_at_zero(rng):
    X = table(rng, (1, 3))
    model = EQLRegressor(random_state=0).fit(X, 2 * TIMES**1.5 * X[:, 1])
    assert model.stop_reason_ == "exact"
    x0, x1 = sorted(model.sympy_expr_.free_symbols, key=str)
    assert same_law(model.sympy_expr_, 2 * sympy.sqrt(x0) ** 3 * x1, positive=True)
    assert model.predict(X[:1]) == pytest.approx([0.0])
