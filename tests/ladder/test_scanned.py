"""Families of exhaustive search: laws that belong to no family of physics are found without a step of a fit."""

import numpy as np
import pytest

from sklearn_eql.ladder.scanned import beside_polynomial, pairs, polynomial_or_pair, polynomials, triples
from sklearn_eql.ladder.screening import log_monomials
from sklearn_eql.ladder.term_generator import TermGenerator
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure


def problem_of(X, y, functions="default", weight=None):
    scaling = Scaling.of(X, y, sample_weight=weight)
    copies = PRESETS[functions] if isinstance(functions, str) else dict.fromkeys(functions, 1)
    return make_problem(X, y, weight, scaling, PRIMITIVES, copies=copies, max_depth=2, max_rows=200, seed=0)


def starts(family, problem):
    hints = log_monomials(problem.X.numpy(), problem.y.numpy(), [], problem.x_units)
    generator = TermGenerator(problem, np.random.default_rng(0), hints, 1.0)
    for terms in family(generator):
        editable = EditableStructure(Structure(problem.X.shape[1], (), ()))
        editable.output = terms
        yield editable.finish(PRIMITIVES)


def best(family, problem):
    """The shortest of the best starts, with no step of a fit."""
    fitted = problem.fit([s for s in starts(family, problem) if s is not None], 0)
    return min(fitted, key=lambda r: (max(r.loss, problem.exact), r.structure.n_symbols))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def wide(generator):
    return pairs(generator, 1500)


@pytest.mark.parametrize(
    ("family", "law"),
    [
        (wide, lambda x, z: np.sin(x**2) * np.cos(x) - 1),
        (wide, lambda x, z: np.sin(x) + np.sin(z**2)),
        (wide, lambda x, z: np.exp(x) / (1 + np.exp(x + z))),
        (wide, lambda x, z: 3 * x**2 * z**2 / (x + z)),
        (lambda g: beside_polynomial(g, 1500), lambda x, z: x**3 + x**2 + x + np.sin(x) + np.sin(z**2)),
        (lambda g: triples(g, 600), lambda x, z: np.sin(2 * x) - 2 * np.exp(-z) + np.log(z)),
        (lambda g: triples(g, 600), lambda x, z: x**2 * np.sin(z) + np.exp(-x)),
        (lambda g: triples(g, 600), lambda x, z: 5 * np.sin(x) * np.cos(z) + 0.1 * np.exp(-x) + z),
        (polynomials, lambda x, z: x**5 - 2 * x**3 * z + z**4 / 3 - 1),
    ],
)
def test_a_law_of_the_family_is_exact_without_a_step(family, law, rng):
    X = rng.uniform([-1.0, 0.2], [1.0, 2.2], (60, 2))
    problem = problem_of(X, law(*X.T))
    assert best(family, problem).loss < problem.exact


def test_a_polynomial_of_ninth_degree_is_found_from_twenty_rows(rng):
    X = rng.uniform(-1, 1, (20, 1))
    problem = problem_of(X, sum(X[:, 0] ** k for k in range(1, 10)))
    found = best(polynomials, problem)
    assert found.loss < problem.exact
    assert found.structure.n_free >= 9 > problem.max_free


def test_a_polynomial_that_only_follows_a_function_has_it_as_a_rival(rng):
    X = rng.uniform(-1, 1, (20, 1))
    found = best(lambda g: polynomial_or_pair(g, 600), problem_of(X, np.sinh(X[:, 0])))
    assert {unit.primitive for unit in found.structure.units} == {"exp"}


def test_a_sparse_polynomial_of_ten_features_is_found_from_twenty_rows(rng):
    X = rng.uniform(0, 1, (20, 10))
    y = X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] + X[:, 4] * X[:, 5] + X[:, 0] * X[:, 6] * X[:, 8]
    problem = problem_of(X, y).trying(range(10))
    assert best(polynomials, problem).loss < problem.exact


def test_weights_tell_which_rows_a_pair_is_judged_by(rng):
    X = rng.uniform(-1, 1, (60, 1))
    y = np.sin(X[:, 0] ** 2) * np.cos(X[:, 0])
    y[:5] += 10
    weight = np.ones(60)
    weight[:5] = 1e-30
    found = best(wide, problem_of(X, y, weight=weight))
    assert {unit.primitive for unit in found.structure.units} == {"square", "sin", "cos", "mul"}


def test_without_products_only_sums_are_scanned(rng):
    X = rng.uniform(-1, 1, (40, 1))
    problem = problem_of(X, np.sin(X[:, 0]) + np.exp(X[:, 0]), functions=["sin", "exp"])
    primitives = {unit.primitive for s in starts(wide, problem) for unit in s.units}
    assert primitives == {"sin", "exp"}
    assert best(wide, problem).loss < problem.exact


def test_interpolation_is_no_law_and_neither_is_noise(rng):
    X = rng.uniform(-1, 1, (20, 1))
    problem = problem_of(X, rng.normal(size=20))
    fitted = problem.fit([*starts(polynomials, problem), *starts(wide, problem)], 0)
    assert max(r.structure.n_free for r in fitted) > problem.max_free
    assert all(r.structure.n_free <= problem.max_free for r in fitted if np.isfinite(r.loss))


def test_a_product_of_three_functions_with_an_offset_is_in_reach(rng):
    X = rng.uniform(0, 3, (200, 3))
    found = best(lambda g: pairs(g, 4000), problem_of(X, 2 + X[:, 2] * np.exp(-X[:, 1]) * np.sin(X[:, 0])))
    assert found.loss < 1e-20
