"""Pictures of models that read digits."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator

from sklearn_eql.datasets import load_digits_arithmetic
from sklearn_eql.plotting import plot_digits

DATA = load_digits_arithmetic(n_samples=60)


class Reader(BaseEstimator):
    """The face of a fitted model that reads digits without mistakes."""

    n_latents = 1

    def __init__(self, data=DATA):
        self.data = data
        self.fitted_ = True

    def fit(self, X, y):
        return self

    def transform(self, X):
        return np.repeat((self.data.digits[: len(X)] - 4.5) / 5.7, self.n_latents, axis=1)

    def predict(self, X):
        return self.data.y[: len(X)] + 0.1


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_latents_are_drawn_against_digits_and_predictions_against_targets():
    figure = plot_digits(Reader(), DATA, DATA)
    above, below = figure.axes[0], figure.axes[2]
    assert above.get_title() == "training images: correlation 1.0000"
    assert "100.0% right" in below.get_title()
    points = above.collections[0].get_offsets()
    assert len(points) == DATA.digits.size
    np.testing.assert_allclose(points[:, 0].round(), DATA.digits.ravel())
    np.testing.assert_allclose(below.collections[0].get_offsets()[:, 1], DATA.y + 0.1)


def test_each_part_needs_a_title():
    with pytest.raises(ValueError, match="got 3 parts and 2 titles"):
        plot_digits(Reader(), DATA, DATA, DATA)


def test_several_latents_per_item_are_refused():
    reader = Reader()
    reader.n_latents = 2
    with pytest.raises(ValueError, match="4 latents for 2 digits per sample"):
        plot_digits(reader, DATA)
