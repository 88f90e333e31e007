"""Functions of one column that stand inside others: ``1 + e*cos(x)``, and ``n*log(1 + r)``, which is ``(1 + r)**n``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from sklearn_eql.ladder.factors import Column
from sklearn_eql.sparse.editing import Node
from sklearn_eql.sparse.problem import Problem

Monomials = list[tuple[float, ...]]

_AT_MOST = 80  # monomials of waves, and of logarithms
_ANGLES = (0.5, 13.0)  # ranges of what may be an angle, in radians: up to two turns
_WAVES = (("cos", 1.0, (1.0, 2.0)), ("sin", 1.0, (1.0, 2.0)), ("sin", 0.5, (2.0,)))
"""Functions of an angle, what it is multiplied by, and their powers: ``1 - cos(x)`` is ``2*sin(x/2)**2``."""
_RATES = ((0.0, 1.0), (1.0, 1.0), (1.0, -1.0))
"""Of ``log(a + b*x)``."""
_OF_WAVES = ("1 + u", "1 - u")
_OF_LOGARITHMS = ("exp", "exp - 1", "1 - exp", "exp + 1")


@dataclass
class InnerFunctions:
    """Columns that are a function of another one, and monomials with one of them.

    Parameters
    ----------
    columns : list of Column
    monomials : mapping
        By the name of the function that they are arguments of. Exponents of the columns of the table, then of these.
    """

    columns: list[Column] = field(default_factory=list)
    monomials: Mapping[str, Monomials] = field(default_factory=dict)


def inner_functions(problem: Problem, columns: list[Column], has: Callable[[str], bool]) -> InnerFunctions:
    """Waves of what may be angles and logarithms, each alone or times a power of another column.

    Those of the first columns, which are the most important ones, as long as there are not too many monomials.

    Parameters
    ----------
    problem : Problem
    columns : list of Column
        Features, which the monomials have powers of.
    has : callable
        Whether a function may be used, by name.
    """
    features = [(k, column.feature) for k, column in enumerate(columns) if column.feature is not None]
    found: list[Column] = []
    exponents: dict[tuple[str, ...], list[dict[int, float]]] = {}
    for outer, functions in ((_OF_WAVES, _waves), (_OF_LOGARITHMS, _logarithms)):
        mine = exponents[outer] = []
        for k, feature in features:
            others = [{}, *({j: p} for j, _ in features if j != k for p in (1.0, -1.0))]
            new = [(c, powers) for c, powers in functions(problem, feature, has) if _is_sound(c.values(problem))]
            more = [
                {len(columns) + len(found) + i: p, **other}
                for i, (_, powers) in enumerate(new)
                for p in powers
                for other in others
                if outer is _OF_WAVES or other  # a logarithm alone is a power
            ]
            if len(mine) + len(more) > _AT_MOST:
                break
            found += [column for column, _ in new]
            mine += more
    width = len(columns) + len(found)
    return InnerFunctions(
        found,
        {
            name: [tuple(m.get(k, 0.0) for k in range(width)) for m in mine]
            for outer, mine in exponents.items()
            for name in outer
            if mine
        },
    )


def _waves(problem: Problem, feature: int, has: Callable[[str], bool]) -> Iterator[tuple[Column, tuple[float, ...]]]:
    unit = float(problem.x_units[feature - 1])
    if _ANGLES[0] <= unit * float(np.ptp(problem.X[:, feature - 1].numpy())) <= _ANGLES[1]:
        for name, frequency, powers in _WAVES:
            if has(name):
                yield Column([[Node(name, [[[feature, frequency * unit]]]), 1.0]], 1.0, 0), powers


def _logarithms(
    problem: Problem, feature: int, has: Callable[[str], bool]
) -> Iterator[tuple[Column, tuple[float, ...]]]:
    unit = float(problem.x_units[feature - 1])
    x = unit * problem.X[:, feature - 1].numpy()
    for constant, rate in _RATES if has("log") and has("exp") else ():
        if (constant + rate * x).min() > 0:
            inside = [[0, constant], [feature, rate * unit]] if constant else [[feature, unit]]
            yield Column([[Node("log", [inside]), 1.0]], 1.0, 0), (1.0,)


def _is_sound(values: np.ndarray) -> bool:
    return bool(values.all() and np.isfinite(values).all())
