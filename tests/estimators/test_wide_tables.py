"""Tables of hundreds of columns, of which a few matter."""

import numpy as np
import sympy

from sklearn_eql import EQLRegressor


def same(law, expected):
    return sympy.simplify(law - sympy.sympify(expected)) == 0


def test_a_ratio_of_positive_columns_is_found_among_two_hundred():
    X = np.random.default_rng(0).uniform(1, 5, (221, 200))
    model = EQLRegressor(random_state=0).fit(X, 3 * X[:, 3] * X[:, 98] / X[:, 50])
    assert same(model.sympy_expr_, "3*x3*x98/x50")
    assert model.stop_reason_ == "exact"


def test_a_law_of_columns_around_zero_is_found_among_two_hundred():
    X = np.random.default_rng(0).normal(size=(200, 200))
    model = EQLRegressor(random_state=0).fit(X, 2 * X[:, 4] * X[:, 141] + X[:, 78])
    assert same(model.sympy_expr_, "2*x4*x141 + x78")


def test_a_sum_of_more_columns_than_families_enumerate_is_found():
    X = np.random.default_rng(0).normal(size=(200, 25))
    model = EQLRegressor(random_state=0).fit(X, X[:, :20] @ np.arange(1, 21))
    assert same(model.sympy_expr_, " + ".join(f"{i + 1}*x{i}" for i in range(20)))
