"""Laws that are fitted again and again until they are done, in step: one call fits what all of them ask for next.

What is done to one law is a generator: it yields a structure, gets it back fitted, and returns the law in the end.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure

STEPS = 12  # of Levenberg-Marquardt, at most, from an optimum with some coefficients more; not tuned

Work = Generator[Structure, "FitResult | None", FitResult]
"""Yields what is to be fitted; gets None where it has more coefficients than the rows support, or is not admitted."""


def in_step(works: Sequence[Work], problem: Problem) -> list[FitResult]:
    """What each ends with, in order."""
    ended: dict[int, FitResult] = {}
    answers: dict[int, FitResult | None] = dict.fromkeys(range(len(works)))
    while answers:
        asked: dict[int, Structure] = {}
        for number, answer in answers.items():
            try:
                asked[number] = works[number].send(answer)
            except StopIteration as end:
                ended[number] = end.value
        supported = [number for number, structure in asked.items() if problem.considers(structure)]
        fitted = problem.fit([asked[number] for number in supported], STEPS)
        answers = dict.fromkeys(asked) | dict(zip(supported, fitted, strict=True))
    return [ended[number] for number in range(len(works))]
