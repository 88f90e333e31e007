"""Roll-outs of a law of motion beside the series that they start from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

_SERIES = 200  # rolled out at most, spread evenly over those that are given


@dataclass(frozen=True)
class RolledOut:
    """Series and what a law makes of their starts.

    Parameters
    ----------
    start : ndarray (N, S)
    truth, rolled : ndarray (N, K, S)
        States after 1 to K steps; `rolled` is NaN from where a series explodes.
    series : ndarray of int (N,)
        Which of the series that were given these are.
    names : tuple of str, length S
    dt : float, optional
        Time from step to step, where it is known.
    n_trained : int
        Steps that the fit saw.
    """

    start: np.ndarray
    truth: np.ndarray
    rolled: np.ndarray
    series: np.ndarray
    names: tuple[str, ...]
    dt: float | None
    n_trained: int

    @classmethod
    def of(cls, estimator: Any, X: Any, Y: Any) -> RolledOut:
        """Roll out a fitted estimator, such as :class:`~sklearn_eql.EQLDynamicsRegressor`.

        Parameters
        ----------
        X : array-like of shape (n_series, n_observed + 1, n_states)
        Y : array-like of shape (n_series, n_steps, n_states)
            Any number of steps.

        Raises
        ------
        ValueError
            Other shapes, or values that are not finite.
        """
        check_is_fitted(estimator)
        X, Y = np.asarray(X, dtype=float), np.asarray(Y, dtype=float)
        n_states = estimator.n_states_
        if X.ndim != 3 or Y.ndim != 3 or len(X) != len(Y) or not Y.size or Y.shape[2] != n_states:
            raise ValueError(
                f"roll-outs: X and Y must have shapes (n_series, n_observed + 1, {n_states}) and (n_series, n_steps, "
                f"{n_states}), got {X.shape} and {Y.shape}."
            )
        if not np.isfinite(Y).all():
            raise ValueError("roll-outs: Y must be finite, got NaN or infinity.")
        series = np.unique(np.linspace(0, len(X) - 1, min(len(X), _SERIES)).astype(int))
        rolled = _each(estimator, X[series], Y.shape[1])
        names = tuple(estimator.state_names_)
        return cls(X[series, -1], Y[series], rolled, series, names, estimator.dt, estimator.n_steps_)

    @property
    def exploded(self) -> np.ndarray:
        """Which series leave all bounds, bool (N,)."""
        return ~np.isfinite(self.rolled[:, -1]).all(axis=1)

    @property
    def times(self) -> np.ndarray:
        """Of the start and of all steps, (K + 1,)."""
        return np.arange(self.truth.shape[1] + 1) * (self.dt or 1.0)

    @property
    def time_label(self) -> str:
        return "step" if self.dt is None else "t"

    @property
    def trained_until(self) -> float | None:
        """Time up to which the fit saw series; None if all steps are before."""
        return self.n_trained * (self.dt or 1.0) if self.n_trained < self.truth.shape[1] else None

    def errors(self) -> np.ndarray:
        """Root mean square errors of each series by state, in units of the spread of the state; (N, S)."""
        squares = np.mean((self.rolled - self.truth) ** 2, axis=1)
        return np.sqrt(np.where(np.isfinite(squares), squares, np.inf)) / self.spread()

    def spread(self) -> np.ndarray:
        """Standard deviation of each state over series and steps, 1 for one that is constant; (S,)."""
        spread = self.truth.std(axis=(0, 1))
        return np.where(spread > 0, spread, 1.0)


def _each(estimator: Any, X: np.ndarray, n_steps: int) -> np.ndarray:
    """Roll-outs (N, n_steps, S), of which one that explodes does not shorten the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some explode is what the picture is to show
        together = estimator.rollout(X, n_steps)
        if together.shape[1] == n_steps:
            return together
        rolled = np.full((len(X), n_steps, X.shape[2]), np.nan)
        for i in range(len(X)):
            alone = estimator.rollout(X[i : i + 1], n_steps)
            rolled[i, : alone.shape[1]] = alone[0]
    return rolled
