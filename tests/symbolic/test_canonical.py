"""Canonical form: same values, fewest parameters, one spelling per law."""

import math

import numpy as np
import pytest
import torch
from symbolic_laws import assert_same_values, random_equation, sample

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic import Equation, Unit, canonicalize, free_mask, rescale, structure_key


def _one(name, *args, n_features=1, factor=1.0):
    """``factor * name(*args)`` as an equation."""
    return Equation(n_features, (Unit(name, args),), ((n_features + 1, factor),))


X = (1, 1.0)  # the term `x0`


@pytest.mark.parametrize("block", range(10))
def test_random_laws_keep_their_values_and_stay_as_they_are_the_second_time(block):
    for seed in range(100 * block, 100 * block + 100):
        law = random_equation(seed)
        canonical = canonicalize(law)
        X = sample(seed)
        assert_same_values(law, law.evaluate(X), canonical.evaluate(X), X)
        again = canonicalize(canonical)
        assert [u.primitive for u in again.units] == [u.primitive for u in canonical.units]
        assert structure_key(again) == structure_key(canonical)
        np.testing.assert_allclose(again.coefficients(), canonical.coefficients(), rtol=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_scaling_a_random_law_back_and_forth_changes_nothing(seed):
    law, X = random_equation(seed, max_units=4), sample(seed)
    x_scale, y_scale = np.array([3e4, 2e-5]), 70.0
    assert_same_values(law, y_scale * law.evaluate(X), rescale(law, x_scale, y_scale).evaluate(X * x_scale), X)


def test_rescaling_divides_feature_coefficients_and_multiplies_the_output():
    law = rescale(_one("sin", ((0, 0.3), (1, 2.0))), 4.0, 10.0)
    assert law == _one("sin", ((0, 0.3), (1, 0.5)), factor=10.0)


def test_zero_coefficients_and_unused_units_go():
    law = Equation(1, (Unit("sin", (((1, 2.0),),)), Unit("exp", (((1, 1.0),),))), ((1, 3.0), (2, 0.0)))
    assert canonicalize(law) == Equation(1, (), ((1, 3.0),))


def test_identities_and_constants_dissolve_into_their_consumers():
    units = (Unit("const", ()), Unit("id", (((1, 2.0), (2, 1.0)),)), Unit("sin", (((2, 0.1), (3, 3.0)),)))
    law = canonicalize(Equation(1, units, ((2, 5.0), (4, 1.0))))
    assert [u.primitive for u in law.units] == ["sin"]
    assert law.units[0].args[0] == ((0, pytest.approx(3.1 - math.pi)), (1, 6.0))
    assert law.output == ((0, 5.0), (2, -1.0))


def test_a_law_without_features_is_a_number():
    law = canonicalize(_one("exp", ((0, 2.0),), factor=3.0))
    assert law == Equation(1, (), ((0, pytest.approx(3 * math.exp(2))),))


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (_one("square", ((1, -2.0),)), _one("square", (X,), factor=4.0)),
        (_one("cube", ((1, -2.0),)), _one("cube", (X,), factor=-8.0)),
        (_one("sqrt", ((1, 4.0),)), _one("sqrt", (X,), factor=2.0)),
        (_one("sqrt", ((1, -4.0),)), _one("sqrt", ((1, -1.0),), factor=2.0)),
        (_one("inv", ((1, -4.0),)), _one("inv", (X,), factor=-0.25)),
        (_one("sin", ((1, -4.0),)), _one("sin", ((1, 4.0),), factor=-1.0)),
        (_one("cos", ((1, -4.0),)), _one("cos", ((1, 4.0),))),
        (_one("mul", ((1, 2.0),), ((1, -3.0),)), _one("square", (X,), factor=-6.0)),
        (_one("mul10", ((0, 1.0), X), (X,)), _one("mul", ((0, 1.0), X), (X,), factor=10.0)),
        (_one("div", ((0, 2.0),), ((1, 4.0),)), _one("inv", (X,), factor=0.5)),
        (_one("pow", ((1, 4.0),), ((0, 1.5),)), _one("pow", (X,), ((0, 1.5),), factor=8.0)),
        (_one("pow", ((1, 4.0),), ((0, 2.0),)), _one("square", (X,), factor=16.0)),
        (_one("pow", ((1, 4.0),), ((0, 3.0),)), _one("cube", (X,), factor=64.0)),
        (_one("pow", ((1, 4.0),), ((0, 0.5),)), _one("sqrt", (X,), factor=2.0)),
        (_one("pow", ((1, 4.0),), ((0, -1.0),)), _one("inv", (X,), factor=0.25)),
        (_one("pow", ((1, 4.0),), ((0, 1.0),)), Equation(1, (), ((1, 4.0),))),
        (_one("sin", ((0, math.pi / 2), X)), _one("cos", (X,))),
        (_one("sin", ((0, -math.pi / 2), X)), _one("cos", (X,), factor=-1.0)),
        (_one("sin", ((0, 5 * math.pi), X)), _one("sin", (X,), factor=-1.0)),
        (_one("sin2pi", ((0, 0.5), X)), _one("sin2pi", (X,), factor=-1.0)),
        (_one("mul", ((0, 3.0),), (X,)), Equation(1, (), ((1, 3.0),))),
    ],
    ids=str,
)
def test_one_spelling_for(law, expected):
    assert canonicalize(law) == expected


def test_powers_keep_a_free_exponent_however_close_it_is_to_two():
    exponent = math.nextafter(2.0, 3.0)
    assert canonicalize(_one("pow", (X,), ((0, exponent),))).units[0].primitive == "pow"


def test_the_constant_of_an_exponential_becomes_a_factor():
    law = canonicalize(_one("exp", ((0, 0.7), (1, 2.0))))
    assert law == _one("exp", ((1, 2.0),), factor=pytest.approx(math.exp(0.7)))


def test_the_scale_of_a_logarithm_becomes_a_constant():
    law = canonicalize(_one("log", ((1, 5.0),)))
    assert law.units == (Unit("log", ((X,),)),)
    assert law.output == ((0, pytest.approx(math.log(5))), (2, 1.0))


@pytest.mark.parametrize(
    ("units", "name"),
    [
        ((Unit("exp", (((1, 2.0),),)), Unit("exp", (((1, 0.7),),)), Unit("mul", (((2, 1.0),), ((3, 1.0),)))), "exp"),
        ((Unit("pow", ((X,), ((0, 0.3),))), Unit("pow", (((2, 2.0),), ((0, 0.7),)))), "pow"),
        ((Unit("log", ((X,),)), Unit("exp", (((2, 1.7),),))), "pow"),
        ((Unit("sqrt", ((X,),)), Unit("square", (((2, 3.0),),))), None),
        ((Unit("inv", ((X,),)), Unit("inv", (((2, -3.0),),))), None),
    ],
)
def test_parameters_that_only_act_together_become_one(units, name):
    law = Equation(1, units, ((1 + len(units), 1.0),))
    canonical = canonicalize(law)
    assert [u.primitive for u in canonical.units] == ([name] if name else [])
    X = sample(0, n_features=1)
    np.testing.assert_allclose(canonical.evaluate(X), law.evaluate(X), rtol=1e-12)


def test_the_root_of_a_square_stays_because_it_is_the_absolute_value():
    law = canonicalize(Equation(1, (Unit("square", ((X,),)), Unit("sqrt", (((2, 1.0),),))), ((3, 1.0),)))
    np.testing.assert_allclose(law.evaluate(np.array([[-2.0], [3.0]])), [2.0, 3.0])


def test_equal_units_are_merged_even_if_written_in_other_scales():
    units = (Unit("square", (((0, 1.0), (1, 3.0)),)), Unit("square", (((0, -0.5), (1, -1.5)),)))
    law = canonicalize(Equation(1, units, ((2, 1.0), (3, 4.0))))
    assert law == _one("square", ((0, pytest.approx(1 / 3)), X), factor=pytest.approx(18.0))


def test_differently_scaled_and_numbered_forms_of_one_law_have_one_structure():
    product = Unit("mul", (((1, 2.0),), ((0, 0.4), (2, 3.0))))
    wave = Unit("sin", (((1, 0.5),),))
    one = Equation(2, (product, wave, Unit("square", (((3, 0.5), (4, 2.0)),))), ((5, 3.0),))
    flipped = Unit("mul", (((0, 0.1), (2, -1.0)), ((1, 7.0),)))
    wave = Unit("sin", (((1, -3.5),),))
    other = Equation(2, (wave, flipped, Unit("square", (((3, 0.5), (4, 2.0)),))), ((5, 3.0),))
    assert structure_key(canonicalize(one)) == structure_key(canonicalize(other))
    assert hash(structure_key(canonicalize(one))) == hash(structure_key(canonicalize(other)))


def test_the_structure_does_not_depend_on_which_of_two_like_units_has_the_larger_coefficient():
    def law(a, b):
        units = (Unit("sin", (((1, a),),)), Unit("sin", (((1, b),),)), Unit("exp", (((2, 1.3),),)))
        return canonicalize(Equation(1, units, ((3, 1.0), (4, 1.0))))

    assert structure_key(law(1.0, 2.5)) == structure_key(law(2.5, 1.0))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_one("sin", (X,)), _one("cos", (X,))),
        (_one("sin", (X,)), _one("sin", ((0, 0.2), X))),
        (_one("sqrt", ((0, 3.0), (1, 1.0))), _one("sqrt", ((0, 3.0), (1, -1.0)))),
        (_one("sin", ((1, 2.0),), n_features=2), _one("sin", ((2, 2.0),), n_features=2)),
    ],
)
def test_different_laws_have_different_structures(one, other):
    assert structure_key(canonicalize(one)) != structure_key(canonicalize(other))


def test_factors_that_would_overflow_stay_inside():
    for law in (_one("exp", ((0, 900.0), (1, -900.0))), _one("cube", ((0, 1.0), (1, 1e120)))):
        canonical = canonicalize(law)
        X = np.array([[1.0]]) if law.units[0].primitive == "exp" else np.array([[1e-120]])
        np.testing.assert_allclose(canonical.evaluate(X), law.evaluate(X), rtol=1e-12)
        assert free_mask(canonical).all()


def test_a_law_that_is_nowhere_defined_is_left_alone():
    law = _one("log", ((0, -1.0),))
    assert np.isnan(canonicalize(law).evaluate(np.ones((3, 1)))).all()


def test_the_free_mask_leaves_out_coefficients_that_are_one_by_choice():
    units = (
        Unit("pow", (((0, 2.0), (1, 1.0)), ((0, 1.7),))),
        Unit("sin", (((1, 1.0),),)),
        Unit("log", (((1, 1.0), (2, 0.3)),)),
    )
    mask = free_mask(Equation(1, units, ((2, 1.0), (3, 1.0), (4, 1.0))))
    assert mask.tolist() == [True, False, True, True, False, True, True, True, True]


@pytest.mark.parametrize("seed", range(30))
def test_no_free_parameter_of_a_homogeneous_law_is_redundant(seed):
    """Products and powers of two features: the Jacobian over the free coefficients has full rank."""
    rng = np.random.default_rng(seed)
    a, b, c, d = rng.uniform(0.5, 2, 4)
    units = (
        Unit("mul", (((1, a),), ((0, b), (2, c)))),
        Unit("sqrt", (((0, d), (3, a)),)),
        Unit("pow", (((1, b), (2, c)), ((0, 1.3),))),
    )
    law = canonicalize(Equation(2, units, ((4, c), (5, d))))
    theta, free, X = law.coefficients(), free_mask(law), sample(seed, n=40)
    columns = []
    for i in np.flatnonzero(free):
        step = np.where(np.arange(len(theta)) == i, 1e-6 * abs(theta[i]), 0)
        up, down = law.with_coefficients(theta + step), law.with_coefficients(theta - step)
        columns.append((up.evaluate(X) - down.evaluate(X)) / 2e-6)
    jacobian = np.stack(columns, axis=1)
    assert np.linalg.matrix_rank(jacobian / np.linalg.norm(jacobian, axis=0), tol=1e-7) == free.sum()


def test_functions_of_the_user_are_rescaled_by_what_they_declare_only():
    relu = Primitive("relu", 1, torch.relu, lambda g: g, degree=(1,))
    square = Primitive("square", 1, torch.tanh, lambda g: g)  # takes the name, not the meaning
    primitives = {**PRIMITIVES, "relu": relu, "square": square}
    assert canonicalize(_one("relu", ((1, -2.0),)), primitives) == _one("relu", ((1, -1.0),), factor=2.0)
    assert canonicalize(_one("square", ((1, -2.0),)), primitives) == _one("square", ((1, -2.0),))
    assert canonicalize(_one("pow", (X,), ((0, 2.0),)), primitives).units[0].primitive == "pow"
