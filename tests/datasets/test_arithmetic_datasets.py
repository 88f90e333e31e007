"""Arithmetic on images of digits, as data."""

import numpy as np
import pytest

from sklearn_eql.datasets import load_digits_arithmetic, load_mnist_arithmetic


def test_targets_are_the_operation_on_what_the_images_show():
    data = load_digits_arithmetic(n_samples=50)
    assert data.X.shape == (50, 2, 8, 8)
    assert data.X.dtype == np.float32
    assert data.X.min() == 0
    assert data.X.max() == 1
    np.testing.assert_array_equal(data.y, data.digits.sum(axis=1))
    assert "add" in data.DESCR


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("subtract", lambda d: d[:, 0] - d[:, 1]),
        ("multiply", lambda d: d[:, 0] * d[:, 1]),
        (lambda a, b: np.sqrt(a) + b, lambda d: np.sqrt(d[:, 0]) + d[:, 1]),
    ],
    ids=["subtract", "multiply", "callable"],
)
def test_any_operation_on_the_labels(operation, expected):
    data = load_digits_arithmetic(operation=operation, n_samples=30)
    np.testing.assert_allclose(data.y, expected(data.digits))


def test_sums_of_three_digits_and_samples_that_meet_a_condition():
    data = load_digits_arithmetic(n_items=3, n_samples=200, condition=lambda a, b, c: a + b + c < 6)
    assert data.X.shape == (200, 3, 8, 8)
    assert data.y.max() < 6


def test_the_same_image_is_never_in_both_parts():
    train, test = (load_digits_arithmetic(subset=s, n_samples=3000).X.reshape(-1, 64) for s in ("train", "test"))
    assert not {row.tobytes() for row in train} & {row.tobytes() for row in test}


def test_seeds_decide_the_samples():
    first, again, other = (load_digits_arithmetic(n_samples=20, random_state=s, return_X_y=True)[1] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subset": "validation"}, "must be 'train' or 'test', got 'validation'"),
        ({"operation": "divide"}, "operation must be one of .*'multiply'.* got 'divide'"),
        ({"operation": "subtract", "n_items": 3}, "operation failed with n_items=3"),
        ({"operation": lambda a, b: 1.0}, r"returned shape \(\), expected one number per sample"),
        ({"n_items": 0}, "n_items must be a positive integer"),
        ({"n_samples": 2.5}, "n_samples must be a positive integer, got 2.5"),
        ({"condition": lambda a, b: a + b > 18}, "met by none of .* Give a wider one"),
    ],
)
def test_requests_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        load_digits_arithmetic(**{"n_samples": 10, **changes})


def test_mnist_is_read_from_a_folder(data_dir):
    pytest.importorskip("PIL")
    try:
        data = load_mnist_arithmetic(n_samples=40, subset="test", data_home=data_dir, download=False)
    except ImportError as error:
        pytest.skip(f"torchvision: {error}")
    assert data.X.shape == (40, 2, 28, 28)
    assert data.X.dtype == np.uint8
    np.testing.assert_array_equal(data.y, data.digits.sum(axis=1))


def test_a_folder_without_mnist_names_the_cure(tmp_path):
    pytest.importorskip("PIL")
    with pytest.raises((RuntimeError, ImportError), match=r"data_home=|pip install"):
        load_mnist_arithmetic(data_home=tmp_path, download=False)
