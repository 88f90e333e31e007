"""Every pair of a library judged by matrix products.

For ``u = a f g + c`` the correlation of each of the M^2 products with the target follows from three matrices,
``(F * u) F'``, ``(F * F) (F * F)'`` and ``F F'``; for ``u = a f + b g + c`` what is left follows from the correlations
of the library with itself and with the target; for ``u = (a + b f) / (1 + d g)`` likewise, with ``u g`` in the place
of one of the two, since ``u = a + b f - d u g``. Entries are grouped by what they cost to write. Pairs of groups are
judged from the cheapest on, a block at a time that stays in the processor's cache, or in a share of the memory of a
device, so memory is bounded; once a pair fits to rounding, dearer ones are not looked at. Of each two groups the best
are kept where they are judged, and read when all of one cost are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from sklearn_eql._devices import CPU, bytes_at_once

FORMS = ("product", "sum", "quotient")
_BLOCK = 1 << 17  # pairs judged at once: some arrays of this size fit into the cache of a core
_ARRAYS = 6  # of the size of a block, at most, while it is judged
_ROUNDING = 4e-15  # relative error of a sum over the rows
_EXACT = 1e-12  # share of the variance: pairs that leave less are taken for exact until they are fitted
_VERIFIED = 1e-19  # the same by least squares
_PER_GROUP = 12  # pairs that are kept of two groups


def pairs_at_once(device: torch.device) -> int:
    """How many pairs are judged in one go."""
    return _BLOCK if device.type == CPU else max(_BLOCK, bytes_at_once(device) // (8 * _ARRAYS))


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
    there : Tensor (M, N), optional
        `values` on the device where pairs are judged, if that is another one.
    """

    def __init__(
        self,
        values: torch.Tensor,
        symbols: list[int],
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
        beside: torch.Tensor | None = None,
        there: torch.Tensor | None = None,
    ) -> None:
        self.values, self.symbols = values, symbols
        self._there = values if there is None else there
        self._block = pairs_at_once(self._there.device)
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
        share = self.rest / self.total if form != "quotient" else 1.0
        found: list[Pair] = []
        for cost, groups in self._pairs_of_groups(symmetric):
            best: list[torch.Tensor] = []
            for rows, columns in groups:
                if time.time() > deadline:
                    break
                best.append(self._best_of(judge, rows, columns))
            if not best:
                break
            left, first, second = torch.cat(best, dim=1).tolist()
            places = zip(left, map(int, first), map(int, second), strict=True)
            new = [Pair(form, f, g, share * rest, cost) for rest, f, g in places if share * rest < 1]
            found += new
            if any(self.is_exact(pair) for pair in new):
                break
        return found

    def _pairs_of_groups(self, symmetric: bool) -> Iterator[tuple[int, list[tuple[slice, slice]]]]:
        """Pairs of groups by what a pair of their entries costs, the cheapest first."""
        by_cost: dict[int, list[tuple[slice, slice]]] = {}
        for i, a in enumerate(self.groups):
            for b in self.groups[: i + 1] if symmetric else self.groups:
                by_cost.setdefault(self.symbols[a.start] + self.symbols[b.start], []).append((a, b))
        yield from sorted(by_cost.items())

    def _best_of(self, judge: Callable, rows: slice, columns: slice) -> torch.Tensor:
        """What the best pairs of two groups leave, and their numbers, (3, n_kept)."""
        step = max(1, self._block // (columns.stop - columns.start))
        lowest, places = [], []
        for start in range(rows.start, rows.stop, step):
            low, place = judge(slice(start, min(start + step, rows.stop)), columns).min(dim=1)  # of (B, W)
            lowest.append(low)
            places.append(place)
        low, place = torch.cat(lowest), torch.cat(places)
        best = torch.topk(low, min(_PER_GROUP, len(low)), largest=False)
        numbers = [rows.start + best.indices, columns.start + place[best.indices]]
        return torch.stack([best.values, *(number.to(low.dtype) for number in numbers)])

    def _on_device(self, *rows: torch.Tensor) -> list[torch.Tensor]:
        return [row.to(self._there.device) for row in rows]

    def _products(self) -> Callable[[slice, slice], torch.Tensor]:
        F, n = self._there, len(self.target)
        w, centred = self._on_device(self.weight, self.centred)
        by_target, weighted = F * (w * centred), F * w
        square = F.square()
        square_w = square * w
        # A product has this much in common with each of those beside it.
        beside = [] if self.basis is None else self._on_device(self.basis.T * self.weight.sqrt())[0]
        common = [F * row for row in beside]

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
        Z, b = self._standardised(self._there)
        return self._two_regressors(Z, b, Z, b)

    def _quotients(self) -> Callable[[slice, slice], torch.Tensor]:
        """With ``u g`` as second regressor; what is left is a share of what ``u g`` alone leaves over.

        Where `g` is nearly constant ``u g`` is nearly `u`: an equation that holds for every target says nothing.
        """
        Z, b = self._standardised(self._there)
        Y, c = self._standardised(self._there * self._on_device(self.target)[0])
        rest = (1 - c.square()).clamp(min=1e-12)
        judge = self._two_regressors(Z, b, Y, c)
        return lambda rows, columns: judge(rows, columns).div_(rest[None, columns])

    def _standardised(self, F: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows with mean 0 and length 1 under the weights, and their correlations with the target."""
        weight, centred = self._on_device(self.weight, self.centred)
        root = weight.sqrt()
        Z = (F - (F * weight).mean(dim=1, keepdim=True)) * root
        if self.basis is not None:
            [basis] = self._on_device(self.basis)
            for _ in range(2):  # the second time for what rounding has left
                Z = Z - (Z @ basis) @ basis.T
        norm = Z.norm(dim=1, keepdim=True)
        Z = torch.where(norm > 1e-6 * (F * root).norm(dim=1, keepdim=True), Z / norm, 0.0)
        return Z, Z @ (root * centred) / math.sqrt(self.rest)

    def _two_regressors(self, Z, b, Y, c) -> Callable[[slice, slice], torch.Tensor]:
        def judge(rows: slice, columns: slice) -> torch.Tensor:
            """``1 - b**2 - (c - b G)**2 / (1 - G**2)``: the second regressor explains what the first does not hold."""
            G = Z[rows] @ Y[columns].T
            one = b[rows, None]
            free = (G * G).neg_().add_(1.0).clamp_(min=1e-12)
            left = G.mul_(-one).add_(c[None, columns]).square_().div_(free).add_(one * one).neg_().add_(1.0)
            return torch.maximum(left, free.reciprocal_().mul_(_ROUNDING))

        return judge
