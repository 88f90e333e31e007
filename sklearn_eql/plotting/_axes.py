"""What all pictures share: colours, and axes that are made late, so that importing them needs no matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#333333"
MUTED = "#9a9a9a"
BLUE = "#1f6feb"
ORANGE = "#d9480f"
COLORS = (BLUE, ORANGE, "#2b8a3e", "#862e9c", INK, MUTED)  # of several things in one picture


def new_axes(figsize: tuple[float, float], n_rows: int = 1) -> list[Axes]:
    """Axes of a new figure, one above the other, over the same horizontal axis."""
    return list(new_grid(figsize, n_rows, 1, sharex=True)[:, 0])


def new_grid(figsize: tuple[float, float], n_rows: int, n_columns: int, sharex: bool = False) -> np.ndarray:
    """Axes of a new figure, (n_rows, n_columns) of them."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "sklearn_eql.plotting needs matplotlib, which is not installed. Install it together with the package: "
            "pip install 'sklearn-eql[plot]'."
        ) from error
    _, axes = plt.subplots(n_rows, n_columns, figsize=figsize, layout="constrained", sharex=sharex, squeeze=False)
    return axes


def styled(ax: Axes) -> Axes:
    """Axes with a pale grid behind what is drawn, and no frame at the top and the right."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="#e6e6e6", linewidth=0.6)
    ax.set_axisbelow(True)
    return ax
