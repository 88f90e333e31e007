"""Quotients of polynomials of several variables: exact ones are one start that needs no step; there is no other."""

import numpy as np
import pytest

from sklearn_eql.ladder.joint_quotients import of_several_variables
from sklearn_eql.ladder.screening import log_monomials
from sklearn_eql.ladder.term_generator import TermGenerator
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure


def starts(X, y, functions=PRESETS["default"], deadline=np.inf):
    """Relative losses of the starts without a step of a fit, and how many coefficients they have."""
    problem = make_problem(
        X, y, None, Scaling.of(X, y), PRIMITIVES, functions, max_depth=2, max_rows=400, seed=0, deadline=deadline
    )
    hints = log_monomials(problem.X.numpy(), problem.y.numpy(), [], problem.x_units)
    generator = TermGenerator(problem, np.random.default_rng(0), hints, 1.0)
    structures = []
    for terms in of_several_variables(generator):
        editable = EditableStructure(Structure(X.shape[1], (), ()))
        editable.output = terms
        structures.append(editable.finish(PRIMITIVES))
    return [(r.loss / problem.variance, r.structure.n_free) for r in problem.fit(structures, 0)]


LAWS = {
    "of two": lambda a, b, c, d: ((a - 3) ** 4 + (b - 3) ** 3 - b) / ((b - 2) ** 4 + 10),
    "of three": lambda a, b, c, d: (a * b + c * a - 2 * b**2) / (a + b * c + 3),
    "of four, with a pole": lambda a, b, c, d: 2 + 3 * (a - b + c / d) / d,
    "without a constant": lambda a, b, c, d: 1 + (a + b**2) / (c**3 + 2 * d**4),
}


@pytest.mark.parametrize("functions", [PRESETS["default"], {"mul": 1, "inv": 1}], ids=["all", "inverses"])
@pytest.mark.parametrize("name", LAWS)
def test_a_quotient_is_found_without_a_step(name, functions, rng):
    X = rng.uniform(-4, 4, (300, 4)) * [1, 1e3, 1, 1e-9]
    [(loss, n_free)] = starts(X, LAWS[name](*(X / [1, 1e3, 1, 1e-9]).T), functions)
    assert loss < 1e-20
    assert n_free <= 20


def test_the_quotient_of_lowest_degrees_is_the_one(rng):
    X = rng.uniform(1, 3, (200, 2))
    [(_, n_free)] = starts(X, X[:, 0] / (X[:, 0] + 2 * X[:, 1]))
    assert n_free == 2


@pytest.mark.parametrize(
    "law",
    [
        lambda a, b, c: np.exp(a / 3) * np.sin(b),
        lambda a, b, c: np.sqrt(a * a + b * c),
        lambda a, b, c: a * b - 2 * c**3,
        lambda a, b, c: a / (b + c) + 1e-3 * np.random.default_rng(1).normal(size=len(a)),
        lambda a, b, c: np.zeros_like(a),
    ],
    ids=["waves", "a root", "a polynomial", "noise", "zero"],
)
def test_what_is_no_quotient_has_no_start(law, rng):
    X = rng.uniform(1, 3, (200, 3))
    assert starts(X, law(*X.T)) == []


def test_few_rows_are_no_reason_for_a_quotient(rng):
    X = rng.uniform(1, 3, (9, 2))
    assert starts(X, rng.normal(size=9)) == []
    assert starts(X[:3], rng.normal(size=3)) == []


def test_nothing_is_begun_without_products_or_after_the_deadline(rng):
    X = rng.uniform(1, 3, (200, 2))
    y = X[:, 0] / (1 + X[:, 1])
    assert starts(X, y, {"div": 1}) == starts(X, y, {"mul": 1}) == starts(X, y, deadline=0.0) == []
