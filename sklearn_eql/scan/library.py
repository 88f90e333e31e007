"""A library of functions of the features: values on the rows, what each costs to write, and how to build it.

Entries are made level by level: powers of features; sums, differences and products of two powers, and powers shifted
by a constant; functions of those and of multiples of powers; bell curves and steps within the rows, and kinks and
remainders where the user allows them; powers times functions; functions of functions. Simple ones come first, so a
bound on the size leaves out the longest. Functions that agree on all rows up to a factor are one entry, in its shortest
form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import torch

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.editing import Node

Terms = list[list]

_POWERS = (1.0, 2.0, 3.0, -1.0, 0.5, 4.0, 5.0, 6.0, -2.0, -0.5, 1.5, 7.0, 8.0, 9.0, -3.0, -4.0)
_SUMMED = frozenset({1.0, 2.0, 3.0, -1.0, 0.5})  # powers that sums and products are made of
_STEEP = frozenset({4.0, -2.0, -4.0})  # that are only shifted: 1/(1 + x**-4)
_SHIFTS = (1.0, 2.0, 0.5)
_MULTIPLES = (-1.0, 2.0, 3.0, 0.5, np.pi, 2 * np.pi, 1.5)  # of powers, inside functions: a fit does the rest
_PLACES, _WIDTHS = (0.15, 0.5, 0.85), (0.12, 0.35)  # of bell curves and steps, as shares of the range of the rows
_RATIOS = (1.0, 2.0, 0.5)  # of two features, of which the smaller or larger is taken
_DIVISORS = (1.0, 2.0, 3.0, 0.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 24.0)  # of remainders
_ALGEBRAIC = frozenset({"const", "id", "cube"})  # functions that powers and sums stand for
_MAX_PEAK = 1e8  # largest value over the root mean square: beyond, one row decides everything
_MIN_SPREAD = 1e-9  # of the largest value: what varies less is a constant
_AT_ONCE = 64  # arguments that functions are applied to together
_DIGITS = 9  # decimals to which two entries must agree to be one


@dataclass(frozen=True)
class Library:
    """Entries, from the shortest to the longest; see :func:`build`."""

    values: np.ndarray  # (M, N), each row with root mean square 1
    scales: np.ndarray  # (M,) what the rows were divided by
    symbols: np.ndarray  # (M,) terms and units that an entry is written with
    _makers: list[Callable[[], Terms]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.symbols)

    def terms(self, index: int) -> Terms:
        """A fresh sum of terms with the values ``scales[index] * values[index]``."""
        return self._makers[index]()


def build(
    X: np.ndarray,
    units: np.ndarray,
    signs: Sequence[int],
    features: Iterable[int],
    functions: Mapping[str, Primitive],
    limit: int,
) -> Library:
    """A library over some features, of at most `limit` entries.

    Parameters
    ----------
    X : ndarray (N, n_features), scaled
    units : ndarray (n_features,)
        What a column is multiplied by to be in the user's units, in which numbers such as 1 and 2 mean something.
    signs : sequence of int
        1 for a feature that is positive on all rows, -1 for a negative one, else 0.
    features : iterable of int
        Positions of the columns to use, the most important first.
    functions : mapping of str to Primitive
        What laws may be made of.
    limit : int
    """
    builder = _Builder(X, units, signs, list(features), functions, limit)
    builder.add_all()
    order = np.argsort(builder.symbols, kind="stable")
    return Library(
        np.array(builder.rows).reshape(-1, len(X))[order],
        np.array(builder.scales)[order],
        np.array(builder.symbols, dtype=int)[order],
        [builder.makers[k] for k in order],
    )


class _Builder:
    """Collects entries, one for each function on the rows."""

    def __init__(self, X, units, signs, features, functions, limit) -> None:
        self.X, self.units, self.signs, self.features = X, units, signs, features
        self.limit = limit
        ours = {name: p for name, p in functions.items() if p is PRIMITIVES.get(name)}
        self.multiplies = "mul" in ours
        self.inverts = any(name in ours for name in ("inv", "div", "pow"))
        self.powers = "pow" in ours
        self.names = frozenset(ours)
        self.unary = {name: p for name, p in functions.items() if p.arity == 1 and name not in _ALGEBRAIC}
        if self.inverts:
            self.unary.setdefault("inv", PRIMITIVES["inv"])
        self.rows: list[np.ndarray] = []
        self.scales: list[float] = []
        self.symbols: list[int] = []
        self.makers: list[Callable[[], Terms]] = []
        self._known: dict[tuple, int] = {}
        self._probe = np.random.default_rng(0).normal(size=(len(X), 3)) / np.sqrt(len(X))

    @property
    def room(self) -> int:
        return max(0, self.limit - len(self.rows))

    def add(self, values: np.ndarray, symbols: Sequence[int], makers: Sequence[Callable[[], Terms]]) -> list[int]:
        """Take in functions (K, N) that are finite and vary; where each is now, those left out not among them."""
        with np.errstate(all="ignore"):
            size = np.sqrt(np.mean(np.square(values), axis=1))
            largest = np.abs(values).max(axis=1)
            sound = np.isfinite(size) & (size > 0) & (largest < _MAX_PEAK * size)
            sound &= np.ptp(values, axis=1) > _MIN_SPREAD * largest
            unit = values / size[:, None]
            marks = unit @ self._probe  # random projections tell functions apart
            marks *= np.sign(marks[:, :1])
        found = []
        for k in np.flatnonzero(sound).tolist():
            key = tuple(round(mark, _DIGITS) + 0.0 for mark in marks[k].tolist())
            index = self._known.get(key)
            if index is None:
                if not self.room:
                    continue
                index = self._known[key] = len(self.rows)
                self.rows.append(unit[k])
                self.scales.append(float(size[k]))
                self.symbols.append(int(symbols[k]))
                self.makers.append(makers[k])
            found.append(index)
        return list(dict.fromkeys(found))

    def value(self, index: int) -> np.ndarray:
        return self.rows[index] * self.scales[index]

    def add_all(self) -> None:
        with np.errstate(all="ignore"):
            single, steep = self._powers()
            inner = single + self._sums(single) + self._shifts(single) + self._shifts(steep)
            inner += self._products_of_shifts(single)
            features = [i for i in single if self.symbols[i] == 1]
            outer = self._functions([(i, c) for c in (1.0, -1.0) for i in features])  # the shortest first
            outer += self._kinks(features) + self._remainders(features)
            self._products(features, list(outer))
            outer += self._functions([(i, c) for c in (1.0, *_MULTIPLES) for i in single])
            outer += self._functions([(i, 1.0) for i in dict.fromkeys(inner)])
            outer += self._bumps()
            self._products(single, list(dict.fromkeys(outer)))
            self._functions([(i, 1.0) for i in dict.fromkeys(outer)])

    def _powers(self) -> tuple[list[int], list[int]]:
        """Powers of features: those that sums are made of, and the other whole ones up to the fourth."""
        summed, steep = [], []
        for exponent in _POWERS:
            for f in self.features:
                if not self._has_power(exponent, self.signs[f]):
                    continue
                values = (self.X[:, f] * self.units[f]) ** exponent
                cost = 1 if exponent == 1 else 3
                index = self.add(values[None], [cost], [_power_maker(f + 1, float(self.units[f]), exponent)])
                summed += index if exponent in _SUMMED else []
                steep += index if exponent in _STEEP else []
        return summed, steep

    def _has_power(self, exponent: float, sign: int) -> bool:
        if exponent == 1:
            return True
        if exponent == 0.5:
            return "sqrt" in self.names
        if exponent != int(exponent):
            return self.powers and sign > 0
        has_positive = self.multiplies or self.powers or (exponent == 2 and "square" in self.names)
        return has_positive and (exponent > 0 or self.inverts)

    def _sums(self, single: list[int]) -> list[int]:
        found = []
        for i, j in combinations(single, 2):
            a, b, f, g = self.value(i), self.value(j), self.makers[i], self.makers[j]
            cost = self.symbols[i] + self.symbols[j]
            found += self.add(np.array([a + b, a - b]), [cost] * 2, [_sum_maker(f, g, 1.0), _sum_maker(f, g, -1.0)])
            if self.multiplies:
                found += self.add((a * b)[None], [cost + 2], [_product_maker(f, g)])
        return found

    def _shifts(self, entries: list[int]) -> list[int]:
        found = []
        for c in _SHIFTS:
            for i in entries:
                a, f, cost = self.value(i), self.makers[i], self.symbols[i] + 1
                found += self.add(np.array([a + c, a - c]), [cost] * 2, [_shift_maker(f, c), _shift_maker(f, -c)])
        return found

    def _products_of_shifts(self, single: list[int]) -> list[int]:
        """``(x + c) * (z + c)``, for functions of them."""
        if not self.multiplies:
            return []
        found = []
        for i, j in combinations([k for k in single if self.symbols[k] == 1], 2):
            for c in (1.0, -1.0):
                f, g = (_shift_maker(self.makers[k], c) for k in (i, j))
                found += self.add(((self.value(i) + c) * (self.value(j) + c))[None], [6], [_product_maker(f, g)])
        return found

    def _functions(self, arguments: list[tuple[int, float]]) -> list[int]:
        """Functions of entries times a factor; those that take a factor out of themselves only of the entries."""
        found = []
        for start in range(0, len(arguments), _AT_ONCE):
            if not self.room:
                break
            some = arguments[start : start + _AT_ONCE]
            values = torch.from_numpy(np.array([c * self.value(i) for i, c in some]))
            for name, primitive in self.unary.items():
                takes_factor_out = primitive.degree[0] is not None or name == "log"
                chosen = [k for k, (_, c) in enumerate(some) if c == 1 or not takes_factor_out]
                if primitive.has_jumps:  # floor(-x) is -floor(x) - 1 on rows between the jumps
                    chosen = [k for k in chosen if some[k][1] > 0]
                if chosen:
                    costs = [self.symbols[some[k][0]] + 1 for k in chosen]
                    makers = [_function_maker(name, self.makers[some[k][0]], some[k][1]) for k in chosen]
                    found += self.add(primitive.torch_fn(values[chosen]).numpy(), costs, makers)
        return list(dict.fromkeys(found))

    def _bumps(self) -> list[int]:
        found = []
        for f in self.features:
            low, high = np.quantile(self.X[:, f], [0.02, 0.98])
            for place in low + (high - low) * np.array(_PLACES):
                for width in (high - low) * np.array(_WIDTHS):
                    z = (self.X[:, f] - place) / width
                    line = _line_maker(f + 1, 1 / width, -place / width)
                    square = _function_maker("square", line, 1.0)
                    if "square" in self.names and "exp" in self.names:
                        found += self.add(np.exp(-z * z)[None], [6], [_function_maker("exp", square, -1.0)])
                    if "square" in self.names and self.inverts:
                        above_one = _shift_maker(square, 1.0)
                        found += self.add(1 / (1 + z * z)[None], [7], [_function_maker("inv", above_one, 1.0)])
                    if "tanh" in self.names:
                        found += self.add(np.tanh(z)[None], [4], [_function_maker("tanh", line, 1.0)])
        return found

    def _kinks(self, features: list[int]) -> list[int]:
        """The smaller and the larger of two features, and of a feature and a constant, also less the constant."""
        found = []
        for name in ("min", "max"):
            if name not in self.names:
                continue
            extreme = np.minimum if name == "min" else np.maximum
            for i, j in combinations(features, 2):
                for ratio in _RATIOS:
                    values = extreme(self.value(i), ratio * self.value(j))
                    found += self.add(values[None], [4], [_pair_maker(name, self.makers[i], self.makers[j], ratio)])
            for i in features:
                x = self.value(i)
                for place in (0.0, *_SHIFTS, *(-c for c in _SHIFTS), *np.quantile(x, _PLACES).tolist()):
                    values = extreme(x - place, 0.0)
                    maker = _pair_maker(name, _shift_maker(self.makers[i], -place) if place else self.makers[i], list)
                    found += self.add(values[None], [3 + bool(place)], [maker])
                    if place:
                        maker = _pair_maker(name, self.makers[i], _constant_maker(place))
                        found += self.add(extreme(x, place)[None], [4], [maker])
        return found

    def _remainders(self, features: list[int]) -> list[int]:
        if "mod" not in self.names:
            return []
        found = []
        for i in features:
            for divisor in _DIVISORS:
                maker = _pair_maker("mod", self.makers[i], _constant_maker(divisor))
                found += self.add(np.remainder(self.value(i), divisor)[None], [4], [maker])
        return found

    def _products(self, single: list[int], outer: list[int]) -> None:
        if not self.multiplies:
            return
        for i in single:
            chosen = outer[: self.room]
            if not chosen:
                return
            values = self.value(i) * np.array([self.rows[j] * self.scales[j] for j in chosen])
            costs = [self.symbols[i] + self.symbols[j] + 2 for j in chosen]
            self.add(values, costs, [_product_maker(self.makers[i], self.makers[j]) for j in chosen])


# How entries are built, with fresh nodes at every call -------------------------------------------------------------


def _line_maker(feature: int, slope: float, constant: float) -> Callable[[], Terms]:
    return lambda: [[feature, slope], [0, constant]]


def _constant_maker(value: float) -> Callable[[], Terms]:
    return lambda: [[0, value]]


def _pair_maker(name: str, f: Callable[[], Terms], g: Callable[[], Terms], ratio: float = 1.0) -> Callable[[], Terms]:
    return lambda: [[Node(name, [f(), [[source, ratio * c] for source, c in g()]]), 1.0]]


def _sum_maker(f: Callable[[], Terms], g: Callable[[], Terms], sign: float) -> Callable[[], Terms]:
    return lambda: [*f(), *([source, sign * c] for source, c in g())]


def _shift_maker(f: Callable[[], Terms], constant: float) -> Callable[[], Terms]:
    return lambda: [*f(), [0, constant]]


def _product_maker(f: Callable[[], Terms], g: Callable[[], Terms]) -> Callable[[], Terms]:
    return lambda: [[Node("mul", [f(), g()]), 1.0]]


def _function_maker(name: str, f: Callable[[], Terms], factor: float) -> Callable[[], Terms]:
    return lambda: [[Node(name, [[[source, factor * c] for source, c in f()]]), 1.0]]


_CHAINS = {
    2: ("square",),
    3: ("cube",),
    4: ("square", "square"),
    6: ("cube", "square"),
    8: ("square", "square", "square"),
    9: ("cube", "cube"),
}


def _power_maker(feature: int, unit: float, exponent: float) -> Callable[[], Terms]:
    return lambda: _power(feature, unit, exponent)


def _power(feature: int, unit: float, exponent: float) -> Terms:
    """``(unit * x) ** exponent``: roots, products of squares and cubes, and ``exp(a * log(x))`` for the rest."""
    x: Terms = [[feature, unit]]
    if exponent == 1:
        return x
    if exponent == 0.5:
        return [[Node("sqrt", [x]), 1.0]]
    if exponent != int(exponent):
        return [[Node("exp", [[[Node("log", [[[feature, 1.0]]]), exponent]]]), unit**exponent]]
    if exponent < 0:
        return [[Node("inv", [_power(feature, unit, -exponent)]), 1.0]]
    if exponent not in _CHAINS:
        return [[Node("mul", [x, _power(feature, unit, exponent - 1)]), 1.0]]
    for name in _CHAINS[int(exponent)]:
        x = [[Node(name, [x]), 1.0]]
    return x
