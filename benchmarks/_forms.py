"""Is a law the true one? Rules of the benchmarks, decided without `sympy.simplify`, in bounded time.

Every law is written as a ratio of sums of terms ``c * x**a * y**b * ... * exp(p)``, where ``p`` is a polynomial with
complex coefficients. Sines, cosines and hyperbolic functions become exponentials, so all their addition theorems, and
every way to write a sigmoid, come out as equal ratios: each function of Table V has exactly one such form, up to a
common factor. Other functions (``log``, ``Abs``, ``sin`` of a ``sin``, ...) stay as they are and equal only themselves.

`same_law`, for data without noise
    The difference of two laws vanishes: after cross-multiplication no coefficient is above `TOLERANCE` times the
    largest one. Exponents closer than that count as equal. This is "the difference simplifies to 0 after rounding the
    constants to five digits"; how exact the constants are is for the error on the wider range to say.

`same_form`, for noisy data
    The laws are equal up to the values of their constants: both have the same terms after the ratios are in lowest
    exponents, sines and cosines of one argument being two terms. So a term, a bias or a phase that the truth does not
    have makes a wrong form. Powers are part of the form, and so are coefficients of one in a denominator (a shifted
    sigmoid is a wrong form, a scaled one is not). Terms below 1e-6 of the largest are rounding and not counted.
    With `up_to_constant` the law may have an additive constant and free coefficients in the denominator, for fitters
    that always add an intercept.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable
from dataclasses import dataclass

import sympy

TOLERANCE = 1e-5
DUST = 1e-6
_MAX_TERMS = 300
_MAX_POWER = 16

Monomial = tuple[tuple[str, float], ...]
Polynomial = dict[Monomial, complex]


class NotComparableError(ValueError):
    """The law has too many terms, or no finite coefficients."""


@dataclass(frozen=True)
class _Term:
    """``coefficient * monomial * exp(exponent)``."""

    coefficient: complex
    monomial: Monomial = ()
    exponent: tuple[tuple[Monomial, complex], ...] = ()


@dataclass(frozen=True)
class _Ratio:
    numerator: tuple[_Term, ...]
    denominator: tuple[_Term, ...] = (_Term(1.0),)


def same_law(found: sympy.Expr, truth: sympy.Expr, tolerance: float = TOLERANCE) -> bool:
    """Whether the difference of the laws is zero, up to `tolerance` in their constants."""
    try:
        a, b = _ratio(_with_real_symbols(found)), _ratio(_with_real_symbols(truth))
        left = _product(a.numerator, b.denominator)
        right = _product(b.numerator, a.denominator)
        largest = max((abs(t.coefficient) for t in right), default=0.0)
        difference = _sum(left, _scaled(right, -1.0))
    except (NotComparableError, OverflowError):
        return False
    return all(abs(t.coefficient) <= tolerance * largest for t in difference)


def same_form(found: sympy.Expr, truth: sympy.Expr, *, up_to_constant: bool = False) -> bool:
    """Whether the laws have the same terms, whatever the values of their constants."""
    try:
        law, target = _lowest(_ratio(_with_real_symbols(found))), _lowest(_ratio(_with_real_symbols(truth)))
        if not up_to_constant:
            return _template(law, literal=True) == _template(target, literal=True)
        wanted = _template(target, literal=False)
        # A constant b adds b * denominator to the numerator, so it shows as the ratio of two coefficients.
        constants = [0.0] + [
            n.coefficient / d.coefficient for d in law.denominator for n in law.numerator if _like(n, d)
        ]
        return any(
            _template(_Ratio(_sum(law.numerator, _scaled(law.denominator, -b)), law.denominator), literal=False)
            == wanted
            for b in constants
        )
    except (NotComparableError, OverflowError):
        return False


def _with_real_symbols(expr: sympy.Expr) -> sympy.Expr:
    """SymPy takes ``sqrt(x**2)`` for ``Abs(x)`` and the like only if it knows that `x` is real."""
    expr = sympy.sympify(expr)
    return expr.xreplace({s: sympy.Symbol(s.name, real=True) for s in expr.free_symbols})


# --- From an expression to a ratio


def _ratio(expr: sympy.Expr) -> _Ratio:
    if expr.is_number:
        return _constant(complex(expr))
    if expr.is_Symbol:
        return _generator(expr.name)
    if expr.is_Add:
        total = _ratio(expr.args[0])
        for arg in expr.args[1:]:
            total = _added(total, _ratio(arg))
        return total
    if expr.is_Mul:
        total = _ratio(expr.args[0])
        for arg in expr.args[1:]:
            total = _multiplied(total, _ratio(arg))
        return total
    if expr.func is sympy.exp:
        return _exponential(_ratio(expr.args[0]))
    if expr.is_Pow:
        return _power(*expr.args)
    if expr.func is sympy.log:
        return _logarithm(_ratio(expr.args[0]))
    if expr.func in _BY_EXPONENTIALS:
        argument = _ratio(expr.args[0])
        if _polynomial(argument) is not None:
            return _BY_EXPONENTIALS[expr.func](argument)
    return _generator(f"{expr.func.__name__}({', '.join(_text(_ratio(arg)) for arg in expr.args)})")


def _constant(value: complex) -> _Ratio:
    if not cmath.isfinite(value):
        raise NotComparableError(f"constant {value} in a law")
    return _Ratio((_Term(value),) if value else ())


def _generator(name: str, power: float = 1.0) -> _Ratio:
    return _Ratio((_Term(1.0, ((name, power),)),))


def _polynomial(ratio: _Ratio) -> Polynomial | None:
    """The law as a polynomial, or None."""
    if not _is_one(ratio.denominator) or any(t.exponent for t in ratio.numerator):
        return None
    return {t.monomial: t.coefficient for t in ratio.numerator}


def _exponential(argument: _Ratio, factor: complex = 1.0) -> _Ratio:
    polynomial = _polynomial(argument)
    if polynomial is None:
        return _generator(f"exp({_text(argument)})", float(factor.real))
    coefficient = cmath.exp(factor * polynomial.pop((), 0.0))
    if not cmath.isfinite(coefficient) or coefficient == 0:
        raise NotComparableError("exponential out of range")
    exponent = tuple(sorted((m, factor * c) for m, c in polynomial.items()))
    return _Ratio((_Term(coefficient, (), exponent),))


def _circular(sign: int, factor: complex, divisor: complex):
    """``(exp(factor*u) + sign * exp(-factor*u)) / divisor``."""

    def build(argument: _Ratio) -> _Ratio:
        plus, minus = _exponential(argument, factor), _exponential(argument, -factor)
        return _multiplied(_added(plus, _multiplied(minus, _constant(sign))), _constant(1 / divisor))

    return build


def _quotient(numerator, denominator):
    return lambda argument: _multiplied(numerator(argument), _inverse(denominator(argument)))


_SIN, _COS = _circular(-1, 1j, 2j), _circular(1, 1j, 2)
_SINH, _COSH = _circular(-1, 1 + 0j, 2), _circular(1, 1 + 0j, 2)
_BY_EXPONENTIALS = {
    sympy.sin: _SIN,
    sympy.cos: _COS,
    sympy.tan: _quotient(_SIN, _COS),
    sympy.sinh: _SINH,
    sympy.cosh: _COSH,
    sympy.tanh: _quotient(_SINH, _COSH),
}


def _power(base: sympy.Expr, exponent: sympy.Expr) -> _Ratio:
    if not exponent.is_number:
        return _exponential(_multiplied(_ratio(exponent), _ratio(sympy.log(base))))
    power, inner = float(exponent), _ratio(base)
    n = round(power)
    if abs(power - n) < TOLERANCE and abs(n) <= _MAX_POWER:
        result = _constant(1.0)
        for _ in range(abs(n)):
            result = _multiplied(result, inner)
        return _inverse(result) if n < 0 else result
    if _is_one(inner.denominator) and len(inner.numerator) == 1:
        (term,) = inner.numerator
        # (x**a)**b is x**(a*b) where both are defined, unless the inner power hides a sign.
        plain = len(term.monomial) == 1 and term.monomial[0][1] % 2 == 1 and not term.exponent
        if plain and term.coefficient.real > 0 and term.coefficient.imag == 0:
            (name, inner_power) = term.monomial[0]
            return _multiplied(_constant(term.coefficient.real**power), _generator(name, inner_power * power))
    return _generator(f"({_text(inner)})", power)


def _logarithm(argument: _Ratio) -> _Ratio:
    if _is_one(argument.denominator) and len(argument.numerator) == 1:
        (term,) = argument.numerator
        if term.coefficient.real > 0 and len(term.monomial) == 1 and term.monomial[0][1] == 1 and not term.exponent:
            return _added(_constant(cmath.log(term.coefficient)), _generator(f"log({term.monomial[0][0]})"))
    return _generator(f"log({_text(argument)})")


# --- Arithmetic


def _added(a: _Ratio, b: _Ratio) -> _Ratio:
    if a.denominator == b.denominator:
        return _Ratio(_sum(a.numerator, b.numerator), a.denominator)
    numerator = _sum(_product(a.numerator, b.denominator), _product(b.numerator, a.denominator))
    return _Ratio(numerator, _product(a.denominator, b.denominator))


def _multiplied(a: _Ratio, b: _Ratio) -> _Ratio:
    return _Ratio(_product(a.numerator, b.numerator), _product(a.denominator, b.denominator))


def _inverse(a: _Ratio) -> _Ratio:
    if not a.numerator:
        raise NotComparableError("division by zero")
    if len(a.numerator) > 1:
        return _Ratio(a.denominator, a.numerator)
    (term,) = a.numerator
    inverse = _Term(1 / term.coefficient, _inverse_monomial(term.monomial), tuple((m, -c) for m, c in term.exponent))
    return _Ratio(_product(a.denominator, (inverse,)))


def _inverse_monomial(monomial: Monomial) -> Monomial:
    return tuple((name, -power) for name, power in monomial)


def _sum(a: Iterable[_Term], b: Iterable[_Term]) -> tuple[_Term, ...]:
    """Like terms merged; terms that cancel to rounding go."""
    groups: dict[Monomial, list[list]] = {}
    n_terms = 0
    for term in (*a, *b):
        group = groups.setdefault(term.monomial, [])
        for entry in group:
            if _close(entry[0].exponent, term.exponent):
                entry[1] += term.coefficient
                entry[2] = max(entry[2], abs(term.coefficient))
                break
        else:
            group.append([term, term.coefficient, abs(term.coefficient)])
            n_terms += 1
            if n_terms > _MAX_TERMS:
                raise NotComparableError(f"more than {_MAX_TERMS} terms")
    merged = (entry for group in groups.values() for entry in group)
    return tuple(_Term(c, t.monomial, t.exponent) for t, c, size in merged if abs(c) > 1e-13 * size)


def _scaled(terms: Iterable[_Term], factor: complex) -> tuple[_Term, ...]:
    return tuple(_Term(factor * t.coefficient, t.monomial, t.exponent) for t in terms) if factor else ()


def _product(a: tuple[_Term, ...], b: tuple[_Term, ...]) -> tuple[_Term, ...]:
    if _is_one(a) or _is_one(b):
        return b if _is_one(a) else a
    if len(a) * len(b) > _MAX_TERMS**2:
        raise NotComparableError("too many terms")
    products = [_times(s, t) for s in a for t in b]
    if not all(cmath.isfinite(t.coefficient) for t in products):
        raise NotComparableError("coefficients out of range")
    return _sum(products, ())


def _times(a: _Term, b: _Term) -> _Term:
    powers = dict(a.monomial)
    for name, power in b.monomial:
        powers[name] = powers.get(name, 0.0) + power
    monomial = tuple(sorted((name, power) for name, power in powers.items() if abs(power) > TOLERANCE))
    return _Term(a.coefficient * b.coefficient, monomial, _exponent_sum(a.exponent, b.exponent, 1.0))


def _exponent_sum(a, b, sign: float):
    total = dict(a)
    for monomial, c in b:
        total[monomial] = total.get(monomial, 0.0) + sign * c
    size = max((abs(c) for _, c in (*a, *b)), default=0.0)
    return tuple(sorted(((m, c) for m, c in total.items() if abs(c) > 1e-13 * size), key=lambda item: item[0]))


def _close(a, b) -> bool:
    if a == b:
        return True
    left, right = dict(a), dict(b)
    for monomial in left.keys() | right.keys():
        p, q = left.get(monomial, 0.0), right.get(monomial, 0.0)
        if abs(p - q) > TOLERANCE * max(1.0, abs(p), abs(q)):
            return False
    return True


def _like(a: _Term, b: _Term) -> bool:
    return a.monomial == b.monomial and _close(a.exponent, b.exponent)


def _is_one(terms: tuple[_Term, ...]) -> bool:
    return len(terms) == 1 and terms[0] == _Term(1.0)


# --- Text of arguments that stay as they are


def _text(ratio: _Ratio) -> str:
    return " / ".join(
        " + ".join(sorted(map(_term_text, terms)))
        for terms in (ratio.numerator, ratio.denominator)
        if not _is_one(terms)
    )


def _term_text(term: _Term) -> str:
    exponent = ",".join(f"{_number_text(c)}*{m}" for m, c in term.exponent)
    return f"{_number_text(term.coefficient)}*{term.monomial}*exp({exponent})"


def _number_text(value: complex) -> str:
    value = complex(value)
    return f"{value.real + 0.0:.5g}{value.imag + 0.0:+.5g}j"


# --- Templates: forms without the values of constants


def _lowest(ratio: _Ratio) -> _Ratio:
    """Common factor fixed: the term of the denominator with the lowest exponent becomes 1."""
    numerator = _without_dust(ratio.numerator)
    denominator = _without_dust(ratio.denominator)
    if not numerator or not denominator:
        return _Ratio(numerator, (_Term(1.0),))
    lowest = min(denominator, key=_growth)
    (inverse,) = _inverse(_Ratio((_Term(lowest.coefficient, (), lowest.exponent),))).numerator
    return _Ratio(_product(numerator, (inverse,)), _product(denominator, (inverse,)))


def _growth(term: _Term) -> float:
    """Real part of the exponent at one point without meaning."""
    names = sorted({name for monomial, _ in term.exponent for name, _ in monomial})
    point = {name: 0.7 + 0.1 * math.sqrt(i + 2) for i, name in enumerate(names)}
    return sum(complex(c).real * math.prod(point[name] ** p for name, p in m) for m, c in term.exponent)


def _without_dust(terms: tuple[_Term, ...]) -> tuple[_Term, ...]:
    largest = max((abs(t.coefficient) for t in terms), default=0.0)
    return tuple(t for t in terms if abs(t.coefficient) > DUST * largest)


def _template(ratio: _Ratio, *, literal: bool):
    """Terms without coefficients; exponents as their monomials, numbered where the law has several."""
    parts = [_real_terms(terms) for terms in (ratio.numerator, ratio.denominator)]
    exponents: list[tuple] = []
    for _, _, exponent, _ in sorted((t for part in parts for t in part), key=lambda t: str(t[2])):
        if exponent and not any(_close(exponent, other) for other in exponents):
            exponents.append(exponent)

    def shape(exponent) -> tuple:
        if not exponent:
            return ()
        number = next(i for i, other in enumerate(exponents) if _close(exponent, other))
        real = tuple(m for m, c in exponent if abs(complex(c).real) > TOLERANCE)
        imaginary = tuple(m for m, c in exponent if abs(complex(c).imag) > TOLERANCE)
        return (number, real, imaginary)

    numerator = frozenset((m, kind, shape(e)) for _, m, e, kind in parts[0])
    denominator = frozenset(
        (m, kind, shape(e), "1" if literal and abs(c - 1) < DUST else "c") for c, m, e, kind in parts[1]
    )
    return numerator, denominator


def _real_terms(terms: tuple[_Term, ...]) -> list[tuple[float, Monomial, tuple, str]]:
    """``(coefficient, monomial, exponent, "" | "sin" | "cos")``; conjugate pairs become one sine and one cosine."""
    rows = []
    for term in terms:
        leading = next((complex(c).imag for _, c in term.exponent if abs(complex(c).imag) > TOLERANCE), 0.0)
        coefficient = complex(term.coefficient)
        if leading == 0:
            rows.append((coefficient.real, term.monomial, term.exponent, ""))
        elif leading > 0:  # c*exp(i*u) + conj(c)*exp(-i*u) = 2*re(c)*cos(u) - 2*im(c)*sin(u)
            rows.append((2 * coefficient.real, term.monomial, term.exponent, "cos"))
            rows.append((-2 * coefficient.imag, term.monomial, term.exponent, "sin"))
    largest = max((abs(row[0]) for row in rows), default=0.0)
    return [row for row in rows if abs(row[0]) > DUST * largest]
