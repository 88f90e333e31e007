"""What a law leaves over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_eql.plotting._axes import INK, new_axes, styled
from sklearn_eql.plotting._labels import broken, plain
from sklearn_eql.plotting._rows import SHADE, ShownRows, law_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ResidualsDisplay:
    """What a law leaves over, against what it predicts. Make it by `from_estimator`.

    Parameters
    ----------
    rows : ShownRows
    law : str

    Attributes
    ----------
    residuals : ndarray (n_samples,)
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, rows: ShownRows, law: str = "") -> None:
        self.rows, self.law = rows, law
        self.residuals = rows.y - rows.predicted

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        index: int | None = None,
        output: int = 0,
        precision: int = 3,
        training_range: Any = "auto",
        groups: Any = None,
        ax: Axes | None = None,
    ) -> ResidualsDisplay:
        """Draw the residuals of rows; parameters as those of :meth:`FitDisplay.from_estimator`."""
        about = {"index": index, "output": output, "training_range": training_range, "groups": groups}
        rows = ShownRows.of("ResidualsDisplay", estimator, X, y, **about)
        return cls(rows=rows, law=law_text(estimator, index, output, precision)).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> ResidualsDisplay:
        """Draw into the axes, or into a new figure."""
        ax = styled(new_axes((7.0, 4.0))[0] if ax is None else ax)
        inside = self.residuals[~self.rows.outside]
        spread = float(np.sqrt(np.mean(inside**2))) if len(inside) else np.nan
        ax.axhline(0, color=INK, linewidth=1.0, zorder=1)
        if spread > 0:
            ax.axhspan(-spread, spread, color=SHADE, zorder=0, label=f"root mean square {spread:.3g}")
        self.rows.scatter(ax, self.rows.predicted, self.residuals, "measured - predicted")
        ax.set(xlabel="predicted", ylabel="measured - predicted")
        ax.set_title(plain(broken(self.law, 64)), loc="left", fontsize=10)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, frameon=False, fontsize=9)
        self.ax_, self.figure_ = ax, ax.figure
        return self
