"""Many structures of which few are worth much: a few steps for all, the rest for those that come on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure


def fit_in_two_stages(
    structures: Sequence[Structure], problem: Problem, first_steps: int, further_steps: int
) -> list[FitResult]:
    """`first_steps` of Levenberg-Marquardt for all, `further_steps` for the better half, in the order of `Problem.fit`.

    Most structures that a search proposes show early that they lead nowhere.
    """
    fitted = problem.fit(structures, first_steps)
    order = sorted(range(len(fitted)), key=lambda i: fitted[i].loss)[: len(fitted) // 2]
    going_on = sorted(i for i in order if problem.exact / 100 < fitted[i].loss < math.inf)
    further = problem.fit_further([fitted[i] for i in going_on], further_steps)
    for i, result in zip(going_on, further, strict=True):
        fitted[i] = result
    return fitted
