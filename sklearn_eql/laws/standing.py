"""How each law of a table stands beside the selected one: what the data decide, and what they do not."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from sklearn_eql.laws.law import Law
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.rows import BLOCK, RowView

_MOST_BLOCKS = 64  # of rows that are looked at: half a million


@dataclass(frozen=True)
class Standing:
    """What a table says of one law beside the others; see `equations_`. Plain numbers."""

    delta_dl: float  # nats
    rival: bool | None  # None before a law is selected
    cv_loss: float | None = None  # in units of y squared; None where it was not asked for, nan where time was short
    cv_loss_se: float | None = None
    reduced_chi2: float | None = None  # None where the errors of the target are not known


def standing_from_record(record: Mapping) -> Standing:
    """A standing from its record of plain values, which may have names that this version does not know."""
    known = {field.name for field in fields(Standing)}
    return Standing(**{name: value for name, value in record.items() if name in known})


def standings(
    front: Sequence[Law],
    n_rows: int,
    marks: Sequence[bool] | None,
    cv_losses: np.ndarray | None = None,
    cv_errors: np.ndarray | None = None,
) -> list[Standing]:
    """The standing of every law, from what is known: rivals before a law is selected are not."""
    deltas = delta_description_lengths(front, n_rows)
    marks = [None] * len(front) if marks is None else marks
    cross = [(None, None)] * len(front)
    if cv_losses is not None:
        cross = list(zip(cv_losses.tolist(), cv_errors.tolist(), strict=True))
    return [Standing(delta, mark, *errors) for delta, mark, errors in zip(deltas, marks, cross, strict=True)]


def delta_description_lengths(front: Sequence[Law], n_rows: int) -> list[float]:
    """Nats by which each law takes longer to describe than the shortest, ``(D - min D) / 2``.

    `description_length` is twice a length. With two laws of equal prior odds, ``exp(-delta)`` is the odds that the data
    give the longer one, so a difference below 2 or 3 is no evidence (Kass and Raftery, 1995).
    """
    lengths = [law.description_length(n_rows) for law in front]
    return [(length - min(lengths)) / 2 for length in lengths]


def rivals(
    front: Sequence[Law],
    best: int,
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    primitives: Mapping[str, Primitive],
    deadline: float = math.inf,
) -> list[bool]:
    """Which laws have errors on the rows that cannot be told from those of the selected law `best`.

    Paired, row by row: the mean of the differences of the (weighted) squared residuals is within one standard error of
    zero. That is the statistic of Vuong (1989) for laws with normal errors of one variance, and the rule of one
    standard error. As fitted coefficients make squared residuals too small, the losses times ``N / (N - n_free)`` are
    compared as well, and the difference between the two comparisons is in doubt: a law is no rival where both are on
    one side, by more than the standard error. Otherwise one superfluous coefficient would tell laws apart that predict
    the same. Of two nested laws, the shorter is a rival unless the likelihood ratio statistic for the one coefficient
    that it lacks is above some 6.

    An exact law has exact rivals only, and no other law has them. The selected law is no rival of itself.

    Parameters
    ----------
    X : ndarray or RowView (n_samples, n_features);  y : ndarray (n_samples,);  sample_weight : (n_samples,) or None
    deadline : float
        Value of ``time.time()`` after which no further block of rows is looked at. Of very many rows, too, some that
        are spread evenly over the table are enough.
    """
    n_rows, unit = len(y), float(np.abs(y).max()) or 1.0
    scale = None if sample_weight is None else sample_weight / sample_weight.mean()
    n_blocks = math.ceil(n_rows / BLOCK)  # each has rows from the whole table
    seen, losses, total, squares = 0, *np.zeros((3, len(front)))
    with np.errstate(all="ignore"):  # laws that overflow on a row are told by what is not finite
        for block in (slice(first, None, n_blocks) for first in range(min(n_blocks, _MOST_BLOCKS))):
            rows, target = X[block], y[block]
            residuals = np.stack([(law.equation.evaluate(rows, primitives) - target) / unit for law in front])
            errors = residuals**2 * (1.0 if scale is None else scale[block])
            differences = errors - errors[best]  # (n_laws, rows of the block)
            seen += len(target)
            losses += errors.sum(axis=1)
            total += differences.sum(axis=1)
            squares += (differences**2).sum(axis=1)
            if time.time() > deadline:
                break
        losses, mean = losses / seen, total / seen
        standard_error = np.sqrt(np.maximum(squares / seen - mean**2, 0.0) / max(seen - 1, 1))
        unbiased = losses * [n_rows / max(n_rows - law.n_free, 1) for law in front]
        both = np.stack([mean, unbiased - unbiased[best]])
        alike = (both.min(axis=0) <= standard_error) & (both.max(axis=0) >= -standard_error)
    exact = np.array([law.level <= law.exact for law in front])
    found = np.where(exact | exact[best], exact & exact[best], alike)
    found[best] = False
    return found.tolist()
