"""Expressions in prefix notation, their operators, and random trees drawn uniformly (Lample and Charton, 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

Expression = tuple[str, ...]
"""Tokens in prefix order: ``("add", "x0", "1")`` is ``x0 + 1``. Integers are written in decimal digits, real constants
with a ``c`` in front: ``c-0.32``."""

BINARY = ("add", "sub", "mul", "div")
UNARY = ("neg", "square", "cube", "inv", "sqrt", "sin", "cos", "exp", "log")
ARITY: Mapping[str, int] = dict.fromkeys(BINARY, 2) | dict.fromkeys(UNARY, 1)
"""Arguments of every operator. All other tokens are leaves: variables ``x0, x1, ...`` and integers."""

OPEN, POSITIVE, SIGN = "C", "P", "S"
"""Places, in an open form, of a number of any sign, of one whose sign is fixed by a symmetry (of a sine, a cosine) or
must be positive, and of one or minus one (``sqrt(1 - x**2)``, whose sign no factor takes out)."""

PLACES = frozenset((OPEN, POSITIVE, SIGN))


def is_constant(token: str) -> bool:
    """Whether a token is a real constant, such as ``c-0.32``."""
    return token[0] == "c" and token[1:2] in "-.0123456789" and len(token) > 1


def number_of(token: str) -> float | None:
    """The number that an integer or a constant stands for; None for other tokens."""
    if token.isdecimal():
        return float(token)
    return float(token[1:]) if is_constant(token) else None


_BINARY_WEIGHTS = {"add": 3.0, "sub": 2.0, "mul": 3.0, "div": 1.5}
_UNARY_WEIGHTS = {
    "sin": 1.0,
    "cos": 1.0,
    "exp": 1.0,
    "log": 1.0,
    "sqrt": 1.0,
    "square": 1.0,
    "cube": 0.5,
    "inv": 0.5,
}


@dataclass(frozen=True)
class Grammar:
    """What random trees are made of.

    Parameters
    ----------
    n_variables : int
        Leaves ``x0`` to ``x{n_variables - 1}``.
    max_binary, max_unary : int
        Numbers of operators are uniform from `min_binary` and 0 to these, independently.
    max_integer : int
        Integer leaves, and those of canonical forms, are 1 to this.
    integer_share : float
        Probability that a leaf is an integer.
    binary_weights, unary_weights : mapping of str to float
        How often each operator is drawn, relative to the others of its arity.
    min_binary : int
        Fewest binary operators.
    """

    n_variables: int = 1
    max_binary: int = 3
    max_unary: int = 3
    max_integer: int = 9
    integer_share: float = 0.3
    binary_weights: Mapping[str, float] = field(default_factory=lambda: dict(_BINARY_WEIGHTS))
    unary_weights: Mapping[str, float] = field(default_factory=lambda: dict(_UNARY_WEIGHTS))
    min_binary: int = 0

    def __post_init__(self) -> None:
        low, high = self.min_binary, self.max_binary
        if min(self.n_variables, self.max_integer) < 1 or min(low, self.max_unary) < 0 or low > high:
            raise ValueError(
                f"n_variables={self.n_variables}, max_integer={self.max_integer}, min_binary={low}, max_binary={high}, "
                f"max_unary={self.max_unary}: expected at least 1 of the first two, no negative number, and no more "
                "for the fewest binary operators than for the most."
            )
        for weights, known in ((self.binary_weights, BINARY), (self.unary_weights, UNARY)):
            if not weights or set(weights) - set(known) or min(weights.values()) <= 0:
                raise ValueError(
                    f"weights of operators {dict(weights)!r}: expected positive numbers for some of {known}."
                )

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables."""
        return tuple(f"x{i}" for i in range(self.n_variables))


@lru_cache(maxsize=16)
def count_of_trees(max_binary: int, max_unary: int) -> np.ndarray:
    """Ways to complete a tree in prefix order, shape ``(max_binary + 2, max_binary + 1, max_unary + 1)``.

    Entry ``[e, b, u]`` counts those with `e` empty places and `b` binary and `u` unary operators still to be written:
    the first place takes a leaf, a unary or a binary operator, ``D(e, b, u) = D(e-1, b, u) + D(e, b, u-1) +
    D(e+1, b-1, u)``. It is the recursion of Lample and Charton (2019, appendix C), with the two kinds counted apart.
    """
    trees = np.zeros((2 * max_binary + 3, max_binary + 1, max_unary + 1))  # (empty, binary, unary); the last is spare
    trees[0, 0, 0] = 1
    for b in range(max_binary + 1):
        for u in range(max_unary + 1):
            for e in range(1, 2 * max_binary + 2 - b):
                trees[e, b, u] = (
                    trees[e - 1, b, u] + (trees[e, b, u - 1] if u else 0) + (trees[e + 1, b - 1, u] if b else 0)
                )
    trees.setflags(write=False)
    return trees


def random_trees(grammar: Grammar, n_trees: int, rng: np.random.Generator) -> list[Expression]:
    """Raw trees, not canonical: uniform among the shapes of as many operators, all trees in step.

    Parameters
    ----------
    grammar : Grammar
        Operators, leaves and sizes.
    n_trees : int
        How many to draw.
    rng : Generator
        Source of randomness.
    """
    trees = count_of_trees(grammar.max_binary, grammar.max_unary)
    binary = rng.integers(grammar.min_binary, grammar.max_binary + 1, n_trees)  # still to be written, (n_trees,)
    unary = rng.integers(0, grammar.max_unary + 1, n_trees)
    empty = np.ones(n_trees, dtype=int)
    names = np.array([*grammar.binary_weights, *grammar.unary_weights, *grammar.variables, *_integers(grammar)])
    first = np.cumsum([0, len(grammar.binary_weights), len(grammar.unary_weights), grammar.n_variables])
    columns = []
    for _ in range(2 * grammar.max_binary + grammar.max_unary + 1):
        total = np.maximum(trees[empty, binary, unary], 1)
        chance = rng.random(n_trees) * total
        as_unary = np.where(unary > 0, trees[empty, binary, unary - 1], 0)
        as_binary = np.where(binary > 0, trees[empty + 1, binary - 1, unary], 0)
        is_binary = chance < as_binary
        is_unary = ~is_binary & (chance < as_binary + as_unary)
        leaf = np.where(
            rng.random(n_trees) < grammar.integer_share,
            first[3] + rng.integers(0, grammar.max_integer, n_trees),
            first[2] + rng.integers(0, grammar.n_variables, n_trees),
        )
        column = np.where(
            is_binary,
            _drawn(grammar.binary_weights, n_trees, rng),
            np.where(is_unary, first[1] + _drawn(grammar.unary_weights, n_trees, rng), leaf),
        )
        columns.append(np.where(empty > 0, column, -1))
        empty = np.where(empty > 0, empty - 1 + 2 * is_binary + is_unary, 0)
        binary, unary = binary - is_binary, unary - is_unary
    return [tuple(names[row[row >= 0]].tolist()) for row in np.stack(columns, axis=1)]


def arguments(expression: Expression) -> tuple[str, list[Expression]]:
    """The operator or leaf at the root, and the expressions below it.

    Raises
    ------
    ValueError
        The tokens are no single expression in prefix order.
    """
    parts, start = [], 1
    for _ in range(ARITY.get(expression[0], 0) if expression else 0):
        end = _end_of(expression, start)
        parts.append(expression[start:end])
        start = end
    if start != len(expression):
        raise ValueError(f"{' '.join(expression)!r} is no expression in prefix order: it ends at token {start}.")
    return expression[0], parts


def _end_of(expression: Expression, start: int) -> int:
    """Where the expression that begins at `start` ends."""
    is_open = 1
    for i in range(start, len(expression)):
        is_open += ARITY.get(expression[i], 0) - 1
        if not is_open:
            return i + 1
    raise ValueError(f"{' '.join(expression)!r} is no expression in prefix order: an argument is missing at its end.")


def _integers(grammar: Grammar) -> list[str]:
    return [str(i) for i in range(1, grammar.max_integer + 1)]


def _drawn(weights: Mapping[str, float], n_trees: int, rng: np.random.Generator) -> np.ndarray:
    edges = np.cumsum(list(weights.values()))
    return np.searchsorted(edges, rng.random(n_trees) * edges[-1], side="right")
