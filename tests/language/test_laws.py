"""Random laws of several variables: batches by number, tables of unit size, constants by token, forms held out."""

from dataclasses import replace

import numpy as np
import pytest

from sklearn_eql.language.columns import random_columns
from sklearn_eql.language.datasets import HeldOut
from sklearn_eql.language.evaluation import evaluate
from sklearn_eql.language.grammar import Grammar, is_constant
from sklearn_eql.language.laws import CONSTANTS, LawStream, unseen_laws
from sklearn_eql.language.open_form import form_of
from sklearn_eql.language.tokens import Vocabulary

GRAMMARS = tuple(Grammar(n, min_binary=n - 1) for n in (1, 2, 3))
STREAM = LawStream(GRAMMARS, (1.0, 1.0, 1.0), batch_size=40)


def test_a_batch_follows_from_its_number():
    first, again, other = STREAM.batch(3), STREAM.batch(3), STREAM.batch(4)
    assert first.expressions == again.expressions != other.expressions
    np.testing.assert_array_equal(first.y, again.y)


def test_tables_have_unit_size():
    batch = STREAM.batch(0)
    assert batch.X.shape[:1] == batch.y.shape[:1] == (40,)
    np.testing.assert_allclose(np.mean(batch.y**2, axis=1), 1)
    sizes = np.mean(batch.X**2, axis=1)
    np.testing.assert_allclose(sizes[sizes > 0], 1)


def test_columns_beyond_those_of_a_table_are_zero():
    batch = LawStream(GRAMMARS, (1.0, 0.0, 0.0), batch_size=20).batch(0)
    assert not batch.X[:, :, 1:].any()
    assert not any({"x1", "x2"} & set(expression) for expression in batch.expressions)


def test_values_are_those_of_the_law():
    """The nearest constants of the vocabulary are within 40% of the true ones, so the values are much alike."""
    batch = replace(STREAM, max_noise=0.0).batch(1)
    alike = []
    for expression, X, y in zip(batch.expressions, batch.X, batch.y, strict=True):
        values = evaluate([expression], X)[0]
        if not any(map(is_constant, expression)):
            alike.append(abs(np.corrcoef(values, y)[0, 1]) > 1 - 1e-9)
    assert len(alike) > 3
    assert all(alike)


def test_noise_in_half_of_the_tables():
    quiet, noisy = replace(STREAM, max_noise=0.0).batch(2), STREAM.batch(2)
    assert quiet.expressions == noisy.expressions
    differs = np.abs(np.abs(quiet.y) - np.abs(noisy.y)).max(axis=1) > 1e-6
    assert 8 < differs.sum() < 32


def test_held_out_forms_are_not_drawn():
    forms = {form_of(expression) for expression in STREAM.batch(0).expressions}
    without = replace(STREAM, held_out=HeldOut(skeletons=frozenset(forms)))
    assert not forms & {form_of(expression) for expression in without.batch(0).expressions}


def test_too_few_forms():
    stream = LawStream((Grammar(max_binary=0, max_unary=0),), (1.0,), batch_size=20)
    with pytest.raises(ValueError, match="fewer than 20 laws"):
        stream.batch(0)


def test_unseen_laws_have_different_forms():
    test = unseen_laws(STREAM, 30, 3, 20, seed=1)
    forms = [form_of(expression) for expression in test.expressions]
    assert len(set(forms)) == len(forms) == 30
    assert all(3 <= len(form) <= 20 for form in forms)


def test_columns_of_many_kinds():
    X = random_columns(200, 50, 2, np.random.default_rng(0))
    np.testing.assert_allclose(np.mean(X**2, axis=1), 1)
    positive = (X > 0).all(axis=1).mean()
    assert 0.3 < positive < 0.8


def test_nearest_constants():
    vocabulary = Vocabulary(1, 0, CONSTANTS)
    assert vocabulary.nearest(np.array([1.1, -0.3, 1e9, -1e-9])) == ["c1", "c-0.32", "c56.2", "c-0.02"]
    assert set(vocabulary.nearest(np.array([0.5, -7.0]))) <= set(vocabulary.tokens)
