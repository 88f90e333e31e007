"""One law in the user's units, and the front of laws that a table shows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import groupby, pairwise

import numpy as np

from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.sparse.description_length import description_length
from sklearn_eql.symbolic.equation import Equation, Frame, Unit

SAME_LOSS = 1e-9  # relative; closer losses, of coefficients fitted to convergence, are one law written in two ways
NO_EVIDENCE = 4.0  # two nats, as lengths are counted twice; less does not tell which of two laws is right
SAME_LENGTH = 0.1  # of laws whose lengths differ by no more, the simplest counts as shortest


@dataclass(frozen=True)
class Law:
    """One equation in the user's units."""

    equation: Equation
    loss: float  # weighted mean squared error over all rows, in units of y squared
    relative_loss: float  # the same over the variance of y
    exact: float  # relative loss below which a law is exact
    complexity: int
    n_free: int  # coefficients that are no recognised constants
    n_symbols: float  # see Structure.n_symbols
    trial: int
    bits: float = 0.0  # to say the coefficients that are recognised constants

    @property
    def level(self) -> float:
        """Relative loss, not less than that of an exact law."""
        return max(self.relative_loss, self.exact)

    def description_length(self, n_rows: int) -> float:
        """See :mod:`sklearn_eql.sparse.description_length`; with the unbiased variance of the residuals.

        Few rows make a law with many coefficients look better than it is: the mean of squared residuals is too small
        by ``(N - n_free) / N``.
        """
        unbiased = self.level * n_rows / max(n_rows - self.n_free, 1)
        constants = 2 * math.log(2) * self.bits
        return description_length(unbiased, n_rows, self.n_free, self.n_symbols) + constants


def shortlist(laws: Iterable[Law], n_rows: int) -> list[Law]:
    """The front of accuracy and complexity, by complexity, with the law of shortest description on it.

    That law may be beaten by a simpler one that buys its accuracy with digits: two digits of a free coefficient count
    as one node. Such rivals make room for it (see `front_with`).
    """
    laws = list(laws)
    return front_with(_shortest(laws, n_rows), laws) if laws else []


def _shortest(laws: list[Law], n_rows: int) -> Law:
    """The law of shortest description, unless a simpler one is more accurate, and nothing speaks against that."""
    lengths = np.array([law.description_length(n_rows) for law in laws])
    shortest = min((laws[i] for i in np.flatnonzero(lengths <= lengths.min() + SAME_LENGTH)), key=_order)
    near = np.flatnonzero(lengths <= lengths.min() + NO_EVIDENCE).tolist()
    better = [
        i for i in near if laws[i].complexity <= shortest.complexity and _is_better(laws[i].level, shortest.level)
    ]
    return laws[min(better, key=lambda i: (round(lengths[i], 6), *_order(laws[i])))] if better else shortest


def front_with(chosen: Law, laws: Iterable[Law]) -> list[Law]:
    """The front of accuracy and complexity on which `chosen` is, whatever is as accurate and no more complex.

    Every law is more accurate than all before it.
    """
    laws = [law for law in laws if law is not chosen]
    simpler = [law for law in laws if law.complexity < chosen.complexity and _is_better(chosen.level, law.level)]
    longer = [law for law in laws if law.complexity > chosen.complexity and _is_better(law.level, chosen.level)]
    return [*pareto(simpler), chosen, *pareto(longer)]


def pareto(laws: Iterable[Law]) -> list[Law]:
    """Laws that are more accurate than everything simpler, by complexity; one of each complexity.

    Among laws as complex and as accurate, to rounding, the order is by what they say and not by their losses.
    """
    front: list[Law] = []
    level = math.inf
    for _, rivals in groupby(sorted(laws, key=lambda law: law.complexity), key=lambda law: law.complexity):
        rivals = list(rivals)
        lowest = min(law.level for law in rivals)
        if _is_better(lowest, level):
            front.append(min((law for law in rivals if not _is_better(lowest, law.level)), key=_order))
            level = lowest
    return front


def _is_better(first: float, second: float) -> bool:
    """Whether a loss is lower than another by more than rounding."""
    return first < second * (1 - SAME_LOSS)


def _order(law: Law) -> tuple:
    """By complexity, then free coefficients, then symbols, then what the law says, its numbers to six digits."""
    units = tuple((unit.primitive, tuple(map(_rounded, unit.args))) for unit in law.equation.units)
    return law.complexity, law.n_free, law.n_symbols, units, _rounded(law.equation.output)


def _rounded(form: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    return tuple((source, float(f"{c:.5e}")) for source, c in form)


def scores(front: list[Law]) -> list[float]:
    """Fall of the log loss per added node, row by row; 0 for the first (the measure that PySR prints).

    Rows of the same complexity, of which one is off the front (`encoder` keeps a product of latents), count as one node
    apart.
    """
    found = [0.0]
    for simpler, law in pairwise(front):
        fall = math.log(simpler.level) - math.log(law.level)
        found.append(fall / max(1, law.complexity - simpler.complexity))
    return found[: len(front)]


def law_from_record(record: dict) -> Law:
    """A law from its record of plain values."""
    # Numbers that the version of the record did not have yet are zero; those that this one does not know are left out.
    numbers = {field.name: record.get(field.name, 0) for field in fields(Law)}
    return Law(**{**numbers, "equation": equation_from_record(record["equation"])})


def equation_from_record(record: dict) -> Equation:
    """An equation from its record of plain values."""

    def affine(form) -> tuple[tuple[int, float], ...]:
        return tuple((int(source), float(c)) for source, c in form)

    units = tuple(Unit(u["primitive"], tuple(map(affine, u["args"]))) for u in record["units"])
    frame = record.get("frame")  # None in records of versions that had none
    if frame is not None:
        origins, units_of_columns = (tuple(map(float, frame[name])) for name in ("origins", "units"))
        frame = Frame(origins, units_of_columns, float(frame["y_unit"]))
    return Equation(record["n_features"], units, affine(record["output"]), frame)


def parametric_law_from_record(record: dict) -> ParametricLaw:
    """A law with named constants from its record of plain values."""
    return ParametricLaw(equation_from_record(record["equation"]), tuple(record["names"]), tuple(record["own"]))
