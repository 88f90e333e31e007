"""A form with its constants fitted: which of them are recognised, and the law in the user's units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import sympy

from sklearn_eql.forms.constants import polished
from sklearn_eql.forms.form import symbol
from sklearn_eql.laws.finishing import as_law
from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.law import Law, equation_from_record, parametric_law_from_record
from sklearn_eql.parametric.errors import covariance
from sklearn_eql.parametric.fit import fit_constants, linearise
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.constants import recognise, simplest_first
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.reading import from_sympy
from sklearn_eql.symbolic.written import constant_bits

_N_ERRORS = 3.0  # half width of the interval that a constant is known to lie in, in standard errors
_ROUNDING = 1e-9  # relative; as well as the constants of exact laws are known
_SHARP = 1e-4  # relative half width above which a constant of the form is a measurement, whatever it is near to
_WIDEST = 0.05  # the same for a constant of a function that was found
_DUST = 1e-13  # of the target: what a constant adds to it is rounding
_SAME_LOSS = 1e-9  # relative
_ROUNDING = 1e-24  # of squares: what float64 leaves over


@dataclass(frozen=True)
class FoundFunction:
    """What was found for an unknown function.

    Parameters
    ----------
    name : str
    variables : tuple of str
        What its arguments are called.
    equation : Equation
        Over these.
    law : ParametricLaw
        The same with the constants that are among those of the form, by name.
    """

    name: str
    variables: tuple[str, ...]
    equation: Equation
    law: ParametricLaw


@dataclass(frozen=True)
class FittedForm:
    """A form with its constants.

    Parameters
    ----------
    law : ParametricLaw
        Over the features and all constants: those of the form first, then those of the functions that were found.
    values : tuple of float
        Of all constants.
    n_named : int
        How many of them are named in the form.
    functions : tuple of FoundFunction
    """

    law: ParametricLaw
    values: tuple[float, ...]
    n_named: int
    functions: tuple[FoundFunction, ...] = ()

    @property
    def constants(self) -> dict[str, float]:
        """Values of the constants of the form, by name."""
        return dict(zip(self.law.names[: self.n_named], self.values, strict=False))

    def with_values(self, values: np.ndarray, primitives: Mapping[str, Primitive]) -> FittedForm:
        """The form with other constants ``(n_constants,)``."""
        by_name = dict(zip(self.law.names, values.tolist(), strict=True))
        functions = tuple(
            replace(f, equation=f.law.with_values([by_name[name] for name in f.law.names], primitives))
            for f in self.functions
        )
        return replace(self, values=tuple(values.tolist()), functions=functions)


@dataclass(frozen=True)
class FormLaw(Law):
    """A law of a form as it is kept beside others: with what it is made of."""

    fitted: FittedForm | None = field(default=None, compare=False)

    @classmethod
    def of(cls, law: Law, fitted: FittedForm) -> FormLaw:
        """A law, and what it is made of."""
        return cls(**{f.name: getattr(law, f.name) for f in fields(Law)}, fitted=fitted)


def fitted_from_record(record: Mapping) -> FittedForm:
    """A fitted form from its record of plain values."""
    functions = tuple(
        FoundFunction(
            f["name"],
            tuple(f["variables"]),
            equation_from_record(f["equation"]),
            parametric_law_from_record(f["law"]),
        )
        for f in record["functions"]
    )
    return FittedForm(parametric_law_from_record(record["law"]), tuple(record["values"]), record["n_named"], functions)


def with_plain_constants(
    law: ParametricLaw, rows: GroupedRows, values: np.ndarray, loss: float, primitives, named: Sequence[int]
) -> np.ndarray:
    """The same fit with phases between -pi and pi, and positive constants where their signs do not matter.

    The sign of a width does not matter, nor that of an amplitude or a frequency whose wave has a phase, which then
    moves by pi or changes its own.
    """

    limit = max(loss * (1 + _SAME_LOSS), _ROUNDING * float(rows.weight @ rows.y**2))

    def is_same(tried: np.ndarray) -> bool:
        found = fit_constants(law, rows, tried, np.empty((1, 0)), primitives, max_iter=0)
        return found.squared_error <= limit and np.allclose(found.shared, tried)

    for k in named:
        if abs(values[k]) > np.pi:
            tried = values.copy()
            tried[k] = math.remainder(values[k], 2 * np.pi)
            values = tried if is_same(tried) else values
    for k in named:
        if values[k] >= 0:
            continue
        phases = [(j, phase) for j in named if j != k for phase in (values[j] + np.pi, np.pi - values[j], -values[j])]
        for moved, phase in [(k, -values[k]), *phases]:
            tried = values.copy()
            tried[k] = -tried[k]
            if moved != k:
                tried[moved] = math.remainder(phase, 2 * np.pi)
            if is_same(tried):
                values = tried
                break
    return values


def recognised(law: ParametricLaw, rows: GroupedRows, values: np.ndarray, n_named: int, table: Table) -> np.ndarray:
    """Constants with simple numbers in place of those that are known well enough to be told from other numbers.

    Constants of the form have to be known better than those of functions that were found: they are what a user wants
    to measure. All that have a candidate are tried together, then one by one, the best known first; the others are
    fitted again.
    """
    primitives = table.primitives
    relative = _relative_loss(law, values, table)
    if not math.isfinite(relative):
        return values
    given = np.array([recognise(value) is not None for value in values], dtype=bool)
    # Constants that have their number already, as an offset that another function has, are not fitted any more.
    rest = law.holding({k: float(values[k]) for k in np.flatnonzero(given).tolist()})
    fit = fit_constants(rest, rows, values[~given], np.empty((1, 0)), primitives, max_iter=0)
    errors = np.full(len(values), np.inf)
    errors[~given] = covariance(rest, rows, fit, primitives).shared_errors
    resolution = max(_ROUNDING, table.scaling.resolution)
    parts = linearise(law, rows, values, np.empty((1, 0)), primitives).by_shared * values
    dust = np.linalg.norm(parts, axis=0) < _DUST * np.linalg.norm(rows.y * np.sqrt(rows.weight))
    chosen: dict[int, float] = {}
    widths = np.maximum(_N_ERRORS * errors, resolution * np.abs(values))
    for k in np.argsort(widths / np.maximum(np.abs(values), 1e-300), kind="stable").tolist():
        if given[k] or not (dust[k] or math.isfinite(widths[k])):
            continue
        if dust[k] or (widths[k] >= abs(values[k]) and relative <= table.scaling.exact):
            chosen[k] = 0.0
        elif widths[k] <= abs(values[k]) * (_SHARP if k < n_named else _WIDEST):
            near = simplest_first(values[k], widths[k])
            if near:
                chosen[k] = near[0].value
    if not chosen:
        return values
    for kept in (chosen, *({k: value} for k, value in chosen.items())):
        kept = {k: v for k, v in kept.items() if values[k] != v}
        if not kept:
            continue
        tried = _held(law, rows, values, kept, primitives)
        if table.accepts(relative, _relative_loss(law, tried, table), len(kept)):
            values = tried
    return values


def _held(law: ParametricLaw, rows: GroupedRows, values: np.ndarray, held: dict[int, float], primitives) -> np.ndarray:
    """The constants with some held at other values, and those that are held already, the rest fitted again."""
    found = values.copy()
    found[list(held)] = list(held.values())
    fixed = {k: v for k, v in enumerate(found.tolist()) if k in held or recognise(v) is not None}
    rest = [k for k in range(len(found)) if k not in fixed]
    if rest:
        found[rest], _ = polished(law.holding(fixed), rows, found[rest], primitives)
    return found


def _relative_loss(law: ParametricLaw, values: np.ndarray, table: Table) -> float:
    with np.errstate(all="ignore"):
        equation = law.with_values(values, table.primitives)
        return table.loss(equation) if np.isfinite(equation.coefficients()).all() else math.inf


def law_of(fitted: FittedForm, expr: sympy.Expr, features: Sequence[str], table: Table, trial: int = 0) -> Law | None:
    """The law of a fitted form, None where it is not finite on the rows.

    Its free coefficients are the constants that are no recognised numbers, however often each occurs.

    Parameters
    ----------
    expr : Expr
        Of the features and all constants, as the law is to be spelt.
    features : sequence of str
        Names of the columns.
    """
    with np.errstate(all="ignore"):
        equation = as_written(fitted, expr, features, table.primitives)
        loss = table.loss_as_printed(equation)
        law = as_law(equation, loss, trial, table)
    if law is None:
        return None
    known = [value for value in fitted.values if recognise(value) is not None]
    bits = sum(constant_bits(abs(value)) or 0.0 for value in known)
    return replace(law, n_free=len(fitted.values) - len(known), bits=max(law.bits, bits))


def as_written(
    fitted: FittedForm, expr: sympy.Expr, features: Sequence[str], primitives: Mapping[str, Primitive]
) -> Equation:
    """The equation over the features: with the constants where the user put them, unless that cannot be computed.

    Parameters
    ----------
    fitted : FittedForm
    expr : Expr
        Of the features and all constants.
    features : sequence of str
        Names of the columns.
    primitives : mapping of str to Primitive
    """
    numbers = {symbol(name): sympy.Float(v) for name, v in zip(fitted.law.names, fitted.values, strict=True)}
    try:
        return from_sympy(expr.xreplace(numbers), features, primitives)
    except (ValueError, ArithmeticError):  # a number out of the range of float64, or none at all
        return fitted.law.with_values(fitted.values, primitives)
