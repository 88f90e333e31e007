"""Candidates for all unknown functions put into the form, and all constants fitted together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import sympy

from sklearn_eql.forms.constants import polished
from sklearn_eql.forms.fitted import FittedForm, FoundFunction, law_of, recognised, with_plain_constants
from sklearn_eql.forms.form import Form
from sklearn_eql.forms.functions import Candidate
from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.law import Law
from sklearn_eql.parametric.fit import fit_constants, linearise
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows

_SINGULAR = 1e-9  # relative singular value of constants that cannot be told apart; share of y that one alone moves
_INVOLVED = 1e-3  # relative share of a constant in such a direction
_SAME_LOSS = 1e-6  # relative
_STEPS, _GAUGE_STEPS = 40, 12  # of Levenberg-Marquardt
_FEWEST, _FARTHEST = 3, 40.0  # combinations that are fitted at least, and description length of a further one


@dataclass(frozen=True)
class Combination:
    """A candidate for every unknown function, and the constants of all, fitted together.

    Parameters
    ----------
    candidates : tuple of Candidate
        In the order of the functions of the form.
    expr : Expr
        The whole law, of the features and all constants.
    law : ParametricLaw
    values : ndarray (n_constants,)
        Those of the form first.
    found : Law
        On the rows of the fit.
    """

    candidates: tuple[Candidate, ...]
    expr: sympy.Expr
    law: ParametricLaw
    values: np.ndarray
    found: Law

    def described(self, n_named: int, primitives) -> FittedForm:
        """What is kept of it."""
        functions, first = [], n_named
        for candidate in self.candidates:
            last = first + len(candidate.values)
            equation = candidate.with_values(self.values[first:last], primitives)
            variables = tuple(v.name for v in candidate.function.variables)
            functions.append(FoundFunction(candidate.name, variables, equation, candidate.law))
            first = last
        return FittedForm(self.law, tuple(self.values.tolist()), n_named, tuple(functions))


def combined(
    form: Form, choice: Sequence[Candidate], constants: np.ndarray, rows: GroupedRows, table: Table, final: bool = False
) -> Combination | None:
    """The form with one candidate for each function, fitted from their constants; None where that is not finite.

    Of constants that cannot be told apart, as two offsets of a sum or two factors of a product, those of the last
    function are put to zero or to one. If `final`, constants are recognised as well.
    """
    names = [*form.constants, *(name for candidate in choice for name in candidate.law.names)]
    values = np.concatenate([constants, *(candidate.values for candidate in choice)])
    try:
        expr = form.with_functions({candidate.name: candidate.function for candidate in choice})
        law = form.law_of(expr, names, table.primitives)
    except (ValueError, ArithmeticError, TypeError):  # a derivative that no function of the vocabulary is
        return None
    values, loss = _fitted(law, rows, values, {}, table)
    if not math.isfinite(loss):
        return None
    held = _told_apart(law, rows, values, loss, len(form.constants), table)
    if held:
        values, loss = _fitted(law, rows, values, held, table)
    if final:
        fixed = {k: v for k, v in enumerate(values.tolist()) if k in held}
        rest = [k for k in range(len(values)) if k not in fixed]
        values[rest], loss = polished(law.holding(fixed), rows, values[rest], table.primitives)
        if not math.isfinite(loss):
            return None
        values = with_plain_constants(law, rows, values, loss, table.primitives, range(len(form.constants)))
        values = recognised(law, rows, values, len(form.constants), table)
    fitted = FittedForm(law, tuple(values.tolist()), len(form.constants))
    found = law_of(fitted, expr, form.features, table)
    return None if found is None else Combination(tuple(choice), expr, law, values, found)


def combinations(
    form: Form,
    choices: Mapping[str, Sequence[Candidate]],
    constants: np.ndarray,
    rows: GroupedRows,
    table: Table,
    most: int,
    past: Callable[[], bool],
) -> list[Combination]:
    """The most promising combinations of candidates, by description length; no further one when time is `past`."""
    shortest = {name: min(c.length for c in some) for name, some in choices.items()}
    every = sorted(
        product(*(choices[name] for name in form.arities)),
        key=lambda choice: sum(c.length - shortest[c.name] for c in choice),
    )
    found: list[Combination] = []
    for i, choice in enumerate(every[:most]):
        further = sum(c.length - shortest[c.name] for c in choice)
        if found and (past() or (i >= _FEWEST and further > _FARTHEST)):
            break
        combination = combined(form, choice, constants, rows, table)
        if combination is not None:
            found.append(combination)
    return sorted(found, key=lambda combination: combination.found.description_length(len(rows.y)))


def _fitted(
    law: ParametricLaw,
    rows: GroupedRows,
    values: np.ndarray,
    held: Mapping[int, float],
    table: Table,
    max_iter: int = _STEPS,
) -> tuple[np.ndarray, float]:
    """All constants but those that are held, and the squared error."""
    found = values.copy()
    found[list(held)] = list(held.values())
    rest = [k for k in range(len(found)) if k not in held]
    start = found[rest]
    fit = fit_constants(law.holding(held), rows, start, np.empty((1, 0)), table.primitives, max_iter=max_iter)
    found[rest] = fit.shared
    return found, fit.squared_error


def _told_apart(
    law: ParametricLaw, rows: GroupedRows, values: np.ndarray, loss: float, n_named: int, table: Table
) -> dict[int, float]:
    """Constants to hold, so that the others are determined by the rows."""
    held: dict[int, float] = {}
    variance = float(rows.weight.sum()) * float(np.var(rows.y))
    floor, spread = table.scaling.exact * variance, math.sqrt(variance)
    for _ in range(len(values)):
        rest = [k for k in range(len(values)) if k not in held]
        if not rest:
            break
        at = linearise(law.holding(held), rows, values[rest], np.empty((1, 0)), table.primitives)
        size = np.linalg.norm(at.by_shared, axis=0)
        if not np.isfinite(size).all():
            break
        involved = size * np.maximum(np.abs(values[rest]), 1.0) <= _SINGULAR * spread  # of those that change nothing
        if not involved.any():
            _, strength, directions = np.linalg.svd(at.by_shared / size, full_matrices=False)
            if len(strength) == 0 or strength[-1] > _SINGULAR * strength[0]:
                break
            involved = np.abs(directions[-1]) > _INVOLVED * np.abs(directions[-1]).max()
        free = [k for k, are in zip(rest, involved, strict=True) if are]
        order = [*(k for k in reversed(free) if k >= n_named), *(k for k in free if k < n_named)]
        for k, value in ((k, value) for k in order for value in (0.0, 1.0)):
            tried = held | {k: value}
            moved, its = _fitted(law, rows, values, tried, table, _GAUGE_STEPS)
            if its <= loss * (1 + _SAME_LOSS) + floor:
                held, values = tried, moved
                break
        else:
            break
    return held
