"""What estimators tell those who watch their fits, and how these end them."""

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_eql import EQLDynamicsRegressor, EQLEncoderRegressor, EQLRegressor
from sklearn_eql.callbacks import CSVRecord, StopWhen
from sklearn_eql.estimators._compat import CallbackSupportMixin
from sklearn_eql.training.schedule import RolloutPhase

X = np.random.default_rng(0).uniform(1, 3, (60, 2))
ROUGH = np.sin(3 * X[:, 0]) * X[:, 1] + 0.3 * np.random.default_rng(1).normal(size=60)
FEW = {"n_families": 6, "n_generations": 3, "random_state": 0}


class Seen:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told, self.ended = [], []

    def __call__(self, progress):
        self.told.append((progress.stage, progress.step, progress.output, progress.loss, progress.law))

    def end(self, estimator):
        self.ended.append(estimator)


def test_stages_losses_and_laws_are_told_in_order():
    seen = Seen()
    model = EQLRegressor(callbacks=[seen], **FEW).fit(X, np.stack([ROUGH, X[:, 0]], axis=1))
    stages = [stage for stage, _, output, *_ in seen.told if output == 0]
    assert "polynomial or pair" in stages
    assert "generation" in stages
    assert {output for _, _, output, *_ in seen.told} == {0, 1}
    assert all(loss >= 0 for *_, loss, _ in seen.told)
    assert any("x0" in law for *_, law in seen.told)
    assert seen.ended == [model]
    assert not hasattr(model, "_watched")


@pytest.mark.parametrize("search", ["evolution", "gradient"])
def test_a_callback_ends_a_search_which_keeps_its_law(search):
    model = EQLRegressor(search=search, callbacks=[lambda _: True], random_state=0).fit(X, ROUGH)
    assert (model.stop_reason_, model.interrupted_) == ("callback", False)
    assert np.isfinite(model.predict(X)).all()
    assert model.n_iter_ <= 100


def test_a_callback_ends_the_training_of_encoders(rng):
    items = rng.normal(size=(80, 2, 4))
    late = StopWhen(lambda progress: progress.step >= 50)
    model = EQLEncoderRegressor(encoder="mlp", max_iter=200, callbacks=[late], random_state=0)
    model.fit(items, items.sum(axis=(1, 2)))
    assert (model.stop_reason_, model.interrupted_) == ("callback", False)


def test_a_callback_ends_the_training_of_cells(rng):
    series = np.cumsum(rng.normal(size=(12, 6, 1)), axis=1)
    phases = [RolloutPhase(400, n_rollout=1)]
    model = EQLDynamicsRegressor(
        n_latents=0, refine=False, schedule=phases, callbacks=[StopWhen(loss=1e9)], random_state=0
    )
    model.fit(series[:, :1], series[:, 1:])
    assert (model.stop_reason_, model.n_iter_) == ("callback", 100)


def test_a_fit_that_fails_tells_so_and_leaves_nothing():
    seen = Seen()
    model = EQLRegressor(callbacks=[seen])
    with pytest.raises(ValueError, match="vary"):
        model.fit(X, np.ones(60))
    assert seen.ended == [None]
    assert not hasattr(model, "_watched")


@pytest.mark.parametrize("wrong", [[3], [StopWhen], ["print"]])
def test_what_cannot_watch_is_refused(wrong):
    with pytest.raises(TypeError, match=r"callbacks\[0\]"):
        EQLRegressor(callbacks=wrong).fit(X, ROUGH)


def test_a_record_holds_the_laws_in_the_names_of_the_user(tmp_path):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X, columns=["mass", "speed"])
    EQLRegressor(callbacks=[CSVRecord(tmp_path / "fit.csv")], **FEW).fit(table, table["mass"] * table["speed"] ** 2)
    record = pd.read_csv(tmp_path / "fit.csv")
    assert "mass*speed**2" in record["law"].iloc[-1]
    assert record["loss"].iloc[-1] < 1e-20


def test_islands_in_other_processes_are_told_of_by_lines(capfd):
    get_reusable_executor().shutdown(wait=True)  # workers of an earlier test would write to where its stderr was
    EQLRegressor(n_islands=2, n_jobs=2, verbose=1, **{**FEW, "n_families": 2}).fit(X, ROUGH)
    err = capfd.readouterr().err
    assert "EQLRegressor: island 1, generation " in err
    assert "EQLRegressor: ended: " in err


class Tasks:
    """A callback of scikit-learn's own."""

    max_propagation_depth = None

    def __init__(self) -> None:
        self.names = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.names.append((context.estimator_name, context.task_name))
        return context.task_name == "generation 1"


@pytest.mark.skipif(not hasattr(CallbackSupportMixin, "set_callbacks"), reason="scikit-learn before 1.9")
def test_callbacks_of_scikit_learn_see_the_stages_and_end_the_fit():
    tasks = Tasks()
    model = EQLRegressor(**FEW).set_callbacks(tasks)
    clone(model).fit(X, ROUGH)
    assert ("EQLRegressor", "polynomial or pair") in tasks.names
    assert ("EQLRegressor", "generation 1") in tasks.names
    assert ("EQLRegressor", "generation 2") not in tasks.names
    assert tasks.names[-1] == ("EQLRegressor", "fit")


@pytest.mark.skipif(not hasattr(CallbackSupportMixin, "set_callbacks"), reason="scikit-learn before 1.9")
def test_callbacks_of_scikit_learn_see_through_a_grid_search():
    tasks = Tasks()
    few = {**FEW, "n_families": 1, "n_generations": 1}
    GridSearchCV(EQLRegressor(**few), {"max_rows": [30, 40]}, cv=2).set_callbacks(tasks).fit(X, ROUGH)
    assert ("EQLRegressor", "power law") in tasks.names
