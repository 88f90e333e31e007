"""Pictures of tables of laws, and of how well one of them fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_eql._display import equation_text
from sklearn_eql.plotting._axes import BLUE, INK, MUTED, ORANGE, new_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_LABEL = 44  # characters; beyond that a label hides more than it tells


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
    check_is_fitted(estimator, "equations_")
    equations, best_index = estimator.equations_, estimator.best_index_
    if isinstance(equations, list):
        equations, best_index = equations[output], best_index[output]
    ax = _axes(ax, figsize=(9.0, 4.8))

    equations = equations.sort_values("complexity")
    complexity = equations["complexity"].to_numpy(dtype=float)
    loss = equations["loss"].to_numpy(dtype=float)
    # An exact law may have a loss of zero, which a logarithmic axis cannot show: it is drawn one decade below the rest.
    positive = loss[loss > 0]
    loss = np.where(loss > 0, loss, positive.min() / 10 if positive.size else 1e-16)
    best = equations.index == best_index

    ax.set_yscale("log")
    ax.plot(complexity, loss, drawstyle="steps-post", color=MUTED, linewidth=1.2, zorder=1)
    ax.scatter(complexity[~best], loss[~best], s=36, color=BLUE, zorder=3)
    ax.scatter(complexity[best], loss[best], s=95, color=ORANGE, edgecolor="white", zorder=4, label="selected")
    span = max(np.ptp(complexity), 1.0)
    ax.set_xticks(np.unique(complexity))
    ax.set_xlim(complexity.min() - 0.06 * span, complexity.max() + 0.95 * span)  # room for the labels on the right
    lower, upper = loss.min(), loss.max()
    decades = max(np.log10(upper / lower), 1.0)
    ax.set_ylim(lower / 10 ** (0.1 * decades), upper * 10 ** (0.12 * decades))

    texts = [_label(equation_text(expr, precision)) for expr in equations["sympy_expr"]]
    heights = _spread(ax.transAxes.inverted().transform(ax.transData.transform(np.c_[complexity, loss]))[:, 1])
    for x, value, height, text, selected in zip(complexity, loss, heights, texts, best, strict=True):
        ax.annotate(
            text,
            xy=(x, value),
            # One column: on a falling front, a line to the right meets no other point.
            xytext=(complexity.max() + 0.1 * span, height),
            textcoords=ax.get_xaxis_transform(),  # x in data, y in fractions of the axes
            va="center",
            fontsize=9,
            color=ORANGE if selected else INK,
            fontweight="bold" if selected else "normal",
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "linestyle": ":", "relpos": (0, 0.5)},
            zorder=2,
        )
    ax.set_xlabel("complexity")
    ax.set_ylabel("loss")
    ax.set_title("Equations found: accuracy against complexity", loc="left")
    ax.legend(loc="lower left", frameon=False)
    return ax


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
    law = _label(equation_text(estimator.sympy(index), precision))
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


def _label(text: str) -> str:
    """Short enough to read, and free of the dollar signs that would start a formula."""
    short = text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 3] + "..."
    return short.replace("$", r"\$")


def _spread(heights: np.ndarray, gap: float = 0.06) -> np.ndarray:
    """Heights (fractions of the axes, one per label, falling) moved down as little as keeps `gap` between them."""
    placed = heights.copy()
    for i in range(1, len(placed)):
        placed[i] = min(placed[i], placed[i - 1] - gap)
    # Labels pushed below the axes take the whole stack up again, from the bottom.
    for i in range(len(placed) - 1, -1, -1):
        floor = 0.04 if i == len(placed) - 1 else placed[i + 1] + gap
        placed[i] = max(placed[i], floor)
    return placed
