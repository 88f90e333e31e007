"""Canonical form of expressions: one token sequence per function, as far as cheap algebra goes.

A network that is asked for one of many spellings of a function has to guess which; so it is trained and scored on the
canonical one. Two ways to write a product with a sum compete, factored and multiplied out, and the shorter wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

from sklearn_eql.language import normal_form
from sklearn_eql.language.grammar import ARITY, Expression
from sklearn_eql.language.normal_form import Monomial, NoCanonicalFormError, Sum

_POWERS = {1: (), 2: ("square",), 3: ("cube",), 4: ("square", "square"), 6: ("square", "cube"), 9: ("cube", "cube")}
_POWERS |= {8: ("square", "square", "square")}
_SPELLINGS = 2**14  # of terms that are remembered


def canonical(expression: Expression, max_integer: int = 9) -> Expression:
    """The canonical spelling of an expression.

    Parameters
    ----------
    expression : tuple of str
        Tokens in prefix order.
    max_integer : int
        The largest integer that may be written.

    Raises
    ------
    NoCanonicalFormError
        A constant, something undefined, functions of constants such as ``sin(2)``, exponents above nine, or integers
        beyond `max_integer`.
    ValueError
        The tokens are no expression.
    """
    value = value_of(expression)
    if not value.keys() - {normal_form.ONE}:
        raise NoCanonicalFormError("a constant")
    return _spelled(value, max_integer)


def skeleton(expression: Expression) -> Expression:
    """The expression with ``C`` in place of every integer."""
    return tuple("C" if token.isdecimal() else token for token in expression)


def value_of(expression: Expression) -> Sum:
    """An expression as a sum of products of powers; errors as in `canonical`."""
    stack: list[Sum] = []
    for name in reversed(expression):  # arguments come before their operator
        arity = ARITY.get(name, 0)
        if arity > len(stack):
            raise ValueError(f"{' '.join(expression)!r} is no expression in prefix order: an argument is missing.")
        values = [stack.pop() for _ in range(arity)]
        stack.append(_value(name, values))
    if len(stack) != 1:
        raise ValueError(f"{' '.join(expression)!r} is no expression in prefix order: it ends too early.")
    return stack[0]


def _value(name: str, values: list[Sum]) -> Sum:
    if name == "add":
        return normal_form.add(*values)
    if name == "sub":
        return normal_form.add(values[0], normal_form.scaled(values[1], -1))
    if name == "mul":
        return normal_form.multiply(*values)
    if name == "div":
        return normal_form.multiply(values[0], normal_form.power(values[1], -1))
    if name == "neg":
        return normal_form.scaled(values[0], -1)
    if name == "sqrt":
        return normal_form.square_root(values[0])
    if name in ("square", "cube", "inv"):
        return normal_form.power(values[0], {"square": 2, "cube": 3, "inv": -1}[name])
    if values:
        return normal_form.function(name, values[0])
    return normal_form.constant(int(name)) if name.isdecimal() else normal_form.variable(name)


def _spelled(value: Sum, max_integer: int) -> Expression:
    """The shorter of two spellings of a sum: a common number in front, or each term with its own."""
    if not value:
        raise NoCanonicalFormError("zero")
    if len(value) == 1:
        ((monomial, coefficient),) = value.items()
        return _spelled_term(monomial, Fraction(coefficient), max_integer)
    number = normal_form.content(value)
    plain = _sum_of_terms(value, max_integer)
    if number == 1:
        return _checked(plain)
    inner = _sum_of_terms({m: c / number for m, c in value.items()}, max_integer)
    return _shortest(plain, inner and _quotient([inner], [], number, max_integer))


def _sum_of_terms(value: Sum, max_integer: int) -> Expression | None:
    signed: dict[bool, list[Expression]] = {True: [], False: []}
    for monomial, coefficient in value.items():
        try:
            signed[coefficient > 0].append(_spelled_term(monomial, abs(Fraction(coefficient)), max_integer))
        except NoCanonicalFormError:
            return None
    plus, minus = (nested("add", terms) for terms in (signed[True], signed[False]))
    if not minus:
        return plus
    return ("sub", *plus, *minus) if plus else ("neg", *minus)


@lru_cache(maxsize=_SPELLINGS)
def _spelled_term(monomial: Monomial, coefficient: Fraction, max_integer: int) -> Expression:
    """A number times a monomial."""
    if coefficient < 0:
        return ("neg", *_spelled_term(monomial, -coefficient, max_integer))
    above, below = [], []
    for base, exponent in monomial:
        (above if exponent > 0 else below).append(power_of(_spelled_base(base, max_integer), abs(exponent)))
    factored = _quotient(above, below, coefficient, max_integer)
    terms = normal_form.distributed(monomial)
    if len(terms) == 1:
        return _checked(factored)
    return _shortest(factored, _sum_of_terms(normal_form.scaled(terms, coefficient), max_integer))


def _spelled_base(base: normal_form.Base, max_integer: int) -> Expression:
    if isinstance(base, str):
        return (base,)
    name, inner = base
    spelled = _spelled(dict(inner), max_integer)
    return spelled if name == "sum" else (name, *spelled)


def power_of(expression: Expression, exponent: Fraction | int) -> Expression:
    """A positive power, of squares, cubes and roots.

    Raises
    ------
    NoCanonicalFormError
        The exponent is too large.
    """
    exponent = Fraction(exponent)
    roots = exponent.denominator.bit_length() - 1  # denominators are powers of two: they come from square roots
    rooted = ("sqrt",) * roots + expression
    if exponent.numerator in (5, 7):
        return ("mul", *rooted, *_POWERS[exponent.numerator - 1], *rooted)
    if exponent.numerator not in _POWERS:
        raise NoCanonicalFormError("an exponent is too large")
    return _POWERS[exponent.numerator] + rooted


def _quotient(
    above: list[Expression], below: list[Expression], number: Fraction, max_integer: int
) -> Expression | None:
    """``number * above / below``; None where it takes too large an integer."""
    if max(number.numerator, number.denominator) > max_integer:
        return None
    top = nested("mul", above, first=number.numerator)
    bottom = nested("mul", below, first=number.denominator)
    if not bottom:
        return top or ("1",)
    return ("div", *top, *bottom) if top else ("div", "1", *bottom) if not below else ("inv", *bottom)


def nested(name: str, parts: Iterable[Expression], first: int = 1) -> Expression:
    """Parts joined from the left to the right, short ones first, behind a number that is not one."""
    ordered = sorted(parts, key=lambda part: (part == ("1",) or part[0].isdecimal(), len(part), part))
    if first != 1:
        ordered.insert(0, (str(first),))
    joined: list[str] = []
    for part in ordered[:-1]:
        joined += [name, *part]
    return tuple(joined) + (ordered[-1] if ordered else ())


def _shortest(*spellings: Expression | None) -> Expression:
    found = [spelling for spelling in spellings if spelling]
    return _checked(min(found, key=len) if found else None)


def _checked(spelling: Expression | None) -> Expression:
    if not spelling:
        raise NoCanonicalFormError("an integer is too large")
    return spelling
