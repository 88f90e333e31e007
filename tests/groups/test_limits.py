"""High powers that are nearly exponentials."""

import numpy as np
import pytest
import sympy

from sklearn_eql.groups.limits import with_exponentials
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic.reading import from_sympy

X = np.linspace(0, 4, 50)[:, None]


@pytest.mark.parametrize("text", ["2*(25 - exp(-x))**110/25**110", "(1 + x/30)**(-60)", "3 + exp(40*log(1 - x/200))"])
def test_a_high_power_is_nearly_an_exponential(text):
    equation = from_sympy(sympy.sympify(text).evalf(), ["x"])
    [near] = with_exponentials(equation, PRIMITIVES)
    assert "exp" in [unit.primitive for unit in near.units]
    assert len(near.coefficients()) < len(equation.coefficients())
    values = equation.evaluate(X)
    np.testing.assert_allclose(near.evaluate(X), values, atol=0.1 * np.ptp(values))


def test_low_powers_and_powers_of_variables_alone_stay():
    for text in ["(1 + x)**3", "x**8", "exp(-x)"]:
        assert not list(with_exponentials(from_sympy(sympy.sympify(text), ["x"]), PRIMITIVES))
