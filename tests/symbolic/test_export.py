"""The printed law is the model: SymPy, LaTeX and torch give what `Equation.evaluate` gives."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch
from symbolic_laws import assert_same_values, random_equation, sample

from sklearn_eql.symbolic import (
    Equation,
    Frame,
    Unit,
    canonicalize,
    complexity,
    equation_complexity,
    to_latex,
    to_sympy,
    to_torch_module,
)

WEIRD = ["lambda", "E", "C_0 (m)", "x**2"]
x, y = sympy.Symbol("x"), sympy.Symbol("y")


def _one(name, *args, n_features=1, factor=1.0):
    return Equation(n_features, (Unit(name, args),), ((n_features + 1, factor),))


def _values(expr, names, X):
    """Evaluate over the complex numbers, so that domains do not matter, and keep the real part; shape (n,).

    Over the real ones where a function knows no others.
    """
    f = sympy.lambdify(list(map(sympy.Symbol, names)), expr, "numpy")
    columns = X.T if expr.has(sympy.floor, sympy.Mod, sympy.Min, sympy.Max) else X.T.astype(complex)
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(f(*columns)).real, len(X))


def _real_values(expr, names, X):
    """As NumPy computes them in float64; shape (n,)."""
    f = sympy.lambdify(list(map(sympy.Symbol, names)), expr, "numpy")
    with np.errstate(over="ignore"):  # exp(1000) is infinite, and 1/(1 + exp(1000)) zero
        return np.broadcast_to(np.asarray(f(*X.T), dtype=float), len(X))


@pytest.mark.parametrize("block", range(6))
def test_expressions_evaluate_to_what_the_equation_does(block):
    names = ["lambda", "x**2"]
    for seed in range(25 * block, 25 * block + 25):
        law, X = random_equation(seed, max_units=4), sample(seed)
        for form in (law, canonicalize(law)):
            expected = form.evaluate(X)
            if np.isfinite(expected).any():
                assert_same_values(form, expected, _values(to_sympy(form, names), names, X), X)


def test_names_are_never_parsed():
    law = Equation(4, (Unit("mul", (((1, 1.0),), ((2, 1.0),))),), ((3, 2.5), (4, 1.0), (5, 0.3)))
    expr = to_sympy(law, WEIRD)
    assert expr.free_symbols == set(map(sympy.Symbol, WEIRD))
    assert sympy.E not in expr.atoms()
    X = sample(0, n_features=4)
    np.testing.assert_allclose(_values(expr, WEIRD, X), law.evaluate(X), rtol=1e-12)


def test_a_wrong_number_of_names_is_refused():
    with pytest.raises(ValueError, match="names has 2 entries for 1 features"):
        to_sympy(_one("sin", ((1, 1.0),)), ["x", "y"])


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (_one("pow", ((1, 1.0),), ((0, 2.0),)), x**2),
        (_one("pow", ((1, 1.0),), ((0, -1.5),)), x ** sympy.Rational(-3, 2)),
        (_one("sin2pi", ((1, 1.0),)), sympy.sin(2 * sympy.pi * x)),
        (_one("sin", ((1, 2 * math.pi),), factor=math.sqrt(2)), sympy.sqrt(2) * sympy.sin(2 * sympy.pi * x)),
        (_one("square", ((0, 1 / 3), (1, 1.0)), factor=0.5), (x + sympy.Rational(1, 3)) ** 2 / 2),
        (_one("exp", ((1, -1.0),), factor=math.e), sympy.E * sympy.exp(-x)),
    ],
)
def test_exact_numbers_print_as_such(law, expected):
    assert to_sympy(law, ["x"]) == expected


def test_numbers_that_meet_are_multiplied_out():
    assert str(to_sympy(_one("sin2pi", ((0, 0.1234), (1, 0.4321)), factor=1.0), ["x"])) == str(
        sympy.sin(sympy.Float(2 * math.pi * 0.4321) * x + sympy.Float(2 * math.pi * 0.1234))
    )


def test_exponentials_of_logarithms_print_as_powers():
    units = (Unit("log", (((1, 1.0),),)), Unit("log", (((2, 1.0),),)), Unit("exp", (((1, 2.0), (3, 1.5), (4, -2.0)),)))
    expr = to_sympy(Equation(2, units, ((5, 3.0),)), ["x", "y"])
    assert expr == 3 * x ** sympy.Rational(3, 2) * y**-2 * sympy.exp(2 * x)
    assert str(to_sympy(Equation(2, units, ((5, 0.3141),)), ["x", "y"])) == "0.3141*x**(3/2)*exp(2*x)/y**2"


@pytest.mark.parametrize("factor", [1.0, -2.0])
def test_exponentials_of_a_product_with_a_logarithm_print_as_powers(factor):
    units = (Unit("log", (((0, 1.0), (1, 1.0)),)), Unit("mul", (((2, 1.0),), ((3, 1.0),))))
    law = Equation(2, (*units, Unit("exp", (((4, factor),),))), ((5, 3.0),))
    expr = to_sympy(law, ["x", "y"])
    assert expr == 3 * (x + 1) ** (sympy.Integer(factor) * y)
    assert complexity(law) == complexity(expr)


def test_a_precision_rounds_floats_and_nothing_else():
    law = _one("sin", ((1, math.pi),), factor=0.123456)
    assert str(to_sympy(law, ["x"], precision=3)) == "0.123*sin(pi*x)"


def test_latex_rounds_floats_and_escapes_names():
    expr = 0.123456 * sympy.Symbol("C_0 (m)") + sympy.pi * sympy.Symbol("lambda") + sympy.Symbol("x0")
    latex = to_latex(expr)
    assert r"0.123 \text{C\_0 (m)}" in latex
    assert r"\pi \lambda" in latex
    assert "x_{0}" in latex
    assert "0.123456" in to_latex(expr, precision=None)


@pytest.mark.parametrize("seed", range(40))
def test_torch_modules_compute_the_law_and_its_derivatives(seed):
    law, X = canonicalize(random_equation(seed)), sample(seed)
    tensor = torch.from_numpy(X).requires_grad_()
    values = to_torch_module(law)(tensor)
    assert values.shape == (len(X),)
    np.testing.assert_allclose(values.detach(), law.evaluate(X), rtol=1e-12)
    if values.requires_grad and torch.isfinite(values).all():
        values.sum().backward()


def test_torch_modules_stack_several_laws():
    laws = [_one("sin", ((1, 2.0),)), _one("cos", ((1, 2.0),))]
    X = sample(1, n_features=1)
    values = to_torch_module(laws)(torch.from_numpy(X))
    np.testing.assert_allclose(values.detach(), np.column_stack([law.evaluate(X) for law in laws]))


def test_torch_modules_can_be_trained_copied_and_restored():
    module = to_torch_module(_one("sin", ((1, 2.0),)))
    twin = copy.deepcopy(module)
    X = torch.linspace(0.1, 1, 5).unsqueeze(1)
    module(X).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    with torch.no_grad():
        module.coefficients[0] += 0.1
    assert not torch.equal(module(X), twin(X))
    twin.load_state_dict(module.state_dict())
    assert torch.equal(module(X), twin(X))
    assert module(X).dtype == torch.float32


@pytest.mark.parametrize(
    ("expr", "count"),
    [
        (sympy.Integer(3), 1),
        (x, 1),
        (-x, 1),
        (x**2, 2),
        (1 / x, 2),
        (sympy.sqrt(x), 2),
        (2.5 * x, 3),
        (x / y, 3),
        (2 / x, 3),
        (x + y, 3),
        (x - 1, 3),
        (x**y, 3),
        (x**1.7, 3),
        (2**x, 3),
        (sympy.exp(x), 2),
        (sympy.sin(2 * sympy.pi * x), 4),
        (x / sympy.sqrt(y), 4),
        (1 / (x * y), 4),
        (1 / (1 + sympy.exp(-x)), 5),
    ],
    ids=str,
)
def test_complexity_counts_what_one_reads(expr, count):
    assert complexity(expr) == count


def test_complexity_of_equations_agrees_with_their_printed_form():
    differences = []
    for seed in range(150):
        law = canonicalize(random_equation(seed, max_units=4))
        if np.isfinite(law.evaluate(sample(seed))).any():
            differences.append(complexity(law) - complexity(to_sympy(law, ["x", "y"])))
    assert np.mean(np.equal(differences, 0)) > 0.75
    assert np.max(np.abs(differences)) <= 8
    assert equation_complexity(law) == complexity(law)


@pytest.mark.parametrize("name", ["sigmoid", "sigmoid20", "exp"])
@pytest.mark.parametrize("slope", [3.0, 450.0, -1e5])
def test_steep_functions_are_printed_as_they_are_computed(name, slope):
    rows = np.linspace(2, 4, 41)[:, None]
    law = Equation(1, (Unit(name, (((0, -3.01 * slope), (1, slope)),)),), ((2, 1.7),))
    if name == "exp":  # of what stays small
        bell = Unit("square", (((0, -3.0), (1, 1.0)),))
        law = Equation(1, (bell, Unit(name, (((0, 700.5), (2, -800.0)),))), ((3, 1.7e-100),))
    expr = to_sympy(law, ["x"])
    np.testing.assert_allclose(_real_values(expr, ["x"], rows), law.evaluate(rows), rtol=1e-9, atol=1e-300)
    assert expr.free_symbols == {sympy.Symbol("x")}


def test_a_law_in_a_frame_reads_origins_and_units():
    frame = Frame((2_460_000.0, 0.0), (1.0, 1e200), 1e-250)
    law = Equation(2, (Unit("exp", (((1, -0.125),),)), Unit("square", (((2, 1.0),),))), ((3, 5.0), (4, 3.0)), frame)
    rows = np.column_stack([2_460_000 + np.linspace(0, 30, 31), 1e200 * np.linspace(1, 2, 31)])
    expr = to_sympy(law, ["t", "x"])
    assert str(expr) == "1.0e-250*(3*(x/1.0e+200)**2 + 5*exp(-(t - 2460000)/8))"
    expected = 1e-250 * (5 * np.exp(-np.linspace(0, 30, 31) / 8) + 3 * np.linspace(1, 2, 31) ** 2)
    np.testing.assert_allclose(law.evaluate(rows), expected, rtol=1e-12)
    np.testing.assert_allclose(_real_values(expr, ["t", "x"], rows), expected, rtol=1e-12)
    np.testing.assert_allclose(to_torch_module(law)(torch.from_numpy(rows)).detach(), expected, rtol=1e-12)
    assert complexity(law) == complexity(replace(law, frame=None)) + 4


def test_numbers_that_float64_does_not_hold_are_not_multiplied_out():
    law = Equation(1, (Unit("square", (((1, 1e-200),),)),), ((2, 3.0),))
    rows = 1e200 * np.linspace(1, 2, 5)[:, None]
    np.testing.assert_allclose(_real_values(to_sympy(law, ["x"]), ["x"], rows), law.evaluate(rows), rtol=1e-12)
