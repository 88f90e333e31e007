"""The comparison of methods: its rows, its judge, its records and its report."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sympy


@pytest.fixture(scope="module")
def tasks():
    return import_module("compare.tasks")


@pytest.fixture(scope="module")
def measure():
    return import_module("compare.measure")


@pytest.fixture(scope="module")
def methods():
    return import_module("compare.methods")


@pytest.fixture(scope="module")
def report():
    return import_module("compare.report")


@pytest.fixture
def square(tasks):
    physics = import_module("_physics")
    return tasks.KnownLaw(physics.Problem("own", "square", 1, sympy.Symbol("x") ** 2, {"x": (0.0, 1.0)}, by_error=True))


@pytest.fixture
def kepler(tasks):
    """A measured law of thirty rows."""
    forms, empirical = import_module("_reference_form"), import_module("_empirical")
    a, c = sympy.symbols("a c1")
    X = pd.DataFrame({"a": np.geomspace(1, 30, 30)})
    form = forms.ReferenceForm(c * a ** sympy.Rational(3, 2), ["a"], {"c1": 365.0}, 1e-6)
    return tasks.MeasuredLaw(empirical.DataSet("MvSR", "kepler", X, 365 * X["a"].to_numpy() ** 1.5, form))


def test_rows_inside_are_in_the_range_of_training_and_those_outside_leave_it(square):
    X, y = square.training(0, 0.0)
    np.testing.assert_allclose(y, X["x"] ** 2)
    inside, outside = square.inside(0)[0], square.outside(0)[0]
    assert len(inside) == len(outside) == 1000
    assert ((inside >= 0) & (inside <= 1)).all()
    assert ((outside < X["x"].min()) | (outside > X["x"].max())).all()
    assert outside.min() >= -0.5
    assert outside.max() <= 1.5


def test_the_rows_of_a_measured_law_are_divided_into_three_parts(kepler):
    X, y = kepler.training(0, 0.0)
    inside, outside = kepler.inside(0), kepler.outside(0)
    assert len(y) + len(inside[1]) + len(outside[1]) == 30
    assert len(inside[1]) == 5
    assert outside[0].min() > X["a"].max()
    with pytest.raises(ValueError, match="its noise is its own"):
        kepler.training(0, 0.1)


def test_laws_are_recovered_by_error_or_by_form(square, kepler):
    x, a = sympy.symbols("x a")
    assert square.recovers(x**2, 0, 0.0)
    assert not square.recovers(1.001 * x**2, 0, 0.0)
    assert kepler.recovers(364.9 * a**1.5, 0, 0.0)
    assert not kepler.recovers(364.9 * a**1.5 + 1, 0, 0.0)


def test_errors_are_shares_and_what_is_not_finite_is_undefined(measure, methods):
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 1.0])
    assert measure.relative_error(methods.Fitted(lambda rows: np.full(len(rows), 1.5)), (X, y)) == pytest.approx(0.5)
    assert measure.relative_error(methods.Fitted(lambda rows: np.log(rows[:, 0] - 1)), (X, y)) == "undefined"
    assert measure.relative_error(methods.Fitted(lambda rows: rows[:, 0]), (X[:0], y[:0])) is None


def test_a_fit_is_recorded_with_its_costs_and_judged(measure, square):
    record, fitted = measure.fit(measure.Job("polynomial + lasso", square, 0.0, 0, 1.0))
    assert record["memory"] > 1  # MiB
    assert record["complexity"] > 1
    judged = measure.judge(measure.Job("polynomial + lasso", square, 0.0, 0, 1.0), record, fitted)
    law = sympy.sympify(judged["law"])
    X, _ = square.inside(0)
    values = sympy.lambdify(sympy.Symbol("x"), law)(X[:, 0])
    np.testing.assert_allclose(fitted.predict(X), values, rtol=1e-6, atol=1e-9)
    assert judged["inside"] < 0.1


def test_a_method_that_raises_is_recorded_as_such(measure, methods, square, monkeypatch):
    def fail(X, y, seed, budget):
        raise ValueError("no such luck")

    monkeypatch.setitem(methods.METHODS, "gplearn", methods.Method("gplearn", "gplearn", "", fail))
    job = measure.Job("gplearn", square, 0.0, 0, 1.0)
    record, fitted = measure.fit(job)
    assert record["failure"] == "ValueError: no such luck"
    assert not measure.judge(job, record, fitted)["recovered"]


def test_programs_of_gplearn_are_read_as_expressions(methods):
    def function(name, arity):
        return SimpleNamespace(name=name, arity=arity)

    program = [function("add", 2), function("mul", 2), 0, 2.5, function("sqrt", 1), 1]
    a, b = sympy.symbols("a b")
    assert methods.gplearn_law(program, ["a", "b"]) == 2.5 * a + sympy.sqrt(sympy.Abs(b))


def _record(method, problem, **found):
    nothing = {"law": None, "complexity": None, "inside": None, "outside": None, "recovered": False, "failure": None}
    costs = {"seconds": 2.0, "cpu": 1.0, "memory": 300.0, "memory_before": 200.0}
    about = {"method": method, "group": "suites", "suite": "nguyen", "problem": problem}
    setting = {"noise": 0.0, "seed": 0, "budget": 3.0, "commit": "abc", "versions": {"gplearn": "0.4"}}
    return about | setting | costs | nothing | found


def test_the_report_compares_what_all_methods_have_had(report, tmp_path):
    records = [
        _record("gplearn", "a", inside=1e-3, outside=0.5, complexity=9),
        _record("boosted trees", "a", inside=1e-2, outside=2.0, complexity=100),
        _record("gplearn", "b", inside=1e-9, outside=1e-9, complexity=5, recovered=True),
        _record("gplearn", "b", inside=1e-9, outside="undefined", complexity=5),  # the last one counts
        _record("boosted trees", "b", failure="ValueError: no"),
        _record("gplearn", "c", inside=1.0, outside=1.0, complexity=1),  # the trees have not had this one
    ]
    text = report.report(records)
    assert "## Suites: 2 problems, 1 seed, 3 s per fit" in text
    assert "| gplearn | 0 of 2 | 5.0e-04 | undefined | 1 | 7 |" in text
    assert "| boosted trees | no law | undefined | undefined | 0 |" in text
    assert "| gplearn | 0.4 |" in text
    assert "| pykan | not " in text
    report.draw(records, tmp_path / "compare.png")
    assert (tmp_path / "compare.png").stat().st_size > 10_000


def test_a_finished_comparison_is_only_reported(measure, square, tmp_path, monkeypatch, capsys):
    main = import_module("compare.__main__")
    monkeypatch.setattr(main, "wanted", lambda args: [square])
    results = tmp_path / "compare.jsonl"
    job = measure.Job("boosted trees", square, 0.0, 0, 2.0)
    main.append_record(results, job.record(seconds=1.0, inside=0.1, outside=1.0, complexity=10, versions={}))
    main.main(["--methods", "boosted trees", "--budget", "2", "--results", str(results)])
    assert len(results.read_text().splitlines()) == 1
    assert "boosted trees" in results.with_suffix(".md").read_text()
    assert "written" in capsys.readouterr().out
