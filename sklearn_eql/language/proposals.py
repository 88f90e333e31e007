"""What a search has written for it: by one network or several, each for the tables that it can read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_eql.language.writer import LawWriter, Writer, WrittenLaw

Source = str | os.PathLike | Writer
"""A network: weights as `LawWriter.load` takes them, or what writes."""


@dataclass(frozen=True)
class Proposals:
    """A search's source of written laws. Weights are named, not held, so that it is sent to workers as it is.

    Parameters
    ----------
    weights : str, path-like or Writer, or tuple of them
        As `LawWriter.load` takes it, or what writes.
    n_beams, n_views : int
        Laws of a beam, and beams, of every network.
    """

    weights: Source | tuple[Source, ...]
    n_beams: int = 32
    n_views: int = 4

    @property
    def writers(self) -> tuple[Writer, ...]:
        """All writers; weights are loaded by the first call of a process."""
        sources = self.weights if isinstance(self.weights, tuple) else (self.weights,)
        return tuple(LawWriter.load(s) if isinstance(s, str | os.PathLike) else s for s in sources)

    def laws(self, X: np.ndarray, y: np.ndarray, columns: Sequence[int]) -> list[WrittenLaw]:
        """Laws for a table over the first of `columns`, the most important ones, the likeliest of each network first.

        A network that has fewer variables than another one writes where they suffice for all columns. Where rows cannot
        be read, nothing is written.
        """
        writers = self.writers
        enough = min(len(columns), max(writer.reading.n_variables for writer in writers))
        found: list[WrittenLaw] = []
        for writer in writers:
            reading, shown = writer.reading, list(columns)[: writer.reading.n_variables]
            if not shown or len(shown) < enough or reading.readable(X[:, shown], y).sum() < reading.min_rows:
                continue
            found += writer.write(X, y, self.n_beams, columns=shown, n_views=self.n_views)
        return found
