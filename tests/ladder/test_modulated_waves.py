"""Waves of any phase times an envelope: near enough to the law for a few steps of a fit."""

import numpy as np
import pytest

from sklearn_eql.ladder.modulated_waves import modulated_waves
from sklearn_eql.ladder.screening import log_monomials
from sklearn_eql.ladder.term_generator import TermGenerator
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure

TIMES = np.linspace(0, 10, 150)


def best(X, y, functions=PRESETS["default"], weight=None, deadline=np.inf):
    """The lowest relative loss of all starts after some steps, infinite without any, and the functions in them."""
    problem = make_problem(
        X, y, weight, Scaling.of(X, y), PRIMITIVES, functions, max_depth=2, max_rows=200, seed=0, deadline=deadline
    )
    hints = log_monomials(problem.X.numpy(), problem.y.numpy(), [], problem.x_units)
    structures = []
    for terms in modulated_waves(TermGenerator(problem, np.random.default_rng(0), hints, 1.0)):
        editable = EditableStructure(Structure(X.shape[1], (), ()))
        editable.output = terms
        structures.append(editable.finish(PRIMITIVES))
    used = {unit.primitive for structure in structures for unit in structure.units}
    return min((r.loss for r in problem.fit(structures, 40)), default=np.inf) / problem.variance, used


LAWS = {
    "damped": lambda t, a, w: 3 * np.exp(-0.3 * t) * np.cos(2 * t + 0.7),
    "damped, beside a constant": lambda t, a, w: 1.5 - 3 * np.exp(-0.3 * t) * np.sin(4 * t + 2),
    "of an amplitude": lambda t, a, w: a**2 * np.exp(-0.4 * t) * np.cos(2 * t + 0.7),
    "of a frequency": lambda t, a, w: a * np.exp(-0.2 * t) * np.cos(w * t - 1),
    "alone": lambda t, a, w: 2 * np.sin(5 * t + 1) + 7,
}


@pytest.mark.parametrize("units", [(1.0, 1.0, 1.0), (1e-6, 1e4, 30.0)], ids=str)
@pytest.mark.parametrize("name", LAWS)
def test_waves_of_any_phase_are_among_the_starts(name, units, rng):
    X = np.column_stack([TIMES, rng.uniform(1, 3, 150), rng.uniform(1, 2, 150)])
    assert best(X * units, LAWS[name](*X.T))[0] < 1e-15


def test_rows_of_no_weight_decide_nothing(rng):
    y = LAWS["damped"](TIMES, 1, 1)
    weight = np.ones(150)
    y[::3], weight[::3] = rng.normal(size=50), 1e-14
    assert best(TIMES[:, None], y, weight=weight)[0] < 1e-10


def test_starts_are_made_of_what_is_allowed(rng):
    X = np.column_stack([TIMES, rng.uniform(1, 3, 150)])
    y = np.cos(3 * TIMES + 1)
    assert best(X, y, {"sin": 1})[1] == {"sin"}
    assert best(X, y, {"sin": 1, "mul": 1, "exp": 1})[1] <= {"sin", "mul", "exp"}
    assert best(X, y, {"exp": 1, "mul": 1}) == (np.inf, set())
    assert best(X, y, deadline=0.0) == (np.inf, set())


def test_columns_that_do_not_vary_are_no_angles():
    assert best(np.ones((150, 1)), TIMES) == (np.inf, set())
