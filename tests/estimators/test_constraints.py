"""What a user knows of the law: laws that are found obey it, and mistakes are said before the search."""

import numpy as np
import pytest

from sklearn_eql import EQLRegressor
from sklearn_eql.constraints import Even, MaxComplexity, Monotone, NotNested, Passes, Uses, Without
from sklearn_eql.exceptions import AllTrialsFailedError

X = np.random.default_rng(0).uniform(0.2, 3, (30, 2))
NOISE = np.random.default_rng(1).normal(size=30)
QUICK = {"n_families": 6, "n_generations": 2, "population_size": 64, "random_state": 0}


def fitted(y, *constraints, **parameters):
    return EQLRegressor(**QUICK | parameters, constraints=list(constraints)).fit(X, y)


def test_every_law_of_the_table_obeys():
    y = np.sin(2 * X[:, 0]) + X[:, 1] + 0.1 * NOISE
    model = fitted(y, Monotone("x1"), Even("x0"), MaxComplexity(9))
    grid = np.linspace(0.2, 3, 50)
    for index in model.equations_.index:
        rows = np.stack([np.full(50, 1.3), grid], axis=1)
        assert (np.diff(model.predict(rows, index)) >= -1e-6).all()
        mirrored = X * [-1, 1]
        assert model.predict(mirrored, index) == pytest.approx(model.predict(X, index), abs=1e-5)
    assert model.equations_["complexity"].max() <= 9


def test_features_that_must_and_must_not_occur():
    y = X[:, 0] ** 2 + 0.01 * NOISE
    model = fitted(y, Uses("x1"))
    assert all("x1" in map(str, e.free_symbols) for e in model.equations_["sympy_expr"])
    model = fitted(X[:, 0] * X[:, 1], Without("x1"), NotNested("sin", "exp"))
    assert not any("x1" in map(str, e.free_symbols) for e in model.equations_["sympy_expr"])


def test_what_is_known_leads_to_the_law():
    x = np.linspace(0.3, 2, 15)[:, None]
    y = 2 * x[:, 0] + 0.3 * np.random.default_rng(3).normal(size=15)
    model = EQLRegressor(**QUICK, constraints=[Passes({"x0": 0})]).fit(x, y)
    assert model.predict([[0.0]]) == pytest.approx(0, abs=1e-5)
    assert model.sympy_expr_.diff("x0").is_number


def test_names_are_those_of_the_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["v", "m"])
    with pytest.raises(ValueError, match=r"'x0', expected a feature: 'v', 'm'"):
        EQLRegressor(constraints=[Monotone("x0")]).fit(frame, X[:, 0])


def test_contradictions_are_said_before_the_search():
    with pytest.raises(ValueError, match=r"contradict each other"):
        fitted(X[:, 0], Uses("x0"), Without("x0"))


def test_no_law_is_an_error_that_says_what_to_do():
    y = 3 + X[:, 0]
    with pytest.raises(AllTrialsFailedError, match=r"(?s)obeys all constraints.*leave out a constraint"):
        fitted(y, MaxComplexity(1), Uses("x0"), Passes({"x0": 0}, 3), n_families=1, n_generations=1)
