"""Records of a fit: a CSV file, or what TensorBoard reads."""

from __future__ import annotations

import csv
import math
from os import PathLike
from pathlib import Path
from typing import Any

from sklearn_eql.progress import Progress

_COLUMNS = ("seconds", "output", "stage", "step", "loss", "law")


class CSVRecord:
    """One line of a CSV file for every report of a fit; each fit begins the file anew.

    Parameters
    ----------
    path : str or path-like
    laws : bool, default=True
        Whether to write the best law so far, where it is another one than before; printing it takes milliseconds.
    """

    def __init__(self, path: str | PathLike, *, laws: bool = True) -> None:
        self.path, self.laws = path, laws
        self._lowest = math.inf
        self._law = ""

    def begin(self, estimator: Any) -> None:
        """Begin the file."""
        self._lowest, self._law = math.inf, ""
        self._write(_COLUMNS, "w")

    def __call__(self, progress: Progress) -> None:
        if self.laws and progress.loss != self._lowest:
            self._lowest, self._law = progress.loss, progress.law
        row = (f"{progress.seconds:.3f}", progress.output, progress.stage, progress.step, progress.loss, self._law)
        self._write(row, "a")

    def _write(self, row: tuple, mode: str) -> None:
        # Opened for every line: whatever ends the process, all lines before are there.
        with Path(self.path).open(mode, encoding="utf-8", newline="") as file:
            csv.writer(file).writerow(row)


class TensorBoardRecord:
    """The loss of every stage of a fit as scalars, and the law in the end as text; needs ``tensorboard``.

    Parameters
    ----------
    log_dir : str or path-like
    """

    def __init__(self, log_dir: str | PathLike) -> None:
        self.log_dir = log_dir
        self._writer: Any = None
        self._n = 0

    def begin(self, estimator: Any) -> None:
        """Open the record."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoardRecord needs the package tensorboard: pip install tensorboard, or use CSVRecord."
            ) from error
        self._writer, self._n = SummaryWriter(str(self.log_dir)), 0

    def __call__(self, progress: Progress) -> None:
        self._n += 1
        if math.isfinite(progress.loss):
            self._writer.add_scalar(f"loss/output {progress.output}", progress.loss, self._n)

    def end(self, estimator: Any) -> None:
        """Write the law, and close the record."""
        law = getattr(estimator, "sympy_expr_", None)  # of a fit that has not failed
        if law is not None:
            self._writer.add_text("law", str(law))
        self._writer.close()
        self._writer = None
