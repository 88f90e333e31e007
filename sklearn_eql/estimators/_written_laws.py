"""Parameters that name a network which writes laws, and the rows that it can read."""

from __future__ import annotations

import os

import numpy as np

from sklearn_eql.language.proposals import Proposals
from sklearn_eql.language.reading_rows import Reading
from sklearn_eql.language.writer import Writer

_PACKAGED = ("laws", "integers-1d")
AUTO = "auto"
"""Name of all networks that come with the package together."""


def proposals_of(parameter: str, weights: str | os.PathLike | Writer, n_beams: int = 32) -> Proposals:
    """What a parameter names, with its weights read once, so that mistakes are known before any work starts.

    Raises
    ------
    ValueError
        A file that is damaged or of another version.
    FileNotFoundError
        No such file, or weights that do not come with this copy of the package.
    TypeError
        What is given writes no laws.
    """
    proposals = Proposals(_PACKAGED if isinstance(weights, str) and weights == AUTO else weights, n_beams)
    try:
        writers = proposals.writers
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"{parameter}: {error}") from error
    if not all(hasattr(writer, "reading") for writer in writers):
        raise TypeError(
            f"{parameter}={weights!r} has no attribute reading, expected the name of a preset, a file of weights, or a "
            "sklearn_eql.language.LawWriter."
        )
    return proposals


def check_readable(proposals: Proposals, X: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError where no network can read enough of the rows, whichever columns it is shown."""
    readings = [writer.reading for writer in proposals.writers]
    counts = [_n_readable(reading, X, y) for reading in readings]
    if any(n_rows >= reading.min_rows for reading, n_rows in zip(readings, counts, strict=True)):
        return
    reading, n_rows = readings[0], counts[0]
    within, cure = "", ""
    if not reading.scaled:
        within = f" within [{reading.low:g}, {reading.high:g}], of {len(y)}; values outside any range that it has seen"
        within += " tell the network nothing"
        cure = ", or weights that read columns in units of their own"
    raise ValueError(
        f"X has {n_rows} rows{within}, expected at least {reading.min_rows} for the network to read. Give more "
        f"rows{cure}, or use EQLRegressor."
    )


def _n_readable(reading: Reading, X: np.ndarray, y: np.ndarray) -> int:
    """Rows that can be read; all of them where it depends on the columns that are shown."""
    return len(y) if reading.scaled or X.shape[1] > reading.n_variables else int(reading.readable(X, y).sum())
