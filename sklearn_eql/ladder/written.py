"""Starts that trained networks write: for the target of a problem, below an outer function, and beside a law."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from sklearn_eql.ladder.families import Family
from sklearn_eql.ladder.outer_functions import OUTER_FUNCTIONS, OuterFunction
from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.language.proposals import Proposals
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.equation import Equation, Unit

_LAYERS = 6  # beyond those of the general search; laws that are written may be nested deeper
_N_STARTS, _MOST_STARTS = 16, 1024  # of every law with numbers inside functions, which are rough; of all together
_SPREAD = 0.15  # of the logarithms of these numbers: half of a step of the grid that they are written on
_POWERS = frozenset({"inv", "div", "sqrt", "square", "cube", "mul"})  # what real powers can express
_OUTER = frozenset({"exp", "log", "sqrt", "square", "inv"})  # functions below which laws are written
_WIDER = 4  # beams, where those of usual width have not found the law


def written_families(proposals: Proposals) -> tuple[Family, ...]:
    """The laws that networks write, as families of the ladder; empty where the rows are too few for a network.

    Laws for the target, then for what is inside an outer function, then those of wider beams.
    """
    family = partial(Family, outers=("identity",), functions=(), round_exponents=True, extra_layers=_LAYERS)
    wider = replace(proposals, n_beams=_WIDER * proposals.n_beams)
    return (
        family("written", partial(_terms, proposals=proposals)),
        family("written inside a function", partial(_terms_inside, proposals=proposals)),
        family("written by wider beams", partial(_terms, proposals=wider)),
    )


def written(problem: Problem, proposals: Proposals) -> list[Structure]:
    """Structures for the target, several starts each, made of what laws of this problem may be made of."""
    return _structures(problem, problem.y.numpy() * problem.y_unit, proposals)


def written_inside(problem: Problem, proposals: Proposals, outer: OuterFunction) -> list[Structure]:
    """Structures that are an outer function of what is written for its argument."""
    y = problem.y * problem.y_unit  # in which constants of a network that writes whole numbers are such
    sign = -1.0 if outer.one_sign and bool((y < 0).all()) else 1.0
    if (outer.one_sign and bool((sign * y <= 0).any())) or bool((y.abs() >= outer.limit).any()):
        return []
    return _structures(problem, outer.inverse(sign * y).numpy(), proposals, (outer.name, sign))


def written_beside(structure: Structure, problem: Problem, proposals: Proposals) -> list[Structure]:
    """The sum of a law and one that is written for what it leaves over, for every law that is written."""
    with np.errstate(all="ignore"):
        left = problem.y.numpy() - structure.to_equation().evaluate(problem.X.numpy(), problem.primitives)
    found = []
    target = np.where(np.isfinite(left), left, np.nan) * problem.y_unit
    for other in _structures(problem, target, proposals, n_starts=1):
        editable = EditableStructure(structure)
        editable.output += EditableStructure(other).output
        both = editable.finish(problem.primitives)
        if both is not None:
            found.append(both)
    return found


def _terms(generator: TermGenerator, proposals: Proposals) -> Iterator[Terms]:
    for structure in written(generator.problem, proposals):
        yield EditableStructure(structure).output


def _terms_inside(generator: TermGenerator, proposals: Proposals) -> Iterator[Terms]:
    for outer in OUTER_FUNCTIONS:
        if outer.name in _OUTER:
            for structure in written_inside(generator.problem, proposals, outer):
                yield EditableStructure(structure).output


def _structures(
    problem: Problem,
    target: np.ndarray,
    proposals: Proposals,
    outer: tuple[str, float] | None = None,
    n_starts: int = _N_STARTS,
) -> list[Structure]:
    """Structures of what is written for a target in the user's units, below a function times a sign if there is one."""
    # The user's units, in which a network that writes whole numbers has to see the rows.
    X = problem.X.numpy() * problem.x_units
    likeliest = sorted((f - 1 for f in problem.features), key=lambda column: -problem.importances[column])
    rng = np.random.default_rng(0)
    found: dict[tuple, Structure] = {}
    with np.errstate(all="ignore"):
        for law in proposals.laws(X, target, likeliest):
            if outer is not None:
                law = replace(law, equation=_inside(law.equation, X, target, *outer))
            structure = law.structure(problem.x_units, problem.y_unit, problem.primitives)
            if _is_allowed(structure, problem):
                found.setdefault(structure.key, structure)
    count = min(n_starts, _MOST_STARTS // max(len(found), 1) or 1)
    starts = [start for structure in found.values() for start in _starts(structure, count, rng)]
    return [start for start in starts if np.isfinite(start.to_equation().coefficients()).all()]


def _inside(equation: Equation, X: np.ndarray, target: np.ndarray, function: str, sign: float) -> Equation:
    """A function of ``a*law + b``, these by least squares for its argument, times a sign."""
    values = equation.evaluate(X)
    centred = values - values.mean()
    slope = float(centred @ target / (centred @ centred))  # NaN where the law has no value: such starts are left out
    form = {source: slope * c for source, c in equation.output}
    form[0] = form.get(0, 0.0) + float(target.mean() - slope * values.mean())
    units = (*equation.units, Unit(function, (tuple(sorted(form.items())),)))
    return replace(equation, units=units, output=((equation.n_features + len(units), sign),))


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
