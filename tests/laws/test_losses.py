"""Losses by name and of users: values, weights that have the same slopes, and targets that they have no meaning for."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_poisson_deviance, mean_squared_log_error

from sklearn_eql.laws.losses import LOSSES, TorchLoss, check_targets, loss_of


def log_cosh(prediction, y, weight):
    return (weight * torch.log(torch.cosh(prediction - y))).mean()


@pytest.fixture
def values(rng):
    y = rng.integers(1, 9, size=20).astype(float)
    return y * np.exp(0.2 * rng.normal(size=20)), y, rng.uniform(0.5, 2, size=20)


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("absolute_error", mean_absolute_error),
        ("poisson", mean_poisson_deviance),
        ("log_error", lambda y, f, **kw: mean_squared_log_error(y - 1, f - 1, **kw)),
        ("relative_error", lambda y, f, sample_weight: np.average((f / y - 1) ** 2, weights=sample_weight)),
    ],
)
def test_values_are_those_of_scikit_learn(values, name, metric):
    prediction, y, weight = values
    expected = metric(y, np.maximum(prediction, 1), sample_weight=weight)
    assert LOSSES[name].value(np.maximum(prediction, 1), y, weight) == pytest.approx(expected)


@pytest.mark.parametrize("name", LOSSES)
def test_weighted_squares_have_the_slopes_of_the_loss(values, name):
    """Up to one factor for all rows."""
    prediction, y, _ = values
    loss, step = LOSSES[name], 1e-6
    slopes = (loss.rows(prediction + step, y) - loss.rows(prediction - step, y)) / (2 * step)
    ratio = slopes / (loss.weights(prediction, y) * (prediction - y))
    assert ratio == pytest.approx(np.full(20, ratio[0]), rel=1e-4)
    assert ratio[0] > 0


@pytest.mark.parametrize("name", LOSSES)
def test_the_best_constant_is_at_level_one(values, name):
    _, y, weight = values
    loss = LOSSES[name]
    constant = loss.center(y, weight)
    value = loss.value(np.full(20, constant), y, weight)
    assert loss.level(value, y, weight) == pytest.approx(1)
    for other in (0.9, 1.1):
        assert loss.value(np.full(20, constant * other), y, weight) >= value - 1e-12
    assert loss.level(loss.value(y, y, weight), y, weight) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["poisson", "log_error"])
def test_predictions_that_are_impossible_have_an_infinite_loss(name):
    loss, y = LOSSES[name], np.array([1.0, 2.0])
    assert loss.value(np.array([-0.1, 2.0]), y, None) == math.inf
    assert np.isfinite(loss.weights(np.array([-0.1, 2.0]), y)).all()
    assert LOSSES["poisson"].value(np.array([0.0, 2.0]), np.array([0.0, 2.0]), None) == 0


@pytest.mark.parametrize(
    ("name", "y", "message"),
    [
        ("poisson", [1.0, -2.0], r"loss='poisson' and y has .*-2.0.* in row 1, expected counts.*squared_error"),
        ("poisson", [0.0, 0.0], "not all zero"),
        ("log_error", [1.0, 0.0], r"in row 1, expected positive numbers. Leave other rows out"),
        ("relative_error", [0.0, 1.0], r"in row 0, expected no zeros"),
    ],
)
def test_targets_without_meaning_are_refused(name, y, message):
    with pytest.raises(ValueError, match=message):
        check_targets(name, [np.array(y)], ["y"])
    check_targets("squared_error", [np.array(y)], ["y"])


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda f, y, w: (f - y) ** 2, TypeError, r"tensor of shape \(3,\).*expected a scalar"),
        (lambda f, y, w: ((f - y) ** 2).mean().item(), TypeError, r"expected a scalar tensor with a gradient"),
        (lambda f, y, w: -((f - y) ** 2).mean(), ValueError, r"Check the order of its arguments"),
        (lambda f, y, w: (f - y).mean() * math.nan, ValueError, r"nan"),
    ],
)
def test_callables_that_are_no_losses_are_refused(function, error, message):
    with pytest.raises(error, match=f"(?s)loss: the callable.*{message}"):
        check_targets(function, [np.array([1.0, 2.0, 4.0])], ["y"])


def test_a_users_loss_has_weights_too(values):
    prediction, y, weight = values
    loss = loss_of(log_cosh)
    assert isinstance(loss, TorchLoss)
    loss.check(y)
    value, slopes = loss.slopes(prediction, y, weight)
    assert value == pytest.approx(loss.value(prediction, y, weight))
    assert slopes == pytest.approx(weight * np.tanh(prediction - y) / 20)
    expected = np.tanh(prediction - y) / (prediction - y) / 20
    assert loss.weights(prediction, y) == pytest.approx(expected)
    assert loss.level(loss.value(np.full(20, np.average(y, weights=weight)), y, weight), y, weight) == pytest.approx(1)
