"""Functions of units on rows: values, and derivatives by each argument; on NumPy arrays, and on tensors of any device.

A search evaluates structures of a few units on a few hundred rows. There the time goes into the calls, not into the
numbers, and a call of NumPy costs a third of one of torch. Built-in functions have their derivatives in closed form;
those of a user's own function come from autograd.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from scipy.special import expit

from sklearn_eql.primitives import PRIMITIVES, Primitive

_MANY_VALUES = 500  # from which torch's sine is the faster one, its call included


@dataclass(frozen=True)
class Kernel:
    """One function on rows, elementwise.

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
    """The kernel of a function on NumPy arrays.

    `Primitive.torch_fn` and autograd for one that is not built in.
    """
    return _built_in(primitive, _ON_ARRAYS) or _by_autograd(primitive, torch.from_numpy, torch.Tensor.numpy)


def tensor_kernel_of(primitive: Primitive) -> Kernel:
    """The same on tensors."""
    return _built_in(primitive, _ON_TENSORS) or _by_autograd(primitive, lambda g: g, lambda g: g)


def _built_in(primitive: Primitive, kernels: Mapping[str, Kernel]) -> Kernel | None:
    return kernels.get(primitive.name) if PRIMITIVES.get(primitive.name) is primitive else None


def _by_autograd(primitive: Primitive, to_tensor: Callable, from_tensor: Callable) -> Kernel:
    def value(*args, out=None):
        found = from_tensor(primitive.torch_fn(*map(to_tensor, args)).detach())
        if out is None:
            return found
        out[:] = found
        return out

    def slope(argument: int) -> Callable:
        def of(_, *args):
            with torch.enable_grad():
                tensors = [to_tensor(g).detach().requires_grad_(a == argument) for a, g in enumerate(args)]
                result = primitive.torch_fn(*tensors)
                if not result.requires_grad:
                    return 0.0
                ones = torch.ones_like(result)
                return from_tensor(torch.autograd.grad(result, tensors[argument], ones, materialize_grads=True)[0])

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


_TAU = 2 * math.pi


def _power_by_base(value, a, b):
    """Slope of ``a**b``; a quotient costs a twentieth of another power, but says nothing at zero."""
    slope = b * (value / a)
    return slope if a.all() else np.where(a == 0, b * np.power(a, b - 1), slope)


def _kernels(
    xp: ModuleType, sin: Callable, cos: Callable, sigmoid: Callable, power: Callable, power_by_base: Callable
) -> Mapping[str, Kernel]:
    """All built-in functions by the names that `xp` (NumPy or torch) has for them; the others are given."""

    def power_by_exponent(value, a, b):
        return xp.where((a == 0) & (b >= 0), 0.0, value * xp.log(a))

    def share(below: Callable) -> Callable:
        """Slope of a minimum or maximum: 1 where the argument is the one, half where both are."""
        return lambda mine, other: below(mine, other) + 0.5 * (mine == other)

    lower, upper = share(xp.less), share(xp.greater)
    return {
        "const": Kernel(lambda g, out=None: xp.add(xp.zeros_like(g), 1.0, out=out), ()),
        "id": Kernel(lambda g, out=None: g if out is None else xp.multiply(g, 1.0, out=out), (lambda _, g: 1.0,)),
        "square": Kernel(xp.square, (lambda _, g: 2 * g,)),
        "cube": Kernel(lambda g, out=None: xp.multiply(g * g, g, out=out), (lambda _, g: 3 * g * g,)),
        "mul": Kernel(xp.multiply, (lambda _, a, b: b, lambda _, a, b: a)),
        "div": Kernel(xp.divide, (lambda _, a, b: 1 / b, lambda value, a, b: -value / b)),
        "inv": Kernel(xp.reciprocal, (lambda value, g: -value * value,)),
        "sin": Kernel(sin, (lambda _, g: cos(g),)),
        "cos": Kernel(cos, (lambda _, g: -sin(g),)),
        "exp": Kernel(xp.exp, (lambda value, g: value,)),
        "sigmoid": Kernel(sigmoid, (lambda value, g: value * (1 - value),)),
        "tanh": Kernel(xp.tanh, (lambda value, g: 1 - value * value,)),
        "sqrt": Kernel(xp.sqrt, (lambda value, g: 0.5 / value,)),
        "log": Kernel(xp.log, (lambda _, g: 1 / g,)),
        "arcsin": Kernel(xp.arcsin, (lambda _, g: 1 / xp.sqrt(1 - g * g),)),
        "arctan": Kernel(xp.arctan, (lambda _, g: 1 / (1 + g * g),)),
        "pow": Kernel(power, (power_by_base, power_by_exponent)),
        "sin2pi": Kernel(lambda g, out=None: sin(_TAU * g, out=out), (lambda _, g: _TAU * cos(_TAU * g),)),
        "sigmoid20": Kernel(lambda g, out=None: sigmoid(20 * g, out=out), (lambda value, g: 20 * value * (1 - value),)),
        "mul10": Kernel(
            lambda a, b, out=None: xp.multiply(10 * a, b, out=out), (lambda _, a, b: 10 * b, lambda _, a, b: 10 * a)
        ),
        "abs": Kernel(xp.abs, (lambda _, g: xp.sign(g),)),
        "min": Kernel(xp.minimum, (lambda _, a, b: lower(a, b), lambda _, a, b: lower(b, a))),
        "max": Kernel(xp.maximum, (lambda _, a, b: upper(a, b), lambda _, a, b: upper(b, a))),
        "floor": Kernel(xp.floor, (lambda _, g: 0.0,)),
        "mod": Kernel(xp.remainder, (lambda _, a, b: 1.0, lambda _, a, b: -xp.floor(a / b))),
    }


_ON_ARRAYS = _kernels(np, _periodic(np.sin, torch.sin), _periodic(np.cos, torch.cos), expit, np.power, _power_by_base)
_ON_TENSORS = _kernels(  # of which no value is read: a device would be waited for
    torch, torch.sin, torch.cos, torch.sigmoid, torch.pow, lambda _, a, b: b * torch.pow(a, b - 1)
)
