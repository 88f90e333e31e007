"""Starts that are quotients of polynomials of one variable, by the null vector of ``[P, -y Q]``.

``y = P / Q`` is linear in the coefficients of both where it is multiplied out, but then rows count by the size of `Q`.
So rows are weighed again by the `Q` of the round before (Sanathanan and Koerner, 1963), until what is minimised is the
error of the quotient.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np

from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.sparse.editing import Node
from sklearn_eql.sparse.problem import SPARE_ROWS

_MAX_FEATURES = 3  # the most important ones, each by itself
_MAX_DEGREE, _MAX_EXACT = 3, (6, 4)  # of numerator and denominator, the latter where the quotient is exact
_EXACT = 1e-18  # share of the variance that least squares on many powers leave of zero
_ROUNDS = 12
_FIRST_DEGREES, _OFFSET = (0.0, 0.5, 1.0), 0.05  # of the first weights, as shares of that of the denominator
_LEAST = 1e-3  # of the largest value of a denominator, where it is near a pole
_SPARE = 2  # rows for each coefficient


def of_one_variable(generator: TermGenerator) -> Iterator[Terms]:
    """``(a0 + ... + ap x^p) / (1 + b1 x + ... + bq x^q)``: all degrees up to the third, higher ones that are exact."""
    if not (generator.has("mul") and generator.has_inverse):
        return
    problem = generator.problem
    features = sorted(generator.features, key=lambda f: -problem.importances[f - 1])[:_MAX_FEATURES]
    y, root = problem.y.numpy(), problem.root.numpy()
    degrees = [(p, q) for p in range(_MAX_DEGREE + 1) for q in range(1, _MAX_DEGREE + 1)]
    for p, q in sorted(degrees, key=sum):
        if len(y) < _SPARE * (p + q + 1):
            break
        for f in features:
            _, found = _coefficients(generator.rows[:, f - 1], y, root, p, q)
            if found is not None:
                yield _quotient(generator, f, found[: p + 1], found[p + 1 :])
    # Of higher degrees only what is exact: four residuals at rounding are no accident.
    longer = [(p, q) for p in range(_MAX_EXACT[0] + 1) for q in range(1, _MAX_EXACT[1] + 1) if max(p, q) > _MAX_DEGREE]
    for p, q in sorted(longer, key=sum):
        if len(y) < p + q + 1 + SPARE_ROWS or time.time() > problem.deadline:
            return
        for f in features:
            left, found = _coefficients(generator.rows[:, f - 1], y, root, p, q)
            if found is not None and left < _EXACT * problem.variance * len(y):
                yield _quotient(generator, f, found[: p + 1], found[p + 1 :])
                return


def _coefficients(x: np.ndarray, y: np.ndarray, root: np.ndarray, p: int, q: int) -> tuple[float, np.ndarray | None]:
    """What is left, and ``a0, ..., ap, b1, ..., bq``; None where all that are found have a pole in the rows.

    The first weights are those of a denominator of no, half, or the full degree: which leads past poles depends on the
    rows.
    """
    powers = x[:, None] ** np.arange(max(p, q) + 1)
    above, below = powers[:, : p + 1], powers[:, 1 : q + 1]
    columns = np.concatenate([above, -y[:, None] * below], axis=1)
    best: tuple[float, np.ndarray | None] = (math.inf, None)
    for share in _FIRST_DEGREES:
        weight = root / (_OFFSET + np.abs(x)) ** (share * q)
        for _ in range(_ROUNDS):
            rows = columns * weight[:, None]
            size = np.linalg.norm(rows, axis=0)
            if not (np.isfinite(size).all() and size.min() > 0):
                break
            solution = np.linalg.lstsq(rows / size, y * weight, rcond=None)[0] / size
            divisor = 1 + below @ solution[p + 1 :]
            if divisor.min() > 0:
                left = root * (above @ solution[: p + 1] / divisor - y)
                best = min(best, (float(left @ left), solution), key=lambda found: found[0])
            weight = root / np.maximum(np.abs(divisor), _LEAST * np.abs(divisor).max())
    return best


def _quotient(generator: TermGenerator, f: int, above: np.ndarray, below: np.ndarray) -> Terms:
    """One unit where there is one for quotients; else the terms of the numerator, each times the inverse."""
    powers = [0, f]
    for degree in range(2, max(len(above) - 1, len(below)) + 1):
        powers.append(_power(generator, powers, degree))
    divisor: Terms = [[0, 1.0], *([powers[1 + k], float(b)] for k, b in enumerate(below))]
    if generator.has("div") and len(above) > 1:
        return [[Node("div", [[[powers[k], float(a)] for k, a in enumerate(above)], divisor]), 1.0]]
    inverse = Node("inv", [divisor])
    return [
        [inverse if k == 0 else Node("mul", [[[inverse, 1.0]], [[powers[k], 1.0]]]), 1.0] for k in range(len(above))
    ]


def _power(generator: TermGenerator, powers: list, degree: int) -> Node:
    if degree % 2 == 0 and generator.has("square"):
        return Node("square", [[[powers[degree // 2], 1.0]]])
    if degree == 3 and generator.has("cube"):
        return Node("cube", [[[powers[1], 1.0]]])
    return Node("mul", [[[powers[1], 1.0]], [[powers[degree - 1], 1.0]]])
