"""`constants_` and `return_std` of the estimators that fit tables."""

import pickle

import numpy as np
import pandas as pd
import pytest

from sklearn_eql import EQLRegressor, SymbolicTransformerRegressor

FEW = {"functions": ["id", "square", "mul"], "n_hidden_layers": 1, "population_size": 32, "n_generations": 6}
X = np.random.default_rng(0).uniform(1, 2, (40, 1))
Y = 2.3718 * X[:, 0] ** 2 + 0.2 * np.random.default_rng(1).normal(size=40)
COLUMNS = ["value", "exact", "standard_error", "low", "high", "place"]


def fitted(X=X, y=Y, sample_weight=None, **parameters):
    return EQLRegressor(**{**FEW, "random_state": 0, **parameters}).fit(X, y, sample_weight=sample_weight)


def test_the_constant_of_the_selected_law_has_an_error():
    model = fitted()
    table = model.constants_
    assert list(table.columns) == COLUMNS
    [row] = table.itertuples()
    assert row.place == "factor of x0**2"
    assert row.low < 2.3718 < row.high
    square = X[:, 0] ** 2
    left = Y - row.value * square
    assert row.standard_error == pytest.approx(np.sqrt(left @ left / 39 / (square @ square)), rel=1e-6)
    assert model.sympy(named=True).subs(row.Index, row.value) == model.sympy_expr_
    narrow = model.constants(level=0.5)
    assert narrow["high"]["c0"] < row.high


def test_every_law_of_the_table_has_its_constants():
    model = fitted()
    for index in model.equations_.index:
        assert (model.constants(index)["standard_error"] > 0).all()
    with pytest.raises(IndexError, match="no row of equations_"):
        model.constants(99)
    with pytest.raises(ValueError, match="level=95"):
        model.constants(level=95)


def test_a_row_that_is_given_twice_counts_twice():
    twice = fitted(np.repeat(X, 2, axis=0), np.repeat(Y, 2)).constants_["standard_error"]["c0"]
    once = fitted().constants_["standard_error"]["c0"]
    assert twice == pytest.approx(once * np.sqrt(39 / 79), rel=1e-6)


def test_predictions_have_standard_deviations():
    model = fitted()
    values, std = model.predict(X, return_std=True)
    _, of_law = model.predict(X, return_std="mean")
    np.testing.assert_array_equal(values, model.predict(X))
    assert std.shape == of_law.shape == (40,)
    np.testing.assert_allclose(of_law, model.constants_["standard_error"]["c0"] * X[:, 0] ** 2)
    np.testing.assert_allclose(std**2 - of_law**2, np.sum((Y - values) ** 2) / 39)
    with pytest.raises(ValueError, match="return_std='yes'"):
        model.predict(X, return_std="yes")


def test_every_output_has_its_own_constants():
    model = fitted(y=np.c_[Y, 1.7319283746 * X[:, 0]])
    first, second = model.constants_
    assert first["standard_error"]["c0"] > 1e-3
    assert second["standard_error"]["c0"] < 1e-12
    assert model.predict(X, return_std=True)[1].shape == (40, 2)


def test_rows_on_which_the_law_is_undefined_have_no_deviation():
    rows = np.random.default_rng(0).uniform(1, 3, (60, 1))
    y = 1.2345 * np.log(rows[:, 0] - 0.5123) + 0.01 * np.random.default_rng(1).normal(size=60)
    model = fitted(rows, y, functions=["log"], on_undefined="nan")
    _, std = model.predict([[2.0], [0.1]], return_std="mean")
    assert std[0] > 0
    assert np.isnan(std[1])
    model.set_params(on_undefined="clip")
    assert np.isfinite(model.predict([[0.1]], return_std="mean")[1]).all()


def test_errors_are_kept_as_plain_values_and_older_states_have_none():
    model = fitted()
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).constants_, model.constants_)
    state = model.__getstate__()
    assert set(map(type, state["_curvatures"][0])) == {dict}
    del state["_curvatures"]
    older = EQLRegressor.__new__(EQLRegressor)
    older.__setstate__(state)
    assert older.constants_["standard_error"].isna().all()
    assert np.isnan(older.predict(X, return_std=True)[1]).all()


def test_where_time_is_short_the_selected_law_has_errors():
    model = fitted(max_time=1e-6)
    assert model.constants_["standard_error"].notna().all()


def test_without_a_fit_there_are_no_constants():
    assert not hasattr(EQLRegressor(), "constants_")


def test_laws_that_a_network_wrote_have_constants():
    rows = np.random.default_rng(1).uniform(0, 3, (60, 1))
    y = 1.3718 * rows[:, 0] + 0.1 * np.random.default_rng(2).normal(size=60)
    model = SymbolicTransformerRegressor(weights="integers-1d", random_state=0).fit(rows, y)
    assert (model.constants_["standard_error"] > 0).all()
    assert (model.predict(rows, return_std=True)[1] > 0.05).all()
