"""Products and sums of functions of one variable each, and quotients of polynomials: constants found from the rows."""

import numpy as np
import pytest

from sklearn_eql.ladder import grown_sums, quotients, separable, varying_coefficients
from sklearn_eql.ladder.screening import log_monomials
from sklearn_eql.ladder.term_generator import TermGenerator
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure


def best(family, X, y, functions="default", steps=40):
    """The lowest loss of the family's starts after a fit, as a share of the variance."""
    copies = PRESETS[functions] if isinstance(functions, str) else dict.fromkeys(functions, 1)
    problem = make_problem(X, y, None, Scaling.of(X, y), PRIMITIVES, copies=copies, max_depth=2, max_rows=200, seed=0)
    hints = log_monomials(problem.X.numpy(), problem.y.numpy(), [], problem.x_units)
    structures = []
    for terms in family(TermGenerator(problem, np.random.default_rng(0), hints, 1.0)):
        editable = EditableStructure(Structure(X.shape[1], (), ()))
        editable.output = terms
        structures.append(editable.finish(PRIMITIVES))
    return min((r.loss for r in problem.fit(structures, steps)), default=np.inf)


PRODUCTS = {
    "peaks away from zero": lambda x: np.exp(-((x[0] - 1) ** 2)) / (1.2 + (x[1] - 2.5) ** 2),
    "three functions and a constant": lambda x: 20 + 80 * x[1] * np.exp(-0.3 * x[2]) * np.sin(x[0]),
    "two beside a square": lambda x: x[0] * np.sin(2 * x[1]) + x[2] ** 2,
    "a bell times a feature beside another": lambda x: x[0] * np.exp(-(x[1] ** 2)) + x[2],
    "a function of a product beside a feature": lambda x: np.exp(-x[0] * x[1]) + x[2],
    "a function of a quotient": lambda x: np.tanh(1.7 * x[0] / x[1]) - x[2],
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_functions_of_one_argument(name):
    X = np.random.default_rng(0).uniform(0.3, 3, (100, 3))
    assert best(separable.products, X, PRODUCTS[name](X.T)) < 1e-20


VARYING = {
    "a difference that decays": lambda x: x[0] + (x[1] - x[0]) * np.exp(-0.7 * x[2]),
    "a season beside a trend": lambda x: 3 + 0.4 * x[0] + (1 + 0.3 * x[1]) * np.cos(1.9 * x[2] - 0.8),
    "an optimum": lambda x: 2 * x[0] + x[1] * np.exp(-2 * (x[2] - 1.4) ** 2),
    "its own trend": lambda x: 1 + x[0] - x[0] / (1 + 3 * x[0]),
}


@pytest.mark.parametrize("name", VARYING)
def test_coefficients_of_linear_forms_vary_with_a_feature(name):
    X = np.random.default_rng(0).uniform(0.3, 3, (100, 3))
    assert best(varying_coefficients.varying_coefficients, X, VARYING[name](X.T)) < 1e-20


def test_products_use_what_is_allowed_and_end_at_the_deadline():
    X = np.random.default_rng(0).uniform(0.3, 3, (40, 2))
    y = np.sin(2 * X[:, 0]) * X[:, 1]
    assert best(separable.products, X, y, ("sin",)) > 0.01
    assert best(separable.products, X, y, ("sin", "mul")) < 1e-20


SUMS = {
    "two exponentials": (0, 300, lambda x: 0.4 + 1.9 * np.exp(-0.0129 * x) - 1.5 * np.exp(-0.022 * x)),
    "an exponential and two bells": (
        1,
        250,
        lambda x: (
            99 * np.exp(-0.01 * x) + 100 * np.exp(-(((x - 67) / 23) ** 2)) + 72 * np.exp(-(((x - 179) / 18) ** 2))
        ),
    ),
    "three waves": (
        0,
        168,
        lambda x: 10 + 3 * np.sin(0.524 * x + 1.2) + 1.6 * np.sin(0.142 * x - 1) + 1.4 * np.sin(0.235 * x),
    ),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_of_functions_with_constants_of_their_own(name):
    low, high, law = SUMS[name]
    x = np.linspace(low, high, 100)
    assert best(grown_sums.sums, x[:, None], law(x), ("exp", "square", "sin")) < 1e-12


def test_an_arctangent_that_is_allowed_is_found():
    x = np.linspace(-50.0, 30.0, 60)
    assert best(grown_sums.sums, x[:, None], 2 - 0.01 * x + np.arctan(0.3 * (x + 7)), ("arctan",)) < 1e-12


def test_sums_are_left_to_other_families_where_there_are_many_features():
    X = np.random.default_rng(0).normal(size=(40, 3))
    assert best(grown_sums.sums, X, X.sum(axis=1)) == np.inf


@pytest.mark.parametrize("functions", ["rational", ("inv", "mul")])
@pytest.mark.parametrize("shift", [0.0, 30.0])
def test_quotients_of_cubic_polynomials(shift, functions):
    x = np.linspace(-3.0, 2.2, 50)
    y = (1288 + 1491 * x + 583 * x**2 + 75 * x**3) / (1 + 0.966 * x + 0.398 * x**2 + 0.0497 * x**3) + shift
    assert best(quotients.of_one_variable, x[:, None], y, functions) < 1e-16


def test_exact_quotients_have_higher_degrees():
    x = np.linspace(-1.0, 1.0, 20)
    y = (x**6 + x**5) / (x**4 + x**3 + x**2 + x + 1)
    assert best(quotients.of_one_variable, x[:, None], y) < 1e-16


def test_a_quotient_with_a_pole_among_the_rows_is_no_start():
    x = np.linspace(-1.0, 1.0, 30)
    assert quotients._coefficients(x, 1 / (x - 0.03), np.ones(30), 0, 1)[1] is None
