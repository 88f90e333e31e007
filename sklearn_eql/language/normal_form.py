"""The algebra below canonical forms: sums of products of powers, with rational coefficients.

A value is a `Sum`: coefficients by monomial. A monomial is a product of bases with exponents, and a base is a variable,
a function of a sum, or a sum itself. Sums are flattened, like terms are added, powers of one base are joined, what all
terms share is taken out, and inverse functions cancel. Real numbers throughout: ``sqrt(x**2)`` stays, because it is
``|x|``; ``sqrt(x)**2`` becomes ``x``, which is the same wherever the former is defined.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from fractions import Fraction
from math import gcd, isqrt
from typing import Any

Base = Any  # str or tuple of a kind and what it is made of
"""A variable, or (function, frozen sum); ``("sum", ...)`` is the sum itself."""
Monomial = frozenset  # of (base, exponent)
Sum = Mapping[Monomial, Fraction | int]

ONE: Monomial = frozenset()
_HALF = Fraction(1, 2)
_MAX_EXPONENT = 9
_MAX_NUMBER = 10**6  # of numerators and denominators: beyond that no form has small integers


class NoCanonicalFormError(ValueError):
    """An expression that is constant, undefined, or needs numbers that the vocabulary lacks."""


def constant(value: Fraction | int) -> Sum:
    """A number."""
    return {ONE: value} if value else {}


def variable(name: str) -> Sum:
    """A variable."""
    return {frozenset({(name, 1)}): 1}


def frozen(value: Sum) -> frozenset:
    """Hashable, and equal for equal sums."""
    return frozenset(value.items())


def scaled(value: Sum, factor: Fraction | int) -> Sum:
    """`value` times a number."""
    return {m: c * factor for m, c in value.items()} if factor else {}


def add(a: Sum, b: Sum) -> Sum:
    """``a + b``: flattened, and what all terms share taken out."""
    total: dict[Monomial, Fraction | int] = {}
    for value in (a, b):
        for monomial, coefficient in value.items():
            for m, c in _flat(monomial, coefficient).items():
                total[m] = total.get(m, 0) + c
    return _factored({m: _checked(c) for m, c in total.items() if c})


def multiply(a: Sum, b: Sum) -> Sum:
    """``a * b``; products of sums are not multiplied out."""
    if not a or not b:
        return {}
    (c, m), (d, n) = _single(a), _single(b)
    powers = dict(m)
    for base, exponent in n:
        powers[base] = powers.get(base, 0) + exponent
    return _unfolded(_checked(c * d), powers)


def power(value: Sum, exponent: int) -> Sum:
    """``value ** exponent`` for an integer exponent."""
    if not value:
        if exponent < 0:
            raise NoCanonicalFormError("division by zero")
        return {}
    c, m = _single(value)
    return _unfolded(_checked(Fraction(c) ** exponent), {base: e * exponent for base, e in m})


def square_root(value: Sum) -> Sum:
    """``sqrt(value)``: squares of numbers and exponentials are taken out, odd powers of one base halved."""
    if not value:
        return {}
    c, m = _single(value)
    outside: dict[Base, Fraction | int] = {}
    rest = dict(m)
    for base in [base for base in rest if base[0] == "exp"]:  # positive, so its root may be taken apart
        outside[base] = rest.pop(base) * _HALF
    if c < 0 and not rest:
        raise NoCanonicalFormError("root of a negative number")
    square = Fraction(_largest_square(Fraction(c).numerator), _largest_square(Fraction(c).denominator))
    inside = Fraction(c) / square**2
    if inside == 1 and len(rest) == 1 and next(iter(rest.values())) % 2 != 0:
        ((base, exponent),) = rest.items()
        outside[base] = exponent * _HALF
    elif rest:
        # The radicand is an integer times powers: sqrt(x/2) = sqrt(2*x)/2.
        square, inside = square / inside.denominator, inside.numerator * inside.denominator
        outside["sum", frozen({frozenset(rest.items()): inside})] = _HALF
    elif inside != 1:
        raise NoCanonicalFormError("root of a number")
    return _unfolded(square, outside)


def function(name: str, value: Sum) -> Sum:
    """``name(value)`` for ``sin``, ``cos``, ``exp`` and ``log``."""
    if not value.keys() - {ONE}:
        if value and not (name == "log" and value[ONE] == 1):
            raise NoCanonicalFormError(f"{name} of a number")
        if name == "log" and not value:
            raise NoCanonicalFormError("log of zero")
        return {} if name in ("sin", "log") else constant(1)
    if name in ("sin", "cos"):
        sign = _rank(value)
        found = {frozenset({((name, frozen(scaled(value, sign))), 1)}): 1}
        return scaled(found, sign if name == "sin" else 1)
    return _exponential(value) if name == "exp" else _logarithm(value)


def _exponential(value: Sum) -> Sum:
    """``exp(n*log(u) + w) = u**n * exp(w)``."""
    rest: dict[Monomial, Fraction | int] = {}
    product = constant(1)
    for monomial, coefficient in value.items():
        base, exponent = next(iter(monomial)) if len(monomial) == 1 else ("", 0)
        number = Fraction(coefficient)
        if base and base[0] == "log" and exponent == 1 and number.denominator <= 2:
            argument = dict(base[1])
            root = argument if number.denominator == 1 else square_root(argument)
            product = multiply(product, power(root, number.numerator))
        else:
            rest[monomial] = coefficient
    if not rest:
        return product
    if not rest.keys() - {ONE}:
        raise NoCanonicalFormError("exp of a number")
    return multiply(product, {frozenset({(("exp", frozen(_factored(rest))), 1)}): 1})


def _logarithm(value: Sum) -> Sum:
    """``log(u**n * exp(w)) = w + n*log(u)`` for odd and fractional `n`."""
    c, m = _single(value)
    outside: Sum = {}
    rest = dict(m)
    for base in [base for base in rest if base[0] == "exp"]:
        outside = add(outside, scaled(dict(base[1]), rest.pop(base)))
    if not rest and c != 1:
        raise NoCanonicalFormError("log of a number")
    factor: Fraction | int = 1
    if c == 1 and len(rest) == 1 and next(iter(rest.values())) % 2 != 0:
        ((base, factor),) = rest.items()
        rest = {base: 1}
    if rest:
        inside = frozen(_unfolded(c, rest))
        outside = add(outside, {frozenset({(("log", inside), 1)}): factor})
    return outside


def content(value: Sum) -> Fraction:
    """The positive number that leaves a sum of coprime integers."""
    numerator, denominator = 0, 1
    for c in value.values():
        c = Fraction(c)
        numerator = gcd(numerator, c.numerator)
        denominator = denominator * c.denominator // gcd(denominator, c.denominator)
    return Fraction(numerator, denominator)


def _single(value: Sum) -> tuple[Fraction | int, Monomial]:
    """A value as a number times a monomial; a sum of several terms becomes a base."""
    if len(value) == 1:
        ((monomial, coefficient),) = value.items()
        return coefficient, monomial
    number = content(value)
    inner = {m: c / number for m, c in value.items()}
    # Which of u and -u is the base must not depend on where the sum came from.
    if _rank(inner) < 0:
        number, inner = -number, scaled(inner, -1)
    return number, frozenset({(("sum", frozen(inner)), 1)})


def _rank(value: Sum) -> int:
    """A sign that flips with that of the value and depends on nothing else."""
    positive = sum(c > 0 for c in value.values())
    if 2 * positive != len(value):
        return 1 if 2 * positive > len(value) else -1
    total = sum(value.values())
    if total:
        return 1 if total > 0 else -1
    leading = max(value, key=order_key)
    return 1 if value[leading] > 0 else -1


def order_key(part: Hashable) -> str:
    """An order of monomials that is the same in every process."""
    if isinstance(part, frozenset):
        return "{" + ",".join(sorted(map(order_key, part))) + "}"
    if isinstance(part, tuple):
        return "(" + " ".join(map(order_key, part)) + ")"
    return str(part)


def _unfolded(coefficient: Fraction | int, powers: Mapping[Base, Fraction | int]) -> Sum:
    """A product as a value: exponentials are joined, and a sum to the power of one is a sum again."""
    powers = {base: _plain(e) for base, e in powers.items() if e}
    exponentials = [base for base in powers if base[0] == "exp"]
    if len(exponentials) > 1 or any(powers[base] != 1 for base in exponentials):
        argument: Sum = {}
        for base in exponentials:
            argument = add(argument, scaled(dict(base[1]), powers.pop(base)))
        if argument:
            return multiply({frozenset(powers.items()): coefficient}, _exponential(argument))
    if any(abs(e) > _MAX_EXPONENT for e in powers.values()):
        raise NoCanonicalFormError("an exponent is too large")
    for base, exponent in powers.items():
        # A root of one product to a whole power is that product.
        if base[0] == "sum" and len(base[1]) == 1 and exponent == int(exponent):
            rest = {b: e for b, e in powers.items() if b != base}
            return multiply({frozenset(rest.items()): coefficient}, power(dict(base[1]), int(exponent)))
    if len(powers) == 1:
        ((base, exponent),) = powers.items()
        if base[0] == "sum" and exponent == 1:
            return {m: _plain(c * coefficient) for m, c in base[1]}
    return {frozenset(powers.items()): _plain(coefficient)}


def _flat(monomial: Monomial, coefficient: Fraction | int) -> Sum:
    """A term as terms: a monomial times one sum is multiplied out."""
    sums = [(base, e) for base, e in monomial if base[0] == "sum"]
    if len(sums) != 1 or sums[0][1] != 1:
        return {monomial: coefficient}
    rest = {monomial - {sums[0]}: coefficient}
    total: dict[Monomial, Fraction | int] = {}
    for m, c in sums[0][0][1]:
        for product, d in multiply(rest, {m: c}).items():
            total[product] = total.get(product, 0) + d
    return total


def distributed(monomial: Monomial) -> Sum:
    """A monomial with what it has of sums to the power of one multiplied out, where that is a single one."""
    return _flat(monomial, 1)


def _factored(value: Sum) -> Sum:
    """Bases that all terms share are taken out, and inverse powers that some have."""
    if len(value) < 2:
        return value
    terms = [dict(monomial) for monomial in value]
    shared: dict[Base, Fraction | int] = {}
    for base in {base for term in terms for base in term}:
        lowest = min(term.get(base, 0) for term in terms)
        if lowest > 0 or (lowest < 0 and (base[0] != "sum" or all(base in term for term in terms))):
            shared[base] = lowest
    if not shared:
        return value
    inverse = {frozenset((base, -e) for base, e in shared.items()): 1}
    inner: dict[Monomial, Fraction | int] = {}
    for monomial, coefficient in value.items():
        for m, c in multiply(inverse, {monomial: coefficient}).items():
            inner[m] = inner.get(m, 0) + c
    inner = {m: c for m, c in inner.items() if c}
    return multiply({frozenset(shared.items()): 1}, inner)


def _plain(number: Fraction | int) -> Fraction | int:
    return number.numerator if number.denominator == 1 else number


def _checked(number: Fraction | int) -> Fraction | int:
    if max(abs(number.numerator), number.denominator) > _MAX_NUMBER:
        raise NoCanonicalFormError("a number is too large")
    return _plain(number)


def _largest_square(n: int) -> int:
    """The largest s with s*s dividing n."""
    n = abs(n)
    return next((s for s in range(isqrt(n), 0, -1) if n % (s * s) == 0), 1)
