"""A sample is read the same in any company, and a fit that fails takes nothing away."""

import numpy as np
import pytest

from sklearn_eql import EQLEncoderRegressor, EQLRegressor, Phase
from sklearn_eql.exceptions import AllTrialsFailedError

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = {
    "functions": {"const": 1, "id": 2, "mul": 1},
    "n_hidden_layers": 1,
    "linear_steps": 20,
    "schedule": [Phase(20, 3e-3)],
    "max_iter": 20,
    "n_generations": 1,
    "random_state": 0,
}
DIVERGING = {"learning_rate": 1e30, "schedule": [Phase(20, 1e30)]}


def pairs_of_images(n_samples=40):
    rng = np.random.default_rng(0)
    X = rng.random((n_samples, 2, 8, 8))
    return X, X[:, :, :4].mean(axis=(2, 3)).sum(axis=1)


@pytest.mark.parametrize("options", [{"encoder": "conv2d"}, {"encoder": "mlp", "head": "relu"}], ids=str)
def test_predictions_do_not_depend_on_the_samples_beside(options):
    X, y = pairs_of_images()
    model = EQLEncoderRegressor(**QUICK, **options).fit(X, y)
    whole, latents, order = model.predict(X), model.transform(X), np.random.default_rng(1).permutation(len(X))
    for rows in ([7], [7, 8], slice(3, 20), order):  # to the rounding of float64
        np.testing.assert_allclose(model.transform(X[rows]), latents[rows], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(model.predict(X[rows]), whole[rows], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("head", ["eql", "relu"])
def test_a_refit_that_fails_leaves_the_model_as_it_was(head):
    X, y = pairs_of_images()
    model = EQLEncoderRegressor(encoder="mlp", head=head, **QUICK).fit(X, y)
    before = model.predict(X)
    model.set_params(head="eql", **DIVERGING)
    with pytest.raises(AllTrialsFailedError, match="Training diverged"):
        model.fit(X[:, :, :6], y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.n_features_in_ == 128


def test_a_first_fit_that_fails_leaves_the_model_unfitted():
    X, y = pairs_of_images()
    model = EQLEncoderRegressor(encoder="mlp", **{**QUICK, **DIVERGING})
    with pytest.raises(AllTrialsFailedError, match="Training diverged"):
        model.fit(X, y)
    assert not model.__sklearn_is_fitted__()
    assert not hasattr(model, "n_features_in_")


def test_a_table_that_is_refused_leaves_the_model_as_it_was():
    X = np.random.default_rng(0).uniform(1, 2, (30, 2))
    model = EQLRegressor(random_state=0).fit(X, X[:, 0] * X[:, 1])
    with pytest.raises(ValueError, match="constant"):
        model.fit(X[:, :1], np.ones(30))
    assert model.n_features_in_ == 2
    np.testing.assert_allclose(model.predict(X), X[:, 0] * X[:, 1])


@pytest.mark.parametrize("factor", [1e-310, 1e150, 1e307])
def test_the_unit_of_pixels_does_not_matter(factor):
    X, y = pairs_of_images()
    model = EQLEncoderRegressor(encoder="mlp", **QUICK).fit(X, y)
    scaled = EQLEncoderRegressor(encoder="mlp", **QUICK).fit(X * factor, y)
    np.testing.assert_allclose(scaled.predict(X * factor), model.predict(X), rtol=1e-3, atol=1e-3)


def test_one_pixel_out_of_all_proportion_leaves_predictions_finite():
    X, y = pairs_of_images()
    X[3, 0, 2, 2] = 1e150
    model = EQLEncoderRegressor(encoder="mlp", head="relu", **QUICK).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
