"""How a law fits: as a curve through the data, predicted against measured, and what it leaves over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from sklearn_eql._display import equation_text
from sklearn_eql.plotting._axes import BLUE, INK, MUTED, ORANGE, new_axes, styled
from sklearn_eql.plotting._labels import broken, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 400  # points of a curve
_BEYOND = 0.25  # of the range, on either side of it, where a curve is drawn by default
_WIDTH = 52  # characters in a line of a legend
_SHADE = "#f1efe9"


class FitDisplay:
    """Data and law: as a curve over the only feature, or predicted against measured values, with R2.

    What lies outside of the range of the training rows is shaded, or marked. Make it by `from_estimator`.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y, predicted : ndarray (n_samples,)
    law : str
    curve : ndarray (2, n_points), optional
        Feature and values of the law; none is drawn by default, but predicted against measured values.
    training_range : ndarray (2, n_features), optional
        Lowest and highest values of the training rows.
    names : tuple of str
        Of the horizontal and the vertical axis.
    log : bool
        Logarithmic axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    r2_inside_, r2_outside_ : float
        R2 of the rows within the training range and of the others; NaN where these are less than two.
    """

    def __init__(
        self,
        *,
        X: np.ndarray,
        y: np.ndarray,
        predicted: np.ndarray,
        law: str,
        curve: np.ndarray | None = None,
        training_range: np.ndarray | None = None,
        names: tuple[str, str] = ("measured", "predicted"),
        log: bool = False,
    ) -> None:
        self.X, self.y, self.predicted, self.law = X, y, predicted, law
        self.curve, self.training_range, self.names, self.log = curve, training_range, names, log
        self.outside_ = rows_outside(X, training_range)
        self.r2_inside_, self.r2_outside_ = (_r2(y[m], predicted[m]) for m in (~self.outside_, self.outside_))

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
            ``"curve"`` needs a single feature; ``"auto"`` takes it where there is one.
        log : bool, default=False
            Logarithmic axes, on which power laws are straight lines; needs positive values.
        domain : tuple of two floats, optional
            Range of the curve; that of the rows and of the training rows, and a quarter more, by default.
        precision : int, default=3
            Significant digits of the constants in the legend.
        training_range : {"auto"}, array-like of shape (2, n_features) or None, default="auto"
            Lowest and highest values of the training rows; by default what the estimator knows of them.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        """
        check_is_fitted(estimator)
        values, target = checked_rows("FitDisplay", X, y, output)
        known = range_of(estimator, training_range)
        single = values.shape[1] == 1
        if kind not in ("auto", "curve", "predicted"):
            raise ValueError(f"FitDisplay: kind must be 'auto', 'curve' or 'predicted', got {kind!r}.")
        if kind == "curve" and not single:
            raise ValueError(f"FitDisplay: kind='curve' needs one feature, got {values.shape[1]}. Use 'predicted'.")
        is_curve = single and kind != "predicted"
        if log and (target.min() <= 0 or (is_curve and values.min() <= 0)):
            raise ValueError("FitDisplay: log=True needs positive values in X and y, got some that are not.")
        drawn: dict[str, Any] = {}
        if is_curve:
            lower, upper = domain or _wider(values, known, log)
            grid = (np.geomspace if log else np.linspace)(lower, upper, _GRID)[:, None]
            with_names = type(X)(grid, columns=X.columns) if hasattr(X, "columns") else grid
            drawn["curve"] = np.stack([grid[:, 0], _defined(estimator, with_names, index, output)])
            drawn["names"] = (str(X.columns[0]) if hasattr(X, "columns") else "x0", "y")
        found = cls(
            X=values,
            y=target,
            predicted=one_output(estimator.predict(X, index=index), output),
            law=law_text(estimator, index, output, precision),
            training_range=known,
            log=log,
            **drawn,
        )
        return found.plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> FitDisplay:
        """Draw into the axes, or into a new figure."""
        ax = styled(new_axes((7.0, 4.8) if self.curve is not None else (5.8, 5.4))[0] if ax is None else ax)
        if self.log:
            ax.set_xscale("log")
            ax.set_yscale("log")
        law = plain(broken(self.law, _WIDTH))
        if self.curve is not None:
            ax.plot(*self.curve, color=ORANGE, linewidth=1.6, label=law, zorder=2)
            scatter_rows(ax, self.X[:, 0], self.y, self.outside_, "measured")
            shade_outside(ax, self.training_range, self.curve[0])
            _keep_data_visible(ax, self.y, self.curve[1], self.log)
        else:
            ends = [min(self.y.min(), self.predicted.min()), max(self.y.max(), self.predicted.max())]
            ax.plot(ends, ends, color=MUTED, linewidth=1.2, label="perfect fit", zorder=1)
            scatter_rows(ax, self.y, self.predicted, self.outside_, law)
        ax.set(xlabel=plain(self.names[0]), ylabel=plain(self.names[1]))
        ax.set_title(self._quality(), loc="left", fontsize=10)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False, fontsize=9)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _quality(self) -> str:
        if not self.outside_.any():
            return f"$R^2$ = {_share(self.r2_inside_)}"
        parts = [(self.r2_inside_, "within the training range"), (self.r2_outside_, "outside")]
        return "$R^2$ = " + ", ".join(f"{_share(value)} {where}" for value, where in parts if not np.isnan(value))


class ResidualsDisplay:
    """What a law leaves over, against what it predicts. Make it by `from_estimator`.

    Parameters
    ----------
    predicted, residuals : ndarray (n_samples,)
    outside : ndarray of bool (n_samples,)
        Rows outside of the training range.
    law : str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, *, predicted: np.ndarray, residuals: np.ndarray, outside: np.ndarray, law: str = "") -> None:
        self.predicted, self.residuals, self.outside, self.law = predicted, residuals, outside, law

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
        ax: Axes | None = None,
    ) -> ResidualsDisplay:
        """Draw the residuals of rows; parameters as those of :meth:`FitDisplay.from_estimator`."""
        check_is_fitted(estimator)
        values, target = checked_rows("ResidualsDisplay", X, y, output)
        predicted = one_output(estimator.predict(X, index=index), output)
        outside = rows_outside(values, range_of(estimator, training_range))
        law = law_text(estimator, index, output, precision)
        return cls(predicted=predicted, residuals=target - predicted, outside=outside, law=law).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> ResidualsDisplay:
        """Draw into the axes, or into a new figure."""
        ax = styled(new_axes((7.0, 4.0))[0] if ax is None else ax)
        spread = float(np.sqrt(np.mean(self.residuals[~self.outside] ** 2))) if (~self.outside).any() else np.nan
        ax.axhline(0, color=INK, linewidth=1.0, zorder=1)
        if spread > 0:
            ax.axhspan(-spread, spread, color=_SHADE, zorder=0, label=f"root mean square {spread:.3g}")
        scatter_rows(ax, self.predicted, self.residuals, self.outside, "measured - predicted")
        ax.set(xlabel="predicted", ylabel="measured - predicted")
        ax.set_title(plain(broken(self.law, 64)), loc="left", fontsize=10)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, frameon=False, fontsize=9)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def checked_rows(caller: str, X: Any, y: Any, output: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n_samples, n_features) and one target (n_samples,)."""
    values, target = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    values = values.reshape(len(values), -1) if values.ndim > 2 else values  # items of an encoder
    if target.ndim == 2 and output < target.shape[1]:
        target = target[:, output]
    if target.ndim != 1:
        raise ValueError(f"{caller}: y must have shape (n_samples,) or (n_samples, n_outputs), got {target.shape}.")
    if values.ndim != 2 or len(values) != len(target):
        raise ValueError(f"{caller}: X must have shape ({len(target)}, n_features) to match y, got {values.shape}.")
    return values, target


def one_output(values: np.ndarray, output: int) -> np.ndarray:
    """Values (n_samples,) of one output."""
    return values[:, output] if values.ndim == 2 else values


def law_text(estimator: Any, index: int | None, output: int, precision: int) -> str:
    """The law of an estimator on one line."""
    law = estimator.sympy(index)
    return equation_text(law[output] if isinstance(law, list) else law, precision)


def range_of(estimator: Any, training_range: Any) -> np.ndarray | None:
    """Lowest and highest training values, (2, n_features), as they are given or as an estimator knows them."""
    if isinstance(training_range, str):
        if training_range != "auto":
            raise ValueError(f"training_range={training_range!r}: expected 'auto', None or an array (2, n_features).")
        # Of estimators that transform, the variables of the law are no columns of X.
        known = None if hasattr(estimator, "transform") else getattr(estimator, "feature_ranges_", None)
        return None if known is None else known[["low", "high"]].to_numpy(dtype=float).T
    return None if training_range is None else np.asarray(training_range, dtype=float)


def rows_outside(X: np.ndarray, training_range: np.ndarray | None) -> np.ndarray:
    """Which rows have a feature outside of the range, (n_samples,)."""
    if training_range is None:
        return np.zeros(len(X), dtype=bool)
    return (np.clip(X, *training_range) != X).any(axis=1)


def scatter_rows(ax: Axes, x: np.ndarray, y: np.ndarray, outside: np.ndarray, label: str) -> None:
    """Rows as points, hollow ones outside of the training range."""
    size = 34 if len(x) < 100 else 20
    if (~outside).any():
        ax.scatter(
            x[~outside], y[~outside], s=size, color=BLUE, edgecolor="white", linewidth=0.6, label=label, zorder=3
        )
    if outside.any():
        label = "outside of the training range"
        hollow = {"facecolor": "white", "edgecolor": BLUE, "linewidth": 1}
        ax.scatter(x[outside], y[outside], s=size, label=label, zorder=3, **hollow)


def shade_outside(ax: Axes, training_range: np.ndarray | None, x: np.ndarray) -> None:
    """Shade what is drawn on either side of the training range of the only feature."""
    ax.set_xlim(x.min(), x.max())
    if training_range is None:
        return
    low, high = training_range[:, 0]
    spans = [(a, b) for a, b in ((x.min(), low), (high, x.max())) if a < b]
    for i, (a, b) in enumerate(spans):
        ax.axvspan(a, b, color=_SHADE, zorder=0, linewidth=0, label="" if i else "no training rows")


def _keep_data_visible(ax: Axes, y: np.ndarray, curve: np.ndarray, log: bool) -> None:
    """Where the curve leaves for infinity outside of the rows, it may not press these together."""
    if log:
        return
    extent = float(np.ptp(y)) or 1.0
    low, high = y.min() - 1.5 * extent, y.max() + 1.5 * extent
    shown = np.concatenate([y, curve[np.isfinite(curve) & (curve > low) & (curve < high)]])
    ax.set_ylim(shown.min() - 0.06 * np.ptp(shown), shown.max() + 0.06 * np.ptp(shown))


def _wider(values: np.ndarray, known: np.ndarray | None, log: bool) -> tuple[float, float]:
    both = values if known is None else np.concatenate([values, known])
    low, high = float(both.min()), float(both.max())
    if known is None:
        return low, high
    if log:
        factor = (high / low) ** _BEYOND
        return low / factor, high * factor
    more = _BEYOND * (high - low)
    return low - (more if low < 0 or low >= more else low), high + more  # not across zero


def _defined(estimator: Any, X: Any, index: int | None, output: int) -> np.ndarray:
    """Values of a law, NaN where it has none."""
    if hasattr(estimator, "numpy_function"):
        values = np.array(one_output(estimator.numpy_function(index)(np.asarray(X, dtype=float)), output))
        values[~np.isfinite(values)] = np.nan
        return values
    return one_output(estimator.predict(X, index=index), output)


def _share(r2: float) -> str:
    """R2 with digits that tell it from 1."""
    if r2 < 0.9995:
        return f"{r2:.3f}"
    return "1" if 1 - r2 < 1e-15 else f"1 - {1 - r2:.1g}"


def _r2(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(r2_score(y, predicted)) if len(y) > 1 else np.nan
