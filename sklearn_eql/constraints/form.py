"""Constraints on the form of a law: its size, its functions, its features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MaxComplexity:
    """The printed law has at most `n` nodes, as counted in the column `complexity` of ``equations_``.

    Parameters
    ----------
    n : int
        At least 1. Numbers that the law would only have because the data are far from zero are counted, too.
    """

    n: int


@dataclass(frozen=True, init=False)
class Price:
    """Functions that cost more than others, or less.

    Parameters
    ----------
    symbols : mapping of str to float
        Name of a function to what each of its occurrences costs beyond the usual, in symbols of the description length
        (see `selection`). Negative numbers make a function cheaper. A power, however it is spelled, is ``"pow"``,
        unless it has a name of its own (``"sqrt"``, ``"square"``, ``"inv"``).

    Examples
    --------
    >>> from sklearn_eql.constraints import Price
    >>> Price({"exp": 3})
    Price({'exp': 3.0})
    """

    symbols: tuple[tuple[str, Any], ...]

    def __init__(self, symbols: Mapping[str, float]) -> None:
        object.__setattr__(self, "symbols", tuple(dict(symbols).items()))

    def __repr__(self) -> str:
        return f"Price({ {name: float(price) for name, price in self.symbols} })"


@dataclass(frozen=True, init=False)
class NotNested:
    """None of these functions is inside another of them, or inside itself, at any depth.

    Parameters
    ----------
    *functions : str
        With one name: ``NotNested("exp")`` forbids ``exp(exp(x))``.
    """

    functions: tuple[str, ...]

    def __init__(self, *functions: str) -> None:
        object.__setattr__(self, "functions", functions)

    def __repr__(self) -> str:
        return f"NotNested({', '.join(map(repr, self.functions))})"


@dataclass(frozen=True, init=False)
class Uses:
    """The law has all of these features.

    Parameters
    ----------
    *features : str
        Names as in the columns of `X`, or ``"x0"``, ``"x1"``, ... where these have none.
    """

    features: tuple[str, ...]

    def __init__(self, *features: str) -> None:
        object.__setattr__(self, "features", features)

    def __repr__(self) -> str:
        return f"Uses({', '.join(map(repr, self.features))})"


@dataclass(frozen=True, init=False)
class Without:
    """The law has none of these features.

    Parameters
    ----------
    *features : str
        As of :class:`Uses`.
    """

    features: tuple[str, ...]

    def __init__(self, *features: str) -> None:
        object.__setattr__(self, "features", features)

    def __repr__(self) -> str:
        return f"Without({', '.join(map(repr, self.features))})"
