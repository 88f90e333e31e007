"""Arithmetic on images of digits (section III-B of the paper): images go in, a function of their labels comes out."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

Operation = str | Callable[..., Any]

OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda *digits: sum(digits),
    "subtract": lambda first, second: first - second,
    "multiply": lambda first, second: first * second,
}
"""Operations by name: functions of one array of labels per item."""

_DESCR = """\
Arithmetic on images of digits
------------------------------

Every sample is {n_items} images of handwritten digits, and the target is a function of what they show ({operation}).
The digits themselves are in `digits`, for judging a model; training needs only `X` and `y`.

Images are drawn at random from {source}, {n_images} images, without regard to how often one is drawn.
"""


def load_mnist_arithmetic(
    *,
    operation: Operation = "add",
    n_items: int = 2,
    n_samples: int = 60_000,
    subset: str = "train",
    condition: Callable[..., Any] | None = None,
    data_home: str | os.PathLike | None = None,
    download: bool = True,
    random_state: int | np.random.RandomState | None = 0,
    return_X_y: bool = False,
) -> Any:
    """Load tuples of MNIST digits and a function of their labels (section III-B of the paper).

    Parameters
    ----------
    operation : {"add", "subtract", "multiply"} or callable, default="add"
        A callable gets one integer array per item, and returns the targets.
    n_items : int, default=2
        Images per sample.
    n_samples : int, default=60000
    subset : {"train", "test"}, default="train"
        Which of the two parts of MNIST images are drawn from.
    condition : callable, optional
        Gets one integer array per item; samples for which it is false are replaced by others
        (``lambda a, b: a + b < 15`` for Table II).
    data_home : path-like, optional
        Folder with (or for) the folder ``MNIST``; ``~/scikit_learn_data`` by default.
    download : bool, default=True
        Fetch the files if they are not there.
    random_state : int, RandomState or None, default=0
    return_X_y : bool, default=False

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``X`` uint8 of shape ``(n_samples, n_items, 28, 28)``, ``y`` of shape ``(n_samples,)``, ``digits`` of shape
        ``(n_samples, n_items)`` and ``DESCR``; or ``(X, y)`` if `return_X_y`.

    Raises
    ------
    ImportError
        torchvision is missing.
    RuntimeError
        The files are not there, and ``download=False``.
    """
    if subset not in ("train", "test"):
        raise ValueError(f"load_mnist_arithmetic: subset must be 'train' or 'test', got {subset!r}.")
    from sklearn.datasets import get_data_home

    from sklearn_eql.vision import import_torchvision

    import_torchvision()
    from torchvision.datasets import MNIST

    root = get_data_home() if data_home is None else os.fspath(data_home)
    try:
        mnist = MNIST(root, train=subset == "train", download=download)
    except RuntimeError as error:
        raise RuntimeError(
            f"load_mnist_arithmetic: no MNIST in {root!r}: {error} Expected the files in "
            f"{os.path.join(root, 'MNIST')!r}. Name the folder with data_home=, or use download=True."
        ) from error
    images, labels = mnist.data.numpy(), mnist.targets.numpy()
    source = f"the {'training' if subset == 'train' else 'test'} images of MNIST (LeCun et al. 1998)"
    return _arithmetic(images, labels, source, operation, n_items, n_samples, condition, random_state, return_X_y)


def load_digits_arithmetic(
    *,
    operation: Operation = "add",
    n_items: int = 2,
    n_samples: int = 5_000,
    subset: str = "train",
    condition: Callable[..., Any] | None = None,
    random_state: int | np.random.RandomState | None = 0,
    return_X_y: bool = False,
) -> Any:
    """Load tuples of the 8x8 digits that come with scikit-learn, and a function of their labels; no download.

    Parameters
    ----------
    subset : {"train", "test"}, default="train"
        The first 1,347 or the last 450 of the images (other people's hands, largely).
    operation, n_items, n_samples, condition, random_state, return_X_y
        As in :func:`load_mnist_arithmetic`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As in :func:`load_mnist_arithmetic`, with ``X`` float32 in [0, 1] of shape ``(n_samples, n_items, 8, 8)``.

    Examples
    --------
    >>> from sklearn_eql.datasets import load_digits_arithmetic
    >>> data = load_digits_arithmetic(operation=lambda a, b: 10 * a + b, n_samples=4)
    >>> data.X.shape, bool((data.y == data.digits @ [10, 1]).all())
    ((4, 2, 8, 8), True)
    """
    from sklearn.datasets import load_digits

    if subset not in ("train", "test"):
        raise ValueError(f"load_digits_arithmetic: subset must be 'train' or 'test', got {subset!r}.")
    images, labels = load_digits(return_X_y=True)
    part = slice(0, _N_DIGITS_TRAIN) if subset == "train" else slice(_N_DIGITS_TRAIN, None)
    images = (images[part].reshape(-1, 8, 8) / 16).astype(np.float32)
    source = f"the {'first' if subset == 'train' else 'last'} images of sklearn.datasets.load_digits"
    return _arithmetic(images, labels[part], source, operation, n_items, n_samples, condition, random_state, return_X_y)


_N_DIGITS_TRAIN = 1347  # three quarters


def _arithmetic(
    images: np.ndarray,
    labels: np.ndarray,
    source: str,
    operation: Any,
    n_items: int,
    n_samples: int,
    condition: Any,
    random_state: Any,
    return_X_y: bool,
) -> Any:
    for name, value in (("n_items", n_items), ("n_samples", n_samples)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    if isinstance(operation, str) and operation not in OPERATIONS:
        raise ValueError(
            f"operation must be one of {sorted(OPERATIONS)} or a function of {n_items} arrays, got {operation!r}."
        )
    rng = check_random_state(random_state)
    chosen = _draw(rng, labels, n_items, n_samples, condition)
    digits = labels[chosen].astype(np.int64)
    function = OPERATIONS[operation] if isinstance(operation, str) else operation
    try:
        y = np.asarray(function(*digits.T), dtype=np.float64)
    except TypeError as error:
        raise ValueError(
            f"operation failed with n_items={n_items} arrays: {error}. Give one that takes them."
        ) from error
    if y.shape != (n_samples,):
        raise ValueError(f"operation returned shape {y.shape}, expected one number per sample, ({n_samples},).")
    X = images[chosen]
    if return_X_y:
        return X, y
    name = operation if isinstance(operation, str) else getattr(operation, "__name__", "a function of the user")
    descr = _DESCR.format(n_items=n_items, operation=name, source=source, n_images=len(images))
    return Bunch(X=X, y=y, digits=digits, DESCR=descr)


def _draw(rng: np.random.RandomState, labels: np.ndarray, n_items: int, n_samples: int, condition: Any) -> np.ndarray:
    """Indices of images (n_samples, n_items) whose labels meet the condition."""
    if condition is None:
        return rng.randint(len(labels), size=(n_samples, n_items))
    found: list[np.ndarray] = []
    n_found, n_drawn = 0, 0
    while n_found < n_samples:
        drawn = rng.randint(len(labels), size=(n_samples, n_items))
        keep = drawn[np.asarray(condition(*labels[drawn].T), dtype=bool)]
        found.append(keep)
        n_found, n_drawn = n_found + len(keep), n_drawn + n_samples
        if n_drawn >= _MOST_DRAWS * n_samples and not n_found:
            raise ValueError(f"condition is met by none of {n_drawn} samples drawn at random. Give a wider one.")
    return np.concatenate(found)[:n_samples]


_MOST_DRAWS = 100
