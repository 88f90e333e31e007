"""Parameters that name a network which writes laws, and the rows that it can read."""

from __future__ import annotations

import os

import numpy as np

from sklearn_eql.language.writer import Proposals, Writer


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
    proposals = Proposals(weights, n_beams)
    try:
        writer = proposals.writer
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"{parameter}: {error}") from error
    if not hasattr(writer, "reading"):
        raise TypeError(
            f"{parameter}={weights!r} has no attribute reading, expected the name of a preset, a file of weights, or a "
            "sklearn_eql.language.LawWriter."
        )
    return proposals


def check_readable(proposals: Proposals, X: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError where the network can read too few of the rows, whichever columns it is shown."""
    reading = proposals.writer.reading
    n_rows = len(y)
    if not reading.scaled and X.shape[1] <= reading.n_variables:
        n_rows = int(reading.readable(X, y).sum())
    if n_rows < reading.min_rows:
        within, cure = "", ""
        if not reading.scaled:
            within = (
                f" within [{reading.low:g}, {reading.high:g}], of {len(y)}; values outside any range that it has seen"
            )
            within += " tell the network nothing"
            cure = ", or weights that read columns in units of their own"
        raise ValueError(
            f"X has {n_rows} rows{within}, expected at least {reading.min_rows} for the network to read. Give more "
            f"rows{cure}, or use EQLRegressor."
        )
