"""Laws that a scan of logarithms has found, judged by the target itself, at the best scales of their functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch

from sklearn_eql.scan.magnitudes import Magnitudes
from sklearn_eql.scan.products import Factor, PowerFunction
from sklearn_eql.scan.shapes import shape_of

_N_KEPT = 60
_MAX_ROWS = 200  # on which scales are moved
_EXACT = 1e-20  # share of the variance that an exact law leaves
_STEPS = (1.6, 1.25, 1.1, 1.04)  # factors of a scale, from one round to the next


def judged(
    laws: Iterable[PowerFunction],
    table: Magnitudes,
    target: np.ndarray,
    weight: np.ndarray,
    is_logarithm: bool,
    n_refined: int = 1000,
) -> list[PowerFunction]:
    """The laws of shortest description of the target itself, or of it as a logarithm.

    The scales of functions are moved first, of the best `n_refined`: a grid is coarser than the noise, and laws with
    any exponents follow rows more closely than the right one at a scale that is only near.
    """
    step = max(1, len(target) // _MAX_ROWS)
    some = _Target(table.some(step), target[::step], weight[::step], is_logarithm)
    whole = _Target(table, target, weight, is_logarithm)
    ranked = some.ranked(laws)
    if not any(law.left < _EXACT for law in ranked):
        ranked = map(some.refined, ranked[:n_refined])
    return whole.ranked(ranked)[:_N_KEPT]


class _Target:
    """Rows of a target, and what laws leave of it."""

    def __init__(self, table: Magnitudes, target: np.ndarray, weight: np.ndarray, is_logarithm: bool) -> None:
        self._table, self._is_logarithm = table, is_logarithm
        self.n_rows = len(target)
        self._root = np.sqrt(weight / weight.mean())
        self._constant = self._root / np.linalg.norm(self._root)
        self._y = self._root * target
        self._total = float(np.sum((self._y - self._constant * (self._constant @ self._y)) ** 2))

    def ranked(self, laws: Iterable[PowerFunction]) -> list[PowerFunction]:
        """With what each leaves here, the shortest first; without those that are undefined."""
        found = [replace(law, left=float(self._left(law, None, np.ones(1))[0])) for law in laws]
        return sorted((law for law in found if law.left < np.inf), key=lambda law: law.length(self.n_rows))

    def refined(self, law: PowerFunction) -> PowerFunction:
        """The law with the scales, one after the other, where it leaves the least."""
        for step in _STEPS:
            for k, factor in enumerate(law.factors):
                if factor.shape == "exp":  # whose scale is its power
                    continue
                by = np.array([1 / step, 1.0, step])
                left = self._left(law, k, by)
                if left.min() < np.inf:
                    law = _scaled(law, k, _lowest(np.log(by), left))
        return law

    def _left(self, law: PowerFunction, moved: int | None, by: np.ndarray) -> np.ndarray:
        """Share of the variance that the law leaves with the scale of one factor times each of `by`, (S,)."""
        table = self._table
        values, signs = (table.logs @ np.array(law.powers))[None], table.signs(np.array(law.powers))
        for k, factor in enumerate(law.factors):
            more, sign = _factor(factor, table, by if k == moved else np.ones(1))
            if sign is None or signs is None:
                return np.full(len(by), np.inf)
            values, signs = values + more, signs * sign
        if signs is None:
            return np.full(len(by), np.inf)
        with np.errstate(all="ignore"):
            if self._is_logarithm:
                rest = self._y - self._root * values
                rest -= (rest @ self._constant)[:, None] * self._constant
            else:
                columns = self._root * signs * np.exp(values - values.max(axis=1, keepdims=True))
                fitted = (columns @ self._y) / np.einsum("sn,sn->s", columns, columns)
                rest = self._y - fitted[:, None] * columns
            left = np.einsum("sn,sn->s", rest, rest) / self._total
        return np.where(np.isfinite(left), left, np.inf)


def _factor(factor: Factor, table: Magnitudes, by: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Logarithms of the magnitude, (S, n_rows), and signs, None where it has no value."""
    monomial = np.array(factor.monomial)
    sign_of_u = table.signs(monomial)
    if sign_of_u is None:
        return np.zeros((len(by), 1)), None
    u = torch.as_tensor(by[:, None] * (sign_of_u * np.exp(table.logs @ monomial) * factor.scale))
    shape = shape_of(factor.shape)
    values = factor.power * shape.log(u).numpy()
    if shape.value is None or factor.power % 2 == 0:
        return values, np.ones(1)
    sign = np.sign(shape.value(u).numpy())
    if factor.power != round(factor.power) and (sign < 0).any():
        return values, None
    return values, sign


def _scaled(law: PowerFunction, k: int, by: float) -> PowerFunction:
    factors = list(law.factors)
    factors[k] = replace(factors[k], scale=factors[k].scale * by)
    return replace(law, factors=tuple(factors))


def _lowest(log_by: np.ndarray, left: np.ndarray) -> float:
    """The best of three scales, or that where the parabola through what they leave is lowest, between them."""
    best = int(np.argmin(left))
    if best != 1 or not np.isfinite(left).all():
        return float(np.exp(log_by[best]))
    below, here, above = left
    curvature = below + above - 2 * here
    shift = 0.5 * (below - above) / curvature * log_by[2] if curvature > 0 else 0.0
    return float(np.exp(shift))
