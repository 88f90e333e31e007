"""Rough latents without a network: what coefficients that differ from series to series have in common.

A varying-coefficient model (Hastie and Tibshirani, 1993): ``d_e = sum_b (c_b + z_n * w_b) * phi_b``, linear in `c` and
`w`, and in `z`, in turns. It has other minima than the lowest, so it is begun from several latents: the slopes of the
one term whose coefficient explains most if it differs, and the direction in which coefficients differ most if all do,
each series for itself with a prior (random coefficients; Swamy, 1970). Sums over the steps of each series are all that
is needed.

Shapes: `N` series, `K` steps, `E` equations, `B` terms, `C` columns with common coefficients, `L` latents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

_ROUNDS = 50  # of alternating least squares
_SETTLED = 1e-4  # change of the latents, at unit spread
_PRIORS = (0.1, 0.01, 0.001)  # of the rows of a series, that the mean over all series is worth for its coefficients
_EXACT = 1e-12  # share of the target's square; what is left of normal equations is not known better


def latents_from_coefficients(phi: np.ndarray, target: np.ndarray, n_latents: int) -> np.ndarray | None:
    """Latents ``(N, L)`` by which coefficients differ: those that explain most of what common coefficients do not.

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
        begun = [slopes, *_principal(columns, phi, target)]
        latent = _along_all_terms(columns, phi, target, begun)
        found.append(latent)
        columns = np.concatenate([columns, latent[:, None, None] * phi], axis=2)
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


def _principal(columns: np.ndarray, phi: np.ndarray, target: np.ndarray) -> Iterator[np.ndarray]:
    """Latents (N,), at unit spread: the direction in which the coefficients of series differ most, for every prior."""
    gram = np.einsum("nkc,nkd->ncd", columns, columns).sum(axis=0)
    cross = np.einsum("nkc,nke->ce", columns, target)
    rest = target - columns @ (np.linalg.pinv(gram, hermitian=True) @ cross)
    own = np.einsum("nkb,nkd->nbd", phi, phi)  # (N, B, B)
    along = np.einsum("nkb,nke->nbe", phi, rest)
    if not (np.isfinite(own).all() and np.isfinite(along).all()):
        return
    values, vectors = np.linalg.eigh(own.mean(axis=0))
    kept = values > _EXACT * values.max()  # directions that the rows have
    whiten = vectors[:, kept] / np.sqrt(values[kept])
    own, along = whiten.T @ own @ whiten, whiten.T @ along  # the mean of `own` is the identity
    for prior in _PRIORS:
        deviations = np.linalg.solve(own + prior * np.eye(own.shape[1]), along).reshape(len(own), -1)
        if not np.isfinite(deviations).all():
            continue
        leading = np.linalg.svd(deviations - deviations.mean(axis=0), full_matrices=False)[0][:, 0]
        if leading.std() > 0:
            yield (leading - leading.mean()) / leading.std()


def _along_all_terms(
    columns: np.ndarray, phi: np.ndarray, target: np.ndarray, starts: Sequence[np.ndarray]
) -> np.ndarray:
    """The latent (N,), at unit spread, along which the coefficients of all terms may differ.

    Of those that the `starts` lead to, the one that leaves least of the target.
    """
    both = np.concatenate([columns, phi], axis=2)
    gram = np.einsum("nkc,nkd->ncd", both, both)
    cross = np.einsum("nkc,nke->nce", both, target)
    square = np.einsum("nke,nke->e", target, target)
    n_rows = target[:, :, 0].size
    fits = (_in_turns(gram, cross, square, columns.shape[2], n_rows, start) for start in starts)
    return min(fits, key=lambda fit: fit[0])[1]


def _in_turns(
    gram: np.ndarray, cross: np.ndarray, square: np.ndarray, n_columns: int, n_rows: int, latent: np.ndarray
) -> tuple[float, np.ndarray]:
    """Coefficients and the latent by least squares in turns, from sums over rows of `n_columns` columns and all terms.

    The prior of the latent is a normal distribution of unit variance, so that a series that tells nothing of it stays
    in the middle. With the logarithm of what it leaves of the target, summed over the equations.
    """
    for _ in range(_ROUNDS):
        factor = np.where(np.arange(gram.shape[1]) < n_columns, 1.0, latent[:, None])  # (N, C + B)
        along = (factor[:, :, None] * cross).sum(axis=0)
        normal = np.einsum("nc,ncd,nd->cd", factor, gram, factor)
        fitted = np.linalg.pinv(normal, hermitian=True) @ along  # (C + B, E)
        left = np.maximum(square - (along * fitted).sum(axis=0), np.maximum(_EXACT * square, np.finfo(float).tiny))
        common, slopes = fitted[:n_columns], fitted[n_columns:] * np.sqrt(n_rows / left)
        rest = cross[:, n_columns:] - gram[:, n_columns:, :n_columns] @ common  # (N, B, E)
        pull = np.einsum("be,nbe->n", slopes, rest * np.sqrt(n_rows / left))
        new = pull / (1 + np.einsum("be,nbd,de->n", slopes, gram[:, n_columns:, n_columns:], slopes))
        spread = new.std()
        if not (np.isfinite(new).all() and spread > 0):
            break
        before, latent = latent, (new - new.mean()) / spread
        if np.abs(latent - before).max() < _SETTLED:
            break
    return float(np.log(left).sum()), latent
