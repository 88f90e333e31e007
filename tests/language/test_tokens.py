"""Tokens as numbers and back."""

import pytest

from sklearn_eql.language.grammar import ARITY
from sklearn_eql.language.tokens import PAD, Vocabulary


def test_expressions_come_back_and_are_padded():
    vocabulary = Vocabulary(n_variables=2, max_integer=3)
    expressions = [("add", "x0", "3"), ("x1",)]
    codes = vocabulary.encode(expressions)
    assert codes.shape == (2, 3)
    assert (codes[1, 1:] == PAD).all()
    assert vocabulary.decode(codes) == expressions


def test_every_token_has_its_arity():
    vocabulary = Vocabulary()
    assert dict(zip(vocabulary.tokens, vocabulary.arity.tolist(), strict=True)) == {
        "<pad>": 0, "<start>": 0, **ARITY, "x0": 0, **{str(i): 0 for i in range(1, 10)}
    }  # fmt: skip


def test_an_unknown_token_is_named():
    with pytest.raises(ValueError, match="'tan' is no token"):
        Vocabulary().encode([("tan", "x0")])
