"""Every wave of a grid of frequencies, of any phase, times every envelope, judged by matrix products.

For ``y = h(x) (a cos(w u) + b sin(w u)) + c`` what is left follows from the two by two normal equations of `a` and `b`.
Their entries are sums over rows of ``h^2`` times products of the waves, so a few matrix products have them for all
envelopes `h` and all frequencies `w` of an argument `u`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch

from sklearn_eql.scan.factors import Argument, Factors
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL

_FREQUENCIES = tuple(0.4 * k for k in range(1, 91))  # per standard deviation: 1.4 radians over an even range apart
_MAX_ENVELOPES = 1000
_IN_PRODUCTS = ("exp", "power", "inv1p")  # kinds of envelopes that are multiplied by a power of another feature
_PER_ARGUMENT = 8  # waves that are kept of each, of different envelopes
_FLOOR = 1e-14  # share of the variance below which waves are equally good until they are fitted
_FINEST_GRID = 1e-4  # of the range: closer values are on no grid that matters
_ON_GRID = 1e-3  # of a step
_BELOW_NYQUIST = 0.9
_DEPENDENT = 1e-6  # share of the determinant: less, and cosine and sine are one function on the rows
_WAVES = ("sin", "cos")


@dataclass(frozen=True)
class ModulatedWave:
    """``h(x) cos(frequency * u - phase)``, and what it leaves over beside a constant."""

    envelope: tuple[tuple[int, int], ...]  # which of the given `Factors`, and which entry; none is a constant
    argument: int  # which of the given ones
    frequency: float
    phase: float
    left: float  # share of the variance
    symbols: int

    def length(self, n_rows: int) -> float:
        return n_rows * math.log(max(self.left, _FLOOR)) + NATS_PER_SYMBOL * self.symbols


def scan_waves(
    factors: Sequence[Factors],
    arguments: Sequence[Argument],
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    deadline: float = math.inf,
) -> list[ModulatedWave]:
    """The best few waves of each argument.

    Parameters
    ----------
    factors : sequence of Factors
        Functions of one feature each, of which envelopes are made: one of them, or one times a power of another
        feature. Waves among them are left out.
    arguments : sequence of Argument
    target : Tensor (N,)
    weight : Tensor (N,), optional
    deadline : float
        Value of ``time.time()`` after which no further argument is looked at.
    """
    weight = torch.ones_like(target) if weight is None else weight / weight.mean()
    centred = target - (weight * target).mean()
    total = float((weight * centred.square()).sum())
    envelopes = _envelopes(factors)
    values = torch.ones((len(envelopes), len(target)), dtype=torch.float64)
    for row, chosen in zip(values, envelopes, strict=True):
        for f, entry in chosen:
            row *= factors[f].values[entry]
    prices = torch.tensor([float(sum(factors[f].symbols[e] + 2 for f, e in chosen)) for chosen in envelopes])
    kinds = [tuple((f, factors[f].kinds[e]) for f, e in chosen) for chosen in envelopes]
    by_target, weighted, squares = values * (weight * centred), values * weight, values.square() * weight
    found: list[ModulatedWave] = []
    for number, argument in enumerate(arguments):
        spread = float(np.std(argument.values))
        if time.time() > deadline:
            break
        if not (spread > 0 and math.isfinite(spread)):
            continue
        frequencies = torch.tensor(_FREQUENCIES, dtype=torch.float64) / spread
        frequencies = frequencies[frequencies < highest_frequency(argument.values)]
        if not len(frequencies):
            continue
        angles = frequencies[:, None] * torch.as_tensor(argument.values)
        C, S = angles.cos(), angles.sin()  # (K, N)
        mean_c, mean_s = weighted @ C.T, weighted @ S.T  # (H, K)
        cc = squares @ C.square().T - mean_c.square() / len(target)
        ss = squares @ S.square().T - mean_s.square() / len(target)
        cs = squares @ (C * S).T - mean_c * mean_s / len(target)
        c, s = by_target @ C.T, by_target @ S.T
        determinant = cc * ss - cs.square()
        explained = (ss * c.square() - 2 * cs * c * s + cc * s.square()) / determinant
        left = (1 - explained / total).clamp(min=0.0)
        is_told = (determinant > _DEPENDENT * (cc * ss).abs()) & left.isfinite()
        left = torch.where(is_told, left, 1.0)
        least, place = left.min(dim=1)
        length = len(target) * least.clamp(min=_FLOOR).log() + NATS_PER_SYMBOL * prices
        taken: set[tuple] = set()
        for h in torch.argsort(length).tolist():
            if len(taken) == _PER_ARGUMENT or least[h] >= 1:
                break
            if kinds[h] in taken:
                continue
            taken.add(kinds[h])
            k = int(place[h])
            a, b = ss[h, k] * c[h, k] - cs[h, k] * s[h, k], cc[h, k] * s[h, k] - cs[h, k] * c[h, k]
            symbols = int(prices[h]) + argument.symbols + 2
            phase = math.atan2(float(b), float(a))
            found.append(ModulatedWave(envelopes[h], number, float(frequencies[k]), phase, float(least[h]), symbols))
    return found


def highest_frequency(values: np.ndarray) -> float:
    """Beyond which a wave on these values is told from no slower one: a little below pi over the step of a grid.

    Infinite where the values are on no grid. At that frequency itself a cosine is one on even places and minus one on
    odd ones, which is all that is seen of many other functions.
    """
    different = np.unique(values)
    steps = np.diff(different)
    step = float(steps.min(initial=np.inf))
    if not math.isfinite(step) or step < _FINEST_GRID * (different[-1] - different[0]):
        return math.inf
    multiples = steps / step
    is_grid = np.abs(multiples - multiples.round()).max() < _ON_GRID
    return _BELOW_NYQUIST * math.pi / step if is_grid else math.inf


def _envelopes(factors: Sequence[Factors]) -> list[tuple[tuple[int, int], ...]]:
    """A constant; functions of a feature; and some times a power of another feature, as many as the bound allows."""
    single = [[(f, e) for e, kind in enumerate(part.kinds) if kind not in _WAVES] for f, part in enumerate(factors)]
    found: list[tuple[tuple[int, int], ...]] = [(), *((entry,) for entries in single for entry in entries)]

    def is_power(entry: tuple[int, int]) -> bool:
        return factors[entry[0]].kinds[entry[1]].startswith("power")

    for f, g in permutations(range(len(factors)), 2):
        chosen = [entry for entry in single[f] if factors[f].kinds[entry[1]].startswith(_IN_PRODUCTS)]
        chosen = [entry for entry in chosen if f < g or not is_power(entry)]  # two powers come in one order
        found += [(entry, power) for power in filter(is_power, single[g]) for entry in chosen]
    return found[:_MAX_ENVELOPES]
