"""How a law fits: as a curve through the data, or predicted against measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import r2_score

from sklearn_eql.plotting._axes import COLORS, MUTED, ORANGE, new_axes, styled
from sklearn_eql.plotting._labels import broken, plain
from sklearn_eql.plotting._rows import SHADE, ShownRows, law_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 400  # points of a curve
_BEYOND = 0.25  # of the range, on either side of it, where a curve is drawn by default
_WIDTH = 52  # characters in a line of a legend


class FitDisplay:
    """Data and law: as a curve over the only feature, or predicted against measured values, with R2.

    What lies outside of the range of the training rows is shaded, or marked. Make it by `from_estimator`.

    Parameters
    ----------
    rows : ShownRows
    law : str
    curves : ndarray (1 + n_curves, n_points), optional
        Feature and values of the law, of each group where rows have groups; none is drawn by default, but predicted
        against measured values.
    names : tuple of str
        Of the horizontal and the vertical axis.
    log : bool
        Logarithmic axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    outside_ : ndarray of bool (n_samples,)
        Rows outside of the training range.
    r2_inside_, r2_outside_ : float
        R2 of the rows within the training range and of the others; NaN where these are less than two.
    """

    def __init__(
        self,
        *,
        rows: ShownRows,
        law: str,
        curves: np.ndarray | None = None,
        names: tuple[str, str] = ("measured", "predicted"),
        log: bool = False,
    ) -> None:
        self.rows, self.law, self.curves, self.names, self.log = rows, law, curves, names, log
        self.outside_ = rows.outside
        self.r2_inside_, self.r2_outside_ = (_r2(rows.y[m], rows.predicted[m]) for m in (~self.outside_, self.outside_))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        index: int | None = None,
        output: int = 0,
        kind: str = "auto",
        log: bool = False,
        domain: tuple[float, float] | None = None,
        precision: int = 3,
        training_range: Any = "auto",
        groups: Any = None,
        ax: Axes | None = None,
    ) -> FitDisplay:
        """Draw how a law of a fitted estimator meets rows.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``predict(X, index=None)`` and ``sympy(index=None)``, such as
            :class:`~sklearn_eql.EQLRegressor`.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        index : int, optional
            Row of ``equations_``; the selected equation by default.
        output : int, default=0
            Which output, where there are several.
        kind : {"auto", "curve", "predicted"}, default="auto"
            ``"curve"`` needs a single feature; ``"auto"`` takes it where there is one, and no more than six groups.
        log : bool, default=False
            Logarithmic axes, on which power laws are straight lines; needs positive values.
        domain : tuple of two floats, optional
            Range of the curve; that of the rows and of the training rows, and a quarter more, by default.
        precision : int, default=3
            Significant digits of the constants in the legend.
        training_range : {"auto"}, array-like of shape (2, n_features) or None, default="auto"
            Lowest and highest values of the training rows; by default what the estimator knows of them.
        groups : array-like of shape (n_samples,), optional
            Labels of the rows, where the law has constants for each group: it is a curve for each.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        """
        if kind not in ("auto", "curve", "predicted"):
            raise ValueError(f"FitDisplay: kind must be 'auto', 'curve' or 'predicted', got {kind!r}.")
        about = {"index": index, "output": output, "training_range": training_range, "groups": groups}
        rows = ShownRows.of("FitDisplay", estimator, X, y, **about)
        n_features, n_groups = rows.X.shape[1], len(rows.labels)
        if kind == "curve" and n_features != 1:
            raise ValueError(f"FitDisplay: kind='curve' needs one feature, got {n_features}. Use kind='predicted'.")
        is_curve = kind == "curve" or (kind == "auto" and n_features == 1 and n_groups <= len(COLORS))
        if log and (rows.y.min() <= 0 or (is_curve and rows.X.min() <= 0)):
            raise ValueError("FitDisplay: log=True needs positive values in X and y, got some that are not.")
        drawn: dict[str, Any] = {}
        if is_curve:
            lower, upper = domain or _wider(rows, log)
            grid = (np.geomspace if log else np.linspace)(lower, upper, _GRID)[:, None]
            with_names = type(X)(grid, columns=X.columns) if hasattr(X, "columns") else grid
            values = [_defined(estimator, with_names, index, output, group) for group in rows.labels or [None]]
            drawn["curves"] = np.stack([grid[:, 0], *values])
            drawn["names"] = (str(X.columns[0]) if hasattr(X, "columns") else "x0", "y")
        found = cls(rows=rows, law=law_text(estimator, index, output, precision), log=log, **drawn)
        return found.plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> FitDisplay:
        """Draw into the axes, or into a new figure."""
        ax = styled(new_axes((7.0, 4.8) if self.curves is not None else (5.8, 5.4))[0] if ax is None else ax)
        if self.log:
            ax.set_xscale("log")
            ax.set_yscale("log")
        law, rows = plain(broken(self.law, _WIDTH)), self.rows
        if self.curves is not None:
            n_curves = len(self.curves) - 1
            for i, values in enumerate(self.curves[1:]):
                color = COLORS[i % len(COLORS)] if n_curves > 1 else ORANGE
                label = "" if i else law
                ax.plot(self.curves[0], values, color=color, linewidth=1.6, label=label, zorder=2)
            rows.scatter(ax, rows.X[:, 0], rows.y, "measured")
            self._shade_outside(ax)
            self._keep_data_visible(ax)
        else:
            ends = [min(rows.y.min(), rows.predicted.min()), max(rows.y.max(), rows.predicted.max())]
            ax.plot(ends, ends, color=MUTED, linewidth=1.2, label="perfect fit", zorder=1)
            rows.scatter(ax, rows.y, rows.predicted, law)
        ax.set(xlabel=plain(self.names[0]), ylabel=plain(self.names[1]))
        ax.set_title(self._quality(), loc="left", fontsize=10)
        ncols = 2 if len(rows.labels) > 1 else 1
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False, fontsize=9, ncols=ncols)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _quality(self) -> str:
        if not self.outside_.any():
            return f"$R^2$ = {_share(self.r2_inside_)}"
        parts = [(self.r2_inside_, "within the training range"), (self.r2_outside_, "outside")]
        return "$R^2$ = " + ", ".join(f"{_share(value)} {where}" for value, where in parts if not np.isnan(value))

    def _shade_outside(self, ax: Axes) -> None:
        """Shade what is drawn on either side of the training range."""
        assert self.curves is not None
        first, last = self.curves[0].min(), self.curves[0].max()
        ax.set_xlim(first, last)
        if self.rows.training_range is None:
            return
        low, high = self.rows.training_range[:, 0]
        for i, (a, b) in enumerate((a, b) for a, b in ((first, low), (high, last)) if a < b):
            ax.axvspan(a, b, color=SHADE, zorder=0, linewidth=0, label="" if i else "no training rows")

    def _keep_data_visible(self, ax: Axes) -> None:
        """Where a curve leaves for infinity outside of the rows, it may not press these together."""
        if ax.get_yscale() == "log":
            return
        assert self.curves is not None
        y, curves = self.rows.y, self.curves[1:]
        extent = float(np.ptp(y)) or 1.0
        low, high = y.min() - 1.5 * extent, y.max() + 1.5 * extent
        shown = np.concatenate([y, curves[np.isfinite(curves) & (curves > low) & (curves < high)]])
        ax.set_ylim(shown.min() - 0.06 * np.ptp(shown), shown.max() + 0.06 * np.ptp(shown))


def _wider(rows: ShownRows, log: bool) -> tuple[float, float]:
    both = rows.X if rows.training_range is None else np.concatenate([rows.X, rows.training_range])
    low, high = float(both.min()), float(both.max())
    if rows.training_range is None:
        return low, high
    if log:
        factor = (high / low) ** _BEYOND
        return low / factor, high * factor
    more = _BEYOND * (high - low)
    return low - (more if low < 0 or low >= more else low), high + more  # not across zero


def _defined(estimator: Any, X: Any, index: int | None, output: int, group: Any) -> np.ndarray:
    """Values of a law, of a group if there are any, NaN where it has none."""
    if group is not None:
        values = estimator.predict(X, index=index, groups=np.full(len(X), group))
    elif hasattr(estimator, "numpy_function"):
        values = np.array(estimator.numpy_function(index)(np.asarray(X, dtype=float)))
        values[~np.isfinite(values)] = np.nan
    else:
        values = estimator.predict(X, index=index)
    return values[:, output] if values.ndim == 2 else values


def _share(r2: float) -> str:
    """R2 with digits that tell it from 1."""
    if r2 < 0.9995:
        return f"{r2:.3f}"
    return "1" if 1 - r2 < 1e-15 else f"1 - {1 - r2:.1g}"


def _r2(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(r2_score(y, predicted)) if len(y) > 1 else np.nan
