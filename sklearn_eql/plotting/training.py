"""How the loss fell in a fit."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.plotting._axes import COLORS, MUTED, new_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROUNDING = 1e-32  # what a loss of zero is drawn as: the square of the rounding of float64


class LossCurveDisplay:
    """Loss in the course of a fit. Make it by `from_estimator`.

    Parameters
    ----------
    losses : mapping of str to array-like of shape (n_looks,)
        One curve for each output.
    stop_reason : str, optional
    steps : array-like of shape (n_looks,), optional
        Steps after which the losses are; every step by default.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, losses: Mapping[str, Any], stop_reason: str = "", steps: Any = None) -> None:
        self.losses = {name: np.asarray(loss, dtype=float) for name, loss in losses.items()}
        self.stop_reason = stop_reason
        longest = max(map(len, self.losses.values()), default=0)
        self.steps = 1 + np.arange(longest) if steps is None else np.asarray(steps)

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> LossCurveDisplay:
        """Draw ``loss_curve_`` of a fitted estimator, such as :class:`~sklearn_eql.EQLRegressor`."""
        check_is_fitted(estimator, "loss_curve_")
        curves, reason = estimator.loss_curve_, getattr(estimator, "stop_reason_", "")
        if not len(curves) or np.ndim(curves[0]) == 0:
            curves = [curves]
        reason = reason if isinstance(reason, str) else ", ".join(dict.fromkeys(reason))
        losses = {f"y{i}": curve for i, curve in enumerate(curves)}
        return cls(losses=losses, stop_reason=reason, steps=getattr(estimator, "loss_steps_", None)).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> LossCurveDisplay:
        """Draw into the axes, or into a new figure."""
        ax = styled(new_axes((6.4, 3.6))[0] if ax is None else ax)
        from matplotlib.ticker import MaxNLocator

        ax.set_yscale("log")
        for (name, loss), color in zip(self.losses.items(), cycle(COLORS)):
            drawn = np.where(loss > 0, loss, _ROUNDING)
            marker = "o" if len(self.steps) < 60 else ""
            ax.plot(
                self.steps[: len(loss)],
                drawn,
                color=color,
                linewidth=1.6,
                marker=marker,
                markersize=4,
                label=name,
                zorder=3,
            )
        last = max(self.steps, default=1)
        ax.set_xlim(0 if self.steps[0] > 1 else 0.5, max(1.02 * last, last + 0.5, 2.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(self.losses) > 1:
            ax.legend(frameon=False)
        ax.set(xlabel="step", ylabel="loss, relative")
        if self.stop_reason:
            ax.set_title(f"ended: {self.stop_reason}", loc="right", fontsize=10, color=MUTED)
        ax.set_title("Loss in the fit", loc="left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
