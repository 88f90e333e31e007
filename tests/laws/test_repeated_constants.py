"""A constant that stands in a law twice is fitted once."""

import numpy as np
import pytest

from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.repeated_constants import with_repeated_constants
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.symbolic.equation import Equation, Unit

N = 80


def fitted(rate, noise, rng):
    """``log(1 - exp(-a*x)) + b*x`` fitted to the law with `a` of 1.3 and `b` of `rate`."""
    X = rng.uniform(0.2, 4, (N, 1))
    y = np.log(1 - np.exp(-1.3 * X[:, 0])) + rate * X[:, 0] + noise * rng.normal(size=N)
    table = Table(X, y, None, Scaling.of(X, y), PRIMITIVES, seed=0)
    units = (Unit("exp", (((1, -1.31),),)), Unit("log", (((0, 1.0), (2, -1.0)),)))
    start = Equation(1, units, ((1, rate), (3, 1.0)))
    free = np.array([True, False, False, True, False])
    return *table.refit(start, free, 40), table


def distinct(equation):
    return len({abs(c) for c in equation.coefficients().tolist()} - {1.0})


@pytest.mark.parametrize("sign", [1, -1])
def test_equal_or_opposite_coefficients_become_one(sign, rng):
    equation, loss, table = fitted(sign * 1.3, 0.01, rng)
    tied, tied_loss = with_repeated_constants(equation, loss, table)
    assert (distinct(equation), distinct(tied)) == (2, 1)
    assert loss <= tied_loss < 1.2 * loss
    assert max(abs(tied.coefficients())) == pytest.approx(1.3, rel=0.01)


def test_coefficients_that_differ_stay_two(rng):
    equation, loss, table = fitted(1.0, 0.001, rng)
    assert with_repeated_constants(equation, loss, table) == (equation, loss)
