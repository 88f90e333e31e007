"""Weights of any spread, and what "exact" means: every row with weight is met."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor
from sklearn_eql.exceptions import OutlierWarning
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.problem import Scaling, is_exact, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure

INTEGERS = np.random.default_rng(0).integers(1, 11, (1000, 3)).astype(float)
DECADES = np.logspace(0, 3, 100)[:, None]
TIMES = np.linspace(0, 12, 60)[:, None]
LAWS = {
    "product of powers": (INTEGERS, lambda X: 2 ** X[:, 0] * 3 ** X[:, 1] * 5 ** X[:, 2]),
    "sum of powers": (DECADES, lambda X: 3 * X[:, 0] ** 4 + X[:, 0]),
    "decay": (TIMES, lambda X: 1e6 * np.exp(-2.5 * X[:, 0])),
    "quotient": (DECADES, lambda X: 7 / (X[:, 0] ** 3 + 2 * X[:, 0])),
}
WEIGHTS = {
    "relative errors": lambda y: y**-2,
    "12 decades at random": lambda y: 10 ** np.random.default_rng(1).uniform(-12, 0, len(y)),
    "one heavy row": lambda y: np.where(np.arange(len(y)) == 5, 1e9, 1.0),
    "of a unit near the end of float64": lambda y: np.full(len(y), 1e300),
}


@pytest.mark.parametrize("law", LAWS)
def test_relative_errors_lead_to_the_law(law):
    X, function = LAWS[law]
    y = function(X)
    model = EQLRegressor(random_state=0).fit(X, y, sample_weight=y**-2)
    assert model.stop_reason_ == "exact"
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-9)
    inner = X[1:] - np.diff(X, axis=0) / 3  # rows that fit did not see
    np.testing.assert_allclose(model.predict(inner), function(inner), rtol=1e-9)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_law_is_found_under_weights_of_any_spread(weight):
    X = np.random.default_rng(2).uniform(0.5, 4, (120, 2))
    y = 3 * X[:, 0] ** 2 / X[:, 1]
    model = EQLRegressor(random_state=0).fit(X, y, sample_weight=WEIGHTS[weight](y))
    assert model.stop_reason_ == "exact"
    assert same_law(model.sympy_expr_, sympy.sympify("3*x0**2/x1"))


def test_noise_is_judged_by_its_weights():
    X = np.linspace(1, 6, 150)[:, None]
    y = 2 * np.exp(-1.5 * X[:, 0]) * (1 + 0.01 * np.random.default_rng(3).normal(size=150))
    model = EQLRegressor(random_state=0, n_families=2, n_generations=1).fit(X, y, sample_weight=y**-2)
    np.testing.assert_allclose(model.predict(X), 2 * np.exp(-1.5 * X[:, 0]), rtol=0.01)


def _problem(X, y, weight=None):
    scaling = Scaling.of(X, y, sample_weight=weight)
    return make_problem(X, y, weight, scaling, PRIMITIVES, PRESETS["default"], 2, 1000, 0)


def test_a_loss_at_rounding_is_not_exact_where_small_rows_are_missed():
    X = np.logspace(0, 5, 200)[:, None]
    y = 3 * X[:, 0] ** 4 + np.sin(X[:, 0])
    problem = _problem(X, y)
    fourth = SparseUnit("square", (((2, 1.0, False),),))
    power = (SparseUnit("square", (((1, 1.0, False),),)), fourth)
    short = problem.fit([Structure(1, power, ((3, 1.0, True),))], 20)[0]
    assert short.loss < problem.exact
    assert not is_exact(short.structure, problem)
    wave = SparseUnit("sin", (((1, float(problem.x_units[0]), True),),))
    whole = problem.fit([Structure(1, (*power, wave), ((3, 1.0, True), (4, 1.0, True)))], 20)[0]
    assert is_exact(whole.structure, problem)


def test_exact_speaks_of_all_rows_and_not_of_the_sample():
    X = np.random.default_rng(4).uniform(1, 5, (20_000, 1))
    y = X[:, 0] ** 2
    y[np.argsort(X[:, 0])[10_000]] += 0.5
    with pytest.warns(OutlierWarning, match="1 of 20000 rows of y"):
        model = EQLRegressor(random_state=0).fit(X, y)
    assert same_law(model.sympy_expr_, sympy.sympify("x0**2"))
    assert model.stop_reason_ == "sample"
    assert EQLRegressor(random_state=0).fit(X, X[:, 0] ** 2).stop_reason_ == "exact"
