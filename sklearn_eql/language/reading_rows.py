"""How a network is shown a table: which rows, in which units, and what it can read at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from sklearn_eql.language.grammar import ARITY
from sklearn_eql.language.tokens import Vocabulary

_NOTE = "reading"  # in the notes of a file of weights
_FEWEST = 8  # rows; training shows more, and a few less are no other task


@dataclass(frozen=True)
class Shown:
    """Rows as a network sees them.

    Attributes
    ----------
    X : ndarray, shape (n_rows, n_variables)
        Columns in their units, zero where the table has no more.
    y : ndarray, shape (n_rows,)
    x_units : ndarray, shape (n_columns,)
        What the columns of the table were divided by.
    y_unit : float
    """

    X: np.ndarray
    y: np.ndarray
    x_units: np.ndarray
    y_unit: float


@dataclass(frozen=True)
class Reading:
    """What a network was trained to read.

    Parameters
    ----------
    n_variables : int
        Columns at most.
    scaled : bool
        Whether columns and target are divided by their root mean squares. Such a network writes `g` of a law
        ``a*g + b``, with rough constants; another one writes the law itself.
    low, high : float
        Values of the columns, as they are shown, lie between these.
    min_rows, max_rows : int
        Rows with a target; of more, `max_rows` drawn at random are shown.
    """

    n_variables: int
    scaled: bool = True
    low: float = -math.inf
    high: float = math.inf
    min_rows: int = _FEWEST
    max_rows: int = 256

    @classmethod
    def of(cls, vocabulary: Vocabulary, n_variables: int, notes: Mapping[str, Any]) -> Reading:
        """From the notes of a file of weights (`as_note`); where they say nothing, from the numbers that are written.

        A network that writes whole numbers only has learnt exact laws, of points in [-3, 3] as they are.
        """
        given = notes.get(_NOTE, {})
        known = {field.name: given[field.name] for field in fields(cls) if field.name in given}
        usual = {} if vocabulary.constants else {"scaled": False, "low": -3.0, "high": 3.0, "max_rows": 64}
        return cls(**{"n_variables": n_variables, **usual, **known})

    def as_note(self) -> dict[str, dict[str, Any]]:
        """An entry for the notes of a file of weights."""
        return {_NOTE: asdict(self)}

    def readable(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which rows can be shown, bool of shape ``(n_rows,)``, of the columns that are to be shown."""
        finite = np.isfinite(y) & np.isfinite(X).all(axis=1)
        return finite if self.scaled else finite & (np.clip(X, self.low, self.high) == X).all(axis=1)

    def shown(self, X: np.ndarray, y: np.ndarray, seed: int = 0) -> Shown:
        """The rows that a network sees of a table.

        Parameters
        ----------
        X : ndarray, shape (n_rows, n_columns)
        y : ndarray, shape (n_rows,)
            NaN in rows that are to be left out.
        seed : int
            Of the sample, where there are more than `max_rows`.

        Raises
        ------
        ValueError
            More columns than variables, or too few rows that can be read.
        """
        if X.ndim != 2 or y.shape != X.shape[:1]:
            raise ValueError(
                f"X and y have the shapes {X.shape} and {y.shape}, expected (n_rows, n_columns), (n_rows,)."
            )
        if not 1 <= X.shape[1] <= self.n_variables:
            raise ValueError(
                f"X has {X.shape[1]} columns to read, expected 1 to {self.n_variables}, as many as the network has "
                "variables. Choose the most important ones (columns=), or another network."
            )
        rows = np.flatnonzero(self.readable(X, y))
        if len(rows) < self.min_rows:
            within = "" if self.scaled else f", within [{self.low:g}, {self.high:g}] in every column"
            cure = "" if self.scaled else ", or a network that reads columns in units of their own"
            raise ValueError(
                f"{len(rows)} of {len(y)} rows can be read, expected at least {self.min_rows} that are finite{within}. "
                f"Give more rows{cure}."
            )
        if len(rows) > self.max_rows:
            rows = np.sort(np.random.default_rng(seed).choice(rows, self.max_rows, replace=False))
        table = np.zeros((len(rows), self.n_variables))
        x_units, y_unit = np.ones(X.shape[1]), 1.0
        if self.scaled:
            x_units, y_unit = _root_mean_squares(X[rows]), float(_root_mean_squares(y[rows, None])[0])
        table[:, : X.shape[1]] = X[rows] / x_units
        return Shown(table, y[rows] / y_unit, x_units, y_unit)


def renamed(expression: Sequence[str], columns: Sequence[int]) -> tuple[str, ...] | None:
    """The expression over the columns of a table, of which the network's variables are some; None if it has others."""
    names = {f"x{i}": f"x{column}" for i, column in enumerate(columns)}
    found = tuple(names.get(token, token) for token in expression)
    is_variable = [token not in ARITY and token.startswith("x") for token in expression]
    return found if all(t in names for t, v in zip(expression, is_variable, strict=True) if v) else None


def _root_mean_squares(table: np.ndarray) -> np.ndarray:
    """Of every column; one for a column of zeros."""
    largest = np.abs(table).max(axis=0)
    largest = np.where(largest > 0, largest, 1.0)  # squares of 1e200 would overflow
    found = largest * np.sqrt(np.mean((table / largest) ** 2, axis=0))
    return np.where(found > 0, found, 1.0)
