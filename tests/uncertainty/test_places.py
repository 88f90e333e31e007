"""Where a constant stands in a law."""

import pytest
import sympy

from sklearn_eql.uncertainty.places import place_of

x, z, c, d = sympy.symbols("x z c d")


@pytest.mark.parametrize(
    ("law", "place"),
    [
        (c + x, "offset"),
        (c * x**2 + 1, "factor of x**2"),
        (d - c * x * sympy.sin(z), "factor of x*sin(z)"),
        (d * sympy.exp(c * x), "in exp(c*x)"),
        (d * x**c / z, "exponent of x"),
        (d / (x + c) + 1, "in 1/(c + x)"),
        (x / c, "divisor"),
        (sympy.sqrt(c * x + z), "in sqrt(c*x + z)"),
        (c * x + sympy.sin(c * x), "factor of x; in sin(c*x)"),
    ],
)
def test_a_place_is_said_in_words(law, place):
    assert place_of(law, c) == place
