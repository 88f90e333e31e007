"""EQLRegressor among scikit-learn's own: its checks, pipelines, searches, pickles."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sympy
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_eql import EQLRegressor
from sklearn_eql.laws.selection import RULES
from sklearn_eql.primitives import PRIMITIVES

X = np.random.default_rng(0).uniform(1, 3, (60, 2))
Y = X[:, 0] ** 2 / X[:, 1]
SMALL = {"population_size": 48, "n_generations": 10, "n_hidden_layers": 1, "random_state": 0}


@parametrize_with_checks([EQLRegressor(population_size=24, n_generations=4, n_hidden_layers=1)])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def test_clone_copies_parameters_and_nothing_else():
    fitted = EQLRegressor(**SMALL).fit(X, Y)
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not hasattr(copied, "sympy_expr_")


def test_parameters_changed_after_fit_do_not_change_predictions():
    model = EQLRegressor(**SMALL).fit(X, Y)
    before = model.predict(X)
    model.set_params(functions=["sin"], n_hidden_layers=3)
    np.testing.assert_array_equal(model.predict(X), before)


def test_grid_search_chooses_by_score():
    grid = GridSearchCV(EQLRegressor(**SMALL), {"functions": [["id"], ["pow"]]}, cv=2).fit(X, Y)
    assert grid.best_params_ == {"functions": ["pow"]}
    assert grid.best_score_ > 1 - 1e-9


def test_halving_grid_search_runs():
    search = HalvingGridSearchCV(
        EQLRegressor(**SMALL), {"functions": [["id"], ["pow"]]}, cv=2, min_resources=20, random_state=0
    ).fit(X, Y)
    assert search.best_params_ == {"functions": ["pow"]}


def test_cross_validation_finds_the_law_in_every_fold():
    assert (cross_val_score(EQLRegressor(**SMALL), X, Y, cv=3) > 1 - 1e-9).all()


def test_a_pipeline_passes_scaled_columns_on():
    target = 3 * X[:, 0] - 2 * X[:, 1] + 1
    pipeline = make_pipeline(StandardScaler(), EQLRegressor(**SMALL)).fit(X, target)
    np.testing.assert_allclose(pipeline.predict(X), target, rtol=1e-9)


def test_a_pipeline_may_name_its_columns():
    names = FunctionTransformer(lambda rows: rows).set_output(transform="pandas")
    pipeline = make_pipeline(names, EQLRegressor(**SMALL)).fit(pd.DataFrame(X, columns=["v", "w"]), Y)
    assert pipeline[-1].sympy_expr_ == sympy.Symbol("v") ** 2 / sympy.Symbol("w")


def test_a_transformed_target_is_fitted():
    model = TransformedTargetRegressor(EQLRegressor(**SMALL), func=np.log, inverse_func=np.exp)
    target = np.exp(X[:, 0] * X[:, 1])
    np.testing.assert_allclose(model.fit(X, target).predict(X), target, rtol=1e-8)
    assert model.regressor_.sympy_expr_ == sympy.Symbol("x0") * sympy.Symbol("x1")


COPIES = {
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "joblib": lambda model, folder: joblib.load(joblib.dump(model, folder / "model.joblib")[0]),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
}


@pytest.mark.parametrize("way", COPIES)
def test_a_copied_model_predicts_and_prints_the_same(way, tmp_path):
    model = EQLRegressor(**SMALL).fit(pd.DataFrame(X, columns=["v", "w"]), np.c_[Y, X.sum(axis=1)])
    again = COPIES[way](model, tmp_path)
    frame = pd.DataFrame(X, columns=["v", "w"])
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    assert again.sympy_expr_ == model.sympy_expr_
    for ours, theirs in zip(again.equations_, model.equations_, strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


def plain(value):
    """Raise AssertionError at the first thing inside `value` that is neither a plain value nor an array."""
    if isinstance(value, dict):
        for key, entry in value.items():
            assert isinstance(key, str)
            plain(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            plain(entry)
    elif isinstance(value, np.ndarray):
        assert value.dtype.kind in "fiubU" or all(isinstance(entry, str) for entry in value)
    else:
        assert value is None or isinstance(value, (str, bool, int, float)), f"{type(value)} in the state"


def test_the_state_of_a_fitted_model_holds_plain_values_only():
    frame = pd.DataFrame(X, columns=["v", "w"])
    plain(EQLRegressor(**SMALL).fit(frame, np.c_[Y, X.sum(axis=1)]).__getstate__())


def test_a_state_of_another_version_is_read():
    model = EQLRegressor(**SMALL).fit(X, Y)
    state = model.__getstate__()
    for record in state["_laws"][0]:
        del record["n_free"]  # not there yet in an older version
        record["novelty"] = 1.0  # of a newer version
    older = EQLRegressor.__new__(EQLRegressor)
    older.__setstate__(state)
    np.testing.assert_array_equal(older.predict(X), model.predict(X))


def test_built_in_functions_pickle_by_name():
    for primitive in PRIMITIVES.values():
        assert pickle.loads(pickle.dumps(primitive)) is primitive
    model = EQLRegressor(**{**SMALL, "functions": [PRIMITIVES["div"], PRIMITIVES["square"]]}).fit(X, X[:, 0] / X[:, 1])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


@pytest.mark.parametrize("selection", [*RULES, lambda table: table["loss"].idxmin()], ids=[*RULES, "callable"])
def test_every_selection_rule_finds_a_law_without_noise(selection):
    model = EQLRegressor(**SMALL, selection=selection).fit(X, Y)
    assert model.sympy_expr_ == sympy.Symbol("x0") ** 2 / sympy.Symbol("x1")
    assert model.best_index_ in model.equations_.index


def test_the_order_of_rows_does_not_matter(rng):
    target = Y + 0.1 * rng.normal(size=60)
    order = rng.permutation(60)
    weight = rng.uniform(1, 2, 60)
    first = EQLRegressor(**SMALL).fit(X, target, sample_weight=weight)
    second = EQLRegressor(**SMALL).fit(X[order], target[order], sample_weight=weight[order])
    pd.testing.assert_frame_equal(first.equations_, second.equations_)


def test_a_row_of_weight_three_is_three_rows(rng):
    target = Y + 0.1 * rng.normal(size=60)
    weight = rng.integers(0, 4, 60)
    weighted = EQLRegressor(**SMALL).fit(X, target, sample_weight=weight)
    repeated = EQLRegressor(**SMALL).fit(np.repeat(X, weight, axis=0), np.repeat(target, weight))
    assert weighted.best_index_ == repeated.best_index_
    columns = ["complexity", "loss", "score"]  # of the law selected and the simpler ones
    ours, theirs = (model.equations_.loc[: model.best_index_, columns] for model in (weighted, repeated))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-6)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6)


def test_a_wrong_row_of_weight_zero_is_ignored():
    spoiled = Y.copy()
    spoiled[7] = 1e6
    model = EQLRegressor(**SMALL).fit(X, spoiled, sample_weight=np.arange(60) != 7)
    assert model.sympy_expr_ == sympy.Symbol("x0") ** 2 / sympy.Symbol("x1")
    assert model.equations_["loss"].min() < 1e-20


def test_heavier_rows_draw_the_law_to_them():
    target = np.where(np.arange(60) < 30, 1.0, 3.0) * X[:, 0]
    weight = np.where(np.arange(60) < 30, 1.0, 1e6)
    model = EQLRegressor(**{**SMALL, "functions": ["id"]}).fit(X[:, :1], target, sample_weight=weight)
    np.testing.assert_allclose(model.predict([[1.0]]), 3.0, rtol=1e-4)


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_the_scale_of_the_weights_does_not_matter(factor, rng):
    weight = rng.uniform(1, 2, 60)
    target = Y + 0.1 * rng.normal(size=60)
    first = EQLRegressor(**SMALL).fit(X, target, sample_weight=weight)
    second = EQLRegressor(**SMALL).fit(X, target, sample_weight=weight * factor)
    np.testing.assert_allclose(first.predict(X), second.predict(X), rtol=1e-6)
