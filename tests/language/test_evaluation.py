"""Values of many expressions at once, and what tells functions apart."""

import numpy as np
import pytest

from sklearn_eql.language.evaluation import evaluate, fingerprints

X = np.array([[-2.0, 1.0], [0.5, 3.0], [2.0, -1.0]])


def split(*texts):
    return [tuple(text.split()) for text in texts]


def test_values_are_those_of_numpy():
    a, b = X.T
    found = evaluate(split("sub x0 x1", "div sin x0 add 2 square x1", "cube neg x0", "x1", "7"), X)
    expected = [a - b, np.sin(a) / (2 + b**2), -(a**3), b, np.full(3, 7.0)]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(
    "text", ["log sub x0 x0", "div 1 sub x0 x0", "exp exp exp add 9 square x0", "sqrt sub 0 square x0"]
)
def test_what_is_undefined_is_nan(text):
    assert np.isnan(evaluate(split(text), X)).all()


def test_what_is_undefined_within_is_nan_though_the_value_is_finite():
    assert np.isnan(evaluate(split("exp neg div 1 square sub x0 x0"), X)).all()


def test_each_expression_may_have_its_own_table():
    tables = np.stack([X, 2 * X])
    np.testing.assert_array_equal(evaluate(split("x0", "x0"), tables), [X[:, 0], 2 * X[:, 0]])


def test_one_function_has_one_fingerprint_however_it_is_written():
    a, b, c = fingerprints(split("square add x0 1", "add 1 add square x0 mul 2 x0", "square add x0 2"), 1)
    assert a == b != c


def test_a_difference_of_zero_is_no_digit():
    a, b = fingerprints(split("sub add square sin x0 square cos x0 1", "sub x0 x0"), 1)
    assert a == b
