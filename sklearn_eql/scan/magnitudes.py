"""Columns as logarithms of their magnitudes, beside the signs that go lost in these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import torch

_MAX_PATTERNS = 256  # of odd exponents


@dataclass(frozen=True)
class Magnitudes:
    """Columns of a table from which power laws are made.

    Parameters
    ----------
    logs : ndarray (n_rows, n_columns)
        Logarithms of their magnitudes.
    negative : ndarray (n_rows, n_columns) of bool
        Where a column of both signs is below zero.
    units : ndarray (n_columns,)
    odd : ndarray (n_columns,) of bool, or None
        Which columns of both signs have odd exponents, if the signs of the target tell.
    """

    logs: np.ndarray
    negative: np.ndarray
    units: np.ndarray
    odd: np.ndarray | None = None

    @classmethod
    def positive(cls, logs: np.ndarray, units: np.ndarray) -> Magnitudes:
        """Columns of one sign each."""
        return cls(logs, np.zeros(logs.shape, dtype=bool), units)

    @property
    def n_columns(self) -> int:
        return self.logs.shape[1]

    @cached_property
    def is_mixed(self) -> np.ndarray:
        """Which columns have both signs, (n_columns,)."""
        return self.negative.any(axis=0)

    def beside(self, other: Magnitudes) -> Magnitudes:
        """These columns and others; the exponents of the others are not known to be odd or even."""
        odd = None if self.odd is None else np.concatenate([self.odd, np.zeros(other.n_columns, dtype=bool)])
        parts = ((self.logs, other.logs), (self.negative, other.negative), (self.units, other.units))
        logs, negative, units = (np.concatenate(part, axis=-1) for part in parts)
        return Magnitudes(logs, negative, units, odd)

    def first(self, n_columns: int) -> Magnitudes:
        """The first columns."""
        odd = None if self.odd is None else self.odd[:n_columns]
        return Magnitudes(self.logs[:, :n_columns], self.negative[:, :n_columns], self.units[:n_columns], odd)

    def some(self, step: int) -> Magnitudes:
        """Every so many rows."""
        return Magnitudes(self.logs[::step], self.negative[::step], self.units, self.odd)

    def signs(self, exponents: np.ndarray) -> np.ndarray | None:
        """Of a power law, (n_rows,); None where a column of both signs has an exponent that is no integer."""
        mixed = exponents[self.is_mixed]
        if (mixed != np.round(mixed)).any():
            return None
        return 1.0 - 2.0 * (self.negative @ (np.abs(exponents) % 2 == 1) % 2)

    def rounded(self, powers: torch.Tensor, is_round: bool) -> torch.Tensor:
        """Exponents (..., n_columns) that are half-integers, or stay as they are; integers where signs are mixed."""
        near = (2 * powers).round() / 2 if is_round else powers
        if self.is_mixed.any():
            step = 1.0 if self.odd is None else 2.0
            offset = torch.as_tensor(np.zeros(self.n_columns) if self.odd is None else self.odd.astype(float))
            whole = ((powers - offset) / step).round() * step + offset
            near = torch.where(torch.as_tensor(self.is_mixed), whole, near)
        return near + 0.0  # no zero is negative


def odd_exponents(target: np.ndarray, weight: np.ndarray, negative: np.ndarray, share: float) -> np.ndarray | None:
    """Which columns a power law has odd exponents of, (n_columns,) bool, by the signs of the target.

    None where no product of signs is that of the target, or its opposite, on rows of `share` of the weight: noise may
    turn those near zero.
    """
    size = weight * np.abs(target)
    sign = np.sign(target)
    mixed = np.flatnonzero(negative.any(axis=0))
    signs = 1.0 - 2.0 * negative[:, mixed]
    if 2 ** len(mixed) > _MAX_PATTERNS:
        return None
    best, found = share * size.sum(), None
    for pattern in product((False, True), repeat=len(mixed)):
        # |2 (weight of the rows that agree) - all|, the sign of the constant being free
        agree = abs(float(size @ (sign * signs[:, list(pattern)].prod(axis=1))))
        if (size.sum() + agree) / 2 > best:
            best, found = (size.sum() + agree) / 2, pattern
    if found is None:
        return None
    odd = np.zeros(negative.shape[1], dtype=bool)
    odd[mixed] = found
    return odd
