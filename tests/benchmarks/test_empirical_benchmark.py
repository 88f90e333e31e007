"""The benchmark of measured data: its data sets, its rule for the right form, its records and its report."""

import json
import pickle
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import sympy


@pytest.fixture(scope="module")
def rule():
    return import_module("_reference_form")


@pytest.fixture(scope="module")
def empirical():
    return import_module("empirical")


@pytest.fixture(scope="module")
def has_form(rule):
    """Whether a law in x has the form of a template with these constants, on x from 0.2 to 8."""
    X = np.linspace(0.2, 8.0, 60)[:, None]

    def check(law, template, *constants, unexplained=1e-3):
        named = {f"c{k}": value for k, value in enumerate(constants, start=1)}
        form = rule.ReferenceForm(sympy.sympify(template), ["x"], named, unexplained)
        return pickle.loads(pickle.dumps(form)).is_form_of(sympy.sympify(law), X)

    return check


@pytest.mark.parametrize("law", ["366.6*x**(3/2)", "2*x**1.5", "-0.01*sqrt(x**3)", "exp(1.5*log(x) + 5.9)"])
def test_a_law_with_the_power_has_the_form_whatever_its_factor_and_spelling(has_form, law):
    assert has_form(law, "c1*x**(3/2)", 366.651)


@pytest.mark.parametrize("law", ["366.6*x**(3/2) + 3*x", "366.6*x**1.51", "366.6*x**2", "366.6", "366.6*x**(3/2) + 1"])
def test_a_term_more_or_another_power_is_another_form(has_form, law):
    assert not has_form(law, "c1*x**(3/2)", 366.651)


def test_a_term_that_explains_a_part_of_the_residuals_is_not_within_the_tolerance(has_form):
    law = "366.6*x**(3/2) + x/30"  # some 1e-11 of the variance
    assert has_form(law, "c1*x**(3/2)", 366.651)
    assert not has_form(law, "c1*x**(3/2)", 366.651, unexplained=1e-11)


@pytest.mark.parametrize("law", ["2 + 3*x", "2 + 3*x + x**2/10", "5.0", "0.1*exp(0.7*x) + x/10"])
def test_a_reference_that_degenerates_is_not_the_form(has_form, law):
    assert not has_form(law, "c1 + c2*exp(c3*x)", 0.4, 0.14, 0.7)
    assert has_form("0.43 + 0.14*2.01**x", "c1 + c2*exp(c3*x)", 0.4, 0.14, 0.7)


def test_a_missing_term_is_another_form(has_form):
    assert not has_form("1 - 2*log(x)", "c1 + c2*log(x) + c3*x", -2.0, -1.2, -0.1)
    assert not has_form("0.2*x", "log(1/(c1 + exp(-c2*x)))", 0.03, 0.23)
    assert has_form("-log(0.05 + exp(-x/5))", "log(1/(c1 + exp(-c2*x)))", 0.03, 0.23)


def test_laws_that_are_undefined_where_the_reference_is_not_have_another_form(has_form):
    assert not has_form("sqrt(x - 1)", "c1*x", 1.0)
    assert not has_form("sqrt(x - 9)", "c1*x", 1.0)
    assert has_form("2*log(x - 1)", "c1*log(x - 1)", 3.0)  # the rows below 1 say nothing


def write_folder(folder):
    for name in ("first_principles", "nist"):
        (folder / name).mkdir()
    x = np.array([1.0, 2.0, 3.0, 5.0, 700.0])
    pd.DataFrame({"x": x, "target": 2 * x + [0.1, -0.1, 0.1, -0.1, 0.0]}).to_csv(
        folder / "first_principles" / "line.csv", index=False
    )
    (folder / "first_principles" / "laws.csv").write_text(
        "name,rows,reference_law,fitted_constants,unexplained_variance,target,source\n"
        'line,5,{c1}*x,2.0,1e-3,"y, m",EmpiricalBench (somewhere)\n'
    )
    pd.DataFrame({"x": x + 0.5, "y": np.exp(3 - 0.1 * x)}).to_csv(folder / "nist" / "decay.csv", index=False)
    (folder / "nist" / "laws.csv").write_text(
        "name,rows,certified_law,certified_constants,residual_sum_of_squares\ndecay,5,log(y) = b1 - b2*x,3.05;0.1,0.0\n"
    )
    return folder


def test_data_sets_are_read_and_rows_are_drawn_in_their_range(empirical, tmp_path):
    line, decay = empirical.data_sets(write_folder(tmp_path))
    assert (line.suite, line.name, line.reference.constants) == ("EmpiricalBench", "line", {"c1": 2.0})
    assert line.reference_rss == pytest.approx(0.04)
    np.testing.assert_allclose(decay.y, 3 - 0.1 * (decay.X["x"] - 0.5))
    rows = line.judging_rows()
    assert np.all(rows == np.rint(rows))  # counts stay counts
    times = decay.judging_rows()
    assert len(times) == 205
    assert times.min() == 1.5
    assert times.max() == 700.5
    assert 10 < np.median(times) < 100  # log-uniform over decades


def test_measured_sets_have_references_that_judge_themselves_right(empirical, data_dir):
    if missing := [name for name in ("first_principles", "nist") if not (data_dir / name).is_dir()]:
        pytest.skip(f"{', '.join(missing)} not in {data_dir}")
    sets = empirical.data_sets(data_dir)
    assert [sum(data.suite == suite for data in sets) for suite in ("EmpiricalBench", "MvSR", "nist")] == [10, 3, 9]
    for data in sets:
        law = data.reference.template.subs(data.reference.constants)
        assert data.reference.is_form_of(law, data.judging_rows()), data.name
        extra = law + 0.1 * float(np.std(data.y)) * sympy.cos(sympy.Symbol(data.X.columns[0]) / data.X.iloc[:, 0].std())
        assert not data.reference.is_form_of(extra, data.judging_rows()), data.name


def test_a_fit_is_recorded_once_and_reported(empirical, tmp_path, capsys):
    folder, results = write_folder(tmp_path), tmp_path / "results.jsonl"
    line, decay = empirical.data_sets(folder)
    job = empirical.Job(line, seed=0, budget=1.0, facts={"commit": "abc"})
    right = empirical.judge(job, job.record(law="2*x", seconds=1.0, complexity=3), [sympy.sympify("2*x")])
    assert right["form"]
    assert right["rss_ratio"] == pytest.approx(1.0)
    other = empirical.Job(decay, seed=0, budget=1.0)
    laws = [sympy.sympify("3.0"), sympy.sympify("3.05 - 0.1*x")]
    wrong = empirical.judge(other, other.record(law="3.0", seconds=1.0, complexity=1), laws)
    assert (wrong["form"], wrong["in_table"]) == (False, True)
    results.write_text("".join(json.dumps(record) + "\n" for record in (right, wrong)))
    arguments = ["--data", str(folder), "--seeds", "1", "--budget", "1", "--results", str(results)]
    empirical.main(arguments)  # nothing is left to do
    text = results.with_suffix(".md").read_text()
    assert "- EmpiricalBench: 1 of 1 fits select the reference's form; 1 have it in the table." in text
    assert "- nist: 0 of 1 fits select the reference's form; 1 have it in the table." in text
    assert len(results.read_text().splitlines()) == 2
    with pytest.raises(SystemExit):
        empirical.main([*arguments, "--problems", "nowhere"])
    assert "no data set or suite nowhere" in capsys.readouterr().err


LAWS = {
    "0.5 - 1.5*exp(-0.02*x)": 3,
    "100*exp(-0.002*(x - 67)**2) + exp(-x)": 3,
    "3*sin(pi*x/6 + 1.2)": 3,
    "x**2 - 1/x + sqrt(x)": 0,
    "x**1.23 - 2*x": 2,
}


@pytest.mark.parametrize("law", LAWS)
def test_constants_are_the_numbers_of_a_law(empirical, law):
    assert empirical.n_constants(sympy.sympify(law)) == LAWS[law]


def test_the_deviation_is_that_of_laws_with_no_more_constants(empirical, tmp_path):
    line, _ = empirical.data_sets(write_folder(tmp_path))
    laws = [sympy.sympify(law) for law in ("2.01*x", "2*x + 0.001*x**2 - 0.002")]
    left_over = 2.01 * line.X.to_numpy()[:, 0] - line.y
    wanted = np.sqrt(left_over @ left_over / (len(line.y) - 1))
    assert empirical.best_deviation(line, laws) == pytest.approx(wanted)
    assert empirical.best_deviation(line, laws[1:]) == np.inf
