"""Laws of one form, in any spelling."""

import numpy as np
import sympy

from sklearn_eql.symbolic.reading import from_sympy
from sklearn_eql.uncertainty.same_form import forms_of

x = sympy.Symbol("x")
X = np.linspace(0.1, 2, 30)[:, None]


def test_spellings_of_a_form_are_one_and_other_forms_are_not():
    laws = [
        1.31 * x**2 - 2.63 * x + 0.71,
        2.1 * (x - 0.4) ** 2 + 1.7,
        1.7 * sympy.exp(-0.3 * x) + 0.2,
        1.4 * x**2 + 0.3 * x,
    ]
    found = forms_of([from_sympy(law, ["x"]) for law in laws], X)
    assert [first for first, _ in found] == [0, 2, 3]
    values = found[0][1].values
    np.testing.assert_allclose(np.sort(values[1]), np.sort([2.1, -2 * 2.1 * 0.4, 2.1 * 0.16 + 1.7]), rtol=1e-5)
