"""Levenberg-Marquardt for many small problems at once: a latent of each series, independent of all others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""``evaluate(z) -> (errors (N, R), slopes (N, R, L))``: what a model leaves over at latents ``(N, L)``, its slopes."""

_FIRST_DAMPING = 1e-6  # of the trace of the curvature: nearly a Gauss-Newton step, as starts are good
_LEAST_DAMPING = 1e-15  # rounding of the curvature: with less, two latents that do the same have a singular matrix
_MOST_DAMPING = 1e6  # steps of a millionth: nothing is gained by shorter ones
_FACTOR = 10.0  # by which damping falls after a step that helps, and rises after one that does not


def fit_each(evaluate: Evaluate, start: np.ndarray, max_iter: int, tolerance: float) -> np.ndarray:
    """Latents ``(N, L)`` of least squared error, series by series, from those of `start`.

    Series for which no step helps, or whose errors are not finite, keep what they have.

    Parameters
    ----------
    tolerance : float
        Relative fall of the squared error of every series below which the fit ends.
    """
    with np.errstate(all="ignore"):  # what is not finite is no step
        return _fit_each(evaluate, start, max_iter, tolerance)


def _fit_each(evaluate: Evaluate, start: np.ndarray, max_iter: int, tolerance: float) -> np.ndarray:
    z = start
    error, slopes = evaluate(z)
    loss = _squared(error)
    damping = np.full(len(z), _FIRST_DAMPING)
    for _ in range(max_iter):
        trial = z + damped_step(error, slopes, damping)
        trial_error, trial_slopes = evaluate(trial)
        trial_loss = _squared(trial_error)
        better = trial_loss < loss
        fall = np.where(better & np.isfinite(loss), loss - trial_loss, 0.0)
        settled = bool((fall <= tolerance * loss).all())
        z = np.where(better[:, None], trial, z)
        error = np.where(better[:, None], trial_error, error)
        slopes = np.where(better[:, None, None], trial_slopes, slopes)
        loss = np.where(better, trial_loss, loss)
        damping = np.where(better, damping / _FACTOR, damping * _FACTOR).clip(_LEAST_DAMPING, _MOST_DAMPING)
        if settled:
            break
    return z


def damped_step(error: np.ndarray, slopes: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """A step of each series, ``(N, L)``, zero where the normal equations are not finite.

    To first order a step `s` leaves ``e - J s`` over. The minimum of ``|e - J s|**2 + damping * tr(J'J) * |s|**2``
    solves ``(J'J + damping * tr(J'J) I) s = J'e`` (Levenberg, 1944; the trace makes `damping` a pure number).
    """
    matrix = slopes.swapaxes(1, 2) @ slopes  # (N, L, L)
    gradient = (slopes.swapaxes(1, 2) @ error[:, :, None])[:, :, 0]  # (N, L)
    size = np.trace(matrix, axis1=1, axis2=2) + np.finfo(float).tiny
    eye = np.eye(matrix.shape[1])
    damped = matrix + (damping * size)[:, None, None] * eye
    sound = np.isfinite(damped).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1)
    damped = np.where(sound[:, None, None], damped, eye)
    return np.linalg.solve(damped, np.where(sound[:, None], gradient, 0.0)[:, :, None])[:, :, 0]


def _squared(error: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.einsum("nr,nr->n", error, error), nan=np.inf, posinf=np.inf)
