"""Errors of laws of groups on rows held out: constants, shared and own, are fitted to the other rows of all groups."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.refitting import Refitting
from sklearn_eql.laws.cross_validation import mean_of_folds
from sklearn_eql.primitives import Primitive


def folds_of_groups(codes: np.ndarray, n_folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training rows and rows held out, as indices, for each fold: every group has rows of both kinds in each.

    The rows of a group are dealt to the folds at random; the only row of a group, or of a fold, is never held out.

    Parameters
    ----------
    codes : ndarray (n_samples,) of int
        Groups, from 0.
    n_folds : int
        At least 2.
    """
    rng = np.random.default_rng(seed)
    fold = np.full(len(codes), -1)
    for group in range(int(codes.max()) + 1):
        its = rng.permutation(np.flatnonzero(codes == group))
        if len(its) > 1:
            fold[its] = (np.arange(len(its)) + rng.integers(n_folds)) % n_folds
    for k in range(n_folds):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


def losses_of_groups(
    front: Sequence[GroupLaw],
    rows: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    codes: np.ndarray,
    folds: Iterable[tuple[np.ndarray, np.ndarray]],
    primitives: Mapping[str, Primitive],
    deadline: float = math.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`~sklearn_eql.laws.cross_validation.cross_validated_losses`, of laws of groups.

    Own constants that are laws of the number of their group are held.

    Parameters
    ----------
    front : sequence of GroupLaw
        Without columns for constants of other laws.
    rows : X (n_samples, n_features), y (n_samples,) and weights (n_samples,) or None
    codes : ndarray (n_samples,) of int
        Groups, from 0.
    folds : iterable of (training, held out) rows
        With rows of every group in the training part.
    """
    X, y, weight = rows
    weight = np.ones(len(y)) if weight is None else weight
    unit = float(np.abs(y).max()) or 1.0
    nothing = np.full(len(front), np.nan)
    losses, shares = [], []
    for training, held_out in folds:
        if not weight[held_out].any():
            continue
        if time.time() > deadline:
            return nothing, nothing
        given, left_out = ((X[r], y[r], weight[r], codes[r]) for r in (np.asarray(training), np.asarray(held_out)))
        losses.append([_error(law, given, left_out, primitives, unit, deadline) for law in front])
        shares.append(float(weight[held_out].sum()))
    return mean_of_folds(np.array(losses), np.array(shares), unit) if losses else (nothing, nothing)


def _error(law: GroupLaw, training: tuple, held_out: tuple, primitives, unit: float, deadline: float) -> float:
    """Weighted mean of squared errors on the rows held out, in squares of `unit`."""
    again = Refitting.of(law, primitives)
    X, y, weight, codes = training
    fit = again.fit(X, y, weight, codes, primitives, deadline)
    X, y, weight, codes = held_out
    with np.errstate(all="ignore"):
        left = (again.values(fit, X, codes, primitives) - y) / unit
        error = float(np.average(left**2, weights=weight))
    return error if math.isfinite(error) else math.inf
