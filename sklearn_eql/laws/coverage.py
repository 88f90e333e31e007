"""Where a law is defined beyond the rows that it was found on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import qmc

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.equation import Equation

WIDENING = 0.1
"""Share of its width by which the range of a feature is widened on either side."""

_N_POINTS = 1024


def coverage(equation: Equation, ranges: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES) -> float:
    """Share of the widened range of the features on which the law is finite.

    The next rows of an experiment lie a little outside of those before: a law such as ``sqrt(x + 2)`` that ends where
    the rows end is seldom one of nature, and fails there. A feature of one sign keeps it (lengths do not become
    negative), so ``log(x)`` of positive values is not held against a law.

    Parameters
    ----------
    ranges : ndarray (2, n_features)
        Lowest and highest value of each feature.
    """
    low, high = ranges / 4  # the wider range of -1e308 to 1e308 would overflow
    margin = WIDENING * (high - low)
    lowest = np.where(low > 0, np.maximum(low - margin, WIDENING * low), np.where(low == 0, 0.0, low - margin))
    highest = np.where(high < 0, np.minimum(high + margin, WIDENING * high), np.where(high == 0, 0.0, high + margin))
    forms = [arg for unit in equation.units for arg in unit.args] + [equation.output]
    read = sorted({s - 1 for form in forms for s, c in form if c and 1 <= s <= equation.n_features})
    # Points of a Halton sequence: evenly spread in every feature that the law reads, and the same in every run.
    points = qmc.Halton(max(1, len(read)), scramble=False).random(_N_POINTS)[:, : len(read)]
    X = np.tile(low, (_N_POINTS, 1))
    X[:, read] = lowest[read] + (highest - lowest)[read] * points
    limit = np.finfo(np.float64).max / 4
    values = equation.evaluate(4 * np.clip(X, -limit, limit), primitives)
    return float(np.isfinite(values).mean())
