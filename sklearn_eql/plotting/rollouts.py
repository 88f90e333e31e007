"""How laws of motion follow series: roll-outs beside the data, and how their errors grow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_eql.plotting._axes import COLORS, INK, new_axes, new_grid, styled
from sklearn_eql.plotting._labels import plain
from sklearn_eql.plotting.motion import plot_rollouts
from sklearn_eql.plotting.rolled_out import RolledOut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROUNDING = 1e-16  # what an error of zero is drawn as


class RolloutDisplay:
    """Roll-outs of a law beside the data: a column for each of a few series, a row for each state.

    By default those with the smallest, the median and the largest error, so that the picture shows the worst. Make it
    by `from_estimator`.

    Parameters
    ----------
    rolled : RolledOut
    shown : sequence of int
        Positions of the series to be drawn.
    titles : sequence of str
        One for each of them.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes (n_states, n_shown)
    figure_ : matplotlib Figure
    """

    def __init__(self, *, rolled: RolledOut, shown: Sequence[int], titles: Sequence[str]) -> None:
        self.rolled, self.shown, self.titles = rolled, list(shown), list(titles)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, Y: Any, *, series: Sequence[int] | None = None) -> RolloutDisplay:
        """Roll a fitted law out and draw it.

        Parameters
        ----------
        estimator : fitted :class:`~sklearn_eql.EQLDynamicsRegressor`
        X : array-like of shape (n_series, n_observed + 1, n_states)
        Y : array-like of shape (n_series, n_steps, n_states)
            The states that followed; steps beyond those of the fit are set off by a dotted line.
        series : sequence of int, optional
            Which ones are drawn. By default three are chosen by their errors, among 200 at most.
        """
        if series is not None:
            chosen = [int(i) for i in series]
            if not chosen or not all(0 <= i < len(X) for i in chosen):
                raise ValueError(f"RolloutDisplay: series must be of 0 to {len(X) - 1}, got {series!r}.")
            rolled = RolledOut.of(estimator, np.asarray(X)[chosen], np.asarray(Y)[chosen])
            return cls(rolled=rolled, shown=range(len(chosen)), titles=[f"series {i}" for i in chosen]).plot()
        return cls.of(RolledOut.of(estimator, X, Y)).plot()

    @classmethod
    def of(cls, rolled: RolledOut) -> RolloutDisplay:
        """Of three series: those of the smallest, the median and the largest error."""
        order = np.argsort(rolled.errors().max(axis=1), kind="stable")
        n = len(order)
        if n < 3:
            return cls(rolled=rolled, shown=range(n), titles=[f"series {i}" for i in rolled.series])
        shown = [int(order[k]) for k in (0, (n - 1) // 2, n - 1)]
        words = ("smallest error", "median error", "largest error")
        titles = [f"series {rolled.series[i]}: {word}" for i, word in zip(shown, words, strict=True)]
        return cls(rolled=rolled, shown=shown, titles=titles)

    def plot(self) -> RolloutDisplay:
        """Draw into a new figure."""
        data, n_states = self.rolled, len(self.rolled.names)
        axes = new_grid((max(4.8, 3.4 * len(self.shown)), 1.2 + 1.8 * n_states), n_states, len(self.shown), sharex=True)
        for column, i, title in zip(axes.T, self.shown, self.titles, strict=True):
            start = data.start[i][None]
            curves = {"True": np.concatenate([start, data.truth[i]]), "law": np.concatenate([start, data.rolled[i]])}
            names = [plain(name) for name in data.names]
            plot_rollouts(data.times, curves, names, trained_until=data.trained_until, axes=list(column))
            column[0].get_legend().remove()
            column[0].set_title(title, loc="left", fontsize=10)
            column[-1].set_xlabel(data.time_label)
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        self.axes_, self.figure_ = axes, axes[0, 0].figure
        lines = axes[0, 0].get_lines()[:2]
        self.figure_.legend(lines, ["data", "law"], loc="outside upper left", ncols=2, frameon=False)
        return self


class RolloutErrorDisplay:
    """Root mean square error of roll-outs by time, for each state in units of its spread. Make it by `from_estimator`.

    One is the error of who only knows the mean. Series that explode count until they do.

    Parameters
    ----------
    rolled : RolledOut

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    errors_ : ndarray (n_steps, n_states)
    """

    def __init__(self, *, rolled: RolledOut) -> None:
        self.rolled = rolled
        squares = (rolled.rolled - rolled.truth) ** 2
        finite = np.isfinite(squares)
        n = finite.sum(axis=0)
        total = np.where(finite, squares, 0.0).sum(axis=0)
        self.errors_ = np.sqrt(np.where(n > 0, total / np.maximum(n, 1), np.nan)) / rolled.spread()

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, Y: Any, *, ax: Axes | None = None) -> RolloutErrorDisplay:
        """Roll a fitted law out and draw its errors; parameters as those of :meth:`RolloutDisplay.from_estimator`."""
        return cls(rolled=RolledOut.of(estimator, X, Y)).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> RolloutErrorDisplay:
        """Draw into the axes, or into a new figure."""
        ax = styled(new_axes((7.0, 3.6))[0] if ax is None else ax)
        data, times = self.rolled, self.rolled.times[1:]
        marker = "o" if len(times) < 40 else ""
        for name, errors, color in zip(data.names, self.errors_.T, cycle(COLORS)):
            drawn = np.maximum(errors, _ROUNDING)
            ax.plot(times, drawn, color=color, linewidth=1.6, marker=marker, markersize=3.5, label=plain(name))
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        if high < 100 * low:  # no more than a decade or two: as much of it as tells a size
            ax.set_ylim(low / 10, high * 10)
        if data.trained_until is not None:
            ax.axvline(data.trained_until, color=INK, linewidth=1.1, linestyle=":", zorder=1, label="end of training")
        n, n_exploded = len(data.series), int(data.exploded.sum())
        ax.set_title(
            f"{n} series" + (f", {n_exploded} of which explode" if n_exploded else ""), loc="left", fontsize=10
        )
        ax.set(xlabel=data.time_label, ylabel="error / spread of the state")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
