"""Laws of a form where features have errors: their constants, by name, are fitted on both axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import sympy

from sklearn_eql._threads import single_threaded
from sklearn_eql.forms.asked import Asked
from sklearn_eql.forms.fitted import FittedForm, as_written, law_of, recognised
from sklearn_eql.forms.form import Form, symbol
from sklearn_eql.forms.search import FormResult
from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.law import Law
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.errors_in_variables import Measured, MeasuredResult
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.uncertainty.both_axes import Moved
from sklearn_eql.uncertainty.constants import Parameters


@dataclass(frozen=True)
class MeasuredFormResult(FormResult, MeasuredResult):
    """Laws of a form, what each is made of, and the rows moved onto it."""


@dataclass(frozen=True)
class FormLaws:
    """Laws of a form; see :class:`~sklearn_eql.search.errors_in_variables.Laws`.

    Parameters
    ----------
    form : Form
    settings : SearchSettings
    seed : int
    known : dict of Equation to FittedForm
        What laws are made of; those that a search finds have to be put there, and those with other numbers are.
    """

    form: Form
    settings: SearchSettings
    seed: int
    known: dict[Equation, FittedForm] = field(default_factory=dict)

    def parameters(self, law: Law) -> Parameters:
        """Constants of the form, and of the functions that were found for it."""
        fitted = self.known[law.equation]
        return Parameters.of_form(fitted.law, fitted.values)

    def with_values(self, law: Law, values: np.ndarray) -> Law | None:
        """The law with other constants."""
        fitted = self.known[law.equation].with_values(values, self.settings.primitives)
        equation = as_written(fitted, self._expr(fitted), self.form.features, self.settings.primitives)
        if not np.isfinite(equation.coefficients()).all():
            return None
        found = replace(law, equation=equation)
        self.known[equation] = fitted
        return found if Asked(self.settings).obeys(found, fitted) else None

    def recognised(self, result: SearchResult, rows: Measured, moved: Moved, deadline: float) -> list[Law]:
        """The laws with constants recognised on moved rows; recognised ones of the search are fitted first."""
        weight = rows.weight / moved.variance
        primitives = self.settings.primitives
        scaling = Scaling.of(moved.X, moved.y, self.settings.scale, self.settings.resolution, weight)
        table = Table(moved.X, moved.y, weight, scaling, primitives, self.seed, deadline, self.settings.device)
        there = GroupedRows.of(moved.X, moved.y, weight)
        found = []
        with single_threaded(), np.errstate(all="ignore"):
            for law in result.front:
                parameters = self.parameters(law)
                fitted = rows.onto(parameters, primitives, deadline, everything=not self.form.occurrences)
                if fitted is None:
                    continue
                before = self.known[law.equation]
                values = recognised(before.law, there, fitted[0], before.n_named, table)
                before = before.with_values(values, primitives)
                new = law_of(before, self._expr(before), self.form.features, table)
                if new is not None:
                    self.known[new.equation] = before
                    found.append(new)
        return found

    def _expr(self, fitted: FittedForm) -> sympy.Expr:
        """Of the features and all constants."""
        if not self.form.occurrences:
            return self.form.expr
        expr = to_sympy(fitted.law.equation, [*self.form.features, *fitted.law.names], self.settings.primitives)
        return expr.xreplace({s: symbol(s.name) for s in expr.free_symbols})

    def as_result(self, result: MeasuredResult) -> MeasuredFormResult:
        """The result with what its laws are made of."""
        given = {f.name: getattr(result, f.name) for f in fields(MeasuredResult)}
        fitted: Mapping[Equation, FittedForm] = {law.equation: self.known[law.equation] for law in result.front}
        return MeasuredFormResult(**given, fitted=fitted)
