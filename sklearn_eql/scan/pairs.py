"""Every pair of a library judged by matrix products.

For ``u = a f g + c`` the correlation of each of the M^2 products with the target follows from three matrices,
``(F * u) F'``, ``(F * F) (F * F)'`` and ``F F'``; for ``u = a f + b g + c`` what is left follows from the correlations
of the library with itself and with the target; for ``u = (a + b f) / (1 + d g)`` likewise, with ``u g`` in the place
of one of the two, since ``u = a + b f - d u g``. Entries are grouped by what they cost to write. Pairs of groups are
judged from the cheapest on, a block at a time that stays in the processor's cache, so memory is bounded; once a pair
fits to rounding, dearer ones are not looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

FORMS = ("product", "sum", "quotient")
_BLOCK = 1 << 17  # pairs judged at once: some arrays of this size fit into the cache of a core
_ROUNDING = 4e-15  # relative error of a sum over the rows
_EXACT = 1e-12  # share of the variance: pairs that leave less are taken for exact until they are fitted
_VERIFIED = 1e-19  # the same by least squares
_PER_GROUP = 12  # pairs that are kept of two groups


@dataclass(frozen=True)
class Pair:
    """Two entries and how they are joined."""

    form: str
    first: int
    second: int
    left: float  # share of the variance that is left
    symbols: int


class PairScan:
    """The pairs of one library on the rows of one target.

    Parameters
    ----------
    values : Tensor (M, N)
        In order of `symbols`.
    symbols : list of int
        What each entry costs to write.
    target : Tensor (N,)
    weight : Tensor (N,), optional
    beside : Tensor (K, N), optional
        Functions beside the pair and the constant. Not for quotients.
    """

    def __init__(
        self,
        values: torch.Tensor,
        symbols: list[int],
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
        beside: torch.Tensor | None = None,
    ) -> None:
        self.values, self.symbols = values, symbols
        self.weight = torch.ones_like(target) if weight is None else weight / weight.mean()
        self.target = target
        self.centred = target - (self.weight * target).mean()
        self.basis: torch.Tensor | None = None  # (N, K) orthonormal, under the root of the weights
        if beside is not None:
            root = self.weight.sqrt()
            columns = (beside - (beside * self.weight).mean(dim=1, keepdim=True)) * root
            self.basis, _ = torch.linalg.qr((columns / columns.norm(dim=1, keepdim=True)).T)
            rest = root * self.centred
            self.total = float(rest.square().sum())
            self.centred = (rest - self.basis @ (self.basis.T @ rest)) / root
        self.rest = float((self.weight * self.centred.square()).sum())  # what those beside it leave
        self.total = self.rest if beside is None else self.total
        edges = [k for k in range(1, len(symbols)) if symbols[k] != symbols[k - 1]]
        self.groups = [slice(a, b) for a, b in zip([0, *edges], [*edges, len(symbols)], strict=True)]

    def is_exact(self, pair: Pair) -> bool:
        """Whether a pair leaves nothing but rounding, by least squares: the matrices lose half of the digits."""
        if pair.left > _EXACT:
            return False
        root = self.weight.sqrt()
        f, g = self.values[pair.first], self.values[pair.second]
        columns = {"product": [f * g], "sum": [f, g], "quotient": [f, self.target * g]}[pair.form]
        target = root * self.target
        basis = [] if self.basis is None else list(self.basis.T)
        rows = torch.stack([root, *(root * column for column in columns), *basis])
        rows = rows / rows.norm(dim=1, keepdim=True)
        for _ in range(2):
            solution = torch.linalg.lstsq(rows.T, target[:, None]).solution
            target = target - (rows.T @ solution)[:, 0]
        return float(target.square().sum()) < _VERIFIED * self.total

    def best(self, form: str, deadline: float = math.inf) -> list[Pair]:
        """The pairs that leave least, a few for every two groups; no dearer ones than needed for an exact fit.

        `form` is one of ``FORMS``; `deadline` a value of ``time.time()`` after which no further groups are looked at.
        """
        judge = {"product": self._products, "sum": self._sums, "quotient": self._quotients}[form]()
        symmetric = form != "quotient"
        found: list[Pair] = []
        dearest = math.inf
        for cost, rows, columns in self._pairs_of_groups(symmetric):
            if cost > dearest or time.time() > deadline:
                break
            best = self._best_of(judge, form, rows, columns, cost)
            found += best
            if dearest == math.inf and any(self.is_exact(pair) for pair in best):
                dearest = cost
        return found

    def _pairs_of_groups(self, symmetric: bool) -> Iterator[tuple[int, slice, slice]]:
        pairs = [
            (self.symbols[a.start] + self.symbols[b.start], a, b)
            for i, a in enumerate(self.groups)
            for b in (self.groups[: i + 1] if symmetric else self.groups)
        ]
        yield from sorted(pairs, key=lambda pair: pair[0])

    def _best_of(self, judge: Callable, form: str, rows: slice, columns: slice, cost: int) -> list[Pair]:
        width = columns.stop - columns.start
        step = max(1, _BLOCK // width)
        share = self.rest / self.total if form != "quotient" else 1.0
        lowest, places = [], []
        for start in range(rows.start, rows.stop, step):
            left = judge(slice(start, min(start + step, rows.stop)), columns)  # (B, W)
            low, place = left.min(dim=1)
            lowest.append(low * share)
            places.append(place)
        low, place = torch.cat(lowest), torch.cat(places)
        best = torch.topk(low, min(_PER_GROUP, len(low)), largest=False)
        found = zip(best.values.tolist(), best.indices.tolist(), place[best.indices].tolist(), strict=True)
        return [
            Pair(form, rows.start + row, columns.start + column, left, cost) for left, row, column in found if left < 1
        ]

    def _products(self) -> Callable[[slice, slice], torch.Tensor]:
        F, w, n = self.values, self.weight, len(self.target)
        by_target, weighted = F * (w * self.centred), F * w
        square = F.square()
        square_w = square * w
        # A product has this much in common with each of those beside it.
        common = [] if self.basis is None else [F * (w.sqrt() * column) for column in self.basis.T]

        def judge(rows: slice, columns: slice) -> torch.Tensor:
            energy = square_w[rows] @ square[columns].T
            variance = (weighted[rows] @ F[columns].T).square_().div_(-n).add_(energy)
            for part in common:
                variance -= (part[rows] @ F[columns].T).square_()
            explained = (by_target[rows] @ F[columns].T).square_().div_(variance).div_(self.rest)
            doubt = energy.div_(variance).mul_(_ROUNDING)
            return torch.where(variance > 1e-9, torch.maximum(explained.neg_().add_(1.0), doubt), 1.0)

        return judge

    def _sums(self) -> Callable[[slice, slice], torch.Tensor]:
        Z, b = self._standardised(self.values)
        return self._two_regressors(Z, b, Z, b)

    def _quotients(self) -> Callable[[slice, slice], torch.Tensor]:
        """With ``u g`` as second regressor; what is left is a share of what ``u g`` alone leaves over.

        Where `g` is nearly constant ``u g`` is nearly `u`: an equation that holds for every target says nothing.
        """
        Z, b = self._standardised(self.values)
        Y, c = self._standardised(self.values * self.target)
        rest = (1 - c.square()).clamp(min=1e-12)
        judge = self._two_regressors(Z, b, Y, c)
        return lambda rows, columns: judge(rows, columns).div_(rest[None, columns])

    def _standardised(self, F: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows with mean 0 and length 1 under the weights, and their correlations with the target."""
        root = self.weight.sqrt()
        Z = (F - (F * self.weight).mean(dim=1, keepdim=True)) * root
        if self.basis is not None:
            for _ in range(2):  # the second time for what rounding has left
                Z = Z - (Z @ self.basis) @ self.basis.T
        norm = Z.norm(dim=1, keepdim=True)
        Z = torch.where(norm > 1e-6 * (F * root).norm(dim=1, keepdim=True), Z / norm, 0.0)
        return Z, Z @ (root * self.centred) / math.sqrt(self.rest)

    def _two_regressors(self, Z, b, Y, c) -> Callable[[slice, slice], torch.Tensor]:
        def judge(rows: slice, columns: slice) -> torch.Tensor:
            """``1 - b**2 - (c - b G)**2 / (1 - G**2)``: the second regressor explains what the first does not hold."""
            G = Z[rows] @ Y[columns].T
            one = b[rows, None]
            free = (G * G).neg_().add_(1.0).clamp_(min=1e-12)
            left = G.mul_(-one).add_(c[None, columns]).square_().div_(free).add_(one * one).neg_().add_(1.0)
            return torch.maximum(left, free.reciprocal_().mul_(_ROUNDING))

        return judge
