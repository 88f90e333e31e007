"""Errors of laws on rows held out, where features have errors: by the likelihood of these rows, moved onto each law."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sklearn_eql.laws.cross_validation import mean_of_folds
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.errors_in_variables import Measured
from sklearn_eql.uncertainty.both_axes import Moved, as_likely, moved_onto
from sklearn_eql.uncertainty.constants import Parameters

_ROUNDS = 8  # of places, of rows that are held out


def terms_on(
    parameters: Parameters,
    values: np.ndarray,
    moved: Moved,
    training: Measured,
    held_out: Measured,
    primitives: Mapping[str, Primitive],
) -> np.ndarray:
    """`terms` of rows held out, moved onto a law of numbers `values` (P,); nan where it is undefined, ``(n,)``.

    Parameters
    ----------
    moved : Moved
        The rows that the law is fitted to: where errors of the target are not known, they tell these.
    training, held_out : Measured
    """
    y_error = held_out.y_error
    if y_error is None:
        scale = 1.0 if training.scale is None else training.scale
        noise = math.sqrt(float(np.median(moved.noise / scale**2)))
        y_error = noise * (np.ones(len(held_out.y)) if held_out.scale is None else held_out.scale)
    about = (held_out.X, held_out.y, held_out.weight, held_out.x_error, y_error, primitives)
    places = None
    with np.errstate(all="ignore"):
        for _ in range(_ROUNDS):
            found = moved_onto(parameters.law, values, *about, places=places)
            places = found.X
        return found.terms


def cross_validated_likelihoods(
    laws: Sequence[Parameters],
    rows: Measured,
    folds: Iterable[tuple[np.ndarray, np.ndarray]],
    primitives: Mapping[str, Primitive],
    deadline: float = math.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`~sklearn_eql.laws.cross_validation.cross_validated_losses`: mean squared errors that are as likely.

    Parameters
    ----------
    laws : sequence of Parameters
        Numbers of the laws; recognised ones stay.
    rows : Measured
    folds : iterable of (training, held out): indices or masks of the rows
    """
    nothing = np.full(len(laws), np.nan)
    losses, shares = [], []
    for training, held_out in folds:
        inner, outer = rows.part(training), rows.part(held_out)
        if not outer.weight.any():
            continue
        means = []
        for parameters in laws:
            if time.time() > deadline:
                return nothing, nothing
            found = inner.onto(parameters, primitives, deadline)
            mean = math.inf
            if found is not None:
                terms = terms_on(parameters, *found, inner, outer, primitives)
                mean = float(np.average(terms, weights=outer.weight))
            means.append(as_likely(mean) if math.isfinite(mean) else math.inf)
        losses.append(means)
        shares.append(float(outer.weight.sum()))
    return mean_of_folds(np.array(losses), np.array(shares), 1.0) if losses else (nothing, nothing)
