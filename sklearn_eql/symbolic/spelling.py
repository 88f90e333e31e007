"""The spelling of a law: of all forms that say the same, the one that is printed.

A law is multiplied out (:mod:`~sklearn_eql.symbolic.expansion`), so that what follows depends on the function and not
on the form that a search has met. From there come candidates: common factors in front, in whole or for some of the
terms; products of two sums; completed squares; roots of several factors, and waves of one argument, joined; scales
moved into and out of sums, roots, logarithms and exponentials; kinks in other words
(:mod:`~sklearn_eql.symbolic.kinks`). The one that is printed has, in this order,

1. the fewest numbers that are no constants (integers, fractions, multiples of pi and the like, short decimals),
2. the lowest complexity (:mod:`~sklearn_eql.symbolic.complexity`), where a fraction in a denominator counts two more,
3. the fewest numbers,
4. the simplest constants, in bits,
5. the fewest minus signs;

what is equal even then is decided by the order of the candidates, which is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations, permutations, product
from operator import attrgetter
from typing import Any

import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.expansion import (
    LARGEST_SHIFT,
    ONE,
    Algebra,
    Frozen,
    Monomial,
    added,
    cleaned,
    common_monomial,
    frozen,
    leading,
    quadratic,
    scaled,
)
from sklearn_eql.symbolic.graph import Graph
from sklearn_eql.symbolic.kinks import with_kinks_rewritten
from sklearn_eql.symbolic.written import Term, Tree, Writer, constant_bits, cost_of_term, price, written

_WAVES = {("f", "sin"): ("cos", -math.pi / 2), ("f", "cos"): ("sin", math.pi / 2)}
_NO_ATOM: tuple[Any, ...] = ("",)
_MANY_TERMS = 8  # of a sum; longer ones are not searched for partial factors
_MANY_SPELLED = 1200  # sums within one law, and multiples of them; what comes after these is written as it comes
_CHECKED = 1e-12  # relative error of coefficients multiplied out again
_MANY_SUMS = 2  # in one product, whose scales are tried in all combinations

Sums = list[tuple[Frozen, float]]  # sums and the exponents they are raised to


def spellings(equation: Equation, primitives: Mapping[str, Primitive], X: torch.Tensor) -> list[Equation]:
    """Forms of one law, the one to print first.

    All have the same values on the rows, up to rounding; which is for the caller to check, since coefficients that
    cancel lose digits when a law is multiplied out. The last may be the equation itself.

    Parameters
    ----------
    equation : Equation
        Canonical.
    primitives : mapping of str to Primitive
    X : Tensor (n_samples, n_features)
        Rows on which the spellings must agree: they tell which features are positive, and which have two values.
    """
    found: list[Equation] = []
    for two_valued in (True, False):
        algebra = Algebra(X, primitives, two_valued)
        if two_valued and not algebra.values:
            continue
        first = _spelled((equation, *with_kinks_rewritten(equation, primitives)), algebra)
        # In front of a common factor, what stands beside a kink is another sum than before.
        again = [form for spelled in first[:1] for form in with_kinks_rewritten(spelled, primitives)]
        found += [*first, *_spelled(again, algebra)]
    found.append(canonicalize(equation, primitives))
    return sorted(dict.fromkeys(found), key=lambda e: price(e, primitives))


def _spelled(forms: Iterable[Equation], algebra: Algebra) -> list[Equation]:
    """The spelling of each; of none whose coefficients are near the ends of float64, which stay where they are."""
    found = []
    for form in forms:
        try:
            found.append(Speller(algebra).equation(form))
        except (OverflowError, ZeroDivisionError):
            continue
    return found


class Speller:
    """The cheapest tree of a sum, and the equation it stands for.

    Attributes
    ----------
    n_spelled : int
        Sums, and multiples of sums, that candidates have been tried for.
    """

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.n_spelled = 0
        self._trees: dict[Frozen, Tree] = {}
        self._multiples: dict[tuple[Frozen, float], Tree] = {}

    @property
    def _has_tried_many(self) -> bool:
        """Whether the first candidate has to do: sums within sums have as many as the product of theirs."""
        return self.n_spelled > _MANY_SPELLED

    def equation(self, equation: Equation) -> Equation:
        """The law in its spelling."""
        graph = Graph(equation.n_features, self.algebra.primitives)
        return graph.equation(Writer(graph).sum(self.tree(frozen(self.algebra.of_equation(equation)))))

    def tree(self, form: Frozen) -> Tree:
        """The cheapest spelling of a sum."""
        if form not in self._trees:
            self._trees[form] = min(self._options(form), key=attrgetter("cost"))
        return self._trees[form]

    def _scaled(self, form: Frozen, factor: float) -> Tree:
        """Of a multiple of a sum: term by term, or in the shape that is best for the sum itself."""
        shape = self.tree(form)
        if factor == 1:
            return shape
        if (form, factor) not in self._multiples:
            self.n_spelled += 1
            options = [written([self._term(cleaned(c * factor), m) for m, c in form])]
            if len(shape.terms) > 1:
                options.append(written([(cleaned(c * factor), factors) for c, factors in shape.terms]))
            self._multiples[form, factor] = min(options, key=attrgetter("cost"))
        return self._multiples[form, factor]

    # -- candidates -----------------------------------------------------------------------------------------------

    def _options(self, form: Frozen) -> Iterator[Tree]:
        self.n_spelled += 1
        yield written([self._term(c, m) for m, c in form])
        if len(form) < 2 or self._has_tried_many:
            return
        yield from self._with_logarithms_filled(form)
        yield from self._with_factors_in_front(form)
        yield from self._as_products(form)
        if len(form) <= _MANY_TERMS:
            yield from self._with_powers_completed(form)
            yield from self._with_mixed_squares(form)
            yield from self._with_parts_factored(form)
            yield from self._with_waves_joined(form)
            yield from self._with_angles_doubled(form)

    def _term(self, c: float, monomial: Monomial, sums: Sums = ()) -> Term:
        spelled = [(c, monomial), *((c / 2, doubled) for doubled in _with_angle_doubled(monomial))]
        terms = chain.from_iterable(self._terms(k, m, list(sums)) for k, m in spelled)
        return min(terms, key=lambda term: cost_of_term(*term))

    def _with_logarithms_filled(self, form: Frozen) -> Iterator[Tree]:
        """``b + k*log(s)`` is ``k*log(exp(b/k)*s)``."""
        terms = dict(form)
        shift = terms.pop(ONE, 0.0)
        for monomial, c in form:
            [(atom, exponent)] = monomial if len(monomial) == 1 else [(_NO_ATOM, 0.0)]
            if shift and atom[:2] == ("f", "log") and exponent == 1 and abs(shift / c) < LARGEST_SHIFT:
                inner = self.tree(frozen(scaled(atom[2][0], math.exp(shift / c))))
                rest = [self._term(k, m) for m, k in terms.items() if m != monomial]
                yield written([*rest, (c, ((("f", "log", (inner,)), 1.0),))])

    def _with_factors_in_front(self, form: Frozen) -> Iterator[Tree]:
        for common in (common_monomial(form), _shared(form)):
            if common:
                yield written([self._term(1.0, tuple(sorted(common.items())), [(self._divided(form, common), 1.0)])])

    def _as_products(self, form: Frozen) -> Iterator[Tree]:
        """As the product of two sums, or the square of one."""
        common = common_monomial(form)
        inner = self._divided(form, common)
        for halves in (True, False):
            factors = quadratic(inner, halves)
            if factors is None:
                continue
            p, q = factors
            scale = leading(inner) / leading(self.algebra.times(p, q))
            given, back = dict(inner), scaled(self.algebra.times(p, q), scale)
            near = _CHECKED * max(map(abs, given.values()))
            if any(abs(back.get(m, 0.0) - given.get(m, 0.0)) > near for m in given | back):
                continue
            sums = [(frozen(p), 2.0)] if frozen(p) == frozen(q) else [(frozen(p), 1.0), (frozen(q), 1.0)]
            yield written([self._term(cleaned(scale), tuple(sorted(common.items())), sums)])

    def _with_powers_completed(self, form: Frozen) -> Iterator[Tree]:
        """``a*q**n + b*q**(n-1) + ...`` is ``a*(q + b/(n*a))**n`` and less, for squares and cubes."""
        terms = dict(form)
        for (monomial, _), n in product(form, (2, 3)):
            top, next_ = (tuple((atom, k * e) for atom, e in monomial) for k in (n, n - 1))
            if monomial == ONE or top not in terms or next_ not in terms:
                continue
            a, shift = terms[top], terms[next_] / (n * terms[top])
            powers = [tuple((atom, k * e) for atom, e in monomial if k) for k in range(n - 1)]
            rest = {m: c for m, c in terms.items() if m not in (top, next_)}
            rest = added(rest, {m: -a * math.comb(n, k) * shift ** (n - k) for k, m in enumerate(powers)})
            power = self._term(a, ONE, [(frozen({monomial: 1.0, ONE: shift}), float(n))])
            yield written([power, *(self.tree(frozen(rest)).terms if rest else ())])

    def _with_mixed_squares(self, form: Frozen) -> Iterator[Tree]:
        """``a*q**2 + b*q*r + c*r**2`` is ``a*(q + b/(2*a)*r)**2`` and a rest, which is often nothing."""
        terms = dict(form)
        roots = [tuple((atom, e / 2) for atom, e in m) for m in terms if m and all(e % 2 == 0 for _, e in m)]
        for q, r in permutations(roots, 2):
            mixed, *others = self.algebra.times({q: 1.0}, {r: 1.0})
            squares = [tuple((atom, 2 * e) for atom, e in m) for m in (q, r)]
            if not others and mixed in terms:  # of columns with two values more may come
                a, b = terms[squares[0]], terms[mixed]
                rest = {m: c for m, c in terms.items() if m not in (mixed, squares[0])}
                rest = added(rest, {squares[1]: -b * b / (4 * a)})
                square = self._term(a, ONE, [(frozen({q: 1.0, r: b / (2 * a)}), 2.0)])
                yield written([square, *(self.tree(frozen(rest)).terms if rest else ())])

    def _with_waves_joined(self, form: Frozen) -> Iterator[Tree]:
        """``a*sin(u) + b*cos(u)`` is ``sqrt(a**2 + b**2)*sin(u + atan2(b, a))``."""
        terms = dict(form)
        for monomial, a in form:
            for atom, exponent in monomial:
                if atom[:2] != ("f", "sin") or exponent != 1:
                    continue
                others = tuple(factor for factor in monomial if factor[0] != atom)
                beside = tuple(sorted((*others, (("f", "cos", atom[2]), 1.0))))
                if beside in terms:
                    b = terms[beside]
                    argument = frozen(added(dict(atom[2][0]), {ONE: math.atan2(b, a)}))
                    joined = tuple(sorted((*others, (("f", "sin", (argument,)), 1.0))))
                    rest = [self._term(c, m) for m, c in form if m not in (monomial, beside)]
                    yield written([self._term(cleaned(math.hypot(a, b)), joined), *rest])

    def _with_angles_doubled(self, form: Frozen) -> Iterator[Tree]:
        """``a*sin(u)**2 + b`` is ``a/2 + b - a/2*cos(2*u)``, and ``a*cos(u)**2 + b`` the same with a plus."""
        terms = dict(form)
        for monomial, a in form:
            for atom, exponent in monomial:
                others = tuple(factor for factor in monomial if factor[0] != atom)
                if atom[:2] in _WAVES and exponent == 2 and others in terms:
                    wave = self._term(-a / 2 if atom[1] == "sin" else a / 2, _wave_of_double(others, atom, "cos"))
                    rest = added({m: c for m, c in form if m != monomial}, {others: a / 2})
                    yield written([wave, *(self.tree(frozen(rest)).terms if rest else ())])

    def _with_parts_factored(self, form: Frozen) -> Iterator[Tree]:
        """Common factors of some terms in front of these: ``a*x + a*y + z`` is ``a*(x + y) + z``."""
        tried = set()
        for atom in dict.fromkeys(atom for m, _ in form for atom, _ in m):
            for sign in (1, -1):
                part = tuple((m, c) for m, c in form if dict(m).get(atom, 0.0) * sign > 0)
                if 1 < len(part) < len(form) and part not in tried:
                    tried.add(part)
                    common = _shared(part)
                    term = self._term(1.0, tuple(sorted(common.items())), [(self._divided(part, common), 1.0)])
                    yield written([term, *self.tree(tuple(t for t in form if t not in part)).terms])

    def _divided(self, form: Frozen, common: dict) -> Frozen:
        by = {tuple(sorted((a, -e) for a, e in common.items())): 1.0}
        return frozen(self.algebra.times(dict(form), by)) if common else form

    # -- scales ---------------------------------------------------------------------------------------------------

    def _terms(self, c: float, monomial: Monomial, sums: Sums) -> Iterator[Term]:
        """Spellings of ``c * monomial * product of sum**exponent``."""
        sums = [*sums, *((atom[1], e) for atom, e in monomial if atom[0] == "s")]
        plain = tuple((atom, e) for atom, e in monomial if atom[0] != "s")
        moved = chain(self._moved_inside(plain, sums), _with_roots_joined(plain, sums))
        for kept, within in moved:
            for factor, scaled_sums in _scales(c, within):
                factors: list[tuple] = []
                for s, k, unit in scaled_sums:
                    number, powers = _power(self._scaled(s, unit), k)
                    factor *= number
                    factors += powers
                for others, front in self._with_number(kept, factor):
                    yield (cleaned(front), (*others, *factors))
                    if self._has_tried_many:
                        return

    def _moved_inside(self, others: Monomial, sums: Sums) -> Iterator[tuple[Monomial, Sums]]:
        """``x*y/(x + y)`` is ``1/(1/x + 1/y)``, and ``x*sqrt(1 + y/x**2)`` is ``sqrt(x**2 + y)`` for positive `x`."""
        yield others, sums
        features = [(atom, e) for atom, e in others if atom[0] == "x"]
        for j, (s, k) in enumerate(sums):
            if k > 0 and k.is_integer():
                continue
            for part in [*combinations(features, 1), *([tuple(features)] if len(features) > 1 else [])]:
                if k == -1 or all(self.algebra.is_positive(atom) for atom, _ in part):
                    inner = frozen(self.algebra.times(dict(s), {tuple((atom, e / k) for atom, e in part): 1.0}))
                    if len(inner) == len(s):
                        yield tuple(f for f in others if f not in part), [*sums[:j], (inner, k), *sums[j + 1 :]]

    def _with_number(self, others: Monomial, c: float) -> Iterator[tuple[tuple, float]]:
        """Factors that are no sums, and the number in front, part of which may be in an exponential or a phase."""
        plain = tuple((atom if atom[0] == "x" else self._function(atom), e) for atom, e in others)
        yield plain, c
        for i, (atom, exponent) in enumerate(others):
            if atom[:2] == ("f", "exp"):
                for shift in dict.fromkeys(_shifts(atom[2][0], c)):
                    inner = self.tree(frozen(added(dict(atom[2][0]), {ONE: shift})))
                    function = (("f", "exp", (inner,)), 1.0)
                    yield (*plain[:i], function, *plain[i + 1 :]), c * math.exp(-shift)
            elif atom[:2] in _WAVES and exponent.is_integer() and ONE in dict(atom[2][0]):
                other, step = _WAVES[atom[:2]]
                for sign in (1.0, -1.0):  # sin(u) is cos(u - pi/2), and -cos(u + pi/2)
                    phase = float(f"{dict(atom[2][0])[ONE] + sign * step:.13g}")  # a difference has lost digits
                    if phase and constant_bits(abs(phase)) is None:
                        continue  # whoever asks for sines is not given cosines for nothing
                    terms = {**dict(atom[2][0]), ONE: phase}
                    inner = self.tree(frozen({m: k for m, k in terms.items() if k}))
                    function = (("f", other, (inner,)), exponent)
                    yield (*plain[:i], function, *plain[i + 1 :]), c * sign**exponent

    def _function(self, atom: tuple) -> tuple:
        return ("f", atom[1], tuple(map(self.tree, atom[2])))


def _with_angle_doubled(monomial: Monomial) -> Iterator[Monomial]:
    """What ``2*sin(u)*cos(u)`` is: ``sin(2*u)``."""
    for atom, exponent in monomial:
        other = ("f", "cos", *atom[2:])
        if atom[:2] == ("f", "sin") and exponent == 1 and dict(monomial).get(other) == 1:
            yield _wave_of_double(tuple(factor for factor in monomial if factor[0] not in (atom, other)), atom, "sin")


def _wave_of_double(others: Monomial, atom: tuple, name: str) -> Monomial:
    """Factors, and a wave of twice the argument of a function."""
    return tuple(sorted((*others, (("f", name, (frozen(scaled(atom[2][0], 2.0)),)), 1.0))))


def _with_roots_joined(others: Monomial, sums: Sums) -> Iterator[tuple[Monomial, Sums]]:
    """``sqrt(x)*sqrt(y)`` is ``sqrt(x*y)``, which is shorter, and defined where both are negative."""
    for size in dict.fromkeys(abs(e) for _, e in others if not e.is_integer()):
        inside = [(atom, e / size) for atom, e in others if abs(e) == size]
        power = size if any(e > 0 for _, e in inside) else -size
        if len(inside) > 1:
            joined = frozen({tuple((atom, math.copysign(e, e * power)) for atom, e in inside): 1.0})
            yield tuple((atom, e) for atom, e in others if abs(e) != size), [*sums, (joined, power)]


def _shifts(form: Frozen, c: float) -> Iterator[float]:
    """Constants in an exponential that take the factor `c` in, or complete a square."""
    if c not in (1.0, -1.0) and abs(math.log(abs(c))) < LARGEST_SHIFT:
        yield math.log(abs(c))
    terms = dict(form)
    for monomial, b in form:
        a = terms.get(tuple((atom, 2 * e) for atom, e in monomial))
        if monomial != ONE and a and abs(b * b / (4 * a)) < LARGEST_SHIFT:
            yield b * b / (4 * a)


def _shared(form: Frozen) -> dict[tuple, float]:
    """Factors of every term, with exponents of one sign, the exponent nearest to zero."""
    monomials = [dict(m) for m, _ in form]
    found = {}
    for atom in monomials[0]:
        exponents = [m.get(atom, 0.0) for m in monomials]
        if min(exponents) > 0 or max(exponents) < 0:
            found[atom] = min(exponents, key=abs)
    return found


def _scales(c: float, sums: Sums) -> Iterator[tuple[float, list[tuple[Frozen, float, float]]]]:
    """Ways to share a number among the number in front and sums: ``front * product of (unit * sum)**exponent``."""
    choices = [_units(s, k) if len(sums) <= _MANY_SUMS else [1.0] for s, k in sums]
    for units in product(*choices):
        front = c * math.prod(unit**-k for unit, (_, k) in zip(units, sums, strict=True))
        chosen = [(s, k, unit) for unit, (s, k) in zip(units, sums, strict=True)]
        yield front, chosen
        for j, (s, k, unit) in enumerate(chosen):  # all of it inside one of them
            inside = abs(front) ** (1 / k)
            if abs(front) != 1 and math.isfinite(inside) and inside:
                yield math.copysign(1.0, front), [*chosen[:j], (s, k, unit * inside), *chosen[j + 1 :]]


def _units(form: Frozen, exponent: float) -> list[float]:
    """Scales under which a coefficient of the sum becomes one, of either sign where the power allows it."""
    found = dict.fromkeys([1.0, *(1 / abs(c) for _, c in form)])
    return [s * unit for unit in found for s in ((1.0, -1.0) if exponent.is_integer() else (1.0,))]


def _power(tree: Tree, exponent: float) -> tuple[float, list[tuple]]:
    """A number and factors that are a power of a sum; those of a product get the exponent each."""
    if len(tree.terms) == 1 and exponent.is_integer():
        [(c, factors)] = tree.terms
        return c**exponent, [(base, e * exponent) for base, e in factors]
    return 1.0, [(tree, exponent)]
