"""Streams of expressions, what they leave out, and corpora on disk."""

from dataclasses import replace

import numpy as np
import pytest

from sklearn_eql.language.canonical import canonical, skeleton
from sklearn_eql.language.datasets import (
    ExpressionStream,
    HeldOut,
    SavedExpressions,
    corpus,
    read_corpus,
    save_corpus,
)
from sklearn_eql.language.evaluation import evaluate, fingerprints
from sklearn_eql.language.grammar import Grammar

STREAM = ExpressionStream(Grammar(n_variables=2, max_binary=2, max_unary=1), batch_size=30, n_rows=20)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "corpus.npz"
    save_corpus(path, STREAM.batch(0), STREAM.vocabulary)
    return path


def test_a_batch_follows_from_its_number():
    batch, again, other = STREAM.batch(3), STREAM.batch(3), STREAM.batch(4)
    assert batch.expressions == again.expressions != other.expressions
    np.testing.assert_array_equal(batch.X, again.X)


def test_expressions_are_canonical_of_different_functions_and_fit_their_values():
    batch = STREAM.batch(0)
    assert batch.X.shape == (30, 20, 2)
    assert all(canonical(expression) == expression for expression in batch.expressions)
    assert len(set(fingerprints(batch.expressions, 2))) == 30
    np.testing.assert_array_equal(batch.y, evaluate(batch.expressions, batch.X))
    assert (np.isfinite(batch.y).mean(axis=1) >= 0.25).all()


def test_lengths_are_as_asked():
    lengths = [len(e) for e in replace(STREAM, min_tokens=4, max_tokens=5).batch(0).expressions]
    assert set(lengths) == {4, 5}


def test_functions_and_skeletons_that_are_held_out_are_not_drawn():
    stream = replace(STREAM, grammar=Grammar(max_binary=1, max_unary=1), batch_size=60)
    free = stream.batch(0).expressions
    held_out = HeldOut.of(1, functions=[("mul", "x0", "x0")], skeletons=[("add", "x0", "4")])
    drawn = replace(stream, held_out=held_out).batch(0).expressions
    assert ("square", "x0") in free
    assert ("square", "x0") not in drawn
    assert any(skeleton(e) == ("add", "x0", "C") for e in free)
    assert not any(skeleton(e) == ("add", "x0", "C") for e in drawn)


def test_a_grammar_with_too_few_functions_says_so():
    stream = replace(STREAM, grammar=Grammar(max_binary=0, max_unary=0), batch_size=2)
    with pytest.raises(ValueError, match=r"fewer than 2 functions"):
        stream.batch(0)


def test_a_corpus_has_no_function_twice():
    batch = corpus(STREAM, 100)
    assert len(batch) == len(set(fingerprints(batch.expressions, 2))) == 100


def test_a_saved_corpus_comes_back(saved):
    batch, found = STREAM.batch(0), read_corpus(saved, STREAM.vocabulary)
    assert found.expressions == batch.expressions
    np.testing.assert_allclose(found.y, batch.y, rtol=1e-6)
    assert not saved.with_name("corpus.npz.part").exists()


def test_batches_of_a_corpus_have_every_expression_once_in_an_epoch(saved):
    source = SavedExpressions(read_corpus(saved, STREAM.vocabulary), batch_size=10)
    epochs = [[e for k in range(first, first + 3) for e in source.batch(k).expressions] for first in (0, 3)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(source.corpus.expressions)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_corpus_that_was_cut_is_refused_by_name(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"corpus\.npz' is damaged, or is no corpus"):
        read_corpus(saved, STREAM.vocabulary)


def test_a_byte_that_was_flipped_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 0x10
    saved.write_bytes(content)
    with pytest.raises(ValueError, match=r"corpus\.npz' is damaged"):
        read_corpus(saved, STREAM.vocabulary)


def test_a_pickle_is_not_loaded(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, tokens=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="no corpus"):
        read_corpus(path, STREAM.vocabulary)


def test_a_corpus_of_another_vocabulary_is_refused(saved):
    with pytest.raises(ValueError, match="expected those of Vocabulary"):
        read_corpus(saved, replace(STREAM, grammar=Grammar()).vocabulary)


def test_views_of_an_expression():
    batch = ExpressionStream(Grammar(), batch_size=12, n_rows=8, n_views=3).batch(0)
    assert batch.expressions[0:12:3] == batch.expressions[2:12:3]
    assert len(set(batch.expressions)) == 4
    assert not np.array_equal(batch.X[0], batch.X[1])
    np.testing.assert_array_equal(evaluate(batch.expressions, batch.X), batch.y)


def test_views_divide_a_batch():
    with pytest.raises(ValueError, match="n_views=3 does not divide"):
        ExpressionStream(Grammar(), batch_size=10, n_views=3)
