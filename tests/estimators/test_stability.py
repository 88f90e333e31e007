"""`stability`: the same search on bootstrap samples."""

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor

FEW = {"functions": ["id", "square", "mul"], "n_hidden_layers": 1, "population_size": 32, "n_generations": 4}
X = np.random.default_rng(0).uniform(1, 2, (60, 1))
Y = 2.3718 * X[:, 0] ** 2 + 0.1 * np.random.default_rng(1).normal(size=60)
x0, c0 = sympy.symbols("x0 c0")


@pytest.fixture(scope="module")
def model():
    return EQLRegressor(**FEW, random_state=0).fit(X, Y)


def test_the_form_of_the_fit_wins_and_its_constant_spreads_as_its_error_says(model):
    table = model.stability(X, Y, n=8)
    assert list(table.columns) == ["form", "share", "median", "spread"]
    assert same_law(table["form"][0], c0 * x0**2)
    assert table["share"][0] >= 0.5
    assert table["share"].sum() == pytest.approx(1)
    error = model.constants_["standard_error"].iloc[0]
    assert table["median"][0]["c0"] == pytest.approx(2.3718, abs=5 * error)
    assert error / 4 < table["spread"][0]["c0"] < 4 * error


def test_samples_depend_on_the_random_state_alone(model):
    first, second = (model.stability(X, Y, n=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_every_output_has_its_own_forms():
    both = np.c_[Y, 1.3 * X[:, 0]]
    tables = EQLRegressor(**FEW, random_state=0).fit(X, both).stability(X, both, n=2)
    assert same_law(tables[1]["form"][0], c0 * x0)
    assert tables[1]["share"][0] == 1


def test_rows_of_weight_zero_are_in_no_sample(model):
    spoiled = np.where(np.arange(60) == 7, 1e6, Y)
    table = model.stability(X, spoiled, np.arange(60) != 7, n=3)
    assert max(table["median"][0].values()) < 10


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 2.5}, {"max_time": 0}])
def test_wrong_numbers_are_told(model, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
        model.stability(X, Y, **wrong)
