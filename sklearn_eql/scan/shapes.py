"""Functions of one argument that factors of a law may be, by the logarithms of their magnitudes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, product

import torch

_MAX_FACTORS, _MAX_ORDER, _MAX_MONOMIALS = 4, 6, 1500  # of a monomial: features, sum of its exponents; how many
_MAX_LONGER = 300  # how many more with exponents of one


@dataclass(frozen=True)
class Shape:
    """A function of an argument.

    Parameters
    ----------
    log : callable
        Logarithm of its magnitude; not finite where the law would be undefined or change its sign.
    needs : tuple of str
        Functions that the user must have allowed.
    scales : tuple of float
        Magnitudes of arguments on the rows: the mean, largest or smallest ones, as `of` has it.
    symbols : int
        What it costs to write.
    of : {"mean", "max", "min"}
    in_units : tuple of float
        Factors of arguments in the user's units.
    value : callable or None
        The function itself, if it changes its sign.
    """

    log: Callable[[torch.Tensor], torch.Tensor]
    needs: tuple[str, ...]
    scales: tuple[float, ...]
    symbols: int
    of: str = "mean"
    in_units: tuple[float, ...] = (1.0,)
    value: Callable[[torch.Tensor], torch.Tensor] | None = None

    @property
    def starts(self) -> list[tuple[float, bool]]:
        """Scales, and whether each is one in the user's units."""
        return [*((s, False) for s in self.scales), *((s, True) for s in self.in_units)]


def _log_expm1(u: torch.Tensor) -> torch.Tensor:
    return u + (-(-u).expm1()).log()  # which does not overflow


def _log_cosh(u: torch.Tensor) -> torch.Tensor:
    return u + (-2 * u).exp().log1p()


_RATES = (0.1, 0.3, 0.6, 1.0, 1.7, 3.0, 8.0, 25.0)
_ANGLES = (0.5, 1.0, 2.0, math.pi, 2 * math.pi)
_PHASES = tuple(2.8 + 0.4 * k for k in range(32))  # so close that the fit moves the last row by less than a quarter
"""Largest arguments of waves. The logarithm of a wave near one has narrow dips, which a fit finds from here."""

SHAPES: dict[str, Shape] = {
    "exp": Shape(lambda u: u, ("exp",), (1.0,), 2, in_units=()),
    "1 + u": Shape(torch.log1p, (), (0.1, 0.3, 1.0, 3.0, 10.0), 2),
    "1 - u": Shape(lambda u: (-u).log1p(), (), (0.3, 0.5, 0.7, 0.85, 0.95, 0.99), 2, "max"),
    "u - 1": Shape(lambda u: (u - 1).log(), (), (1.02, 1.1, 1.3, 2.0, 4.0), 2, "min"),
    "ratio": Shape(lambda u: 2 * u.atanh(), (), (0.3, 0.6, 0.85, 0.95), 4, "max"),
    "exp - 1": Shape(_log_expm1, ("exp",), _RATES, 4),
    "1 - exp": Shape(lambda u: (-(-u).expm1()).log(), ("exp",), _RATES, 4),
    "exp + 1": Shape(lambda u: u + (-u).exp().log1p(), ("exp",), _RATES, 4),
    "sinh": Shape(lambda u: _log_expm1(2 * u) - u, ("exp",), _RATES, 6),
    "cosh": Shape(_log_cosh, ("exp",), _RATES, 6),
    "tanh": Shape(lambda u: u.tanh().log(), ("tanh",), _RATES, 2),
    "log": Shape(lambda u: u.log1p().log(), ("log",), (0.1, 1.0, 10.0), 3),
    "arcsin": Shape(lambda u: u.asin().log(), ("arcsin",), (0.5, 0.8, 0.95, 1.0), 2, of="max"),
    "sin": Shape(lambda u: u.sin().log(), ("sin",), (1.0, 1.5, 2.0, 2.5, 3.0), 2, of="max"),
    "cos": Shape(lambda u: u.cos().log(), ("cos",), (0.7, 1.0, 1.3, 1.5), 2, of="max"),
}
"""Functions that keep their sign."""

SIGNED: dict[str, Shape] = {
    "sin": Shape(lambda u: u.sin().abs().log(), ("sin",), (1.5, *_PHASES), 2, "max", _ANGLES, torch.sin),
    "cos": Shape(lambda u: u.cos().abs().log(), ("cos",), (1.0, *_PHASES), 2, "max", _ANGLES, torch.cos),
    "ln": Shape(lambda u: u.log().abs().log(), ("log",), (), 2, value=torch.log),
    "1 - u": Shape(lambda u: (1 - u).abs().log(), (), (0.5, 0.8, 0.95, 1.3, 2.0, 4.0), 2, "max", value=lambda u: 1 - u),
}
"""The same on both sides of their zeros."""


def shape_of(name: str) -> Shape:
    """A function on both sides of its zeros, where it has any."""
    return SIGNED.get(name) or SHAPES[name]


def monomials_of(
    n_features: int, at_most: int = _MAX_MONOMIALS, max_order: int = _MAX_ORDER
) -> list[tuple[float, ...]]:
    """Exponents of monomials, those of low order first; as many whole orders as a bound on their number allows."""
    found: list[tuple[float, ...]] = []
    reached = 0
    for order in range(1, max_order + 1):
        new = []
        for count in range(1, min(n_features, _MAX_FACTORS, order) + 1):
            sizes = [s for s in product((1, 2), repeat=count) if sum(s) == order]
            for places in combinations(range(n_features), count):
                for size in sizes:
                    for signs in product((1, -1), repeat=count):
                        exponents = [0.0] * n_features
                        for place, s, sign in zip(places, size, signs, strict=True):
                            exponents[place] = float(s * sign)
                        new.append(tuple(exponents))
        if found and len(found) + len(new) > at_most:
            break
        found += new
        reached = min(order, _MAX_FACTORS)
    for count in range(reached + 1, n_features + 1):  # however many features a quotient of products is of
        if len(found) + math.comb(n_features, count) * 2**count > at_most + _MAX_LONGER or max_order < count:
            break
        for places in combinations(range(n_features), count):
            for signs in product((1.0, -1.0), repeat=count):
                exponents = [0.0] * n_features
                for place, sign in zip(places, signs, strict=True):
                    exponents[place] = sign
                found.append(tuple(exponents))
    return found
