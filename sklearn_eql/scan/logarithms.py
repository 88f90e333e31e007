"""Logarithms of columns, of functions of monomials of these, and of targets, as linear algebra has them."""

from __future__ import annotations

import math

import numpy as np
import torch

from sklearn_eql.scan.magnitudes import Magnitudes
from sklearn_eql.scan.shapes import Shape

INDEPENDENT = 1e-6
"""Share of a function's variation that powers must leave."""

_ROUNDING = 1e-26  # share of the variance: a power law alone leaves no more


class FunctionLogarithms:
    """Logarithms of functions of monomials, on the rows of a table."""

    def __init__(self, table: Magnitudes) -> None:
        self._logs = torch.as_tensor(np.ascontiguousarray(table.logs.T))  # (D, N)
        self._negative = torch.as_tensor(np.ascontiguousarray(table.negative.T)).double()
        self._is_mixed = bool(table.is_mixed.any())
        self._log_units = torch.as_tensor(np.log(table.units))

    def of(
        self, shape: Shape, E: torch.Tensor, scale: float, in_units: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of the monomials (B, D) with finite ones: these (B', D), scales (B',) and values (B', N)."""
        log_u = E @ self._logs  # (B, N)
        if in_units:
            shift = E @ self._log_units + math.log(scale)
        else:
            of = {"mean": log_u.mean, "max": log_u.amax, "min": log_u.amin}[shape.of]
            shift = math.log(scale) - of(dim=1)
        u = (log_u + shift[:, None]).exp()
        if self._is_mixed:
            u *= 1 - 2 * ((E.abs() % 2 == 1).double() @ self._negative % 2)
        v = shape.log(u)
        usable = torch.isfinite(v.sum(dim=1))
        return E[usable], shift[usable].exp(), v[usable]


class Basis:
    """The constant and the logarithms of some features, as ``X = Q R``, and the target as ``y = Q a + r``."""

    def __init__(self, columns: torch.Tensor, y: torch.Tensor, kept: tuple[int, ...]) -> None:
        self.kept = list(kept)
        self.Q, self.R = torch.linalg.qr(columns[:, [0, *(1 + f for f in kept)]])
        self.a = self.Q.T @ y
        self.rest = y - self.Q @ self.a


class LogarithmicRows:
    """A target that is a logarithm, beside the constant and the logarithms of the columns."""

    def __init__(self, table: Magnitudes, target: np.ndarray, weight: np.ndarray) -> None:
        self.table = table
        self.n_rows, self.n_columns = table.logs.shape
        self.root = torch.as_tensor(np.sqrt(weight / weight.mean()))
        logs = torch.as_tensor(np.ascontiguousarray(table.logs.T))
        self.columns = (torch.cat([torch.ones_like(logs[:1]), logs]) * self.root).T  # (N, 1 + D)
        self.y = torch.as_tensor(np.array(target)) * self.root
        self.all = Basis(self.columns, self.y, tuple(range(self.n_columns)))
        rest = float(self.all.rest.square().sum())
        self.total = float(self.all.a[1:].square().sum()) + rest
        diagonal = self.all.R.diagonal().abs()
        self.is_open = bool(diagonal.min() > INDEPENDENT * diagonal.max()) and rest > _ROUNDING * self.total
