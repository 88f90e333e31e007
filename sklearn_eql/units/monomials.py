"""Products of powers of the columns that have a given dimension: the rational null space, shortest first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from sklearn_eql.units.dimensions import Dimension
from sklearn_eql.units.linear_algebra import null_vector, rank, solution

Exponents = tuple[Fraction, ...]
"""One for each column."""

_MOST_SETS = 20_000  # sets of columns that are looked at


def dimensionless(features: Sequence[Dimension]) -> list[Exponents]:
    """Monomials without units that no part of is one, in whole numbers, shortest first.

    Each is the one relation between the dimensions of its columns. All others are products of powers of these.
    """
    found = []
    for columns in _sets(len(features), features):
        relation = null_vector([features[c] for c in columns])
        if relation is not None:
            scale = Fraction(math.lcm(*(c.denominator for c in relation)))
            whole = [c * scale for c in relation]
            common = Fraction(math.gcd(*(int(c) for c in whole)))
            found.append(_spread([c / common for c in whole], columns, len(features)))
    return sorted(map(_upright, found), key=length)


def with_dimension(features: Sequence[Dimension], target: Dimension) -> list[Exponents]:
    """Monomials of the dimension of `target` that have no part without units, shortest first."""
    found = [(Fraction(0),) * len(features)] if not any(target) else []
    for columns in _sets(len(features), features):
        chosen = [features[c] for c in columns]
        if rank(chosen) < len(chosen):
            continue
        exponents = solution(chosen, target)
        if exponents is not None and all(exponents):
            found.append(_spread(exponents, columns, len(features)))
    return sorted(found, key=length)


def basis(monomials: Iterable[Exponents]) -> list[Exponents]:
    """The first of the monomials that are independent: each product of powers of all is one of powers of these."""
    chosen: list[Exponents] = []
    for monomial in monomials:
        if rank([*chosen, monomial]) > len(chosen):
            chosen.append(monomial)
    return chosen


def length(monomial: Exponents) -> tuple:
    """What monomials are ordered by: number of columns, size of the exponents, fractions, what stands below."""
    used = [e for e in monomial if e]
    fractions = sum(e.denominator > 1 for e in used)
    return len(used), fractions, sum(abs(e) for e in used), sum(e < 0 for e in used), tuple(-e for e in monomial)


def _sets(n_features: int, features: Sequence[Dimension]) -> Iterator[tuple[int, ...]]:
    """Sets of columns, small ones first: up to one more than their dimensions have directions, and not too many."""
    left = _MOST_SETS
    for size in range(1, min(n_features, rank(features) + 1) + 1):
        for columns in combinations(range(n_features), size):
            if left == 0:
                return
            left -= 1
            yield columns


def _spread(exponents: Sequence[Fraction], columns: Sequence[int], n_features: int) -> Exponents:
    spread = [Fraction(0)] * n_features
    for column, exponent in zip(columns, exponents, strict=True):
        spread[column] = exponent
    return tuple(spread)


def _upright(monomial: Exponents) -> Exponents:
    """The monomial, or its inverse where more stands above the line in that."""
    inverse = tuple(-e for e in monomial)
    return min(monomial, inverse, key=length)
