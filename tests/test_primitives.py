"""One definition per function: what networks compute is what laws print; and the messages of `resolve_functions`."""

import math

import numpy as np
import pytest
import sympy
import torch

from sklearn_eql.exceptions import InvalidFunctionsError
from sklearn_eql.primitives import (
    ALGEBRAIC,
    EXPONENTS,
    PRESETS,
    PRIMITIVES,
    Interval,
    Primitive,
    resolve_functions,
)


def _points(primitive, n=50):
    """Arguments inside the domain, one float64 tensor (n,) each."""
    rng = np.random.default_rng(0)
    borders = [(max(interval.lower, -2.0), min(interval.upper, 2.05)) for interval in primitive.domain]
    return [torch.from_numpy(rng.uniform(low + 0.05, high - 0.05, n)) for low, high in borders]


@pytest.mark.parametrize("primitive", PRIMITIVES.values(), ids=PRIMITIVES)
def test_torch_and_sympy_agree_on_the_domain(primitive):
    args = _points(primitive)
    symbols = sympy.symbols(f"a:{primitive.arity}")
    expr = primitive.sympy_fn(*symbols)
    printed = [float(expr.subs(dict(zip(symbols, map(float, row), strict=True)))) for row in zip(*args, strict=True)]
    computed = primitive.torch_fn(*(args or [torch.zeros(1, dtype=torch.float64)]))
    np.testing.assert_allclose(computed, printed or [float(expr)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("primitive", [p for p in PRIMITIVES.values() if p.arity], ids=lambda p: p.name)
def test_declared_degrees_and_parities_hold(primitive):
    args = _points(primitive)
    value = primitive.torch_fn(*args)
    for slot, degree in enumerate(primitive.degree):
        if degree is not None:
            larger = [3.0 * g if i == slot else g for i, g in enumerate(args)]
            torch.testing.assert_close(primitive.torch_fn(*larger), 3.0**degree * value)
    if primitive.joint_degree is not None:
        larger = primitive.torch_fn(*(3.0 * g for g in args))
        torch.testing.assert_close(larger, 3.0**primitive.joint_degree * value)
    if primitive.parity is not None:
        sign = {"odd": -1, "even": 1}[primitive.parity]
        torch.testing.assert_close(primitive.torch_fn(-args[0]), sign * value)


@pytest.mark.parametrize("primitive", [p for p in PRIMITIVES.values() if p.identity], ids=lambda p: p.name)
def test_declared_identities_hold(primitive):
    f, (g, *exponent) = primitive.torch_fn, _points(primitive)
    left, right = {
        "exponential": lambda: (f(2.0 + g), f(torch.full_like(g, 2.0)) * f(g)),
        "logarithm": lambda: (f(2.0 * g), f(torch.full_like(g, 2.0)) + f(g)),
        "power": lambda: (f(2.0 * g, *exponent), f(torch.full_like(g, 2.0), *exponent) * f(g, *exponent)),
    }[primitive.identity]()
    torch.testing.assert_close(left, right)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_powers_of_one_argument_and_only_those_have_an_exponent(name):
    primitive = PRIMITIVES[name]
    if primitive.arity != 1:
        assert name not in EXPONENTS
        return
    (g,) = _points(primitive)
    slope = torch.log(primitive.torch_fn(2 * torch.ones(1, dtype=torch.float64))) / math.log(2)
    is_power = torch.allclose(primitive.torch_fn(g.abs()), g.abs() ** slope) and name != "abs"  # for both signs
    assert is_power == (name in EXPONENTS)
    if is_power:
        assert EXPONENTS[name] == pytest.approx(float(slope))


def test_algebraic_functions_are_those_of_the_four_operations_and_roots_in_pieces_too():
    in_pieces = {"abs", "min", "max", "mod"}
    assert {"const", "id", "square", "cube", "mul", "mul10", "div", "inv", "sqrt", "pow"} | in_pieces == ALGEBRAIC


def test_functions_with_kinks_and_jumps_are_in_one_preset_only():
    others = {name for preset, names in PRESETS.items() if preset != "piecewise" for name in names}
    assert PRESETS["piecewise"].keys() - others == {"abs", "min", "max", "floor", "mod"}
    assert PRESETS["default"].items() <= PRESETS["piecewise"].items()


def test_a_remainder_has_the_sign_of_the_divisor():
    a, b = torch.tensor([7.0, -7.0, 7.0, -7.0]), torch.tensor([3.0, 3.0, -3.0, -3.0])
    assert PRIMITIVES["mod"].torch_fn(a, b).tolist() == [1.0, 2.0, -2.0, -1.0]


def test_an_absolute_value_is_that_of_a_real_number():
    x, y = sympy.symbols("x y")
    assert PRIMITIVES["abs"].sympy_fn(y * sympy.exp(x)) == sympy.exp(x) * sympy.Abs(y)


@pytest.mark.parametrize("primitive", [p for p in PRIMITIVES.values() if p.arity], ids=lambda p: p.name)
def test_clamped_functions_have_finite_gradients_outside_the_domain(primitive):
    args = [torch.linspace(-1.0, 1.0, 21, dtype=torch.float64, requires_grad=True) for _ in range(primitive.arity)]
    value = primitive.clamped(*args).sum()
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(g.grad).all() for g in args)


def test_an_interval_measures_how_far_outside_an_argument_lies():
    violation = Interval(lower=0.0).violation(torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64))
    assert 1.0 <= violation[0] < 1.2  # the distance to the border, and the margin that clamping keeps from it
    assert violation[1:].tolist() == [0.0, 0.0]


def test_equal_primitives_become_neighbours():
    names = [p.name for p in resolve_functions(["sin", "id", "sin"])]
    assert names == ["sin", "sin", "id"]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_resolves_to_its_number_of_units(preset):
    assert len(resolve_functions(preset)) == sum(PRESETS[preset].values())


def test_a_primitive_of_the_user_joins_by_name():
    sinc = Primitive("sinc", 1, torch.sinc, lambda g: sympy.sinc(sympy.pi * g), parity="even")
    assert resolve_functions({sinc: 2, "id": 1})[:2] == (sinc, sinc)


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ("sin", r"functions='sin' is not a preset. Presets: .*'default'.*functions=\['sin'\]"),
        (["sine"], r"functions: 'sine' is not a known function. Known functions: .*'sin'.*Primitive"),
        ([3], r"functions: 3 is not a known function"),
        ([], r"functions is empty. Name at least one function"),
        ({}, r"functions is empty"),
        (7, r"functions must be a preset name, a mapping .* or a sequence .*, got int"),
        ({"sin": 0}, r"number of copies of 'sin' must be a positive integer, got 0"),
        ({"sin": 1.5}, r"number of copies of 'sin' must be a positive integer, got 1.5"),
        ({"sin": True}, r"number of copies of 'sin' must be a positive integer, got True"),
        (["sin", Primitive("sin", 1, torch.tan, sympy.tan)], r"two different primitives are named 'sin'"),
    ],
)
def test_bad_functions_are_named_in_the_message(functions, message):
    with pytest.raises(InvalidFunctionsError, match=message):
        resolve_functions(functions)


def test_invalid_functions_are_value_errors():
    assert issubclass(InvalidFunctionsError, ValueError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("f", 3, torch.sin, sympy.sin), r"Primitive 'f': arity must be 0, 1 or 2, got 3"),
        (("f", 2, torch.mul, sympy.Mul, (Interval(),)), r"domain has 1 intervals for 2 arguments"),
    ],
)
def test_an_ill_formed_primitive_is_refused(arguments, message):
    with pytest.raises(InvalidFunctionsError, match=message):
        Primitive(*arguments)


def test_sin2pi_has_period_one():
    g = torch.linspace(-1, 1, 9, dtype=torch.float64)
    torch.testing.assert_close(PRIMITIVES["sin2pi"].torch_fn(g), torch.sin(2 * math.pi * (g + 1)))
