"""Functions of one argument with a grid of rates: what products and sums of functions of one variable are made of.

A library of pairs (:mod:`sklearn_eql.scan.library`) holds numbers such as 1 and 2 inside functions. Here the grid
follows the rows: it is fine enough that a fit moves the nearest entry to the law, whatever its constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import torch

from sklearn_eql.sparse.editing import Node

Terms = list[list]

_POWERS = (1.0, 2.0, 3.0, -1.0, -2.0, 0.5, -0.5)
_RATES = (0.2, 0.5, 1.2, 3.0)  # of exponentials and steps, per standard deviation of the argument
_FREQUENCIES = tuple(0.3 * k for k in range(1, 19))  # of waves, likewise: a third of a radian over its range apart
_PLAIN = (1.0, 2.0)  # in the user's units
_N_CENTRES = 7  # of peaks, over the range of the argument
_WIDTHS = (1.0, 3.0)  # of a standard deviation, the inverse ones
_LARGEST = 1e8  # over the root mean square: beyond, one row decides everything
_LARGEST_EXPONENT = 200.0


@dataclass(frozen=True)
class Argument:
    """What functions are applied to: a feature, or a product or quotient of two.

    Parameters
    ----------
    features : tuple of int
        Columns, numbered from 0.
    values : ndarray (N,)
    unit : float
        What the values are multiplied by to be in the user's units.
    sign : int
        1 where all are positive, -1 where all are negative, else 0.
    terms : callable
        A fresh sum of terms with these values.
    symbols : int
        What it costs to write.
    """

    features: tuple[int, ...]
    values: np.ndarray
    unit: float
    sign: int
    terms: Callable[[], Terms]
    symbols: int

    @property
    def is_feature(self) -> bool:
        return len(self.features) == 1


@dataclass(frozen=True)
class Factors:
    """Functions of one argument, those of one kind next to each other."""

    argument: Argument
    values: torch.Tensor  # (K, N), each with root mean square 1
    kinds: tuple[str, ...]  # (K,) entries of one kind differ by a constant
    symbols: tuple[int, ...]  # (K,)
    makers: tuple[Callable[[], Terms], ...]  # (K,) terms of an entry, up to a factor

    def __len__(self) -> int:
        return len(self.kinds)


def _feature(f: int) -> list:
    return [[f + 1, 1.0]]


def _product(a: int, b: int) -> list:
    return [[Node("mul", [[[a + 1, 1.0]], [[b + 1, 1.0]]]), 1.0]]


def _quotient(up: int, down: int) -> list:
    return [[Node("mul", [[[up + 1, 1.0]], [[Node("inv", [[[down + 1, 1.0]]]), 1.0]]]), 1.0]]


def arguments(X: np.ndarray, units: np.ndarray, signs: Sequence[int], features: Sequence[int]) -> list[Argument]:
    """Features (columns of `X`, numbered from 0), their products, and their quotients where they have no zero.

    Parameters
    ----------
    X : ndarray (N, n_features), scaled
    units : ndarray (n_features,)
        What a column is multiplied by to be in the user's units.
    signs : sequence of int
        1 for a feature that is positive on all rows, -1 for a negative one, else 0.
    features : sequence of int
    """
    found = [Argument((f,), X[:, f], float(units[f]), signs[f], partial(_feature, f), 1) for f in features]
    for i, a in enumerate(features):
        for b in features[i + 1 :]:
            product = X[:, a] * X[:, b]
            found.append(
                Argument(
                    (a, b), product, float(units[a] * units[b]), signs[a] * signs[b],
                    partial(_product, a, b), 4,
                )
            )  # fmt: skip
            for up, down in ((a, b), (b, a)):
                if signs[down]:
                    ratio = X[:, up] / X[:, down]
                    found.append(
                        Argument(
                            (up, down), ratio, float(units[up] / units[down]), signs[a] * signs[b],
                            partial(_quotient, up, down), 5,
                        )
                    )  # fmt: skip
    return found


def factors_of(argument: Argument, has: Callable[[str], bool], peaks: bool = False) -> Factors | None:
    """The functions of an argument that laws may be made of; None where it does not vary.

    `has` says whether a function may be used, by name. A product or quotient of two features has no powers here:
    these are products of those of the features. With `peaks` a feature has bell curves and resonance curves anywhere in
    its range.
    """
    rows: list[np.ndarray] = []
    kinds: list[str] = []
    symbols: list[int] = []
    makers: list[Callable[[], Terms]] = []
    with np.errstate(all="ignore"):
        for kind, values, cost, maker in chain(_entries(argument, has), _peaks(argument, has) if peaks else ()):
            size = float(np.sqrt(np.mean(np.square(values))))
            sound = math.isfinite(size) and size > 0 and float(np.abs(values).max()) < _LARGEST * size
            if sound and float(np.ptp(values)) > 1e-9 * size:
                rows.append(values / size)
                kinds.append(kind)
                symbols.append(cost)
                makers.append(maker)
    if not rows:
        return None
    return Factors(argument, torch.as_tensor(np.array(rows)), tuple(kinds), tuple(symbols), tuple(makers))


def _entries(a: Argument, has: Callable[[str], bool]) -> Iterator[tuple[str, np.ndarray, int, Callable[[], Terms]]]:
    """Kind, values, price and maker of every function of an argument."""
    x, spread = a.values, float(np.std(a.values))
    if not (spread > 0 and math.isfinite(spread)):
        return
    if a.is_feature:
        yield from _powers(a, has)
    plain = [c * a.unit for c in _PLAIN]
    rates = [rate / spread for rate in _RATES] + plain
    if has("exp"):
        for sign in (1.0, -1.0):
            for rate in rates:
                exponent = sign * rate * x
                if np.ptp(exponent) < _LARGEST_EXPONENT:
                    values = np.exp(exponent - exponent.max())
                    yield f"exp{sign:+g}", values, a.symbols + 1, _of("exp", a, sign * rate)
        if has("square") and a.is_feature:
            for rate in [r / spread**2 for r in _RATES] + [c * a.unit**2 for c in (1.0, 0.5)]:
                yield "bell", np.exp(-rate * x**2), a.symbols + 3, _bell(a, rate)
    for name, function in (("sin", np.sin), ("cos", np.cos)):
        if has(name):
            for rate in [w / spread for w in _FREQUENCIES] + plain:
                yield name, function(rate * x), a.symbols + 1, _of(name, a, rate)
    if has("tanh"):
        for rate in rates:
            yield "tanh", np.tanh(rate * x), a.symbols + 1, _of("tanh", a, rate)
    if has("log") and a.sign:
        yield "log", np.log(np.abs(x)) + math.log(a.unit), a.symbols + 2, _logarithm(a)
    if a.sign > 0 and has("log"):
        for rate in rates:
            yield "log1p", np.log1p(rate * x), a.symbols + 2, _of("log", a, rate, 1.0)
    if has("inv") or has("div") or has("pow"):
        if a.sign > 0:
            for rate in rates:
                yield "inv1p", 1 / (1 + rate * x), a.symbols + 2, _of("inv", a, rate, 1.0)
        if has("square") and a.is_feature:
            for rate in rates:
                yield "lorentz", 1 / (1 + (rate * x) ** 2), a.symbols + 4, _lorentz(a, rate)
    if a.is_feature and a.sign > 0:
        yield from _saturations(a, has, rates)


def _saturations(
    a: Argument, has: Callable[[str], bool], rates: list[float]
) -> Iterator[tuple[str, np.ndarray, int, Callable[[], Terms]]]:
    """What rises from nothing to a level: ``1 - exp(-x/w)``, ``x/(w + x)`` and ``x**2/(w**2 + x**2)``."""
    x = a.values
    if has("exp"):
        for rate in rates:
            yield "charging", -np.expm1(-rate * x), a.symbols + 3, _one_minus(_of("exp", a, -rate))
    if has("mul") and (has("inv") or has("div") or has("pow")):
        for rate in rates:
            yield "saturation", rate * x / (1 + rate * x), a.symbols + 3, _times(_power(a, 1), _of("inv", a, rate, 1.0))
        if has("square"):
            for rate in rates:
                square = (rate * x) ** 2
                yield (
                    "saturation of a square",
                    square / (1 + square),
                    a.symbols + 5,
                    _times(_power(a, 2), _lorentz(a, rate)),
                )


def _peaks(a: Argument, has: Callable[[str], bool]) -> Iterator[tuple[str, np.ndarray, int, Callable[[], Terms]]]:
    """``exp(-(x - c)**2/w**2)`` and ``1/(1 + (x - c)**2/w**2)``."""
    spread = float(np.std(a.values))
    if not (has("square") and a.is_feature and spread > 0 and math.isfinite(spread)):
        return
    for kind, name in (("bell at", "exp"), ("lorentz at", "inv")):
        if not (has(name) or (name == "inv" and (has("div") or has("pow")))):
            continue
        for centre in np.linspace(a.values.min(), a.values.max(), _N_CENTRES).tolist():
            for rate in (width / spread for width in _WIDTHS):
                square = (rate * (a.values - centre)) ** 2
                values = np.exp(-square) if name == "exp" else 1 / (1 + square)
                yield kind, values, a.symbols + 4, _peak(name, a, rate, centre)


def _powers(a: Argument, has: Callable[[str], bool]) -> Iterator[tuple[str, np.ndarray, int, Callable[[], Terms]]]:
    inverts = has("inv") or has("div") or has("pow")
    for p in _POWERS:
        whole = p == int(p)
        if (p < 0 and not (inverts and a.sign)) or (not whole and not (has("sqrt") and a.sign > 0)):
            continue
        if (abs(p) == 2 and not has("square")) or (p == 3 and not has("cube")):
            continue
        yield f"power {p:g}", a.values**p, 1 if p == 1 else 3, _power(a, p)


# Terms of entries, with fresh nodes at every call -------------------------------------------------------------------


def _of(name: str, a: Argument, rate: float, constant: float = 0.0) -> Callable[[], Terms]:
    def make() -> Terms:
        inside = [[source, rate * c] for source, c in a.terms()]
        return [[Node(name, [[[0, constant], *inside] if constant else inside]), 1.0]]

    return make


def _one_minus(function: Callable[[], Terms]) -> Callable[[], Terms]:
    return lambda: [[0, 1.0], *([source, -c] for source, c in function())]


def _times(first: Callable[[], Terms], second: Callable[[], Terms]) -> Callable[[], Terms]:
    return lambda: [[Node("mul", [first(), second()]), 1.0]]


def _logarithm(a: Argument) -> Callable[[], Terms]:
    """Its constant is a term of its own: a factor of a product needs it."""
    return lambda: [
        [Node("log", [[[source, a.sign * c] for source, c in a.terms()]]), 1.0],
        [0, math.log(a.unit)],
    ]


def _bell(a: Argument, rate: float) -> Callable[[], Terms]:
    return lambda: [[Node("exp", [[[Node("square", [a.terms()]), -rate]]]), 1.0]]


def _lorentz(a: Argument, rate: float) -> Callable[[], Terms]:
    return lambda: [[Node("inv", [[[0, 1.0], [Node("square", [a.terms()]), rate * rate]]]), 1.0]]


def _peak(name: str, a: Argument, rate: float, centre: float) -> Callable[[], Terms]:
    def make() -> Terms:
        square = Node("square", [[*a.terms(), [0, -centre]]])
        return [[Node(name, [[[square, -rate * rate]] if name == "exp" else [[0, 1.0], [square, rate * rate]]]), 1.0]]

    return make


def _power(a: Argument, p: float) -> Callable[[], Terms]:
    def make() -> Terms:
        terms = a.terms()
        names = {1: (), 2: ("square",), 3: ("cube",), 0.5: ("sqrt",)}[abs(p)]
        for name in (*names, *(("inv",) if p < 0 else ())):
            terms = [[Node(name, [terms]), 1.0]]
        return terms

    return make
