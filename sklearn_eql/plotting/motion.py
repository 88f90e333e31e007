"""Pictures of learned motions: the hidden parameter that was found, and roll-outs beside the truth.

Import them from :mod:`sklearn_eql.plotting`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_eql.plotting._axes import BLUE, INK, MUTED, ORANGE, new_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRUTH = "True"
# Told apart by dashes as well as by colour, for print and for eyes that see fewer colours.
_STYLES = (
    (ORANGE, (0, (5, 2))),
    (BLUE, (0, (1, 1.2))),
    ("#2b8a3e", (0, (6, 1.5, 1.2, 1.5))),
    ("#862e9c", (0, (3, 1, 1, 1, 1, 1))),
)


def plot_latent(z: Any, true: Any, *, label: str = "true parameter", ax: Axes | None = None) -> Axes:
    """Draw a hidden parameter found by an encoder against the true one, as in the paper's Figs. 7a and 8a.

    Nothing fixes scale, sign or origin of the latent: it was found if the points lie on a line, whatever its slope.

    Parameters
    ----------
    z : array-like of shape (n_series,) or (n_series, 1)
        What ``transform`` returns; one column of it where there are several.
    true : array-like of shape (n_series,) or (n_series, 1)
        The parameter each series was made with.
    label : str, default="true parameter"
        Name of the true parameter.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    ax : matplotlib Axes
    """
    z, true = _column("z", z), _column("true", true)
    if len(z) != len(true):
        raise ValueError(f"plot_latent: z and true must have one value for each series, got {len(z)} and {len(true)}.")

    ax = styled(new_axes((4.6, 4.2))[0] if ax is None else ax)
    if np.ptp(z) > 0 and np.ptp(true) > 0:
        correlation = np.corrcoef(true, z)[0, 1]
        ends = np.array([true.min(), true.max()])
        slope = correlation * z.std() / true.std()
        ax.plot(ends, z.mean() + slope * (ends - true.mean()), color=MUTED, linewidth=1.2, zorder=1)
        ax.set_title(f"correlation {_digits(correlation)}", loc="left")
    else:
        ax.set_title("no correlation: all values are equal", loc="left")
    ax.scatter(true, z, s=22, color=BLUE, edgecolor="white", linewidth=0.5, alpha=0.85, zorder=3)
    ax.set_xlabel(label)
    ax.set_ylabel("latent z")
    return ax


def plot_rollouts(
    t: Any,
    rollouts: Mapping[str, Any],
    state_names: Sequence[str],
    *,
    trained_until: float | None = None,
    axes: Sequence[Axes] | None = None,
) -> list[Axes]:
    """Draw roll-outs of one series beside the truth, a panel for each state, as in the paper's Figs. 7 and 8 (b, c).

    The truth sets the vertical range, so that a model that diverges leaves the picture instead of flattening it.

    Parameters
    ----------
    t : array-like of shape (n_steps,)
        Times.
    rollouts : mapping from label to array-like of shape (n_steps, n_states)
        ``"True"`` is drawn in black, all others in colour, in their order. Others may have fewer rows than `t`, where
        they were stopped, and values that are not finite.
    state_names : sequence of str
        One name for each state.
    trained_until : float, optional
        Time up to which models saw truth in training; marked by a dotted line.
    axes : sequence of matplotlib Axes, optional
        Where to draw, one for each state; a new figure by default.

    Returns
    -------
    axes : list of matplotlib Axes
    """
    t = np.asarray(t, dtype=float)
    if t.ndim != 1 or not len(t):
        raise ValueError(f"plot_rollouts: t must have shape (n_steps,) with at least one step, got {t.shape}.")
    if _TRUTH not in rollouts:
        raise ValueError(f"plot_rollouts: rollouts must have an entry {_TRUTH!r}, got {list(rollouts)}.")
    curves = {label: _curve(label, values, len(t), len(state_names)) for label, values in rollouts.items()}
    truth = curves.pop(_TRUTH)
    n_states = len(state_names)
    if axes is not None and len(axes) != n_states:
        raise ValueError(f"plot_rollouts: axes must be {n_states}, one for each state, got {len(axes)}.")

    axes = new_axes((7.2, 0.8 + 2.1 * n_states), n_states) if axes is None else list(axes)
    for state, (ax, name) in enumerate(zip(axes, state_names, strict=True)):
        styled(ax)
        lower, upper = _range(truth[:, state])
        ax.plot(t, truth[:, state], color="black", linewidth=2.4, label=_TRUTH, zorder=2)
        for i, (label, values) in enumerate(curves.items()):
            color, dashes = _STYLES[i % len(_STYLES)]
            # Far outside is as good as infinitely far, and matplotlib can draw it.
            far = 100 * (upper - lower)
            shown = np.clip(values[:, state], lower - far, upper + far)
            ax.plot(t[: len(shown)], shown, color=color, linestyle=dashes, linewidth=1.7, label=label, zorder=3)
        ax.set_ylim(lower, upper)
        ax.set_xlim(t[0], t[-1] if len(t) > 1 else None)
        ax.set_ylabel(name)
        if trained_until is not None:
            ax.axvline(trained_until, color=INK, linewidth=1.1, linestyle=":", zorder=1)
    if trained_until is not None:
        axes[0].annotate(
            "beyond training",  # on this side, since the horizon of training may be a small part of the picture
            xy=(trained_until, 1),
            xycoords=axes[0].get_xaxis_transform(),  # x in data, y in fractions of the axes
            xytext=(4, -3),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize=8,
            color=INK,
        )
    axes[-1].set_xlabel("t")
    # Above the panels, where it hides no curve.
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(curves) + 1, frameon=False, borderaxespad=0.2)
    return axes


def _column(name: str, values: Any) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not len(array):
        raise ValueError(
            f"plot_latent: {name} must have shape (n_series,) or (n_series, 1), got {array.shape}. "
            "Draw one parameter at a time."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"plot_latent: {name} must be finite, got NaN or infinity.")
    return array


def _curve(label: str, values: Any, n_steps: int, n_states: int) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    stopped = label != _TRUTH and array.ndim == 2 and len(array) < n_steps
    if array.ndim != 2 or array.shape[1] != n_states or (len(array) != n_steps and not stopped):
        raise ValueError(
            f"plot_rollouts: rollouts[{label!r}] must have shape ({n_steps}, {n_states}), a row for each time and a "
            f"column for each name in state_names, got {array.shape}."
        )
    if label == _TRUTH and not np.isfinite(array).all():
        raise ValueError(f"plot_rollouts: rollouts[{label!r}] must be finite, got NaN or infinity.")
    return array


def _range(truth: np.ndarray) -> tuple[float, float]:
    """A margin wide enough to see where a model leaves to."""
    span = np.ptp(truth) or max(abs(truth[0]), 1.0)
    return truth.min() - 0.2 * span, truth.max() + 0.2 * span


def _digits(correlation: float) -> str:
    """With as many digits as it takes to tell it from one."""
    missing = max(1 - abs(correlation), 1e-8)
    return f"{correlation:.{max(3, int(np.ceil(-np.log10(missing))))}f}"
