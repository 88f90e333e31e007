"""Searches under other losses than squares: laws have the constants, and the loss, that the loss asks for."""

import numpy as np
import pytest
from sklearn.linear_model import QuantileRegressor

from sklearn_eql import EQLRegressor

X = np.random.default_rng(0).uniform(1, 4, (40, 1))
NOISE = np.random.default_rng(1).standard_t(1.5, size=40)
QUICK = {"functions": ["square"], "n_hidden_layers": 1, "n_generations": 1, "population_size": 16, "random_state": 0}


def fitted(y, loss, **parameters):
    return EQLRegressor(**QUICK | parameters, loss=loss).fit(X, y)


def line_of(model):
    """The best straight line of the table: its loss, intercept and slope."""
    laws = [(row["loss"], row["sympy_expr"]) for _, row in model.equations_.iterrows()]
    loss, line = min((law for law in laws if law[1].diff("x0").is_number), key=lambda law: law[0])
    return loss, float(line.subs("x0", 0)), float(line.diff("x0"))


def test_absolute_errors_have_the_line_of_least_absolute_errors():
    y = 2 + 3 * X[:, 0] + 0.2 * NOISE
    loss, intercept, slope = line_of(fitted(y, "absolute_error"))
    best = QuantileRegressor(quantile=0.5, alpha=0).fit(X, y)
    least = np.abs(y - best.predict(X)).mean()
    assert loss <= least * 1.05
    assert loss == pytest.approx(np.abs(y - intercept - slope * X[:, 0]).mean())


def test_a_users_loss_is_minimised():
    def quartic(prediction, y, weight):
        return (weight * (prediction - y) ** 4).sum() / weight.sum()

    y = X[:, 0] + 0.3 * np.random.default_rng(2).uniform(-1, 1, size=40)
    loss, intercept, slope = line_of(fitted(y, quartic))
    assert loss == pytest.approx(np.mean((intercept + slope * X[:, 0] - y) ** 4))
    for d in (-0.02, 0.02):
        assert np.mean((intercept + d + slope * X[:, 0] - y) ** 4) > loss
        assert np.mean((intercept + (slope + d) * X[:, 0] - y) ** 4) > loss


@pytest.mark.parametrize("name", ["relative_error", "log_error"])
def test_constants_are_those_of_the_loss(name):
    y = 3 * X[:, 0] ** 2 * np.exp(0.3 * np.random.default_rng(3).normal(size=40))
    model = fitted(y, name)
    row = model.equations_.iloc[model.best_index_]
    ratio = model.predict(X) / y
    loss = np.mean((ratio - 1) ** 2 if name == "relative_error" else np.log(ratio) ** 2)
    assert row["loss"] == pytest.approx(loss)
    for factor in (0.98, 1.02):
        other = np.mean((factor * ratio - 1) ** 2 if name == "relative_error" else np.log(factor * ratio) ** 2)
        assert other > loss


def test_counts():
    y = np.random.default_rng(5).poisson(2 * X[:, 0] ** 2).astype(float)
    model = fitted(y, "poisson")
    assert (model.predict(X) > 0).all()
    assert model.predict(X).mean() == pytest.approx(y.mean(), rel=0.1)


def test_weights_and_held_out_rows_go_with_a_loss():
    y = 3 * X[:, 0] ** 2 + 0.1 * NOISE
    weight = np.ones(40)
    weight[:3], y[:3] = 0, -100
    model = EQLRegressor(**QUICK, loss="relative_error", cv=3).fit(X, y, weight)
    assert np.isfinite(model.equations_["cv_loss"]).all()
    assert model.predict(X[3:]) == pytest.approx(y[3:], rel=0.3)
    assert np.isfinite(
        EQLRegressor(**QUICK, loss="absolute_error", selection="extrapolation").fit(X, y).predict(X)
    ).all()


def test_targets_without_meaning_are_said_before_the_search():
    with pytest.raises(ValueError, match=r"loss='log_error' and y has"):
        fitted(X[:, 0] - 2, "log_error")
