"""How sure constants are: their covariance at an optimum of least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sklearn_eql.parametric.fit import Arrow, ParametricFit, linearise
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES, Primitive


@dataclass(frozen=True)
class Covariance:
    """Of the constants of a fit, from the curvature of the squared error (Gauss-Newton).

    Parameters
    ----------
    shared : ndarray (S, S)
    own : ndarray (G, O, O)
    between : ndarray (G, O, S)
        Of a group's own constants with the shared ones.
    variance : float
        Of a residual of weight one.
    n_left : int
        Degrees of freedom: rows that count, less constants.
    """

    shared: np.ndarray
    own: np.ndarray
    between: np.ndarray
    variance: float
    n_left: int

    @property
    def shared_errors(self) -> np.ndarray:
        """Standard errors of the shared constants, ``(S,)``."""
        return np.sqrt(np.maximum(np.diagonal(self.shared), 0.0))

    @property
    def own_errors(self) -> np.ndarray:
        """Standard errors of the groups' own constants, ``(G, O)``."""
        return np.sqrt(np.maximum(np.diagonal(self.own, axis1=1, axis2=2), 0.0))


def covariance(
    law: ParametricLaw,
    rows: GroupedRows,
    fit: ParametricFit,
    primitives: Mapping[str, Primitive] = PRIMITIVES,
    *,
    variance: float | None = None,
) -> Covariance:
    """Covariance of all constants.

    Parameters
    ----------
    variance : float, optional
        Of a residual of weight one, where it is known; estimated from the residuals by default.

    Notes
    -----
    With the arrow ``[[A, B'], [B, D]]`` (`D` block-diagonal), the shared block of its inverse is that of
    ``A - B' D**-1 B``, and a group's own block is ``D**-1 + D**-1 B (shared) B' D**-1``. Directions that the rows say
    nothing of have an infinite error.
    """
    with np.errstate(all="ignore"):
        at = linearise(law, rows, fit.shared, fit.own, primitives)
        arrow = Arrow.of(at, rows)
        n_left = int(np.count_nonzero(rows.weight)) - fit.shared.size - fit.own.size
        if variance is None:
            variance = fit.squared_error / n_left if n_left > 0 else np.inf
        own = _inverse(arrow.own)
        from_shared = own @ arrow.between  # (G, O, S)
        shared = _inverse((arrow.shared - np.einsum("gos,got->st", arrow.between, from_shared))[None])[0]
        between = -from_shared @ shared
        own = own + from_shared @ shared @ from_shared.transpose(0, 2, 1)
        return Covariance(shared * variance, own * variance, between * variance, variance, n_left)


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Inverses of positive definite matrices, scaled to a unit diagonal; infinite where singular."""
    if not matrices.shape[1]:
        return np.zeros_like(matrices)
    size = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    scales = np.where(size > 0, size, 1.0)
    scales = scales[:, :, None] * scales[:, None, :]
    found = np.empty_like(matrices)
    for i, matrix in enumerate(matrices / scales):
        try:
            found[i] = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            found[i] = np.diag(np.full(len(matrix), np.inf))
    return found / scales
