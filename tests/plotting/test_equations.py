"""Pictures: what they show, and what they say where they cannot be drawn."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_eql.plotting import plot_equations, plot_fit


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def X():
    return pd.DataFrame({"radius": np.linspace(1, 20, 12)})


@pytest.fixture
def y(X):
    return 2 * X["radius"] ** 1.5


@pytest.fixture
def model(known_law, X, y):
    return known_law().fit(X, y)


def test_plot_equations_labels_every_row_and_marks_the_selected_one(model):
    ax = plot_equations(model)
    ax.figure.canvas.draw()
    texts = {text.get_text(): text.get_fontweight() for text in ax.texts}
    assert texts == {"7.5": "normal", "3.25*radius": "normal", "2.0*radius**(3/2)": "bold"}
    (selected,) = [c for c in ax.collections if c.get_label() == "selected"]
    assert selected.get_offsets()[0][0] == 5
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("complexity", "loss")


def test_plot_equations_shows_an_exact_law_whose_loss_is_zero_below_the_others(model):
    ax = plot_equations(model)
    lowest = min(c.get_offsets()[:, 1].min() for c in ax.collections)
    assert 0 < lowest < model.equations_["loss"][1]


def test_labels_do_not_overlap_where_losses_are_alike(model):
    model.equations_["loss"] = [1.0, 0.999, 0.998]
    ax = plot_equations(model)
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert np.diff(heights).min() > 0.04  # of the axes: a line


def test_plot_equations_draws_one_output_of_several(model):
    other = model.equations_.iloc[:2]
    model.equations_, model.best_index_ = [model.equations_, other], [2, 1]
    assert len(plot_equations(model, output=1).texts) == 2


def test_plots_use_the_axes_they_are_given(model, X, y):
    _, ax = plt.subplots()
    assert plot_equations(model, ax) is ax
    assert plot_fit(model, X, y, ax=ax) is ax


def test_plot_fit_draws_data_and_curve_for_one_feature(model, X, y):
    ax = plot_fit(model, X, y, log=True, domain=(0.5, 100))
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    curve_x, curve_y = ax.lines[0].get_data()
    assert (curve_x[0], curve_x[-1]) == pytest.approx((0.5, 100))
    np.testing.assert_allclose(curve_y, 2.00012 * curve_x**1.5)
    assert ax.get_xlabel() == "radius"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["2.0*radius**(3/2)", "measured"]


def test_plot_fit_draws_predicted_against_measured_for_several_features(known_law, y):
    X = np.c_[np.linspace(1, 20, 12), np.ones(12)]
    ax = plot_fit(known_law().fit(X, y), X, y)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("measured", "predicted")
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 0], y)


def test_plot_fit_shows_the_row_that_index_names(model, X, y):
    ax = plot_fit(model, X, y, index=1)
    assert ax.get_legend().get_texts()[0].get_text() == "3.25*radius"


def test_dollar_signs_in_names_do_not_start_a_formula(known_law):
    X = pd.DataFrame({"a $ b $ _{": [1.0, 2.0, 3.0]})
    model = known_law().fit(X, X.iloc[:, 0])
    plot_fit(model, X, X.iloc[:, 0]).figure.canvas.draw()
    plot_equations(model).figure.canvas.draw()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "pie"}, "kind must be 'auto', 'curve' or 'predicted', got 'pie'"),
        ({"y": np.ones((12, 2))}, r"y must have shape \(n_samples,\) for a law of one output, got \(12, 2\)"),
        ({"y": np.ones(5)}, r"X must have shape \(5, n_features\) to match y, got \(12, 1\)"),
        ({"y": -np.ones(12), "log": True}, "log=True needs positive values in X and y"),
        ({"X": np.ones((12, 2)), "kind": "curve"}, "kind='curve' needs one feature, got 2. Use kind='predicted'"),
    ],
)
def test_bad_arguments_of_plot_fit_are_named(model, X, y, arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_fit(model, **{"X": X, "y": y, **arguments})


def test_an_estimator_that_is_not_fitted_cannot_be_drawn(known_law, X, y):
    with pytest.raises(NotFittedError):
        plot_equations(known_law())
    with pytest.raises(NotFittedError):
        plot_fit(known_law(), X, y)


def test_missing_matplotlib_is_answered_with_the_extra_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"needs matplotlib.*pip install 'sklearn-eql\[plot\]'"):
        plot_equations(model)
