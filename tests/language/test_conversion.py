"""Expressions from and to SymPy, and to equations of the search."""

import numpy as np
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql.language.conversion import from_sympy, to_equation, to_sympy
from sklearn_eql.language.evaluation import evaluate
from sklearn_eql.symbolic import to_sympy as equation_to_sympy

x0, x1 = sympy.symbols("x0 x1")
LAWS = [
    x0**2 + 3 * x0 / 4 - 1,
    sympy.sin(x0) * sympy.exp(-x1) / (1 + x0**2),
    sympy.sqrt(x0) - sympy.log(x1) ** 3,
    x0 ** sympy.Rational(-3, 2) + sympy.cos(2 * x1),
]


@pytest.mark.parametrize("law", LAWS)
def test_a_law_of_sympy_comes_back(law):
    assert same_law(to_sympy(from_sympy(law, (x0, x1))), law, positive=True)


@pytest.mark.parametrize("law", LAWS)
def test_an_equation_is_the_same_law(law):
    expression = from_sympy(law, (x0, x1))
    equation = to_equation(expression, 2)
    assert same_law(equation_to_sympy(equation, ["x0", "x1"]), law, positive=True)
    X = np.array([[0.3, 1.2], [2.0, 0.7]])
    np.testing.assert_allclose(equation.evaluate(X), evaluate([expression], X)[0], rtol=1e-12)


def test_variables_are_numbered_by_name_or_as_asked():
    a, b = sympy.symbols("a b")
    assert from_sympy(a**2 * b**0 + 1, None).count("x0") == 2
    assert set(from_sympy(a - b, (b, a))) >= {"x0", "x1"}
    assert from_sympy(sympy.sin(a), (b, a)) == ("sin", "x1")


@pytest.mark.parametrize("law", [sympy.tan(x0), x0**0.3, sympy.pi * x0, sympy.Abs(x0)])
def test_what_the_vocabulary_lacks_is_refused(law):
    with pytest.raises(ValueError, match="expected sums, products"):
        from_sympy(law)
