"""The ladder: laws of each family are found and confirmed, with and without noise, over odd tables and vocabularies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor, Primitive
from sklearn_eql.exceptions import SearchInterruptedWarning
from sklearn_eql.ladder import climb as ladder_module
from sklearn_eql.ladder.climb import LADDER, climb
from sklearn_eql.ladder.outer_functions import OUTER_FUNCTIONS
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure
from sklearn_eql.stopping import Deadline

X = np.random.default_rng(0).uniform(1, 3, (150, 4))
NOISE = np.random.default_rng(1).normal(size=150)


def go(y, x=X, functions=None, noise=0.0, **options):
    """The ladder on all rows."""
    copies = PRESETS["default"] if functions is None else dict.fromkeys(functions, 1)
    noisy = y + noise * np.std(y) * NOISE[: len(y)]
    problem = make_problem(x, noisy, None, Scaling.of(x, noisy), PRIMITIVES, copies, 2, 200, 0)
    return climb(problem, problem, 0, **options)


def used(found):
    """Functions in the laws that a climb has found."""
    return {unit.primitive for result in found.archive.ranked() for unit in result.structure.units}


LAWS = {
    "x0*x1/x2**2": (lambda a, b, c: a * b / c**2, "power law"),
    "x0*exp(-x1)": (lambda a, b: a * np.exp(-b), "power law"),
    "exp(-x0**2/(2*x1**2))/x1": (lambda a, b: np.exp(-(a**2) / (2 * b**2)) / b, "two powers"),
    "sqrt((x0 - x1)**2 + (x2 - x3)**2)": (lambda a, b, c, d: np.hypot(a - b, c - d), "quadratic form"),
    "x0*x1 + x2*x3": (lambda a, b, c, d: a * b + c * d, "quadratic form"),
    "x0**3 - 2*x0*x1 + x1": (lambda a, b: a**3 - 2 * a * b + b, "cubic form"),
    "x0*x1/(1 + x0**2)": (lambda a, b: a * b / (1 + a**2), "scaled quadratic form"),
    "1/(1/x0 + x1/x2)": (lambda a, b, c: 1 / (1 / a + b / c), "scaled quadratic form"),
    "x2/sqrt(1 - x0**2/x1**2)": (lambda a, b, c: c / np.sqrt(1 - a**2 / (10 * b) ** 2), "two powers"),
    "x0/(exp(x1/x2) - 1)": (lambda a, b, c: a / np.expm1(b / c), "function of one monomial"),
    "x0*(1 - cos(x1*x2))": (lambda a, b, c: a * (1 - np.cos(b * c)), "scaled wave"),
    "sin(x0)*cos(x1)": (lambda a, b: np.sin(a) * np.cos(b), "dictionary"),
    "(x0*x1 + x2*x3)/(x0 + x2)": (lambda a, b, c, d: (a * b + c * d) / (a + c), "rational form"),
}


def columns(law):
    return X[:, : law.__code__.co_argcount]


@pytest.mark.parametrize("name", LAWS)
def test_a_law_without_noise_is_found_by_its_family(name):
    law, family = LAWS[name]
    seen = []
    found = go(law(*columns(law).T), columns(law), report=lambda name, best: seen.append(name))
    assert found.stop_reason == "exact"
    best = found.archive.ranked()[0]
    assert best.loss < found.archive.exact
    assert [r.name for r in LADDER].index(seen[-1]) <= [r.name for r in LADDER].index(family)
    assert len(found.loss_curve) == len(seen)


def test_few_rows_of_many_features_are_not_taken_for_noise(rng):
    x = rng.normal(size=(100, 8))
    found = go(2 * np.cos(x[:, 3]) + x[:, 0] ** 2 - 2 + x[:, 1] * x[:, 2], x, families=LADDER[:8])
    assert found.stop_reason != "noise"


def test_a_law_under_noise_is_confirmed_when_nothing_but_noise_is_left():
    rows = X[:100, :2]
    found = go(rows[:, 0] * np.exp(-rows[:, 1]), rows, ["mul", "pow", "exp"], noise=0.01)
    assert found.stop_reason == "noise"
    assert found.archive.ranked()[0].loss == pytest.approx(1e-4, rel=0.4)
    assert found.archive.ranked()[0].structure.n_free <= 2


def test_few_rows_do_not_confirm_a_law_under_noise():
    rows = X[:60, :1]
    found = go(rows[:, 0] ** -2, rows, ["mul", "pow"], noise=0.01, families=LADDER[:10])
    assert found.stop_reason == "all"


def test_noise_alone_is_no_law():
    found = go(NOISE, X[:, :2], families=LADDER[:7])
    assert found.stop_reason == "all"
    assert found.archive.ranked()[0].loss > 0.5


# The course --------------------------------------------------------------------------------------------------------


def test_no_family_starts_after_the_deadline():
    found = go(X[:, 0] * X[:, 1], deadline=Deadline(at=0.0))
    assert (found.stop_reason, found.loss_curve, found.archive.ranked()) == ("max_time", (), [])


def test_the_deadline_keeps_what_there_is():
    seeds = [Structure(4, (), ((0, 1.0, True), (1, 1.0, True)))]
    found = go(X[:, 0] * X[:, 1], seeds=seeds, deadline=Deadline(at=0.0))
    assert [r.structure.key for r in found.archive.ranked()] == [seeds[0].key]


def test_a_ladder_without_families_judges_the_seeds():
    seed = Structure(4, (SparseUnit("mul", (((1, 1.0, False),), ((2, 1.0, False),))),), ((5, 1.0, True),))
    assert go(X[:, 0], families=()).archive.ranked() == []
    found = go(3 * X[:, 0] * X[:, 1], families=(), seeds=[seed])
    assert found.stop_reason == "all"
    assert found.archive.ranked()[0].loss < found.archive.exact


def test_what_is_pending_at_the_last_family_is_judged():
    for count in (1, 4):
        found = go(np.sin(3 * X[:, 0]) * X[:, 1], X[:, :2], families=LADDER[:count])
        assert found.stop_reason == "all"
        assert len(found.loss_curve) >= 1
        assert np.isfinite(found.loss_curve).all()


def test_what_is_pending_is_judged_where_the_last_family_is_left_out_for_want_of_rows():
    too_wide = replace(LADDER[0], name="too wide", min_rows=1000)
    found = go(np.sin(3 * X[:, 0]) * X[:, 1], X[:, :2], families=[LADDER[0], too_wide])
    assert len(found.loss_curve) == 1
    assert found.archive.ranked()


def interrupt_at_family(monkeypatch, n, interrupt):
    """Let something happen at the start of the n-th family."""
    trial, calls = ladder_module._try, []

    def trying(*args):
        calls.append(None)
        if len(calls) == n:
            interrupt()
        return trial(*args)

    monkeypatch.setattr(ladder_module, "_try", trying)


def test_what_is_pending_at_the_deadline_is_kept(monkeypatch, clock):
    interrupt_at_family(monkeypatch, 2, lambda: clock.advance(10_000))
    found = go(np.sin(3 * X[:, 0]) * X[:, 1], X[:, :2], deadline=Deadline(clock.time() + 5000))
    assert found.stop_reason == "max_time"
    assert found.archive.ranked()


def test_what_is_pending_at_an_interruption_is_kept(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    interrupt_at_family(monkeypatch, 3, interrupt)
    try:
        found = go(np.sin(3 * X[:, 0]) * X[:, 1], X[:, :2])
    except KeyboardInterrupt:
        pytest.fail("the laws of two families were lost")
    assert found.stop_reason == "interrupted"
    assert found.archive.ranked()


def test_equal_seeds_give_equal_climbs():
    y = np.sin(3 * X[:, 0]) * X[:, 1] + 0.1 * NOISE
    one, same = (go(y, X[:, :2], families=LADDER[:6]) for _ in range(2))
    assert one.loss_curve == same.loss_curve
    assert [r.structure for r in one.archive.ranked()] == [r.structure for r in same.archive.ranked()]


def test_an_interruption_inside_the_ladder_keeps_what_there_is():
    def interrupt(name, best):
        raise KeyboardInterrupt

    found = go(np.sin(3 * X[:, 0]) * X[:, 1], X[:, :2], report=interrupt)
    assert found.stop_reason == "interrupted"
    assert found.archive.ranked()


def test_an_interruption_before_the_first_law_of_the_ladder_is_an_interruption(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    interrupt_at_family(monkeypatch, 1, interrupt)
    with pytest.raises(KeyboardInterrupt):
        go(X[:, 0] * X[:, 1])


def test_families_name_outers_and_functions_that_exist():
    outers = {outer.name for outer in OUTER_FUNCTIONS}
    for family in LADDER:
        assert set(family.outers) <= outers
        assert set(family.functions) <= PRIMITIVES.keys()
    assert len({family.name for family in LADDER}) == len(LADDER)


# Vocabularies ------------------------------------------------------------------------------------------------------

# What functions are made of others: a product with itself is printed as a power, a power of a feature is fitted as one.
MADE_OF = {"mul": {"square", "cube"}, "div": {"inv"}, "pow": {"exp", "log", "inv", "sqrt", "square", "cube", "div"}}


@pytest.mark.parametrize(
    "functions",
    [
        ["mul", "square"],
        ["mul", "square", "sin", "cos"],
        ["sin"],
        ["square", "sqrt"],
        ["exp"],
        ["mul", "exp", "square"],
        ["mul", "pow"],
    ],
    ids="+".join,
)
def test_only_functions_allowed_are_used(functions):
    y = np.exp(X[:, 0]) * np.sin(X[:, 1]) + X[:, 0] / X[:, 1]
    found = go(y, X[:, :2], functions, families=[*LADDER[:6], LADDER[8], LADDER[9]])
    assert used(found) <= {*functions, *(name for f in functions for name in MADE_OF.get(f, ()))}
    if "exp" not in functions:  # but for powers of features
        for result in found.archive.ranked():
            sources = [None] * 3 + [unit.primitive for unit in result.structure.units]
            growths = [unit.args[0] for unit in result.structure.units if unit.primitive == "exp"]
            assert all(sources[s] == "log" for form in growths for s, _, _ in form)


def test_without_powers_the_other_families_find_their_laws():
    y = X[:, 0] * X[:, 1] - X[:, 2] ** 2
    found = go(y, functions=["mul", "square"])
    assert found.stop_reason == "exact"
    assert used(found) <= {"mul", "square"}


def test_a_function_of_the_users_own_may_have_the_name_of_a_builtin_one():
    primitives = {**PRIMITIVES, "log": Primitive("log", 1, lambda g: g - 1, lambda g: g - 1)}
    y = X[:, 0] ** 1.5
    problem = make_problem(X, y, None, Scaling.of(X, y), primitives, PRESETS["default"], 2, 200, 0)
    found = climb(problem, problem, 0, families=LADDER[:6])
    for result in found.archive.ranked():
        values = result.structure.to_equation().forward(problem.X, primitives)
        assert float((values - problem.y).square().mean()) == pytest.approx(result.loss, rel=1e-6, abs=1e-20)


# Tables ------------------------------------------------------------------------------------------------------------

BITS = np.random.default_rng(2).integers(0, 2, (150, 3)).astype(float)
TABLES = {
    "one column": (X[:, :1], lambda x: x[:, 0] ** 1.5),
    "negative columns": (-X, lambda x: x[:, 0] * x[:, 1] / x[:, 2] ** 2),
    "negative target": (X, lambda x: -(x[:, 0] ** 2) / x[:, 1]),
    "columns of both signs": (X - 2, lambda x: x[:, 0] * x[:, 1] + x[:, 2] ** 2),
    "a constant column": (np.c_[X[:, :2], np.full(150, 4.0)], lambda x: x[:, 0] / x[:, 1]),
    "a column of zeros": (np.c_[X[:, :2], np.zeros(150)], lambda x: x[:, 0] / x[:, 1]),
    "a column twice": (X[:, [0, 1, 0]], lambda x: x[:, 0] / x[:, 1]),
    "zeros and ones": (BITS, lambda x: x[:, 0] * x[:, 1] + 2 * x[:, 2]),
    "exclusive or": (BITS[:, :2], lambda x: (x[:, 0] + x[:, 1]) % 2),
    "twelve rows": (X[:12], lambda x: x[:, 0] / x[:, 1]),
    "other units": (X * [1e-20, 1e15, 1, 1], lambda x: 1e30 * x[:, 0] * x[:, 1] / x[:, 2] ** 2),
}


@pytest.mark.parametrize("name", TABLES)
def test_laws_of_odd_tables_are_found(name):
    x, law = TABLES[name]
    found = go(law(x), x)
    assert found.stop_reason == "exact"


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X[:4], X[:4, 0] + NOISE[:4]),
        (BITS, NOISE),
        (X - 2, NOISE),
        (X[:, :1] - 2, np.abs(X[:, 0] - 2)),
        (X, (X[:, 0] > X[:, 1]).astype(float)),
    ],
    ids=["four rows", "zeros and ones", "both signs", "one column", "a target of zeros and ones"],
)
def test_tables_without_a_law_do_no_harm(x, y):
    found = go(y, x, families=LADDER[:6])
    assert np.isfinite([result.loss for result in found.archive.ranked()]).all()


def test_more_features_than_rows_allow_forms_of():
    rows = np.random.default_rng(3).uniform(1, 2, (60, 15))
    found = go(rows[:, 3] * rows[:, 8], rows, families=LADDER[:3])
    assert found.stop_reason == "exact"


# The regressor -----------------------------------------------------------------------------------------------------


def regressor(**parameters):
    small = {"population_size": 32, "n_generations": 2, "random_state": 0}
    return EQLRegressor(**{**small, **parameters})


def count_climbs(monkeypatch):
    calls = []

    def counting(*args, **options):
        calls.append(len(options["families"]))
        return climb(*args, **options)

    monkeypatch.setattr("sklearn_eql.search.island.climb", counting)
    return calls


@pytest.mark.parametrize("parameters", [{"n_families": 0}, {"n_hidden_layers": 1}, {"n_generations": 0}], ids=str)
def test_the_ladder_can_be_skipped(parameters, monkeypatch):
    calls = count_climbs(monkeypatch)
    model = regressor(**parameters).fit(X[:, :2], X[:, 0] / X[:, 1])
    assert calls == []
    assert np.isfinite(model.predict(X[:, :2])).all()


def test_as_many_families_are_tried_as_are_asked_for(monkeypatch):
    calls = count_climbs(monkeypatch)
    regressor(n_families=2).fit(X[:, :2], X[:, 0] / X[:, 1])
    regressor(n_islands=2).fit(X[:, :2], X[:, 0] / X[:, 1])
    assert calls == [2, len(LADDER)]


@pytest.mark.parametrize("n_families", [-1, 1.5])
def test_a_number_of_families_that_is_none_is_refused(n_families):
    with pytest.raises(ValueError, match="The 'n_families' parameter of EQLRegressor must be an int"):
        regressor(n_families=n_families).fit(X, X[:, 0])


def test_a_law_of_the_ladder_is_printed_in_the_users_units():
    mass, speed, light = X[:, 0], 10 * X[:, 1], 50.0 * X[:, 2]
    table = pd.DataFrame({"m": mass, "v": speed, "c": light})
    model = regressor().fit(table, 2.5 * mass / np.sqrt(1 - speed**2 / light**2))
    m, v, c = sympy.symbols("m v c")
    assert model.stop_reason_ == "exact"
    assert same_law(model.sympy_expr_, sympy.Rational(5, 2) * m / sympy.sqrt(1 - v**2 / c**2), positive=True)


def test_exponents_of_an_exact_law_are_round_though_they_hardly_matter():
    """Absolute temperatures: ``T**0.9999999*exp(-8499.9997/T**0.99999999)`` is as exact, to rounding."""
    T = np.random.default_rng(4).uniform(280, 370, 50)
    model = regressor().fit(pd.DataFrame({"T": T}), 2.5e10 * T * np.exp(-8500 / T))
    t = sympy.Symbol("T")
    assert same_law(model.sympy_expr_, 2.5e10 * t * sympy.exp(-8500 / t), positive=True)


def test_the_arcsine_is_in_the_default_vocabulary():
    model = regressor().fit(X[:, :2], np.arcsin(X[:, 0] / (4 * X[:, 1])))
    x0, x1 = sympy.symbols("x0 x1")
    assert same_law(model.sympy_expr_, sympy.asin(x0 / (4 * x1)))


def test_noise_ends_the_search_of_the_regressor():
    clean = X[:, 0] ** -2
    model = regressor(functions=["mul", "pow"]).fit(X[:, :1], clean + 0.01 * np.std(clean) * NOISE)
    assert model.stop_reason_ == "noise"
    assert model.sympy_expr_ == sympy.Symbol("x0") ** -2


def test_an_interruption_inside_the_ladder_is_told_by_the_regressor(monkeypatch):
    def interrupted(*args, **options):
        def report(name, best):
            raise KeyboardInterrupt

        return climb(*args, **{**options, "report": report})

    monkeypatch.setattr("sklearn_eql.search.island.climb", interrupted)
    with pytest.warns(SearchInterruptedWarning, match="fit was interrupted; the best"):
        model = regressor().fit(X[:, :2], X[:, 0] / X[:, 1])
    assert model.interrupted_ is True
    assert model.stop_reason_ == "interrupted"
    assert np.isfinite(model.predict(X[:, :2])).all()


def test_the_families_are_told_on_stderr_if_asked_for(capsys):
    regressor(verbose=1).fit(X[:, :2], X[:, 0] / X[:, 1])
    assert "EQLRegressor: power law: loss" in capsys.readouterr().err


def test_a_time_limit_holds_inside_the_ladder(monkeypatch, clock):
    tried = []

    def trying(family, *args, unharmed=ladder_module._try):
        tried.append(family.name)
        if len(tried) == 2:
            clock.advance(10_000)
        return unharmed(family, *args)

    monkeypatch.setattr(ladder_module, "_try", trying)
    model = regressor(max_time=5000).fit(X, np.sin(3 * X[:, 0] * X[:, 1]) * X[:, 2] + NOISE)
    assert tried == [family.name for family in LADDER[:2]]
    assert model.stop_reason_ == "max_time"
    assert np.isfinite(model.predict(X)).all()
