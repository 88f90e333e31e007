"""Every product of up to three functions of one argument each, beside a linear form, judged by matrix products.

For ``u = a f(x_i) g(x_j) h(x_k) + c`` what a product leaves over follows, as for pairs, from its correlation with the
target, its length, and what it has in common with the functions beside it: a matrix product each for all rates at once.
Products of the same kinds differ by their constants, which a fit moves; the best of each combination of kinds is kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from sklearn_eql.scan.factors import Factors
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL

_PER_CHOICE = 12  # combinations of kinds that are kept for one choice of arguments
_FLOOR = 1e-14  # share of the variance below which products are equally good until they are fitted
_LEAST = 1e-6  # share of a product that those beside it must leave


@dataclass(frozen=True)
class Product:
    """Entries of some factors, and how much their product leaves over."""

    factors: tuple[int, ...]  # which of the given `Factors`
    entries: tuple[int, ...]  # of each
    left: float  # share of the variance
    symbols: int

    def length(self, n_rows: int) -> float:
        return n_rows * math.log(max(self.left, _FLOOR)) + NATS_PER_SYMBOL * self.symbols


class SeparableScan:
    """Products of functions of different features, on the rows of one target.

    Parameters
    ----------
    factors : sequence of Factors
    target : Tensor (N,)
    weight : Tensor (N,), optional
    beside : Tensor (K, N), optional
        Functions beside the product and the constant.
    """

    def __init__(
        self,
        factors: Sequence[Factors],
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
        beside: torch.Tensor | None = None,
    ) -> None:
        self.factors = factors
        root = torch.ones_like(target) if weight is None else (weight / weight.mean()).sqrt()
        self.root = root
        y = root * target
        constant = root / root.norm()
        y = y - constant * (constant @ y)
        self.total = float(y.square().sum())
        columns = [root] if beside is None else [root, *(root * row for row in beside)]
        stacked = torch.stack(columns)
        self.basis, _ = torch.linalg.qr((stacked / stacked.norm(dim=1, keepdim=True)).T)  # (N, 1 + K)
        for _ in range(2):
            y = y - self.basis @ (self.basis.T @ y)
        self.rest = y
        self.groups = [_groups(f.kinds) for f in factors]

    def best(self, most: int, deadline: float = math.inf) -> list[Product]:
        """The best of each combination of kinds, for products of up to `most` factors, shorter ones first.

        `deadline` is a value of ``time.time()`` after which no further choice of arguments is looked at.
        """
        found: list[Product] = []
        for chosen in self._choices(most):
            if time.time() > deadline:
                break
            found += self._best_of(chosen)
        return found

    def _choices(self, most: int) -> Iterator[tuple[int, ...]]:
        """Factors of which no two read the same feature, the first ones of each length being the most important."""
        for count in range(1, most + 1):
            for chosen in combinations(range(len(self.factors)), count):
                features = [f for k in chosen for f in self.factors[k].argument.features]
                n_joint = sum(not self.factors[k].argument.is_feature for k in chosen)
                if len(set(features)) == len(features) and (n_joint == 0 or (n_joint == 1 and count < most)):
                    yield chosen

    def _best_of(self, chosen: tuple[int, ...]) -> list[Product]:
        """A block for each entry of the first of three factors."""
        *first, second, last = (None, *chosen) if len(chosen) == 1 else chosen
        rows = [0, 1] if second is None else self.groups[second]
        A = self.root[None] if second is None else self.root * self.factors[second].values
        heads = range(len(self.factors[first[0]])) if first else [None]
        best: dict[tuple, tuple[float, tuple[int, ...]]] = {}
        for head in heads:
            block = A if head is None else A * self.factors[first[0]].values[head]
            left = self._left(block, self.factors[last].values).numpy()
            for value, a, b in _best_by_group(left, rows, self.groups[last]):
                entries = (*(() if head is None else (head,)), *(() if second is None else (a,)), b)
                kinds = tuple(self.factors[k].kinds[e] for k, e in zip(chosen, entries, strict=True))
                if value < best.get(kinds, (1.0,))[0]:
                    best[kinds] = (value, entries)
        found = []
        for value, entries in sorted(best.values())[:_PER_CHOICE]:
            symbols = sum(self.factors[k].symbols[e] for k, e in zip(chosen, entries, strict=True))
            found.append(Product(chosen, entries, value, symbols + 2 * (len(chosen) - 1)))
        return found

    def _left(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        """Share of the variance that ``A_i B_j`` leaves over, beside the basis; the root of the weights is in `A`."""
        own = A.square() @ B.square().T
        limit = _LEAST * own
        for column in self.basis.T:
            own = own - ((A * column) @ B.T).square()
        explained = ((A * self.rest) @ B.T).square() / own
        left = (float(self.rest.square().sum()) - explained) / self.total
        return torch.where(own > limit, left.clamp(min=0.0), 1.0)


def _groups(kinds: Sequence[str]) -> list[int]:
    """Where groups of one kind begin, and the end."""
    return [0, *(k for k in range(1, len(kinds)) if kinds[k] != kinds[k - 1]), len(kinds)]


def _best_by_group(left: np.ndarray, rows: list[int], columns: list[int]) -> Iterator[tuple[float, int, int]]:
    """The lowest of every block of a group of rows and one of columns, the best blocks: its value, row and column."""
    low = np.minimum.reduceat(np.minimum.reduceat(left, columns[:-1], axis=1), rows[:-1], axis=0)
    for place in np.argsort(low, axis=None)[:_PER_CHOICE].tolist():
        i, j = divmod(place, low.shape[1])
        if low[i, j] >= 1:
            return
        block = left[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        a, b = divmod(int(block.argmin()), block.shape[1])
        yield float(low[i, j]), rows[i] + a, columns[j] + b
