"""Laws multiplied out: one normal form for all spellings that differ by the algebra of sums, products and powers.

A sum is ``{monomial: coefficient}``, a monomial the sorted tuple of its ``(atom, exponent)``. Atoms are features
``("x", number)``, functions ``("f", name, arguments)`` and sums that stay together under a power, ``("s", sum)``, the
latter with a leading coefficient of one and no common factor. Sums inside atoms are tuples, which sort and compare by
what they say. What is normal here is the algebra; functions are opaque, but for ``exp(a + b) = exp(a)*exp(b)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch

from sklearn_eql.primitives import POWERS, Primitive
from sklearn_eql.symbolic.constants import candidates
from sklearn_eql.symbolic.equation import Affine, Equation
from sklearn_eql.symbolic.graph import is_builtin

Monomial = tuple  # of (atom, exponent)
Sum = dict  # of monomial: coefficient
Frozen = tuple  # of (monomial, coefficient)

ONE: Monomial = ()
_MAX_PRODUCTS = 16  # of terms, in a product that is multiplied out; more are nobody's idea of readable
_MAX_POWER = 3.0  # to which sums are multiplied out
_NO_ATOM: tuple[Any, ...] = ("",)
_ROUNDING = 1e-13  # relative; what a few dozen operations leave
_MOST_SWITCHES = 3  # columns with two values, of which a function is looked up at all corners
LARGEST_SHIFT = 30.0  # exp(b) is a factor of a readable law up to here


@cache
def cleaned(value: float) -> float:
    """The constant that a number is but for rounding, else the number."""
    found = candidates(value, _ROUNDING * abs(value))
    return found[0].value if found else value


def frozen(form: Sum) -> Frozen:
    """A sum that can be part of an atom: ordered, and rounded so that equal ones are found equal."""
    return tuple(sorted((m, cleaned(float(f"{c:.14g}"))) for m, c in form.items()))


def added(a: Sum, b: Sum) -> Sum:
    """``a + b``, without terms that cancel to rounding."""
    total = dict(a)
    for monomial, c in b.items():
        old = total.get(monomial, 0.0)
        total[monomial] = old + c
        if abs(total[monomial]) <= _ROUNDING * max(abs(old), abs(c)):
            del total[monomial]
    return total


def scaled(form: Sum | Frozen, factor: float) -> Sum:
    """``factor * form``."""
    return {m: c * factor for m, c in dict(form).items()}


class Algebra:
    """Products and powers of sums, given what the rows say about the features.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Rows on which spellings must agree.
    primitives : mapping of str to Primitive
    two_valued : bool
        Whether functions of a column with two values are replaced by ``a + b*x``, which agrees with them on the rows.
    """

    def __init__(self, X: torch.Tensor, primitives: Mapping[str, Primitive], two_valued: bool = False) -> None:
        low, high = X.amin(dim=0), X.amax(dim=0)
        self.primitives = primitives
        self.positive = (low > 0).tolist()
        self.values: dict[int, tuple[float, float]] = {}
        if two_valued:
            both = (X.eq(low) | X.eq(high)).all(dim=0) & (low < high)
            self.values = {f: (float(low[f]), float(high[f])) for f in torch.nonzero(both)[:, 0].tolist()}

    # -- from equations -------------------------------------------------------------------------------------------

    def of_equation(self, equation: Equation) -> Sum:
        """The law multiplied out."""
        sources: list[Sum] = [{ONE: 1.0}] + [{((("x", f), 1.0),): 1.0} for f in range(equation.n_features)]

        def linear(form: Affine) -> Sum:
            total: Sum = {}
            for source, c in form:
                total = added(total, scaled(sources[source], c))
            return {m: c for m, c in total.items() if c}

        for unit in equation.units:
            sources.append(self._unit(unit.primitive, [linear(arg) for arg in unit.args]))
        return linear(equation.output)

    def _unit(self, name: str, args: list[Sum]) -> Sum:
        if is_builtin(name, self.primitives):
            if name == "id":
                return args[0]
            if name == "const":
                return {ONE: 1.0}
            if name in POWERS:
                return self.power(args[0], POWERS[name])
            if name in ("mul", "mul10"):
                return self.times(args[0], scaled(args[1], 10.0 if name == "mul10" else 1.0))
            if name == "div":
                return self.times(args[0], self.power(args[1], -1.0))
            if name == "pow" and set(args[1]) <= {ONE}:
                return self.power(args[0], cleaned(args[1].get(ONE, 0.0)))
            if name == "exp":
                return self.exp(args[0])
        alike = self._on_two_values(args, lambda *values: self._value(name, values))
        return {((("f", name, tuple(map(frozen, args))), 1.0),): 1.0} if alike is None else alike

    def exp(self, form: Sum) -> Sum:
        """``exp(b + c*log(g) + h)`` as ``exp(b) * g**c * exp(h)``."""
        front, switched, rest = {ONE: 1.0}, {}, {}
        for monomial, c in form.items():
            [(atom, exponent)] = monomial if len(monomial) == 1 else [(_NO_ATOM, 0.0)]
            if monomial == ONE and abs(c) < LARGEST_SHIFT:
                front = scaled(front, math.exp(c))
            elif atom[:2] == ("f", "log") and exponent == 1 and is_builtin("log", self.primitives):
                front = self.times(front, self.power(dict(atom[2][0]), cleaned(c)))
            elif monomial != ONE and all(a[0] == "x" and a[1] in self.values for a, _ in monomial):
                switched[monomial] = c
            else:
                rest[monomial] = c
        alike = self._on_two_values([switched], lambda value: self._value("exp", [value]))
        if alike is None:
            rest |= switched
        else:
            front = self.times(front, alike)
        return self.times(front, {((("f", "exp", (frozen(rest),)), 1.0),): 1.0}) if rest else front

    def _on_two_values(self, args: list[Sum], function: Callable[..., float]) -> Sum | None:
        """What a function of columns with two values is on these: ``a + b*x``, or multilinear in a few of them."""
        atoms = sorted({atom for form in args for monomial in form for atom, _ in monomial})
        if not 0 < len(atoms) <= _MOST_SWITCHES or not all(a[0] == "x" and a[1] in self.values for a in atoms):
            return None
        total: Sum = {}
        for corner in product(*(self.values[atom[1]] for atom in atoms)):
            at = dict(zip(atoms, corner, strict=True))
            value = function(*(_at(form, at) for form in args))
            if not math.isfinite(value):
                return None
            basis: Sum = {ONE: value}
            for atom, x in at.items():
                other = sum(self.values[atom[1]]) - x
                line = {((atom, 1.0),): 1 / (x - other), ONE: -other / (x - other)}
                basis = self.times(basis, {m: c for m, c in line.items() if c})
            total = added(total, basis)
        return {m: c for m, c in total.items() if c}

    def _value(self, name: str, args: Sequence[float]) -> float:
        return float(self.primitives[name].torch_fn(*(torch.tensor(a, dtype=torch.float64) for a in args)))

    # -- products and powers --------------------------------------------------------------------------------------

    def times(self, a: Sum, b: Sum) -> Sum:
        """``a * b``, multiplied out unless that is too long."""
        if min(len(a), len(b)) > 1 and len(a) * len(b) > _MAX_PRODUCTS:
            a, b = (f if len(f) == 1 else self._together(f, 1.0) for f in (a, b))
        total: Sum = {}
        for m, c in a.items():
            for n, d in b.items():
                total = added(total, scaled(self._product(m, n), c * d))
        return total

    def _product(self, m: Monomial, n: Monomial) -> Sum:
        powers = dict(m)
        for atom, e in n:
            powers[atom] = powers.get(atom, 0.0) + e
        exps = [atom for atom in powers if atom[:2] == ("f", "exp")]
        if len(exps) > 1 or any(powers[atom] != 1 for atom in exps):
            inner: Sum = {}
            for atom in exps:
                inner = added(inner, scaled(atom[2][0], powers.pop(atom)))
            if inner:
                powers["f", "exp", (frozen(inner),)] = 1.0
        factors: list[Sum] = []
        for atom in list(powers):
            e = powers[atom]
            if atom[0] == "x" and e != 1 and atom[1] in self.values:
                line = self._on_two_values([{((atom, 1.0),): 1.0}], lambda x, e=e: _power(x, e))
                if line is not None:
                    factors.append(line)
                    del powers[atom]
            elif atom[0] == "s" and e > 0 and e.is_integer() and (atom, e) not in (*m, *n):  # S**3 * S**-1
                del powers[atom]
                factors.append(self.power(dict(atom[1]), e))
        total: Sum = {tuple(sorted((atom, e) for atom, e in powers.items() if e)): 1.0}
        for factor in factors:
            total = self.times(total, factor)
        return total

    def power(self, form: Sum, exponent: float) -> Sum:
        """``form ** exponent``, common factors taken out where the sum stays under it."""
        if exponent == 0 or form == {ONE: 1.0}:
            return {ONE: 1.0}
        if exponent == 1:
            return form
        if len(form) == 1:
            [(monomial, c)] = form.items()
            return scaled(self._monomial_power(monomial, math.copysign(1.0, c), exponent), abs(c) ** exponent)
        if exponent.is_integer() and 0 < exponent <= _MAX_POWER and len(form) ** exponent <= _MAX_PRODUCTS:
            total = form
            for _ in range(int(exponent) - 1):
                total = self.times(total, form)
            return total
        alike = self._on_two_values([form], lambda value: _power(value, exponent))
        return self._together(form, exponent) if alike is None else alike

    def _monomial_power(self, monomial: Monomial, sign: float, exponent: float) -> Sum:
        """``(sign * monomial) ** exponent``; what may be negative under a root stays together there."""
        whole = exponent.is_integer()
        inside = () if whole else tuple((a, e) for a, e in monomial if e.is_integer() and not self.is_positive(a))
        if sign > 0 and len(inside) == 1 and not _is_even(inside[0][1]):  # sqrt(x**3) is defined where x is positive
            inside = ()
        total = {ONE: sign**exponent if whole else 1.0}
        for atom, e in monomial:
            if (atom, e) not in inside:
                total = self.times(total, self._raised(atom, e * exponent))
        if (sign < 0 and not whole) or inside:
            total = self.times(total, {((("s", frozen({inside: sign})), exponent),): 1.0})
        return total

    def _raised(self, atom: tuple, exponent: float) -> Sum:
        if atom[0] == "s" and exponent > 0 and exponent.is_integer():
            return self.power(dict(atom[1]), exponent)
        return self._product(((atom, exponent),), ONE)

    def is_positive(self, atom: tuple) -> bool:
        """Whether an atom is known to be positive on all rows."""
        return (atom[0] == "x" and self.positive[atom[1]]) or atom[:2] == ("f", "exp")

    def _together(self, form: Sum, exponent: float) -> Sum:
        """``scale**k * monomial**k * sum**k``, the sum primitive.

        The squared denominator of one term stays under a root: ``sqrt(1 - x**2/c**2)`` is even in c, and
        ``sqrt(c**2 - x**2)/c`` would not be, which the rows, all of one sign, cannot tell.
        """
        whole = exponent.is_integer()

        def stays(atom: tuple, e: float) -> bool:
            changes_parity = _is_even(e) and not _is_even(e * exponent)
            return changes_parity and e < 0 and sum(dict(m).get(atom, 0.0) < 0 for m in form) == 1

        common = common_monomial(form)
        if not whole:
            common = {a: e for a, e in common.items() if self.is_positive(a) and not stays(a, e)}
        inner: Sum = {}
        for m, c in form.items():
            inner = added(inner, scaled(self._product(m, tuple((a, -e) for a, e in common.items())), c))
        if len(inner) < 2:  # of two-valued columns
            return self.power(inner, exponent) if self.values else {((("s", frozen(form)), exponent),): 1.0}
        lead = leading(inner)
        scale = lead if whole else abs(lead)
        total = {((("s", frozen(scaled(inner, 1 / scale))), exponent),): scale**exponent}
        for a, e in common.items():
            total = self.times(total, self._raised(a, e * exponent))
        return total


def _at(form: Sum, values: Mapping[tuple, float]) -> float:
    """Value of a sum of powers of features."""
    return sum(c * math.prod(values[atom] ** e for atom, e in monomial) for monomial, c in form.items())


def _power(base: float, exponent: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(base) ** exponent)


def leading(form: Sum | Frozen) -> float:
    """Coefficient of the first term that is not the constant."""
    form = dict(form)
    return form[min((m for m in form if m != ONE), default=ONE)]


def common_monomial(form: Sum | Frozen) -> dict[tuple, float]:
    """What every term can be divided by: of each atom the lowest exponent, zero where a term is without it."""
    monomials = [dict(m) for m in dict(form)]
    atoms = dict.fromkeys(atom for m in monomials for atom in m)
    lowest = {atom: min(m.get(atom, 0.0) for m in monomials) for atom in atoms}
    return {atom: e for atom, e in lowest.items() if e and atom[:2] != ("f", "exp")}


def _is_even(exponent: float) -> bool:
    return exponent.is_integer() and exponent % 2 == 0


def quadratic(form: Frozen, halves: bool) -> tuple[Sum, Sum] | None:
    """Two sums, linear in monomials, of which the product is the form but for a scale, where there are such.

    The symmetric matrix of the quadratic form then has rank one (a square) or two with eigenvalues of either sign.
    Coefficients are as exact as eigenvectors are: multiply out to check.

    Parameters
    ----------
    form : frozen sum
    halves : bool
        Whether ``x**2`` is read as ``x*x``, or as one variable of its own.
    """
    places: dict[Monomial, int] = {}
    entries: list[tuple[int, int, float]] = []
    for monomial, c in form:
        if halves and monomial and all(_is_even(e) for _, e in monomial):
            pair = [tuple((a, e / 2) for a, e in monomial)] * 2
        elif len(monomial) == 2:
            pair = [(factor,) for factor in monomial]
        elif len(monomial) < 2:
            pair = [monomial, ONE]
        else:
            return None
        i, j = (places.setdefault(m, len(places)) for m in pair)
        entries.append((i, j, c))
    matrix = np.zeros((len(places), len(places)))
    for i, j, c in entries:
        matrix[i, j] += c / 2
        matrix[j, i] += c / 2
    sizes, vectors = np.linalg.eigh(matrix)
    order = np.argsort(-np.abs(sizes))
    sizes, vectors = sizes[order], vectors[:, order]
    near = 1e-6 * abs(sizes[0])  # coarse: the product is checked
    if len(sizes) > 2 and abs(sizes[2]) > near:
        return None
    first = vectors[:, 0]
    if len(sizes) < 2 or abs(sizes[1]) <= near:
        sides = [first, first]
    elif sizes[0] * sizes[1] < 0:
        second = vectors[:, 1] * math.sqrt(abs(sizes[1] / sizes[0]))
        sides = [first + second, first - second]
    else:
        return None
    names = list(places)
    factors = []
    for side in sides:
        lead = side[np.argmax(np.abs(side))]
        kept = {names[k]: cleaned(float(f"{v / lead:.14g}")) for k, v in enumerate(side) if abs(v) > 1e-9 * abs(lead)}
        factors.append({m: c / leading(kept) for m, c in kept.items()})
    if min(map(len, factors)) < 2:
        return None
    first, second = sorted(factors, key=lambda f: sorted(f.items()))
    return first, second
