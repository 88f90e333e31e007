"""Monomials of features, as tuples: ``(1, 1, 2)`` for ``x1**2 * x2``, ``()`` for the constant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.sparse.editing import Node

Monomial = tuple[int, ...]


def monomials_of(features: Sequence[int], max_degree: int, at_most: float = math.inf) -> list[Monomial]:
    """Monomials by degree, as many whole degrees as a bound on their number allows."""
    found: list[Monomial] = [()]
    for degree in range(1, max_degree + 1):
        if math.comb(len(features) + degree, degree) > at_most:
            break
        found += list(combinations_with_replacement(features, degree))
    return found


def values_of(rows: np.ndarray, chosen: Sequence[Monomial]) -> np.ndarray:
    """Values on the rows (N, n_features), (M, N)."""
    return np.array([np.prod(rows[:, [f - 1 for f in m]], axis=1) for m in chosen])


def sum_of(generator: TermGenerator, chosen: Sequence[Monomial]) -> Terms:
    """Monomials as units that share their powers: ``x**5`` is ``x**2`` times ``x**3``."""
    nodes: dict[Monomial, Node | int] = {}

    def unit(m: Monomial) -> Node | int:
        if m not in nodes:
            half = len(m) // 2
            if len(m) == 1:
                nodes[m] = m[0]
            elif m[::2] == m[1::2] and generator.has("square"):
                nodes[m] = Node("square", [[[unit(m[::2]), 1.0]]])
            elif len(m) == 3 and len(set(m)) == 1 and generator.has("cube"):
                nodes[m] = Node("cube", [[[m[0], 1.0]]])
            else:
                nodes[m] = Node("mul", [[[unit(m[:half]), 1.0]], [[unit(m[half:]), 1.0]]])
        return nodes[m]

    return [[unit(m), 1.0] if m else [0, 1.0] for m in chosen]
