"""Starts that are a power law times a function of a monomial: exact ones need a few steps of a fit, in any unit."""

import numpy as np
import pytest

from sklearn_eql.ladder.factors import Column
from sklearn_eql.ladder.inner_functions import inner_functions
from sklearn_eql.ladder.power_functions import factor_and_function, function_of_difference, some_functions
from sklearn_eql.ladder.screening import log_monomials
from sklearn_eql.ladder.term_generator import TermGenerator
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure

UNITS = np.array([1e-9, 3.0, 2e5])


def best(X, y, functions=PRESETS["default"], starts=factor_and_function):
    """The lowest relative loss of all starts after a few steps, and how many there are."""
    problem = make_problem(
        X, y, None, Scaling.of(X, y), PRIMITIVES, copies=dict(functions), max_depth=2, max_rows=200, seed=0
    )
    rows, target = problem.X.numpy(), problem.y.numpy()
    hints = log_monomials(rows, target, [f - 1 for f in problem.signed], problem.x_units)
    generator = TermGenerator(problem, np.random.default_rng(0), hints, 1.0)
    structures = []
    for terms in starts(generator):
        editable = EditableStructure(Structure(X.shape[1], (), ()))
        editable.output = terms
        structures.append(editable.finish(PRIMITIVES))
    nearest = sorted(problem.fit(structures, 4), key=lambda r: r.loss)[:20]
    fitted = problem.fit([r.structure for r in nearest], 40)
    return min((r.loss for r in fitted), default=np.inf) / problem.variance, len(structures)


@pytest.mark.parametrize(
    "law",
    [
        lambda a, b, c: a / np.sqrt(1 - (b / (5 * c)) ** 2),
        lambda a, b, c: -b * c / (a - 0.5),
        lambda a, b, c: a * np.sqrt((5 * b + c) / (5 * b - c)),
        lambda a, b, c: a**3 / (np.exp(a / b) - 1),
        lambda a, b, c: c / (np.exp(a / b) + np.exp(-a / b)),
        lambda a, b, c: c * np.tanh(a / b),
        lambda a, b, c: 3 * np.log(a) - np.log(np.exp(a / b) - 1) + 7,
        lambda a, b, c: 2 * np.log(a) - np.log(1 - (a / (5 * b)) ** 2) - np.log(c),
        lambda a, b, c: np.log(a) - b / c,
    ],
)
def test_laws_are_among_the_starts_whatever_the_units(law, rng):
    X = rng.uniform(1, 4, (150, 3))
    assert best(X * [1, -1, 1] * UNITS, law(*X.T))[0] < 1e-9


def test_a_radiance_of_many_decades_does_not_overflow(rng):
    """The exponential of 2,000 is beyond all numbers, the logarithm of it less one is not."""
    X = np.exp(rng.uniform(-2, 4, (150, 2)))
    y = 3 * np.log(X[:, 0]) - 40 * X[:, 0] / X[:, 1] - np.log(-np.expm1(-40 * X[:, 0] / X[:, 1]))
    assert best(X, y)[0] < 1e-9


def test_there_are_no_starts_where_nothing_has_a_logarithm(rng):
    X = rng.normal(size=(60, 2))
    assert best(X[:6] ** 2, np.arange(6.0))[1] == 0
    y = np.log1p(np.abs(X[:, 0])) - 0.5
    with_log, without = (best(np.abs(X), y, dict.fromkeys(f, 1)) for f in (("pow", "log"), ("pow", "exp")))
    assert with_log[1] > 0
    assert without[1] == 0, "the target has both signs, and no logarithm may be used"


@pytest.mark.parametrize(
    "law",
    [
        lambda a, b, c: a * np.sin(b * c / 2) ** 2 / np.sin(c / 2) ** 2,
        lambda a, b, c: np.exp(-a / 2) * np.sin(3 * b) / c,
        lambda a, b, c: c * np.sqrt(1 + a / b) / (1 + b * b),
    ],
)
def test_products_of_some_functions_are_among_the_starts(law, rng):
    X = rng.uniform(1, 4, (150, 3))
    assert best(X * [1, -1, 1], law(*X.T), starts=some_functions)[0] < 1e-9


@pytest.mark.parametrize(
    "law",
    [
        lambda a, e, x: a * (1 - e**2) / (1 + e * np.cos(x)),
        lambda a, e, x: a / (1 + 3 * a * np.sin(x / 2) ** 2),
        lambda a, r, n: a * r / (1 - (1 + r) ** -n),
    ],
)
def test_waves_and_logarithms_stand_inside_functions(law, rng):
    X = rng.uniform([1, 0.05, 0.1], [5, 0.8, 6], (150, 3))
    assert best(X, law(*X.T), starts=some_functions)[0] < 1e-9


def test_columns_of_many_turns_or_zeros_are_no_angles(rng):
    X = rng.uniform([1, 1, -3], [300, 3, 2], (50, 3))
    X[0, 2] = 0.0
    problem = make_problem(
        X,
        X[:, 1],
        None,
        Scaling.of(X, X[:, 1]),
        PRIMITIVES,
        copies=PRESETS["default"],
        max_depth=2,
        max_rows=200,
        seed=0,
    )
    columns = [Column.of_feature(problem, f) for f in (1, 2, 3)]
    found = inner_functions(problem, columns, {"sin", "cos"}.__contains__)
    assert [c.form[0][0].args[0][0][0] for c in found.columns] == [2, 2, 2, 3], "the cosine of zero is not zero"
    assert set(found.monomials) == {"1 + u", "1 - u"}
    assert not inner_functions(problem, columns, {"log"}.__contains__).columns, "a power needs the exponential, too"


@pytest.mark.parametrize(
    "law",
    [
        lambda a, b, c: c * np.sin(c * (a - b)) ** 2 / (a - b) ** 2,
        lambda a, b, c: c**2 * np.exp(-((a - b) ** 2) / c),
        lambda a, b, c: c / (1 + (a + b) / c),
    ],
)
def test_functions_of_a_difference_are_among_the_starts(law, rng):
    X = rng.uniform(1, 4, (150, 3))
    assert best(X * [3e4, 3e4, 7], law(*X.T), starts=function_of_difference)[0] < 1e-9


def test_features_of_both_signs_are_factors(rng):
    X = rng.uniform([-1, -1, 1], [1, 1, 3], (150, 3))
    y = X[:, 0] * X[:, 1] / ((X[:, 0] - 3) * X[:, 2] ** 2)
    assert best(X, y)[0] < 1e-9


def test_a_target_of_many_decades_with_zeros_has_a_logarithm(rng):
    """Most values of the bell curve are below all numbers."""
    X = np.exp(rng.uniform(-4, 4, (200, 2)))
    y = np.exp(-((X[:, 0] / X[:, 1]) ** 2) / 2) / X[:, 1]
    assert (y == 0).any()
    assert best(X, y)[0] < 1e-9
