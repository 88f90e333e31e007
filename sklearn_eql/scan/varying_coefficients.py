"""Linear forms whose coefficients vary with a function of one feature: ``a + b x + (c + d x) f(z)``.

For a given function this is linear in all coefficients. What is left beside the form without the function follows from
one small matrix for each entry of the grid of functions. A wave has a cosine and a sine for each coefficient, and then
the one phase that explains most.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.scan.factors import Factors
from sklearn_eql.scan.modulated_waves import highest_frequency
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL

_FREQUENCIES = tuple(0.3 * k for k in range(1, 19))  # per standard deviation of the argument
_PLAIN = (1.0, 2.0)  # in the user's units
_WAVES = ("sin", "cos")
_LEFT_OUT = (*_WAVES, "power 1")  # entries: waves have a phase here, and a power of one is no new function
_SINGULAR = 1e-10  # share of the largest eigenvalue, of columns of one length
_FLOOR = 1e-14  # share of the variance below which all are equally good until they are fitted
_SYMBOLS = 4  # of a term: a coefficient, a column and two operators


@dataclass(frozen=True)
class VaryingForm:
    """``sum_j a_j x_j + f(z) sum_j b_j x_j`` with ``x_0 = 1``.

    Parameters
    ----------
    factor : int
        Which of the given factors has `z` as its argument.
    entry : int or None
        Its function; None for a wave.
    frequency, phase : float
        Of the wave ``cos(frequency*z - phase)``.
    plain, varying : dict of int to float
        Coefficients by column: those of `varying` up to a common factor.
    left : float
        Share of the variance.
    """

    factor: int
    entry: int | None
    frequency: float
    phase: float
    plain: dict[int, float]
    varying: dict[int, float]
    left: float


def varying_forms(
    columns: torch.Tensor,
    factors: Sequence[Factors],
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    deadline: float = math.inf,
    n_kept: int = 16,
) -> list[VaryingForm]:
    """The forms that leave least, one for each kind of function of each argument, best first.

    Terms that are not worth their description are left out.

    Parameters
    ----------
    columns : Tensor (P, N)
        Of the linear forms, without the constant.
    factors : sequence of Factors
        Functions of one feature each.
    target : Tensor (N,)
    weight : Tensor (N,), optional
    deadline : float
        Value of ``time.time()`` after which no further argument is looked at.
    n_kept : int
    """
    rows = _Rows(columns, target, weight)
    found: list[tuple[float, int, int | None, float]] = []
    for k, factor in enumerate(factors):
        if time.time() > deadline:
            break
        found += ((left, k, entry, 0.0) for left, entry in rows.best_entries(factor))
        found += ((left, k, None, frequency) for left, frequency in rows.best_waves(factor))
    found.sort(key=lambda candidate: candidate[0])
    return [rows.form(*candidate[1:], factors) for candidate in found[:n_kept]]


class _Rows:
    """A target beside a linear form, with the root of the weights in all of them."""

    def __init__(self, columns: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> None:
        self.root = torch.ones_like(target) if weight is None else (weight / weight.mean()).sqrt()
        plain = torch.cat([torch.ones_like(target)[None], columns])
        self.size = (self.root * plain).norm(dim=1, keepdim=True)
        self.plain = self.root * plain / self.size  # (1 + P, N) of length one
        self.Q, _ = torch.linalg.qr(self.plain.T)
        self.target = self.root * target
        constant = self.plain[0]
        self.total = float((self.target - constant * (constant @ self.target)).square().sum())
        self.rest = self.target - self.Q @ (self.Q.T @ self.target)

    def best_entries(self, factor: Factors) -> list[tuple[float, int]]:
        """The best of each kind of function, and what it leaves."""
        left = self._left(factor.values[:, None])
        best: dict[str, tuple[float, int]] = {}
        for entry, kind in enumerate(factor.kinds):
            if kind not in _LEFT_OUT:
                best[kind] = min(best.get(kind, (1.0, entry)), (float(left[entry]), entry))
        return list(best.values())

    def best_waves(self, factor: Factors) -> list[tuple[float, float]]:
        """What the best wave leaves, and its frequency."""
        x = factor.argument.values
        spread = float(np.std(x))
        if not set(_WAVES) & set(factor.kinds) or 3 * len(self.plain) + 2 > len(x) // 2:
            return []
        frequencies = [w / spread for w in _FREQUENCIES] + [w * factor.argument.unit for w in _PLAIN]
        frequencies = [w for w in frequencies if w < highest_frequency(x)]
        if not frequencies:
            return []
        angles = torch.tensor(frequencies, dtype=torch.float64)[:, None] * torch.as_tensor(x)
        left = self._left(torch.stack([angles.cos(), angles.sin()], dim=1))
        best = int(left.argmin())
        return [(float(left[best]), frequencies[best])]

    def _left(self, values: torch.Tensor) -> torch.Tensor:
        """Shares of the variance that K sets of functions (K, F, N) leave, each times all columns."""
        n_sets, _, n_rows = values.shape
        B = (values[:, :, None] * self.plain).reshape(n_sets, -1, n_rows)
        B = B - (B @ self.Q) @ self.Q.T
        B = B / B.norm(dim=2, keepdim=True).clamp(min=1e-150)
        strength, directions = torch.linalg.eigh(B @ B.transpose(1, 2))
        explained = ((B @ self.rest)[:, None] @ directions)[:, 0].square() / strength
        explained = torch.where(strength > _SINGULAR * strength[:, -1:], explained, 0.0).sum(dim=1)
        left = ((self.rest.square().sum() - explained) / self.total).clamp(min=0.0)
        return torch.where(left.isfinite(), left, 1.0)

    def form(self, k: int, entry: int | None, frequency: float, factors: Sequence[Factors]) -> VaryingForm:
        """The form of one function, without the terms that are not worth their description."""
        phase = 0.0
        if entry is not None:
            values = factors[k].values[entry]
        else:
            angle = frequency * torch.as_tensor(factors[k].argument.values)
            phase = self._phase(angle)
            values = (angle - phase).cos()
        width = len(self.plain)
        kept, solution, left = _without_superfluous(torch.cat([self.plain, values * self.plain]), self.target, width)
        size = self.size[:, 0].tolist()
        coefficients = {j: c / size[j % width] for j, c in zip(kept, solution, strict=True)}
        plain = {j: c for j, c in coefficients.items() if j < width}
        varying = {j - width: c for j, c in coefficients.items() if j >= width}
        return VaryingForm(k, entry, frequency, phase, plain, varying, left / self.total)

    def _phase(self, angle: torch.Tensor) -> float:
        """The one phase that is most like those of all coefficients."""
        columns = torch.cat([self.plain, angle.cos() * self.plain, angle.sin() * self.plain])
        solution = np.linalg.lstsq(columns.T.numpy(), self.target.numpy(), rcond=math.sqrt(_SINGULAR))[0]
        c, s = solution[len(self.plain) :].reshape(2, -1)
        return 0.5 * math.atan2(2 * float(c @ s), float(c @ c - s @ s))


def _without_superfluous(
    columns: torch.Tensor, target: torch.Tensor, width: int
) -> tuple[list[int], list[float], float]:
    """Columns that are left of (K, N), their coefficients, and the squares that these leave.

    One after the other goes, the one that the rest makes up for best, as long as the description becomes shorter. One
    at least of those after the first `width`, which have the function, stays.
    """
    A, y = columns.numpy().T, target.numpy()
    n_rows = len(y)
    price = math.log(n_rows) + NATS_PER_SYMBOL * _SYMBOLS
    floor = _FLOOR * float(y @ y)
    kept = list(range(A.shape[1]))
    while True:
        solution, *_ = np.linalg.lstsq(A[:, kept], y, rcond=None)
        left = float(np.sum((y - A[:, kept] @ solution) ** 2))
        inverse = np.linalg.pinv(A[:, kept].T @ A[:, kept], rcond=_SINGULAR, hermitian=True)
        more = solution**2 / np.maximum(np.diag(inverse), np.finfo(float).tiny)
        n_varying = sum(j >= width for j in kept)
        more[[n_varying == 1 and j >= width for j in kept]] = np.inf
        least = int(np.argmin(more))
        grows = n_rows * math.log((left + float(more[least]) + floor) / (left + floor))
        if len(kept) == 1 or not grows < price:
            return kept, solution.tolist(), left
        del kept[least]
