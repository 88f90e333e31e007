"""How often a network writes the function behind a table: the score of the documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.language.datasets import Batch, ExpressionStream, corpus
from sklearn_eql.language.decoding import beam_search
from sklearn_eql.language.evaluation import evaluate
from sklearn_eql.language.grammar import Expression
from sklearn_eql.language.network import LawTransformer
from sklearn_eql.language.open_form import form_of
from sklearn_eql.language.tokens import Vocabulary

TOLERANCE = 1e-6
"""Largest error of a reproduced function, relative to the standard deviation of the values."""

Judge = Callable[[Sequence[Expression], Expression, np.ndarray, np.ndarray], np.ndarray]
"""Which of some expressions are right for a law and its table."""


@dataclass(frozen=True)
class ExactRate:
    """Shares of tables whose function is written.

    Attributes
    ----------
    first : float
        By the most probable expression.
    best : float
        By any expression of the beam.
    n_beams : int
        Its size.
    first_by_length, best_by_length : dict of int to (int, int)
        Successes and tables by the number of tokens of the law.
    """

    first: float
    best: float
    n_beams: int
    first_by_length: dict[int, tuple[int, int]]
    best_by_length: dict[int, tuple[int, int]]


def unseen(stream: ExpressionStream, n_expressions: int, min_tokens: int, max_tokens: int, seed: int) -> Batch:
    """Expressions to test with, of different functions; hold them out of the stream that is trained on."""
    return corpus(replace(stream, seed=seed, min_tokens=min_tokens, max_tokens=max_tokens), n_expressions)


def reproduces(expressions: Sequence[Expression], X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which expressions give the values of a table, bool of shape ``(n_expressions,)``.

    Parameters
    ----------
    expressions : sequence of tuple of str
        Candidates.
    X : ndarray, shape (n_rows, n_variables)
    y : ndarray, shape (n_rows,)
        Values of the law; rows with NaN do not count.
    """
    if not expressions:
        return np.zeros(0, dtype=bool)
    rows = np.isfinite(y)
    error = np.abs(evaluate(expressions, X[rows]) - y[rows])
    return np.where(np.isnan(error), np.inf, error).max(axis=1) <= TOLERANCE * y[rows].std()


def same_values(written: Sequence[Expression], law: Expression, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which expressions reproduce a table (`reproduces`); the law itself is not looked at."""
    return reproduces(written, X, y)


def same_form(written: Sequence[Expression], law: Expression, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which expressions have the form of a law, with any constants; the table is not looked at."""
    return np.array([form_of(expression) == form_of(law) for expression in written], dtype=bool)


def exact_rate(
    network: LawTransformer, vocabulary: Vocabulary, batch: Batch, n_beams: int = 32, judge: Judge = same_values
) -> ExactRate:
    """Decode every table of a batch and judge what is written, by values or by the form."""
    training = network.training
    network.eval()
    beams = beam_search(network, vocabulary, batch.X, batch.y, n_beams)
    network.train(training)
    first_by_length: dict[int, tuple[int, int]] = {}
    best_by_length: dict[int, tuple[int, int]] = {}
    for beam, expression, X, y in zip(beams, batch.expressions, batch.X, batch.y, strict=True):
        right = judge([written.expression for written in beam], expression, X, y)
        for counts, success in ((first_by_length, right[:1].any()), (best_by_length, right.any())):
            successes, tables = counts.get(len(expression), (0, 0))
            counts[len(expression)] = (successes + int(success), tables + 1)
    first, best = (sum(s for s, _ in c.values()) / len(batch) for c in (first_by_length, best_by_length))
    return ExactRate(first, best, n_beams, first_by_length, best_by_length)
