"""Batches from other processes: the same, in the same order; errors arrive; processes end."""

import multiprocessing

import numpy as np
import pytest

from sklearn_eql.language import ExpressionStream, Grammar
from sklearn_eql.language.ahead import Ahead, Here


def test_same_batches_in_the_same_order():
    stream = ExpressionStream(Grammar(), batch_size=4)
    others = multiprocessing.active_children()  # of tests before this one
    with Ahead(stream, stream.vocabulary, 2, first=3) as ahead:
        for number in (3, 4, 5):
            found, expected = ahead.batch(number), Here(stream, stream.vocabulary).batch(number)
            assert stream.vocabulary.decode(found.codes) == stream.batch(number).expressions
            for name in ("codes", "X", "y"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        with pytest.raises(ValueError, match="6 is next"):
            ahead.batch(5)
    assert {child.pid for child in multiprocessing.active_children()} <= {child.pid for child in others}


def test_errors_of_the_source_arrive():
    stream = ExpressionStream(Grammar(max_binary=0, max_unary=0), batch_size=50)
    with Ahead(stream, stream.vocabulary, 1) as ahead, pytest.raises(ValueError, match="fewer than 50 functions"):
        ahead.batch(0)
