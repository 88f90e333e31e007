"""EQLDynamicsRegressor is a scikit-learn estimator: clones, pickles, pipelines, searches, interruption."""

import copy
import dataclasses
import pickle
import signal

import joblib
import numpy as np
import pandas as pd
import pytest
import sympy
import torch
from sklearn.base import clone, is_regressor
from sklearn.exceptions import SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_checks, get_tags

from sklearn_eql import EQLDynamicsRegressor, Primitive
from sklearn_eql.datasets import make_kinematics
from sklearn_eql.dynamics import search as motion_search
from sklearn_eql.dynamics import stages as fitting
from sklearn_eql.estimators import _motion_fit
from sklearn_eql.exceptions import NoLawWarning, SearchInterruptedWarning
from sklearn_eql.networks.penalties import SmoothedL05
from sklearn_eql.training.schedule import RolloutPhase

DATA = make_kinematics(30, 12, 4, random_state=0)
X, Y = DATA.X, DATA.Y
SHORT = (RolloutPhase(40, n_rollout=1), RolloutPhase(40, learning_rate=5e-3, n_rollout=3))
SMALL = {"encoder": "mlp", "n_trials": 1, "schedule": SHORT, "random_state": 0, "latent_scale": "simple"}
NETWORK = {**SMALL, "refine": False}
U, V, Z = sympy.symbols("u v z")


@pytest.fixture(scope="module")
def law():
    return EQLDynamicsRegressor(**SMALL, state_names=["u", "v"]).fit(X, Y)


@pytest.fixture(scope="module")
def models(law):
    """A refined law, what is left of a network, and a plain network."""
    heads = {"network": {}, "relu": {"head": "relu"}}
    return {"law": law, **{name: EQLDynamicsRegressor(**NETWORK, **given).fit(X, Y) for name, given in heads.items()}}


# scikit-learn's own data are tables, so `check_estimator` stops after its first check for an estimator of series; those
# of the others that ask nothing of the data are run here.
DATALESS = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_valid_tag_types,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_mixin_order,
    estimator_checks.check_param_validation,
]


@pytest.mark.parametrize("check", DATALESS, ids=lambda check: check.__name__)
def test_scikit_learns_checks_that_need_no_table_pass(check):
    check("EQLDynamicsRegressor", EQLDynamicsRegressor())


def test_scikit_learn_sees_that_tables_are_no_input():
    with pytest.warns(SkipTestWarning, match="EQLDynamicsRegressor which requires input.*three_d_array=True"):
        checks = list(estimator_checks.estimator_checks_generator(EQLDynamicsRegressor()))
    for estimator, check in checks:
        check(estimator)
    assert checks


def test_tags_say_what_the_estimator_is():
    tags = get_tags(EQLDynamicsRegressor())
    assert is_regressor(EQLDynamicsRegressor())
    assert tags.transformer_tags is not None
    assert (tags.input_tags.two_d_array, tags.input_tags.three_d_array) == (False, True)
    assert tags.target_tags.multi_output
    assert get_tags(EQLDynamicsRegressor(max_time=1.0)).non_deterministic
    assert not tags.non_deterministic


def test_clone_copies_parameters_and_nothing_else(law):
    copied = clone(law)
    assert copied.get_params() == law.get_params()
    assert not hasattr(copied, "sympy_expr_")
    assert not hasattr(copied, "latents_")


def test_parameters_can_be_read_and_set():
    model = EQLDynamicsRegressor(form="ode")
    assert model.get_params()["form"] == "ode"
    assert model.set_params(form="increment", n_latents=2) is model
    assert (model.form, model.n_latents) == ("increment", 2)
    assert repr(model) == "EQLDynamicsRegressor(form='increment', n_latents=2)"
    with pytest.raises(ValueError, match="Invalid parameter 'n_hidden'"):
        model.set_params(n_hidden=3)


@pytest.mark.parametrize("kind", ["law", "network", "relu"])
def test_parameters_changed_after_fit_do_not_change_results(models, kind):
    changed = copy.deepcopy(models[kind])
    # What is fitted speaks of the form and time step of its fit, whatever is asked for next.
    changed.set_params(state_names=["a", "b"], functions=["sin"], n_hidden_layers=3, encoder="conv1d", n_latents=2)
    changed.set_params(form="increment", dt=0.1, head="eql", refine_latents=False, scale=False, relu_layers=(3,))
    np.testing.assert_array_equal(changed.predict(X), models[kind].predict(X))
    np.testing.assert_array_equal(changed.transform(X), models[kind].transform(X))
    assert list(changed.get_feature_names_out()) == ["z"]


def test_a_second_fit_forgets_the_first():
    model = EQLDynamicsRegressor(**NETWORK, head="relu").fit(X, Y)
    model.set_params(head="eql").fit(X[:, :, :1], Y[:, :, :1])
    assert model.n_states_ == 1
    assert len(model.sympy_expr_) == 1
    model.set_params(head="relu").fit(X, Y)
    assert not hasattr(model, "sympy_expr_")
    assert model.predict(X).shape == Y.shape


COPIES = {
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "joblib": lambda model, folder: joblib.load(joblib.dump(model, folder / "model.joblib")[0]),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", ["law", "network", "relu"])
def test_a_copied_model_does_the_same(models, kind, way, tmp_path):
    model = models[kind]
    again = COPIES[way](model, tmp_path)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    np.testing.assert_array_equal(again.rollout(X, 7), model.rollout(X, 7))
    if kind != "relu":
        assert again.sympy_expr_ == model.sympy_expr_
        for ours, theirs in zip(again.equations_, model.equations_, strict=True):
            pd.testing.assert_frame_equal(ours, theirs)


def leaves(value):
    """Everything inside a state, down to what is no container and no record."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, (list, tuple)):
        for entry in value:
            yield from leaves(entry)
    else:
        yield value


@pytest.mark.parametrize("kind", ["law", "network", "relu"])
def test_the_state_of_a_fitted_model_holds_no_torch(models, kind):
    found = list(leaves(models[kind].__getstate__()))
    assert any(isinstance(leaf, np.ndarray) for leaf in found)
    for leaf in found:
        plain = leaf is None or isinstance(leaf, (str, bool, int, float, np.ndarray, np.integer, np.floating))
        assert plain, f"{type(leaf)} in the state"
        assert not isinstance(leaf, np.ndarray) or leaf.dtype != object
    assert b"torch" not in pickle.dumps(models[kind])


def plain(value, name):
    """Raise AssertionError at the first thing inside `value` that is neither a plain value nor an array."""
    if isinstance(value, dict):
        for key, entry in value.items():
            plain(entry, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for entry in value:
            plain(entry, name)
    elif not isinstance(value, np.ndarray):
        assert value is None or isinstance(value, (str, bool, int, float)), f"{type(value)} in {name}"


@pytest.mark.parametrize("kind", ["law", "relu"])
def test_the_state_of_a_fitted_model_holds_plain_values_only(models, kind):
    state = models[kind].__getstate__()
    del state["schedule"]  # a parameter, phases that the user made
    plain(state, "state")


def test_a_function_of_the_users_travels_with_the_model():
    softsign = Primitive("softsign", 1, softsign_torch, softsign_sympy)
    model = EQLDynamicsRegressor(**NETWORK, functions=["id", "mul", softsign]).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.sympy_expr_ == model.sympy_expr_


def softsign_torch(g):
    return g / (1 + g.abs())


def softsign_sympy(g):
    return g / (1 + sympy.Abs(g))


def doubled(series):
    return 2 * series


def test_a_pipeline_may_end_in_a_law():
    units = FunctionTransformer(doubled)
    pipeline = make_pipeline(units, EQLDynamicsRegressor(**SMALL)).fit(X, 2 * Y)
    np.testing.assert_allclose(pipeline.predict(X), 2 * Y, atol=1e-6)
    np.testing.assert_allclose(pipeline.transform(X)[:, 0], 2 * DATA.z, atol=1e-6)
    assert pipeline.score(X, 2 * Y) > 1 - 1e-9


def test_latents_may_be_features_of_another_model():
    pipeline = make_pipeline(EQLDynamicsRegressor(**NETWORK), StandardScaler())
    latents = pipeline.fit_transform(X, Y)
    assert abs(np.corrcoef(latents[:, 0], DATA.z)[0, 1]) > 0.9


def test_transform_may_return_a_frame(law):
    model = copy.deepcopy(law).set_output(transform="pandas")
    frame = model.transform(X)
    assert list(frame.columns) == ["z"]
    np.testing.assert_array_equal(frame.to_numpy(), law.transform(X))


def test_grid_search_over_series_chooses_by_score():
    with pytest.warns(NoLawWarning):  # for n_latents=0
        grid = GridSearchCV(EQLDynamicsRegressor(**SMALL), {"n_latents": [0, 1]}, cv=2).fit(X, Y)
    assert grid.best_params_ == {"n_latents": 1}
    assert grid.best_score_ > 1 - 1e-9


def test_grid_search_over_forms_runs():
    grid = GridSearchCV(EQLDynamicsRegressor(**NETWORK), {"form": ["update", "increment"]}, cv=2).fit(X, Y)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()


def test_cross_validation_scores_every_fold():
    scores = cross_val_score(EQLDynamicsRegressor(**NETWORK), X, Y, cv=3)
    assert scores.shape == (3,)
    assert (scores > 0.5).all()


class Interrupting(SmoothedL05):
    """A penalty that presses Ctrl-C when it is asked for the n-th time."""

    def __init__(self, after):
        super().__init__()
        object.__setattr__(self, "calls", [after])

    def value(self, weights, gates=None):
        self.calls[0] -= 1
        if self.calls[0] < 0:
            raise KeyboardInterrupt
        return super().value(weights, gates)


@pytest.mark.parametrize("parameters", [SMALL, NETWORK], ids=["refined", "unrefined"])
def test_an_interrupted_training_keeps_the_best_law(parameters):
    model = EQLDynamicsRegressor(**parameters, penalty=Interrupting(30))
    with pytest.warns(SearchInterruptedWarning, match=r"fit was interrupted.*best law.*interrupted_ is True"):
        model.fit(X, Y)
    assert model.interrupted_ is True
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_ == 30
    assert model.predict(X).shape == Y.shape
    assert len(model.sympy_expr_) == 2


def fit_through(model):
    """Fit; a Ctrl-C that gets out would end the whole test session."""
    try:
        return model.fit(X, Y)
    except KeyboardInterrupt:
        pytest.fail("Ctrl-C got out of fit, and with it everything found until then is lost")


def interrupt(monkeypatch, place, name, call=1):
    """Let the `call`-th call of a function press Ctrl-C."""
    original, calls = getattr(place, name), [0]

    def pressed(*args, **kwargs):
        calls[0] += 1
        if calls[0] == call:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(place, name, pressed)


STAGES = {
    "search for the law": (fitting, "find_motion"),
    "constants": (_motion_fit, "fronts"),
    "teaching of the encoder": (fitting, "taught_encoder"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupted_refinement_keeps_the_best_law(monkeypatch, stage):
    interrupt(monkeypatch, *STAGES[stage])
    model = EQLDynamicsRegressor(**SMALL)
    with pytest.warns(SearchInterruptedWarning, match="fit was interrupted"):
        fit_through(model)
    assert model.interrupted_ is True
    assert model.stop_reason_ == "interrupted"
    assert model.predict(X).shape == Y.shape


def test_ctrl_c_while_a_law_is_fitted_to_all_series_keeps_it(monkeypatch):
    def pressed(*args, unharmed=motion_search.on_all_series):
        signal.raise_signal(signal.SIGINT)
        return unharmed(*args)

    monkeypatch.setattr(motion_search, "on_all_series", pressed)
    model = EQLDynamicsRegressor(**SMALL, state_names=["u", "v"])
    with pytest.warns(SearchInterruptedWarning, match="fit was interrupted"):
        fit_through(model)
    assert model.stop_reason_ == "interrupted"
    assert [law.free_symbols for law in model.sympy_expr_] == [{U, V, Z}, {V, Z}]


def test_an_interrupted_finish_is_no_secret(monkeypatch):
    from sklearn_eql.laws import finishing as laws

    interrupt(monkeypatch, laws, "_finish_one", call=2)
    model = EQLDynamicsRegressor(**SMALL)
    with pytest.warns(SearchInterruptedWarning, match="fit was interrupted"):
        fit_through(model)
    assert model.interrupted_ is True


def test_an_uninterrupted_fit_says_so(law):
    assert law.interrupted_ is False
    assert law.stop_reason_ == "schedule"


@pytest.mark.parametrize("parameters", [SMALL, NETWORK], ids=["refined", "unrefined"])
def test_a_fit_that_runs_out_of_time_has_a_law(parameters):
    endless = {**parameters, "schedule": [RolloutPhase(10**9, n_rollout=1)], "max_time": 0.2}
    model = EQLDynamicsRegressor(**endless).fit(X, Y)
    assert model.stop_reason_ == "max_time"
    assert model.interrupted_ is False
    assert model.n_iter_ < 10**9
    assert np.isfinite(model.predict(X)).all()


def test_lists_and_other_numbers_are_series(law, models):
    as_lists = EQLDynamicsRegressor(**NETWORK, state_names=np.array(["u", "v"])).fit(X.tolist(), Y.tolist())
    np.testing.assert_array_equal(as_lists.predict(X.tolist()), models["network"].predict(X))
    assert {str(symbol) for symbol in as_lists.sympy_expr_[0].free_symbols} == {"u", "v", "z"}
    np.testing.assert_array_equal(law.predict(np.asfortranarray(X)), law.predict(X))
    np.testing.assert_array_equal(law.predict(X.astype(object)), law.predict(X))


def test_single_precision_is_enough_for_the_law(law):
    model = EQLDynamicsRegressor(**SMALL, state_names=["u", "v"]).fit(X.astype(np.float32), Y.astype(np.float32))
    assert model.sympy_expr_ == law.sympy_expr_ == [U + V + Z / 2, V + Z]


def test_a_law_can_be_differentiated(law):
    module = law.torch_module()
    states = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(module(states)[0, 0], states)
    np.testing.assert_allclose(slopes.numpy(), [[1.0, 1.0, 0.5]], rtol=1e-9)


def test_predictions_do_not_move_the_random_stream_of_the_user(law):
    before = torch.get_rng_state()
    law.transform(X)
    law.predict(X)
    assert torch.equal(torch.get_rng_state(), before)


def test_verbose_reports_to_stderr(capsys):
    EQLDynamicsRegressor(**{**NETWORK, "schedule": [RolloutPhase(100, n_rollout=1)]}, verbose=1).fit(X, Y)
    captured = capsys.readouterr()
    assert "training, step 100 of 100: loss" in captured.err
    assert captured.out == ""
