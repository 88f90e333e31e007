"""Constraints on the form: functions as a reader sees them, features, prices."""

import pytest
from symbolic_laws import equation_of

from sklearn_eql.constraints import NotNested, Price, Uses, Without
from sklearn_eql.constraints.admission import functions_of
from sklearn_eql.constraints.reading import Constraints
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.structure import SparseUnit, Structure
from sklearn_eql.symbolic import free_mask

NAMES = ["x", "z"]
POWERS = (SparseUnit("log", (((1, 1.0, False),),)), SparseUnit("log", (((2, 1.0, False),),)))


def structure_of(law):
    equation = equation_of(law, NAMES)
    return Structure.from_equation(equation, free_mask(equation, PRIMITIVES))


def power_law(*further, output=5):
    """``x**1.5 / z`` and units that read it."""
    unit = SparseUnit("exp", (((3, 1.5, True), (4, -1.0, True)),))
    return Structure(2, (*POWERS, unit, *further), ((output, 1.0, True),))


def admits(constraint, structure):
    return Constraints.read([constraint], NAMES, PRIMITIVES).admission.admits(structure)


def test_products_of_powers_are_no_exponentials():
    assert functions_of(power_law()) == [None, None, "pow"]
    waves = power_law(SparseUnit("sin", (((5, 1.0, True),),)), output=6)
    assert functions_of(waves) == [None, None, "pow", "sin"]
    assert admits(NotNested("sin", "exp", "log"), waves)
    growth = Structure(2, (POWERS[0], SparseUnit("exp", (((3, 1.5, True), (2, 1.0, True)),))), ((4, 1.0, True),))
    assert functions_of(growth) == [None, "exp"]


@pytest.mark.parametrize(
    ("law", "names", "admitted"),
    [
        ("sin(exp(x))", ["sin", "exp"], False),
        ("exp(2*sin(x) + z)", ["sin", "exp"], False),
        ("exp(x)*sin(z)", ["sin", "exp"], True),
        ("exp(exp(x))", ["exp"], False),
        ("exp(sqrt(exp(x)))", ["exp"], False),
        ("sin(exp(x))", ["sin", "cos"], True),
    ],
)
def test_functions_that_may_not_be_nested(law, names, admitted):
    assert admits(NotNested(*names), structure_of(law)) == admitted


def test_features_that_must_and_must_not_occur():
    assert admits(Uses("x"), structure_of("sin(x)"))
    assert not admits(Uses("x", "z"), structure_of("sin(x)"))
    assert not admits(Without("z"), structure_of("x*z"))
    assert admits(Without("z"), structure_of("exp(x)"))


def test_every_occurrence_of_a_function_has_its_price():
    admission = Constraints.read([Price({"exp": 3, "pow": 0.5})], NAMES, PRIMITIVES).admission
    assert admission.price(structure_of("exp(x) + exp(z)")) == 6
    assert admission.price(power_law()) == 0.5
    assert admission.price(structure_of("x + z")) == 0
