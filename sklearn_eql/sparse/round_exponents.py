"""Exponents of fitted power laws put to integers and halves, where the error agrees."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sklearn_eql.sparse.description_length import is_shorter
from sklearn_eql.sparse.in_step import Work, in_step
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import SparseUnit, Structure

_MAX_DISTANCE = 0.2  # from the half-integer that an exponent is put to


def snap(result: FitResult, problem: Problem) -> FitResult:
    """The law with as many exponents as possible at integers and halves; see `snapping`."""
    return in_step([snapping(result, problem)], problem)[0]


def snapping(result: FitResult, problem: Problem) -> Work:
    """The law with as many exponents as possible at integers and halves, in step with others.

    They are put there all together, or the nearest ones first.

    Fixed exponents cost nothing in the description length, so a law of nature wins over an interpolation with as many
    units.
    """
    while True:
        places = sorted((p for p in _exponents(result.structure) if p[3] <= _MAX_DISTANCE), key=lambda p: p[3])
        count = len(places)
        while count:
            child = _with_fixed(result.structure, places[:count])
            fitted = yield child
            n_free = (result.structure.n_free, child.n_free)
            if fitted and is_shorter(result.loss, fitted.loss, len(problem.y), problem.exact, n_free):
                result = replace(fitted, trial=result.trial)  # the others may have come nearer
                break
            count //= 2
        else:
            return result


def n_loose(structure: Structure) -> int:
    """Number of exponents that are still free."""
    return len(_exponents(structure))


def with_round_exponents_fixed(structure: Structure) -> Structure:
    """The structure with all exponents that are integers or halves no longer free."""
    return _with_fixed(structure, [place for place in _exponents(structure) if place[3] == 0])


def _exponents(structure: Structure) -> list[tuple[int, int, int, float]]:
    """Free exponents: unit, argument, position, distance from the nearest half-integer other than zero."""
    first = 1 + structure.n_features
    found = []
    for u, unit in enumerate(structure.units):
        for a, arg in enumerate(unit.args):
            for i, (source, value, free) in enumerate(arg):
                is_power = unit.primitive == "exp" and source >= first and structure.depths[source - first] == 0
                is_power |= unit.primitive == "pow" and a == 1 and source == 0
                if free and is_power:
                    found.append((u, a, i, abs(value - _nearest(value))))
    return found


def _nearest(value: float) -> float:
    nearest = float(np.round(2 * value) / 2)
    return nearest if nearest else math.copysign(0.5, value)


def _with_fixed(structure: Structure, places: list[tuple[int, int, int, float]]) -> Structure:
    chosen = {p[:3] for p in places}
    units = tuple(
        SparseUnit(
            unit.primitive,
            tuple(
                tuple(
                    (s, _nearest(c), False) if (u, a, i) in chosen else (s, c, free)
                    for i, (s, c, free) in enumerate(arg)
                )
                for a, arg in enumerate(unit.args)
            ),
        )
        for u, unit in enumerate(structure.units)
    )
    return Structure(structure.n_features, units, structure.output)
