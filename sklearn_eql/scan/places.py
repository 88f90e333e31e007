"""Functions of one feature around places: bell curves, steps and waves on a grid of places, widths and frequencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sklearn_eql.sparse.editing import Node

Terms = list[list]

_N_PLACES = 24  # over the range of the rows
_WIDTHS = (0.015, 0.04, 0.1, 0.25)  # of bells and steps, as shares of the range
_RATES = (0.5, 1.2, 3.0, 8.0, 20.0)  # of exponentials, per range
_MOST_WAVES = 200  # frequencies
_STEPS = ("tanh", "sigmoid", "arctan")  # of which one is enough, in this order


@dataclass(frozen=True)
class Entry:
    """A function of one feature, and how to write it.

    Parameters
    ----------
    kind : str
        Entries of one kind differ by their constants.
    columns : ndarray (K, N)
        Values; two of a wave, whose phase is free.
    make : callable
        ``make(weights)`` is a fresh node for the sum of the columns with these weights, up to a factor.
    symbols : int
    """

    kind: str
    columns: np.ndarray
    make: Callable[[np.ndarray], Node | int]
    symbols: int


def entries_of(x: np.ndarray, feature: int, has: Callable[[str], bool]) -> Iterator[Entry]:
    """The entries of a feature with values `x` (N,), numbered from 1; `has` says whether a function may be used."""
    low, high = float(x.min()), float(x.max())
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return
    yield Entry("line", x[None], lambda _: feature, 1)
    if has("exp"):
        yield from _exponentials(x, feature, span, low, high)
    for place in np.linspace(low, high, _N_PLACES).tolist():
        yield from _around(x, feature, place, span, has)
    if has("sin"):
        n_distinct = len(np.unique(x))
        for cycles in 0.25 * np.arange(2, 2 + min(_MOST_WAVES, 2 * n_distinct)):
            w = 2 * math.pi * float(cycles) / span
            yield Entry("wave", np.stack([np.sin(w * x), np.cos(w * x)]), _wave(feature, w), 3)


def _exponential(feature: int, rate: float, _: Any) -> Node:
    return Node("exp", [[[feature, rate]]])


def _exponentials(x: np.ndarray, feature: int, span: float, low: float, high: float) -> Iterator[Entry]:
    for rate in _RATES:
        for k in (rate / span, -rate / span):
            values = np.exp(k * (x - (high if k > 0 else low)))
            yield Entry("exp", values[None], partial(_exponential, feature, k), 2)


def _around(x: np.ndarray, feature: int, place: float, span: float, has: Callable[[str], bool]) -> Iterator[Entry]:
    for width in _WIDTHS:
        k = 1 / (width * span)
        z = k * (x - place)
        line = [[feature, k], [0, -k * place]]
        if has("exp") and has("square"):
            yield Entry("bell", np.exp(-z * z)[None], _bell(line), 6)
        for name in _STEPS:
            if has(name):
                values = np.arctan(z) if name == "arctan" else np.tanh(0.5 * z)
                scale = 0.5 if name == "tanh" else 1.0
                yield Entry(name, values[None], _step(name, line, scale), 4)
                break


def _bell(line: Terms) -> Callable[[np.ndarray], Node]:
    return lambda _: Node("exp", [[[Node("square", [[list(term) for term in line]]), -1.0]]])


def _step(name: str, line: Terms, scale: float) -> Callable[[np.ndarray], Node]:
    return lambda _: Node(name, [[[source, scale * c] for source, c in line]])


def _wave(feature: int, w: float) -> Callable[[np.ndarray], Node]:
    """``a sin(w x) + b cos(w x)`` is a sine with a phase."""
    return lambda weights: Node("sin", [[[feature, w], [0, math.atan2(float(weights[1]), float(weights[0]))]]])
