"""Physical units of an estimator's table."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor

UNITS = {"m": {"kg": 1}, "v": {"m": 1, "s": -1}, "c": {"m": 1, "s": -1}}
ENERGY = {"kg": 1, "m": 2, "s": -2}


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.uniform([1, 1, 3], [5, 2, 9], (200, 3)), columns=list(UNITS))


def model(**settings):
    return EQLRegressor(random_state=0, max_time=10, **settings)


@pytest.mark.parametrize("pure", [True, False])
def test_a_law_with_units_is_found(table, pure):
    y = table.m * table.c**2 / np.sqrt(1 - table.v**2 / table.c**2)
    found = model(units=UNITS, y_unit=ENERGY, dimensionless_constants=pure).fit(table, y)
    np.testing.assert_allclose(found.predict(table), y)
    assert found.stop_reason_ == "exact"


def test_the_only_product_that_fits_needs_no_search(table):
    y = np.pi * table.m * table.v + 0.5 * np.random.default_rng(1).standard_normal(len(table))
    known = {name: UNITS[name] for name in "mv"}
    found = model(units=known, y_unit={"kg": 1, "m": 1, "s": -1}, dimensionless_constants=True)
    found.fit(table[["m", "v"]], y)
    assert found.sympy_expr_.free_symbols == {sympy.Symbol("m"), sympy.Symbol("v")}
    ratio = found.predict(table[["m", "v"]]) / (table.m * table.v)
    np.testing.assert_allclose(ratio, np.pi, rtol=0.05)


def test_no_law_of_the_table_breaks_the_units(table):
    from sklearn_eql.primitives import PRIMITIVES
    from sklearn_eql.sparse.structure import Structure, fixed_in_print
    from sklearn_eql.units.inference import Inference

    y = table.v + 0.3 * table.m + 0.1 * np.random.default_rng(2).standard_normal(len(table))
    found = model(units=UNITS, y_unit=UNITS["v"], dimensionless_constants=True, n_families=3, n_generations=0)
    found.fit(table, y)
    inference = Inference(found._units[0], PRIMITIVES)
    for law in found._laws[0]:
        assert inference.fits(Structure.from_equation(law.equation, ~fixed_in_print(law.equation, PRIMITIVES)))
    assert sympy.Symbol("m") not in found.sympy_expr_.free_symbols


def test_constants_have_units(table):
    y = table.v + 3.217 * table.m + 0.01 * np.random.default_rng(2).standard_normal(len(table))
    found = model(units=UNITS, y_unit=UNITS["v"], n_families=4, n_generations=0).fit(table, y)
    assert found.constants_["unit"].tolist() == ["m/kg/s"]
    assert pickle.loads(pickle.dumps(found)).constants_["unit"].tolist() == ["m/kg/s"]


def test_several_outputs(table):
    y = np.column_stack([table.m * table.v, 2.5 * table.v])
    found = model(units=UNITS, y_unit=[{"kg": 1, "m": 1, "s": -1}, UNITS["v"]], dimensionless_constants=True)
    first, second = found.fit(table, y).sympy_expr_
    assert same_law(first, sympy.sympify("m*v"))
    assert same_law(second, sympy.sympify("5*v/2"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"y_unit": ENERGY}, "without units"),
        ({"units": {"q": ENERGY}}, "'q' is no feature"),
        ({"units": UNITS, "y_unit": {"K": 1}, "dimensionless_constants": True}, "K is in none"),
        ({"units": UNITS, "form": sympy.Symbol("k") * sympy.sin(sympy.Symbol("m"))}, "breaks the units"),
    ],
)
def test_mistakes_are_said_before_the_search(table, settings, message):
    with pytest.raises(ValueError, match=message):
        model(**settings).fit(table, table.m)


def test_ones_that_are_not_written_have_no_unit(table):
    y = table.v + table.m
    found = model(units=UNITS, y_unit=UNITS["v"], n_families=2, n_generations=0).fit(table, y)
    assert found.stop_reason_ != "exact"
    assert not any(same_law(law, sympy.sympify("v + m")) for law in found.equations_["sympy_expr"])
