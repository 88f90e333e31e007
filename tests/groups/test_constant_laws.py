"""Own constants that are laws of the group's number."""

import numpy as np
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
