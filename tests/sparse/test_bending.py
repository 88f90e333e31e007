"""Laws that nearly behave are bent until they do, at the least loss; others are behind those that do."""

import numpy as np
import pytest

from sklearn_eql.constraints import Bounded, Monotone, Odd, Passes
from sklearn_eql.constraints.reading import Constraints
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.bending import bend_leaders, bent
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure

X = np.linspace(-1.0, 2.0, 40)[:, None]
NOISE = 0.1 * np.random.default_rng(0).normal(size=40)


def problem_with(y, *constraints):
    ranges = np.array([[-1.0], [2.0]])
    demands = Constraints.read(constraints, ["x"], PRIMITIVES).demands(ranges, y, PRIMITIVES)
    scaling = Scaling.of(X, y, False)
    options = {"primitives": PRIMITIVES, "copies": dict(PRESETS["default"]), "max_depth": 2}
    return make_problem(X, y, None, scaling, **options, max_rows=200, seed=0, behaviour=demands.of_candidates)


def polynomial(degree):
    """``c0 + c1*x + c2*x**2``."""
    units = (SparseUnit("square", (((1, 1.0, False),),)),) if degree == 2 else ()
    return Structure(1, units, tuple((s, 1.0, True) for s in range(degree + 1)))


def bend(structure, problem):
    return bent(structure, problem.behaviour, PRIMITIVES, problem.X, problem.y, problem.sample_weight)


@pytest.mark.parametrize(
    ("constraint", "degree"), [(Monotone("x"), 2), (Bounded(low=0), 2), (Passes({"x": 0}, 1), 1), (Odd("x"), 1)]
)
def test_a_law_is_bent_to_what_it_misses(constraint, degree):
    problem = problem_with(0.2 + X[:, 0] ** degree + NOISE - 0.3, constraint)
    [fitted] = problem.fit([polynomial(degree)], 10)
    assert problem.behaviour.excess(fitted.structure, PRIMITIVES) > 0
    found = bend(fitted.structure, problem)
    assert problem.behaviour.excess(found.structure, PRIMITIVES) == 0
    assert fitted.loss < found.loss


def test_bent_to_the_least_loss():
    """Through a point: least squares with one coefficient less."""
    y = 0.3 + X[:, 0] + NOISE
    problem = problem_with(y, Passes({"x": 0}))
    found = bend(polynomial(1), problem)
    slope = X[:, 0] @ y / (X[:, 0] @ X[:, 0])
    assert found.loss == pytest.approx(np.mean((y - slope * X[:, 0]) ** 2), rel=1e-3)


def test_a_law_that_cannot_behave_is_given_up():
    problem = problem_with(np.exp(X[:, 0]), Odd("x"))
    unit = SparseUnit("exp", (((1, 1.0, False),),))
    found = bend(Structure(1, (unit,), ((2, 1.0, True),)), problem)
    assert found is None or found.loss > 0.5 * problem.variance  # zero is odd
    assert bend(Structure(1, (), ((1, 1.0, False),)), problem) is None


def test_laws_that_do_not_behave_are_behind():
    problem = problem_with(X[:, 0] ** 2 + NOISE, Monotone("x"))
    archive = Archive.of(problem)
    archive.add(problem.fit([polynomial(2), polynomial(1), polynomial(0)], 10))
    assert [archive.behaves(r) for r in archive.ranked()] == [True, True, False]
    assert all(archive.behaves(r) for r in archive.front())
    bend_leaders(archive, problem)
    assert all(archive.behaves(r) for r in archive.ranked())
    archive.add(problem.fit([polynomial(2)], 10))  # which fits better than the one that was bent, and does not behave
    assert all(archive.behaves(r) for r in archive.ranked())
