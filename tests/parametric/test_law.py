"""Laws with named constants."""

import numpy as np
import sympy
from equal_laws import same_law
from parametric_laws import law_of

from sklearn_eql.parametric.law import naming
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.symbolic.reading import from_sympy

x, y, a, b, w = sympy.symbols("x y a b w")


def test_numbers_take_the_place_of_constants():
    law = law_of(a * sympy.exp(-w * x) * y + b, ["x", "y"], ["a", "b", "w"])
    assert same_law(to_sympy(law.with_values([2, 3, 0.5]), ["x", "y"]), 2 * sympy.exp(-x / 2) * y + 3)
    rows = np.random.default_rng(0).normal(size=(10, 2))
    expected = 2 * np.exp(-rows[:, 0] / 2) * rows[:, 1] + 3
    np.testing.assert_allclose(law.evaluate(rows, np.array([2, 3, 0.5])), expected)
    each = np.tile([2, 3, 0.5], (10, 1))
    each[0] = [1, 1, 0]
    assert np.isclose(law.evaluate(rows, each)[0], rows[0, 1] + 1)


def test_coefficients_get_names_and_equal_ones_the_same():
    equation = from_sympy(2.5 * sympy.sin(1.5 * x) - 2.5 * y + 0.25, ["x", "y"])
    law, values = naming(equation, np.ones(len(equation.coefficients()), dtype=bool))
    rows = np.random.default_rng(0).normal(size=(10, 2))
    np.testing.assert_allclose(law.evaluate(rows, values), equation.evaluate(rows))
    assert sorted(map(abs, values.tolist())) == [0.25, 1.5, 2.5]
    assert law.names == ("c0", "c1", "c2")
    np.testing.assert_allclose(law.with_values(values).evaluate(rows), equation.evaluate(rows))


def test_constants_in_which_a_law_is_linear_are_known():
    law = law_of(a * sympy.exp(-w * x) + b * y, ["x", "y"], ["a", "b", "w"])
    assert law.linear == (True, True, False)
    law = law_of(a * b * x + w, ["x"], ["a", "b", "w"])
    assert law.linear == (True, False, True)
