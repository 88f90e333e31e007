"""Expressions with points to learn from: streamed, fresh in every batch, or saved to disk and read again."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from sklearn_eql.language.canonical import canonical, skeleton
from sklearn_eql.language.evaluation import evaluate, fingerprints
from sklearn_eql.language.grammar import Expression, Grammar, random_trees
from sklearn_eql.language.normal_form import NoCanonicalFormError
from sklearn_eql.language.tokens import Vocabulary

_MAX_VALUE = 1e6  # larger ones leave nothing to see of the rest
_MIN_DEFINED = 0.25  # of the points
_MIN_RANGE = 1e-6  # of the values, relative to the largest: less is a constant
_DRAWS_AT_ONCE = 1.6  # trees per expression that is still wanted; about two in three survive
_MAX_DRAWS = 1000


@dataclass(frozen=True)
class Batch:
    """Data sets with their laws.

    Attributes
    ----------
    expressions : list of tuple of str
        The laws, canonical.
    X : ndarray, shape (n_expressions, n_rows, n_variables)
    y : ndarray, shape (n_expressions, n_rows)
        Values, float64; NaN where the law is undefined.
    """

    expressions: list[Expression]
    X: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.expressions)


class Source(Protocol):
    """Where training takes its batches from; a batch depends on its number only, so that a run can be taken up."""

    @property
    def batch_size(self) -> int:
        """Expressions in a batch."""

    def batch(self, number: int) -> Batch:
        """Batch `number`, from 0."""


@dataclass(frozen=True)
class HeldOut:
    """Functions and skeletons that training must not see."""

    functions: frozenset[bytes] = frozenset()
    skeletons: frozenset[Expression] = frozenset()

    @classmethod
    def of(
        cls, n_variables: int, functions: Iterable[Expression] = (), skeletons: Iterable[Expression] = ()
    ) -> HeldOut:
        """Hold out the functions of some expressions, and all that others are with any integers.

        Parameters
        ----------
        n_variables : int
            Of the grammar that is drawn from.
        functions : iterable of tuple of str
            Expressions whose function is held out, however it is written.
        skeletons : iterable of tuple of str
            Expressions whose skeleton is held out: the canonical form with any integers.
        """
        functions = list(functions)
        found = fingerprints(functions, n_variables) if functions else []
        return cls(frozenset(found), frozenset(skeleton(canonical(e)) for e in skeletons))

    def __contains__(self, candidate: tuple[Expression, bytes]) -> bool:
        expression, fingerprint = candidate
        return fingerprint in self.functions or skeleton(expression) in self.skeletons


NOTHING_HELD_OUT = HeldOut()


@dataclass(frozen=True)
class ExpressionStream:
    """Random expressions without end, different functions within a batch.

    Parameters
    ----------
    grammar : Grammar
        What trees are drawn from.
    batch_size, n_rows : int
        Expressions of a batch, and points of each.
    low, high : float
        Points are uniform between these.
    min_tokens, max_tokens : int
        Lengths of canonical forms.
    seed : int
        Batch `k` follows from it and `k` alone.
    held_out : HeldOut
        What is not drawn.
    n_views : int
        Tables of every expression, each with points of its own; finding expressions is most of the work. It divides
        `batch_size`.
    """

    grammar: Grammar
    batch_size: int = 128
    n_rows: int = 64
    low: float = -3.0
    high: float = 3.0
    min_tokens: int = 1
    max_tokens: int = 20
    seed: int = 0
    held_out: HeldOut = NOTHING_HELD_OUT
    n_views: int = 1

    def __post_init__(self) -> None:
        if self.n_views < 1 or self.batch_size % self.n_views:
            raise ValueError(
                f"n_views={self.n_views} does not divide batch_size={self.batch_size}. Choose another size of batches."
            )

    @property
    def vocabulary(self) -> Vocabulary:
        """Tokens of its expressions."""
        return Vocabulary(self.grammar.n_variables, self.grammar.max_integer)

    def batch(self, number: int) -> Batch:
        """Batch `number`: expressions of different functions, each at its own points.

        Raises
        ------
        ValueError
            Too few functions of this grammar remain.
        """
        rng = np.random.default_rng((self.seed, number))
        found: list[Expression] = []
        tables, values = [], []
        seen: set[bytes] = set()
        for _ in range(_MAX_DRAWS):
            wanted = (self.batch_size - len(found)) // self.n_views
            if not wanted:
                return Batch(found, np.concatenate(tables), np.concatenate(values))
            expressions = self._fresh(int(_DRAWS_AT_ONCE * wanted) + 1, rng, seen)
            views = (len(expressions), self.n_views, self.n_rows)
            X = rng.uniform(self.low, self.high, (*views, self.grammar.n_variables))
            if not expressions:
                continue
            y = evaluate(expressions, X.reshape(len(X), -1, X.shape[-1])).reshape(views)
            kept = np.flatnonzero(_is_usable(y.reshape(-1, self.n_rows)).reshape(views[:2]).all(axis=1))[:wanted]
            found += [expressions[i] for i in kept for _ in range(self.n_views)]
            tables.append(X[kept].reshape(-1, *X.shape[2:]))
            values.append(y[kept].reshape(-1, self.n_rows))
        raise ValueError(
            f"The grammar has fewer than {self.batch_size} functions of {self.min_tokens} to "
            f"{self.max_tokens} tokens that are not held out. Ask for smaller batches or allow more operators."
        )

    def _fresh(self, n_trees: int, rng: np.random.Generator, seen: set[bytes]) -> list[Expression]:
        """Canonical forms of random trees: new ones, not held out."""
        forms = []
        for tree in random_trees(self.grammar, n_trees, rng):
            try:
                form = canonical(tree, self.grammar.max_integer)
            except NoCanonicalFormError:
                continue
            if self.min_tokens <= len(form) <= self.max_tokens:
                forms.append(form)
        fresh = []
        for form, function in zip(forms, fingerprints(forms, self.grammar.n_variables) if forms else [], strict=True):
            if function not in seen and (form, function) not in self.held_out:
                seen.add(function)
                fresh.append(form)
        return fresh


@dataclass(frozen=True)
class SavedExpressions:
    """A corpus read from a file, in batches: another order in every epoch.

    Parameters
    ----------
    corpus : Batch
        All of it.
    batch_size : int
        Expressions of a batch.
    seed : int
        Of the orders.
    """

    corpus: Batch
    batch_size: int = 128
    seed: int = 0

    def batch(self, number: int) -> Batch:
        """Batch `number`, counted on through the epochs."""
        epoch, place = divmod(number, max(len(self.corpus) // self.batch_size, 1))
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.corpus))
        rows = order[place * self.batch_size : (place + 1) * self.batch_size]
        return Batch([self.corpus.expressions[i] for i in rows], self.corpus.X[rows], self.corpus.y[rows])


def corpus(stream: ExpressionStream, n_expressions: int) -> Batch:
    """So many expressions of a stream, no function twice."""
    parts: list[Batch] = []
    seen: set[bytes] = set()
    for number in range(_MAX_DRAWS * (1 + n_expressions // stream.batch_size)):
        if len(seen) >= n_expressions:
            break
        batch = stream.batch(number)
        functions = fingerprints(batch.expressions, stream.grammar.n_variables)
        kept = [i for i, function in enumerate(functions) if function not in seen][: n_expressions - len(seen)]
        seen.update(functions[i] for i in kept)
        parts.append(Batch([batch.expressions[i] for i in kept], batch.X[kept], batch.y[kept]))
    expressions = [expression for part in parts for expression in part.expressions]
    return Batch(expressions, np.concatenate([p.X for p in parts]), np.concatenate([p.y for p in parts]))


def save_corpus(path: str | os.PathLike, batch: Batch, vocabulary: Vocabulary) -> None:
    """Write expressions and points as plain arrays (``.npz``); float32."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        np.savez_compressed(
            file,
            tokens=vocabulary.encode(batch.expressions).astype(np.uint8),
            vocabulary=np.array(vocabulary.tokens),
            X=batch.X.astype(np.float32),
            y=batch.y.astype(np.float32),
        )
    os.replace(part, path)  # a kill while writing leaves the file that was there


def read_corpus(path: str | os.PathLike, vocabulary: Vocabulary) -> Batch:
    """Read what `save_corpus` wrote.

    Raises
    ------
    ValueError
        The file is damaged, is no corpus, or has another vocabulary.
    """
    cure = "Write it again with save_corpus, or name another file."
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            tokens, names, X, y = (file[name] for name in ("tokens", "vocabulary", "X", "y"))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, ValueError, EOFError, TypeError, zlib.error) as error:
        what = f"{type(error).__name__} on reading it"
        raise ValueError(f"{str(path)!r} is damaged, or is no corpus of expressions ({what}). {cure}") from error
    if tuple(names.tolist()) != vocabulary.tokens:
        raise ValueError(
            f"{str(path)!r} has the tokens {', '.join(names.tolist())}; expected those of {vocabulary}. {cure}"
        )
    return Batch(vocabulary.decode(tokens), X.astype(np.float64), y.astype(np.float64))


def _is_usable(y: np.ndarray) -> np.ndarray:
    """Which rows of values ``(n_expressions, n_rows)`` show a function."""
    defined = np.isfinite(y)
    low = np.min(np.where(defined, y, np.inf), axis=1)
    high = np.max(np.where(defined, y, -np.inf), axis=1)
    largest = np.maximum(np.abs(low), np.abs(high))
    return (defined.mean(axis=1) >= _MIN_DEFINED) & (largest < _MAX_VALUE) & (high - low > _MIN_RANGE * largest)
