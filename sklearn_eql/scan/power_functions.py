"""Every power law times a power of a function of a monomial, judged in logarithms.

For ``y = c x^p f(s x^m)^q`` the logarithm of `y` is linear in those of the features and of `f`: exponents `p` and `q`
follow from least squares, and what is left from two inner products, for each monomial `m`, function `f` and scale `s`.
The same sum is a law of its own where `y` is a logarithm.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import torch

from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL, description_length

_MAX_FACTORS, _MAX_ORDER, _MAX_MONOMIALS = 4, 6, 1500  # of a monomial: features, sum of its exponents; how many
_BLOCK = 1 << 18  # values computed at once
_MAX_ROWS, _N_AGAIN = 300, 600  # rows of the scan, and laws that are judged again on all
_N_KEPT, _PER_SCALE = 60, 8  # laws in the end, and of one function with one scale and power
_POWERS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)  # of the function
_FLOOR = 1e-14  # share of the variance below which laws are equally good until they are fitted
_MAX_LEFT_OUT = 2  # features of which those of a monomial are also left out of the powers beside it
_INDEPENDENT = 1e-6  # share of a function's variation that the powers must leave


@dataclass(frozen=True)
class Shape:
    """A function of a positive argument.

    Parameters
    ----------
    log : callable
        Logarithm of its magnitude; not finite where the law would be undefined or change its sign.
    needs : tuple of str
        Functions that the user must have allowed.
    scales : tuple of float
        Arguments on the rows: the mean, largest or smallest ones, as `of` has it.
    symbols : int
        What it costs to write.
    of : {"mean", "max", "min"}
    """

    log: Callable[[torch.Tensor], torch.Tensor]
    needs: tuple[str, ...]
    scales: tuple[float, ...]
    symbols: int
    of: str = "mean"


def _log_expm1(u: torch.Tensor) -> torch.Tensor:
    return u + (-(-u).expm1()).log()  # which does not overflow


def _log_cosh(u: torch.Tensor) -> torch.Tensor:
    return u + (-2 * u).exp().log1p()


_RATES = (0.1, 0.3, 0.6, 1.0, 1.7, 3.0, 8.0, 25.0)
SHAPES: dict[str, Shape] = {
    "exp": Shape(lambda u: u, ("exp",), (1.0,), 2),
    "1 + u": Shape(torch.log1p, (), (0.1, 0.3, 1.0, 3.0, 10.0), 2),
    "1 - u": Shape(lambda u: (-u).log1p(), (), (0.3, 0.5, 0.7, 0.85, 0.95, 0.99), 2, "max"),
    "u - 1": Shape(lambda u: (u - 1).log(), (), (1.02, 1.1, 1.3, 2.0, 4.0), 2, "min"),
    "ratio": Shape(lambda u: 2 * u.atanh(), (), (0.3, 0.6, 0.85, 0.95), 4, "max"),
    "exp - 1": Shape(_log_expm1, ("exp",), _RATES, 4),
    "1 - exp": Shape(lambda u: (-(-u).expm1()).log(), ("exp",), _RATES, 4),
    "exp + 1": Shape(lambda u: u + (-u).exp().log1p(), ("exp",), _RATES, 4),
    "sinh": Shape(lambda u: _log_expm1(2 * u) - u, ("exp",), _RATES, 6),
    "cosh": Shape(_log_cosh, ("exp",), _RATES, 6),
    "tanh": Shape(lambda u: u.tanh().log(), ("tanh",), _RATES, 2),
    "log": Shape(lambda u: u.log1p().log(), ("log",), (0.1, 1.0, 10.0), 3),
    "arcsin": Shape(lambda u: u.asin().log(), ("arcsin",), (0.5, 0.8, 0.95, 1.0), 2, of="max"),
    "sin": Shape(lambda u: u.sin().log(), ("sin",), (1.0, 1.5, 2.0, 2.5, 3.0), 2, of="max"),
    "cos": Shape(lambda u: u.cos().log(), ("cos",), (0.7, 1.0, 1.3, 1.5), 2, of="max"),
}


@dataclass(frozen=True)
class PowerFunction:
    """``x^powers * f(scale * x^monomial)^power``, but for a constant."""

    shape: str
    monomial: tuple[float, ...]
    scale: float
    power: float
    powers: tuple[float, ...]
    left: float  # share of the variance of the target, or of its logarithm
    symbols: int
    n_free: int

    def length(self, n_rows: int) -> float:
        return description_length(max(self.left, _FLOOR), n_rows, self.n_free, self.symbols)


def scan(
    logs: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    units: np.ndarray,
    allowed: Callable[[str], bool],
    deadline: float = math.inf,
) -> list[PowerFunction]:
    """Laws of short description of a logarithm, best first, as a sample of the rows has them.

    Parameters
    ----------
    logs : ndarray (n_rows, n_features)
        Of the magnitudes of the features.
    target, weight : ndarray (n_rows,)
    units : ndarray (n_features,)
        Of the features: scales that are one for them are tried as well.
    allowed : callable
        Whether a function may be used, by name.
    deadline : float
        Value of ``time.time()`` after which no further function is looked at.
    """
    step = max(1, len(target) // _MAX_ROWS)
    some = _Judge(logs[::step], target[::step], weight[::step])
    if not some.is_open:
        return []
    monomials = np.array(monomials_of(logs.shape[1]))
    log_units = np.log(units)
    found: list[PowerFunction] = []
    for name, shape in SHAPES.items():
        if time.time() > deadline:
            break
        if all(map(allowed, shape.needs)):
            for scale in (*shape.scales, None):
                found += some.best(name, monomials, scale, log_units)
    return sorted(found, key=lambda law: law.length(some.n_rows))[:_N_AGAIN]


def judged(
    laws: Iterable[PowerFunction],
    logs: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    is_logarithm: bool,
) -> list[PowerFunction]:
    """The laws of shortest description of the target itself, or of it as a logarithm, on these rows."""
    root = np.sqrt(weight / weight.mean())
    y = root * target
    constant = root / np.linalg.norm(root)
    total = float(np.sum((y - constant * (constant @ y)) ** 2))
    found = []
    for law in laws:
        u = np.exp(logs @ np.array(law.monomial)) * law.scale
        log_f = SHAPES[law.shape].log(torch.as_tensor(u)[None])[0].numpy()
        values = logs @ np.array(law.powers) + law.power * log_f
        if not np.isfinite(values).all():
            continue
        if is_logarithm:
            rest = y - root * values
            rest -= constant * (constant @ rest)
        else:
            column = root * np.exp(values - values.max())
            rest = y - column * ((column @ y) / (column @ column))
        found.append(replace(law, left=float(rest @ rest) / total))
    return sorted(found, key=lambda law: law.length(len(y)))[:_N_KEPT]


def monomials_of(n_features: int) -> list[tuple[float, ...]]:
    """Exponents of monomials, those of low order first; as many whole orders as a bound on their number allows."""
    found: list[tuple[float, ...]] = []
    for order in range(1, _MAX_ORDER + 1):
        new = []
        for count in range(1, min(n_features, _MAX_FACTORS, order) + 1):
            sizes = [s for s in product((1, 2), repeat=count) if sum(s) == order]
            for places in combinations(range(n_features), count):
                for size in sizes:
                    for signs in product((1, -1), repeat=count):
                        exponents = [0.0] * n_features
                        for place, s, sign in zip(places, size, signs, strict=True):
                            exponents[place] = float(s * sign)
                        new.append(tuple(exponents))
        if found and len(found) + len(new) > _MAX_MONOMIALS:
            break
        found += new
    return found


class _Basis:
    """The constant and the logarithms of some features, as ``X = Q R``, and the target as ``y = Q a + r``."""

    def __init__(self, columns: torch.Tensor, y: torch.Tensor, kept: tuple[int, ...]) -> None:
        self.kept = list(kept)
        self.Q, self.R = torch.linalg.qr(columns[:, [0, *(1 + f for f in kept)]])
        self.a = self.Q.T @ y
        self.rest = y - self.Q @ self.a


class _Judge:
    """Least squares of a target on the logarithms of features, and one function more.

    With ``X = Q R`` for the constant and the logarithms, ``y = Q a + r`` and ``v = Q b + w``, what exponents `p` and a
    power `q` leave is ``|a - R p - q b|^2 + |r - q w|^2``, so a few inner products tell it for all of them.
    """

    def __init__(self, logs: np.ndarray, target: np.ndarray, weight: np.ndarray) -> None:
        self.n_rows, self.n_features = logs.shape
        self.logs = torch.as_tensor(np.ascontiguousarray(logs.T))  # (D, N)
        self.root = torch.as_tensor(np.sqrt(weight / weight.mean()))
        self.columns = (torch.cat([torch.ones_like(self.logs[:1]), self.logs]) * self.root).T
        self.y = torch.as_tensor(np.array(target)) * self.root
        self.all = _Basis(self.columns, self.y, tuple(range(self.n_features)))
        rest = float(self.all.rest.square().sum())
        self.total = float(self.all.a[1:].square().sum()) + rest
        diagonal = self.all.R.diagonal().abs()
        self.is_open = bool(diagonal.min() > _INDEPENDENT * diagonal.max()) and rest > 0
        self._without: dict[tuple[bool, ...], _Basis] = {}

    def best(self, name: str, exponents: np.ndarray, scale: float | None, log_units: np.ndarray) -> list[PowerFunction]:
        """The shortest laws of one function, for each of some powers of it, and for any power.

        `exponents` (n_monomials, n_features); the scale is that of the shape, or one in the user's units if None.
        """
        found: list[PowerFunction] = []
        step = max(1, _BLOCK // self.n_rows)
        for start in range(0, len(exponents), step):
            E = torch.as_tensor(exponents[start : start + step])
            log_u = E @ self.logs  # (B, N)
            if scale is None:
                shift = E @ torch.as_tensor(log_units)
            else:
                of = {"mean": log_u.mean, "max": log_u.amax, "min": log_u.amin}[SHAPES[name].of]
                shift = math.log(scale) - of(dim=1)
            v = SHAPES[name].log((log_u + shift[:, None]).exp()) * self.root
            usable = torch.isfinite(v).all(dim=1)
            E, v, scales = E[usable], v[usable], shift[usable].exp()
            if len(v):
                found += self._best_of(name, E, scales, v, self.all)
                for basis, chosen in self._by_support(E):
                    found += self._best_of(name, E[chosen], scales[chosen], v[chosen], basis)
        return found

    def _by_support(self, E: torch.Tensor) -> Iterator[tuple[_Basis, torch.Tensor]]:
        """Monomials of the same features, and a basis without these: on a short range they cannot be told from `f`."""
        if self.n_features > _MAX_LEFT_OUT:
            return
        supports, which = torch.unique(E != 0, dim=0, return_inverse=True)
        for k, support in enumerate(map(tuple, supports.tolist())):
            if support not in self._without:
                kept = tuple(f for f, used in enumerate(support) if not used)
                self._without[support] = _Basis(self.columns, self.y, kept)
            yield self._without[support], torch.nonzero(which == k)[:, 0]

    def _best_of(
        self, name: str, E: torch.Tensor, scales: torch.Tensor, v: torch.Tensor, basis: _Basis
    ) -> list[PowerFunction]:
        b = v @ basis.Q  # (B, 1 + kept)
        size = v.square().sum(dim=1)
        own, common = size - b.square().sum(dim=1), v @ basis.rest
        own = torch.where(own > _INDEPENDENT * size, own, torch.inf)
        given = [] if name == "exp" else [torch.full_like(own, q) for q in _POWERS]
        power = torch.stack([common / own, *given])  # (Q, B), the best one first
        left_by_v = basis.rest.square().sum() - 2 * power * common + power.square() * own
        aim = basis.a - power[:, :, None] * b
        flat = aim.reshape(-1, len(basis.a)).T
        exact = torch.linalg.solve_triangular(basis.R, flat, upper=True).T.view(aim.shape)  # constant and exponents
        found = []
        for is_round in (True, False) if basis is self.all else (True,):
            n_powers = len(power) if is_round else 1
            kept = exact[:n_powers, :, 1:]
            if is_round:
                kept = (2 * kept).round() / 2 + 0.0  # no zero is negative
            missed = aim[:n_powers, :, 1:] - kept @ basis.R[1:, 1:].T
            left = (left_by_v[:n_powers] + missed.square().sum(dim=2)) / self.total
            powers = torch.zeros((n_powers, len(E), self.n_features), dtype=torch.float64)
            powers[:, :, basis.kept] = kept
            symbols = SHAPES[name].symbols + 2 * (E != 0).sum(dim=1) + 2 * (powers != 0).sum(dim=2)
            length = self.n_rows * left.clamp(min=_FLOOR).log() + NATS_PER_SYMBOL * symbols
            length = torch.where(torch.isfinite(own) & (left < 1), length, torch.inf)
            n_free = 2 if is_round else 2 + self.n_features
            found += _shortest(name, length, (E, scales, power, powers, left, symbols), n_free)
        return found


def _shortest(name: str, length: torch.Tensor, parts: Sequence[torch.Tensor], n_free: int) -> list[PowerFunction]:
    """The laws of least length (Q, B) for each power of the function, the first of which is a free coefficient.

    `parts` are monomials, scales, powers of the function and of the features, what is left, and symbols.
    """
    E, scales, *of_power = parts
    best = torch.topk(length, min(_PER_SCALE, length.shape[1]), dim=1, largest=False)
    found = []
    for q, (lengths, chosen) in enumerate(zip(best.values.tolist(), best.indices, strict=True)):
        columns = (E[chosen], scales[chosen], *(part[q][chosen] for part in of_power))
        is_free = q == 0 and name != "exp"
        for rank, e, s, p, exponents, rest, price in zip(lengths, *(c.tolist() for c in columns), strict=True):
            if math.isfinite(rank):
                found.append(PowerFunction(name, tuple(e), s, p, tuple(exponents), rest, price, n_free + is_free))
    return found
