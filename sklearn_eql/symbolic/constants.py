"""Constants a law may contain: integers, small rationals, multiples of pi, e, square roots; and how to recognise them.

`recognise` names a float that *is* such a constant; it never changes a value. `candidates` lists those close to a
float; whether one replaces it is decided by the error of the refitted law, in `sklearn_eql.symbolic.tidy`.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache

import sympy

MAX_INTEGER = 10**6
"""Larger whole numbers are measurements, not structure."""

_MAX_RATIO_BITS = 9.0  # log2(p) + log2(q) of the rationals p/q in the table
_DENOMINATORS = range(1, 13)

# Irrational part -> (cost in bits, largest log2(p) + log2(q) of the rational in front of it).
_IRRATIONALS: dict[sympy.Expr, tuple[float, float]] = {
    sympy.pi: (2.0, 7.2),
    sympy.E: (3.0, 2.0),
    1 / sympy.pi: (4.0, 4.0),
    sympy.pi**2: (4.0, 4.0),
    sympy.sqrt(sympy.pi): (4.0, 2.0),
    1 / sympy.sqrt(sympy.pi): (4.0, 2.0),
    sympy.sqrt(2 * sympy.pi): (4.5, 2.0),
    1 / sympy.sqrt(2 * sympy.pi): (4.5, 2.0),
    1 / sympy.E: (4.0, 2.0),
    sympy.log(2): (4.5, 2.0),
    sympy.log(3): (5.0, 1.0),
    sympy.log(10): (5.0, 1.0),
} | {sympy.sqrt(n): (2.0 + math.log2(n) / 2, 4.0) for n in (2, 3, 5, 6, 7, 10)}


@dataclass(frozen=True)
class Constant:
    """A number with a name.

    Parameters
    ----------
    exact : sympy.Expr
        The number itself; a `sympy.Float` for short decimals such as 9.81.
    value : float
        The float64 nearest to it.
    cost : float
        Bits it takes to say: 0 for one, 1 for two, 2 for a half or ten, more for ``7*pi/12``.
    """

    exact: sympy.Expr
    value: float
    cost: float


def candidates(value: float, tolerance: float) -> list[Constant]:
    """Constants near a number: integers, small rationals, multiples of pi and the like, short decimals.

    Zero is not among them: removing a term is the business of pruning.

    Parameters
    ----------
    value : float
        Any; there are none near infinity and NaN.
    tolerance : float
        Largest distance, absolute; there are none within a negative one.

    Returns
    -------
    list of Constant
        Simplest first, at equal cost the nearest first.

    Examples
    --------
    >>> [constant.exact for constant in candidates(3.14, 0.005)][:2]
    [pi, 22/7]
    """
    magnitude = abs(value)
    if not math.isfinite(magnitude) or not tolerance >= 0:
        return []
    low, high = magnitude - tolerance, magnitude + tolerance
    found = [entry.constant() for entry in _between(low, high)]
    whole = round(magnitude)
    if len(_SMALL_INTEGERS) < whole <= MAX_INTEGER and abs(whole - magnitude) <= tolerance:
        found.append(Constant(sympy.Integer(whole), float(whole), _integer_cost(whole)))
    for digits in (1, 2, 3):
        decimal = float(f"{magnitude:.{digits - 1}e}")
        if abs(decimal - magnitude) <= tolerance and recognise(decimal) is None:
            found.append(Constant(sympy.Float(decimal), decimal, 4.0 + digits * math.log2(10)))
            break
    if value < 0:
        found = [Constant(-c.exact, -c.value, c.cost) for c in found]
    return sorted(found, key=lambda c: (c.cost, abs(c.value - value)))


def count_nearby(value: float, cost: float) -> float:
    """How many constants of at most that `cost` lie between ``value / 2`` and ``2 * value``.

    Divided by the width of that range it is their density: the chance to meet one by accident.
    """
    low, high = abs(value) / 2, 2 * abs(value)
    listed = sum(entry.cost <= cost for entry in _between(low, high))
    first, last = max(low, len(_SMALL_INTEGERS)), min(high, MAX_INTEGER, 2.0 ** min(cost, 60))
    decimals = sum(0.9 * 10**d / math.log2(10) * 2 for d in (1, 2, 3) if cost >= 4.0 + d * math.log2(10))
    return listed + max(0.0, last - first) + decimals


def simplest_first(value: float, tolerance: float, max_accidents: float = 0.05) -> list[Constant]:
    """The `candidates` that `value` is unlikely to have met by accident, given how well it is known.

    Parameters
    ----------
    value, tolerance : float
        A coefficient and the half width of the interval it is known to lie in.
    max_accidents : float
        A candidate is dropped if an interval of that width holds this many constants as simple as it, on average.
        The very simplest (1, 2, 1/2, 10) may be ten times as many: they are what laws are made of.
    """
    spread = 1.5 * abs(value)
    kept = []
    for constant in candidates(value, tolerance):
        accidents = count_nearby(value, constant.cost) * 2 * tolerance / spread if spread else math.inf
        if accidents <= max_accidents * (10 if constant.cost <= 2 else 1):
            kept.append(constant)
    return kept


@lru_cache(maxsize=65536)
def recognise(value: float) -> sympy.Expr | None:
    """The exact number that `value` is, to one unit in the last place; None where it is just a float.

    Examples
    --------
    >>> recognise(0.7853981633974483)
    pi/4
    >>> recognise(0.785) is None
    True
    """
    value = float(value)
    if value == 0 or not math.isfinite(value):
        return sympy.Integer(0) if value == 0 else None
    magnitude = abs(value)
    if magnitude.is_integer() and magnitude <= MAX_INTEGER:
        return sympy.Integer(int(value))
    margin = 4 * math.ulp(magnitude)  # the table is rounded before and after the product
    for entry in _between(magnitude - margin, magnitude + margin):
        constant = entry.constant()
        if abs(constant.value - magnitude) <= math.ulp(magnitude):
            return -constant.exact if value < 0 else constant.exact
    return None


@dataclass(frozen=True, order=True)
class _Entry:
    """A row of the table; its sympy form is made when asked for."""

    value: float
    cost: float
    ratio: tuple[int, int]
    irrational: int  # position in `_IRRATIONALS`, -1 for none

    def constant(self) -> Constant:
        return _constant(self)


@cache
def _constant(entry: _Entry) -> Constant:
    exact = sympy.Rational(*entry.ratio)
    if entry.irrational >= 0:
        exact *= list(_IRRATIONALS)[entry.irrational]
    return Constant(exact, float(exact.evalf(25)), entry.cost)


def _integer_cost(n: int) -> float:
    """log2, but powers of ten are as easy to say as small numbers."""
    zeros = len(str(n)) - len(str(n).rstrip("0"))
    return math.log2(n // 10**zeros) + 2.0 * zeros if zeros else math.log2(n)


_SMALL_INTEGERS = range(1, 129)  # in the table; larger ones are found by rounding


@cache
def _table() -> tuple[list[float], list[_Entry]]:
    """Positive constants in ascending order: their values, their entries."""
    ratios = {Fraction(n): _integer_cost(n) for n in _SMALL_INTEGERS}
    for q in _DENOMINATORS[1:]:
        for p in range(1, int(2**_MAX_RATIO_BITS / q) + 1):
            ratio = Fraction(p, q)
            if ratio.denominator == q:
                ratios[ratio] = 1.0 + math.log2(p) + _integer_cost(q)
    # Fifths and tenths are left to the decimals: 3.7 reads better than 37/10.
    entries = [
        _Entry(float(ratio), cost, ratio.as_integer_ratio(), -1)
        for ratio, cost in ratios.items()
        if ratio.denominator % 5 != 0
    ]
    for i, (irrational, (cost, bits)) in enumerate(_IRRATIONALS.items()):
        size = float(irrational)
        for ratio, ratio_cost in ratios.items():
            if math.log2(ratio.numerator) + math.log2(ratio.denominator) <= bits:
                entries.append(_Entry(float(ratio) * size, cost + ratio_cost, ratio.as_integer_ratio(), i))
    entries.sort()
    return [entry.value for entry in entries], entries


def _between(low: float, high: float) -> list[_Entry]:
    values, entries = _table()
    return entries[bisect.bisect_left(values, low) : bisect.bisect_right(values, high)]
