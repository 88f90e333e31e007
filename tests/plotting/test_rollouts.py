"""Displays of laws of motion: which series they show, errors, series that explode, hidden parameters."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator

from sklearn_eql.exceptions import RolloutWarning
from sklearn_eql.plotting import LatentDisplay, RolloutDisplay, RolloutErrorDisplay
from sklearn_eql.plotting.rolled_out import RolledOut


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class Doubling(BaseEstimator):
    """The next state is twice the state, and that of a series that starts above 1 explodes after two steps."""

    n_states_, n_steps_, dt, state_names_ = 1, 2, 0.5, ["x"]
    latents_ = np.linspace(0, 1, 12).reshape(12, 1)

    def fit(self):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def rollout(self, X, n_steps):
        kept = n_steps
        if (X[:, -1] > 1).any():
            kept = min(n_steps, 2)
            warnings.warn("explodes", RolloutWarning, stacklevel=2)
        return X[:, -1:] * 2.0 ** np.arange(1, kept + 1)[:, None]

    def transform(self, X):
        return np.mean(X, axis=1)

    def get_feature_names_out(self):
        return np.array(["z"], dtype=object)


def series(starts, errors, n_steps=4):
    start = np.array(starts, dtype=float).reshape(-1, 1, 1)
    return start, start * 2.0 ** np.arange(1, n_steps + 1)[:, None] + np.array(errors).reshape(-1, 1, 1)


def test_the_best_the_median_and_the_worst_series_are_shown():
    X, Y = series([0.1, 0.2, 0.3, 0.4, 0.5], [3, 1, 0, 2, 4])
    display = RolloutDisplay.from_estimator(Doubling(), X, Y)
    assert display.titles == ["series 2: smallest error", "series 3: median error", "series 4: largest error"]
    first = display.axes_[0, 0]
    data, law = first.get_lines()[:2]
    np.testing.assert_allclose(data.get_xdata(), [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(law.get_ydata(), 0.3 * 2.0 ** np.arange(5))
    assert [text.get_text() for text in display.figure_.legends[0].get_texts()] == ["data", "law"]


def test_series_can_be_chosen():
    X, Y = series([0.1, 0.2, 0.3, 0.4], [0, 0, 0, 0])
    assert RolloutDisplay.from_estimator(Doubling(), X, Y, series=[3, 1]).titles == ["series 3", "series 1"]
    with pytest.raises(ValueError, match=r"series must be of 0 to 3, got \[4\]"):
        RolloutDisplay.from_estimator(Doubling(), X, Y, series=[4])


def test_a_series_that_explodes_does_not_shorten_the_others():
    X, Y = series([0.5, 2.0], [0, 0])
    rolled = RolledOut.of(Doubling(), X, Y)
    assert rolled.exploded.tolist() == [False, True]
    np.testing.assert_allclose(rolled.rolled[0], Y[0])
    assert np.isnan(rolled.rolled[1, 2:]).all()
    assert rolled.errors()[1] == np.inf
    display = RolloutErrorDisplay(rolled=rolled).plot()
    np.testing.assert_allclose(display.errors_, 0, atol=1e-15)
    assert display.ax_.get_title(loc="left") == "2 series, 1 of which explode"


def test_errors_are_in_units_of_the_spread_of_a_state():
    X, Y = series([0.1, 0.4], [1, -1], n_steps=2)
    display = RolloutErrorDisplay.from_estimator(Doubling(), X, Y)
    np.testing.assert_allclose(display.errors_[:, 0], 1 / Y.std())
    assert display.rolled.trained_until is None  # no step is beyond training


def test_many_series_are_thinned_out():
    X, Y = series(np.full(1000, 0.5), np.zeros(1000), n_steps=1)
    rolled = RolledOut.of(Doubling(), X, Y)
    assert len(rolled.series) == 200
    assert rolled.series[[0, -1]].tolist() == [0, 999]


def test_latents_are_histograms_and_pairs():
    display = LatentDisplay.from_estimator(Doubling(), np.full((3, 2, 1), 0.5))
    assert sum(patch.get_height() for patch in display.axes_[0, 0].patches) == 12
    assert len(display.axes_[0, 0].get_lines()[0].get_xdata()) == 3
    z = np.random.default_rng(0).normal(size=(20, 2))
    pairs = LatentDisplay(z=z, names=["a$", "b"]).plot()
    np.testing.assert_allclose(pairs.axes_[1, 0].collections[0].get_offsets(), z)
    assert not pairs.axes_[0, 1].axison
    with pytest.raises(ValueError, match=r"z must have shape \(n_series, n_latents\), got \(20, 0\)"):
        LatentDisplay(z=z[:, :0], names=[])
