"""Starts that a trained network writes: for the target of a problem, and for what a law leaves over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from sklearn_eql.ladder.families import Family
from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.language.writer import Proposals
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure

_LAYERS = 6  # beyond those of the general search; laws that are written may be nested deeper
_N_STARTS, _MOST_STARTS = 16, 1024  # of every law with numbers inside functions, which are rough; of all together
_SPREAD = 0.15  # of the logarithms of these numbers: half of a step of the grid that they are written on
_POWERS = frozenset({"inv", "div", "sqrt", "square", "cube", "mul"})  # what real powers can express


def written_family(proposals: Proposals) -> Family:
    """The laws that a network writes, as a family of the ladder; one that the rows are too few for is empty."""
    return Family(
        "written", partial(_terms, proposals=proposals), ("identity",), (), round_exponents=True, extra_layers=_LAYERS
    )


def written(problem: Problem, proposals: Proposals) -> list[Structure]:
    """Structures for the target, several starts each, made of what laws of this problem may be made of."""
    return _structures(problem, problem.y.numpy(), proposals, _N_STARTS)


def written_beside(structure: Structure, problem: Problem, proposals: Proposals) -> list[Structure]:
    """The sum of a law and one that is written for what it leaves over, for every law that is written."""
    with np.errstate(all="ignore"):
        left = problem.y.numpy() - structure.to_equation().evaluate(problem.X.numpy(), problem.primitives)
    found = []
    for other in _structures(problem, np.where(np.isfinite(left), left, np.nan), proposals, 1):
        editable = EditableStructure(structure)
        editable.output += EditableStructure(other).output
        both = editable.finish(problem.primitives)
        if both is not None:
            found.append(both)
    return found


def _terms(generator: TermGenerator, proposals: Proposals) -> Iterator[Terms]:
    for structure in written(generator.problem, proposals):
        yield EditableStructure(structure).output


def _structures(problem: Problem, target: np.ndarray, proposals: Proposals, n_starts: int) -> list[Structure]:
    # The user's units, in which a network that writes whole numbers has to see the rows.
    X, y = problem.X.numpy() * problem.x_units, target * problem.y_unit
    likeliest = sorted((f - 1 for f in problem.features), key=lambda column: -problem.importances[column])
    rng = np.random.default_rng(0)
    found: dict[tuple, Structure] = {}
    with np.errstate(all="ignore"):
        for law in proposals.laws(X, y, likeliest):
            structure = law.structure(problem.x_units, problem.y_unit, problem.primitives)
            if _is_allowed(structure, problem):
                found.setdefault(structure.key, structure)
    count = min(n_starts, _MOST_STARTS // max(len(found), 1) or 1)
    starts = [start for structure in found.values() for start in _starts(structure, count, rng)]
    return [start for start in starts if np.isfinite(start.to_equation().coefficients()).all()]


def _starts(structure: Structure, count: int, rng: np.random.Generator) -> Iterator[Structure]:
    """The structure as it is, and with other numbers inside functions, if it has any."""
    yield structure
    inner = np.array([c for unit in structure.units for arg in unit.args for _, c, free in arg if free])
    output = [c for _, c, free in structure.output if free]
    for _ in range(count - 1 if len(inner) else 0):
        yield structure.with_coefficients(inner * np.exp(_SPREAD * rng.normal(size=len(inner))), output)


def _is_allowed(structure: Structure, problem: Problem) -> bool:
    """Whether the law is of functions that the user has allowed, all of them the built-in ones."""
    allowed = set(problem.copies) | (_POWERS if "pow" in problem.copies else set())
    used = {unit.primitive for unit in structure.units}
    return used <= allowed and all(problem.primitives[name] is PRIMITIVES[name] for name in used)
