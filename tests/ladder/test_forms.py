"""Shapes of laws: what is enumerated is complete, and every start is defined on all rows."""

import numpy as np
import pytest

from sklearn_eql.ladder import forms
from sklearn_eql.ladder.screening import log_monomials
from sklearn_eql.ladder.term_generator import TermGenerator
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure

X = np.random.default_rng(0).uniform(1, 3, (80, 3))


def generator_of(x, y):
    problem = make_problem(
        x,
        y,
        None,
        Scaling.of(x, y),
        primitives=PRIMITIVES,
        copies=PRESETS["default"],
        max_depth=2,
        max_rows=100,
        seed=0,
    )
    signed = [f for f, sign in enumerate(problem.signs) if sign]
    hints = log_monomials(problem.X.numpy(), problem.y.numpy(), signed, problem.x_units)
    return TermGenerator(problem, np.random.default_rng(0), hints, 1.0)


@pytest.fixture
def generator():
    return generator_of(X, X[:, 0] * X[:, 1] / X[:, 2])


def values(generator, terms):
    """What a sum of terms is on the rows."""
    editable = EditableStructure(Structure(3, (), ()))
    editable.output = [list(term) for term in terms]
    return editable.equation().evaluate(generator.rows)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_products_are_all_there_are_up_to_the_degree(generator, degree):
    found = forms.products(generator, degree)
    assert len(found) == forms.n_products(generator, degree)
    assert all(len(features) <= degree for features in found)
    for features, source in found.items():
        expected = np.prod([generator.rows[:, f - 1] for f in features], axis=0)
        np.testing.assert_allclose(values(generator, [[source, 1.0]]), np.broadcast_to(expected, 80), rtol=1e-12)


def test_a_polynomial_has_a_coefficient_for_every_product(generator):
    plain, scaled = (forms.polynomial(generator, 2, with_base) for with_base in (False, True))
    assert len(plain) == len(scaled) == forms.n_products(generator, 2)
    columns = np.column_stack([values(generator, [term]) for term in plain])
    target = (generator.rows[:, 0] - 2 * generator.rows[:, 1]) * (generator.rows[:, 2] + 1)
    fitted = columns @ np.linalg.lstsq(columns, target)[0]
    np.testing.assert_allclose(fitted, target, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shift", [0.0, 2.0], ids=["of one sign", "of both signs"])
def test_denominators_start_where_they_vanish_on_no_row(shift):
    rows = X - shift
    generator = generator_of(rows, rows[:, 0] * rows[:, 1])
    found = list(forms.rational_forms(generator))
    assert len(found) > 100
    for terms in found:
        assert np.isfinite(values(generator, terms)).all()


@pytest.mark.parametrize("n_terms", [1, 3])
def test_a_sum_of_powers_has_a_constant_and_as_many_monomials(generator, n_terms):
    (constant, _), *monomials = forms.power_sum(generator, n_terms)
    assert constant == 0
    assert len(monomials) == n_terms
    assert all((values(generator, [term]) > 0).all() for term in monomials)


def test_what_is_repeated_is_drawn_anew(generator):
    drawn = list(forms.repeated(forms.factored_sum, 5)(generator))
    assert len(drawn) == 5
    assert len({values(generator, terms).tobytes() for terms in drawn}) > 1
