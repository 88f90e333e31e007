"""One law is printed in one way, whatever form it was found in; and in the form that is easiest to read."""

import numpy as np
import pytest
import sympy
import torch
from symbolic_laws import assert_same_values, equation_of, random_equation, sample

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic import canonicalize, complexity, to_sympy
from sklearn_eql.symbolic.expansion import Algebra
from sklearn_eql.symbolic.spelling import Speller, spellings
from sklearn_eql.symbolic.written import constant_bits, price

NAMES = list("abcde")
ROWS = np.random.default_rng(0).uniform(0.3, 2, (20, 5))


def spelled(law, rows=ROWS):
    equation = equation_of(law, NAMES) if isinstance(law, str) else law
    return spellings(canonicalize(equation), PRIMITIVES, torch.from_numpy(rows))[0]


def printed(law, rows=ROWS):
    return str(to_sympy(spelled(law, rows), NAMES))


# What is printed, and other forms of the same law.
LAWS = {
    "a**2/2 + a": ["a*(a + 2)/2", "(a + 1)**2/2 - 1/2", "a*(a/2 + 1)"],
    "a*(b**2/2 + 9.81*c)": ["a*b**2/2 + 9.81*a*c", "9.81*a*(0.0509683995922528*b**2 + c)"],
    "sqrt(8*pi*a*b/3 - c*d**2/e**2)": ["2.89440501823307*sqrt(a*b - 0.119366207318922*c*d**2/e**2)"],
    "sqrt(2*a + 1)": ["sqrt(2)*sqrt(a + 1/2)", "sqrt(1/2 + a)/sqrt(1/2)"],
    "b*sqrt(2*a + 1)": ["sqrt(2)*b*sqrt(a + 1/2)", "sqrt(2*a*b**2 + b**2)"],
    "sqrt(a*b)": ["sqrt(a)*sqrt(b)", "a*sqrt(b/a)"],
    "c*sqrt(a/b)": ["c*sqrt(a)/sqrt(b)"],
    "(a*b)**(3/2)/c": ["a**(3/2)*b**(3/2)/c"],
    "cos(2*a + 0.7)": ["sin(2*a + 0.7 + pi/2)", "-cos(2*a + 0.7 - pi)"],
    "2*sin(a) + 3*cos(a)": [],
    "b*exp(-a)*sin(3*a + 0.2)": ["-b*exp(-a)*cos(3*a + 0.2 + pi/2)"],
    "(a - b)**2": ["a**2 - 2*a*b + b**2", "a*(a - 2*b) + b**2", "(b - a)**2"],
    "sqrt((a - b)**2 + (c - d)**2)": ["sqrt(a**2 - 2*a*b + b**2 + c**2 - 2*c*d + d**2)"],
    "(a + 1)**3": ["a**3 + 3*a**2 + 3*a + 1", "(a + 1)*(a**2 + 2*a + 1)"],
    "5*(a - 1.3)**2/2 + 0.7": ["2.5*a**2 - 6.5*a + 4.925", "a*(2.5*a - 6.5) + 4.925"],
    "(a - 1)*(b - 1)": ["1 - a - b + a*b", "(1 - a)*(1 - b)", "a*(b - 1) - b + 1"],
    "(a + b)*(c + d)": ["a*c + a*d + b*c + b*d", "a*(c + d) + b*(c + d)"],
    "a*b/(a + b)": ["1/(1/a + 1/b)", "a/(1 + a/b)"],
    "a**2/(a**2 + 1)": ["1/(1 + a**-2)", "a/(a + 1/a)"],
    "c*(a + b) + d": ["a*c + b*c + d", "c*(a + b + d/c)"],
    "2.3*a*(a + 1.7)": ["2.3*a**2 + 3.91*a", "a*(2.3*a + 3.91)"],
    "exp(-(a - 1)**2/2)": ["exp(-a**2/2 + a)*exp(-1/2)", "exp(a*(1 - a/2) - 1/2)"],
    "log(2*a + 1)": ["log(a + 1/2) + log(2)", "-log(1/(2*a + 1))"],
    "b*exp(-a)*cos(2*c)": ["b*exp(-a)*(1 - 2*sin(c)**2)", "2*b*exp(-a)*cos(c)**2 - b*exp(-a)"],
    "3.7 - 5*cos(a*b)/2": ["1.2 + 5*sin(a*b/2)**2", "6.2 - 5*cos(a*b/2)**2"],
    "a*sin(2*b)/c": ["2*a*sin(b)*cos(b)/c"],
    "sin(a*b + a)": ["sin(a*(b + 1))", "cos(a*(b + 1) - pi/2)"],
    "(a + b)**(-2)": ["1/(a**2 + 2*a*b + b**2)", "1/((a + b)*(a + b))"],
    "a*c/sqrt(-b**2 + c**2)": ["a*c*(c**2 - b**2)**(-1/2)"],
    "a/sqrt(a**2 + b**2 + c**2)": ["1/sqrt(1 + b**2/a**2 + c**2/a**2)"],
    "a/sqrt(-b**2/c**2 + 1)": ["a/sqrt((1 - b/c)*(1 + b/c))"],  # the same where c is positive, and even in c
}


@pytest.mark.parametrize("law", LAWS)
def test_all_forms_of_a_law_are_printed_alike(law):
    assert {printed(form) for form in [law, *LAWS[law]]} == {law}


def test_inverse_roots_are_one_root():
    assert printed("1/(sqrt(a)*sqrt(b))") == printed("1/sqrt(a*b)") == "1/sqrt(a*b)"


def test_waves_of_one_argument_are_one_wave():
    sine, cosine = float(np.sin(0.7)), float(np.cos(0.7))
    assert printed(f"{cosine!r}*cos(2*a) - {sine!r}*sin(2*a)") == "cos(2*a + 0.7)"
    assert printed(f"b + {2 * cosine!r}*sin(3*a) + {2 * sine!r}*cos(3*a)") == "b + 2*sin(3*a + 0.7)"
    both = printed(f"b*exp(-a)*({cosine!r}*cos(2*a) - {sine!r}*sin(2*a))")
    assert both == "b*exp(-a)*cos(2*a + 0.7)"


@pytest.mark.parametrize("law", LAWS)
def test_rounding_does_not_choose_the_form(law):
    rng = np.random.default_rng(0)
    for form in [law, *LAWS[law]]:
        equation = canonicalize(equation_of(form, NAMES))
        values = equation.coefficients()
        for _ in range(3):
            noise = 1 + 2e-16 * rng.integers(-2, 3, len(values)) * (np.abs(values) != 1)
            assert printed(equation.with_coefficients(values * noise)) == law


def test_values_stay_the_same():
    rows, n_changed = sample(0), 0
    for seed in range(40):
        law = random_equation(seed, max_units=5)
        with np.errstate(all="ignore"):
            found = spelled(law, rows)
            n_changed += found != canonicalize(law)
            assert_same_values(law, law.evaluate(rows), found.evaluate(rows), rows)
    assert n_changed > 8


def test_a_spelling_costs_no_more_than_the_canonical_form():
    rows = sample(0)
    for seed in range(40):
        law = canonicalize(random_equation(seed, max_units=5))
        assert price(spelled(law, rows), PRIMITIVES) <= price(law, PRIMITIVES)


def test_the_printed_form_is_as_complex_as_it_was_judged():
    for law in LAWS:
        expected = complexity(sympy.sympify(law, {name: sympy.Symbol(name) for name in NAMES}))
        assert price(spelled(law), PRIMITIVES)[1] == expected


def test_a_root_of_a_square_keeps_its_sign_where_both_signs_occur():
    rows = ROWS - 1
    for law in ("sqrt(a**2 + b**2 - 2*a*b)", "sqrt((a - b)**2)", "sqrt(a**2)*b"):
        equation = equation_of(law, NAMES)
        np.testing.assert_allclose(spelled(equation, rows).evaluate(rows), equation.evaluate(rows), atol=1e-12)


# Columns with two values -------------------------------------------------------------------------------------------

SWITCH = np.c_[np.repeat([0.0, 1.0], 10), ROWS[:, 1:]]


@pytest.mark.parametrize(
    "law", ["a**2 + 1", "exp(a*log(2))", "2**a", "a**3/2 + sqrt(a)/2 + 1", "sin(pi*a/2) + 1", "2/(2 - a)"]
)
def test_functions_of_a_column_of_zeros_and_ones_are_lines(law):
    assert printed(law, SWITCH) == "a + 1"


@pytest.mark.parametrize(
    "law", ["b*exp(a*log(2))", "exp(a*log(2) + log(b))", "b*(a**2 + 1)", "b*2**a*(1 + a) - a*b*2**a"]
)
def test_in_longer_laws_too(law):
    assert printed(law, SWITCH) == "a*b + b"


def test_other_columns_keep_their_powers():
    assert printed("b**2 + a", SWITCH) == "a + b**2"
    assert printed("a**2 + 1", ROWS) == "a**2 + 1"


def test_functions_of_several_switches_are_products_of_them():
    rows = np.c_[np.repeat([0.0, 1.0], 10), np.tile([0.0, 1.0], 10), ROWS[:, 2:]]
    for law in ("sqrt(3*a*b + 1)", "2**(a*b)", "a**2*b**3 + 1", "1/(1 - a*b/2)"):
        assert printed(law, rows) == "a*b + 1"


def test_the_square_of_a_sign_is_one():
    assert printed("b*a**2 + a**3", np.c_[np.repeat([-1.0, 1.0], 10), ROWS[:, 1:]]) == "a + b"


def test_work_on_a_long_law_has_a_bound():
    """Of a sum of quotients with as many different sums there are more forms than can be tried."""
    inner = "a**2/(a + 0.14*b**2 + 0.08) + a/(a + 0.15*b**2 + 0.07) + b**2/(a + b**2/4 + 0.02) + b/(a + 0.32*b**2 + 3)"
    law = equation_of(f"a/(a + 0.54*b**2 + 0.15) - 0.49*b*({inner} + 1/(a + 0.16*b**2 + 0.09)) + 1/(a + c*b**2)", NAMES)
    speller = Speller(Algebra(torch.from_numpy(ROWS), PRIMITIVES, two_valued=False))
    found = speller.equation(canonicalize(law))
    assert speller.n_spelled < 2000
    np.testing.assert_allclose(found.evaluate(ROWS), law.evaluate(ROWS), rtol=1e-9)


def test_a_constant_that_is_nothing_is_not_said():
    assert constant_bits(0.0) == constant_bits(1.0) == 0.0
    assert constant_bits(2.0) < constant_bits(0.5) < constant_bits(0.3)
    assert constant_bits(0.123456789) is None
