"""Standard errors and intervals of the constants of a law."""

import numpy as np
import pytest
import sympy

from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.symbolic.reading import from_sympy
from sklearn_eql.uncertainty.constants import Parameters, deviations, rows_of
from sklearn_eql.uncertainty.curvature import Curvature, measure

x, z = sympy.symbols("x z")


def rows(n_rows=40, noise=0.1):
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 2, (n_rows, 1))
    return X, 2.3718 + 1.1327 * X[:, 0] + noise * rng.normal(size=n_rows)


def of_law(equation, X, y, weight, **more):
    """The curvature of a law as it is printed."""
    parameters = Parameters.of(equation)
    return measure(parameters.law, parameters.values, X, y, weight, **more)


def line_of(X, y, weight=None):
    """The line of least squares, and its constants."""
    slope, offset = np.polyfit(X[:, 0], y, 1, w=None if weight is None else np.sqrt(weight))
    equation = from_sympy(slope * x + offset, ["x"])
    return equation, Parameters.of(equation)


def test_errors_of_a_line_are_those_of_the_textbook():
    X, y = rows()
    equation, parameters = line_of(X, y)
    found = {row.place: row for row in rows_of(parameters, of_law(equation, X, y, None), ["x"])}
    _, covariance = np.polyfit(X[:, 0], y, 1, cov=True)
    np.testing.assert_allclose(found["factor of x"].standard_error, np.sqrt(covariance[0, 0]), rtol=1e-6)
    np.testing.assert_allclose(found["offset"].standard_error, np.sqrt(covariance[1, 1]), rtol=1e-6)
    one = found["offset"]
    assert one.high - one.value == pytest.approx(2.0244 * one.standard_error, rel=1e-4)  # Student's with 38


def test_weights_compare_rows_and_their_scale_does_not_matter():
    X, y = rows()
    weight = np.random.default_rng(1).uniform(0.2, 3, len(y))
    equation, parameters = line_of(X, y, weight)
    one, two = (rows_of(parameters, of_law(equation, X, y, w, n_rows=40), ["x"]) for w in (weight, 7 * weight))
    _, covariance = np.polyfit(X[:, 0], y, 1, w=np.sqrt(weight), cov=True)
    np.testing.assert_allclose(one[1].standard_error, np.sqrt(covariance[0, 0]), rtol=1e-6)
    np.testing.assert_allclose([r.standard_error for r in one], [r.standard_error for r in two])


def test_known_errors_are_taken_as_they_are():
    X, y = rows()
    equation, parameters = line_of(X, y)
    curvature = of_law(equation, X, y, np.full(40, 0.1), scale=0.5**-2 / 0.1)
    design = np.column_stack([np.ones(40), X[:, 0]])
    expected = 0.5 * np.sqrt(np.diagonal(np.linalg.inv(design.T @ design)))
    found = rows_of(parameters, curvature, ["x"])
    np.testing.assert_allclose([r.standard_error for r in found], expected)
    assert found[0].high - found[0].value == pytest.approx(1.959964 * expected[0])
    assert curvature.chi_square() == pytest.approx(np.sum((y - equation.evaluate(X)) ** 2) / 0.25)


def test_equal_numbers_are_one_constant():
    equation = from_sympy(1.2345678 * x + 1.2345678 * z, ["x", "z"])
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = equation.evaluate(X) + 0.1 * np.random.default_rng(1).normal(size=30)
    [row] = rows_of(Parameters.of(equation), of_law(equation, X, y, None), ["x", "z"])
    total = X.sum(axis=1)
    left = y - equation.evaluate(X)
    step = total @ left / (total @ total)
    assert row.standard_error == pytest.approx(np.sqrt(np.sum((left - step * total) ** 2) / 29 / (total @ total)))


def test_a_recognised_constant_is_held_and_has_the_interval_it_would_have():
    X, y = rows()
    equation = from_sympy(sympy.Rational(23, 10) * x + 1.234567, ["x"])
    parameters = Parameters.of(equation)
    curvature = of_law(equation, X, y, None)
    fitted, held = rows_of(parameters, curvature, ["x"])
    assert (fitted.name, held.name, held.exact) == ("c0", "2.3", sympy.Float("2.3"))
    (slope, _), covariance = np.polyfit(X[:, 0], y, 1, cov=True)
    assert held.standard_error == pytest.approx(np.sqrt(covariance[0, 0]))
    assert (held.low + held.high) / 2 == pytest.approx(slope)
    assert fitted.standard_error == pytest.approx(np.sqrt(covariance[1, 1]))
    fitted, again = rows_of(parameters, curvature, ["x"], certain=True)
    assert again == held
    left = y - equation.evaluate(X)
    assert fitted.standard_error == pytest.approx(left.std(ddof=1) / np.sqrt(len(y)))


def test_constants_of_a_form_keep_their_names():
    a, k = sympy.symbols("a k")
    form = ParametricLaw(from_sympy(a * sympy.exp(-k * x), ["x", "a", "k"]), ("a", "k"), (False, False))
    X, _ = rows()
    y = 2 * np.exp(-0.345678 * X[:, 0]) + 0.1 * np.random.default_rng(0).normal(size=len(X))
    parameters = Parameters.of_form(form, [2.0, 0.34567891])
    rate, height = rows_of(parameters, measure(form, parameters.values, X, y, None), ["x"])
    assert (rate.name, rate.place, rate.exact) == ("k", "in exp(-k*x)", None)
    assert (height.name, height.place, height.exact) == ("a", "factor of exp(-k*x)", 2)
    assert height.low < 2 < height.high


def test_what_the_rows_do_not_determine_is_infinite():
    X = np.ones((20, 2)) * np.linspace(1, 2, 20)[:, None]  # two columns that are the same
    equation = from_sympy(1.234567 * x + 2.345678 * z + 0.3456789, ["x", "z"])
    y = equation.evaluate(X) + 0.1 * np.random.default_rng(0).normal(size=20)
    found = {row.place: row for row in rows_of(Parameters.of(equation), of_law(equation, X, y, None), ["x", "z"])}
    assert found["factor of x"].standard_error == found["factor of z"].high == np.inf
    assert np.isfinite(found["offset"].standard_error)
    few = of_law(equation, X[:3], y[:3], None)
    assert all(row.standard_error == np.inf for row in rows_of(Parameters.of(equation), few, ["x", "z"]))


def test_many_rows_are_sampled_and_counted_in_full(monkeypatch):
    X, y = rows(4000)
    equation, parameters = line_of(X, y)
    full = rows_of(parameters, of_law(equation, X, y, None), ["x"])
    monkeypatch.setattr("sklearn_eql.uncertainty.curvature.BLOCK", 100)
    some = rows_of(parameters, of_law(equation, X, y, None), ["x"])
    np.testing.assert_allclose([r.standard_error for r in some], [r.standard_error for r in full], rtol=0.1)


def test_deviations_are_those_of_the_delta_method():
    X, y = rows()
    equation, parameters = line_of(X, y)
    found = deviations(parameters, of_law(equation, X, y, None), np.array([[0.5], [9.0]]))
    _, covariance = np.polyfit(X[:, 0], y, 1, cov=True)
    expected = [np.sqrt(np.array([at, 1]) @ covariance @ [at, 1]) for at in (0.5, 9.0)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_size_of_numbers_does_not_matter():
    X, y = rows()
    _, parameters = line_of(X, y)
    plain = rows_of(parameters, measure(parameters.law, parameters.values, X, y, None), ["x"])
    slope, offset = np.polyfit(X[:, 0], y, 1)
    large = from_sympy(slope * 1e250 * x + offset * 1e150, ["x"])
    found = rows_of(Parameters.of(large), of_law(large, X * 1e-100, y * 1e150, None), ["x"])
    assert found[0].standard_error == pytest.approx(1e150 * plain[0].standard_error)
    assert found[1].standard_error == pytest.approx(1e250 * plain[1].standard_error)


def test_without_rows_errors_are_unknown():
    _, parameters = line_of(*rows())
    assert all(np.isnan(row.standard_error) for row in rows_of(parameters, Curvature.unknown(2), ["x"]))
