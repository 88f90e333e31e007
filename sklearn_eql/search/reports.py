"""What a search tells those who watch it: stage, loss, and the best law so far in the user's units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql._display import equation_text
from sklearn_eql.primitives import Primitive
from sklearn_eql.progress import Watched
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import rescale
from sklearn_eql.symbolic.equation import Frame
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.symbolic.graph import OutOfRangeError

_DIGITS = 3  # of constants, significant

Report = Callable[[int | str, FitResult], None]
"""``report(stage, leader)``: a generation by its number, a family of the ladder by its name."""


@dataclass(frozen=True)
class LawWriter:
    """Writes structures of one problem as a user reads laws."""

    problem: Problem
    frame: Frame | None
    names: tuple[str, ...]

    @property
    def primitives(self) -> Mapping[str, Primitive]:
        """Of the problem."""
        return self.problem.primitives

    def text(self, structure: Structure) -> str:
        """The law, three digits of its constants; empty where its numbers leave float64."""
        with np.errstate(all="ignore"):
            try:
                law = rescale(structure.to_equation(), self.problem.x_units, self.problem.y_unit, self.primitives)
                short = [float(f"{c:.{_DIGITS - 1}e}") for c in law.coefficients().tolist()]  # 1.9999998 is 2
                law = replace(law.with_coefficients(np.array(short)), frame=self.frame)
                return equation_text(to_sympy(law, self.names, self.primitives))
            except OutOfRangeError:
                return ""


def report_to(watched: Watched, writer: LawWriter, island: int | None = None) -> Report:
    """A report of a search of structures, on one island of several or the only one."""
    variance = writer.problem.variance or 1.0

    def report(stage: int | str, leader: FitResult) -> None:
        name, step = ("generation", stage) if isinstance(stage, int) else (stage, 0)
        watched(name, leader.loss / variance, step, tell=lambda: writer.text(leader.structure), island=island)

    return report
