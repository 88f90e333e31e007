"""Functions of units on NumPy rows: values, and derivatives by each argument.

A search evaluates structures of a few units on a few hundred rows. There the time goes into the calls, not into the
numbers, and a call of NumPy costs a third of one of torch. Built-in functions have their derivatives in closed form;
those of a user's own function come from autograd.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import expit

from sklearn_eql.primitives import PRIMITIVES, Primitive

_MANY_VALUES = 500  # from which torch's sine is the faster one, its call included


@dataclass(frozen=True)
class Kernel:
    """One function on rows, float64, elementwise.

    Parameters
    ----------
    value : callable
        ``value(*args, out=None)``; writes into `out` where that is given. The result may be an argument itself.
    slopes : tuple of callable
        Per argument ``slope(value, *args)``, the derivative there: rows, or a number where it is constant.
    """

    value: Callable
    slopes: tuple[Callable, ...]


def kernel_of(primitive: Primitive) -> Kernel:
    """The kernel of a function; `Primitive.torch_fn` and autograd for one that is not built in."""
    kernel = _KERNELS.get(primitive.name)
    return kernel if kernel and PRIMITIVES[primitive.name] is primitive else _by_autograd(primitive)


def _by_autograd(primitive: Primitive) -> Kernel:
    def value(*args, out=None):
        found = primitive.torch_fn(*map(torch.from_numpy, args)).detach().numpy()
        if out is None:
            return found
        out[:] = found
        return out

    def slope(argument: int) -> Callable:
        def of(_, *args):
            with torch.enable_grad():
                tensors = [torch.from_numpy(g).requires_grad_(a == argument) for a, g in enumerate(args)]
                result = primitive.torch_fn(*tensors)
                if not result.requires_grad:
                    return 0.0
                ones = torch.ones_like(result)
                return torch.autograd.grad(result, tensors[argument], ones, materialize_grads=True)[0].numpy()

        return of

    return Kernel(value, tuple(map(slope, range(primitive.arity))))


def _periodic(of_numpy: np.ufunc, of_torch: Callable) -> Callable:
    """Sine or cosine, by whichever library is faster for so many values."""

    def value(g, out=None):
        if g.size < _MANY_VALUES:
            return of_numpy(g, out=out)
        out = np.empty_like(g) if out is None else out
        of_torch(torch.from_numpy(g), out=torch.from_numpy(out))
        return out

    return value


_sin, _cos = _periodic(np.sin, torch.sin), _periodic(np.cos, torch.cos)
_TAU = 2 * math.pi


def _power_by_base(_, a, b):
    return b * np.power(a, b - 1)


def _power_by_exponent(value, a, b):
    return np.where((a == 0) & (b >= 0), 0.0, value * np.log(a))


def _share(below: np.ufunc) -> Callable:
    """Slope of a minimum or maximum: 1 where the argument is the one, half where both are."""
    return lambda mine, other: below(mine, other) + 0.5 * (mine == other)


_lower, _upper = _share(np.less), _share(np.greater)

_KERNELS = {
    "const": Kernel(lambda g, out=None: np.add(np.zeros_like(g), 1.0, out=out), ()),
    "id": Kernel(lambda g, out=None: g if out is None else np.positive(g, out=out), (lambda _, g: 1.0,)),
    "square": Kernel(np.square, (lambda _, g: 2 * g,)),
    "cube": Kernel(lambda g, out=None: np.multiply(g * g, g, out=out), (lambda _, g: 3 * g * g,)),
    "mul": Kernel(np.multiply, (lambda _, a, b: b, lambda _, a, b: a)),
    "div": Kernel(np.divide, (lambda _, a, b: 1 / b, lambda value, a, b: -value / b)),
    "inv": Kernel(np.reciprocal, (lambda value, g: -value * value,)),
    "sin": Kernel(_sin, (lambda _, g: _cos(g),)),
    "cos": Kernel(_cos, (lambda _, g: -_sin(g),)),
    "exp": Kernel(np.exp, (lambda value, g: value,)),
    "sigmoid": Kernel(expit, (lambda value, g: value * (1 - value),)),
    "tanh": Kernel(np.tanh, (lambda value, g: 1 - value * value,)),
    "sqrt": Kernel(np.sqrt, (lambda value, g: 0.5 / value,)),
    "log": Kernel(np.log, (lambda _, g: 1 / g,)),
    "arcsin": Kernel(np.arcsin, (lambda _, g: 1 / np.sqrt(1 - g * g),)),
    "pow": Kernel(np.power, (_power_by_base, _power_by_exponent)),
    "sin2pi": Kernel(lambda g, out=None: _sin(_TAU * g, out=out), (lambda _, g: _TAU * _cos(_TAU * g),)),
    "sigmoid20": Kernel(lambda g, out=None: expit(20 * g, out=out), (lambda value, g: 20 * value * (1 - value),)),
    "mul10": Kernel(
        lambda a, b, out=None: np.multiply(10 * a, b, out=out), (lambda _, a, b: 10 * b, lambda _, a, b: 10 * a)
    ),
    "abs": Kernel(np.abs, (lambda _, g: np.sign(g),)),
    "min": Kernel(np.minimum, (lambda _, a, b: _lower(a, b), lambda _, a, b: _lower(b, a))),
    "max": Kernel(np.maximum, (lambda _, a, b: _upper(a, b), lambda _, a, b: _upper(b, a))),
    "floor": Kernel(np.floor, (lambda _, g: 0.0,)),
    "mod": Kernel(np.remainder, (lambda _, a, b: 1.0, lambda _, a, b: -np.floor(a / b))),
}
