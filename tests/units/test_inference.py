"""Which laws fit the units of their variables."""

import numpy as np
import pytest
import sympy

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.structure import SparseUnit, Structure, fixed_in_print
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.reading import from_sympy
from sklearn_eql.units.constants import units_of_constants
from sklearn_eql.units.inference import Inference
from sklearn_eql.units.reading import read_units

NAMES = ["x", "t", "v", "n"]
UNITS = {"x": {"m": 1}, "t": {"s": 1}, "v": {"m": 1, "s": -1}}
SPEED = {"m": 1, "s": -1}


def fits(text, y_unit, pure=True):
    [units] = read_units(UNITS, y_unit, NAMES, 1, pure)
    law = canonicalize(from_sympy(sympy.sympify(text), NAMES))
    structure = Structure.from_equation(law, ~fixed_in_print(law, PRIMITIVES))
    return Inference(units, PRIMITIVES).fits(structure)


@pytest.mark.parametrize(
    ("law", "unit"),
    [
        ("x + 3*v*t", {"m": 1}),
        ("sqrt(x*v*t)", {"m": 1}),
        ("x/t*exp(-v*t/x)", SPEED),
        ("v*log(x/(v*t))", SPEED),
        ("log(x) - log(v) - log(t)", {}),
        ("x**n*0 + 2*x*sin(n)**2", {"m": 1}),
        ("v*(2*v*t/x)**0.7", SPEED),
        ("Max(x, 2*v*t)", {"m": 1}),
        ("2*x", None),
    ],
)
def test_laws_that_fit(law, unit):
    assert fits(law, unit)


@pytest.mark.parametrize(
    ("law", "unit"),
    [
        ("x + t", {"m": 1}),
        ("x + 3*t", {"m": 1}),
        ("x", {"s": 1}),
        ("sin(t)", {}),
        ("exp(2*x)", {}),
        ("x*log(x)", {"m": 1}),
        ("x**1.1", {"m": 1}),
        ("n**x", {}),
        ("x + 1", {"m": 1}),
        ("Max(x, t)", {"m": 1}),
        ("0", {"m": 1}),
    ],
)
def test_laws_that_do_not(law, unit):
    assert not fits(law, unit)


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        ("x + t", False),  # ones that are not written have no unit
        ("x + 3.1*t", True),
        ("exp(-t)", False),
        ("2.2*exp(-0.3*t)", True),
        ("2.2*t**1.3", True),
        ("x + 0.4", True),
        ("log(t)*x", False),
        ("(log(t) + 2.5)*x", True),
    ],
)
def test_constants_may_have_units(law, expected):
    assert fits(law, {"m": 1}, pure=False) is expected


def test_free_exponents_reach_what_their_columns_span():
    [units] = read_units(UNITS, {"m": 1}, NAMES, 1, True)
    first = 1 + len(NAMES)

    def power_law(*features):
        logs = tuple(SparseUnit("log", (((f, 1.0, False),),)) for f in features)
        exponent = tuple((first + i, 0.5, True) for i in range(len(features)))
        return Structure(len(NAMES), (*logs, SparseUnit("exp", (exponent,))), ((first + len(features), 1.0, True),))

    inference = Inference(units, PRIMITIVES)
    assert inference.fits(power_law(2, 3))
    assert not inference.fits(power_law(2, 4))


@pytest.mark.parametrize(
    ("law", "y_unit", "expected"),
    [
        ("3.3*x*exp(-0.3*t)", {"m": 1}, {-0.3: "1/s"}),
        ("x + 9.7*t", {"m": 1}, {9.7: "m/s"}),
        ("2.2*t**1.5", {"m": 1}, {2.2: "m/s**(3/2)"}),
        ("x + 3.3*v*t", {"m": 1}, {3.3: ""}),
        ("5.5 + x", None, {5.5: "m"}),
        ("x + t", {"m": 1}, {1.0: None}),
    ],
)
def test_units_of_constants(law, y_unit, expected):
    [units] = read_units(UNITS, y_unit, NAMES, 1)
    equation = canonicalize(from_sympy(sympy.sympify(law), NAMES))
    found = units_of_constants(equation, units, PRIMITIVES)
    values = np.round(equation.coefficients(), 9).tolist()
    assert {value: found[values.index(value)] for value in expected} == expected


def test_pure_constants_have_no_units():
    [units] = read_units(UNITS, {"m": 1}, NAMES, 1, True)
    equation = from_sympy(sympy.sympify("3.3*x"), NAMES)
    assert units_of_constants(equation, units, PRIMITIVES) == [""] * len(equation.coefficients())
