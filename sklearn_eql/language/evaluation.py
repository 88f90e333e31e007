"""Values of many expressions at once: a stack machine in NumPy, one call per operator and place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sklearn_eql.language.grammar import ARITY, PLACES, Expression, number_of

_OPERATIONS: Mapping[str, Callable[..., np.ndarray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "square": np.square,
    "cube": lambda u: u * u * u,
    "inv": np.reciprocal,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "log": np.log,
}
_EXPRESSIONS_AT_ONCE = 1024


def evaluate(expressions: Sequence[Expression], X: np.ndarray, constants: np.ndarray | None = None) -> np.ndarray:
    """Values of expressions in float64, shape ``(n_expressions, n_rows)``.

    Parameters
    ----------
    expressions : sequence of tuple of str
        Complete expressions in prefix order.
    X : ndarray, shape (n_rows, n_variables) or (n_expressions, n_rows, n_variables)
        One table for all, or one each.
    constants : ndarray, shape (n_expressions, n_places), optional
        Numbers for the places of open forms (`PLACES`), in the order of the tokens.

    Returns
    -------
    values : ndarray, shape (n_expressions, n_rows)
        NaN where an expression is undefined, divides by zero or overflows, also in a part whose value is finite again
        (``exp(-1/x)`` at 0).
    """
    X = np.asarray(X, dtype=np.float64)
    values = np.empty((len(expressions), X.shape[-2]))
    for first in range(0, len(expressions), _EXPRESSIONS_AT_ONCE):  # bounds the memory
        block = slice(first, first + _EXPRESSIONS_AT_ONCE)
        with np.errstate(all="ignore"):
            numbers = None if constants is None else constants[block]
            values[block] = _values(expressions[block], X if X.ndim == 2 else X[block], numbers)
    return values


def _values(expressions: Sequence[Expression], X: np.ndarray, constants: np.ndarray | None) -> np.ndarray:
    """From the last token to the first: leaves are pushed, operators take their arguments from the top."""
    names: dict[str, int] = {}
    codes = [[names.setdefault(token, len(names)) for token in reversed(e)] for e in expressions]
    longest = max(map(len, codes))
    program = np.full((len(codes), longest), -1)  # (E, T), last token first
    for row, code in zip(program, codes, strict=True):
        row[: len(code)] = code
    height = np.zeros(len(codes), dtype=int)
    stack = np.empty((len(codes), _deepest(expressions), X.shape[-2]))  # (E, H, N)
    undefined = np.zeros((len(codes), X.shape[-2]), dtype=bool)
    place = np.array([sum(token in PLACES for token in expression) for expression in expressions])
    for step in range(longest):
        for name, code in names.items():
            rows = np.flatnonzero(program[:, step] == code)
            if not len(rows):
                continue
            arity = ARITY.get(name, 0)
            top = height[rows]
            if arity:
                result = _OPERATIONS[name](*(stack[rows, top - 1 - i] for i in range(arity)))
                undefined[rows] |= ~np.isfinite(result)
            elif name in PLACES:
                place[rows] -= 1
                result = constants[rows, place[rows], None]
            elif (number := number_of(name)) is not None:
                result = number
            else:
                column = int(name[1:])
                result = X[:, column] if X.ndim == 2 else X[rows, :, column]
            height[rows] = top + 1 - arity
            stack[rows, top - arity] = result
    values = stack[:, 0]
    values[undefined] = np.nan
    return values


def _deepest(expressions: Sequence[Expression]) -> int:
    """A height that no stack exceeds: one more than the binary operators."""
    return 1 + max(sum(ARITY.get(token, 0) == 2 for token in expression) for expression in expressions)


def fingerprints(expressions: Sequence[Expression], n_variables: int) -> list[bytes]:
    """What tells functions apart: six digits of their values at fixed points, and where they have none.

    Two expressions with one fingerprint are one function, however they are written; two of one function have different
    ones only where a value lies within rounding of the border between two sixth digits.
    """
    values = evaluate(expressions, _fixed_points(n_variables))
    with np.errstate(all="ignore"):
        exponents = np.floor(np.log10(np.abs(values)))
        rounded = np.round(values / 10.0 ** (exponents - 5))
    exponents = np.where(np.abs(values) > 1e-9, exponents, 0)
    rounded = np.where(np.abs(values) > 1e-9, rounded, 0)  # rounding of a difference is no digit
    undefined = np.isnan(values)
    pairs = np.stack([np.where(undefined, 10**7, rounded), np.where(undefined, 0, exponents)], axis=-1)
    return [row.tobytes() for row in pairs.astype(np.int32)]


def _fixed_points(n_variables: int) -> np.ndarray:
    """Points of both signs, shape ``(24, n_variables)``: multiples of irrational numbers, modulo the range."""
    steps = np.sqrt(np.array([2, 3, 5, 7, 11, 13, 17, 19, 23, 29])[np.arange(n_variables) % 10])
    return 6 * np.modf(np.outer(np.arange(1, 25), steps) + 0.123)[0] - 3
