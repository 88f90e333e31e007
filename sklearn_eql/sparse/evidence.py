"""How clearly a target depends on each column of a wide table: cheap linear fits, before any law is tried.

A law of a few columns shows in one of five ways, and each is looked for among all columns: a transform of a column
explains a part of the target (forward selection over ``x, x**2, 1/x, log|x|``, then sines and cosines), or of its
logarithm (a product of powers is a sum of logarithms), a product of two columns does (all pairs, by matrix products),
one of a column that is found and a transform of any other, or the size of what is left over changes with a column (a
factor whose sign changes).

The work is bounded: rows are cut so that no step takes more than `_MOST_VALUES` numbers or `_MOST_PRODUCTS` products.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from sklearn_eql.sparse.rows import RowView

MOST_ROWS = 2000
"""Rows that are looked at, at most: more change no ranking that a search could use."""

_MOST_VALUES = 4_000_000  # of the table: times four transforms in single precision, 64 MB
_MOST_WAVE_VALUES = 1_000_000  # likewise, times six sines and cosines, 24 MB
_MOST_PRODUCTS = 10**10  # rows times pairs of columns: a second or two of one core
_BLOCK = 512  # columns of a block of pairs: bounds its memory to block times columns
_MOST_STEPS = 12  # of one forward selection
_PAIRS_KEPT = 48  # of one scan, likeliest first
_SCANS = 2  # pairs that are hidden under others show in the second
_FACTORS = 2  # columns that what is left over is multiplied by, to see factors of alternating sign
_MULTIPLIED = 4  # columns, the clearest, that transforms of all are multiplied by
_MULTIPLIED_STEPS = 2  # of a forward selection of these: further ones follow the size of what is left over
_MULTIPLIED_MARGIN = 1.5  # times what Gaussian columns explain by chance
_LARGEST_RESIDUAL = 2.0  # standard deviations of what is left over: products have heavy tails, and a few rows decide
_FREQUENCIES = (1.0, 2.0, 3.0)  # of sines and cosines, per standard deviation
_CHANCE = 0.01  # that one of all candidates is as good by accident
_EXPLAINED = 1e-9  # of the variance: what single precision can leave over


@dataclass
class _Candidates:
    """Unit columns that may explain a target, and which columns of the table each one reads."""

    values: np.ndarray  # (n_rows, n_candidates) float32, centred, of length one; zero where unusable
    columns: np.ndarray  # (n_candidates, 2) int, twice the same for a function of one column


def evidence(X: np.ndarray | RowView, y: np.ndarray, seed: int, deadline: float = math.inf) -> np.ndarray:
    """How clearly the target depends on each column; above one is more than chance, shape (n_features,).

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
        Finite.
    seed : int
        Of the sample of rows.
    deadline : float
        Value of ``time.time()`` after which no further kind of dependence is looked for.
    """
    n_features = X.shape[1]
    rows = _sample(len(y), min(MOST_ROWS, max(100, _MOST_VALUES // n_features)), seed)
    Z, target = unit_scale(X[rows]), unit_scale(y[rows, None])[:, 0]
    found = np.zeros(n_features)
    singles = _transforms(Z)
    left = _explain(target, singles, found)
    for _ in range(_SCANS):
        if time.time() > deadline or left @ left < _EXPLAINED:
            break
        pairs = _best_pairs(Z, left, found, deadline)
        if pairs is None:
            break
        joined = _Candidates(
            np.concatenate([singles.values, pairs.values], axis=1), np.concatenate([singles.columns, pairs.columns])
        )
        left = _explain(target, joined, found)
    logs = np.abs(target) > 1e-6 * np.abs(target).max()
    if logs.sum() > len(target) // 2 and time.time() < deadline:
        _explain(np.log(np.abs(target[logs])), _logarithms(Z[logs]), found)
    if left @ left > _EXPLAINED and time.time() < deadline:
        step = math.ceil(Z.size / _MOST_WAVE_VALUES)
        waves = _waves(Z[::step])
        _explain(left[::step], waves, found)
        _explain(left**2, singles, found)
        for k in np.argsort(-found)[:_FACTORS]:
            if found[k] <= 1 or time.time() > deadline:
                break
            with_factor = left * (Z[:, k] - Z[:, k].mean())
            _best_pairs(Z, _explain(with_factor, singles, found), found, deadline)
        largest = _LARGEST_RESIDUAL * float(np.std(left))
        clipped = np.clip(left - left.mean(), -largest, largest)
        for k in np.argsort(-found)[:_MULTIPLIED]:
            if found[k] <= 1 or time.time() > deadline:
                break
            limits = (found, _MULTIPLIED_STEPS, _MULTIPLIED_MARGIN)
            _explain(clipped, _times(singles, Z[:, k], int(k)), *limits)
            _explain(clipped[::step], _times(waves, Z[::step, k], int(k)), *limits)
    return found


def _sample(n_rows: int, most: int, seed: int) -> np.ndarray:
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, most, replace=False))


def unit_scale(X: np.ndarray) -> np.ndarray:
    """Columns over their largest absolute value, which single precision and squares can hold."""
    largest = np.abs(X).max(axis=0)
    return X / np.where(largest > 0, largest, 1.0)


def _candidates(blocks: list[np.ndarray], columns: np.ndarray) -> _Candidates:
    """Centred columns of length one; those that do not vary become zero."""
    values = np.concatenate([block.astype(np.float32) for block in blocks], axis=1)
    values -= values.mean(axis=0)
    length = np.linalg.norm(values, axis=0)
    values *= np.where(length > 1e-5 * math.sqrt(len(values)), 1 / np.maximum(length, 1e-30), 0.0).astype(np.float32)
    return _Candidates(values, columns)


def _transforms(Z: np.ndarray) -> _Candidates:
    signed = (Z > 0).all(axis=0) | (Z < 0).all(axis=0)
    every, one_sign = np.arange(Z.shape[1]), np.flatnonzero(signed)
    smallest = np.abs(Z[:, one_sign]).min(axis=0)
    blocks = [Z, (Z - Z.mean(axis=0)) ** 2, smallest / Z[:, one_sign], np.log(np.abs(Z[:, one_sign]))]
    columns = np.concatenate([every, every, one_sign, one_sign])
    return _candidates(blocks, np.stack([columns, columns], axis=1))


def _waves(Z: np.ndarray) -> _Candidates:
    spread = Z.std(axis=0)
    angles = Z / np.where(spread > 0, spread, 1.0)
    blocks = [function(w * angles).astype(np.float32) for w in _FREQUENCIES for function in (np.sin, np.cos)]
    columns = np.tile(np.arange(Z.shape[1]), len(blocks))
    return _candidates(blocks, np.stack([columns, columns], axis=1))


def _times(candidates: _Candidates, column: np.ndarray, k: int) -> _Candidates:
    """All of them times column `k`, centred: a factor that is hidden under a larger term would add its own part."""
    factor = (column - column.mean()).astype(np.float32)
    columns = np.stack([np.full(len(candidates.columns), k), candidates.columns[:, 1]], axis=1)
    return _candidates([candidates.values * factor[:, None]], columns)


def _logarithms(Z: np.ndarray) -> _Candidates:
    every = np.arange(Z.shape[1])
    size = np.abs(Z)
    floor = np.where(size > 0, size, np.inf).min(axis=0)
    floor = np.where(np.isfinite(floor), floor, 1.0)  # a zero has no logarithm, and should not decide
    columns = np.concatenate([every, every])
    return _candidates([np.log(np.maximum(size, floor)), Z], np.stack([columns, columns], axis=1))


def _explain(
    target: np.ndarray,
    candidates: _Candidates,
    found: np.ndarray,
    most_steps: int = _MOST_STEPS,
    margin: float = 1.0,
) -> np.ndarray:
    """Forward selection by orthogonal least squares: what it leaves of the target, relative to the whole.

    Raises the evidence `found` for the columns of each step, and, of the first step, for all; evidence is the share
    that is explained, over `margin` times what the best of all candidates explains by chance. Chen, Billings and Luo
    (1989): the gain of a candidate is that of its part orthogonal to those already chosen.
    """
    left = target - target.mean()
    size = np.linalg.norm(left)
    if size == 0 or not np.isfinite(size):
        return np.zeros_like(left)
    left = left / size
    values = candidates.values
    free = (values**2).sum(axis=0, dtype=np.float64)  # squared length of what is orthogonal to the basis
    basis: list[np.ndarray] = []
    for step in range(min(most_steps, len(left) - 3)):
        gain = np.where(free > 1e-4, (left.astype(np.float32) @ values).astype(float) ** 2 / np.maximum(free, 1e-4), 0)
        share = gain / max(left @ left, 1e-300)
        chance = margin * _by_chance(len(left) - step - 1, values.shape[1])
        if step == 0:
            for k in range(2):
                np.maximum.at(found, candidates.columns[:, k], share / chance)
        best = int(np.argmax(share))
        if share[best] < chance:
            break
        for column in candidates.columns[best]:
            found[column] = max(found[column], share[best] / chance)
        direction = values[:, best].astype(float)
        for _ in range(2):
            for other in basis:
                direction = direction - other * (other @ direction)
        direction /= np.linalg.norm(direction)
        basis.append(direction)
        left = left - direction * (direction @ left)
        free = free - (direction.astype(np.float32) @ values).astype(float) ** 2
        if left @ left < _EXPLAINED:
            break
    return left


def _by_chance(n_rows: int, n_candidates: int) -> float:
    """Share of the variance that the best of so many candidates explains by accident, once in 1 / `_CHANCE` times.

    The squared correlation of independent Gaussian columns has the distribution Beta(1/2, (N - 2) / 2).
    """
    return float(beta.isf(_CHANCE / max(n_candidates, 1), 0.5, max(n_rows - 2, 1) / 2))


def _best_pairs(Z: np.ndarray, left: np.ndarray, found: np.ndarray, deadline: float) -> _Candidates | None:
    """Products of two columns that explain more of `left` than chance; None if there are none."""
    n_rows, n_features = Z.shape
    n_used = min(n_rows, max(100, _MOST_PRODUCTS // n_features**2))
    centred = Z - Z.mean(axis=0)
    spread = centred.std(axis=0)
    usable = np.flatnonzero(spread > 0)
    if len(usable) < 2:
        return None
    centred = centred[:, usable] / spread[usable]
    chance = _by_chance(n_used, len(usable) ** 2 // 2)
    kept: list[tuple[float, int, int]] = []
    for first, shares in _shares_of_pairs(centred[:n_used].astype(np.float32), left[:n_used].astype(np.float32)):
        best = np.argpartition(-shares, min(_PAIRS_KEPT, shares.size - 1), axis=None)[:_PAIRS_KEPT]
        for i, j in zip(*np.unravel_index(best, shares.shape), strict=True):
            if shares[i, j] > chance:
                kept.append((float(shares[i, j]), first + int(i), int(j)))
        kept = sorted(kept, reverse=True)[:_PAIRS_KEPT]
        if time.time() > deadline:
            break
    if not kept:
        return None
    for share, i, j in kept:
        for column in usable[[i, j]]:
            found[column] = max(found[column], share / chance)
    i, j = np.array([k[1] for k in kept]), np.array([k[2] for k in kept])
    return _candidates([centred[:, i] * centred[:, j]], np.stack([usable[i], usable[j]], axis=1))


def _shares_of_pairs(Z: np.ndarray, left: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """First column of a block, and the share of `left` that each product of one of its columns with another explains.

    The correlation of ``z_i z_j`` with r is ``sum_k r_k z_ki z_kj`` over lengths: three matrix products for all pairs.
    """
    left = left - left.mean()
    total = max(float(left @ left), 1e-30)
    squares = Z**2
    for first in range(0, Z.shape[1], _BLOCK):
        block = slice(first, first + _BLOCK)
        along = (Z[:, block] * left[:, None]).T @ Z
        length = squares[:, block].T @ squares - (Z[:, block].T @ Z) ** 2 / len(Z)
        shares = along**2 / (np.maximum(length, 1e-3 * len(Z)) * total)
        yield first, np.triu(shares, first + 1)
