"""What a search tells those who watch it: stage, loss, and the best law so far in the user's units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql._display import equation_text
from sklearn_eql.laws.finishing import law_of
from sklearn_eql.laws.law import SAME_LOSS, Law
from sklearn_eql.primitives import Primitive
from sklearn_eql.progress import Watched
from sklearn_eql.sparse.admission import Admission
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import rescale
from sklearn_eql.symbolic.equation import Frame
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.symbolic.graph import OutOfRangeError

_DIGITS = 3  # of constants, significant

Report = Callable[[int | str, Sequence[FitResult]], None]
"""``report(stage, ranked)``: a generation by its number, a family of the ladder by its name; members by score."""


@dataclass(frozen=True)
class LawWriter:
    """Writes structures of one problem as a user reads laws."""

    problem: Problem
    frame: Frame | None
    names: tuple[str, ...]
    printable: Admission | None = None  # which laws are for the user; all by default

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

    def laws(self, ranked: Sequence[FitResult]) -> list[Law]:
        """The front of some members, by size, each as the rows of the search see it."""
        level, found = math.inf, []
        behaving = [result for result in ranked if not result.excess] or ranked
        if self.printable is not None:
            behaving = [result for result in behaving if self.printable.admits(result.structure)]
        for result in sorted(behaving, key=lambda r: (r.form.size, r.loss)):
            if max(result.loss, self.problem.exact) < level * (1 - SAME_LOSS):
                level = max(result.loss, self.problem.exact)
                found.append(self._law(result))
        return [law for law in found if law is not None]

    def _law(self, result: FitResult) -> Law | None:
        problem, variance = self.problem, self.problem.variance or 1.0
        unit = variance * problem.y_unit * problem.y_unit * (1.0 if self.frame is None else self.frame.y_unit**2)
        given = (result.loss / variance, result.trial, unit, problem.exact / variance)
        with np.errstate(all="ignore"):
            try:
                law = rescale(result.structure.to_equation(), problem.x_units, problem.y_unit, self.primitives)
                return law_of(replace(law, frame=self.frame), *given, self.primitives, problem.admission)
            except OutOfRangeError:
                return None


def report_to(
    watched: Watched,
    writer: LawWriter,
    island: int | None = None,
    front_of: Callable[[Sequence[FitResult]], Sequence[Law]] | None = None,
) -> Report:
    """A report of a search of structures, on one island of several or the only one.

    Parameters
    ----------
    front_of : callable, optional
        Makes laws of members by score, where these are no laws of all rows, but have constants that differ between
        groups.
    """
    variance = writer.problem.variance or 1.0
    laws_of = writer.laws if front_of is None else front_of

    def report(stage: int | str, ranked: Sequence[FitResult]) -> None:
        name, step = ("generation", stage) if isinstance(stage, int) else (stage, 0)
        tell, front = (lambda: writer.text(ranked[0].structure)), (lambda: list(laws_of(ranked)))
        watched(name, ranked[0].loss / variance, step, tell=tell, island=island, front=front)

    return report
