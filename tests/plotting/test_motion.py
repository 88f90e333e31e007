"""Pictures of motions: what they show, also where a model diverges, and what they say where they cannot be drawn."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sklearn_eql.datasets import make_oscillator
from sklearn_eql.plotting import plot_latent, plot_rollouts


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def series():
    return make_oscillator(20, 10, 50, random_state=0)


@pytest.fixture
def truth(series):
    return series.Y[0]


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def test_latent_is_drawn_over_the_true_parameter(series):
    z = 0.5 - 2 * series.z
    ax = plot_latent(z, series.z, label="omega2")
    (points,) = ax.collections
    np.testing.assert_allclose(points.get_offsets(), np.c_[series.z, z])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("omega2", "latent z")


@pytest.mark.parametrize(
    ("error", "title"), [(0.1, "correlation -0.995"), (1e-3, "correlation -0.9999995"), (0, "correlation -1.00000000")]
)
def test_correlation_has_as_many_digits_as_tell_it_from_one(error, title):
    true = np.array([-1.0, -1.0, 1.0, 1.0])
    z = -true + error * np.array([1, -1, 1, -1])
    assert plot_latent(z, true).get_title(loc="left") == title


def test_a_latent_that_is_the_same_for_all_series_is_drawn_without_a_correlation(series):
    ax = plot_latent(np.zeros(20), series.z)
    assert ax.get_title(loc="left") == "no correlation: all values are equal"


def test_latent_may_be_a_single_column(series):
    assert plot_latent(series.z[:, None], series.z).get_title(loc="left") == "correlation 1.00000000"


@pytest.mark.parametrize(
    ("z", "true", "message"),
    [
        (np.ones((4, 2)), np.ones(4), r"z must have shape \(n_series,\) or \(n_series, 1\), got \(4, 2\)"),
        (np.ones(4), np.ones(3), r"one value for each series, got 4 and 3"),
        (np.ones(4), [1, 2, 3, np.nan], r"true must be finite, got NaN"),
        ([], [], r"z must have shape .* got \(0,\)"),
    ],
)
def test_latents_that_cannot_be_drawn_are_explained(z, true, message):
    with pytest.raises(ValueError, match=message):
        plot_latent(z, true)


def test_every_state_has_a_panel_with_the_truth_in_black_and_the_models_in_colours_and_dashes(series, truth):
    models = {name: truth + 0.1 * i for i, name in enumerate(("EQL", "ReLU", "Euler", "RK4"))}
    axes = plot_rollouts(series.t, {**models, "True": truth}, series.state_names)
    assert [ax.get_ylabel() for ax in axes] == ["u", "v"]
    assert [ax.get_xlabel() for ax in axes] == ["", "t"]
    for state, ax in enumerate(axes):
        drawn = lines(ax)
        assert set(drawn) == {"True", "EQL", "ReLU", "Euler", "RK4"}
        np.testing.assert_allclose(drawn["Euler"].get_ydata(), models["Euler"][:, state])
        assert (drawn["True"].get_color(), drawn["True"].get_linestyle()) == ("black", "-")
        assert len({line.get_color() for line in drawn.values()}) == 5
        assert [name for name, line in drawn.items() if not line.is_dashed()] == ["True"]
    legend = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert legend == ["True", "EQL", "ReLU", "Euler", "RK4"]


def test_the_end_of_training_is_a_dotted_line_in_every_panel(series, truth):
    for ax in plot_rollouts(series.t, {"True": truth}, series.state_names, trained_until=2.5):
        (mark,) = [line for line in ax.get_lines() if line.get_linestyle() == ":"]
        assert mark.get_xdata() == [2.5, 2.5]


@pytest.mark.parametrize("values", [1e300, np.inf, np.nan])
def test_a_model_that_explodes_leaves_the_picture_instead_of_flattening_it(series, truth, values):
    alone = [ax.get_ylim() for ax in plot_rollouts(series.t, {"True": truth}, series.state_names)]
    exploding = truth.copy()
    exploding[10:] = values
    axes = plot_rollouts(series.t, {"True": truth, "ReLU": exploding}, series.state_names)
    axes[0].figure.canvas.draw()
    assert [ax.get_ylim() for ax in axes] == alone
    for state, (lower, upper) in enumerate(alone):
        assert lower < truth[:, state].min() < truth[:, state].max() < upper


def test_a_roll_out_that_was_stopped_is_drawn_as_far_as_it_goes(series, truth):
    ax, _ = plot_rollouts(series.t, {"True": truth, "EQL": truth[:7]}, series.state_names)
    np.testing.assert_allclose(lines(ax)["EQL"].get_xdata(), series.t[:7])


def test_a_constant_truth_has_a_range_of_its_own(series):
    (ax,) = plot_rollouts(series.t, {"True": np.full((50, 1), 3.0)}, ["u"])
    lower, upper = ax.get_ylim()
    assert lower < 3 < upper


def test_rollouts_are_drawn_on_given_axes(series, truth):
    _, given = plt.subplots(1, 2)
    assert plot_rollouts(series.t, {"True": truth}, series.state_names, axes=given) == list(given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rollouts": {"true": np.ones((50, 2))}}, r"rollouts must have an entry 'True', got \['true'\]"),
        ({"rollouts": {"True": np.ones((49, 2))}}, r"rollouts\['True'\] must have shape \(50, 2\).*got \(49, 2\)"),
        ({"rollouts": {"True": np.full((50, 2), np.nan)}}, r"rollouts\['True'\] must be finite"),
        ({"rollouts": {"True": np.ones((50, 2)), "EQL": np.ones((51, 2))}}, r"rollouts\['EQL'\].*got \(51, 2\)"),
        ({"rollouts": {"True": np.ones((50, 2)), "EQL": np.ones(50)}}, r"rollouts\['EQL'\].*got \(50,\)"),
        ({"state_names": ["u"]}, r"must have shape \(50, 1\).*got \(50, 2\)"),
        ({"t": np.ones((50, 1))}, r"t must have shape \(n_steps,\).*got \(50, 1\)"),
        ({"axes": [None]}, r"axes must be 2, one for each state, got 1"),
    ],
)
def test_rollouts_that_cannot_be_drawn_are_explained(series, truth, change, message):
    arguments = {"t": series.t, "rollouts": {"True": truth}, "state_names": series.state_names, **change}
    with pytest.raises(ValueError, match=message):
        plot_rollouts(**arguments)


def test_a_missing_matplotlib_is_named_together_with_the_cure(monkeypatch, series):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-eql\[plot\]'"):
        plot_latent(series.z, series.z)


def test_importing_the_pictures_does_not_import_matplotlib():
    code = "import sys, sklearn_eql.plotting; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
