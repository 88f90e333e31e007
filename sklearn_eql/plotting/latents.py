"""The hidden parameters of series: how they are spread, and how several go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.plotting._axes import BLUE, ORANGE, new_grid, styled
from sklearn_eql.plotting._labels import plain

_MOST_BINS = 30


class LatentDisplay:
    """Hidden parameters of the training series: a histogram of each, and each pair as points.

    Those of other series are orange marks. Make it by `from_estimator`.

    Parameters
    ----------
    z : ndarray (n_series, n_latents)
    names : sequence of str, length n_latents
    others : ndarray (n_others, n_latents), optional

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes (n_latents, n_latents)
    figure_ : matplotlib Figure
    """

    def __init__(self, *, z: np.ndarray, names: Sequence[str], others: np.ndarray | None = None) -> None:
        self.z, self.names, self.others = np.asarray(z, dtype=float), list(names), others
        if self.z.ndim != 2 or not self.z.size:
            raise ValueError(f"LatentDisplay: z must have shape (n_series, n_latents), got {self.z.shape}.")

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any = None) -> LatentDisplay:
        """Draw ``latents_`` of a fitted estimator, such as :class:`~sklearn_eql.EQLDynamicsRegressor`.

        Parameters
        ----------
        X : array-like of shape (n_series, n_observed + 1, n_states), optional
            Other series, whose hidden parameters ``transform`` tells.
        """
        check_is_fitted(estimator, "latents_")
        others = None if X is None else estimator.transform(X)
        return cls(z=estimator.latents_, names=estimator.get_feature_names_out(), others=others).plot()

    def plot(self) -> LatentDisplay:
        """Draw into a new figure."""
        n = self.z.shape[1]
        size = (5.6, 3.4) if n == 1 else (1.0 + 2.6 * n, 0.8 + 2.3 * n)
        axes = new_grid(size, n, n)
        for row, column in np.ndindex(n, n):
            ax: Any = axes[row, column]
            if column > row:
                ax.set_axis_off()
                continue
            styled(ax)
            if row == column:
                self._draw_histogram(ax, row)
            else:
                ax.scatter(self.z[:, column], self.z[:, row], s=16, color=BLUE, edgecolor="white", linewidth=0.4)
                if self.others is not None:
                    ax.scatter(self.others[:, column], self.others[:, row], s=16, color=ORANGE, marker="+", linewidth=1)
                ax.set_ylabel(plain(self.names[row]))
            if row == n - 1:
                ax.set_xlabel(plain(self.names[column]))
        self.axes_, self.figure_ = axes, axes[0, 0].figure
        handles, labels = axes[0, 0].get_legend_handles_labels()
        if self.others is not None:
            self.figure_.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False)
        return self

    def _draw_histogram(self, ax: Any, latent: int) -> None:
        values = self.z[:, latent]
        n_bins = int(np.clip(np.sqrt(len(values)), 5, _MOST_BINS))
        ax.hist(values, bins=n_bins, color=BLUE, alpha=0.8, edgecolor="white", linewidth=0.5, label="training series")
        ax.set_ylabel("series")
        if self.others is not None:
            marks = {"linestyle": "", "marker": "|", "markersize": 9, "color": ORANGE, "clip_on": False}
            height = np.zeros(len(self.others))
            ax.plot(self.others[:, latent], height, label="other series", zorder=4, **marks)
