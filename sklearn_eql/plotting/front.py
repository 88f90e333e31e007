"""The laws of a table by complexity and loss, each with its whole law beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_eql._display import equation_text
from sklearn_eql.plotting._axes import BLUE, INK, MUTED, ORANGE, new_axes, styled
from sklearn_eql.plotting._labels import broken, plain, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 52  # characters in a line of a label
_FONT = 9.0  # points
_LINE = 1.5  # heights of the font from line to line, at most
_WIDEST_AXES = 0.44  # share of the axes for the points, the rest is for labels


class FrontDisplay:
    """Complexity against loss of every law of a table, the laws as labels, the selected one marked.

    Make it by `from_estimator`.

    Parameters
    ----------
    complexity, loss : array-like of shape (n_laws,)
    laws : sequence of str
    selected : int
        Position of the selected law.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, complexity: Any, loss: Any, laws: Sequence[str], selected: int) -> None:
        self.complexity = np.asarray(complexity, dtype=float)
        self.loss = np.asarray(loss, dtype=float)
        self.laws = list(laws)
        self.selected = selected

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, output: int = 0, precision: int = 3, ax: Axes | None = None
    ) -> FrontDisplay:
        """Draw the table of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``equations_`` and ``best_index_``, such as :class:`~sklearn_eql.EQLRegressor`.
        output : int, default=0
            Which output, where the estimator was fitted on several.
        precision : int, default=3
            Significant digits of the constants in the labels.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default, as high as the labels need.
        """
        check_is_fitted(estimator, "equations_")
        equations, best_index = estimator.equations_, estimator.best_index_
        if isinstance(equations, list):
            equations, best_index = equations[output], best_index[output]
        equations = equations.sort_values("complexity")
        laws = [equation_text(expr, precision) for expr in equations["sympy_expr"]]
        selected = list(equations.index).index(best_index)
        found = cls(complexity=equations["complexity"], loss=equations["loss"], laws=laws, selected=selected)
        return found.plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> FrontDisplay:
        """Draw into the axes, or into a new figure."""
        labels = [broken(law, _WIDTH) for law in self.laws]
        if ax is None:
            lines = sum(1.4 + label.count("\n") for label in labels)
            ax = new_axes((9.0, max(4.8, 1.3 + lines * _FONT * _LINE / 72)))[0]
        styled(ax)
        # An exact law may have a loss of zero, which a logarithmic axis cannot show: it is drawn below the rest.
        positive = self.loss[self.loss > 0]
        loss = np.where(self.loss > 0, self.loss, positive.min() / 10 if positive.size else 1e-16)
        self._draw_points(ax, loss)
        self._draw_labels(ax, loss, labels)
        ax.set_xlabel("complexity")
        ax.set_ylabel("loss")
        ax.set_title("Equations found: accuracy against complexity", loc="left")
        ax.legend(loc="lower left", frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_points(self, ax: Axes, loss: np.ndarray) -> None:
        best = np.arange(len(loss)) == self.selected
        ax.set_yscale("log")
        ax.plot(self.complexity, loss, drawstyle="steps-post", color=MUTED, linewidth=1.2, zorder=1)
        ax.scatter(self.complexity[~best], loss[~best], s=36, color=BLUE, zorder=3)
        ax.scatter(self.complexity[best], loss[best], s=95, color=ORANGE, edgecolor="white", zorder=4, label="selected")
        low, span = self.complexity.min(), max(np.ptp(self.complexity), 1.0)
        ax.set_xlim(low - 0.06 * span, low - 0.06 * span + 1.12 * span / _WIDEST_AXES)
        ax.set_xticks(_ticks(self.complexity, self.complexity[self.selected], span))
        decades = max(np.log10(loss.max() / loss.min()), 1.0)
        ax.set_ylim(loss.min() / 10 ** (0.14 * decades), loss.max() * 10 ** (0.12 * decades))

    def _draw_labels(self, ax: Axes, loss: np.ndarray, labels: list[str]) -> None:
        from matplotlib.text import Text

        notes = [
            ax.annotate(
                plain(label),
                xy=(x, value),
                # One column: on a falling front, a line to the right meets no other point.
                xytext=(_WIDEST_AXES + 0.03, 0.5),
                textcoords=ax.transAxes,
                va="center",
                fontsize=_FONT,
                color=ORANGE if i == self.selected else INK,
                fontweight="bold" if i == self.selected else "normal",
                arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "linestyle": ":", "relpos": (0, 0.5)},
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},  # over the grid
                zorder=2,
            )
            for i, (x, value, label) in enumerate(zip(self.complexity, loss, labels, strict=True))
        ]
        ax.figure.canvas.draw()  # the layout decides how high the axes are
        height = ax.get_window_extent().height
        gap = 0.5 * _FONT * ax.figure.dpi / 72  # pixels
        sizes = np.array([gap + Text.get_window_extent(note).height for note in notes]) / height
        if sizes.sum() > 1:  # given axes may be low
            for note in notes:
                note.set_fontsize(0.98 * _FONT / sizes.sum())
            sizes *= 0.98 / sizes.sum()
        places = ax.transAxes.inverted().transform(ax.transData.transform(np.c_[self.complexity, loss]))[:, 1]
        order = np.argsort(-places, kind="stable")
        for i, middle in zip(order, spread(places[order], sizes[order]), strict=True):
            notes[i].set_position((_WIDEST_AXES + 0.03, middle))


def _ticks(complexity: np.ndarray, selected: float, span: float) -> np.ndarray:
    """Complexities that are written: that of the selected law, and others that are not so near as to overlap."""
    kept = [float(selected)]
    for value in np.unique(complexity).tolist():
        if min(abs(value - other) for other in kept) >= 0.055 * span:
            kept.append(value)
    return np.sort(kept)
