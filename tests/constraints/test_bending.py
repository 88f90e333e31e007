"""Constants of many groups under which every one of them behaves."""

import numpy as np
import sympy

from sklearn_eql.constraints import Monotone, Passes
from sklearn_eql.constraints.bending import bent_groups, excess_of_groups
from sklearn_eql.constraints.conditions import parts_of, points_in
from sklearn_eql.parametric.fit import fit_constants
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.sparse.behaviour import Behaviour
from sklearn_eql.symbolic.reading import from_sympy


def problem(own, asked):
    """Noisy parabolas through zero, of four groups; their fit, and what is asked of them."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 25)
    x = rng.uniform(0, 2, 100)
    y = 3 * x + np.array([0.1, 0.5, 1.0, -0.3])[groups] * x**2 + 0.3 * rng.normal(size=100)
    rows = GroupedRows.of(x[:, None], y, None, groups)
    law = ParametricLaw(from_sympy(sympy.sympify("a + b*x + c*x**2"), ["x", "a", "b", "c"]), ("a", "b", "c"), own)
    n_own = sum(own)
    fit = fit_constants(law, rows, np.ones(3 - n_own), np.ones((4, n_own)))
    box = np.array([[0.0], [2.0]])
    parts = [part for c in asked for part in parts_of(c, lambda _: 0, points_in(box, 40), box)]
    return law, rows, fit, Behaviour(tuple(parts), float(y.std()))


def test_every_group_behaves_and_shared_constants_follow():
    law, rows, fit, behaviour = problem((True, False, True), [Passes({"x": 0}, 0), Monotone("x")])
    assert excess_of_groups(law, fit, behaviour) > 0
    bent = bent_groups(law, rows, fit, behaviour)
    assert excess_of_groups(law, bent, behaviour) == 0
    np.testing.assert_allclose(bent.own[:, 0], 0.0, atol=1e-3)
    assert fit.squared_error <= bent.squared_error < 1.5 * fit.squared_error


def test_the_same_where_no_constant_is_shared_or_all_are():
    for own in [(True, True, True), (False, False, False)]:
        law, rows, fit, behaviour = problem(own, [Passes({"x": 0}, 0)])
        assert excess_of_groups(law, bent_groups(law, rows, fit, behaviour), behaviour) == 0


def test_what_no_constants_can_do_is_none():
    law, rows, fit, behaviour = problem((True, False, True), [Passes({"x": 0}, 0)])
    law = law.holding({0: 1.0})
    fit = fit_constants(law, rows, fit.shared, fit.own[:, 1:])
    assert bent_groups(law, rows, fit, behaviour) is None
