"""Tables without units."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.symbolic.reading import from_sympy
from sklearn_eql.units.groups import groups_of, monomial_of
from sklearn_eql.units.linear_algebra import LinearSystem, is_in_span, rank
from sklearn_eql.units.monomials import basis, dimensionless, with_dimension
from sklearn_eql.units.natural import n_symbols
from sklearn_eql.units.reading import read_units

NAMES = ["m", "v", "c", "t"]
UNITS = [{"kg": 1}, {"m": 1, "s": -1}, {"m": 1, "s": -1}, {"s": 1}]
ENERGY = {"kg": 1, "m": 2, "s": -2}


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.uniform([1, 1, 3, 1], [5, 2, 9, 5], (50, 4))


def vectors(*rows):
    return [tuple(map(Fraction, row)) for row in rows]


def test_spans_are_exact():
    a, b, c = vectors((1, 2, 0), (0, 1, 3), (2, 5, 3))
    assert rank([a, b, c]) == 2
    assert is_in_span(c, [a, b])
    assert not is_in_span((Fraction(0),) * 2 + (Fraction(1),), [a, b])


def test_equations_that_contradict_are_not_taken_in():
    system = LinearSystem(1)
    one, three = (Fraction(1),), (Fraction(3),)
    assert system.add({"a": Fraction(1), "b": Fraction(1)}, three)
    assert system.value("a") is None
    assert system.add({"b": Fraction(1)}, one)
    assert not system.add({"a": Fraction(1)}, one)
    assert system.value("a") == (Fraction(2),)


def test_monomials_have_the_units_that_they_should():
    [units] = read_units(UNITS, ENERGY, NAMES, 1, True)
    assert basis(dimensionless(units.features)) == [(0, 1, -1, 0)]
    assert with_dimension(units.features, units.target)[:2] == [(1, 2, 0, 0), (1, 0, 2, 0)]


def test_roots_are_monomials():
    features = vectors((1, -1, -2), (1, -3, 0))  # of a pressure and a density, over kg, m, s
    [target] = vectors((0, 1, -1))
    assert with_dimension(features, target) == [(Fraction(1, 2), Fraction(-1, 2))]


def test_a_table_without_units_says_the_same(rows):
    [units] = read_units(UNITS, ENERGY, NAMES, 1, True)
    m, v, c, _ = rows.T
    y = m * c**2 / np.sqrt(1 - v**2 / c**2)
    first = groups_of(units, rows, y, None)[0]
    np.testing.assert_allclose(first.columns_of(rows)[:, 0], v / c)
    np.testing.assert_allclose(first.factor_of(rows), m * c**2)
    law = first.in_features(from_sympy(sympy.sympify("1/sqrt(1 - p**2)"), ["p"]))
    assert same_law(to_sympy(law, NAMES), sympy.sympify("m*c**2/sqrt(1 - v**2/c**2)"))


@pytest.mark.parametrize("power", [Fraction(7, 3), Fraction(5), Fraction(-2), Fraction(1, 2)])
def test_any_power_can_be_written(rows, power):
    from sklearn_eql.units.groups import Groups

    groups = Groups((power, Fraction(0), Fraction(-1), Fraction(0)), ((Fraction(0), Fraction(0), Fraction(0), power),))
    law = groups.in_features(from_sympy(sympy.sympify("2*p + 1"), ["p"]))
    expected = groups.factor_of(rows) * (2 * groups.columns_of(rows)[:, 0] + 1)
    np.testing.assert_allclose(law.evaluate(rows, PRIMITIVES), expected)


def test_columns_with_zeros_are_not_divided_by(rows):
    [units] = read_units(UNITS, {"m": 1, "s": -1}, NAMES, 1, True)
    rows[0, 1:3] = 0
    assert groups_of(units, rows, rows[:, 1] + rows[:, 2], None) == []
    np.testing.assert_allclose(monomial_of(rows, (1, 0, 2, 0)), rows[:, 0] * rows[:, 2] ** 2)


def test_without_units_or_with_constants_that_have_some_there_is_nothing_to_gain(rows):
    y = rows[:, 0]
    for units, y_unit, pure in ((UNITS, ENERGY, False), (UNITS, None, True), ([None] * 4, {}, True)):
        [known] = read_units(units, y_unit, NAMES, 1, pure)
        assert groups_of(known, rows, y, None) == []


def test_laws_are_shorter_in_natural_units():
    [units] = read_units(UNITS, ENERGY, NAMES, 1, True)
    law = from_sympy(sympy.sympify("m*c**2/sqrt(1 - v**2/c**2)"), NAMES)
    [bare] = read_units([None], {}, ["p"], 1, True)
    short = from_sympy(sympy.sympify("1/sqrt(1 - p**2)"), ["p"])
    assert n_symbols(law, units, PRIMITIVES) <= n_symbols(short, bare, PRIMITIVES)
