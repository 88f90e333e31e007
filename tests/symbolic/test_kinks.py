"""Kinks in other words: the same values, and the shortest form is the one that is printed."""

import numpy as np
import pytest
import sympy
import torch
from symbolic_laws import equation_of, random_equation

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic import canonicalize, to_sympy
from sklearn_eql.symbolic.kinks import with_kinks_rewritten
from sklearn_eql.symbolic.spelling import spellings

ROWS = np.random.default_rng(0).uniform(-2, 2, (40, 2))
NAMES = ["x", "y"]


def law_of(text):
    functions = {"Max": "max", "Min": "min", "Abs": "abs"}
    equation = equation_of(text, NAMES)
    renamed = [type(u)(functions.get(u.primitive, u.primitive), u.args) for u in equation.units]
    return canonicalize(type(equation)(2, tuple(renamed), equation.output))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + y - Min(x, y)", "Max(x, y)"),
        ("x + y - 2*Min(x, y)", "Abs(x - y)"),
        ("2*Max(x, 0) - x", "Abs(x)"),
        ("Max(x - 1.5, 0) + 1.5", "Max(3/2, x)"),
        ("-Max(-x, -y)", "Min(x, y)"),
        ("x - Min(0, x - 1.5)", "Max(3/2, x)"),
        ("y*x + y*Max(0, 1.5 - x)", "y*Max(3/2, x)"),
        ("3*Max(x + 1, y + 1)", "3*Max(x, y) + 3"),
        ("Abs(x)*Abs(x)", "x**2"),
        ("Abs(-3*x**2)", "3*x**2"),
    ],
)
def test_the_shortest_words_are_printed(text, expected):
    [form, *_] = spellings(law_of(text), PRIMITIVES, torch.as_tensor(ROWS))
    assert to_sympy(form, NAMES) == sympy.sympify(expected)


@pytest.mark.parametrize("seed", range(60))
def test_values_stay_the_same(seed):
    law = canonicalize(random_equation(seed, max_units=5))
    expected = law.evaluate(ROWS)
    for other in with_kinks_rewritten(law, PRIMITIVES):
        values = other.evaluate(ROWS)
        both = np.isfinite(expected) & np.isfinite(values) & (np.abs(expected) < 1e6)
        jumps = {u.primitive for u in law.units} & {"floor", "mod"}
        assert np.mean(np.isclose(values[both], expected[both], rtol=1e-6, atol=1e-9)) >= (0.9 if jumps else 1.0)


def test_laws_without_kinks_have_no_other_words():
    assert with_kinks_rewritten(law_of("exp(x)*y + 1"), PRIMITIVES) == []


def test_a_users_function_of_that_name_is_left_alone():
    own = Primitive("max", 2, torch.hypot, lambda a, b: sympy.sqrt(a**2 + b**2))
    assert with_kinks_rewritten(law_of("x + y - Max(x, y)"), PRIMITIVES | {"max": own}) == []
