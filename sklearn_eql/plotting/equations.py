"""Pictures of tables of laws, and of how well one of them fits, in one call each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn_eql.plotting.fit import FitDisplay
from sklearn_eql.plotting.front import FrontDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


def plot_fit(estimator: Any, X: Any, y: Any, **options: Any) -> Axes:
    """Draw data and law: as a curve over the only feature, or predicted against measured values.

    Parameters
    ----------
    estimator : fitted estimator
        Anything with ``predict(X, index=None)`` and ``sympy(index=None)``, such as
        :class:`~sklearn_eql.EQLRegressor`.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    **options
        Those of :meth:`FitDisplay.from_estimator`: `index`, `output`, `kind`, `log`, `domain`, `precision`,
        `training_range`, `groups` and `ax`.

    Returns
    -------
    ax : matplotlib Axes
    """
    return FitDisplay.from_estimator(estimator, X, y, **options).ax_
