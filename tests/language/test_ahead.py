"""Batches from other processes: the same, in the same order; errors arrive; processes end."""

import multiprocessing

import numpy as np
import pytest

from sklearn_eql.language import ExpressionStream, Grammar
from sklearn_eql.language.ahead import Ahead


def test_same_batches_in_the_same_order():
    stream = ExpressionStream(Grammar(), batch_size=4)
    with Ahead(stream, 2, first=3) as ahead:
        for number in (3, 4, 5):
            found, expected = ahead.batch(number), stream.batch(number)
            assert found.expressions == expected.expressions
            np.testing.assert_array_equal(found.X, expected.X.astype(np.float32))
            np.testing.assert_array_equal(found.y, expected.y.astype(np.float32))
        with pytest.raises(ValueError, match="6 is next"):
            ahead.batch(5)
        assert ahead.batch_size == 4
    assert not [child for child in multiprocessing.active_children() if child.is_alive()]


def test_errors_of_the_source_arrive():
    stream = ExpressionStream(Grammar(max_binary=0, max_unary=0), batch_size=50)
    with Ahead(stream, 1) as ahead, pytest.raises(ValueError, match="fewer than 50 functions"):
        ahead.batch(0)
