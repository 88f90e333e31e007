"""Figs. 2 and 10 of the paper: the penalties as they are trained with, and an encoder under a given form."""

from importlib import import_module

import matplotlib.pyplot as plt
import numpy as np
import pytest


@pytest.fixture
def pictures():
    yield import_module("paper_pictures")
    plt.close("all")


def test_the_smoothed_penalty_is_the_root_where_weights_are_large(pictures):
    values, slopes = pictures.penalties().axes
    root, smoothed = (line.get_ydata() for line in values.get_lines())
    large = np.abs(values.get_lines()[0].get_xdata()) > 0.1
    np.testing.assert_allclose(smoothed[large], root[large])
    assert (smoothed >= root - 1e-12).all()
    assert np.abs(slopes.get_lines()[1].get_ydata()).max() < 2


def test_constants_of_the_form_are_trained_along_with_the_encoder(pictures, monkeypatch):
    monkeypatch.setattr(pictures, "N_STEPS", 5)
    X = np.random.default_rng(0).integers(0, 255, (20, 2, 8, 8), dtype=np.uint8)
    model = pictures.TrainedTogether().fit(X, X.mean(axis=(1, 2, 3)))
    assert model.transform(X).shape == (20, 2)
    assert model.predict(X).shape == (20,)
    assert not np.allclose(model.law_.coefficients[0].detach().numpy(), model.form_.coefficients())


def test_pictures_are_written(pictures, tmp_path, capsys):
    assert pictures.main(["penalties", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "paper_penalties.png").exists()
    assert str(tmp_path) in capsys.readouterr().out
