"""Common factors go in front of sums: the law is shorter, and its values are the same."""

import numpy as np
import pytest
import sympy
import torch
from symbolic_laws import assert_same_values, random_equation, sample

from sklearn_eql.laws import common_factors as factoring
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic import canonicalize, equation_complexity, to_sympy

NAMES = ("m", "v", "c")
M, V, C = sympy.symbols(NAMES, positive=True)
POSITIVE = (1, 1, 1)
ROWS = np.random.default_rng(0).uniform(0.3, 2, (20, 3))


def factored(equation, rows=ROWS):
    return factoring.factored(equation, PRIMITIVES, torch.from_numpy(rows))


def power(exponents, signs=POSITIVE):
    return Node("exp", [[[Node("log", [[[f, float(signs[f - 1])]]]), a] for f, a in exponents.items()]])


def product(a, b):
    return Node("mul", [[[a, 1.0]], [[b, 1.0]]])


def law(*terms):
    editable = EditableStructure(Structure(3, (), ()))
    editable.output = [list(term) for term in terms]
    return canonicalize(editable.equation(), PRIMITIVES)


def printed(equation):
    return to_sympy(equation, NAMES).subs({sympy.Symbol(str(s)): s for s in (M, V, C)})


def random_sum(seed, signs):
    """Sums of monomials, of powers of such sums, and of their products and quotients."""
    rng = np.random.default_rng(seed)

    def monomial():
        chosen = [f for f in (1, 2, 3) if signs[f - 1] and rng.random() < 0.6]
        if not chosen:
            return int(rng.integers(0, 4))
        return power({f: float(rng.choice([-2, -1, -0.5, 0.5, 1, 2, 1.3])) for f in chosen}, signs)

    def form(depth):
        return [[term(depth), float(rng.uniform(0.2, 2))] for _ in range(rng.integers(2, 4))]

    def term(depth):
        kind = rng.random()
        if depth > 1 or kind < 0.5:
            return monomial()
        if kind < 0.7:
            return Node(str(rng.choice(["inv", "sqrt", "square", "cube"])), [form(depth + 1)])
        if kind < 0.8:
            return Node("pow", [form(depth + 1), [[0, float(rng.choice([-0.5, 1.5, 0.7]))]]])
        if kind < 0.9:
            return product(monomial(), Node("id", [form(depth + 1)]))
        return Node("div", [form(depth + 1), form(depth + 1)])

    return law(*form(0))


@pytest.mark.parametrize("signs", [POSITIVE, (1, -1, 1), (-1, -1, -1), (1, 0, 1)], ids=str)
def test_values_stay_the_same(signs):
    rows = ROWS * np.where(np.array(signs) == 0, 1, signs) - [0, float(signs[1] == 0), 0]
    n_changed = 0
    for seed in range(60):
        equation = random_sum(seed, signs)
        shorter = factored(equation, rows)
        n_changed += shorter is not equation
        with np.errstate(invalid="ignore", divide="ignore"):
            expected, actual = equation.evaluate(rows), shorter.evaluate(rows)
            defined = np.isfinite(expected)
            assert_same_values(equation, expected, actual, rows, rtol=1e-12)
        assert np.isfinite(actual[defined]).all()
    assert n_changed > 10


def test_values_of_laws_of_all_functions_stay_the_same():
    for seed in range(150):
        equation, rows = canonicalize(random_equation(seed), PRIMITIVES), sample(seed)
        with np.errstate(all="ignore"):
            actual = factored(equation, rows).evaluate(rows)
            assert_same_values(equation, equation.evaluate(rows), actual, rows, rtol=1e-12)


@pytest.mark.parametrize("root", ["pow", "sqrt and inv"])
def test_a_relativistic_mass_has_its_factor_in_front_of_the_root(root):
    inside = [[power({1: -2.0}), 1.0], [power({1: -2.0, 2: 2.0, 3: -2.0}), -1.0]]
    whole = Node("pow", [inside, [[0, -0.5]]])
    if root != "pow":
        whole = Node("inv", [[[Node("sqrt", [inside]), 1.0]]])
    equation = law((whole, 1.0))
    shorter = factored(equation)
    assert printed(shorter) == M / sympy.sqrt(1 - V**2 / C**2)
    assert equation_complexity(shorter, PRIMITIVES) < equation_complexity(equation, PRIMITIVES)


def test_a_common_factor_goes_in_front_of_the_sum():
    shorter = factored(law((power({1: 2.0, 2: 1.0}), 3.0), (power({1: 1.0, 3: 1.0}), -6.0)))
    assert sympy.expand(printed(shorter)) == 3 * M**2 * V - 6 * M * C
    assert isinstance(printed(shorter), sympy.Mul)


def test_a_negative_feature_is_a_factor_with_its_sign():
    signs = (-1, 1, 1)
    equation = law((product(1, power({2: 1.0}, signs)), 1.0), (product(1, power({3: 2.0}, signs)), 2.0))
    shorter = factored(equation, ROWS * signs)
    assert shorter is not equation
    np.testing.assert_allclose(shorter.evaluate(ROWS * signs), equation.evaluate(ROWS * signs), rtol=1e-12)


@pytest.mark.parametrize("exponent", [0.5, -0.5])
@pytest.mark.parametrize("shift", [-3.0, 3.0], ids=["negative", "positive"])
def test_the_root_of_a_square_of_one_sign_is_undone(exponent, shift):
    difference = Node("square", [[[1, 1.0], [2, -1.0], [0, shift]]])
    equation = law((Node("pow", [[[product(power({3: 1.0}), difference), 4.0]], [[0, exponent]]]), 1.0))
    shorter = factored(equation)
    assert not printed(shorter).has((M - V + shift) ** 2)
    np.testing.assert_allclose(shorter.evaluate(ROWS), equation.evaluate(ROWS), rtol=1e-12)


@pytest.mark.parametrize("exponent", [0.5, -0.5])
def test_the_root_of_a_square_of_both_signs_stays(exponent):
    difference = Node("square", [[[1, 1.0], [2, -1.0]]])
    equation = law((Node("pow", [[[product(power({3: 1.0}), difference), 4.0]], [[0, exponent]]]), 1.0))
    np.testing.assert_allclose(factored(equation).evaluate(ROWS), equation.evaluate(ROWS), rtol=1e-12)


SINE, COSINE = Node("sin", [[[1, 1.0]]]), Node("cos", [[[2, 1.0]]])


@pytest.mark.parametrize(
    "terms",
    [
        ((product(2, SINE), 1.0), (product(product(SINE, 1), SINE), 3.0)),
        ((product(COSINE, SINE), 1.0), (product(product(SINE, COSINE), SINE), 3.0)),
        ((product(product(SINE, 1), SINE), 1.0), (product(product(SINE, 2), SINE), 3.0)),
    ],
    ids=["once and twice", "two units", "twice and twice"],
)
def test_a_unit_that_is_a_factor_twice_is_taken_out_once(terms):
    equation = law(*terms)
    shorter = factored(equation)
    np.testing.assert_allclose(shorter.evaluate(ROWS), equation.evaluate(ROWS), rtol=1e-12)


def test_a_unit_that_all_terms_share_goes_in_front():
    shorter = factored(law((product(SINE, 2), 1.0), (product(SINE, COSINE), 2.0)))
    assert sympy.expand(printed(shorter) - sympy.sin(M) * (V + 2 * sympy.cos(V))) == 0
    assert [unit.primitive for unit in shorter.units].count("sin") == 1


@pytest.mark.parametrize(
    "terms",
    [
        ((power({1: 1.0}), 1.0), (power({2: 1.0}), 1.0)),
        ((power({1: 1.0, 2: 1.0}), 1.0), (power({1: -1.0, 3: 1.0}), 1.0)),
        ((power({1: 1.37, 2: 1.0}), 1.0), (power({1: 0.41, 3: 1.0}), 1.0)),
        ((power({1: 2.0}), 1.0), (0, 1.0)),
        ((SINE, 1.0),),
    ],
    ids=["different", "opposite", "fitted exponents", "constant", "one term"],
)
def test_a_law_without_common_factors_is_returned_as_it_is(terms):
    equation = law(*terms)
    assert factored(equation) is equation


def test_a_feature_of_both_signs_gets_no_logarithm():
    rows = ROWS - [1, 0, 0]
    first, second = product(1, power({2: 1.0, 3: 1.0})), product(product(1, 1), power({2: 1.0}))
    equation = law((first, 1.0), (second, 2.0))
    shorter = factored(equation, rows)
    assert all(unit.args[0][0][0] != 1 for unit in shorter.units if unit.primitive == "log")
    np.testing.assert_allclose(shorter.evaluate(rows), equation.evaluate(rows), rtol=1e-12)


@pytest.mark.parametrize("name", ["square", "exp", "mul", "inv"])
def test_functions_of_the_users_own_are_not_taken_for_the_built_in_ones_of_that_name(name):
    rng = np.random.default_rng(0)
    own = {
        1: Primitive(name, 1, torch.tanh, sympy.tanh),
        2: Primitive(name, 2, lambda a, b: a + torch.tanh(b), lambda a, b: a + sympy.tanh(b)),
    }[PRIMITIVES[name].arity]
    primitives = {**PRIMITIVES, name: own}
    for _ in range(20):
        monomials = [[power({f: float(rng.integers(1, 3)) for f in (1, 2, 3)}), 1.0 + k] for k in range(2)]
        editable = EditableStructure(Structure(3, (), ()))
        inner = [product(m[0], monomials[0][0]) if rng.random() < 0.5 else m[0] for m in monomials]
        editable.output = [[Node(name, [[[inner[0], 1.0]], [[inner[1], 1.0]]][: own.arity]), 1.0], monomials[1]]
        start = canonicalize(editable.equation(), primitives)
        found = factoring.factored(start, primitives, torch.from_numpy(ROWS))
        np.testing.assert_allclose(found.evaluate(ROWS, primitives), start.evaluate(ROWS, primitives), rtol=1e-9)
