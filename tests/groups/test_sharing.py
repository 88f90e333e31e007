"""Which constants groups share."""

import numpy as np
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql.groups.finishing import finished
from sklearn_eql.groups.fitted_form import Rows, fitted_alone
from sklearn_eql.groups.sharing import with_constants_shared, with_numbers_recognised, without_redundant
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.symbolic.reading import from_sympy


def law_of(text, constants):
    expr = sympy.sympify(text)
    return ParametricLaw(from_sympy(expr, ["x", *constants]), tuple(constants), (True,) * len(constants))


def rows_of(function, own, noise=0.0, n=40, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(own)), n)
    x = rng.uniform(0, 3, len(groups))
    y = function(x, own[groups])
    y = y + noise * y.std() * rng.normal(size=len(y))
    return Rows(GroupedRows.of(x[:, None], y, None, groups), float(y.var()), 1e-20, PRIMITIVES)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_constant_that_does_not_differ_is_shared_and_recognised(noise):
    own = np.array([1.0, 1.7, 2.2, 0.6, 3.0])
    rows = rows_of(lambda x, a: a * np.exp(-x / 2), own, noise)
    form = fitted_alone(law_of("a*exp(b*x)", ["a", "b"]), np.array([[1.0, -1.0]]), rows)

    form = with_numbers_recognised(with_constants_shared(form, rows), rows)
    law = finished(form, rows)

    assert law.n_own == 1
    assert same_law(to_sympy(law.equation, ["x", "c"]), sympy.sympify("c*exp(-x/2)"))
    np.testing.assert_allclose(law.own[:, 0], own, rtol=0.05)


def test_constants_that_differ_stay_with_their_groups():
    own = np.array([[1.0, 0.3], [1.7, 0.9], [0.5, 0.5]])
    rows = rows_of(lambda x, c: c[:, 0] * np.exp(-c[:, 1] * x), own, 0.01)
    form = fitted_alone(law_of("a*exp(-b*x)", ["a", "b"]), np.array([[1.0, 1.0]]), rows)

    assert with_constants_shared(form, rows).n_own == 2


def test_constants_that_others_make_up_for_go():
    rows = rows_of(lambda x, a: a * np.exp(-x), np.array([1.0, 2.0, 3.0]))
    form = fitted_alone(law_of("a*exp(b - c*x)", ["a", "b", "c"]), np.array([[1.0, 0.1, 1.0]]), rows)

    assert len(without_redundant(form, rows).law.names) == 2
