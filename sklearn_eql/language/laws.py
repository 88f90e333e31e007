"""Laws of several variables with real constants, and tables of them: what the preset `laws` learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.language.columns import random_columns
from sklearn_eql.language.datasets import NOTHING_HELD_OUT, Batch, HeldOut
from sklearn_eql.language.evaluation import evaluate
from sklearn_eql.language.grammar import PLACES, POSITIVE, SIGN, Expression, Grammar, random_trees
from sklearn_eql.language.normal_form import NoCanonicalFormError
from sklearn_eql.language.open_form import form_of, open_form
from sklearn_eql.language.tokens import Vocabulary

CONSTANTS = tuple(round(10.0 ** (i / 4), 2 if i < 0 else 1) for i in range(-7, 8))
"""Four a decade, from 0.02 to 56: starts that a fit goes on from."""

N_ROWS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Rows of a table; the tables of a batch have as many."""

_TEST_ROWS = 64
_DRAWS_AT_ONCE = 1.6  # trees per law that is still wanted
_MAX_DRAWS = 200
_COPIES = 4  # of a form in a batch, with other constants and columns: most of the work is to find forms
_MIN_RANGE = 1e-2  # standard deviation over root mean square: less is a constant
_MAX_PEAK = 0.995  # of the sum of squares in one row: more is a single row
_MIN_FREQUENCY, _MAX_FREQUENCY = 0.3, 12.0  # of sines, for columns with a root mean square of one
_NOISE = (1e-3, 1e-1)  # in standard deviations, for the tables that have any
_NOISY_SHARE = 0.5


@dataclass(frozen=True)
class LawStream:
    """Random laws without end: forms with constants drawn for them, columns of many kinds, noise in half of the tables.

    Columns and values have a root mean square of one, and the written law is that up to a factor and an offset
    (`open_form`). Columns beyond those of a table are zero.

    Parameters
    ----------
    grammars : tuple of Grammar
        One for every number of variables, from 1; the last says how many a table has at most.
    shares : tuple of float
        How often each is drawn, relative to the others.
    batch_size : int
        Tables of a batch.
    max_tokens : int
        Longest form.
    seed : int
        Batch `k` follows from it and `k` alone.
    held_out : HeldOut
        Forms that are not drawn.
    max_noise : float
        Largest noise in standard deviations of the values, 0 for none.
    """

    grammars: tuple[Grammar, ...]
    shares: tuple[float, ...]
    batch_size: int = 512
    max_tokens: int = 28
    seed: int = 0
    held_out: HeldOut = NOTHING_HELD_OUT
    max_noise: float = _NOISE[1]

    @property
    def n_variables(self) -> int:
        """Columns of every table."""
        return len(self.grammars)

    @property
    def vocabulary(self) -> Vocabulary:
        """Tokens of its expressions."""
        return Vocabulary(self.n_variables, 0, CONSTANTS)

    def batch(self, number: int) -> Batch:
        """Batch `number`.

        Raises
        ------
        ValueError
            Too few forms of these grammars remain.
        """
        rng = np.random.default_rng((self.seed, number))
        n_rows = int(rng.choice(N_ROWS))
        parts: list[Batch] = []
        seen: set[Expression] = set()
        missing = self.batch_size
        for _ in range(_MAX_DRAWS):
            forms, n_present = self._forms(int(_DRAWS_AT_ONCE * missing / _COPIES) + 8, rng, seen)
            parts.append(self._tables(forms, n_present, n_rows, rng, missing))
            missing -= len(parts[-1])
            if not missing:
                expressions = [expression for part in parts for expression in part.expressions]
                return Batch(expressions, np.concatenate([p.X for p in parts]), np.concatenate([p.y for p in parts]))
        raise ValueError(
            f"The grammars have fewer than {self.batch_size} laws of up to {self.max_tokens} tokens that are not held "
            "out. Ask for smaller batches or allow more operators."
        )

    def _forms(
        self, n_trees: int, rng: np.random.Generator, seen: set[Expression]
    ) -> tuple[list[Expression], np.ndarray]:
        """Open forms, and the columns of their tables."""
        counts = rng.multinomial(n_trees, np.array(self.shares) / sum(self.shares))
        forms: list[Expression] = []
        n_present: list[int] = []
        for grammar, count in zip(self.grammars, counts.tolist(), strict=True):
            for tree in random_trees(grammar, count, rng):
                try:
                    form = open_form(tree)
                except NoCanonicalFormError:
                    continue
                key = form_of(form)
                if len(form) <= self.max_tokens and key not in seen and key not in self.held_out.skeletons:
                    seen.add(key)
                    forms += [form] * _COPIES
                    n_present += [grammar.n_variables] * _COPIES
        order = rng.permutation(len(forms))  # else the laws of many variables are left over
        return [forms[i] for i in order], np.array(n_present, dtype=int)[order]

    def _tables(
        self, forms: list[Expression], n_present: np.ndarray, n_rows: int, rng: np.random.Generator, wanted: int
    ) -> Batch:
        """Forms with constants and rows that show them, `wanted` of them or fewer."""
        X = random_columns(len(forms), n_rows, self.n_variables, rng)
        numbers = _constants(forms, rng)
        y = evaluate(forms, X, numbers) if forms else np.empty((0, n_rows))
        kept = np.flatnonzero(_is_usable(y))[:wanted]
        X, y = X[kept], y[kept]
        X[np.broadcast_to(n_present[kept, None, None] <= np.arange(self.n_variables), X.shape)] = 0.0
        if self.max_noise:
            low = min(_NOISE[0], self.max_noise)
            (noise,) = rng.spawn(1)  # the laws of a batch are the same with noise and without
            level = np.exp(noise.uniform(np.log(low), np.log(self.max_noise), (len(kept), 1)))
            level *= y.std(axis=1, keepdims=True) * (noise.random(level.shape) < _NOISY_SHARE)
            y = y + level * noise.standard_normal(y.shape)
        y = y / np.sqrt(np.mean(y**2, axis=1, keepdims=True)) * rng.choice([-1.0, 1.0], (len(kept), 1))
        vocabulary = self.vocabulary
        return Batch([_filled(forms[i], vocabulary.nearest(numbers[i])) for i in kept], X, y)


def unseen_laws(stream: LawStream, n_laws: int, min_tokens: int, max_tokens: int, seed: int) -> Batch:
    """Laws of different forms to test with, all of 64 rows; hold their forms out of what is trained on."""
    found: dict[Expression, tuple[Expression, np.ndarray, np.ndarray]] = {}
    stream = replace(stream, seed=seed)
    number = 0
    n_rows = _TEST_ROWS
    while len(found) < n_laws:
        batch = stream.batch(number)
        number += 1
        if batch.X.shape[1] != n_rows:
            continue
        for expression, X, y in zip(batch.expressions, batch.X, batch.y, strict=True):
            if min_tokens <= len(expression) <= max_tokens and len(found) < n_laws:
                found.setdefault(form_of(expression), (expression, X, y))
    expressions, tables, values = zip(*found.values(), strict=True)
    return Batch(list(expressions), np.stack(tables), np.stack(values))


def _filled(form: Expression, constants: list[str]) -> Expression:
    """A form with tokens in its places."""
    following = iter(constants)
    return tuple(next(following) if token in PLACES else token for token in form)


def _constants(forms: list[Expression], rng: np.random.Generator) -> np.ndarray:
    """Numbers for the places of forms, shape ``(n_forms, most places)``."""
    places = [[i for i, token in enumerate(form) if token in PLACES] for form in forms]
    numbers = np.ones((len(forms), max(map(len, places), default=0)))
    shape = numbers.shape
    spread = np.exp(rng.standard_normal(shape))
    signs = rng.choice([-1.0, 1.0], shape)
    frequencies = np.exp(rng.uniform(np.log(_MIN_FREQUENCY), np.log(_MAX_FREQUENCY), shape))
    for row, (form, where) in enumerate(zip(forms, places, strict=True)):
        for column, i in enumerate(where):
            if form[i] == SIGN:
                numbers[row, column] = signs[row, column]
            elif form[i] == POSITIVE:
                numbers[row, column] = frequencies[row, column]
            else:
                numbers[row, column] = signs[row, column] * spread[row, column]
    return np.where(np.abs(numbers) < CONSTANTS[0], CONSTANTS[0] * np.sign(numbers), numbers)


def _is_usable(y: np.ndarray) -> np.ndarray:
    """Which rows of values ``(n_laws, n_rows)`` show a law: all defined, neither constant nor a single row."""
    with np.errstate(all="ignore"):
        squares = y**2
        total = squares.sum(axis=1)
        varies = y.std(axis=1) > _MIN_RANGE * np.sqrt(total / y.shape[1])
        return np.isfinite(y).all(axis=1) & varies & (squares.max(axis=1) < _MAX_PEAK * total)
