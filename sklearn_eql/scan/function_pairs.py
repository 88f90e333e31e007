"""Every power law times powers of two functions of monomials, judged in logarithms.

For ``y = c x^p f(s x^m)^q g(t x^n)^r`` the logarithm of `y` is linear in those of the columns, of `f` and of `g`. With
what columns leave of the logarithms of all functions, normalised, as the rows of a matrix, one product of matrices has
the correlations from which follows what each pair leaves of the target.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from sklearn_eql.scan.logarithms import INDEPENDENT, FunctionLogarithms, LogarithmicRows
from sklearn_eql.scan.magnitudes import Magnitudes
from sklearn_eql.scan.products import Factor, PowerFunction, at_best_scales
from sklearn_eql.scan.shapes import SHAPES, SIGNED, Shape, monomials_of
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL

_MAX_ROWS = 200
_MAX_FUNCTIONS = 4000  # logarithms of functions, of which all pairs are judged
_MAX_ORDER = 2  # of their monomials
_MAX_LONG = 400  # monomials of any order, with which sums of one and a monomial are tried in the user's units
_BLOCK = 256  # functions whose pairs are judged at a time
_N_SOLVED = 400  # pairs
_LEAST = 1e-5  # share of the variance that float32 tells from nothing
_SAME = 1 - 1e-6  # correlation of two functions that are one
_EXPONENTIALS = ("exp", "exp - 1", "1 - exp", "exp + 1", "tanh")  # of which an inverse argument makes another function
_OTHERS = ("1 + u", "1 - u", "ratio", "log", "arcsin", "sin", "cos")


@dataclass(frozen=True)
class _Functions:
    """Logarithms of functions of monomials."""

    names: list[str]
    monomials: torch.Tensor  # (M, D)
    scales: torch.Tensor  # (M,)
    values: torch.Tensor  # (M, N)
    symbols: torch.Tensor  # (M,)


def scan_pairs(
    table: Magnitudes,
    targets: Sequence[tuple[np.ndarray, np.ndarray]],
    allowed: Callable[[str], bool],
    deadline: float = math.inf,
) -> list[list[PowerFunction]]:
    """Laws of two functions of short description of each target, best first, as a sample of the rows has them.

    See :func:`sklearn_eql.scan.power_functions.scan`.
    """
    step = max(1, len(table.logs) // _MAX_ROWS)
    some = table.some(step)
    functions = _functions(some, allowed, deadline)
    found: list[list[PowerFunction]] = [[] for _ in targets]
    for (target, weight), laws in zip(targets, found, strict=True):
        rows = LogarithmicRows(some, target[::step], weight[::step])
        if rows.is_open and functions is not None:
            weighted = replace(functions, values=functions.values * rows.root)
            for i, j in _best_pairs(rows, weighted, deadline)[:_N_SOLVED]:
                laws += _solved(rows, weighted, i, j)
    return [at_best_scales(laws, len(some.logs)) for laws in found]


def _functions(table: Magnitudes, allowed: Callable[[str], bool], deadline: float) -> _Functions | None:
    shapes = {name: SIGNED.get(name, SHAPES[name]) for name in (*_EXPONENTIALS, *_OTHERS)}
    shapes = {name: shape for name, shape in shapes.items() if all(map(allowed, shape.needs))}
    both_ways = [name in _EXPONENTIALS for name in shapes]
    n_scales = sum(len(_starts(s)) * (1 + both) for s, both in zip(shapes.values(), both_ways, strict=True))
    whole = monomials_of(table.n_columns, 2 * _MAX_FUNCTIONS // n_scales, _MAX_ORDER)
    half = _half(whole)
    long = torch.as_tensor(np.array(_half(monomials_of(table.n_columns, 2 * _MAX_LONG))))
    logarithms = FunctionLogarithms(table)
    names: list[str] = []
    parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for (name, shape), both in zip(shapes.items(), both_ways, strict=True):
        E = torch.as_tensor(np.array(whole if both and name != "exp" else half))
        for scale, in_units in _starts(shape):
            if time.time() > deadline:
                return None
            mine = long if in_units and name in ("1 + u", "1 - u") else E
            parts.append(logarithms.of(shape, mine, scale, in_units))
            names += [name] * len(parts[-1][0])
    monomials, scales, values = (torch.cat(part) for part in zip(*parts, strict=True))
    if not len(values):
        return None
    symbols = torch.tensor([float(shapes[name].symbols) for name in names]) + 2 * (monomials != 0).sum(dim=1)
    return _Functions(names, monomials, scales, values, symbols)


def _half(monomials: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """One of each monomial and its inverse."""
    return [m for m in monomials if next(filter(None, m)) > 0]


def _starts(shape: Shape) -> list[tuple[float, bool]]:
    """Every other scale of a function that keeps its sign: that of a pair is moved before it is judged."""
    return shape.starts if shape.value is not None else [*shape.starts[::2], *((s, True) for s in shape.in_units)]


def _best_pairs(rows: LogarithmicRows, functions: _Functions, deadline: float) -> list[tuple[int, int]]:
    """For each function the best partner after it, by description length, with any exponents."""
    Q = rows.all.Q
    own = functions.values - (functions.values @ Q) @ Q.T
    norm = own.norm(dim=1)
    is_open = norm > INDEPENDENT * functions.values.norm(dim=1)
    index = torch.nonzero(is_open)[:, 0]
    W = (own[index] / norm[index, None]).float()
    r = W @ rows.all.rest.float() / rows.all.rest.norm().float()
    symbols = functions.symbols[index]
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
        length = rows.n_rows * left.log() + NATS_PER_SYMBOL * (symbols[block] + symbols[first:][partner])
        pairs = zip(length.tolist(), index[block].tolist(), index[first:][partner].tolist(), strict=True)
        found += [(value, i, j) for value, i, j in pairs if i != j]
    return [(i, j) for _, i, j in sorted(found)]


def _solved(rows: LogarithmicRows, functions: _Functions, i: int, j: int) -> Iterator[PowerFunction]:
    """One pair with its exponents, as they are and rounded."""
    v = functions.values[[i, j]].T  # (N, 2)
    has_rate = torch.tensor([functions.names[k] == "exp" for k in (i, j)])  # a power of an exponential is its rate
    constant = rows.root / rows.root.norm()
    exact = _least_squares(torch.cat([rows.columns, v], dim=1), rows.y)
    for is_round in (True, False):
        first, q = exact[: 1 + rows.n_columns], exact[1 + rows.n_columns :]
        if is_round:
            q = torch.where(has_rate, 0.0, (2 * q).round() / 2)
            again = _least_squares(torch.cat([rows.columns, v[:, has_rate]], dim=1), rows.y - v @ q)
            first, q = again[: 1 + rows.n_columns], q.masked_scatter(has_rate, again[1 + rows.n_columns :])
            if not q.all():
                continue
        powers = rows.table.rounded(first[None, 1:], is_round)[0]
        rest = rows.y - v @ q - rows.columns[:, 1:] @ powers
        rest = rest - constant * (constant @ rest)
        left = float(rest.square().sum()) / rows.total
        if left < 1:
            symbols = int(functions.symbols[i] + functions.symbols[j]) + 2 * int((powers != 0).sum())
            factors = tuple(
                Factor(functions.names[k], tuple(functions.monomials[k].tolist()), float(functions.scales[k]), p)
                for k, p in zip((i, j), q.tolist(), strict=True)
            )
            n_free = 3 if is_round else 5 + rows.n_columns
            yield PowerFunction(factors, tuple(powers.tolist()), left, symbols, n_free)


def _least_squares(columns: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.linalg.lstsq(columns, y[:, None]).solution[:, 0]
