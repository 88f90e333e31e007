"""Constants as a reader expects them."""

import numpy as np
import pytest
import sympy

from sklearn_eql.forms.fitted import with_plain_constants
from sklearn_eql.forms.form import read_form
from sklearn_eql.parametric.fit import fit_constants
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES

x, a, p, w = sympy.symbols("x a p w")


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"a": 2.0, "p": 0.5 + 20 * np.pi, "w": 1.5}, {"a": 2.0, "p": 0.5, "w": 1.5}),
        ({"a": -2.0, "p": 0.5 - 3 * np.pi, "w": 1.5}, {"a": 2.0, "p": 0.5, "w": 1.5}),
        ({"a": -2.0, "p": -0.5, "w": -1.5}, {"a": 2.0, "p": 0.5, "w": 1.5}),
    ],
)
def test_phases_are_small_and_amplitudes_positive(given, expected, noise):
    form = read_form(a * sympy.sin(w * x + p), ["x"])
    law = form.law()
    X = np.linspace(0, 9, 50)[:, None]
    values = np.array([given[name] for name in law.names])
    y = law.evaluate(X, values) + noise * np.random.default_rng(0).normal(size=50)
    rows = GroupedRows.of(X, y)
    fit = fit_constants(law, rows, values, np.empty((1, 0)))
    found = with_plain_constants(law, rows, fit.shared, fit.squared_error, PRIMITIVES, range(3))
    np.testing.assert_allclose(law.evaluate(X, found), law.evaluate(X, fit.shared), atol=1e-8)
    named = dict(zip(law.names, found.tolist(), strict=True))
    assert named == pytest.approx(expected, abs=0.1)
