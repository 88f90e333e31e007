"""`selection="validation"`: laws are ranked by their errors on rows that they were not fitted to."""

import numpy as np
import pytest

from sklearn_eql import EQLRegressor

FEW = {"functions": ["id", "square", "mul"], "n_hidden_layers": 1, "population_size": 32, "n_generations": 6}
X = np.random.default_rng(0).uniform(1, 2, (60, 1))
Y = 2.3718 * X[:, 0] ** 2 + 0.2 * np.random.default_rng(1).normal(size=60)


def fitted(X=X, y=Y, **parameters):
    return EQLRegressor(**{**FEW, "selection": "validation", "random_state": 0, **parameters}).fit(X, y)


def test_the_law_does_no_worse_on_rows_held_out_and_is_refitted_on_all():
    model = fitted()
    [row] = model.constants_.itertuples()
    assert row.place == "factor of x0**2"
    square = X[:, 0] ** 2
    assert row.value == pytest.approx(square @ Y / (square @ square), rel=1e-6)
    left = Y - model.predict(X)
    assert model.equations_["loss"][model.best_index_] == pytest.approx(left @ left / 60)


def test_the_same_rows_are_held_out_with_the_same_random_state():
    first, second, other = fitted(), fitted(), fitted(random_state=1)
    assert first.equations_["equation"].tolist() == second.equations_["equation"].tolist()
    assert other.predict(X) == pytest.approx(first.predict(X), rel=1e-6)


def test_folds_take_the_place_of_rows_held_out():
    model = fitted(cv=5)
    table = model.equations_
    best = table["cv_loss"].idxmin()
    within = table["cv_loss"] <= table["cv_loss"][best] + table["cv_loss_se"][best]
    assert model.best_index_ == within.idxmax()
    everywhere = fitted(selection="best", cv=5)
    assert table["equation"].tolist() == everywhere.equations_["equation"].tolist()


def test_where_time_is_too_short_for_folds_the_shortest_description_is_taken():
    model = fitted(cv=5, max_time=1e-6)
    assert model.best_index_ == model.equations_["delta_dl"].idxmin()


def test_wrong_rows_do_not_spoil_the_constants():
    wrong = np.where(np.arange(60) % 20 == 3, 30.0, Y)
    model = fitted(y=wrong, loss="huber")
    np.testing.assert_allclose(model.predict(X), 2.3718 * X[:, 0] ** 2, rtol=0.1)


def test_rows_that_do_not_vary_without_those_held_out_are_told():
    with pytest.raises(ValueError, match=r"selection='validation' holds out a fifth of the rows.*Give more rows"):
        fitted(np.arange(3.0)[:, None], np.array([1.0, 1.0, 2.0]), random_state=2)
