"""Own constants that are laws of the group's number."""

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.linspace(1, 6, 8), 10)
    x = rng.uniform(1, 4, 80)
    return EQLRegressor(random_state=0, functions=["square"], n_generations=2).fit(
        x[:, None], groups**2 * x, groups=groups
    )


def test_a_constant_is_a_law_of_the_number_of_its_group(model):
    assert same_law(model.group_laws_["c0"], sympy.Symbol("g") ** 2)
    np.testing.assert_allclose(model.group_constants_["c0"], np.linspace(1, 6, 8) ** 2)


def test_groups_that_were_not_seen_are_predicted_from_their_number(model):
    np.testing.assert_allclose(model.predict([[2.0]], groups=[10.0]), 200.0)


def test_whole_numbers_are_labels_unless_asked_for():
    groups, x = np.repeat(np.arange(8), 5), np.tile(np.arange(1.0, 6.0), 8)
    settings = {"random_state": 0, "functions": ["square"], "n_generations": 1}
    assert not EQLRegressor(**settings).fit(x[:, None], groups * x + 1, groups=groups).group_laws_
    with pytest.raises(ValueError, match="at least 8 different numbers"):
        EQLRegressor(group_laws=True).fit(x[:, None], groups * x + 1, groups=groups.astype(str))


NAMES = [f"ball {i}" for i in range(10)]
KNOWN = pd.DataFrame(np.random.default_rng(1).uniform(1, 3, (10, 2)), columns=["mass", "charge"], index=NAMES)


@pytest.fixture(scope="module")
def of_features():
    labels, x = np.repeat(NAMES, 8), np.random.default_rng(0).uniform(1, 4, (80, 1))
    of_rows = KNOWN.loc[labels]
    y = 2 * (of_rows["charge"] / of_rows["mass"]).to_numpy() * x[:, 0] ** 2
    few = {"functions": ["mul", "div"], "n_families": 6, "n_generations": 1}
    shuffled = KNOWN[::-1]
    return EQLRegressor(random_state=0, **few).fit(x, y, groups=labels, group_features=shuffled)


def test_a_constant_is_a_law_of_what_is_known_of_its_group(of_features):
    charge, mass = sympy.symbols("charge mass")
    [(name, law)] = of_features.group_laws_.items()
    factor = of_features.sympy_expr_.subs({"x0": 1, name: 1})
    assert same_law(law * factor, 2 * charge / mass)


def test_groups_that_were_not_seen_are_predicted_from_what_is_known_of_them(of_features):
    new = pd.DataFrame({"charge": [6.0], "mass": [4.0], "colour": [0.0]}, index=["new"])
    predicted, deviation = of_features.predict([[2.0]], groups=["new"], group_features=new, return_std="mean")
    np.testing.assert_allclose(predicted, 12.0)
    assert deviation < 1e-6
    with pytest.raises(ValueError, match=r"did not see 'new'.*Pass group_features with a row for it"):
        of_features.predict([[2.0]], groups=["new"])
    with pytest.raises(ValueError, match="has no column 'charge'"):
        of_features.predict([[2.0]], groups=["new"], group_features=new[["mass"]])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (KNOWN[1:], "group_features has no row for 'ball 0'"),
        (KNOWN.replace(KNOWN.iloc[0, 0], np.nan), "missing or infinite"),
        (KNOWN.assign(colour="red"), "expected a DataFrame of numbers"),
        (pd.concat([KNOWN, KNOWN]), "there twice"),
    ],
)
def test_features_of_groups_that_are_wrong_are_said(features, message):
    labels, x = np.repeat(NAMES, 2), np.arange(20.0)[:, None]
    with pytest.raises(ValueError, match=message):
        EQLRegressor().fit(x, x[:, 0], groups=labels, group_features=features)


def test_features_of_few_groups_or_of_none_are_said():
    x = np.arange(20.0)[:, None]
    with pytest.raises(ValueError, match="expected at least 8 groups"):
        EQLRegressor().fit(x, x[:, 0], groups=np.repeat(NAMES[:4], 5), group_features=KNOWN)
    with pytest.raises(ValueError, match="there are no groups"):
        EQLRegressor().fit(x, x[:, 0], group_features=KNOWN)
