"""The entry for SRBench, driven as the benchmark drives a method."""

import importlib.util
import inspect
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sympy
from sklearn.base import clone, is_regressor
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_eql import EQLRegressor

_FOLDER = Path(__file__).parents[2] / "benchmarks" / "srbench"
if not _FOLDER.exists():
    pytest.skip("the benchmarks are not part of this copy", allow_module_level=True)

# Letters and words that SymPy has meanings for, and names that it cannot read.
_AWKWARD = [
    *("x", "beta", "E1", "I", "lambda_", "N", "x_0", "S", "Q", "gamma", "zeta", "pi", "E"),
    *("lambda", "wheel-base", "two words", "it's", "µ"),
]

_BRIEF = {"population_size": 32, "n_generations": 1, "n_families": 8}


@pytest.fixture
def entry():
    """The module, fresh as in a new process: `est` is changed by those who use it."""
    spec = importlib.util.spec_from_file_location("srbench_entry", _FOLDER / "regressor.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def evaluate(entry, X, y, seed, *, scale_x=True, scale_y=True, test_params=None, max_train_samples=0, pre_train=None):
    """A stand-in for the benchmark's evaluation of one table in test mode: the results it would store.

    The keywords are those that a method may set in `eval_kwargs`, with the benchmark's defaults.
    """
    est = entry.est
    if hasattr(est, "random_state"):
        est.random_state = seed
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=0.75, random_state=seed)
    if 0 < max_train_samples < len(y_train):
        rows = np.random.default_rng(seed).choice(len(y_train), max_train_samples, replace=False)
        X_train, y_train = X_train.iloc[rows], y_train[rows]
    if scale_x:
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = (pd.DataFrame(scaler.transform(part), columns=X.columns) for part in (X_train, X_test))
    target = StandardScaler(with_mean=scale_y, with_std=scale_y).fit(y_train[:, None])
    if pre_train:
        pre_train(est, X_train, y_train)
    if test_params:
        est.set_params(**test_params)
    est.fit(X_train, target.transform(y_train[:, None]).ravel())

    takes_data = "X" in inspect.signature(entry.model).parameters
    results = {
        "params": {name: str(value) for name, value in est.get_params().items()},
        "random_state": seed,
        "symbolic_model": entry.model(est, X_train) if takes_data else entry.model(est),
    }
    for fold, rows, truth in (("train", X_train, y_train), ("test", X_test, y_test)):
        predicted = target.inverse_transform(np.asarray(est.predict(rows)).reshape(-1, 1)).ravel()
        for name, score in (("mse", mean_squared_error), ("mae", mean_absolute_error), ("r2", r2_score)):
            results[f"{name}_{fold}"] = score(truth, predicted)
    law = parsed(results["symbolic_model"], X.columns)
    results["n_nodes"] = sum(1 for _ in sympy.preorder_traversal(law))
    return json.loads(json.dumps(results))


def parsed(text, names):
    return sympy.parse_expr(text, local_dict={name: sympy.Symbol(name) for name in names})


def values(text, X):
    """What the string evaluates to, by SymPy and the names of the columns alone."""
    law = parsed(text, X.columns)
    assert {symbol.name for symbol in law.free_symbols} <= set(X.columns)
    columns = {sympy.Symbol(name): column for name, column in X.items()}
    dummies = {symbol: sympy.Dummy() for symbol in columns}  # lambdify writes names as Python
    function = sympy.lambdify(list(dummies.values()), law.xreplace(dummies), "numpy")
    return np.broadcast_to(function(*(column.to_numpy() for column in columns.values())), len(X))


def table(names, noise=0.0, n_rows=120):
    """The product of the first two columns, one of them far from unit scale."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.uniform(0.5, 3, (n_rows, len(names))), columns=names)
    X[names[1]] *= 200
    y = 40 * X[names[0]] * X[names[1]] + 5
    return X, (y + rng.normal(scale=noise * y.std(), size=n_rows)).to_numpy()


def quick(entry, X, y, **params):
    params = {**entry.eval_kwargs["test_params"], "random_state": 0, **params}
    return clone(entry.est).set_params(**params).fit(X, y)


def test_entry_defines_what_the_benchmark_imports(entry):
    assert isinstance(entry.est, EQLRegressor)
    assert is_regressor(entry.est)
    assert entry.eval_kwargs.keys() <= {"test_params", "max_train_samples", "scale_x", "scale_y", "pre_train"}
    assert entry.eval_kwargs["test_params"].keys() <= entry.est.get_params().keys()


def test_metadata_has_all_required_keys():
    lines = (_FOLDER / "metadata.yml").read_text(encoding="utf-8").splitlines()
    assert {line.split(":")[0] for line in lines if re.match(r"\w+:", line)} == {
        *("name", "authors", "email", "description", "url")
    }


@pytest.mark.parametrize("names", [["x", "beta", "E1"], ["I", "lambda_", "N", "x_0"]], ids=" ".join)
def test_clean_table_gives_the_law_in_the_units_of_the_table(entry, names):
    X, y = table(names)
    results = evaluate(entry, X, y, 42, **entry.eval_kwargs)
    assert parsed(results["symbolic_model"], names) == 40 * sympy.Symbol(names[0]) * sympy.Symbol(names[1]) + 5
    assert results["r2_test"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("scale", [False, True], ids=["as measured", "scaled by the benchmark"])
def test_string_evaluates_to_the_predictions_under_noise(entry, scale):
    X, y = table(["S", "Q", "gamma", "zeta"], noise=0.1)
    results = evaluate(entry, X, y, 7, scale_x=scale, scale_y=scale, test_params=_BRIEF)
    assert results["r2_test"] > 0.5
    if scale:
        X = pd.DataFrame(StandardScaler().fit_transform(X), columns=X.columns)
    assert values(results["symbolic_model"], X) == pytest.approx(entry.est.predict(X), rel=1e-9)


def test_same_seed_from_outside_gives_the_same_string(entry):
    X, y = table(["x", "beta", "E1"], noise=0.1)
    strings = [evaluate(entry, X, y, 3, test_params=_BRIEF)["symbolic_model"] for _ in range(2)]
    assert strings[0] == strings[1]


def test_every_column_name_is_read_back_as_the_column(entry):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, len(_AWKWARD))), columns=_AWKWARD)
    weights = rng.uniform(1, 9, len(_AWKWARD)) * 1e-5
    weights[:3] = math.pi, math.e, -1 / 3  # which the law writes as pi and E, names of columns here
    y = X.to_numpy() @ weights
    est = quick(entry, X, y, n_generations=0)
    text = entry.model(est, X)
    assert parsed(text, X.columns).free_symbols == set(map(sympy.Symbol, _AWKWARD))
    assert values(text, X) == pytest.approx(est.predict(X), rel=1e-9, abs=1e-12)
    assert est.predict(X) == pytest.approx(y, rel=1e-6, abs=1e-9)
    assert "np." not in text
    assert "pi" in map(str, est.sympy_expr_.atoms(sympy.NumberSymbol))


def test_string_of_an_array_fit_takes_the_names_of_the_frame(entry):
    X, y = table(["x1", "x2", "x0"])
    est = quick(entry, X.to_numpy(), y)
    assert values(entry.model(est, X), X) == pytest.approx(y, rel=1e-9)
    x0, x1 = sympy.symbols("x0, x1")  # the first two columns, named x1 and x2 in the frame
    assert parsed(entry.model(est), ["x0", "x1", "x2"]) == 40 * x0 * x1 + 5


def test_population_of_a_fit_on_few_repeated_rows_predicts_and_prints(entry):
    X, y = table(["x", "beta", "E1"], noise=0.3)
    rows = np.random.default_rng(2).choice(len(y), size=10)
    est = quick(entry, X.to_numpy()[rows], y[rows], **_BRIEF)
    selected = entry.model(entry.get_best_solution(est), X)
    population = entry.get_population(est)
    assert 1 <= len(population) == len(est.equations_) <= 100
    for member in population:
        text = entry.model(member, X)
        assert values(text, X.iloc[rows]) == pytest.approx(member.predict(X.to_numpy()[rows]), rel=1e-9)
    assert len({entry.model(member, X) for member in population}) == len(population)
    assert entry.model(est, X) == selected


@pytest.mark.parametrize("by", ["attribute", "set_params"])
def test_time_limit_from_outside_ends_the_fit(entry, by):
    X, y = table(["x", "beta", "E1"], noise=0.3)
    est = clone(entry.est)
    assert est.max_time < 3600
    if by == "attribute":
        est.max_time = 1e-3
    else:
        est.set_params(max_time=1e-3)
    est.fit(X, y)
    assert est.stop_reason_ == "max_time"
    assert values(entry.model(est, X), X) == pytest.approx(est.predict(X), rel=1e-9)


def test_clone_keeps_parameters_and_drops_the_fit(entry):
    X, y = table(["x", "beta", "E1"])
    est = quick(entry, X, y, max_time=1e-3)
    copied = clone(est)
    assert copied.get_params() == est.get_params()
    assert not hasattr(copied, "row_")


def test_rows_outside_the_domain_of_the_law_get_the_mean_of_the_target(entry):
    X = pd.DataFrame({"x": np.linspace(0.5, 4, 30)})
    y = np.log(X["x"]).to_numpy()
    est = quick(entry, X, y, functions=["log"])
    predicted = est.predict(pd.DataFrame({"x": [-1.0, 2.0]}))
    assert predicted == pytest.approx([y.mean(), math.log(2)])
