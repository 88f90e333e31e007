"""Starts that are quotients of polynomials of several variables, exact ones, by the null vector of ``[P, -y Q]``.

``y = P / Q`` is ``P - y Q = 0`` in all monomials of both, one linear equation a row: the coefficients are the right
singular vector of the singular value that is nothing but rounding. Monomials that are not in the law have coefficients
of rounding there. A function that is no quotient leaves the smallest singular values near each other, however closely
a quotient follows it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from sklearn_eql.ladder.monomials import Monomial, monomials_of, sum_of, values_of
from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.sparse.editing import Node
from sklearn_eql.sparse.problem import SPARE_ROWS

_MAX_FEATURES, _MAX_DEGREE, _MAX_COEFFICIENTS = 5, 5, 260
_SINGULAR = 1e-12  # of the largest singular value: rounding, where the next one is
_GAP = 1e-6  # times as large, at most
_NEGLIGIBLE = 1e-9  # of the largest coefficient of columns of one length: rounding


def of_several_variables(generator: TermGenerator) -> Iterator[Terms]:
    """The quotient of lowest degrees that is exact, of the most important features, if there is one."""
    problem = generator.many
    if not (generator.has("mul") and generator.has_inverse):
        return
    features = sorted(generator.features, key=lambda f: -problem.importances[f - 1])[:_MAX_FEATURES]
    rows, y = problem.X.numpy(), problem.y.numpy()
    at_most = min(_MAX_COEFFICIENTS, len(y) - SPARE_ROWS)
    whole = monomials_of(features, _MAX_DEGREE, at_most // 2)
    values = values_of(rows, whole)
    degrees = [len(m) for m in whole]
    highest = degrees[-1]
    if highest < 1 or not np.isfinite(values).all():
        return

    def up_to(degree: int) -> np.ndarray:
        return np.flatnonzero(np.array(degrees) <= degree)

    if not _singular_values(values, y, up_to(highest), up_to(highest))[0]:
        return
    lower = [(p, q) for p in range(highest + 1) for q in range(1, highest + 1)]
    for p, q in sorted(lower, key=lambda pair: len(up_to(pair[0])) + len(up_to(pair[1]))):
        if time.time() > problem.deadline:
            return
        found = _exact(values, y, up_to(p), up_to(q))
        if found is not None:
            above, below = found
            yield _quotient(generator, {whole[k]: c for k, c in above.items()}, {whole[k]: c for k, c in below.items()})
            return


def _singular_values(
    values: np.ndarray, y: np.ndarray, above: np.ndarray, below: np.ndarray
) -> tuple[bool, bool, np.ndarray, np.ndarray]:
    """Whether some quotient is exact, and a single one; its coefficients as columns of one length, and the lengths.

    Rows count alike, whatever their monomials and target: one near a pole would decide everything.
    """
    rows = np.concatenate([values[above], -y * values[below]]).T
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
    size = np.maximum(np.linalg.norm(rows, axis=0), np.finfo(float).tiny)
    _, strength, directions = np.linalg.svd(rows / size, full_matrices=False)
    is_singular = bool(strength[-1] < _SINGULAR * strength[0])
    return is_singular, is_singular and bool(strength[-1] < _GAP * strength[-2]), directions[-1], size


def _exact(
    values: np.ndarray, y: np.ndarray, above: np.ndarray, below: np.ndarray
) -> tuple[dict[int, float], dict[int, float]] | None:
    """Coefficients of the numerator and denominator by monomial; None where not just one quotient is exact."""
    _, is_one, solution, size = _singular_values(values, y, above, below)
    if not is_one:
        return None
    keep = np.abs(solution) > _NEGLIGIBLE * np.abs(solution).max()
    above, below = above[keep[: len(above)]], below[keep[len(above) :]]
    if len(above) == 0 or not below.any():  # zero, or a polynomial
        return None
    _, is_one, solution, size = _singular_values(values, y, above, below)
    if not is_one:
        return None
    coefficients = solution / size
    coefficients /= coefficients[len(above) + np.abs(solution[len(above) :]).argmax()]
    split = len(above)
    return (
        dict(zip(above.tolist(), coefficients[:split].tolist(), strict=True)),
        dict(zip(below.tolist(), coefficients[split:].tolist(), strict=True)),
    )


def _quotient(generator: TermGenerator, above: dict[Monomial, float], below: dict[Monomial, float]) -> Terms:
    """One unit where there is one for quotients; else the terms of the numerator, each times the inverse."""
    terms = sum_of(generator, [*above, *below])  # which share their powers
    coefficients = [*above.values(), *below.values()]
    numerator, divisor = (
        [[source, c] for (source, _), c in zip(terms[part], coefficients[part], strict=True)]
        for part in (slice(len(above)), slice(len(above), None))
    )
    if generator.has("div"):
        return [[Node("div", [numerator, divisor]), 1.0]]
    inverse = Node("inv", [divisor])
    return [
        [inverse if source == 0 else Node("mul", [[[inverse, 1.0]], [[source, 1.0]]]), c] for source, c in numerator
    ]
