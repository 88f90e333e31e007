"""Checks of parameters that all estimators share."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

_LARGEST = int(np.iinfo(np.int64).max)


def check_sizes(estimator: BaseEstimator) -> None:
    """Raise ValueError for integers beyond those of a machine: Python's own have no end, and fit any interval.

    Numbers inside mappings and sequences (copies of functions, shapes, layers) are looked at, too.
    """
    for name, value in estimator.get_params(deep=False).items():
        for number in _numbers_in(value):
            if isinstance(number, int) and abs(number) > _LARGEST:
                raise ValueError(
                    f"{name} holds an integer of {len(str(abs(number)))} digits, expected one that fits 64 bits. Use "
                    "a smaller number."
                )


def check_latents(n_latents: int, n_given: int, what: str) -> None:
    """Raise ValueError for as many latents as samples or series: a law of so many interpolates, and says nothing."""
    if n_latents >= n_given:
        raise ValueError(
            f"n_latents={n_latents} for {n_given} {what}, expected fewer latents than {what}. Use n_latents=1 or 2, or "
            f"give more {what}."
        )


def _numbers_in(value: Any) -> list[Real]:
    if isinstance(value, Mapping):
        value = list(value.values())
    entries = value if isinstance(value, (list, tuple)) else [value]
    return [entry for entry in entries if isinstance(entry, Real)]
