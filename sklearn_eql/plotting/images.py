"""Pictures of models that read digits (Fig. 6, 9 and 10 of the paper). Needs the ``plot`` extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.plotting._axes import BLUE, MUTED, new_grid, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_POINTS = 3_000  # samples that are drawn; more only hide each other
_JITTER = 0.25  # digits are whole numbers: beside each other, their latents can be seen


def plot_digits(estimator: Any, *parts: Any, titles: tuple[str, ...] = ("training images", "test images")) -> Figure:
    """Draw the latent of each image against the digit it shows, and predicted against true targets.

    Some thousand samples are drawn; the correlation and the share that is right are those of all.

    Parameters
    ----------
    estimator : fitted :class:`~sklearn_eql.EQLEncoderRegressor` with one latent per item
    *parts : Bunch
        Of :func:`~sklearn_eql.datasets.load_mnist_arithmetic` or
        :func:`~sklearn_eql.datasets.load_digits_arithmetic`: one column of pictures for each.
    titles : tuple of str
        One per part.

    Returns
    -------
    figure : matplotlib Figure

    Raises
    ------
    ValueError
        No parts, fewer titles than parts, or several latents per item.
    ImportError
        matplotlib is missing.
    """
    check_is_fitted(estimator)
    if not 1 <= len(parts) <= len(titles):
        raise ValueError(
            f"plot_digits: got {len(parts)} parts and {len(titles)} titles, expected at least one part and a title for "
            "each. Pass titles=(...)."
        )
    axes = new_grid((4.6 * len(parts), 8.0), 2, len(parts))
    for column, part, title in zip(axes.T, parts, titles, strict=False):
        drawn = slice(_MOST_POINTS)
        latents, digits = estimator.transform(part.X), np.asarray(part.digits)
        if latents.shape != digits.shape:
            raise ValueError(
                f"plot_digits: {latents.shape[1]} latents for {digits.shape[1]} digits per sample, expected one each. "
                "Use a model with n_latents=1."
            )
        shift = np.random.default_rng(0).uniform(-_JITTER, _JITTER, digits.shape)
        _scatter(column[0], (digits + shift)[drawn].ravel(), latents[drawn].ravel())
        correlation = np.corrcoef(digits.ravel(), latents.ravel())[0, 1]
        column[0].set(title=f"{title}: correlation {correlation:.4f}", xlabel="digit", ylabel="latent")
        target, predicted = np.asarray(part.y), estimator.predict(part.X)
        ends = [target.min(), target.max()]
        column[1].plot(ends, ends, color=MUTED, linewidth=1.2, zorder=1)
        _scatter(column[1], (target + shift[:, 0])[drawn], predicted[drawn])
        right = np.mean(predicted.round() == target)
        column[1].set(title=f"{right:.1%} right when rounded", xlabel="target", ylabel="predicted")
    return axes[0, 0].figure


def _scatter(ax: Any, x: np.ndarray, y: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.scatter(x, y, s=3, color=BLUE, alpha=0.4, linewidth=0, zorder=2)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))  # digits, and what they make
    styled(ax)
