"""Squares inside exponentials, completed."""

import re

import numpy as np
import pytest

from sklearn_eql import EQLRegressor
from sklearn_eql.laws.completed_squares import with_completed_squares
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic import Equation, Unit, to_sympy
from sklearn_eql.symbolic.canonical import canonicalize

ROWS = np.random.default_rng(0).uniform(-3, 3, (50, 2))
SQUARES = tuple(Unit("square", (((f, 1.0),),)) for f in (1, 2))


def law(*argument):
    units = (*SQUARES, Unit("exp", (argument,)))
    return canonicalize(Equation(2, units, ((5, 1.5),)), PRIMITIVES)


@pytest.mark.parametrize(
    ("argument", "squares"),
    [
        (((1, 2.0), (3, -1.0)), ["(x - 1)**2"]),
        (((1, 2.0), (2, 3.0), (3, -1.0)), ["(x - 1)**2", "3*y"]),
        (((1, 2.0), (2, -4.0), (3, -1.0), (4, 2.0)), ["(x - 1)**2", "(y - 1)**2"]),
    ],
)
def test_a_square_and_a_linear_term_become_one_square(argument, squares):
    before = law(*argument)
    after = with_completed_squares(before, PRIMITIVES)
    np.testing.assert_allclose(after.evaluate(ROWS), before.evaluate(ROWS), rtol=1e-12)
    text = str(to_sympy(after, ["x", "y"]))
    assert all(square in text for square in squares)


@pytest.mark.parametrize("argument", [((3, -1.0),), ((1, 2.0),), ((1, 2.0), (4, -1.0))])
def test_what_has_no_square_to_complete_stays(argument):
    assert with_completed_squares(law(*argument), PRIMITIVES) == law(*argument)


@pytest.mark.parametrize("noise", ["of both signs", "none of the sign"])
def test_a_bell_far_from_zero_is_read_as_one(noise):
    x = np.linspace(350, 650, 120)
    clean = 3 * np.exp(-(((x - 500) / 50) ** 2) / 2)
    error = np.random.default_rng(1).normal(size=120)
    y = clean + 0.06 * error if noise == "of both signs" else clean * (1 + 0.02 * error)
    model = EQLRegressor(random_state=0, n_families=9, n_generations=1, functions=["exp", "square", "mul"])
    model.fit(x[:, None], y)
    assert re.search(r"\(x0 - (499|500|501)(\.\d+)?\)\*\*2", str(model.sympy_expr_))
    np.testing.assert_allclose(model.predict(x[:, None]), clean, atol=0.06)
    wide = np.linspace(0, 1000, 50)[:, None]
    np.testing.assert_allclose(model.predict(wide), 3 * np.exp(-(((wide[:, 0] - 500) / 50) ** 2) / 2), atol=0.06)
