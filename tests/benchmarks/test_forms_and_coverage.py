"""Benchmarks of forms and of intervals: what they give to the estimator, and their tables."""

from importlib import import_module

import numpy as np
import pytest
import sympy


@pytest.fixture(scope="module")
def forms():
    return import_module("forms")


@pytest.fixture(scope="module")
def coverage():
    return import_module("coverage")


def test_rows_of_a_form_are_those_of_its_law(forms):
    [problem] = [p for p in forms.FORMS if p.name == "drag"]
    X, y, X_new, _ = forms.rows_of(problem, 0)
    assert (len(X), len(X_new)) == (forms.N_ROWS, forms.N_FURTHER)
    np.testing.assert_allclose(y, 9.81 - 0.3 * X["v"] ** 2)


def test_fits_of_forms_are_not_repeated_and_counted(forms, tmp_path, capsys):
    asked = []

    def fit(problem, noise, seed, budget):
        asked.append(problem.name)
        about = {"problem": problem.name, "noise": noise, "seed": seed, "budget": budget, "law": "x"}
        return about | {"found": problem.name == "drag", "form": False, "error": 0.1, "seconds": 1.0, "cpu": 1.0}

    for _ in range(2):
        forms.main(["--forms", "drag", "sum", "--noise", "0", "--results", str(tmp_path / "some.jsonl")], fit)
    assert sorted(asked) == ["drag", "sum"]
    assert "| 0% | 1 of 2 | 0 of 2 | 1 |" in capsys.readouterr().out


def test_a_given_form_has_the_values_of_the_law(coverage):
    for name, (law, ranges) in coverage.LAWS.items():
        numbers = sorted(sympy.sympify(law).atoms(sympy.Float), key=abs)
        form = coverage.form_of(name).subs({f"k{i}": number for i, number in enumerate(numbers)})
        X, y, _, _ = coverage.rows_of(name, 0)
        values = sympy.lambdify([f"x{i}" for i in range(len(ranges))], form)(*X.T)
        np.testing.assert_allclose(values, y, rtol=1e-9)


def test_slopes_are_compared_with_the_truth(coverage):
    found = {"standard_error": 0.1, "low": 2.2, "high": 2.6}
    records = [{"least_squares": 1.77, "both_known": found, "x_known": None}] * 2
    table = coverage.report_of_slopes(records)
    assert "| least squares | 2 | -0.600 | 0.000 | - | - |" in table
    assert "| errors of x and y known | 2 | +0.030 | 0.000 | 0.100 | 2/2 (100.0%) |" in table
