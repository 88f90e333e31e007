"""A fit that is kept in a directory: opened again after its end, and after a kill in the middle of it."""

import pickle
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law
from sklearn.base import clone
from written_laws import StubWriter

from sklearn_eql import (
    EQLDynamicsRegressor,
    EQLEncoderRegressor,
    EQLRegressor,
    Phase,
    Primitive,
    RolloutPhase,
    SymbolicTransformerRegressor,
)
from sklearn_eql.constraints import Monotone, NotNested
from sklearn_eql.estimators._run_directory import RunDirectory
from sklearn_eql.progress import Progress

X = np.random.default_rng(0).uniform(1, 3, (60, 2))
ROUGH = np.sin(3 * X[:, 0]) * X[:, 1] + 0.3 * np.random.default_rng(1).normal(size=60)
X0 = sympy.Symbol("x0")
FEW = {"n_families": 2, "n_generations": 1, "random_state": 0}
LEAST = {**FEW, "n_families": 1}


class Killed(Exception):
    """What ends a fit here as a kill would: nothing is written after it."""


def kill_at(step):
    """A callback that ends the second output's search of a fit."""

    def watch(progress):
        if progress.stage == "generation" and progress.step == step and progress.output == 1:
            raise Killed

    return watch


def test_a_fit_that_is_over_is_opened_as_it_was(tmp_path):
    table = pd.DataFrame(X, columns=["mass", "speed"])
    model = EQLRegressor(**LEAST, run_dir=tmp_path / "run", units={"mass": {"kg": 1}, "speed": {"m": 1, "s": -1}})
    model.fit(table, ROUGH)
    opened = EQLRegressor.from_run(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]
    assert repr(opened.get_params()) == repr(model.get_params())
    pd.testing.assert_frame_equal(opened.equations_, model.equations_)
    pd.testing.assert_frame_equal(opened.constants_, model.constants_)
    assert opened.feature_names_in_.tolist() == ["mass", "speed"]
    for mine, other in zip(model.predict(table, return_std=True), opened.predict(table, return_std=True), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run that was ended in its second output."""
    path = tmp_path_factory.mktemp("runs") / "killed"
    few = {**FEW, "n_generations": 9}
    with pytest.raises(Killed):
        EQLRegressor(**few, run_dir=path, callbacks=[kill_at(2)]).fit(X, np.stack([X[:, 0] ** 2, ROUGH], axis=1))
    return path


def test_a_fit_that_was_ended_is_opened_with_the_laws_of_the_moment(killed):
    opened = EQLRegressor.from_run(killed)
    assert (opened.stop_reason_, opened.interrupted_) == (["interrupted"] * 2, True)
    assert same_law(opened.sympy_expr_[0], X0**2)
    assert opened.equations_[1]["loss"].min() < np.var(ROUGH)
    np.testing.assert_allclose(opened.predict(X)[:, 0], X[:, 0] ** 2)
    assert opened.predict(X).shape == (60, 2)


def test_a_fit_that_was_ended_goes_on_and_is_no_others(killed):
    opened = EQLRegressor.from_run(killed, n_families=0, n_generations=0)
    y = np.stack([X[:, 0] ** 2, ROUGH], axis=1)
    for other in (clone(opened), clone(opened).set_params(warm_start=True), opened):
        with pytest.raises(ValueError, match=r"killed' has a fit already, which would be lost\. Go on with E"):
            other.fit(X, y)
    found = opened.equations_[1]["loss"].min()
    opened.set_params(warm_start=True).fit(X, y)
    assert same_law(opened.sympy_expr_[0], X0**2)  # which no search has found here
    assert opened.equations_[1]["loss"].min() <= found * 1.01
    assert not EQLRegressor.from_run(killed).interrupted_
    opened.set_params(warm_start=False).fit(X, y)  # its own run, which it may begin anew


def test_before_any_law_an_output_is_its_mean(tmp_path):
    def at_once(progress):
        raise Killed

    with pytest.raises(Killed):
        EQLRegressor(**FEW, run_dir=tmp_path, callbacks=[at_once]).fit(X, ROUGH)
    opened = EQLRegressor.from_run(tmp_path)
    np.testing.assert_allclose(opened.predict(X), ROUGH.mean())
    EQLRegressor(**FEW, run_dir=tmp_path).fit(X, X[:, 0])  # there is nothing to lose


SCRIPT = """
import sys
import numpy as np
from sklearn_eql import EQLRegressor
X = np.random.default_rng(0).uniform(1, 3, (60, 2))
y = np.sin(3 * X[:, 0]) * X[:, 1] + 0.3 * np.random.default_rng(1).normal(size=60)
EQLRegressor(n_families=0, n_generations=10**6, patience=10**6, population_size=32, random_state=0,
             run_dir=sys.argv[1]).fit(X, y)
"""


def test_a_fit_that_was_killed_leaves_its_laws(tmp_path):
    script = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)])
    while script.poll() is None and not list(tmp_path.glob("laws-0-0.json")):
        time.sleep(0.05)
    script.kill()
    script.wait()
    opened = EQLRegressor.from_run(tmp_path)
    assert opened.equations_["loss"].min() < np.var(ROUGH)
    assert opened.get_params()["population_size"] == 32


def test_each_part_of_a_search_has_a_file_of_its_own(tmp_path):
    everywhere = pickle.loads(pickle.dumps(RunDirectory(tmp_path).elsewhere()))
    for island in (0, 1):
        everywhere(Progress("generation", 0.1, output=2, island=island, front=list))
    everywhere(Progress("training", 0.1))  # where there are no laws yet
    assert sorted(path.name for path in tmp_path.iterdir()) == ["laws-2-0.json", "laws-2-1.json"]
    RunDirectory(tmp_path / "of another machine")(Progress("generation", 0.1, front=list))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_run_holds_plain_values_and_asks_for_the_others(tmp_path):
    own = Primitive("twice", 1, lambda g: 2 * g, lambda g: 2 * g, parity="odd")
    known = {
        "functions": ["id", "mul", own],
        "selection": lambda table: table.index[-1],
        "callbacks": [lambda progress: None],
        "constraints": [Monotone("x0"), NotNested("exp", "log")],
        "schedule": [Phase(10, threshold=0.1)],
    }
    EQLRegressor(**FEW, **known, run_dir=tmp_path).fit(X, X[:, 0] * X[:, 1])
    with pytest.raises(
        ValueError, match=r"had functions, selection that .* EQLRegressor.from_run\(.*, functions=..., sel"
    ):
        EQLRegressor.from_run(tmp_path)
    opened = EQLRegressor.from_run(tmp_path, functions=known["functions"], selection=known["selection"])
    assert opened._own == {"twice": own}
    assert (opened.callbacks, opened.constraints) == (None, known["constraints"])
    assert opened.schedule == known["schedule"]
    with pytest.raises(ValueError, match="Invalid parameter 'function'"):
        EQLRegressor.from_run(tmp_path, function=1, functions=known["functions"], selection="best")


def test_what_is_no_run_is_refused_by_name(tmp_path, killed):
    with pytest.raises(ValueError, match=r"run\.json': there is no such file"):
        EQLRegressor.from_run(tmp_path)
    with pytest.raises(ValueError, match="there is no folder"):
        EQLRegressor(run_dir=tmp_path / "none" / "run").fit(X, ROUGH)
    (tmp_path / "run.json").write_text((killed / "run.json").read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(ValueError, match=r"run\.json' is damaged.* Name the run_dir of a fit"):
        EQLRegressor.from_run(tmp_path)
    with pytest.raises(ValueError, match=r"run\.json' is damaged"):
        EQLRegressor(run_dir=tmp_path).fit(X, ROUGH)


def test_a_directory_that_cannot_be_written_to_costs_no_law(tmp_path, monkeypatch):
    def full(*given):
        raise OSError("no space left")

    def begin_to_fail(progress):
        monkeypatch.setattr("sklearn_eql.estimators._run_directory.write", full)

    model = EQLRegressor(**FEW, run_dir=tmp_path, callbacks=[begin_to_fail])
    with pytest.warns(UserWarning, match=r"cannot be written to \(no space left\)"):
        model.fit(X, X[:, 0] ** 2 / X[:, 1])
    assert same_law(model.sympy_expr_, sympy.sympify("x0**2/x1"))


def test_laws_are_not_written_more_often_than_once_a_second(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("sklearn_eql.estimators._run_directory.time.monotonic", lambda: 10.0)
    monkeypatch.setattr(
        "sklearn_eql.estimators._run_directory.write", lambda path, kind, values: written.append(path.name)
    )
    EQLRegressor(**LEAST, run_dir=tmp_path).fit(X, ROUGH)
    assert written == ["run.json", "laws-0-0.json", "laws-0.json", "run.json"]


def test_groups_are_kept(tmp_path):
    labels = np.repeat(["a", "b", "c"], 20)
    y = np.repeat([1.0, 2.5, 4.0], 20) * X[:, 0]
    model = EQLRegressor(**LEAST, run_dir=tmp_path).fit(X, y, groups=labels)
    opened = EQLRegressor.from_run(tmp_path)
    pd.testing.assert_frame_equal(opened.group_constants_, model.group_constants_)
    np.testing.assert_array_equal(opened.predict(X, groups=labels), model.predict(X, groups=labels))


def kill_when_kept(path):
    """A callback that ends a fit once there are laws of it."""

    def watch(progress):
        if list(path.glob("laws-*.json")):
            raise Killed

    return watch


def test_a_fit_to_groups_that_was_killed_leaves_laws_with_their_constants(tmp_path):
    labels = np.repeat(["a", "b", "c"], 20)
    y = np.repeat([1.0, 2.5, 4.0], 20) * X[:, 0] + 0.1 * X[:, 1]
    with pytest.raises(Killed):
        EQLRegressor(**FEW, run_dir=tmp_path, callbacks=[kill_when_kept(tmp_path)]).fit(X, y, groups=labels)
    opened = EQLRegressor.from_run(tmp_path, n_families=1, n_generations=0)
    assert opened.interrupted_
    assert list(opened.group_constants_.index) == ["a", "b", "c"]
    np.testing.assert_allclose(opened.predict(X, groups=labels), y, atol=0.2)
    assert opened.fit_group(X[:20], y[:20]).shape == opened.group_constants_.iloc[:1].shape
    found = opened.equations_["loss"].min()
    opened.set_params(warm_start=True).fit(X, y, groups=labels)
    assert opened.equations_["loss"].min() <= found * 1.01


def test_a_fit_of_a_form_that_was_killed_leaves_its_functions(tmp_path):
    x0, x1, k, f = *sympy.symbols("x0 x1 k"), sympy.Function("f")
    y = (X[:, 0] ** 2 + 1) * np.exp(-0.7 * X[:, 1]) + 0.01 * np.random.default_rng(2).normal(size=60)
    form = f(x0) * sympy.exp(-k * x1)
    model = EQLRegressor(form=form, **FEW, run_dir=tmp_path)
    with pytest.raises(Killed):
        model.set_params(callbacks=[kill_when_kept(tmp_path)]).fit(X, np.stack([y, y], axis=1))
    opened = EQLRegressor.from_run(tmp_path, form=form)
    assert opened.stop_reason_ == ["interrupted"] * 2
    np.testing.assert_allclose(opened.predict(X)[:, 0], y, atol=0.1)
    assert list(opened.form_functions_[0]) == ["f"]
    assert "k" in opened.constants_[0].index
    np.testing.assert_allclose(opened.predict(X)[:, 1], y.mean())  # of which there was no law yet


ITEMS = np.random.default_rng(0).normal(size=(80, 2, 3))
SUMS = ITEMS.sum(axis=(1, 2))
SHORT = {
    "encoder": "mlp",
    "functions": ["id"],
    "n_hidden_layers": 1,
    "linear_steps": 20,
    "max_iter": 20,
    "n_generations": 0,
    "random_state": 0,
}


def test_an_encoder_is_kept_with_its_law_and_goes_on_to_the_bit(tmp_path, monkeypatch):
    whole = EQLEncoderRegressor(**SHORT).fit(ITEMS, SUMS)

    def killed(progress):
        if progress.stage == "law":
            raise Killed

    monkeypatch.setattr("sklearn_eql.training.minibatch._CHECK_EVERY", 10)
    with pytest.raises(Killed):
        EQLEncoderRegressor(**SHORT, run_dir=tmp_path, callbacks=[killed]).fit(ITEMS, SUMS)
    opened = EQLEncoderRegressor.from_run(tmp_path)
    assert (opened.stop_reason_, opened.interrupted_) == ("interrupted", True)
    assert opened.predict(ITEMS).shape == (80,)
    opened.set_params(warm_start=True).fit(ITEMS, SUMS)
    np.testing.assert_array_equal(opened.predict(ITEMS), whole.predict(ITEMS))
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    np.testing.assert_array_equal(EQLEncoderRegressor.from_run(tmp_path).predict(ITEMS), whole.predict(ITEMS))


def test_a_run_of_another_estimator_is_refused(killed):
    with pytest.raises(ValueError, match=r"has a run of EQLRegressor, .* Use EQLRegressor\.from_run"):
        EQLEncoderRegressor.from_run(killed)


@pytest.mark.parametrize("refine", [False, True])
def test_a_network_that_writes_goes_on_from_laws_of_another_one(tmp_path, refine):
    y = np.sin(np.exp(X[:, 0]))
    given = {"refine": refine, "run_dir": tmp_path, "random_state": 0}
    SymbolicTransformerRegressor(weights=StubWriter(("sin exp x0",)), **given).fit(X[:, :1], y)
    with pytest.raises(ValueError, match="had weights that"):
        SymbolicTransformerRegressor.from_run(tmp_path)
    opened = SymbolicTransformerRegressor.from_run(tmp_path, weights=StubWriter(("x0",)), warm_start=True)
    assert same_law(opened.fit(X[:, :1], y).sympy_expr_, sympy.sin(sympy.exp(X0)))


@pytest.fixture(scope="module")
def swings():
    """Windows and roll-outs of oscillators that differ in their frequency."""
    rng = np.random.default_rng(0)
    states, z = [rng.normal(size=(20, 2))], rng.uniform(0.5, 2, 20)
    for _ in range(19):
        u, v = states[-1].T
        states.append(np.stack([u + 0.1 * v, v - 0.1 * z * u], axis=1))
    whole = np.stack(states, axis=1)
    return whole[:, :12], whole[:, 12:]


def test_a_law_of_motion_is_kept_after_each_stage_and_starts_another_fit(tmp_path, swings):
    stages = []

    class Kept(RunDirectory):
        def keep(self, estimator):
            super().keep(estimator)
            stages.append(EQLDynamicsRegressor.from_run(self.path))

    few = {"encoder": "mlp", "n_trials": 1, "functions": ["id"], "schedule": [RolloutPhase(20, n_rollout=1)]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn_eql.estimators._watching.RunDirectory", Kept)
        model = EQLDynamicsRegressor(**few, random_state=0, run_dir=tmp_path).fit(*swings)
    trained, law = stages
    assert (trained.stop_reason_, trained.interrupted_, trained.predict(swings[0]).shape) == (
        "interrupted",
        True,
        (20, 8, 2),
    )
    assert law.sympy_expr_ == model.sympy_expr_
    opened = EQLDynamicsRegressor.from_run(tmp_path)
    np.testing.assert_array_equal(opened.predict(swings[0]), model.predict(swings[0]))
    opened.set_params(warm_start=True, max_time=1e-6, random_state=1).fit(*swings)  # in no time, so from the law before
    assert opened.stop_reason_ == "max_time"
    assert opened.score(*swings) > 0.999
