"""Rough latents without a network: the coefficient that differs most from series to series is one.

A varying-coefficient model (Hastie and Tibshirani, 1993) with one coefficient per series, ``d_e = sum_b c_b * phi_b +
slope_n * phi_b``, is linear, whichever term it is that has the slopes. Their sums over series are all that is needed.

Shapes: `N` series, `K` steps, `E` equations, `B` terms, `C` columns with common coefficients, `L` latents.
"""

from __future__ import annotations

import numpy as np

_EXACT = 1e-12  # share of the target's square; what is left of normal equations is not known better


def latents_from_coefficients(phi: np.ndarray, target: np.ndarray, n_latents: int) -> np.ndarray | None:
    """Latents ``(N, L)``: the slopes, per series, that explain most of what common coefficients do not.

    One after the other; the products of a latent with all terms are among the columns when the next one is looked for.

    Parameters
    ----------
    phi : ndarray (N, K, B)
        Terms at unit scale.
    target : ndarray (N, K, E)
        What the law gives.

    Returns
    -------
    latents : ndarray (N, L) or None
        None if no coefficient differs.
    """
    columns, found = phi, []
    for _ in range(n_latents):
        slopes = _most_varying(columns, phi.shape[2], target)
        if slopes is None:
            return None
        found.append(slopes)
        columns = np.concatenate([columns, slopes[:, None, None] * phi], axis=2)
    return np.stack(found, axis=1)


def _most_varying(columns: np.ndarray, n_terms: int, target: np.ndarray) -> np.ndarray | None:
    """Coefficients per series (N,), at unit spread, of the term and in the equation where they explain most."""
    gram = np.einsum("nkc,nkd->ncd", columns, columns)
    cross = np.einsum("nkc,nke->nce", columns, target)
    square = np.einsum("nke,nke->e", target, target)
    floor = np.maximum(_EXACT * square, np.finfo(float).tiny)
    common = np.linalg.pinv(gram.sum(axis=0), hermitian=True) @ cross.sum(axis=0)
    before = np.maximum(square - (cross.sum(axis=0) * common).sum(axis=0), floor)
    most, slopes = 0.0, None
    for b in range(n_terms):
        size = np.maximum(gram[:, b, b], np.finfo(float).tiny)[:, None]
        share = gram[:, :, b] / size  # (N, C) of each column along the term, series by series
        reduced = gram.sum(axis=0) - share.T @ gram[:, :, b]
        along = cross.sum(axis=0) - share.T @ cross[:, b]  # (C, E)
        common = np.linalg.pinv(reduced, hermitian=True) @ along
        left = square - (cross[:, b] ** 2 / size).sum(axis=0) - (along * common).sum(axis=0)
        gain = np.log(before / np.maximum(left, floor))
        e = int(np.argmax(gain))
        if gain[e] > most:
            own = cross[:, b, e] / size[:, 0] - share @ common[:, e]
            if np.isfinite(own).all() and own.std() > 0:
                most, slopes = gain[e], own / own.std()
    return slopes
