"""One law for many groups, as users fit it."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor


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


def test_shared_constants_have_errors_with_the_own_ones_following(table):
    X, y, labels, _ = table
    noise = 0.05 * np.random.default_rng(1).normal(size=100)
    t = X["t"].to_numpy()
    model = EQLRegressor(random_state=0, functions=["square"]).fit(X, y + noise + 0.0137 * t**2, groups=labels)
    constants = model.constants_
    by_squares = np.column_stack([t**2, *(np.where(labels == label, t, 0) for label in "abcd")])
    inverse = np.linalg.inv(by_squares.T @ by_squares)
    assert list(model.group_constants_.columns) == ["c0", "c0_se"]
    assert "c0" not in constants.index
    assert constants["standard_error"].iloc[0] == pytest.approx(0.05 * np.sqrt(inverse[0, 0]), rel=0.3)
    # A new value of t for every group: its own constant and the shared one vary together.
    new = pd.DataFrame({"t": [2.0, 2.0, 1.0]})
    slopes = np.array([[4.0, 2, 0, 0, 0], [4.0, 0, 0, 0, 2], [1.0, 0, 1, 0, 0]])
    _, of_the_law = model.predict(new, groups=["a", "d", "b"], return_std="mean")
    expected = np.sqrt(np.einsum("ni,ij,nj->n", slopes, inverse, slopes))
    noise = constants["standard_error"].iloc[0] / np.sqrt(inverse[0, 0])
    np.testing.assert_allclose(of_the_law, noise * expected, rtol=1e-3)
    _, of_a_row = model.predict(new, groups=["a", "d", "b"], return_std=True)
    np.testing.assert_allclose(of_a_row, noise * np.sqrt(1 + expected**2), rtol=1e-3)
    first = labels == "a"
    model.fit_group(X[first], (y + noise)[first], label="again")  # the rows of a known group, as those of a new one
    _, again = model.predict(new[:1], groups=["again"], return_std="mean")
    assert again == pytest.approx(of_the_law[0], rel=0.02)


def test_one_group_shares_all_constants(table):
    X, y, labels, _ = table
    first = labels == "a"
    model = EQLRegressor(random_state=0, functions=["square"]).fit(X[first], y[first], groups=labels[first])
    assert not len(model.group_constants_.columns)
    np.testing.assert_allclose(model.predict(X[first]), y[first], atol=1e-8)
