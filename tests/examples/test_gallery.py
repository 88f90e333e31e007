"""The gallery: tables as published, and the laws found in them."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sympy

from sklearn_eql import EQLRegressor
from sklearn_eql.datasets import load_balmer, load_boyle, load_hubble
from sklearn_eql.datasets._classics import _in_vacuum

LOADERS = {"boyle": (load_boyle, 25), "hubble": (load_hubble, 24), "balmer": (load_balmer, 12)}
SCRIPT = Path(__file__).parents[2] / "examples" / "gallery.py"


@pytest.mark.parametrize("name", LOADERS)
def test_tables_come_as_scikit_learn_loaders_return_them(name):
    load, n_rows = LOADERS[name]
    X, y = load(return_X_y=True)
    assert isinstance(X, pd.DataFrame)
    assert isinstance(y, pd.Series)
    assert X.shape == (n_rows, 1)
    bunch = load(as_frame=False)
    assert bunch.frame is None
    np.testing.assert_array_equal(bunch.data, X)
    np.testing.assert_array_equal(bunch.target, y)
    assert (bunch.feature_names, bunch.target_names) == ([X.columns[0]], [y.name])
    assert Path(bunch.filename).is_file()
    assert "Source: " in bunch.DESCR
    assert not load().frame.isna().any().any()
    assert ("names" in bunch) == ("name" in load().frame)


def test_boyles_pressures_are_his_mercury_and_the_atmosphere():
    frame = load_boyle().frame
    assert frame["volume"].tolist() == [*range(48, 24, -2), *range(24, 11, -1)]
    assert frame["pressure"].is_monotonic_increasing
    assert (frame["pressure"] * 16 % 1 == 0).all()
    # His second column was read on its own: a slip in typing either would show, but for the three rows he printed so.
    differs = frame["mercury"] + 29.125 != frame["pressure"]
    assert frame["volume"][differs].tolist() == [36, 17, 16]
    # "What that pressure should be according to the hypothesis"
    assert (frame["pressure"] * frame["volume"] / (48 * 29.125) - 1).abs().max() < 0.015


def test_hubbles_distances_reproduce_the_absolute_magnitudes_he_printed():
    frame = load_hubble().frame
    assert frame["name"].is_unique
    assert frame["distance"].is_monotonic_increasing
    absolute = frame["apparent_magnitude"] + 5 - 5 * np.log10(1e6 * frame["distance"])
    assert (absolute - frame["absolute_magnitude"]).abs().max() < 0.08  # distances have two digits
    assert absolute.mean() == pytest.approx(-15.5, abs=0.05)  # the mean he printed
    assert (frame["velocity"] < 0).sum() == 5
    assert frame["velocity"].sum() == 8955


def test_balmers_lines_obey_the_accepted_constant_as_well_as_measured_lines_do():
    frame = load_balmer().frame
    assert frame["n"].tolist() == list(range(3, 15))
    assert frame["air_wavelength"].is_monotonic_decreasing
    excess = frame["wavenumber"] - 109677.583 * (1 / 4 - 1 / frame["n"] ** 2)
    # Fine structure of level 2 is 0.09 to 0.46 1/cm; values computed from the formula would not scatter.
    assert excess.between(0.09, 0.46).all()
    assert excess.std() > 0.02


def test_air_wavelengths_become_those_in_vacuum():
    # The green line of oxygen in nebulae, listed as 5006.843 in air and 5008.240 Angstrom in vacuum.
    assert _in_vacuum(500.6843) == pytest.approx(500.8240, abs=1e-4)


def test_unknown_target_of_balmer_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"target must be one of .*'wavenumber'.*got 'energy'"):
        load_balmer(target="energy")


def test_three_generations_find_balmers_formula():
    X, y = load_balmer(return_X_y=True, target="wavenumber")
    model = EQLRegressor(n_generations=3, random_state=0).fit(X, y)
    constants = {"A": 27419.630, "R": 4 * 27419.630}
    wilds = {name: sympy.Wild(name, exclude=[sympy.Symbol(X.columns[0])]) for name in constants}
    found = sympy.expand(model.sympy_expr_).match(sympy.sympify("A - R/n**2", locals=wilds))
    assert found is not None, f"found {model.sympy_expr_}"
    for name, value in constants.items():
        assert float(found[wilds[name]]) == pytest.approx(value, rel=1e-6)


def test_the_script_compares_with_accepted_values_and_draws(monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys, "argv", ["gallery.py", "hubble", "--plot", str(tmp_path / "hubble.png")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    printed = capsys.readouterr().out
    assert "H0 = 424 +- 42 km/s per Mpc" in printed
    assert "Hubble 1929, 24 nebulae: 465, relative difference -8.8e-02" in printed
    assert (tmp_path / "hubble.png").stat().st_size > 10_000
