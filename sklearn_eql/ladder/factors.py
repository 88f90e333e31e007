"""Columns that factors of a law are made of, a feature or the difference of two, and the nodes of these factors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.scan.magnitudes import Magnitudes
from sklearn_eql.scan.products import Factor
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure


@dataclass(frozen=True)
class Column:
    """A feature, or a sum of features."""

    form: Terms  # what it is, in the unit of the search
    unit: float  # of its values, in the user's units
    sign: int  # +1 or -1 on all rows, 0 for both
    feature: int | None = None  # as a source

    @classmethod
    def of_feature(cls, problem: Problem, feature: int) -> Column:
        return cls([[feature, 1.0]], float(problem.x_units[feature - 1]), problem.signs[feature - 1], feature)

    @classmethod
    def of_sum(cls, problem: Problem, first: tuple[int, ...], second: tuple[int, ...], sign: float) -> Column:
        """``x*y - z``, or the sum with a `sign` of +1, of products of features, in the user's units."""
        a, b = (math.prod(float(problem.x_units[f - 1]) for f in product) for product in (first, second))
        unit = max(a, b)
        return cls([[_product_of(first), a / unit], [_product_of(second), sign * b / unit]], unit, 0)

    def values(self, problem: Problem) -> np.ndarray:
        """On the rows of a problem, (n_rows,)."""
        editable = EditableStructure(Structure(problem.X.shape[1], (), ()))
        editable.output = _copy(self.form)
        return editable.equation().evaluate(problem.X.numpy(), PRIMITIVES)


def sums_of_products(problem: Problem, columns: list[Column], at_most: int) -> list[Column]:
    """Sums and differences of features, and of products of two, that have no feature in common, shorter ones first.

    None of them is zero on a row, or has a unit beyond float64.
    """
    features = [column.feature for column in columns if column.feature is not None]
    products = [*((f,) for f in features), *combinations(features, 2)]
    pairs = [(a, b) for a, b in combinations(products, 2) if not set(a) & set(b)]
    pairs = sorted(pairs, key=lambda pair: len(pair[0]) + len(pair[1]))[: at_most // 2]
    units = {product: math.prod(float(problem.x_units[f - 1]) for f in product) for product in products}
    pairs = [pair for pair in pairs if all(0 < units[product] < math.inf for product in pair)]
    sums = [Column.of_sum(problem, a, b, sign) for a, b in pairs for sign in (1.0, -1.0)]
    return [column for column in sums if (values := column.values(problem)).all() and np.isfinite(values).all()]


def _product_of(features: tuple[int, ...]) -> int | Node:
    return features[0] if len(features) == 1 else Node("mul", [[[f, 1.0]] for f in features])


def table_of(columns: list[Column], problem: Problem, odd: np.ndarray | None = None) -> Magnitudes | None:
    """Their magnitudes and signs; None where one is zero on some row."""
    values = np.stack([column.values(problem) for column in columns], axis=1)
    if not np.isfinite(values).all() or not values.all():
        return None
    negative = (values < 0) & np.array([column.sign == 0 for column in columns])
    return Magnitudes(np.log(np.abs(values)), negative, np.array([column.unit for column in columns]), odd)


def power_of(generator: TermGenerator, columns: list[Column], exponents: tuple[float, ...]) -> Terms | None:
    """``x^exponents``, positive where the columns have one sign; None without exponents."""
    signed: dict[int, float] = {}
    above: list[Node | Terms] = []
    below: list[Node | Terms] = []
    for column, p in zip(columns, exponents, strict=True):
        if column.sign and column.feature is not None:
            if p:
                signed[column.feature] = p
        else:
            (above if p > 0 else below).extend(_copy(column.form) for _ in range(abs(round(p))))
    if below:
        above.append(Node("inv", [_power(generator, below)]))
    if signed:
        above.insert(0, generator.power(signed))
    return _power(generator, above) if above else None


def _copy(form: Terms) -> Terms:
    return [list(term) for term in form]


def _power(generator: TermGenerator, factors: list[Node | Terms]) -> Terms:
    """The product, a square where one factor comes twice."""
    if len(factors) == 2 and factors[0] == factors[1] and isinstance(factors[0], list):
        return [[Node("square", [factors[0]]), 1.0]]
    return generator.product(*factors)


def argument_of(generator: TermGenerator, columns: list[Column], factor: Factor) -> Terms:
    """``scale * x^monomial``, which a function is applied to."""
    chosen = {k: e for k, e in enumerate(factor.monomial) if e}
    if list(chosen.values()) == [1.0]:
        [k] = chosen
        return scaled(columns[k].form, factor.scale * (columns[k].sign or 1))
    return scaled(power_of(generator, columns, factor.monomial) or [], factor.scale)


def scaled(form: Terms, by: float) -> Terms:
    return [[source, by * c] for source, c in form]
