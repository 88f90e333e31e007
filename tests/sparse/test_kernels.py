"""Kernels agree with the functions they stand for, and their slopes with autograd."""

import numpy as np
import pytest
import sympy
import torch

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.kernels import kernel_of, tensor_kernel_of

KINKS = np.array([0.0, 1.0, 1.0, -2.0])  # ties and zeros: at these, too


def arguments(primitive, n_rows):
    rng = np.random.default_rng(0)
    found = []
    for interval in primitive.domain or [None]:
        low, high = (-3.0, 3.0) if interval is None else (max(interval.lower, -3.0), min(interval.upper, 3.0))
        found.append(low + (high - low) * rng.uniform(0.02, 0.98, n_rows))
    if primitive.has_jumps or primitive.name in ("abs", "min", "max"):
        found[0][:4] = KINKS
        if primitive.name in ("min", "max"):
            found[1][:2] = KINKS[:2]
    return found


def by_autograd(primitive, args):
    tensors = [torch.from_numpy(g.copy()).requires_grad_() for g in args]
    value = primitive.torch_fn(*tensors)
    slopes = torch.autograd.grad(value.sum(), tensors, materialize_grads=True) if primitive.arity else ()
    return value.detach().numpy(), [s.numpy() for s in slopes]


@pytest.mark.parametrize("n_rows", [20, 1000])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_values_and_slopes_are_those_of_the_function(name, n_rows):
    primitive = PRIMITIVES[name]
    args = arguments(primitive, n_rows)
    expected, expected_slopes = by_autograd(primitive, args)
    kernel = kernel_of(primitive)
    value = kernel.value(*args)
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-15)
    out = np.empty(n_rows)
    assert kernel.value(*args, out=out) is out
    np.testing.assert_array_equal(out, value)
    assert len(kernel.slopes) == primitive.arity
    for slope, expected_slope in zip(kernel.slopes, expected_slopes, strict=True):
        found = np.broadcast_to(slope(value, *args), expected_slope.shape)
        np.testing.assert_allclose(found, expected_slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_tensors_have_the_same_values_and_slopes(name):
    primitive = PRIMITIVES[name]
    args = arguments(primitive, 20)
    tensors = list(map(torch.from_numpy, args))
    expected, kernel = kernel_of(primitive), tensor_kernel_of(primitive)
    value, out = expected.value(*args), torch.empty(20, dtype=torch.float64)
    assert kernel.value(*tensors, out=out) is out
    np.testing.assert_allclose(out, value, rtol=1e-13, atol=1e-15)
    for slope, mine in zip(expected.slopes, kernel.slopes, strict=True):
        np.testing.assert_allclose(mine(out, *tensors), slope(value, *args), rtol=1e-12, atol=1e-15)


def test_zero_to_a_positive_power_has_slopes():
    args = [np.array([0.0, 2.0]), np.array([2.0, 0.0])]
    expected, slopes = by_autograd(PRIMITIVES["pow"], args)
    kernel = kernel_of(PRIMITIVES["pow"])
    with np.errstate(all="ignore"):
        value = kernel.value(*args)
        found = [slope(value, *args) for slope in kernel.slopes]
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(found, slopes)


def test_another_function_of_the_same_name_is_taken_as_it_is():
    mine = Primitive("sin", 1, lambda g: g * torch.tanh(g), lambda g: g * sympy.tanh(g))
    kernel = kernel_of(mine)
    g = np.linspace(-1, 1, 7)
    np.testing.assert_allclose(kernel.value(g), g * np.tanh(g), rtol=1e-14)
    np.testing.assert_allclose(kernel.slopes[0](None, g), np.tanh(g) + g / np.cosh(g) ** 2, rtol=1e-12)


def test_a_function_that_moves_in_one_argument_only_has_slope_zero_in_the_other():
    mine = Primitive("first", 2, lambda a, b: a + 0 * b.detach(), lambda a, b: a)
    a, b = np.ones(3), np.full(3, 2.0)
    kernel = kernel_of(mine)
    np.testing.assert_array_equal(kernel.slopes[0](None, a, b), 1.0)
    assert kernel.slopes[1](None, a, b) == 0.0
