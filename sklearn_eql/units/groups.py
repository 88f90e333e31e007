"""Laws between numbers without units: Buckingham's theorem as a change of columns, and the way back.

Where constants have no units, a law that fits the units of a table is ``y = y0 * f(p1 .. pk)``: `y0` a product of
powers of the features with the unit of `y`, the `p` products without units, as many as there are features less the
number of independent dimensions. What is left to be found is `f`, of fewer variables, in which nothing can break the
units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.units.dimensions import TableUnits
from sklearn_eql.units.linear_algebra import rank
from sklearn_eql.units.monomials import Exponents, basis, dimensionless, with_dimension

_FEWEST_DIGITS = (
    1e-4  # smallest magnitude of a factor of y, relative to its mean: rows divided by it would be all noise
)
_NAMED = {Fraction(2): "square", Fraction(3): "cube", Fraction(1, 2): "sqrt"}
_FEW_COLUMNS = 3
_MOST_FACTORS = 256  # that are held against the target


@dataclass(frozen=True)
class Groups:
    """Columns without units, and what the target is divided by."""

    factor: Exponents  # of the target
    columns: tuple[Exponents, ...]

    def factor_of(self, X: np.ndarray) -> np.ndarray:
        """What the target is divided by, (n_samples,)."""
        return monomial_of(X, self.factor)

    def columns_of(self, X: np.ndarray) -> np.ndarray:
        """The columns without units, (n_samples, n_columns)."""
        return np.column_stack([monomial_of(X, exponents) for exponents in self.columns])

    def in_features(self, law: Equation, primitives: Mapping[str, Primitive] = PRIMITIVES) -> Equation:
        """A law between the columns, for the divided target, as one of the features, canonical."""
        writer = _Writer(len(self.factor))
        columns = [writer.monomial(exponents) for exponents in self.columns]
        number = [0, *columns]
        for unit in law.units:
            args = tuple(writer.renumbered(form, number) for form in unit.args)
            number.append(writer.add(unit.primitive, *args))
        output = writer.renumbered(law.output, number)
        factor = writer.monomial(self.factor)
        if factor != 0:
            output = tuple((writer.product(factor, source), c) for source, c in output)
        return canonicalize(writer.equation(output), primitives)


def groups_of(units: TableUnits, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> list[Groups]:
    """Ways to write the table without units, best factor of the target first; none where there is no gain in it.

    Without columns, the factor times a constant is the only law that there is.

    Of the factors that have the unit of the target, the one comes first of which a multiple explains most of it.
    """
    if units.target is None or not units.dimensionless_constants:
        return []
    usable = [_powers_allowed(column) for column in X.T]
    order = np.argsort([-np.median(np.abs(column)) for column in X.T], kind="stable").tolist()
    found = [_reordered(m, order) for m in dimensionless([units.features[i] for i in order])]
    columns = basis(m for m in (_oriented(m, X, order) for m in found) if _is_defined(m, usable))
    if len(columns) < len(units.features) - rank(units.features) or not rank(units.features):
        return []
    factors = with_dimension(units.features, units.target)
    if len(columns) > _FEW_COLUMNS:  # sums of many terms: a factor that is not simple makes each of them longer
        factors += [_times(m, column, sign) for m in factors for column in columns for sign in (1, -1)]
    factors = [m for m in dict.fromkeys(factors) if _is_defined(m, usable) and _divides(m, X)][:_MOST_FACTORS]
    ranked = sorted((_left_over(monomial_of(X, m), y, weight), i) for i, m in enumerate(factors))
    return [Groups(factors[i], tuple(columns)) for _, i in ranked]


def _reordered(monomial: Exponents, order: Sequence[int]) -> Exponents:
    """Exponents of columns that were put in another order, in the order of the table."""
    found = dict(zip(order, monomial, strict=True))
    return tuple(found[i] for i in range(len(order)))


def _oriented(monomial: Exponents, X: np.ndarray, order: Sequence[int]) -> Exponents:
    """The monomial, or its inverse where as much stands below the line as above: the one that is mostly below one.

    Laws are simple for small numbers: ``sqrt(1 - v**2/c**2)``. Ratios of two columns are to the larger one, so that
    several have the same below.
    """
    used = [i for i in order if monomial[i]]
    if sum(monomial) != 0 or not (X[:, used] != 0).all():
        return monomial
    is_small = monomial[used[0]] < 0 if len(used) == 2 else np.median(np.abs(monomial_of(X, monomial))) <= 1
    return monomial if is_small else tuple(-e for e in monomial)


def _times(a: Exponents, b: Exponents, power: int) -> Exponents:
    return tuple(x + power * y for x, y in zip(a, b, strict=True))


def monomial_of(X: np.ndarray, exponents: Exponents) -> np.ndarray:
    """Product of powers of the columns, (n_samples,)."""
    found = np.ones(len(X))
    for column, exponent in zip(X.T, exponents, strict=True):
        if exponent:
            whole = exponent.denominator == 1
            found = found * column ** (int(exponent) if whole else float(exponent))
    return found


def _powers_allowed(column: np.ndarray) -> str:
    """``"all"`` of a positive column, ``"whole"`` of one without zero, ``"positive"`` of others."""
    return "all" if (column > 0).all() else "whole" if (column != 0).all() else "positive"


def _is_defined(monomial: Exponents, usable: Sequence[str]) -> bool:
    return all(
        not e or allowed == "all" or (e.denominator == 1 and (allowed == "whole" or e > 0))
        for e, allowed in zip(monomial, usable, strict=True)
    )


def _divides(monomial: Exponents, X: np.ndarray) -> bool:
    values = np.abs(monomial_of(X, monomial))
    return bool(np.isfinite(values).all() and values.min() > _FEWEST_DIGITS * values.mean())


def _left_over(factor: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
    """Share of the squares that a multiple of the factor does not explain."""
    weight = np.ones(len(y)) if weight is None else weight
    factor, y = factor / np.abs(factor).max(), y / np.abs(y).max()
    share = (weight @ (factor * y)) ** 2 / ((weight @ factor**2) * (weight @ y**2))
    return float(1 - share)


class _Writer:
    """Units of an equation, one after the other."""

    def __init__(self, n_features: int) -> None:
        self._n = n_features
        self._units: list[Unit] = []

    def add(self, primitive: str, *args: Affine) -> int:
        """The source of a unit."""
        self._units.append(Unit(primitive, args))
        return self._n + len(self._units)

    def equation(self, output: Affine) -> Equation:
        return Equation(self._n, tuple(self._units), _merged(output))

    def product(self, a: int, b: int) -> int:
        """Of two sources."""
        return a if b == 0 else b if a == 0 else self.add("mul", ((a, 1.0),), ((b, 1.0),))

    def monomial(self, exponents: Exponents) -> int:
        """The source of a product of powers of the features."""
        above = below = 0
        for feature, exponent in enumerate(exponents, start=1):
            if exponent > 0:
                above = self.product(above, self._power(feature, exponent))
            elif exponent < 0:
                below = self.product(below, self._power(feature, -exponent))
        if below == 0:
            return above
        return self.add("inv", ((below, 1.0),)) if above == 0 else self.add("div", ((above, 1.0),), ((below, 1.0),))

    def renumbered(self, form: Affine, number: Sequence[int]) -> Affine:
        return _merged(tuple((number[source], c) for source, c in form))

    def _power(self, feature: int, exponent: Fraction) -> int:
        if exponent == 1:
            return feature
        if exponent in _NAMED:
            return self.add(_NAMED[exponent], ((feature, 1.0),))
        if exponent.denominator == 1 and exponent % 2 == 0:
            return self.add("square", ((self._power(feature, exponent / 2), 1.0),))
        if exponent.denominator == 1:
            return self.product(self._power(feature, exponent - 3), self._power(feature, Fraction(3)))
        return self.add("pow", ((feature, 1.0),), ((0, float(exponent)),))


def _merged(form: Affine) -> Affine:
    total: dict[int, float] = {}
    for source, c in form:
        total[source] = total.get(source, 0.0) + c
    return tuple(sorted(total.items()))
