"""Errors of laws on rows that their constants were not fitted to. The form of a law stays what it is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.law import Law
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.sparse.rows import BLOCK, RowView
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.equation import Equation, Frame
from sklearn_eql.symbolic.written import constant_bits

_STEPS = 40  # of Levenberg-Marquardt, at most, from the optimum on all rows; not tuned

Rows = tuple[np.ndarray | RowView, np.ndarray, np.ndarray | None]  # X, y, sample_weight


def cross_validated_losses(
    front: Sequence[Law],
    rows: Rows,
    folds: Iterable[tuple[np.ndarray, np.ndarray]],
    primitives: Mapping[str, Primitive],
    scaling_of: Mapping | None = None,
    deadline: float = math.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared error of each law on the rows held out, and its standard error, (n_laws,) each, in units of y**2.

    In every fold the constants of each law are fitted again to the training rows, but for those that are recognised.
    The loss is the (weighted) mean over all rows held out; its standard error that of a mean over the folds. A law that
    is undefined on a row held out has an infinite loss. All are nan if `deadline` (``time.time()``) passes before the
    last fold is done.

    Parameters
    ----------
    rows : X (n_samples, n_features), y (n_samples,) and weights (n_samples,) or None
    folds : iterable of (training, held out): indices or masks of the rows
    scaling_of : mapping, optional
        `enabled` and `resolution` of :meth:`Scaling.of`.
    """
    _, y, sample_weight = rows
    unit = float(np.abs(y).max()) or 1.0
    losses, shares = [], []
    for training, held_out in folds:
        if sample_weight is not None:
            held_out = np.arange(len(y))[held_out]
            held_out = held_out[sample_weight[held_out] > 0]
        X_out, y_out, weight = _chosen(rows, held_out)
        if not len(y_out):
            continue
        fitted = refitted(front, _chosen(rows, training), primitives, scaling_of, deadline)
        if time.time() > deadline:
            return np.full(len(front), np.nan), np.full(len(front), np.nan)
        weight = np.ones(len(y_out)) if weight is None else weight
        losses.append([_error(law.equation, X_out, y_out, weight, primitives, unit) for law in fitted])
        shares.append(float(weight.sum()))
    if not losses:
        return np.full(len(front), np.nan), np.full(len(front), np.nan)
    return mean_of_folds(np.array(losses), np.array(shares), unit)


def mean_of_folds(losses: np.ndarray, shares: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the folds (K, n_laws), by their weights (K,), and its standard error; nan for a single fold."""
    shares = shares / shares.sum()
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        mean = shares @ losses
        spread = np.sqrt(shares @ (losses - mean) ** 2 / (len(losses) - 1)) if len(losses) > 1 else mean * np.nan
        return mean * unit * unit, np.where(np.isinf(mean), np.inf, spread) * unit * unit


def _chosen(rows: Rows, index: np.ndarray) -> Rows:
    """Some of the rows; a long table is not copied."""
    X, y, weight = rows
    if isinstance(X, RowView):
        part = X.where(index)
    else:
        index = np.flatnonzero(index) if np.asarray(index).dtype == bool else np.asarray(index)
        part = RowView(X, index) if len(index) > BLOCK else X[index]
    return part, y[index], None if weight is None else weight[index]


def refitted(
    front: Sequence[Law],
    rows: Rows,
    primitives: Mapping[str, Primitive],
    scaling_of: Mapping | None = None,
    deadline: float = math.inf,
) -> list[Law]:
    """The laws with constants fitted to other rows, but for those that are recognised; their losses are of these rows.

    All laws that read the rows alike are one batch. A law that is undefined on a row has an infinite loss.
    """
    fitted: dict[int, Law] = {}
    for frame in dict.fromkeys(law.equation.frame for law in front):
        among = [i for i, law in enumerate(front) if law.equation.frame == frame]
        equations = [front[i].equation for i in among]
        table = table_in(frame, rows, primitives, scaling_of or {}, deadline)
        free = [fitted_coefficients(equation, primitives) for equation in equations]
        with np.errstate(all="ignore"):
            results = table.refit_all(equations, free, _STEPS)
        unit = table.scaling.y * (1.0 if frame is None else frame.y_unit)
        for i, (equation, loss) in zip(among, results, strict=True):
            fitted[i] = replace(
                front[i], equation=equation, relative_loss=loss, loss=loss * table.variance * unit * unit
            )
    return [fitted[i] for i in range(len(front))]


def table_in(
    frame: Frame | None, rows: Rows, primitives: Mapping[str, Primitive], scaling_of: Mapping, deadline: float
) -> Table:
    """Rows as laws of a frame read them; see `cross_validated_losses`."""
    X, y, weight = rows
    if weight is not None:
        keep = weight > 0
        X, y, weight = _chosen(rows, keep)
    if frame is not None:
        X, y = frame.inside(X[:]), y / frame.y_unit
    scaling = Scaling.of(X, y, sample_weight=weight, **scaling_of)
    return Table(X, y, weight, scaling, primitives, seed=0, deadline=deadline)


def fitted_coefficients(equation: Equation, primitives: Mapping[str, Primitive]) -> np.ndarray:
    """Which coefficients are no recognised constants, bool (n_coefficients,)."""
    constant = [constant_bits(abs(value)) is not None for value in equation.coefficients()]
    return free_mask(equation, primitives) & ~np.array(constant, dtype=bool)


def _error(
    equation: Equation,
    X: np.ndarray | RowView,
    y: np.ndarray,
    weight: np.ndarray,
    primitives: Mapping[str, Primitive],
    unit: float,
) -> float:
    """Weighted mean of squared errors, in squares of `unit`; infinite where the law is undefined on a row."""
    total = 0.0
    with np.errstate(all="ignore"):
        for first in range(0, len(y), BLOCK):
            block = slice(first, first + BLOCK)
            values = equation.evaluate(X[block], primitives)
            total += float(weight[block] @ ((values - y[block]) / unit) ** 2)
    return total / float(weight.sum()) if math.isfinite(total) else math.inf
