"""The benchmark of physical laws: its problems, its rule, its worker processes and its report."""

import json
import os
import sys
import time
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import sympy
from written_laws import untrained

from sklearn_eql.language import save_weights
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.reading import from_sympy
from sklearn_eql.units.inference import Inference
from sklearn_eql.units.reading import read_units

N_PROBLEMS = {
    "feynman": 100,
    "strogatz": 14,
    "nguyen": 12,
    "keijzer": 15,
    "livermore": 25,
    "constant": 10,
    "koza": 2,
    "meier": 2,
    "nonic": 1,
    "neat": 8,
    "sine": 1,
    "grammarvae": 1,
    "poly": 6,
    "pagie": 1,
    "fastsrb": 120,
    "further": 41,
    "textbook": 58,
    "handbook": 30,
}


@pytest.fixture(scope="module")
def problems_module():
    return import_module("_physics")


@pytest.fixture(scope="module")
def rule():
    return import_module("_recovered")


@pytest.fixture(scope="module")
def physics():
    return import_module("physics")


@pytest.fixture(scope="module")
def suites(problems_module, data_dir):
    if missing := [name for name in ("feynman", "strogatz", "suites") if not (data_dir / name).is_dir()]:
        pytest.skip(f"{', '.join(missing)} not in {data_dir}")
    return {suite: load(data_dir) for suite, load in problems_module.SUITES.items()}


@pytest.fixture(scope="module")
def make_problem(problems_module):
    """A problem from a formula; variables are in [1, 5] unless a range is given."""

    def make(formula, **ranges):
        law = problems_module.parse(formula)
        ranges = {s.name: (1.0, 5.0) for s in sorted(law.free_symbols, key=str)} | ranges
        return problems_module.Problem("made up", formula, 0, law, ranges)

    return make


# --- Problems


def test_every_problem_loads_and_its_rows_are_finite(suites):
    assert {suite: len(problems) for suite, problems in suites.items()} == N_PROBLEMS
    for problem in (p for problems in suites.values() for p in problems):
        X, y = problem.training(seed=0)
        assert len(X) == len(y) == (400 if problem.suite == "strogatz" else problem.n_train)
        assert list(X.columns) == problem.variables
        fresh, truth = problem.fresh(seed=0)
        assert fresh.shape == (1_000, len(problem.variables))
        assert np.isfinite(y).all()
        assert np.isfinite(truth).all()


def test_halves_alternate_in_file_order(suites):
    halves = {p.name: p.half for p in suites["feynman"]}
    assert [halves[name] for name in ("I.6.2a", "I.6.2", "I.6.2b")] == ["tuning", "held-out", "tuning"]
    assert sum(half == "tuning" for half in halves.values()) == 50
    assert [p.half for p in suites["strogatz"]] == ["tuning", "held-out"] * 7


def test_rows_with_a_wrong_number_of_variables_are_read_by_their_names(suites):
    by_name = {p.name: p for p in suites["feynman"]}
    assert by_name["III.10.19"].variables == ["mom", "Bx", "By", "Bz"]
    assert by_name["II.37.1"].variables == ["mom", "B", "chi"]


def test_formulas_of_the_strogatz_suite_give_its_column_of_derivatives(suites):
    for problem in suites["strogatz"]:
        X, y = problem.training(seed=0)
        assert X.columns.tolist() == ["x", "y"]
        np.testing.assert_allclose(problem.evaluate(X.to_numpy()), y, rtol=1e-9, atol=1e-11 * np.abs(y).max())


def test_names_of_sympy_are_plain_symbols(problems_module):
    law = problems_module.parse("I*E_n/S + ln(gamma)*arcsin(beta*N) - 1/2*Q**2*lambd*pi")
    assert {s.name for s in law.free_symbols} == {"I", "E_n", "S", "gamma", "beta", "N", "Q", "lambd"}
    with pytest.raises(ValueError, match=r"formula 'open\(x\)': cannot read 'open\(x\)'"):
        problems_module.parse("open(x)")


def test_a_formula_must_use_the_named_variables(problems_module):
    with pytest.raises(ValueError, match=r"the formula has \['x', 'y'\], the file names \['x'\]"):
        problems_module.Problem("made up", "p", 0, problems_module.parse("x*y"), {"x": (1, 5)})


def test_widened_ranges_keep_their_centre_and_undefined_rows_are_drawn_again(make_problem):
    problem = make_problem("sqrt(x) + y", y=(-3.0, -1.0))
    X, _ = problem.sample(2_000, np.random.default_rng(0))
    np.testing.assert_allclose([X.min(axis=0), X.max(axis=0)], [[1, -3], [5, -1]], atol=0.02)
    X, y = make_problem("sqrt(x - 1) + y", y=(-3.0, -1.0)).sample(2_000, np.random.default_rng(0), widen=0.5)
    np.testing.assert_allclose([X.min(axis=0), X.max(axis=0)], [[1, -3.5], [6, -0.5]], atol=0.02)
    assert np.isfinite(y).all()
    with pytest.raises(ValueError, match="the law is finite on 0 of"):
        make_problem("sqrt(0 - x)").sample(10, np.random.default_rng(0))


def test_noise_is_a_fraction_of_the_root_mean_square_and_leaves_the_rows(make_problem):
    problem = make_problem("x*y")
    X, y = problem.training(seed=3)
    noisy_X, noisy = problem.training(seed=3, noise=0.1)
    assert X.equals(noisy_X)
    assert np.std(noisy - y) == pytest.approx(0.1 * np.sqrt(np.mean(y**2)), rel=0.1)
    assert not X.equals(problem.training(seed=4)[0])


def test_a_missing_data_folder_is_named(problems_module, monkeypatch, tmp_path):
    monkeypatch.delenv("SKLEARN_EQL_DATA", raising=False)
    with pytest.raises(ValueError, match="name their folder with --data or SKLEARN_EQL_DATA"):
        problems_module.data_folder()
    with pytest.raises(ValueError, match="there is no folder"):
        problems_module.data_folder(tmp_path / "nowhere")


# --- The rule

SYMBOLS = {name: sympy.Symbol(name) for name in ("x", "y", "q", "r", "a", "b", "c", "t", "I", "E_n")}

SAME = [
    ("0.0796*q/r", "q/(4*pi*r)"),
    ("x**2 - 2*x*y + y**2", "(x-y)**2"),
    ("1.0003*x**2 - 1.9998*x*y + 0.9997*y**2", "(x-y)**2"),
    ("(1.0003*x - 0.9998*y)**2.0001", "x**2 - 2*x*y + y**2"),
    ("0.39894*sqrt(a)", "sqrt(0.159*a)"),
    ("7*sqrt(0.159*a)", "sqrt(a/(2*pi))"),
    ("x*y + 0.3", "x*y"),
    ("-3*x*y", "x*y"),
    ("a*b/(1.0002*b + c*a)", "1/(1/a + c/b)"),
    ("3*a*b/(0.0004*b + 0.0004*c*a)", "1/(1/a + c/b)"),
    ("x/sqrt(39.478 - 39.479*y**2)", "x/sqrt(1-y**2)"),
    ("x**0.49996*y**-1.0003", "sqrt(x)/y"),
    ("Abs(x)*sqrt(y**2)", "x*y"),
    ("cos(t - 1.5708)*a + 1e-5*a", "a*sin(t)"),
    ("2.0002*sin(t)*cos(t)", "sin(2*t)"),
    ("a*(1 - cos(2*t))", "a*sin(t)**2"),
    ("tanh(x/2)/2 + 0.5", "1/(1 + exp(0 - x))"),
    ("0.60653**(t**2)*0.39894", "exp(0 - t**2/2)/sqrt(2*pi)"),
    ("0.0161*I**3/(0.5*exp(0.15916*I/t) - 0.5)", "I**3/(2*pi**3*(exp(I/(2*pi*t)) - 1))"),
    ("1.2*log(y) - 1.2003*log(x)", "ln(y/x)"),
    ("log(1.0001*y/x)", "ln(y/x)"),
    ("0.0625001*x + y", "x/16 + y"),
    ("E_n*asin(0.9998*x)", "E_n*arcsin(x)"),
    ("0.0004*x + y", "y + 0*x"),
    ("2.0006*x + y", "2*x + y"),
]
NOT_SAME = [
    ("0.0796*q/r**2", "q/(4*pi*r)"),
    ("x**2 - 2.002*x*y + y**2", "(x-y)**2"),
    ("x*y + 0.01*x", "x*y"),
    ("0*x", "x*y"),
    ("3 + 0*x", "x*y"),
    ("1000*sin(x/1000)", "x"),
    ("x**1.01", "x"),
    ("Abs(x - y)", "x - y"),
    ("x/sqrt(1.002 - y**2)", "x/sqrt(1-y**2)"),
    ("cos(t - 1.56)*a", "a*sin(t)"),
    ("a*(1 - cos(2.002*t))", "a*sin(t)**2"),
    ("20 - 0.99*x - x*y/(1 + 0.5*x**2)", "20 - x - x*y/(1 + 0.5*x**2)"),
    ("exp(0.17*I/t) - 1", "exp(I/(2*pi*t)) - 1"),
    ("x + b", "x"),
    ("cos(2.0006*x)", "cos(2*x)"),
    ("x/(y - y)", "x/y"),
]
RANGES = {"x/sqrt(1-y**2)": {"y": (0.1, 0.5)}, "E_n*arcsin(x)": {"x": (0.0, 1.0)}}


@pytest.mark.parametrize(("found", "truth"), SAME)
def test_laws_that_differ_by_rounding_or_a_constant_have_the_right_form(rule, make_problem, found, truth):
    problem = make_problem(truth, **RANGES.get(truth, {}), **({"x": (1.0, 5.0)} if "0*x" in truth else {}))
    assert rule.same_up_to_rounding(sympy.sympify(found, SYMBOLS), problem)


@pytest.mark.parametrize(("found", "truth"), NOT_SAME)
def test_other_laws_have_a_wrong_form(rule, make_problem, found, truth):
    problem = make_problem(truth, **RANGES.get(truth, {}))
    assert not rule.same_up_to_rounding(sympy.sympify(found, SYMBOLS), problem)


def test_every_truth_is_recovered_and_a_percent_of_something_else_is_not(rule, suites):
    for problem in [p for problems in suites.values() for p in problems][::23]:
        written_out = sympy.N(problem.formula)
        assert rule.recovered(written_out, problem, noise=0.0, seed=0).recovered, problem.name
        bent = written_out * (1 + 0.05 * sympy.Symbol(problem.variables[0]))
        if problem.by_error:  # a percent of a feature of 1e-25 is nothing
            assert not rule.recovered(1.0001 * written_out, problem, noise=0.0, seed=0).recovered, problem.name
        else:
            assert not rule.same_up_to_rounding(bent, problem), problem.name


def test_where_the_error_decides_the_form_is_asked_for_under_noise_only(rule, make_problem):
    problem = replace(make_problem("x*y"), by_error=True)
    x, y = sympy.symbols("x y")
    assert rule.recovered(x * y * (1 + 1e-8 * x), problem, 0.0, 0).recovered
    assert not rule.recovered(1.0001 * x * y, problem, 0.0, 0).recovered
    assert rule.recovered(x * y + 1e-3 * x, problem, 0.01, 0).recovered


def test_suites_are_sampled_as_their_files_say(suites):
    assert [len(p.training(0)[1]) for p in suites["nguyen"]] == [20] * 12
    sampled = next(p for p in suites["fastsrb"] if "random" in p.signs.values())
    X, y = sampled.training(0)
    assert len(y) == 512
    name = next(v for v, sign in sampled.signs.items() if sign == "random")
    low, high = sampled.ranges[name]
    assert X[name].abs().between(low, high).all()
    assert set(np.sign(X[name])) == {-1.0, 1.0}
    if sampled.sampling[name] == "log-uniform":
        assert np.log10(X[name].abs()).mean() == pytest.approx(np.log10(low * high) / 2, abs=0.15)


def test_a_variable_may_be_a_multiple_of_the_one_before(make_problem):
    problem = replace(make_problem("a/b", a=(50, 500), b=(0.6, 0.8)), sampling={"b": "multiple"})
    X, _ = problem.training(0)
    assert (X["b"] / X["a"]).between(0.6, 0.8).all()


def test_recovered_asks_for_form_and_error(rule, make_problem):
    problem = make_problem("x*y")
    x, y = sympy.symbols("x y")
    assert rule.recovered(x * y, problem, 0.0, 0) == rule.Verdict(symbolic=True, error=0.0, recovered=True)
    off = rule.recovered(1.0001 * x * y, problem, 0.0, 0)
    assert (off.symbolic, off.error, off.recovered) == (True, pytest.approx(1e-4), False)
    assert rule.recovered(1.0001 * x * y, problem, 0.001, 0).recovered
    shifted = rule.recovered(x * y + 5, problem, 0.01, 0)
    assert (shifted.symbolic, shifted.recovered) == (True, False)
    bent = rule.recovered(x * y + 1e-3 * x, problem, 0.01, 0)
    assert (bent.symbolic, bent.error < 0.05, bent.recovered) == (False, True, False)
    assert rule.recovered(sympy.sqrt(x - 1) * y, problem, 0.0, 0).error == np.inf


def n_calls(function, *args):
    """Its value, and how many functions it calls in all: a measure of work that a busy machine does not change."""
    count = 0

    def counting(frame, event, arg):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        value = function(*args)
    finally:
        sys.setprofile(before)
    return value, count


def test_monsters_are_judged_with_bounded_work(rule, make_problem):
    x, y, a, b = (SYMBOLS[n] for n in "xyab")
    for law in (
        (((1.1 * x + 0.3 * y + a + 0.7) ** 2 + b) ** 2 * (x + 1.3 * y + b) ** 3 + a) ** 8,
        sympy.exp(sympy.exp(sympy.exp(sympy.exp(x * y)))),
        sum(sympy.Float(0.1 * i) * sympy.sin(i * x) for i in range(90)),
    ):
        same, count = n_calls(rule.same_up_to_rounding, law, make_problem("x*y/(a+b)"))
        assert not same
        assert count < 10_000_000  # two millions for the first, which written out would have more terms than that


# --- Runs and report


def results_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_finished_runs_are_not_repeated(physics, suites, data_dir, tmp_path, monkeypatch):
    given = []

    def run_all(jobs, n_workers, target):
        given.append([job.problem.name for job in jobs])
        return (job.record(seconds=1.0, law="x", symbolic=True, error=0.0, recovered=True) for job in jobs)

    monkeypatch.setattr(physics, "run_all", run_all)
    monkeypatch.setattr(physics, "write_report", lambda results: None)
    results = tmp_path / "physics.jsonl"
    command = ["--data", str(data_dir), "--results", str(results), "--budget", "2"]
    physics.main([*command, "--problems", "I.6.2", "lv1"])
    physics.main([*command, "--problems", "I.6.2", "lv1", "I.12.1"])
    physics.main([*command, "--problems", "I.6.2", "--budget", "3"])
    physics.main([*command, "--problems", "I.6.2", "lv1"])
    assert given == [["I.6.2", "lv1"], ["I.12.1"], ["I.6.2"]]
    records = results_of(results)
    assert len(records) == 4
    assert {"commit", "machine", "versions", "half", "stop_reason", "complexity"} <= records[0].keys()
    with pytest.raises(SystemExit):
        physics.main([*command, "--problems", "no such problem"])


def obedient_worker(connection, method):
    """Stands in for `physics.work`: the seed says what happens."""
    import_module("physics")  # jobs are objects of it, and reading the first must not take its time
    connection.send(None)
    while True:
        job = connection.recv()
        if job.seed == 1:
            os._exit(7)
        if job.seed == 2:
            time.sleep(60)
        record = job.record(seconds=0.0, law="x", recovered=job.seed == 0)
        connection.send(record)
        connection.send(record)


def test_workers_that_crash_or_overrun_are_recorded_as_misses(physics, make_problem):
    # Seconds: more than any machine takes for an answer, and few for the one that never answers.
    budgets = {0: 100.0, 1: 100.0, 2: 0.2}
    jobs = [physics.Job("eql", make_problem("x*y"), 0.0, seed, budget) for seed, budget in budgets.items()]
    records = {r["seed"]: r for r in physics.run_all(jobs, 2, target=obedient_worker)}
    assert records[0]["recovered"]
    assert not records[1]["recovered"]
    assert records[1]["failure"] == "the process ended with exit code 7"
    assert records[2]["failure"] == "stopped after 0.6 s"


def test_a_fit_that_raises_is_a_miss(physics, make_problem, monkeypatch):
    def fail(X, y, seed, budget):
        raise ValueError("nothing to see")

    monkeypatch.setitem(physics.METHODS, "eql", (fail, None))
    record, law = physics.fit(physics.Job("eql", make_problem("x*y"), 0.0, 0, 1.0))
    assert law is None
    assert record["failure"] == "ValueError: nothing to see"
    assert "missed" in physics.describe(record, 1, 1)


def test_the_report_counts_halves_and_rules(physics, tmp_path, capsys):
    def record(problem, half, method="eql", **result):
        nothing = {"suite": "feynman", "noise": 0.0, "seed": 0, "budget": 30.0, "failure": None, "commit": "c"}
        missed = {"symbolic": False, "error": 1e-3, "recovered": False, "seconds": 30.0}
        return nothing | missed | {"problem": problem, "half": half, "method": method} | result

    right = {"symbolic": True, "error": 1e-12, "recovered": True}
    records = [
        record("a", "tuning", **right, seconds=1.0),
        record("b", "held-out", symbolic=True),
        record("c", "tuning", error=1e-9),
        record("d", "held-out", **right, seconds=3.0),
        record("a", "tuning", method="operon", error=None, seconds=None, failure="stopped after 90 s"),
    ]
    results = tmp_path / "physics.jsonl"
    results.write_text("\n".join(map(json.dumps, [record("a", "tuning"), *records])))
    physics.main(["--report", "--results", str(results)])
    text = (tmp_path / "physics.md").read_text()
    assert "| feynman | 0 | eql | 30 | 50.0 | 50.0 | 50.0 | 75.0 | 75.0 | 2.00 | 2.80 | 3.00 | 4 |" in text
    assert "| feynman | 0 | operon | 30 | 0.0 | 0.0 | - | 0.0 | 0.0 | - | - | - | 1 |" in text
    assert "| feynman | a | tuning | 1/1, 1.0 s | 0/1 |" in text
    assert "Failed or stopped fits: 1." in text
    assert (tmp_path / "physics.png").stat().st_size > 10_000
    assert "| feynman | 0 | eql" in capsys.readouterr().out


def test_fits_with_proposals_are_recorded_apart(physics, make_problem, tmp_path):
    path = tmp_path / "weights.npz"
    save_weights(path, *untrained(2, (0.1, 1.0)))
    job = physics.Job("eql", make_problem("x*y"), 0.0, 0, 1.0, proposals=str(path))
    record, law = physics.fit(job)
    assert record["failure"] is None
    assert record["method"] == "eql+weights"
    assert physics.judge(job, record, law)["recovered"]
    assert physics.key(record) != physics.key(replace(job, proposals=None).record())


def test_proposals_of_another_method_are_refused(physics, capsys):
    with pytest.raises(SystemExit):
        physics.parse_arguments(["--proposals", "transformer", "--method", "operon"])
    assert "only EQLRegressor has them" in capsys.readouterr().err


def test_every_feynman_law_fits_the_table_of_units(suites, problems_module):
    for problem in suites["feynman"]:
        known = problems_module.units_of(problem)
        assert list(known["variables"]) == problem.variables
        [units] = read_units(known["variables"], known["y"], problem.variables, 1, True)
        law = from_sympy(problem.formula, problem.variables)
        structure = Structure.from_equation(law, np.zeros(len(law.coefficients()), dtype=bool))
        assert Inference(units, PRIMITIVES).fits(structure), problem.name


def test_units_are_recorded_and_belong_to_one_suite(physics, suites, capsys):
    job = physics.Job("eql", suites["feynman"][0], 0.1, 0, 30.0, with_units=True)
    assert job.record()["method"] == "eql+units"
    with pytest.raises(SystemExit):
        physics.parse_arguments(["--units", "--suite", "strogatz"])
    assert "--suite feynman" in capsys.readouterr().err
