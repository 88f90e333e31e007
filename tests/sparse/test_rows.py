"""Long tables, of which no more than a block is copied at a time."""

import numpy as np
import pytest

from sklearn_eql.sparse import rows as rows_module
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.sparse.rows import RowView, ScaledRows, blocks_of, columns_of, common_signs, extremes, subset

X = np.random.default_rng(0).normal(size=(100, 3))
ORDER = np.random.default_rng(1).permutation(100)


@pytest.fixture(params=["all rows", "some rows"])
def view(request):
    order = ORDER if request.param == "all rows" else ORDER[:37]
    return RowView(X, order), X[order]


def test_a_view_reads_as_the_array_it_stands_for(view):
    ours, array = view
    assert (len(ours), ours.shape) == (len(array), array.shape)
    np.testing.assert_array_equal(ours[:], array)
    np.testing.assert_array_equal(ours[5:9], array[5:9])
    np.testing.assert_array_equal(ours[[3, 1]], array[[3, 1]])
    np.testing.assert_array_equal(ours.take(slice(2, 6), [2, 0]), array[2:6][:, [2, 0]])
    np.testing.assert_array_equal(np.stack(list(columns_of(ours)), axis=1), array)
    mask = array[:, 0] > 0
    np.testing.assert_array_equal(subset(ours, mask)[:], array[mask])
    np.testing.assert_array_equal(subset(array, mask), array[mask])


def test_blocks_hold_all_rows_and_none_is_longer_than_the_bound(view, monkeypatch):
    monkeypatch.setattr(rows_module, "BLOCK", 16)
    ours, array = view
    blocks = list(blocks_of(ours))
    assert max(map(len, blocks)) <= 16
    np.testing.assert_array_equal(np.sort(np.concatenate(blocks), axis=0), np.sort(array, axis=0))
    low, high = extremes(ours)
    np.testing.assert_array_equal(low, array.min(axis=0))
    np.testing.assert_array_equal(high, array.max(axis=0))


def test_signs_follow_from_the_extremes():
    assert common_signs(*extremes(np.array([[1.0, -1, 0, -1], [2.0, -3, 1, 1]]))).tolist() == [1, -1, 0, 0]


@pytest.mark.parametrize("as_view", [True, False])
def test_scaled_rows_are_scaled_where_they_are_read(as_view):
    units = np.array([2.0, 4.0, 8.0])
    table = RowView(X, ORDER) if as_view else X[ORDER]
    scaled = ScaledRows(table, units)[10:50][5:20]
    assert scaled.shape == (15, 3)
    np.testing.assert_array_equal(scaled[:, [2, 1]].numpy(), (X[ORDER] / units)[15:30][:, [2, 1]])


def test_scales_of_a_long_table_are_those_of_a_short_one_whatever_the_order_of_rows(monkeypatch):
    short = Scaling.of(X, X[:, 0])
    monkeypatch.setattr(rows_module, "BLOCK", 16)
    monkeypatch.setattr("sklearn_eql.sparse.problem.BLOCK", 16)
    long = Scaling.of(X, X[:, 0])
    np.testing.assert_allclose(long.x, short.x, rtol=1e-6)
    np.testing.assert_array_equal(Scaling.of(RowView(X, ORDER), X[ORDER, 0]).x, long.x)
    np.testing.assert_array_equal(Scaling.of(X[ORDER], X[ORDER, 0]).x, long.x)
