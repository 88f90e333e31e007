"""Pages of laws of motion: the laws as what they give, roll-outs beside series, hidden parameters."""

import base64
import re

import numpy as np
import pytest

from sklearn_eql import EQLDynamicsRegressor
from sklearn_eql.datasets import make_kinematics
from sklearn_eql.training.schedule import RolloutPhase

DATA = make_kinematics(30, 12, 4, random_state=0)
UNSEEN = make_kinematics(5, 12, 9, random_state=1)


@pytest.fixture(scope="module")
def model():
    schedule = (RolloutPhase(40, n_rollout=1), RolloutPhase(70, learning_rate=5e-3, n_rollout=3))
    settings = {"encoder": "mlp", "n_trials": 1, "schedule": schedule, "refine_latents": False, "random_state": 0}
    return EQLDynamicsRegressor(state_names=["u_1", "v"], latent_scale="simple", **settings).fit(DATA.X, DATA.Y)


@pytest.fixture(scope="module")
def page(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "report.html"
    model.report(path, UNSEEN.X, UNSEEN.Y)
    return path.read_text(encoding="utf-8")


def test_a_report_has_roll_outs_hidden_parameters_and_how_the_fit_went(page):
    captions = re.findall('<img alt="([^"]*)"', page)
    assert len(captions) == page.count("<figure")
    for part in ("Three series", "Root mean square errors", "Of the training series", "Loss of the networks"):
        assert sum(part in caption for caption in captions) == 1
    for text in (
        "for 9 steps; the fit saw 4.", "error after 4 steps", "error after 9 steps", "30 series of 4 steps",
        "the schedule of training is over", "Constants of next u_1", "<h2>Versions</h2>", "torch",
    ):  # fmt: skip
        assert text in page


def test_pictures_of_a_report_hold_text_that_is_whole(page):
    for data in re.findall('base64,([^"]*)"', page):
        assert base64.b64decode(data).rstrip().endswith(b"</svg>")


def test_laws_say_what_they_give(model, page):
    large = re.findall('<div class="main-law">(.*?)</div>', page)
    assert len(large) == 2
    assert all("<mtext>next&#160;</mtext>" in law for law in large)
    assert "<msub>" in large[0].partition("<mo>=")[0]  # u_1, as in the law
    assert "for next v</summary>" in model._repr_html_()


def test_without_series_there_are_laws_and_hidden_parameters_only(model, tmp_path):
    model.report(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Hidden parameters</h2>" in text
    assert "Roll-outs" not in text


def test_a_law_without_hidden_parameters_has_a_report(tmp_path):
    start = np.linspace(0.5, 1, 20).reshape(20, 1, 1)
    growth = EQLDynamicsRegressor(n_latents=0, state_names=["x"], form="ode", dt=0.1)
    growth.fit(start, start * np.exp(-0.1 * np.arange(1, 4)[:, None]))
    growth.report(tmp_path / "report.html", start, 2 * start)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Hidden parameters</h2>" not in text
    assert "Laws of dx" not in text  # there is only one
    assert "<mfrac><mrow><mi>d</mi><mi>x</mi></mrow><mrow><mi>d</mi><mi>t</mi></mrow></mfrac>" in text


def test_series_of_other_shapes_are_told(model, tmp_path):
    with pytest.raises(
        ValueError, match=r"X and Y must have shapes \(n_series, n_observed \+ 1, 2\).*got \(5, 13, 2\)"
    ):
        model.report(tmp_path / "report.html", UNSEEN.X, UNSEEN.Y[:, 0])


def test_constants_of_laws_of_motion_have_values_and_places(model):
    of_position, of_speed = model.constants_
    assert of_position["value"].tolist() == [0.5]
    assert of_position["place"].tolist() == ["factor of z"]
    assert list(of_position) == ["value", "exact", "place"]
    assert len(of_speed) == 0
    assert model.sympy(named=True) == model.sympy_expr_  # nothing is fitted
