"""What the rows say of the numbers of a law, at their values: the normal equations, as triangles that are kept.

With the weighted derivatives `J` by these numbers and residuals `r` of all rows, ``[J, r] = Q R`` and the triangle
`R` holds all that least squares would do next: ``R'R`` are the normal equations, with all of their digits. The rows
themselves are not kept. Errors of constants that are equal, held or freed follow from sums and choices of the columns
of `R`, whatever the number of rows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.rows import BLOCK, RowView

_MOST_BLOCKS = 16  # of rows that are looked at: with 131,072 of them errors are known to a few thousandths
_DEPENDENT = 1e-11  # singular values, of columns of unit length, below which parameters say the same

_SAME_DIRECTION = 1e-6  # sine of the angle to what others span, below which a parameter is no new one


@dataclass(frozen=True)
class Curvature:
    """The squared errors of a law around its parameters.

    Parameters
    ----------
    triangle : ndarray (P + 1, P + 1)
        Of the derivatives by the `P` parameters of the law, then the residuals, all in `unit`.
    unit : float
        Of the target.
    n_rows : int
        Rows that count.
    variance : float or None
        Of a residual of average weight, in squares of `unit`, where it is known.
    resolution : float
        Relative rounding error of the target.
    """

    triangle: np.ndarray
    unit: float
    n_rows: int
    variance: float | None
    resolution: float

    @classmethod
    def unknown(cls, n_parameters: int) -> Curvature:
        """Where no rows were looked at: every error is nan."""
        return cls(np.full((n_parameters + 1,) * 2, np.nan), 1.0, 0, math.nan, 0.0)

    def of(self, groups: np.ndarray) -> Estimates:
        """Of constants that move parameters.

        Parameters
        ----------
        groups : ndarray (P, K)
            How much each parameter moves with each constant: 1 or -1 where it is that constant, else 0.
        """
        n_constants = groups.shape[1]
        columns, left = self.triangle[:, :-1] @ groups, self.triangle[:, -1]
        n_left = self.n_rows - n_constants
        size = _lengths(columns.T)
        known = size > 0
        if np.isnan(size).any():
            return Estimates(np.full((n_constants,) * 2, np.nan), size, math.nan, n_left, np.isinf(size), True)
        scale = np.where(known, size, 1.0)
        u, s, v = np.linalg.svd(np.where(known, columns, 0.0) / scale, full_matrices=False)
        kept = s > _DEPENDENT * max(float(s[0]) if len(s) else 0.0, 1e-300)
        half = (v[kept] / scale).T / s[kept]  # (K, rank)
        step = half @ (u[:, kept].T @ left)
        variance = self.variance
        if variance is None:
            squared = float(np.sum((left - columns @ step) ** 2)) if known.all() else float(left @ left)
            variance = max(squared / n_left, self.resolution**2) if n_left > 0 else math.inf
        loose = ~known | ((v[~kept] ** 2).sum(axis=0) > _DEPENDENT)
        return Estimates(half, step, variance, n_left, loose, self.variance is not None)

    def independent(self, groups: np.ndarray, more: np.ndarray) -> np.ndarray:
        """Those of `more` columns (P, M) that do not move the law as `groups` and the ones before them do."""
        kept: list[int] = []
        spanned = np.zeros((len(self.triangle), 0))
        for group in groups.T:
            spanned, _ = _extended(spanned, self.triangle[:, :-1] @ group)
        for k, column in enumerate(more.T):
            spanned, is_new = _extended(spanned, self.triangle[:, :-1] @ column)
            if is_new:
                kept.append(k)
        return more[:, kept]

    def chi_square(self) -> float:
        """Sum of the squared residuals, in variances, where these are known."""
        return float(self.triangle[:, -1] @ self.triangle[:, -1]) / (self.variance or math.nan)


@dataclass(frozen=True)
class Estimates:
    """Constants by least squares: what a last step would change, and how sure they are.

    Parameters
    ----------
    half : ndarray (K, rank)
        ``half @ half.T`` is the covariance for residuals of variance one.
    step : ndarray (K,)
        From the values of the law to the optimum.
    variance : float
        Of a residual of weight one.
    n_left : int
        Degrees of freedom: rows less constants.
    loose : ndarray (K,) of bool
        Constants that the rows say nothing of, or of which others say the same.
    is_known : bool
        Whether the variance is known, not estimated.
    """

    half: np.ndarray
    step: np.ndarray
    variance: float
    n_left: int
    loose: np.ndarray
    is_known: bool

    @property
    def noise(self) -> float:
        """Standard deviation of a residual of weight one, in units of the curvature."""
        return math.sqrt(self.variance)

    @property
    def errors(self) -> np.ndarray:
        """Standard errors, ``(K,)``."""
        with np.errstate(invalid="ignore"):
            found = np.sqrt(self.variance) * _lengths(self.half)
        return np.where(self.loose, np.inf, found)

    def deviations(self, slopes: np.ndarray) -> np.ndarray:
        """Standard errors of what changes by `slopes` (n, K) with the constants, ``(n,)``."""
        slopes = np.where(self.loose, 0.0, slopes)
        return np.sqrt(self.variance) * _lengths(slopes @ self.half)


def _extended(basis: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, bool]:
    """An orthonormal basis (n, m) with the direction of a column, and whether it had not been there."""
    size = float(_lengths(column[None])[0])
    if not (size > 0 and np.isfinite(size)):
        return basis, False
    unit = column / size
    for _ in range(2):  # twice is enough (Giraud et al., 2005)
        unit = unit - basis @ (basis.T @ unit)
    left = float(np.linalg.norm(unit))
    return (basis, False) if left < _SAME_DIRECTION else (np.column_stack([basis, unit / left]), True)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Euclidean norms ``(n,)`` of vectors ``(n, K)`` of any size, whose squares may be out of the range of float64."""
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return np.linalg.norm(vectors / unit[:, None], axis=1) * unit


def measure(
    law: ParametricLaw,
    values: np.ndarray,
    X: np.ndarray | RowView,
    y: np.ndarray,
    weight: np.ndarray | None,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    n_rows: int | None = None,
    scale: float | None = None,
    resolution: float = float(np.finfo(float).eps),
    deadline: float = math.inf,
) -> Curvature:
    """The curvature of a law with constants `values` (P,) on rows; of very many on some that are spread evenly.

    Parameters
    ----------
    X : ndarray or RowView (n_samples, n_features);  y : ndarray (n_samples,)
    weight : ndarray (n_samples,), optional
        Compares the rows.
    n_rows : int, optional
        How many there are where some stand for several.
    scale : float, optional
        Weights times this are the inverse variances of the targets, where these are known.
    resolution : float
        Relative rounding error of the target.
    deadline : float
        Value of ``time.time()`` after which no further block of rows is looked at.
    """
    counts = len(y) if weight is None else int(np.count_nonzero(weight))
    unit = float(np.abs(y).max()) or 1.0
    n_rows = counts if n_rows is None else n_rows
    factor = n_rows / (len(y) if weight is None else float(weight.sum()))
    n_blocks = math.ceil(len(y) / BLOCK)
    seen, triangle = 0, np.zeros((0, len(values) + 1))
    with np.errstate(all="ignore"):
        for block in (slice(first, None, n_blocks) for first in range(min(n_blocks, _MOST_BLOCKS))):
            at, slopes = derivatives(law, values, X[block], primitives)
            rows = np.column_stack([slopes, y[block] - at]) / unit
            rows *= math.sqrt(factor) if weight is None else np.sqrt(weight[block] * factor)[:, None]
            rows = np.where(np.isfinite(rows), rows, 0.0)
            triangle = np.linalg.qr(np.concatenate([triangle, rows]), mode="r")
            seen += len(rows)
            if time.time() > deadline:
                break
    missing = max(triangle.shape[1] - triangle.shape[0], 0)
    triangle = np.concatenate([triangle, np.zeros((missing, triangle.shape[1]))]) * math.sqrt(len(y) / seen)
    variance = None if scale is None else factor / scale / unit**2
    return Curvature(triangle, unit, n_rows, variance, resolution)


def derivatives(
    law: ParametricLaw, values: np.ndarray, X: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES
) -> tuple[np.ndarray, np.ndarray]:
    """Values of a law on rows ``(n,)`` and their derivatives by its constants, ``(n, P)``."""
    equation, columns = law.equation.of_used_columns()
    n_features = law.n_features
    constants = torch.from_numpy(np.tile(values, (len(X), 1))).requires_grad_()
    with torch.enable_grad():
        rows = torch.from_numpy(np.ascontiguousarray(X[:, [c for c in columns if c < n_features]], dtype=np.float64))
        chosen = constants[:, [c - n_features for c in columns if c >= n_features]]
        at = equation.forward(torch.cat([rows, chosen], dim=1), primitives)
        slopes = torch.autograd.grad(at.sum(), constants)[0] if at.requires_grad else torch.zeros_like(constants)
    return at.detach().numpy(), slopes.numpy()
