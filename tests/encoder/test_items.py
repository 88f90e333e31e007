"""Samples made of items: what shape they have, what they are divided by, and reading a few at a time."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from sklearn_eql.encoder.items import Items, resolve_shape

SAMPLES = np.arange(5 * 2 * 3, dtype=np.float64).reshape(5, 2, 3)


class Listed(Dataset):
    """A Dataset of given samples, as inputs with a target or alone."""

    def __init__(self, samples, with_target=True):
        self.samples, self.with_target = samples, with_target

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return (self.samples[index], 0.0) if self.with_target else self.samples[index]


@pytest.mark.parametrize(
    ("sample", "n_items", "item_shape", "expected"),
    [
        ((2, 8, 8), None, None, (2, (8, 8))),
        ((2, 8, 8), 2, (8, 8), (2, (8, 8))),
        ((6,), None, None, (6, (1,))),
        ((6,), 2, None, (2, (3,))),
        ((128,), None, (8, 8), (2, (8, 8))),
        ((128,), 2, (8, 8), (2, (8, 8))),
    ],
)
def test_a_sample_is_so_many_items_of_a_shape(sample, n_items, item_shape, expected):
    assert resolve_shape(sample, n_items, item_shape) == expected


@pytest.mark.parametrize(
    ("sample", "n_items", "item_shape", "message"),
    [((2, 8, 8), 3, None, "has 2 items of shape"), ((7,), 2, None, "7 features, which are not n_items=2")],
)
def test_shapes_that_do_not_fit_are_refused(sample, n_items, item_shape, message):
    with pytest.raises(ValueError, match=message):
        resolve_shape(sample, n_items, item_shape)


@pytest.mark.parametrize("data", [SAMPLES, SAMPLES.reshape(5, 6), Listed(SAMPLES), Listed(SAMPLES, False)])
def test_rows_are_read_in_single_precision_and_divided(data):
    items = Items(data, 2, (3,))
    taken = items.take(np.array([3, 1]), scale=2.0)
    torch.testing.assert_close(taken, torch.tensor(SAMPLES[[3, 1]] / 2, dtype=torch.float32))
    assert items.scale() == SAMPLES.max()


def test_pieces_make_up_all_rows():
    items = Items(SAMPLES, 2, (3,))
    pieces = [items.take(rows) for rows in items.chunks(2)]
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    torch.testing.assert_close(torch.cat(pieces), items.take(slice(None)))


def test_bytes_are_divided_by_their_largest_value_and_zeros_by_one():
    black = np.zeros((5, 2, 3))
    assert Items(black.astype(np.uint8), 2, (3,)).scale() == 255
    assert Items(Listed(black.astype(np.uint8)), 2, (3,)).scale() == 255
    assert Items(black, 2, (3,)).scale() == Items(Listed(black), 2, (3,)).scale() == 1.0


def test_the_sample_of_a_dataset_that_is_odd_is_named():
    other_shape, infinite = [*SAMPLES[:2], SAMPLES[0, :1]], [SAMPLES[0], np.full((2, 3), np.inf)]
    with pytest.raises(ValueError, match=r"X\[2\] has shape \(1, 3\), expected \(2, 3\)"):
        Items(Listed(other_shape), 2, (3,)).take(np.array([0, 2]))
    with pytest.raises(ValueError, match=r"X\[1\] holds NaN or infinity"):
        Items(Listed(infinite), 2, (3,)).scale()
