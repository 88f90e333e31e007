"""What a fitted EQLRegressor offers: attributes, readings of the law, the course of the search, the user's choices."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import sympy
import torch
from equal_laws import same_law

from sklearn_eql import EQLRegressor, Interval, Phase, Primitive
from sklearn_eql.exceptions import SearchInterruptedWarning
from sklearn_eql.ladder.climb import Climb
from sklearn_eql.networks.penalties import HardConcreteL0, SmoothedL05
from sklearn_eql.search import evolution as evolution_module
from sklearn_eql.search import island as island_module
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.structure import Structure

X = np.random.default_rng(0).uniform(1, 3, (60, 2))
NEW = np.random.default_rng(2).uniform(1, 5, (50, 2))
X0, X1 = sympy.symbols("x0 x1")


def quick(**parameters):
    small = {"population_size": 48, "n_generations": 10, "n_hidden_layers": 1, "random_state": 0}
    return EQLRegressor(**{**small, **parameters})


def law(rows):
    return rows[:, 0] ** 2 / rows[:, 1]


def values(expression, rows, names=("x0", "x1")):
    """Values of an expression, to 30 digits on the way, independent of the package's own evaluation."""
    symbols = [sympy.Symbol(str(name)) for name in names]
    return np.array(
        [float(expression.evalf(30, subs=dict(zip(symbols, map(sympy.Float, row), strict=True)))) for row in rows]
    )


@pytest.fixture(scope="module")
def noisy():
    return quick(n_hidden_layers=2, n_families=6, n_generations=3).fit(
        X, law(X) + 0.1 * np.random.default_rng(3).normal(size=60)
    )


@pytest.fixture(scope="module")
def double():
    return quick().fit(X, np.c_[law(X), 2 * X[:, 0] + 3])


def test_the_law_is_found_in_the_users_units():
    model = quick().fit(X, 2.5 * law(X))
    assert sympy.simplify(model.sympy_expr_ - sympy.Rational(5, 2) * X0**2 / X1) == 0
    assert model.stop_reason_ == "exact"
    np.testing.assert_allclose(model.predict(NEW), 2.5 * law(NEW), rtol=1e-10)


@pytest.mark.parametrize("text", ["log(x0)", "log(x0) - 3"])
def test_a_constant_that_is_nothing_but_rounding_is_not_printed(text):
    truth = sympy.sympify(text)
    model = quick(n_hidden_layers=2).fit(X, sympy.lambdify((X0, X1), truth)(*X.T))
    assert model.stop_reason_ == "exact"
    assert same_law(model.sympy_expr_, truth)


def test_every_row_of_the_table_prints_what_it_predicts(noisy, rng):
    rows = X + 1e-3 * rng.normal(size=X.shape)  # new, but near: a law of noise may be undefined farther away
    for index, row in noisy.equations_.iterrows():
        predicted = noisy.predict(rows, index=index)
        np.testing.assert_allclose(values(row["sympy_expr"], rows), predicted, rtol=1e-6)
        np.testing.assert_allclose(noisy.torch_module(index)(torch.from_numpy(rows)).detach(), predicted, rtol=1e-12)


def test_without_index_everything_reads_the_selected_row(noisy):
    best = noisy.best_index_
    np.testing.assert_array_equal(noisy.predict(X), noisy.predict(X, index=best))
    assert noisy.sympy_expr_ == noisy.sympy() == noisy.sympy(best) == noisy.equations_["sympy_expr"][best]
    assert noisy.latex() == noisy.latex(best)


def test_the_table_is_a_front(noisy):
    table = noisy.equations_
    always = ["complexity", "loss", "score", "equation", "sympy_expr", "trial", "coverage", "delta_dl", "rival"]
    assert list(table.columns) == always
    assert table["complexity"].is_monotonic_increasing
    assert table["complexity"].is_unique
    assert table["loss"].is_monotonic_decreasing
    assert table["loss"].is_unique
    assert table["equation"].is_unique
    assert (table["score"].iloc[1:] > 0).all()
    assert [str(expression) for expression in table["sympy_expr"]] == table["equation"].tolist()
    assert table["trial"].dtype.kind == "i"


def test_the_loss_is_the_weighted_mean_squared_error(rng):
    target, weight = law(X) + 0.1 * rng.normal(size=60), rng.uniform(0.5, 2, 60)
    model = quick().fit(X, target, sample_weight=weight)
    for index, loss in model.equations_["loss"].items():
        error = np.average((model.predict(X, index=index) - target) ** 2, weights=weight)
        assert error == pytest.approx(loss, rel=1e-6)


def test_the_course_of_the_search_is_recorded(noisy):
    assert noisy.n_features_in_ == 2
    assert noisy.n_outputs_ == 1
    assert noisy.n_iter_ == len(noisy.loss_curve_) > 0
    assert all(later <= earlier * 1.1 for earlier, later in pairwise(noisy.loss_curve_))  # a shorter law may be chosen
    assert noisy.stop_reason_ in ("noise", "generations", "patience")
    assert noisy.interrupted_ is False
    assert not hasattr(noisy, "feature_names_in_")


def test_the_course_of_the_search_is_that_of_the_ladder_and_of_the_generations_after_it(rng):
    model = quick(n_hidden_layers=2, n_families=2, n_generations=3).fit(X, law(X) + 0.1 * rng.normal(size=60))
    assert model.stop_reason_ == "generations"
    assert model.n_iter_ == len(model.loss_curve_) == 1 + 3  # two families are judged together
    assert all(0 < loss < 1 for loss in model.loss_curve_)


def test_several_outputs_get_a_law_each(double):
    assert same_law(double.sympy_expr_, [X0**2 / X1, 2 * X0 + 3])
    assert double.latex() == [r"\frac{x_{0}^{2}}{x_{1}}", r"2 x_{0} + 3"]
    assert [type(table) for table in double.equations_] == [pd.DataFrame, pd.DataFrame]
    assert double.n_outputs_ == 2
    for listed in (double.best_index_, double.stop_reason_, double.loss_curve_):
        assert len(listed) == 2
    np.testing.assert_allclose(double.predict(NEW), np.c_[law(NEW), 2 * NEW[:, 0] + 3], rtol=1e-9)
    np.testing.assert_allclose(double.torch_module()(torch.from_numpy(NEW)).detach(), double.predict(NEW), rtol=1e-12)


def test_rows_may_be_given_per_output(double):
    simplest = double.predict(NEW, index=[0, double.best_index_[1]])
    np.testing.assert_array_equal(simplest[:, 1], double.predict(NEW)[:, 1])
    assert double.sympy([0, 0]) == [table["sympy_expr"][0] for table in double.equations_]
    np.testing.assert_array_equal(double.predict(NEW, index=np.int64(0)), double.predict(NEW, index=[0, 0]))


def test_latex_rounds_to_the_precision_asked_for():
    model = quick(functions=["id"]).fit(X, 1.234567 * X[:, 0])
    assert model.latex() == r"1.23 x_{0}"
    assert model.latex(precision=5) == r"1.2346 x_{0}"


def test_the_torch_module_is_differentiable():
    module = quick().fit(X, law(X)).torch_module()
    rows = torch.from_numpy(NEW).requires_grad_()
    module(rows).sum().backward()
    slopes = np.c_[2 * NEW[:, 0] / NEW[:, 1], -(NEW[:, 0] ** 2) / NEW[:, 1] ** 2]
    np.testing.assert_allclose(rows.grad, slopes, rtol=1e-9)
    assert all(parameter.requires_grad for parameter in module.parameters())


NAMES = ["lambda", "E", "C_0 (m)", "x**2", "I", "class", "größe", "a b"]


def test_any_column_name_appears_in_the_law(rng):
    table = pd.DataFrame(rng.uniform(1, 2, (60, len(NAMES))), columns=NAMES)
    for name in NAMES:
        model = quick(functions=["id"]).fit(table, 2 * table[name])
        assert model.sympy_expr_ == 2 * sympy.Symbol(name)
        assert model.equations_["equation"].iloc[model.best_index_] == f"2*{name}"
    assert model.feature_names_in_.tolist() == NAMES
    product = quick().fit(table, table["lambda"] * table["x**2"])
    assert product.sympy_expr_ == sympy.Symbol("lambda") * sympy.Symbol("x**2")
    assert product.latex() in (r"\lambda \text{x**2}", r"\text{x**2} \lambda")


def test_integer_column_names_become_plain_symbols():
    model = quick().fit(pd.DataFrame(X, columns=[7, 3]), law(X))
    assert model.sympy_expr_ == X0**2 / X1


GAUSS = Primitive("gauss", 1, lambda g: torch.exp(-g * g), lambda g: sympy.exp(-(g**2)), parity="even")


def test_a_function_of_the_users_appears_in_the_law():
    target = 2 * np.exp(-(X[:, 0] ** 2)) + X[:, 1]
    model = quick(functions=["id", GAUSS]).fit(X, target)
    assert same_law(model.sympy_expr_, 2 * sympy.exp(-(X0**2)) + X1)
    np.testing.assert_allclose(model.predict(NEW), 2 * np.exp(-(NEW[:, 0] ** 2)) + NEW[:, 1], rtol=1e-9)


def test_a_users_function_has_its_domain_respected():
    acosh = Primitive("acosh", 1, torch.acosh, sympy.acosh, domain=Interval(lower=1.0))
    model = quick(functions=["id", acosh]).fit(X, 3 * np.arccosh(X[:, 0]))
    assert same_law(model.sympy_expr_, 3 * sympy.acosh(X0))


@pytest.mark.parametrize("functions", ["polynomial", {"mul": 1}, ["mul", "sin"]], ids=["preset", "mapping", "sequence"])
def test_functions_may_be_given_in_three_ways(functions):
    assert quick(functions=functions).fit(X, X[:, 0] * X[:, 1]).sympy_expr_ == X0 * X1


def test_only_the_functions_named_are_used():
    target = np.sin(3 * X[:, 0]) * X[:, 1] + 0.1 * np.exp(X[:, 1])  # the second term has to be made of sines
    model = quick(functions=["sin", "mul"], n_hidden_layers=2, n_families=4, n_generations=3).fit(X, target)
    functions = {f for expression in model.equations_["sympy_expr"] for f in expression.atoms(sympy.Function)}
    assert {type(f) for f in functions if f.free_symbols} == {sympy.sin}  # a constant may be exp(-1)


def test_functions_are_nested_no_deeper_than_the_hidden_layers():
    target = np.sin(np.exp(np.sin(X[:, 0] * X[:, 1])))
    model = quick(functions=["sin", "exp"]).fit(X, target)
    outermost = [f for expression in model.equations_["sympy_expr"] for f in expression.atoms(sympy.Function)]
    assert outermost
    assert not any(argument.has(sympy.Function) for f in outermost for argument in f.args)


def test_linear_forms_need_no_search():
    model = quick(functions=["id"]).fit(X, 3 * X[:, 0] - X[:, 1] + 0.5)
    assert same_law(model.sympy_expr_, 3 * X0 - X1 + sympy.Rational(1, 2))
    assert model.n_iter_ == 0


def test_zero_is_a_law():
    corners = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]] * 5)
    model = quick(functions=["id"]).fit(corners, corners[:, 0] * corners[:, 1])
    assert model.sympy_expr_ == 0
    assert model.predict(corners).tolist() == [0.0] * 20
    assert model.latex() == "0"
    assert model.torch_module()(torch.from_numpy(corners)).tolist() == [0.0] * 20


def test_equal_seeds_give_equal_results_and_the_seed_matters(rng):
    target = law(X) + 0.3 * rng.normal(size=60)
    fits = [quick(random_state=seed, n_generations=3).fit(X, target) for seed in (1, 1, 2)]
    pd.testing.assert_frame_equal(fits[0].equations_, fits[1].equations_)
    assert fits[0].loss_curve_ == fits[1].loss_curve_
    assert fits[0].loss_curve_ != fits[2].loss_curve_


def test_results_do_not_depend_on_the_number_of_jobs(rng):
    target = law(X) + 0.3 * rng.normal(size=60)
    settings = {"n_islands": 2, "n_generations": 2, "functions": ["id", "pow", "exp", GAUSS]}
    settings |= {"n_hidden_layers": 2, "n_families": 2}
    one, two = (quick(**settings, n_jobs=n).fit(X, target) for n in (1, 2))
    pd.testing.assert_frame_equal(one.equations_, two.equations_)
    assert one.loss_curve_ == two.loss_curve_


def test_a_law_of_one_island_ends_the_others_without_a_word():
    settings = {"n_islands": 3, "n_generations": 10**6, "patience": 10**6, "n_families": 2, "n_hidden_layers": 2}
    assert quick(**settings, n_jobs=2).fit(X, law(X)).stop_reason_ == "exact"


def test_more_rows_than_the_search_reads_are_all_used_for_refinement(rng):
    rows = rng.uniform(1, 3, (500, 2))
    target = law(rows) + 0.1 * rng.normal(size=500)
    model = quick(max_rows=50).fit(rows, target)
    losses = [np.mean((model.predict(rows, index=i) - target) ** 2) for i in model.equations_.index]
    np.testing.assert_allclose(model.equations_["loss"], losses, rtol=1e-9)


def test_a_time_limit_keeps_the_best_so_far(rng):
    model = quick(max_time=1e-6).fit(X, law(X) + rng.normal(size=60))
    assert model.stop_reason_ == "max_time"
    assert model.n_iter_ == 0
    assert np.isfinite(model.predict(X)).all()


def test_a_generous_time_limit_changes_nothing():
    assert quick(max_time=1e6).fit(X, law(X)).stop_reason_ == "exact"


def interrupt_at(monkeypatch, call):
    """Let Ctrl-C arrive at a generation."""
    propose, calls = evolution_module._propose, []

    def proposing(*args):
        calls.append(None)
        if len(calls) == call:
            raise KeyboardInterrupt
        return propose(*args)

    monkeypatch.setattr(evolution_module, "_propose", proposing)


def test_an_interrupted_fit_keeps_the_best_so_far_and_warns_once(monkeypatch, rng):
    interrupt_at(monkeypatch, 2)
    with pytest.warns(SearchInterruptedWarning, match="fit was interrupted; the best.*max_time.*warm_start") as caught:
        model = quick().fit(X, law(X) + 0.3 * rng.normal(size=60))
    assert len(caught) == 1
    assert model.interrupted_ is True
    assert model.stop_reason_ == "interrupted"
    assert 1 <= model.n_iter_ < 10
    assert np.isfinite(model.predict(X)).all()


def test_an_interruption_holds_for_all_outputs(monkeypatch, rng):
    interrupt_at(monkeypatch, 2)
    noise = 0.3 * rng.normal(size=(60, 2))
    with pytest.warns(SearchInterruptedWarning) as caught:
        model = quick().fit(X, np.c_[law(X), law(X)] + noise)
    assert len(caught) == 1
    assert model.stop_reason_ == ["interrupted", "interrupted"]
    assert len(model.loss_curve_[1]) == 0
    assert model.predict(X).shape == (60, 2)


def test_an_interruption_inside_a_users_function_is_kept_too(rng):
    calls = []

    def once(g):
        calls.append(None)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return torch.exp(-g * g)

    gauss = Primitive("gauss", 1, once, lambda g: sympy.exp(-(g**2)))
    with pytest.warns(SearchInterruptedWarning):
        model = quick(functions=[gauss]).fit(X, law(X) + 0.3 * rng.normal(size=60))
    assert model.interrupted_ is True
    assert np.isfinite(model.predict(X)).all()


def test_an_interruption_before_the_first_law_is_an_interruption(monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_eql.search.islands.search_island", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick().fit(X, law(X))


def test_a_warm_start_begins_with_the_laws_of_the_last_fit():
    model = quick(warm_start=True).fit(X, law(X))
    model.set_params(n_generations=0).fit(X, law(X))
    assert model.sympy_expr_ == X0**2 / X1
    assert model.n_iter_ == 0
    cold = quick(n_generations=0).fit(X, law(X))
    assert cold.sympy_expr_ != X0**2 / X1


def test_a_warm_start_drops_laws_that_do_not_fit_any_more():
    target = 2 * np.exp(-(X[:, 0] ** 2))
    model = quick(warm_start=True, functions=["id", GAUSS]).fit(X, target)
    model.set_params(functions=["mul"]).fit(X, X[:, 0] * X[:, 1])
    assert model.sympy_expr_ == X0 * X1
    model.fit(X[:, :1], X[:, 0] ** 2)
    assert model.sympy_expr_ == X0**2
    model.fit(X[:, :1], np.c_[X[:, 0], X[:, 0] ** 2])
    assert model.sympy_expr_ == [X0, X0**2]


def test_selection_rules_order_accuracy_and_simplicity(rng):
    target = law(X) + 0.3 * rng.normal(size=60)
    picked = {rule: quick(selection=rule).fit(X, target) for rule in ("accurate", "best", "simple")}
    table = picked["best"].equations_
    assert picked["accurate"].best_index_ == table.index[-1]
    assert picked["simple"].best_index_ <= picked["accurate"].best_index_
    losses = table["loss"]
    assert losses[picked["simple"].best_index_] <= 2 * losses.min()
    assert picked["best"].sympy_expr_.has(X0, X1)


def test_a_callable_reads_the_table_and_names_a_row():
    seen = []
    model = quick(selection=lambda table: seen.append(table) or table["complexity"].idxmin()).fit(X, law(X))
    assert model.best_index_ == 0
    pd.testing.assert_frame_equal(seen[0], model.equations_.drop(columns="rival"))  # which needs the choice


def test_extrapolation_judges_on_outer_rows(rng):
    rows = rng.uniform(-3, 3, (80, 1))
    target = np.sin(rows[:, 0]) + 0.05 * rng.normal(size=80)
    model = quick(selection="extrapolation", n_generations=5).fit(rows, target)
    for index in model.equations_.index:  # defined on the rows held out, too
        assert np.isfinite(model.predict(rows, index=index)).all()
    assert model.score(rows, target) > 0.95


GRADIENT = {
    "search": "gradient",
    "functions": ["id", "mul"],
    "n_trials": 4,
    "schedule": [Phase(150), Phase(150, alpha_scale=0.0, threshold=0.01)],
}


@pytest.mark.parametrize(
    "parameters",
    [
        {"penalty": "l05", "alpha": 5e-3},
        {"penalty": "l0", "alpha": 5e-3},
        {"penalty": "l1", "alpha": 1e-3},
        {"penalty": SmoothedL05(threshold=0.05), "alpha": "auto"},
        {"optimizer": "adam", "batch_size": 20, "scale": False},
        {"device": "cpu"},
    ],
    ids=["l05", "l0", "l1", "object", "adam", "cpu"],
)
def test_gradient_training_finds_a_product(parameters):
    rows = X - 2
    model = quick(**GRADIENT, **parameters).fit(rows, rows[:, 0] * rows[:, 1])
    assert model.sympy_expr_ == X0 * X1
    assert model.n_iter_ == 300
    assert model.stop_reason_ == "exact"
    assert len(model.loss_curve_) > 0


class OwnGated:
    """A user's penalty with gates, of no class of the package."""

    def gates(self, weights, seeds, n_output):
        return HardConcreteL0().gates(weights, seeds, n_output)

    def value(self, weights, gates=None):
        return HardConcreteL0().value(weights, gates)


def test_a_gated_penalty_of_ones_own_trains_as_the_built_in_one():
    rows = X - 2
    phases = [Phase(30, threshold=0.01), Phase(30)]  # also where its gates are closed and training goes on
    curves = [
        quick(**{**GRADIENT, "schedule": phases}, penalty=penalty).fit(rows, rows[:, 0] * rows[:, 1]).loss_curve_
        for penalty in ("l0", OwnGated())
    ]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-6)


def test_gradient_training_stops_in_time(rng):
    model = quick(**{**GRADIENT, "schedule": "paper"}, max_time=0.2).fit(X - 2, law(X) + rng.normal(size=60))
    assert model.stop_reason_ == "max_time"
    assert model.n_iter_ < 12_000
    assert np.isfinite(model.predict(X - 2)).all()


def test_gradient_training_is_interrupted_with_a_law(monkeypatch):
    from sklearn_eql.training import batched as loop

    step, calls = loop._Run.execute, []

    def execute(self, deadline, callback, check_every):
        def interrupting(progress):
            calls.append(None)
            if len(calls) == 2:
                raise KeyboardInterrupt

        return step(self, deadline, interrupting, check_every)

    monkeypatch.setattr(loop._Run, "execute", execute)
    with pytest.warns(SearchInterruptedWarning):
        model = quick(**GRADIENT).fit(X - 2, law(X))
    assert model.interrupted_ is True


def test_auto_trains_networks_where_evolution_found_no_exact_law():
    rows = X - 2
    settings = {**GRADIENT, "search": "auto"}
    model = quick(**settings, n_generations=0).fit(rows, 2 * rows[:, 0] * rows[:, 1] + rows[:, 0])
    assert model.stop_reason_ == "exact"
    assert model.n_iter_ == 300
    exact = quick(**settings).fit(rows, 2 * rows[:, 0])
    assert exact.n_iter_ == 0


def test_progress_is_told_on_stderr_only_if_asked_for(capsys, rng):
    target = law(X) + 0.3 * rng.normal(size=60)
    quick(n_generations=1).fit(X, target)
    assert capsys.readouterr() == ("", "")
    quick(n_generations=1, verbose=1).fit(X, target)
    out, err = capsys.readouterr()
    assert out == ""
    assert "EQLRegressor: generation 1: loss" in err


def test_a_deep_law_needs_the_layers(rng):
    rows = rng.uniform(-1, 1, (60, 1))
    target = np.exp(np.sin(2 * rows[:, 0]))
    shallow = quick(functions=["sin", "exp"]).fit(rows, target)
    deep = quick(functions=["sin", "exp"], n_hidden_layers=2, n_generations=40).fit(rows, target)
    assert same_law(deep.sympy_expr_, sympy.exp(sympy.sin(2 * X0)))
    assert shallow.equations_["loss"].min() > 1e-12
    assert math.isclose(deep.score(rows, target), 1.0)


# Which form is printed: the text is the point here -------------------------------------------------------------------


def table_of(*columns):
    return pd.DataFrame(dict(zip(("on", "gravity", "length"), columns, strict=False)))


def test_of_laws_that_agree_on_a_switch_the_simplest_is_printed(rng):
    on, gravity, length = rng.integers(0, 2, 80).astype(float), rng.normal(9.81, 0.02, 80), rng.uniform(1, 2, 80)
    assert str(EQLRegressor(random_state=0).fit(table_of(on), on**2 + 1).sympy_expr_) == "on + 1"
    assert str(EQLRegressor(random_state=0).fit(table_of(on, gravity), on**2 + 1).sympy_expr_) == "on + 1"
    model = EQLRegressor(random_state=0).fit(table_of(on, gravity, length), length * (on**2 + 1))
    assert str(model.sympy_expr_) == "length*on + length"
    assert model.equations_["complexity"].is_unique
    assert model.equations_["loss"].is_unique


def test_common_factors_leave_the_constants_that_have_names(rng):
    m, v, h = rows = rng.uniform(0.5, 5, (3, 100))
    energy = EQLRegressor(random_state=0).fit(rows.T, m * v**2 / 2 + 9.81 * m * h)
    assert str(energy.sympy_expr_) == "x0*(x1**2/2 + 9.81*x2)"
    root = EQLRegressor(random_state=0).fit(rows[:1].T, np.sqrt(1 + 2 * m))
    assert str(root.sympy_expr_) == "sqrt(2*x0 + 1)"


def test_where_time_ran_out_no_term_is_left_that_the_rows_do_not_support(monkeypatch, rng):
    on, gravity = rng.integers(0, 2, 100).astype(float), rng.normal(9.81, 0.02, 100)
    target = on + 1 + 1e-3 * rng.normal(size=100)
    # As from a search whose time was over before it came to elimination.
    monkeypatch.setattr(island_module, "climb", lambda problem, judge, seed, **_: unpruned(judge))
    with pytest.warns(SearchInterruptedWarning):
        model = quick(n_hidden_layers=2, n_generations=1).fit(table_of(on, gravity), target)
    assert str(model.sympy_expr_) == "on + 1"


def unpruned(judge):
    everything = Structure(2, (), ((0, 1.0, True), (1, 1.0, True), (2, 1.0, True)))
    archive = Archive(len(judge.y), judge.exact)
    archive.add(judge.fit([everything], 10))
    return Climb(archive, "interrupted", (archive.ranked()[0].loss,))
