"""Every power law times a power of a function of a monomial, judged in logarithms.

For ``y = c x^p f(s x^m)^q`` the logarithm of `y` is linear in those of the features and of `f`: exponents `p` and `q`
follow from least squares, and what is left from two inner products, for each monomial `m`, function `f` and scale `s`.
The same sum is a law of its own where `y` is a logarithm.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from sklearn_eql.scan.logarithms import INDEPENDENT, Basis, FunctionLogarithms, LogarithmicRows
from sklearn_eql.scan.magnitudes import Magnitudes
from sklearn_eql.scan.products import FLOOR, Factor, PowerFunction, at_best_scales
from sklearn_eql.scan.shapes import SHAPES, Shape, monomials_of
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL

_BLOCK = 1 << 18  # values computed at once
_MAX_ROWS, _N_AGAIN = 200, 600  # rows of the scan, and laws that are judged again on all
_PER_SCALE, _PER_FURTHER_SCALE = 8, 2  # laws of one function with one power, for a scale, and each that is beside it
_POWERS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)  # of the function
_MAX_LEFT_OUT = 2  # features of which those of a monomial are also left out of the powers beside it


def scan(
    table: Magnitudes,
    targets: Sequence[tuple[np.ndarray, np.ndarray]],
    allowed: Callable[[str], bool],
    deadline: float = math.inf,
    *,
    shapes: Mapping[str, Shape] = SHAPES,
    monomials: list[tuple[float, ...]] | None = None,
) -> list[list[PowerFunction]]:
    """Laws of short description of each target, a logarithm, best first, as a sample of the rows has them.

    Parameters
    ----------
    table : Magnitudes (n_rows, n_columns)
    targets : sequence of (target, weight), ndarray (n_rows,) each
    allowed : callable
        Whether a function may be used, by name.
    deadline : float
        Value of ``time.time()`` after which no further function is looked at.
    shapes, monomials
        What is tried; all by default.
    """
    step = max(1, len(table.logs) // _MAX_ROWS)
    some = table.some(step)
    found: list[list[PowerFunction]] = [[] for _ in targets]
    judges = [
        _Judge(some, target[::step], weight[::step], laws)
        for (target, weight), laws in zip(targets, found, strict=True)
    ]
    judges = [judge for judge in judges if judge.is_open]
    if not judges:
        return found
    logarithms = FunctionLogarithms(some)
    exponents = torch.as_tensor(np.array(monomials_of(table.n_columns) if monomials is None else monomials))
    size = max(1, _BLOCK // len(some.logs))
    n_scales = max(1, size // len(exponents))  # at once
    for name, shape in shapes.items():
        if not all(map(allowed, shape.needs)):
            continue
        for k in range(0, len(shape.starts), n_scales):
            for E in exponents.split(size):
                if time.time() > deadline:
                    break
                parts = [logarithms.of(shape, E, *start) for start in shape.starts[k : k + n_scales]]
                powers, scales, values = map(torch.cat, zip(*parts, strict=True))
                for judge in judges:
                    judge.add(
                        name, shape.symbols, powers, scales, values, _PER_SCALE + _PER_FURTHER_SCALE * (len(parts) - 1)
                    )
    return [at_best_scales(laws, len(some.logs))[:_N_AGAIN] for laws in found]


class _Judge(LogarithmicRows):
    """Least squares of a target on the logarithms of columns, and one function more.

    With ``X = Q R`` for the constant and the logarithms, ``y = Q a + r`` and ``v = Q b + w``, what exponents `p` and a
    power `q` leave is ``|a - R p - q b|^2 + |r - q w|^2``, so a few inner products tell it for all of them.
    """

    def __init__(self, table: Magnitudes, target: np.ndarray, weight: np.ndarray, found: list[PowerFunction]) -> None:
        super().__init__(table, target, weight)
        self._found = found
        self._without: dict[tuple[bool, ...], Basis] = {}

    def add(
        self, name: str, n_symbols: int, E: torch.Tensor, scales: torch.Tensor, v: torch.Tensor, n_kept: int
    ) -> None:
        """The shortest laws of one function, for each of some powers of it, and for any power.

        Of the monomials (B, n_columns), scales (B,) and logarithms (B, N).
        """
        if not len(v):
            return
        v = v * self.root
        self._add_best(name, n_symbols, E, scales, v, self.all, n_kept)
        for basis, chosen in self._by_support(E):
            self._add_best(name, n_symbols, E[chosen], scales[chosen], v[chosen], basis, n_kept)

    def _by_support(self, E: torch.Tensor) -> Iterator[tuple[Basis, torch.Tensor]]:
        """Monomials of the same columns, and a basis without these: on a short range they cannot be told from `f`."""
        if self.n_columns > _MAX_LEFT_OUT:
            return
        supports, which = torch.unique(E != 0, dim=0, return_inverse=True)
        for k, support in enumerate(map(tuple, supports.tolist())):
            if support not in self._without:
                kept = tuple(f for f, used in enumerate(support) if not used)
                self._without[support] = Basis(self.columns, self.y, kept)
            yield self._without[support], torch.nonzero(which == k)[:, 0]

    def _add_best(
        self, name: str, n_symbols: int, E: torch.Tensor, scales: torch.Tensor, v: torch.Tensor, basis: Basis, n: int
    ) -> None:
        b = v @ basis.Q  # (B, 1 + kept)
        size = v.square().sum(dim=1)
        own, common = size - b.square().sum(dim=1), v @ basis.rest
        own = torch.where(own > INDEPENDENT * size, own, torch.inf)
        any_power = common / own
        power = any_power[None]  # (P, B)
        if name != "exp":  # whose power is its rate
            power = torch.cat([power, torch.tensor(_POWERS, dtype=torch.float64)[:, None].expand(-1, len(E))])
        left_by_v = float(basis.rest.square().sum()) - 2 * power * common + power.square() * own
        ends = torch.linalg.solve_triangular(basis.R, torch.cat([basis.a[:, None], b.T], dim=1), upper=True)[1:].T
        exact = torch.zeros((*power.shape, self.n_columns), dtype=torch.float64)
        exact[..., basis.kept] = ends[0] - power[..., None] * ends[1:]  # exponents
        used = n_symbols + 2 * (E != 0).sum(dim=1)
        for is_round in (True, False):
            if not is_round:  # with any power only
                if basis is not self.all:
                    break
                power, exact, left_by_v = power[:1], exact[:1], left_by_v[:1]
            powers = self.table.rounded(exact, is_round)
            if basis is not self.all:
                powers[..., [k for k in range(self.n_columns) if k not in basis.kept]] = 0.0
            missed = (exact - powers)[..., basis.kept] @ basis.R[1:, 1:].T
            left = (left_by_v + missed.square().sum(dim=2)) / self.total
            symbols = used + 2 * (powers != 0).sum(dim=2)
            length = self.n_rows * left.clamp(min=FLOOR).log() + NATS_PER_SYMBOL * symbols
            length = torch.where(torch.isfinite(own) & (left < 1), length, torch.inf)
            best = torch.topk(length, min(n, length.shape[1]), dim=1, largest=False)
            row, at = torch.nonzero(best.values.isfinite(), as_tuple=True)
            k = best.indices[row, at]
            n_free = 2 + ((row == 0) & (name != "exp")) + (0 if is_round else self.n_columns)
            chosen = (E[k], scales[k], power[row, k], powers[row, k], left[row, k], symbols[row, k], n_free)
            for m, s, p, exponents, rest, count, free in zip(*(part.tolist() for part in chosen), strict=True):
                factor = Factor(name, tuple(m), s, p)
                self._found.append(PowerFunction((factor,), tuple(exponents), rest, count, free, is_round))
