"""One regression problem as the searches see it: scaled rows, vocabulary, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.levenberg_marquardt import FitResult, levenberg_marquardt
from sklearn_eql.sparse.structure import Structure

_FLOAT64 = float(np.finfo(np.float64).eps)
EXACT = 1e-20  # relative mean squared error of a law without noise, in float64


@dataclass(frozen=True)
class Scaling:
    """Units of the rows: ``X_scaled = X / x``, ``y_scaled = y / y``. Not centred: laws would lose their form."""

    x: np.ndarray  # (n_features,)
    y: float
    exact: float  # mean squared error, relative to the variance of y, below which a law is exact

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray, enabled: bool = True, resolution: float = _FLOAT64) -> Scaling:
        """Root mean square of each column, and the standard deviation of the target; ones if not `enabled`.

        `resolution` is the relative rounding error of the data as they were given.
        """
        top = float(np.abs(y).max()) or 1.0
        spread = float(np.std(y / top)) or 1.0  # relative to the largest value
        exact = max(EXACT, (resolution / spread) ** 2)
        if not enabled:
            return cls(np.ones(X.shape[1]), 1.0, exact)
        largest = np.abs(X).max(axis=0)
        largest = np.where(largest > 0, largest, 1.0)
        rms = largest * np.sqrt(np.mean((X / largest) ** 2, axis=0))  # squares of 1e200 would overflow
        return cls(np.where(rms > 0, rms, 1.0), top * spread, exact)


@dataclass(frozen=True)
class Problem:
    """Rows for the search (possibly a sample of the user's) and what laws may be made of."""

    X: torch.Tensor  # (N, n_features), float64, scaled
    y: torch.Tensor  # (N,), float64, scaled
    sample_weight: torch.Tensor | None  # (N,), mean 1
    signs: tuple[int, ...]  # per feature: +1 all positive, -1 all negative, 0 mixed (over all rows, not only these)
    importances: np.ndarray  # (n_features,) how often to try each feature, positive
    primitives: Mapping[str, Primitive]
    copies: Mapping[str, int]  # functions that may be used, and copies per layer
    max_depth: int  # hidden layers
    exact: float  # loss below which a law is exact
    y_unit: float  # of the scaled target, in the user's units
    x_units: np.ndarray  # (n_features,) likewise

    @property
    def max_free(self) -> int:
        """Free coefficients that the rows can support: more of them interpolate rather than explain.

        Three where the rows allow it: a table of two booleans has four distinct rows, and "or" three coefficients.
        """
        n_rows = len(self.y)
        return max(1, min(3, n_rows - 1), n_rows // 3)

    def fit(self, structures: Sequence[Structure], max_iter: int) -> list[FitResult]:
        """Levenberg-Marquardt on all structures, except those with more coefficients than the rows support."""
        supported = [s for s in structures if s.n_free <= self.max_free]
        if not supported:
            return []
        return levenberg_marquardt(
            supported, self.primitives, self.X, self.y, self.sample_weight, max_iter=max_iter, floor=self.exact / 100
        )


def make_problem(
    X: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    scaling: Scaling,
    primitives: Mapping[str, Primitive],
    copies: Mapping[str, int],
    max_depth: int,
    max_rows: int,
    seed: int,
) -> Problem:
    """Scale, sample at most `max_rows` rows, and look at the features.

    Rows of weight zero are left out.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(y)) if sample_weight is None else np.flatnonzero(sample_weight > 0)
    if len(rows) > max_rows:
        rows = np.sort(rng.choice(rows, max_rows, replace=False))
    weight = None
    if sample_weight is not None:
        weight = torch.as_tensor(sample_weight[rows] / sample_weight[rows].mean())
    return Problem(
        torch.as_tensor(X[rows] / scaling.x),
        torch.as_tensor(y[rows] / scaling.y),
        weight,
        tuple(common_sign(column) for column in X.T),
        _importances(X, y, seed),
        primitives,
        copies,
        max_depth,
        scaling.exact * float(np.var(y / scaling.y)),
        scaling.y,
        scaling.x,
    )


def common_sign(column: np.ndarray) -> int:
    """1 if all values are positive, -1 if all are negative, else 0."""
    return int(np.all(column > 0)) - int(np.all(column < 0))


def _importances(X: np.ndarray, y: np.ndarray, seed: int, few: int = 6, max_rows: int = 2000) -> np.ndarray:
    """How much a forest of random trees uses each feature, never zero; even for a handful of features.

    Constant columns get nothing: a law cannot depend on them.
    """
    varies = np.ptp(X, axis=0) > 0
    n_varying = int(varies.sum())
    if n_varying <= few:
        return varies / max(n_varying, 1)
    from sklearn.ensemble import ExtraTreesRegressor

    rows = np.random.default_rng(seed).permutation(len(y))[:max_rows]
    # Trees read float32: columns and target at unit scale cannot overflow there.
    scaling = Scaling.of(X[rows], y[rows])
    forest = ExtraTreesRegressor(n_estimators=50, min_samples_leaf=3, random_state=seed)
    forest.fit(X[rows] / scaling.x, y[rows] / scaling.y)
    found = np.where(varies, forest.feature_importances_ + 0.05 / n_varying, 0.0)
    return found / found.sum()


def is_well_conditioned(structure: Structure, problem: Problem, limit: float = 1e4) -> bool:
    """Whether the output is not a small difference of large terms.

    ``(sin(w*x) - w*x) / w**3`` approaches ``x**3`` as w falls: an exact fit, but not a law.
    """
    equation = structure.to_equation()
    total = np.zeros(len(problem.y))
    values = equation.sources(problem.X, problem.primitives)
    for source, coefficient in equation.output:
        total += np.abs(coefficient * values[source])
    size = max(1.0, float(problem.y.square().mean().sqrt()))
    return bool(np.sqrt(np.mean(total**2)) < limit * size)
