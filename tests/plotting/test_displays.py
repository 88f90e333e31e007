"""Displays: what they show of fitted estimators, whole and without overlap."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation, Text

from sklearn_eql import EQLRegressor
from sklearn_eql.plotting import FitDisplay, FrontDisplay, LossCurveDisplay, NetworkDisplay, ResidualsDisplay
from sklearn_eql.plotting._labels import broken, spread
from sklearn_eql.symbolic import Equation, Frame, Unit


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def X():
    return pd.DataFrame({"t (s)": np.linspace(1, 3, 30)})


@pytest.fixture(scope="module")
def model(X):
    """Of ``0.5*t**2 + 1.23456``."""
    settings = {"functions": ["square"], "n_hidden_layers": 1, "random_state": 0}
    return EQLRegressor(**settings).fit(X, 0.5 * X["t (s)"] ** 2 + 1.23456)


@pytest.fixture(scope="module")
def two_outputs():
    X = np.random.default_rng(0).uniform(1, 2, (40, 2))
    Y = np.stack([X[:, 0] * X[:, 1], X[:, 0] ** 2], axis=1)
    return EQLRegressor(functions=["mul"], n_hidden_layers=1, random_state=0).fit(X, Y), X, Y


LONG = "1.27e+3/(202.0*sqrt(gravity/length (m)) + 1.46 + 1/(length**3 - 0.946/gravity)) - 3*x0*x1*exp(-x2/4) + 0.5"


@pytest.mark.parametrize("width", [8, 20, 44, 200])
def test_a_broken_law_is_whole(width):
    lines = broken(LONG, width).split("\n")
    assert "".join("".join(lines).split()) == "".join(LONG.split())
    if width >= 44:
        assert max(map(len, lines)) <= width + 2  # and the indent
    assert (len(lines) == 1) == (width == 200)


def test_a_law_is_broken_at_signs_first_and_never_inside_powers_or_numbers():
    assert broken("aaaa*bbbb + cccc*dddd", 12) == "aaaa*bbbb\n   + cccc*dddd".replace("   +", "  +")
    assert broken("x**2*y**2*z**2", 8) == "x**2*\n  y**2*\n  z**2"
    assert broken("1.5e-7*x", 3) == "1.5e-7*\n  x"


def test_labels_are_spread_without_overlap_within_the_axes():
    sizes = np.array([0.1, 0.3, 0.1, 0.2])
    placed = spread(np.array([0.9, 0.12, 0.11, 0.1]), sizes)
    assert (np.diff(placed) <= -(sizes[:-1] + sizes[1:]) / 2 + 1e-12).all()
    assert placed[-1] - sizes[-1] / 2 >= -1e-12
    assert placed[0] + sizes[0] / 2 <= 1 + 1e-12


def test_the_front_shows_whole_laws_that_do_not_overlap(known_law):
    model = known_law().fit(pd.DataFrame({"x0": [1.0, 2.0]}), [1.0, 2.0])
    table = pd.concat([model.equations_] * 4, ignore_index=True)
    table["complexity"], table["loss"] = np.arange(12), np.geomspace(1, 0.9, 12)
    long = sum(symbol**k / 7 for k, symbol in enumerate([model.symbol_] * 12))
    table["sympy_expr"] = [long * (1 + i) for i in range(12)]
    model.equations_, model.best_index_ = table, 3
    display = FrontDisplay.from_estimator(model)
    display.figure_.canvas.draw()
    labels = [text for text in display.ax_.texts if isinstance(text, Annotation)]
    assert not any("..." in label.get_text() for label in labels)
    assert sum("x0**11" in label.get_text() for label in labels) == 12
    boxes = sorted((Text.get_window_extent(label) for label in labels), key=lambda box: box.y0)
    assert all(above.y0 >= below.y1 - 1 for below, above in pairwise(boxes))
    page = display.figure_.bbox
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)


def test_a_curve_goes_beyond_the_training_range_which_is_shaded(model, X):
    rows = pd.DataFrame({"t (s)": [0.5, 1.5, 2.5, 4.0, 5.0]})
    display = FitDisplay.from_estimator(model, rows, 0.5 * rows["t (s)"] ** 2 + 1.23456)
    assert display.outside_.tolist() == [True, False, False, True, True]
    assert display.r2_inside_ == display.r2_outside_ == pytest.approx(1)
    shaded = [patch.get_bbox().intervalx for patch in display.ax_.patches]
    np.testing.assert_allclose(sorted(edge for span in shaded for edge in span)[1:3], [1, 3])
    assert "no training rows" in [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert display.ax_.get_title(loc="left").count("$R^2$") == 1
    assert display.ax_.get_xlabel() == "t (s)"


def test_rows_outside_of_a_given_range_are_marked(model, X):
    display = FitDisplay.from_estimator(model, X, X["t (s)"], kind="predicted", training_range=[[0], [2]])
    assert display.outside_.sum() == (X["t (s)"] > 2).sum()
    assert not FitDisplay.from_estimator(model, X, X["t (s)"], training_range=None).outside_.any()


def test_residuals_are_measured_minus_predicted(model, X):
    display = ResidualsDisplay.from_estimator(model, X, model.predict(X) + 0.25)
    np.testing.assert_allclose(display.residuals, 0.25)
    assert "root mean square 0.25" in [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_one_output_of_several_is_drawn(two_outputs):
    model, X, Y = two_outputs
    assert FitDisplay.from_estimator(model, X, Y, output=1).law == "x0**2"
    assert ResidualsDisplay.from_estimator(model, X, Y, output=1).law == "x0**2"
    assert FrontDisplay.from_estimator(model, output=1).laws[-1] == "x0**2"
    assert len(LossCurveDisplay.from_estimator(model).losses) == 2
    texts = [text.get_text() for text in NetworkDisplay.from_estimator(model, output=0, target="F").ax_.texts]
    assert texts.count(r"$\times$") == 1
    assert {"x0", "x1", "F"} <= set(texts)


def test_a_network_has_its_inputs_functions_coefficients_and_biases(model):
    texts = [text.get_text() for text in NetworkDisplay.from_estimator(model).ax_.texts]
    assert sorted(texts) == sorted(["t (s)", "0.5", r"$(\cdot)^2$", "+1.23", "y"])


def test_values_that_skip_layers_pass_through_units_id():
    square = Unit("square", (((1, 1.0),),))
    law = Equation(2, (square, Unit("sin", (((3, 2.0),),))), ((2, 1.0), (4, 1.0)), Frame((5.0, 0.0), (1.0, 1e3), 1e6))
    texts = [text.get_text() for text in NetworkDisplay(law, ["x", "z"], "y").plot().ax_.texts]
    assert texts.count("id") == 2
    assert {"x - 5", "(z)/1000", "y/1e+06", "sin"} <= set(texts)


def test_boxes_of_a_network_do_not_overlap():
    units = [Unit("mul", (((1 + i % 3, 1.0),), ((2 + i % 2, 0.5),))) for i in range(6)]
    law = Equation(3, tuple(units), tuple((4 + i, 1.5) for i in range(6)))
    display = NetworkDisplay(law, ["x", "y", "z"]).plot()
    display.figure_.canvas.draw()
    boxes = [
        text.get_window_extent() for text in display.ax_.texts if text.get_bbox_patch() and text.get_fontsize() > 9
    ]
    assert len(boxes) == 7
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_displays_draw_into_given_axes(model, X):
    _, ax = plt.subplots()
    y = model.predict(X)
    assert FrontDisplay.from_estimator(model, ax=ax).ax_ is ax
    assert FitDisplay.from_estimator(model, X, y, ax=ax).ax_ is ax
    assert ResidualsDisplay.from_estimator(model, X, y, ax=ax).ax_ is ax
    assert LossCurveDisplay.from_estimator(model, ax=ax).ax_ is ax
    _, ax = plt.subplots()
    assert NetworkDisplay.from_estimator(model, ax=ax).figure_ is ax.figure


def test_an_exact_loss_is_drawn_at_rounding():
    display = LossCurveDisplay(losses={"y": [1.0, 0.0]}, stop_reason="exact").plot()
    assert display.ax_.lines[0].get_ydata()[1] == 1e-32
    assert display.ax_.get_title(loc="right") == "ended: exact"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "pie"}, "kind must be 'auto', 'curve' or 'predicted', got 'pie'"),
        ({"y": np.ones(5)}, r"X must have shape \(5, n_features\) to match y, got \(30, 1\)"),
        ({"y": np.ones((30, 1, 1))}, r"y must have shape .*, got \(30, 1, 1\)"),
        ({"training_range": "all"}, "training_range='all': expected 'auto', None or an array"),
        ({"y": -np.ones(30), "log": True}, "log=True needs positive values"),
    ],
)
def test_mistakes_are_told(model, X, arguments, message):
    with pytest.raises(ValueError, match=message):
        FitDisplay.from_estimator(model, **{"X": X, "y": np.ones(30), **arguments})


@pytest.fixture(scope="module")
def cups():
    """Two cups that cool from temperatures of their own, and their model."""
    X = pd.DataFrame({"t": np.tile(np.linspace(0, 2, 12), 2)})
    groups = np.repeat(["cup", "mug"], 12)
    y = np.where(groups == "cup", 50, 70) - 10 * X["t"]
    model = EQLRegressor(functions=["mul"], n_hidden_layers=1, random_state=0).fit(X, y, groups=groups)
    return model, X, y, groups


def test_a_law_of_groups_is_a_curve_for_each(cups):
    model, X, y, groups = cups
    display = FitDisplay.from_estimator(model, X, y, groups=groups)
    assert len(display.curves) == 3
    np.testing.assert_allclose(display.curves[2] - display.curves[1], 20)
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == [display.law, "cup", "mug", "no training rows"]
    colours = [tuple(points.get_facecolor()[0]) for points in display.ax_.collections if len(points.get_offsets())]
    assert len(set(colours)) == 2
    residuals = ResidualsDisplay.from_estimator(model, X, y, groups=groups).residuals
    np.testing.assert_allclose(residuals, 0, atol=1e-9)


def test_the_complexity_of_the_selected_law_is_written():
    display = FrontDisplay(complexity=[1, 12, 13, 39], loss=[1, 0.1, 0.01, 0.009], laws=["a"] * 4, selected=2).plot()
    assert display.ax_.get_xticks().tolist() == [1, 13, 39]
