"""The shipped data: where it comes from, how it is returned, what importing it costs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sympy

from sklearn_eql.datasets import TABLE_V, load_kepler, make_table_v


def test_importing_datasets_does_not_import_torch():
    code = "import sys, sklearn_eql.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_kepler_has_eight_planets_and_unseen_small_bodies():
    planets, small = load_kepler(group="planets"), load_kepler(group="small_bodies")
    assert planets.names.tolist() == ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"]
    assert len(small.names) >= 15
    assert not set(planets.names) & set(small.names)
    assert len(load_kepler().names) == len(planets.names) + len(small.names)
    # Extrapolation is part of the test: the unseen group reaches beyond the farthest planet.
    assert small.data["semi_major_axis"].max() > 2 * planets.data["semi_major_axis"].max()


def test_every_kepler_row_names_its_source_and_no_body_appears_twice():
    frame = load_kepler().frame
    assert frame.columns.tolist() == ["name", "group", "semi_major_axis", "period", "source"]
    assert not frame.isna().any().any()
    assert frame["name"].is_unique
    assert frame["source"].str.contains("NASA|JPL").all()


def test_published_orbits_obey_keplers_law_as_well_as_measured_orbits_do():
    frame = load_kepler().frame
    deviation = frame["period"] / (365.2569 * frame["semi_major_axis"] ** 1.5) - 1
    assert deviation.abs().max() < 1e-3
    # Values computed from the law would show no trace of the giants' masses and mutual pull.
    giants = frame["name"].isin(["Jupiter", "Saturn", "Uranus", "Neptune"])
    assert (deviation[giants] < -1e-4).all()


def test_kepler_returns_what_scikit_learn_loaders_return():
    X, y = load_kepler(group="planets", return_X_y=True)
    assert isinstance(X, pd.DataFrame)
    assert isinstance(y, pd.Series)
    bunch = load_kepler(group="planets", as_frame=False)
    assert bunch.data.shape == (8, 1)
    assert bunch.target.shape == (8,)
    assert bunch.frame is None
    np.testing.assert_array_equal(bunch.data[:, 0], X["semi_major_axis"])
    assert (bunch.feature_names, bunch.target_names) == (["semi_major_axis"], ["period"])
    assert Path(bunch.filename).is_file()
    assert "days" in bunch.DESCR


def test_unknown_kepler_group_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"group must be one of .*'planets'.*got 'moons'"):
        load_kepler(group="moons")


def test_table_v_lists_the_ten_functions_of_the_paper_and_the_three_layer_one():
    assert len(TABLE_V) == 11
    layers = [make_table_v(name, 1).n_hidden_layers for name in TABLE_V]
    assert layers == [2] * 10 + [3]


@pytest.mark.parametrize("name", TABLE_V)
def test_expression_and_values_are_the_same_law(name):
    table = make_table_v(name, 50, domain=(-2, 2), random_state=0)
    symbols = [sympy.Symbol(n) for n in table.feature_names]
    assert table.expression.free_symbols == set(symbols)
    expected = sympy.lambdify(symbols, table.expression)(*table.X.T)
    np.testing.assert_allclose(table.y, expected, rtol=1e-12, atol=1e-14)
    assert np.abs(table.X).max() <= 2


def test_noise_is_a_fraction_of_the_root_mean_square_of_y():
    table = make_table_v("x^2", 20_000, noise=0.1, random_state=0)
    clean = table.function(table.X)
    ratio = np.std(table.y - clean) / np.sqrt(np.mean(clean**2))
    assert ratio == pytest.approx(0.1, rel=0.03)


def test_same_random_state_gives_the_same_table():
    first, second = (make_table_v("x y", noise=0.1, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.y, second.y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "x^4"}, r"name='x\^4' is not in the table. Known names: \['x', "),
        ({"name": "x", "n_samples": 0}, "n_samples must be at least 1, got 0"),
        ({"name": "x", "noise": -0.1}, "noise must be a finite number of at least 0, got -0.1"),
        ({"name": "x", "domain": (1, -1)}, r"domain must be \(lower, upper\) with lower < upper, got \(1, -1\)"),
    ],
)
def test_bad_arguments_of_make_table_v_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_table_v(**arguments)
