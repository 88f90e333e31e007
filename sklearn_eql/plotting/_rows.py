"""Rows that pictures show: what a law says of them, and which are outside of the training range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_eql._display import equation_text
from sklearn_eql.plotting._axes import BLUE, COLORS
from sklearn_eql.plotting._labels import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADE = "#f1efe9"


@dataclass(frozen=True)
class ShownRows:
    """Rows with one target and what a law says of them.

    Parameters
    ----------
    X : ndarray (n_samples, n_features)
    y, predicted : ndarray (n_samples,)
    training_range : ndarray (2, n_features), optional
        Lowest and highest values of the training rows.
    groups : ndarray (n_samples,), optional
    """

    X: np.ndarray
    y: np.ndarray
    predicted: np.ndarray
    training_range: np.ndarray | None = None
    groups: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        caller: str,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        index: int | None = None,
        output: int = 0,
        training_range: Any = "auto",
        groups: Any = None,
    ) -> ShownRows:
        """What a fitted estimator predicts of one output; arguments as those of the displays."""
        check_is_fitted(estimator)
        values, target = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        values = values.reshape(len(values), -1) if values.ndim > 2 else values  # items of an encoder
        if target.ndim not in (1, 2) or (target.ndim == 2 and output >= target.shape[1]):
            raise ValueError(
                f"{caller}: y must have shape (n_samples,) or (n_samples, n_outputs) for output={output}, got "
                f"{target.shape}."
            )
        if values.ndim != 2 or len(values) != len(target):
            raise ValueError(f"{caller}: X must have shape ({len(target)}, n_features) to match y, got {values.shape}.")
        given = {} if groups is None else {"groups": groups}
        predicted = np.asarray(estimator.predict(X, index=index, **given))
        if target.ndim == 2 and target.shape[1] > 1 and predicted.ndim == 1:
            raise ValueError(f"{caller}: y must have shape (n_samples,) for a law of one output, got {target.shape}.")
        return cls(
            values,
            target[:, output] if target.ndim == 2 else target,
            predicted[:, output] if predicted.ndim == 2 else predicted,
            _range_of(estimator, training_range, values.shape[1]),
            None if groups is None else np.asarray(groups),
        )

    @property
    def outside(self) -> np.ndarray:
        """Which rows have a feature outside of the training range, (n_samples,)."""
        if self.training_range is None:
            return np.zeros(len(self.X), dtype=bool)
        return (np.clip(self.X, *self.training_range) != self.X).any(axis=1)

    @property
    def labels(self) -> list[Any]:
        """The groups, in the order of their rows; none where rows have none."""
        return [] if self.groups is None else list(dict.fromkeys(self.groups.tolist()))

    def scatter(self, ax: Axes, x: np.ndarray, y: np.ndarray, label: str) -> None:
        """Draw a point for each row, hollow ones outside of the training range; groups by colour, if they are few."""
        outside, few = self.outside, 1 < len(self.labels) <= len(COLORS)
        parts = [(plain(str(g)), self.groups == g, c) for g, c in zip(self.labels, COLORS, strict=False)] if few else []
        for name, rows, color in parts or [(label, np.ones(len(x), dtype=bool), BLUE)]:
            inside = rows & ~outside
            if inside.any():
                ax.scatter(
                    x[inside], y[inside], color=color, edgecolor="white", linewidth=0.6, label=name, **self._size
                )
        for _, rows, color in parts or [("", np.ones(len(x), dtype=bool), BLUE)]:
            beyond = rows & outside
            if beyond.any():
                told = any(text == _OUTSIDE for text in ax.get_legend_handles_labels()[1])
                hollow = {"facecolor": "white", "edgecolor": color, "linewidth": 1, "label": "" if told else _OUTSIDE}
                ax.scatter(x[beyond], y[beyond], **hollow, **self._size)

    @property
    def _size(self) -> dict[str, Any]:
        return {"s": 34 if len(self.y) < 100 else 20, "zorder": 3}


_OUTSIDE = "outside of the training range"


def law_text(estimator: Any, index: int | None, output: int, precision: int) -> str:
    """The law of an estimator on one line."""
    law = estimator.sympy(index)
    return equation_text(law[output] if isinstance(law, list) else law, precision)


def _range_of(estimator: Any, training_range: Any, n_features: int) -> np.ndarray | None:
    """Lowest and highest training values, (2, n_features), as they are given or as an estimator knows them."""
    if isinstance(training_range, str):
        if training_range != "auto":
            raise ValueError(f"training_range={training_range!r}: expected 'auto', None or an array (2, n_features).")
        # Of estimators that transform, the variables of the law are no columns of X.
        known = None if hasattr(estimator, "transform") else getattr(estimator, "feature_ranges_", None)
        # Behind the columns of X may be constants of groups.
        return None if known is None else known[["low", "high"]].to_numpy(dtype=float).T[:, :n_features]
    return None if training_range is None else np.asarray(training_range, dtype=float)
