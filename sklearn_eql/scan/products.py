"""Laws that are products of powers, and of powers of functions of monomials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sklearn_eql.sparse.description_length import description_length

FLOOR = 1e-14
"""Share of the variance below which laws are equally good until they are fitted."""
_ROUND = frozenset(k / 2 for k in range(-32, 33))  # exponents


@dataclass(frozen=True)
class Factor:
    """``f(scale * x^monomial)^power``."""

    shape: str
    monomial: tuple[float, ...]
    scale: float
    power: float


@dataclass(frozen=True)
class PowerFunction:
    """``x^powers`` times some factors, but for a constant."""

    factors: tuple[Factor, ...]
    powers: tuple[float, ...]
    left: float  # share of the variance of the target, or of its logarithm
    symbols: int
    n_free: int
    is_round: bool = True  # exponents of the columns

    def length(self, n_rows: int) -> float:
        return description_length(max(self.left, FLOOR), n_rows, self.n_free, self.symbols)


def at_best_scales(laws: Iterable[PowerFunction], n_rows: int) -> list[PowerFunction]:
    """Of laws that differ by their scales, and by exponents that go with these, the shortest; best first."""
    best: dict[tuple, PowerFunction] = {}
    for law in sorted(laws, key=lambda law: law.length(n_rows)):
        factors = tuple((f.shape, f.monomial, f.power if f.power in _ROUND else None) for f in law.factors)
        best.setdefault((factors, law.powers if law.is_round else None), law)
    return list(best.values())
