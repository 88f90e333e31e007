"""The benchmarks' rules for what counts as the true law."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import sympy

from sklearn_eql.datasets import TABLE_V, make_table_v


@pytest.fixture(scope="module")
def forms():
    return import_module("_forms")


@pytest.fixture(scope="module")
def table_v():
    return import_module("table_v")


x, y, z = sympy.symbols("x y z")
x1, x2, x3 = sympy.symbols("x1 x2 x3")
exp, sin, cos, tanh, pi = sympy.exp, sympy.sin, sympy.cos, sympy.tanh, sympy.pi

SIGMOID = 1 / (1 + exp(-10 * x))
GAUSS = exp(-(x**2))
WAVE = sin(2 * pi * x)

EQUAL = [
    (tanh(5 * x) / 2 + 0.5, SIGMOID),
    (1 - 1 / (1 + exp(10.0 * x)), SIGMOID),
    (exp(5 * x) / (exp(5 * x) + exp(-5 * x)), SIGMOID),
    (exp(10 * x) / (exp(10 * x) + 1), SIGMOID),
    (cos(2 * pi * x - pi / 2), WAVE),
    (2 * sin(3.14159265359 * x) * cos(3.14159265359 * x), WAVE),
    (6.2e-9 - 36.325988769531 * exp(-1.260007739067) * (-0.097050316632 * x), x),
    (0.9999999404 * exp((-0.911620020866 * x) * (1.096948266029 * x)) + 2.4e-8, GAUSS),
    (exp(-x) ** x, GAUSS),
    (sympy.Float("0.36787944117144233") ** (x**2), GAUSS),
    ((x + y) ** 2 / 4 - (x - y) ** 2 / 4, x * y),
    (0.5 * (y * x + 1.0000001 * z), x * y / 2 + z / 2),
    (x1**3 + 3 * x1**2 * x2 * x3 + 3 * x1 * x2**2 * x3**2 + x2**3 * x3**3, (x1 + x2 * x3) ** 3),
    (x * sympy.sqrt(x**4), x**3),
    (x**2.0 + cos(pi / 2 - 2 * pi * y), x**2 + sin(2 * pi * y)),
    (1 - 2 * sin(x) ** 2, cos(2 * x)),
    (sympy.log(2 * x), sympy.log(x) + sympy.log(2)),
]

DIFFERENT = [
    (1e3 * sin(1e-3 * x), x),
    (1e6 * exp(1e-6 * x) - 1e6, x),
    (x + 1e-4, x),
    (sympy.Abs(x) ** 3, x**3),
    (1 / (1.001 + exp(-10 * x)), SIGMOID),
    (1 / (1 + x**2 + x**4 / 2), GAUSS),
    (sin(sin(x)), sin(x)),
    (sympy.Integer(0), x),
    (sin(6.2831 * x), WAVE),
]


@pytest.mark.parametrize("name", TABLE_V)
def test_every_function_of_the_table_is_itself_and_no_other(forms, name):
    truth = make_table_v(name, 1).expression
    others = [make_table_v(other, 1).expression for other in TABLE_V]
    assert [forms.same_law(other, truth) for other in others] == [other == name for other in TABLE_V]
    assert [forms.same_form(other, truth) for other in others] == [other == name for other in TABLE_V]


@pytest.mark.parametrize(("found", "truth"), EQUAL)
def test_equal_laws_are_the_same_however_they_are_written(forms, found, truth):
    assert forms.same_law(found, truth)
    assert forms.same_form(found, truth)


@pytest.mark.parametrize(("found", "truth"), DIFFERENT)
def test_laws_that_are_only_close_are_different(forms, found, truth):
    assert not forms.same_law(found, truth)


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        (1.03 * x, x),
        (-0.98 * sin(6.31 * x), WAVE),
        (1.01 / (1 + exp(-9.7 * x)), SIGMOID),
        (0.503 * tanh(4.93 * x) + 0.503, SIGMOID),
        (0.97 * exp(-1.02 * x**2), GAUSS),
        (1.1 * (x1 + 0.93 * x2 * x3) ** 3, (x1 + x2 * x3) ** 3),
        (1.01 * x**2 - 0.97 * sin(6.2 * y), x**2 + sin(2 * pi * y)),
        (0.5 * z + 0.49 * y * x, x * y / 2 + z / 2),
    ],
)
def test_constants_may_have_any_value_under_noise(forms, found, truth):
    assert forms.same_form(found, truth)
    assert forms.same_form(found, truth, up_to_constant=True)


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        (1.03 * x + 0.01, x),
        (1.01 * x**2 + 0.02, x**2),
        (1.01 / (1 + exp(-9.7 * x)) + 0.01, SIGMOID),
        (0.49 * tanh(4.93 * x) + 0.503, SIGMOID),
        (1 / (1 + exp(-9.7 * x - 0.1)), SIGMOID),
        (0.97 * exp(-1.02 * x**2) - 0.004, GAUSS),
        (sin(6.31 * x) + 0.02, WAVE),
    ],
)
def test_a_bias_is_a_wrong_form_unless_it_is_asked_to_be_overlooked(forms, found, truth):
    assert not forms.same_form(found, truth)
    assert forms.same_form(found, truth, up_to_constant=True)


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        ((x + 0.01) ** 2, x**2),
        (x**2.02, x**2),
        (sin(6.31 * x + 0.05), WAVE),
        (sin(6.31 * x) + 0.01 * x, WAVE),
        (exp(-1.02 * x**2 + 0.01 * x), GAUSS),
        (exp(-1.02 * x**2), 1 / (1 + x**2)),
        (x1**3 + 3 * x1**2 * x2 * x3, (x1 + x2 * x3) ** 3),
        (1 / (1 + exp(-9.7 * x) + exp(-3 * x)), SIGMOID),
        (tanh(4.9 * x) + 0.1 * x, SIGMOID),
        (sympy.Float(0.3), x),
    ],
)
def test_terms_that_the_truth_lacks_or_has_more_of_are_a_wrong_form(forms, found, truth):
    assert not forms.same_form(found, truth)
    assert not forms.same_form(found, truth, up_to_constant=True)


def test_a_law_with_too_many_terms_is_judged_at_once(forms):
    monster = sympy.prod(sum(sin((i + 2) * j * x + i) for j in range(1, 7)) for i in range(8))
    assert not forms.same_law(monster, WAVE)
    assert not forms.same_form(monster, WAVE)


def test_a_law_is_found_if_its_form_is_right_and_its_error_small(table_v):
    assert table_v.judge(tanh(5 * x) / 2 + 0.5, SIGMOID, 1e-9, 0.0) == (True, True)
    assert table_v.judge(1000 * sin(x / 1000), x, 5e-7, 0.0) == (False, True)
    assert table_v.judge(x, x, 2e-6, 0.0) == (False, True)
    assert table_v.judge(x, x, 2e-3, 0.0) == (False, False)
    assert table_v.judge(1.1 * x + 0.01, x, 0.1, 0.1) == (False, True)
    assert table_v.judge(9 * x, x, 8.0, 0.1) == (False, False)
    assert table_v.judge(x, x, None, 0.0) == (False, False)


def test_trees_of_pyoperon_are_read_from_the_last_argument_to_the_first(table_v):
    def node(name, arity=0, value=1.0, key=None):
        constant = name == "constant"
        return SimpleNamespace(
            Name=name, Arity=arity, Value=value, HashValue=key, IsVariable=key is not None, IsConstant=constant
        )

    nodes = [
        node("variable", value=3.0, key="b"),
        node("constant", value=2.0),
        node("/", 2),  # 2 / (3*b)
        node("variable", value=5.0, key="a"),
        node("square", 1),
        node("-", 2),  # (5*a)**2 - 2 / (3*b)
    ]
    model = SimpleNamespace(variables_={"a": "X1", "b": "X2"}, model_=SimpleNamespace(Nodes=nodes))
    x0, x1 = sympy.symbols("x0 x1")
    assert sympy.simplify(table_v.law_of_operon(model) - (25.0 * x0**2 - 2.0 / (3.0 * x1))) == 0


def test_the_report_counts_and_compares_seed_by_seed(table_v):
    def record(method, seed, found, seconds):
        same = {"function": "x", "noise": 0.0, "version": "v", "error": 0.0, "printed_against_predict": 0.0}
        return same | {"method": method, "seed": seed, "found": found, "found_laxly": True, "seconds": seconds}

    records = [record("eql", s, True, 1.0 + s) for s in range(3)] + [record("operon", s, s < 2, 4.0) for s in range(3)]
    text = table_v.report(records, ["x"], [0, 1, 2], 0.0)
    assert "| x | 3/3 | 3 | 2.00 | 3.00 | 0.0e+00 | 2/3 | 3 | 4.00 | 0.0e+00 | 0.50 |" in text
    assert table_v.relative_error(np.array([np.nan]), np.array([1.0])) is None
