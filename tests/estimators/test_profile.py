"""`profile` of the estimators that fit tables."""

import numpy as np
import pytest

from sklearn_eql import EQLRegressor

FEW = {"functions": ["id", "square", "mul"], "n_hidden_layers": 1, "population_size": 32, "n_generations": 4}
X = np.random.default_rng(0).uniform(1, 2, (40, 1))
Y = 2.3718 * X[:, 0] ** 2 + 0.2 * np.random.default_rng(1).normal(size=40)


def test_of_a_factor_it_is_the_interval_of_the_curvature():
    model = EQLRegressor(**FEW, random_state=0).fit(X, Y)
    table, plain = model.profile(X, Y), model.constants_
    assert list(table.columns) == list(plain.columns)
    np.testing.assert_allclose(table[["low", "high"]], plain[["low", "high"]], rtol=1e-3)
    absolute = model.profile(X, Y, y_error=0.4)
    assert absolute["high"].iloc[0] - absolute["low"].iloc[0] > 1.5 * (plain["high"] - plain["low"]).iloc[0]


def test_recognised_numbers_are_fitted_along_unless_they_are_certain():
    y = Y - 2.5 + 0.1
    model = EQLRegressor(**FEW, random_state=0).fit(X, np.round(y, 3))
    index = next(i for i in model.equations_.index if len(model.sympy(i, named=True).free_symbols) > 1)
    for certain in (False, True):
        table = model.profile(X, y, index=index, certain=certain)
        assert (table["low"] < table["value"]).all()


def test_only_squared_errors_have_a_profile():
    model = EQLRegressor(**FEW, loss="huber", random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="loss='huber'"):
        model.profile(X, Y)
