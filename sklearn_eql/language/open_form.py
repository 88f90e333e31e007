"""Forms with open constants: what is left of a law when every number that data must tell is a place for one.

Of ``y = a*g(x) + b`` only `g` is written: `a` and `b` follow from the rows by least squares. Within `g` every term of a
sum has a constant of its own, but for those that a factor further out makes superfluous: ``sqrt(2*x + 3)`` is
``1.41*sqrt(x + 1.5)``. A sine with a phase stands for the cosine too. So there is one form for a law and all its
numbers, and `OPEN`, `POSITIVE` and `SIGN` mark where they go.
"""

from __future__ import annotations

from sklearn_eql.language.canonical import nested, power_of, value_of
from sklearn_eql.language.grammar import OPEN, PLACES, POSITIVE, SIGN, Expression, is_constant
from sklearn_eql.language.normal_form import ONE, Base, Monomial, NoCanonicalFormError, Sum


def open_form(expression: Expression) -> Expression:
    """The form of ``a*expression + b`` with places in it for constants.

    Parameters
    ----------
    expression : tuple of str
        Tokens in prefix order; its integers stand for any numbers.

    Returns
    -------
    form : tuple of str
        Tokens, with `PLACES` where constants go.

    Raises
    ------
    NoCanonicalFormError
        A constant, something undefined, or exponents above nine.
    """
    value = value_of(expression)
    terms = [monomial for monomial in value if monomial != ONE]
    if not terms:
        raise NoCanonicalFormError("a constant")
    if len(terms) == 1:
        return _monomial(terms[0], alone=True)
    return _sum(dict.fromkeys(terms, 1), leading="", alone=True)


def form_of(expression: Expression) -> Expression:
    """An expression with constants as the form that it fills: all places are `OPEN`."""
    return tuple(OPEN if token in PLACES or is_constant(token) else token for token in expression)


def _sum(value: Sum, leading: str, alone: bool = False) -> Expression:
    """Terms in a fixed order, each with a place for its constant; the first has `leading`, which may be nothing.

    `alone` says that an offset of the whole is free.
    """
    terms = sorted((_monomial(m, alone) for m in value if m != ONE), key=lambda part: (len(part), part))
    first = ("mul", leading, *terms[0]) if leading else terms[0]
    spelled = [first, *(("mul", OPEN, *term) for term in terms[1:])]
    if ONE in value:
        spelled.append((OPEN,))
    joined: list[str] = []
    for part in spelled[:-1]:
        joined += ["add", *part]
    return (*joined, *spelled[-1])


def _monomial(monomial: Monomial, alone: bool) -> Expression:
    above: list[Expression] = []
    below: list[Expression] = []
    for base, exponent in monomial:
        lone = alone and len(monomial) == 1 and exponent == 1
        spelled = _base(base, lone, is_root=exponent != int(exponent))
        (above if exponent > 0 else below).append(power_of(spelled, abs(exponent)))
    top, bottom = nested("mul", above), nested("mul", below)
    if not bottom:
        return top
    return ("div", *top, *bottom) if top else ("inv", *bottom)


def _base(base: Base, lone: bool, is_root: bool) -> Expression:
    """A base; `lone` is one that is a whole term beside a free offset."""
    if isinstance(base, str):
        return (base,)
    name, inner = base
    value = dict(inner)
    has_sign = len(value) > 1
    if name == "sum":
        return _sum(value, leading=SIGN if is_root and has_sign else "")
    if name == "exp":
        return (name, *_sum({m: c for m, c in value.items() if m != ONE}, leading=OPEN))
    if name == "log":  # log(c*u) = log(u) + log(c)
        return (name, *_sum(value, leading=(SIGN if lone else OPEN) if has_sign else "" if lone else POSITIVE))
    return ("sin" if ONE in value else name, *_sum(value, leading=POSITIVE))
