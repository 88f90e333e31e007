"""How complex structures are once they are printed, told before that."""

import numpy as np
import pytest
import sympy

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.printed_complexity import printed_at_best
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import rescale
from sklearn_eql.symbolic.reading import from_sympy

UNITS = np.array([1.7, 0.6]), 3.1  # of the search


def structure(text):
    equation = rescale(from_sympy(sympy.sympify(text), ["x", "z"]), 1 / UNITS[0], 1 / UNITS[1])
    return Structure.from_equation(equation, np.ones(len(equation.coefficients()), dtype=bool))


@pytest.mark.parametrize(
    ("text", "complexity"),
    [
        ("2.7*x", 3),
        ("x*z + 3.7*x", 5),  # x*(z + 3.7)
        ("3.1*x**1.4998/z", 6),  # a power of 3/2
        ("2.5*x + 2.5*z", 7),
        ("sin(2.2*x) + exp(-z)", 8),
    ],
)
def test_a_law_is_as_complex_as_it_is_printed(text, complexity):
    assert printed_at_best(structure(text), complexity, UNITS, PRIMITIVES) <= complexity
    assert printed_at_best(structure(text), complexity - 2, UNITS, PRIMITIVES) > complexity - 2
