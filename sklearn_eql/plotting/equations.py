"""Pictures of tables of laws, and of how well one of them fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_eql._display import equation_text
from sklearn_eql.plotting._axes import BLUE, MUTED, ORANGE, new_axes, styled
from sklearn_eql.plotting._labels import broken, plain
from sklearn_eql.plotting.front import FrontDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 44  # characters in a line of a legend


def plot_equations(estimator: Any, ax: Axes | None = None, *, output: int = 0, precision: int = 3) -> Axes:
    """Draw the Pareto front: complexity against loss of every equation found, the selected one marked.

    Parameters
    ----------
    estimator : fitted estimator
        Anything with ``equations_`` and ``best_index_``, such as :class:`~sklearn_eql.EQLRegressor`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    output : int, default=0
        Which output, where the estimator was fitted on several.
    precision : int, default=3
        Significant digits of the constants in the labels.

    Returns
    -------
    ax : matplotlib Axes
    """
    return FrontDisplay.from_estimator(estimator, output=output, precision=precision, ax=ax).ax_


def plot_fit(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    index: int | None = None,
    kind: str = "auto",
    log: bool = False,
    domain: tuple[float, float] | None = None,
    precision: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw data and law: as a curve over the only feature, or predicted against measured values.

    Parameters
    ----------
    estimator : fitted estimator
        Anything with ``predict(X, index=None)`` and ``sympy(index=None)``, such as
        :class:`~sklearn_eql.EQLRegressor`.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    index : int, optional
        Row of ``equations_``; the selected equation by default.
    kind : {"auto", "curve", "predicted"}, default="auto"
        ``"curve"`` needs a single feature; ``"auto"`` takes it where there is one.
    log : bool, default=False
        Logarithmic axes, on which power laws are straight lines; needs positive values.
    domain : tuple of two floats, optional
        Range of the curve; that of `X` by default.
    precision : int, default=3
        Significant digits of the constants in the legend.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    ax : matplotlib Axes
    """
    check_is_fitted(estimator)
    values, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    if y.ndim != 1:
        raise ValueError(f"plot_fit: y must have shape (n_samples,), got {y.shape}. Draw one output at a time.")
    if values.ndim != 2 or len(values) != len(y):
        raise ValueError(f"plot_fit: X must have shape ({len(y)}, n_features) to match y, got {values.shape}.")
    single = values.shape[1] == 1
    if kind not in ("auto", "curve", "predicted"):
        raise ValueError(f"plot_fit: kind must be 'auto', 'curve' or 'predicted', got {kind!r}.")
    if kind == "curve" and not single:
        raise ValueError(f"plot_fit: kind='curve' needs one feature, got {values.shape[1]}. Use kind='predicted'.")
    curve = single and kind != "predicted"
    if log and (y.min() <= 0 or (curve and values.min() <= 0)):
        raise ValueError("plot_fit: log=True needs positive values in X and y, got some that are not. Use log=False.")

    ax = _axes(ax, figsize=(6.4, 4.8) if curve else (5.4, 5.0))
    law = plain(broken(equation_text(estimator.sympy(index), precision), _WIDTH))
    if log:
        ax.set_xscale("log")
        ax.set_yscale("log")
    if curve:
        lower, upper = domain if domain is not None else (values.min(), values.max())
        grid = (np.geomspace if log else np.linspace)(lower, upper, 400)[:, None]
        # With its own column names, so that an estimator fitted on a DataFrame accepts it.
        grid_X = type(X)(grid, columns=X.columns) if hasattr(X, "columns") else grid
        ax.plot(grid[:, 0], estimator.predict(grid_X, index=index), color=ORANGE, linewidth=1.6, label=law, zorder=2)
        ax.scatter(values[:, 0], y, s=34, color=BLUE, edgecolor="white", linewidth=0.7, label="measured", zorder=3)
        ax.set_xlabel(X.columns[0] if hasattr(X, "columns") else "x0")
        ax.set_ylabel("y")
    else:
        predicted = estimator.predict(X, index=index)
        ends = [min(y.min(), predicted.min()), max(y.max(), predicted.max())]
        ax.plot(ends, ends, color=MUTED, linewidth=1.2, label="perfect fit", zorder=1)
        ax.scatter(y, predicted, s=22, color=BLUE, edgecolor="white", linewidth=0.5, alpha=0.85, label=law, zorder=3)
        ax.set_xlabel("measured")
        ax.set_ylabel("predicted")
    ax.legend(loc="best", frameon=False)
    return ax


def _axes(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    return styled(new_axes(figsize)[0] if ax is None else ax)
