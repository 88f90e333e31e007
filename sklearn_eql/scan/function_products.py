"""Every power law times powers of two functions of monomials, judged in logarithms, and of more, grown from these.

For ``y = c x^p f(s x^m)^q g(t x^n)^r`` the logarithm of `y` is linear in those of the columns, of `f` and of `g`. With
what columns leave of the logarithms of all functions, normalised, as the rows of a matrix, one product of matrices has
the correlations from which follows what each pair leaves of the target. A third and a fourth function are those that
explain most of what the best pairs leave.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import torch

from sklearn_eql.scan.logarithms import INDEPENDENT, FunctionLogarithms, LogarithmicRows
from sklearn_eql.scan.magnitudes import Magnitudes
from sklearn_eql.scan.products import Factor, PowerFunction, at_best_scales
from sklearn_eql.scan.shapes import Shape, monomials_of, shape_of
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL

_MAX_ROWS = 200
_MAX_FUNCTIONS = 4000  # logarithms of functions, of which all pairs are judged
_MAX_ORDER = 2  # of their monomials
_MAX_LONG = 400  # monomials of any order, with which sums of one and a monomial are tried in the user's units
_BLOCK = 256  # functions whose pairs are judged at a time
_PLAIN = (0.5, 1.0, 2.0)  # factors of sums that waves have, in the user's units
_N_SOLVED = 400  # pairs
_MOST_FACTORS = 4  # functions that products grow to
_BEAM, _PER_STATE = 24, 6  # products of each size, and how many grow from each of them
_LEAST = 1e-5  # share of the variance that float32 tells from nothing
_SAME = 1 - 1e-6  # correlation of two functions that are one
_EXPONENTIALS = ("exp", "exp - 1", "1 - exp", "exp + 1", "tanh")  # of which an inverse argument makes another function
_ONE_AND = ("1 + u", "1 - u")
_OTHERS = ("1 + u", "1 - u", "ratio", "log", "ln", "arcsin", "sin", "cos")


@dataclass(frozen=True)
class _Functions:
    """Logarithms of functions of monomials."""

    names: list[str]
    monomials: torch.Tensor  # (M, D)
    scales: torch.Tensor  # (M,)
    values: torch.Tensor  # (M, N)
    symbols: torch.Tensor  # (M,)


def scan_products(
    table: Magnitudes,
    targets: Sequence[tuple[np.ndarray, np.ndarray]],
    allowed: Callable[[str], bool],
    deadline: float = math.inf,
    *,
    n_powers: int,
    n_angles: int = 0,
    further: Mapping[str, Sequence[tuple[float, ...]]] = MappingProxyType({}),
) -> list[list[PowerFunction]]:
    """Laws of some functions of short description of each target, best first, as a sample of the rows has them.

    The law has powers of the first `n_powers` columns. The last `n_angles` are arguments of waves only. `further` has
    monomials of all columns beside those of the first ones, by the name of the function that they are arguments of. For
    the rest see :func:`sklearn_eql.scan.power_functions.scan`.
    """
    step = max(1, len(table.logs) // _MAX_ROWS)
    some = table.some(step)
    functions = _functions(some, n_powers, n_angles, further, allowed, deadline)
    found: list[list[PowerFunction]] = [[] for _ in targets]
    for (target, weight), laws in zip(targets, found, strict=True):
        rows = LogarithmicRows(some.first(n_powers), target[::step], weight[::step])
        if rows.is_open and functions is not None:
            weighted = replace(functions, values=functions.values * rows.root)
            open_ones = _Open(rows, weighted)
            pairs = open_ones.best_pairs(deadline)[:_N_SOLVED]
            for chosen in [*pairs, *open_ones.grown(pairs, deadline)]:
                laws += _solved(rows, weighted, chosen)
    return [at_best_scales(laws, len(some.logs)) for laws in found]


def _functions(
    table: Magnitudes,
    n_powers: int,
    n_angles: int,
    further: Mapping[str, Sequence[tuple[float, ...]]],
    allowed: Callable[[str], bool],
    deadline: float,
) -> _Functions | None:
    shapes = {name: shape_of(name) for name in (*_EXPONENTIALS, *_OTHERS)}
    shapes = {name: shape for name, shape in shapes.items() if all(map(allowed, shape.needs))}
    n_scales = sum(len(_starts(shape)) * (1 + (name in _EXPONENTIALS)) for name, shape in shapes.items())
    whole = monomials_of(n_powers, 2 * _MAX_FUNCTIONS // n_scales, _MAX_ORDER)
    half = _half(whole)
    long = _half(monomials_of(n_powers, 2 * _MAX_LONG))
    logarithms = FunctionLogarithms(table)
    rest = (0.0,) * (table.n_columns - n_powers)  # exponents
    whole, half, long = ([(*m, *rest) for m in monomials] for monomials in (whole, half, long))
    n_inner = table.n_columns - n_angles  # columns that are no sums
    sums = np.eye(table.n_columns)[n_inner:]
    names: list[str] = []
    parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for name, shape in shapes.items():
        monomials = whole if name in _EXPONENTIALS and name != "exp" else half
        waves = [(s, True, sums) for s in _PLAIN] if name in ("sin", "cos") and len(sums) else []
        with_inner = [(*start, further[name]) for start in _inner_starts(name, shape)] if name in further else []
        for scale, in_units, mine in [*((*start, monomials) for start in _starts(shape)), *waves, *with_inner]:
            if time.time() > deadline:
                return None
            mine = long if in_units and mine is half and name in _ONE_AND else mine
            parts.append(logarithms.of(shape, torch.as_tensor(np.array(mine)), scale, in_units))
            names += [name] * len(parts[-1][0])
    monomials, scales, values = (torch.cat(part) for part in zip(*parts, strict=True))
    if not len(values):
        return None
    n_read = (monomials != 0).sum(dim=1) + (monomials[:, n_powers:n_inner] != 0).sum(dim=1)  # a function is one more
    symbols = torch.tensor([float(shapes[name].symbols) for name in names]) + 2 * n_read
    return _Functions(names, monomials, scales, values, symbols)


def _half(monomials: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """One of each monomial and its inverse."""
    return [m for m in monomials if next(filter(None, m)) > 0]


def _starts(shape: Shape) -> list[tuple[float, bool]]:
    """Every other scale of a function that keeps its sign: that of a pair is moved before it is judged."""
    return shape.starts if shape.value is not None else [*shape.starts[::2], *((s, True) for s in shape.in_units)]


def _inner_starts(name: str, shape: Shape) -> list[tuple[float, bool]]:
    """Of exponentials of logarithms, those that are powers in the user's units."""
    plain = [(s, True) for s in shape.in_units]
    return plain if plain and name in _EXPONENTIALS else _starts(shape)


class _Open:
    """Logarithms of functions without what the columns have of them, and what the columns leave of the target."""

    def __init__(self, rows: LogarithmicRows, functions: _Functions) -> None:
        Q = rows.all.Q
        own = functions.values - (functions.values @ Q) @ Q.T
        norm = own.norm(dim=1)
        self._index = torch.nonzero(norm > INDEPENDENT * functions.values.norm(dim=1))[:, 0]
        self._own = own[self._index] / norm[self._index, None]  # (M, N)
        self._rest = rows.all.rest / rows.all.rest.norm()
        self._n_rows, self._n_columns = rows.n_rows, rows.n_columns
        self._price = NATS_PER_SYMBOL * functions.symbols[self._index]

    def best_pairs(self, deadline: float) -> list[tuple[int, ...]]:
        """For each function the best partner after it, by description length, with any exponents."""
        W = self._own.float()
        r = W @ self._rest.float()
        found: list[tuple[float, int, int]] = []
        for first in range(0, len(W), _BLOCK):
            if time.time() > deadline:
                break
            block = slice(first, first + _BLOCK)
            c = W[block] @ W[first:].T
            gain = c * r[block, None] * (-2 * r[first:])
            gain += r[block, None].square() + r[first:].square()
            rest = 1 - c.square_()
            gain /= rest
            gain[rest < 1 - _SAME] = 0
            most, partner = gain.max(dim=1)
            left = (1 - most.double()).clamp(min=_LEAST)
            length = self._n_rows * left.log() + self._price[block] + self._price[first:][partner]
            pairs = zip(length.tolist(), range(first, len(W)), (first + partner).tolist(), strict=False)
            found += [(value, i, j) for value, i, j in pairs if i != j]
        return [self._numbers((i, j)) for _, i, j in sorted(found)]

    def grown(self, pairs: list[tuple[int, ...]], deadline: float) -> Iterator[tuple[int, ...]]:
        """Three functions and more, each time the best of those that the best have grown to."""
        places = {number: k for k, number in enumerate(self._index.tolist())}
        beam = [tuple(places[number] for number in pair) for pair in pairs[:_BEAM]]
        for size in range(3, _MOST_FACTORS + 1):
            if self._n_rows < 2 * (self._n_columns + 2 * size):
                return
            lengths: dict[tuple[int, ...], float] = {}
            for chosen in beam:
                if time.time() > deadline:
                    return
                for value, k in self._next(chosen):
                    lengths[tuple(sorted((*chosen, k)))] = value
            beam = sorted(lengths, key=lengths.__getitem__)[:_BEAM]
            yield from map(self._numbers, beam)

    def _next(self, chosen: tuple[int, ...]) -> Iterator[tuple[float, int]]:
        """The functions that explain most of what some leave, and the lengths of all these together."""
        Q, _ = torch.linalg.qr(self._own[list(chosen)].T)
        rest = self._rest - Q @ (Q.T @ self._rest)
        norm = 1 - (self._own @ Q).square().sum(dim=1)
        gain = (self._own @ rest).square() / norm.clamp(min=1 - _SAME)
        gain[norm < 1 - _SAME] = 0
        left = (rest @ rest - gain).clamp(min=_LEAST)
        length = self._n_rows * left.log() + self._price
        best = torch.topk(length, min(_PER_STATE, len(length)), largest=False)
        given = float(self._price[list(chosen)].sum())
        yield from ((value + given, k) for value, k in zip(best.values.tolist(), best.indices.tolist(), strict=True))

    def _numbers(self, places: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self._index[list(places)].tolist())


def _solved(rows: LogarithmicRows, functions: _Functions, chosen: tuple[int, ...]) -> Iterator[PowerFunction]:
    """Some functions with their exponents, as they are and rounded."""
    v = functions.values[list(chosen)].T  # (N, F)
    has_rate = torch.tensor([functions.names[k] == "exp" for k in chosen])  # a power of an exponential is its rate
    constant = rows.root / rows.root.norm()
    exact = _least_squares(torch.cat([rows.columns, v], dim=1), rows.y)
    for is_round in (True, False):
        first, q = exact[: 1 + rows.n_columns], exact[1 + rows.n_columns :]
        if is_round:
            q = torch.where(has_rate, 0.0, (2 * q).round() / 2)
            again = _least_squares(torch.cat([rows.columns, v[:, has_rate]], dim=1), rows.y - v @ q)
            first, q = again[: 1 + rows.n_columns], q.masked_scatter(has_rate, again[1 + rows.n_columns :])
            if not q.all():
                if q.any():  # fewer functions do
                    yield from _solved(rows, functions, tuple(k for k, p in zip(chosen, q.tolist(), strict=True) if p))
                continue
        powers = rows.table.rounded(first[None, 1:], is_round)[0]
        rest = rows.y - v @ q - rows.columns[:, 1:] @ powers
        rest = rest - constant * (constant @ rest)
        left = float(rest.square().sum()) / rows.total
        if left < 1:
            factors = tuple(
                Factor(functions.names[k], tuple(functions.monomials[k].tolist()), float(functions.scales[k]), p)
                for k, p in zip(chosen, q.tolist(), strict=True)
            )
            symbols = int(functions.symbols[list(chosen)].sum()) + 2 * int((powers != 0).sum())
            n_free = 1 + len(chosen) + (0 if is_round else len(chosen) + rows.n_columns)
            exponents = (*powers.tolist(), *(0.0,) * (functions.monomials.shape[1] - rows.n_columns))
            yield PowerFunction(factors, exponents, left, symbols, n_free, is_round)


def _least_squares(columns: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.linalg.lstsq(columns, y[:, None]).solution[:, 0]
