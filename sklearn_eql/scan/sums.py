"""Sums of three and more terms: pairs grown term by term by what is left over (orthogonal least squares).

Many sums are kept at every size, so a pair that is not the best may still lead to the best sum of four.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

_BRANCHES = 12  # columns that a sum is grown by
_EXACT = 1e-24  # share of the variance, from which longer sums say no more
_COLLINEAR = 1e-6  # share of a column that is new, below which it is none


@dataclass(frozen=True)
class Sum:
    """Columns of a library, after one product of two if there is a `seed`."""

    columns: tuple[int, ...]
    seed: int | None  # number of the first column, which is no member of the library
    left: float  # share of the variance that is left


def grow(
    values: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    *,
    seeds: torch.Tensor | None = None,
    starts: Sequence[tuple[int | None, tuple[int, ...]]] = (),
    max_terms: int,
    beam: int,
    deadline: float = math.inf,
) -> list[Sum]:
    """The best sums of every size up to `max_terms` terms beside a constant, smaller ones first.

    Parameters
    ----------
    values : Tensor (M, N)
    target : Tensor (N,)
    weight : Tensor (N,), optional
    seeds : Tensor (S, N) or None
        Columns that are no members, such as products of two.
    starts : sequence of (int or None, tuple of int)
        What sums start from: a seed, if any, and members. By default from nothing.
    max_terms, beam : int
        Most terms, and how many sums of each size are grown.
    deadline : float
        Value of ``time.time()`` after which no sum grows.
    """
    root = torch.ones_like(target) if weight is None else weight.sqrt()
    ones = root / root.norm()

    def prepared(rows: torch.Tensor) -> torch.Tensor:
        rows = rows * root
        rows = rows - (rows @ ones)[:, None] * ones
        return rows / rows.norm(dim=1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)

    Z = prepared(values)
    y = target * root
    y = y - (y @ ones) * ones
    y = y / y.norm()
    alive: dict[tuple, tuple[torch.Tensor, torch.Tensor]] = {}

    def enter(name: tuple, columns: torch.Tensor) -> None:
        q, r = torch.linalg.qr(columns.T)  # (N, k)
        if bool((r.diagonal().abs() > _COLLINEAR).all()):
            alive[name] = (q, y - q @ (q.T @ y))

    first = prepared(seeds) if seeds is not None else Z[:0]
    for seed, members in starts:
        enter((seed, members), torch.cat([first[[] if seed is None else [seed]], Z[list(members)]]))
    if not alive:
        alive[None, ()] = (y.new_zeros(len(y), 0), y)
    found = [Sum(c, s, float(left.square().sum())) for (s, c), (_, left) in alive.items() if s is not None or c]
    while alive and time.time() < deadline:
        grown: dict[tuple, tuple[float, torch.Tensor, torch.Tensor]] = {}
        for (seed, chosen), (q, left) in alive.items():
            if q.shape[1] >= max_terms:
                continue
            inside = Z @ q
            free = (1 - inside.square().sum(dim=1)).clamp(min=0)
            gain = torch.where(free > _COLLINEAR, (Z @ left).square() / free.clamp(min=_COLLINEAR), 0.0)
            for k in torch.topk(gain, min(_BRANCHES, len(gain))).indices.tolist():
                name = (seed, tuple(sorted((*chosen, k))))
                if gain[k] <= 0 or name in grown:
                    continue
                direction = Z[k] - q @ inside[k]
                direction = direction - q @ (q.T @ direction)
                direction = direction / direction.norm()
                after = left - direction * (direction @ left)
                grown[name] = (float(after.square().sum()), torch.cat([q, direction[:, None]], dim=1), after)
        ranked = sorted(grown.items(), key=lambda item: item[1][0])[:beam]
        found += [Sum(chosen, seed, left) for (seed, chosen), (left, _, _) in ranked]
        alive = {name: (q, after) for name, (_, q, after) in ranked}
        if ranked and ranked[0][1][0] < _EXACT:
            break
    return found
