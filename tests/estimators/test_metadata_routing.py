"""Weights reach fits and all scores of a cross-validation, and what transforms names its columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_validate

from sklearn_eql import EQLDynamicsRegressor, EQLEncoderRegressor, EQLRegressor, SymbolicTransformerRegressor
from sklearn_eql.datasets import make_kinematics
from sklearn_eql.training.schedule import Phase, RolloutPhase

ESTIMATORS = [EQLDynamicsRegressor, EQLEncoderRegressor, EQLRegressor, SymbolicTransformerRegressor]


@pytest.fixture(autouse=True)
def _routing():
    with config_context(enable_metadata_routing=True):
        yield


def test_weights_are_routed_to_fit_and_to_every_score():
    X = np.random.default_rng(0).uniform(0.5, 2, (40, 2))
    weight = (np.arange(40) % 8 > 0).astype(float)
    y = X[:, 0] * X[:, 1] + 3 * (weight == 0)  # wrong where there is no weight
    model = EQLRegressor(functions=["mul"], n_hidden_layers=1, random_state=0).set_fit_request(sample_weight=True)
    metrics = ["r2", "neg_mean_squared_error", "neg_mean_absolute_error"]
    scoring = {name: get_scorer(name).set_score_request(sample_weight=True) for name in metrics}
    params = {"sample_weight": weight}
    found = cross_validate(model, X, y, params=params, scoring=scoring, cv=2, error_score="raise")
    for name, best in zip(metrics, [1.0, 0.0, 0.0], strict=True):
        np.testing.assert_allclose(found[f"test_{name}"], best, atol=1e-9)
    own = model.set_score_request(sample_weight=True)
    assert (cross_validate(own, X, y, params=params, cv=2)["test_score"] > 1 - 1e-9).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_scores_with_weights(estimator):
    requests = estimator().set_score_request(sample_weight=True).get_metadata_routing()
    assert requests.score.requests["sample_weight"] is True


@pytest.mark.usefixtures("one_thread")
def test_series_are_scored_with_weights_and_latents_have_names():
    data = make_kinematics(12, 8, 3, random_state=0)
    model = EQLDynamicsRegressor(
        encoder="mlp", n_trials=1, schedule=(RolloutPhase(20, n_rollout=1),), refine=False, random_state=0
    ).fit(data.X, data.Y)
    one = np.zeros(12)
    one[3] = 1.0
    assert model.score(data.X, data.Y, sample_weight=one) == pytest.approx(model.score(data.X[3:4], data.Y[3:4]))
    frame = model.set_output(transform="pandas").transform(data.X)
    assert list(frame.columns) == list(model.get_feature_names_out()) == ["z"]


@pytest.mark.usefixtures("one_thread")
def test_latents_of_items_have_names():
    X = pd.DataFrame(np.random.default_rng(0).uniform(-1, 1, (60, 2)), columns=["left", "right"])
    model = EQLEncoderRegressor(
        encoder="mlp", functions=["id"], n_hidden_layers=1, linear_steps=5, schedule=[Phase(5, 1e-2)], max_iter=10,
        n_generations=0, random_state=0,
    ).fit(X, X["left"] + X["right"])  # fmt: skip
    frame = model.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == list(model.get_feature_names_out()) == ["z0", "z1"]
    assert frame.index.equals(X.index)
