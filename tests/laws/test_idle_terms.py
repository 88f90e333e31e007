"""What a search cannot leave out, because it sees scaled columns, goes in the user's units."""

import numpy as np
import pytest
from symbolic_laws import equation_of

from sklearn_eql.laws.idle_terms import without_idle_terms
from sklearn_eql.laws.judging import Table
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.symbolic import canonicalize, to_sympy

NAMES = ["T", "a", "b"]


def table(offset):
    rng = np.random.default_rng(0)
    X = rng.uniform([280, 1, 1], [330, 150, 150], (80, 3))
    y = 8.6e-5 * X[:, 0] * (np.log(X[:, 1] / X[:, 2]) + offset) + 6e-4 * rng.standard_normal(80)
    return Table(X, y, None, Scaling.of(X, y), PRIMITIVES, 0)


@pytest.mark.parametrize(("offset", "stays"), [(0.0, False), (0.1, True)])
def test_a_constant_that_scales_make_goes_and_another_stays(offset, stays):
    rows = table(offset)
    law = canonicalize(equation_of("8.6e-5*T*(log(a) - log(b) + 0.002)", NAMES))
    loose, loss = rows.refit(law, np.ones(len(law.coefficients()), dtype=bool))
    shorter, left = without_idle_terms(loose, loss, rows)
    assert (len(shorter.coefficients()) == len(law.coefficients())) == stays
    assert loss <= left < 1.1 * loss
    assert to_sympy(shorter, NAMES).free_symbols == to_sympy(law, NAMES).free_symbols


def test_other_terms_are_for_the_search_to_leave_out():
    rows = table(0.0)
    law = canonicalize(equation_of("8.6e-5*T*(log(a) - log(b)) + 1e-9*a + 1e-6", NAMES))
    assert without_idle_terms(law, rows.loss(law), rows)[0] == law
