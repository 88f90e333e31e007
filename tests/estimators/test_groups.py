"""One law for many groups, as users fit it."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sympy

from sklearn_eql import EQLRegressor
from tests.equal_laws import same_law


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c", "d"], 25)
    X = pd.DataFrame({"t": rng.uniform(0, 3, 100)})
    speed = pd.Series({"a": 1.0, "b": 2.5, "c": -1.5, "d": 4.0})
    y = -4.9 * X["t"].to_numpy() ** 2 + speed[labels].to_numpy() * X["t"].to_numpy()
    return X, y, labels, speed


@pytest.fixture(scope="module")
def model(table):
    X, y, labels, _ = table
    return EQLRegressor(random_state=0, functions=["square"]).fit(X, y, groups=labels)


def test_constants_that_differ_are_symbols_and_the_others_numbers(model, table):
    _, _, _, speed = table
    t, c0 = sympy.symbols("t c0")
    assert same_law(sympy.nsimplify(model.sympy_expr_, rational=True), c0 * t - sympy.Rational(49, 10) * t**2)
    assert list(model.group_constants_.columns) == ["c0", "c0_se"]
    np.testing.assert_allclose(model.group_constants_["c0"], speed, rtol=1e-6)


def test_known_groups_are_predicted_and_unknown_ones_named(model, table):
    X, y, labels, _ = table
    np.testing.assert_allclose(model.predict(X, groups=labels), y, atol=1e-8)
    with pytest.raises(ValueError, match="'z', expected 'a', 'b'"):
        model.predict(X, groups=["z"] * 100)
    with pytest.raises(ValueError, match=r"predict\(X, groups=...\)"):
        model.predict(X)


def test_a_new_group_gets_its_constants(model):
    model = pickle.loads(pickle.dumps(model))
    t = pd.DataFrame({"t": [0.5, 1.0, 2.0]})
    y = -4.9 * t["t"] ** 2 + 7 * t["t"]
    assert model.fit_group(t, y).loc[:, "c0"].item() == pytest.approx(7)
    model.fit_group(t, y, label="new")
    np.testing.assert_allclose(model.predict(t, groups=["new"] * 3), y)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a"] * 99, "got 99 labels, expected 100 labels"),
        (["a"] * 99 + [None], "label None of row 99 is missing"),
        ([1.0] * 99 + [np.nan], "label nan of row 99 is missing"),
    ],
)
def test_labels_that_are_wrong_are_said(table, groups, message):
    X, y, *_ = table
    with pytest.raises(ValueError, match=message):
        EQLRegressor().fit(X, y, groups=groups)
