"""The parameters `form` and `guesses`: how they are read, and what a fit keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import sympy

from sklearn_eql.estimators._equation_reader import EquationReader
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.forms.asked import admits
from sklearn_eql.forms.fitted import FittedForm, fitted_from_record
from sklearn_eql.forms.form import Form, read_form
from sklearn_eql.forms.search import FormResult, search_form
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import Law
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.units.admission import UnitsAdmission
from sklearn_eql.units.dimensions import TableUnits


def form_of(expr: Any, features: Sequence[str], n_rows: int, primitives: Mapping[str, Primitive]) -> Form | None:
    """What the parameter `form` says, checked before any work starts; None for None.

    Raises
    ------
    TypeError
        No expression of SymPy.
    ValueError
        Functions that are not known, names that mean two things, more constants than rows.
    """
    if expr is None:
        return None
    try:
        form = read_form(expr, features, primitives)
    except (TypeError, ValueError) as error:
        raise type(error)(f"form: {error}") from error
    if len(form.constants) > n_rows:
        raise ValueError(
            f"form: {len(form.constants)} constants ({', '.join(form.constants)}) cannot be told from {n_rows} rows, "
            "expected at most one per row. Give more rows, or numbers in place of some of them."
        )
    return form


def check_form_units(
    form: Form | None, units: Sequence[TableUnits] | None, primitives: Mapping[str, Primitive]
) -> None:
    """Raise ValueError for a form of constants that breaks the units, whatever these are measured in."""
    if form is None or form.occurrences:
        return
    for known in units or ():
        if not admits(form.law(primitives), UnitsAdmission(known, primitives), primitives):
            raise ValueError(
                f"form: {form.expr} breaks the units of the table, whatever its constants are measured in, expected "
                "sums of equal units, and numbers without unit inside functions. Check units, y_unit and the form; a "
                "one that is not written has no unit, so write a constant where it may have one."
            )


def check_alone(estimator: Any) -> None:
    """Raise ValueError for a form and guesses together."""
    if estimator.form is not None and estimator.guesses is not None:
        raise ValueError("form and guesses: a guess is a whole law. Give one of the two.")


def guesses_of(guesses: Any, features: Sequence[str], primitives: Mapping[str, Primitive]) -> list[Form]:
    """What the parameter `guesses` says, checked before any work starts.

    Raises
    ------
    TypeError, ValueError
        As for `form`; a guess has no unknown functions.
    """
    return [_guess(i, expr, features, primitives) for i, expr in enumerate(guesses or ())]


def fitted_guesses(
    guesses: Sequence[Form], rows: Rows, settings: SearchSettings, seed: int, deadline: float
) -> list[Law]:
    """Laws of guesses, their constants fitted: where a search starts. Those that no rows support are left out."""
    found: list[Law] = []
    for form in guesses:
        if len(form.constants) <= len(rows[1]):
            with suppress(AllTrialsFailedError):
                found += search_form(form, *rows, settings, (), seed, deadline).front
    return found


def _guess(i: int, expr: Any, features: Sequence[str], primitives: Mapping[str, Primitive]) -> Form:
    try:
        form = read_form(expr, features, primitives)
    except (TypeError, ValueError) as error:
        raise type(error)(f"guesses[{i}]: {error}") from error
    if form.occurrences:
        raise ValueError(
            f"guesses[{i}]: {expr} has unknown functions ({', '.join(form.arities)}). A guess is a law; use form= for "
            "what is known in part."
        )
    return form


class FormReader(EquationReader):
    """Mixin: fitted attributes of laws of a form. ``_parametric`` holds one list per output, with what each law is of:
    its constants by name, and the functions that were found; None where no form was given.
    """

    _parametric: list[list[FittedForm]] | None = None
    form: Any

    @property
    def form_functions_(self) -> dict[str, sympy.Lambda] | list[dict[str, sympy.Lambda]]:
        """The functions that were found for the unknown ones of `form`, by name; a list for several outputs.

        Those of the selected law, as functions of SymPy: ``form_functions_["f"](2.0)``. They are written in the
        features where they were functions of these, else in ``u``.
        """
        if self._parametric is None:
            raise AttributeError(
                f"{type(self).__name__} has no attribute 'form_functions_' before fit, and without form=."
            )
        chosen = [fitted[best] for fitted, best in zip(self._parametric, self._best, strict=True)]
        return self._unlist([_lambdas(fitted, self._primitives()) for fitted in chosen])

    def __getstate__(self) -> dict:
        state = super().__getstate__()
        if state.get("_parametric") is not None:
            state["_parametric"] = [[asdict(fitted) for fitted in laws] for laws in state["_parametric"]]
        return state

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        if state.get("_parametric") is not None:
            state["_parametric"] = [[fitted_from_record(record) for record in laws] for laws in state["_parametric"]]
        super().__setstate__(state)


def keep_forms(estimator: FormReader, results: Sequence[SearchResult]) -> None:
    """Keep what the laws of every output are made of; without a form, forget what an earlier fit had."""
    if estimator.form is None:
        estimator._parametric = None
        return
    of_form = [result for result in results if isinstance(result, FormResult)]  # all are
    estimator._parametric = [[result.fitted[law.equation] for law in result.front] for result in of_form]


def _lambdas(fitted: FittedForm, primitives: Mapping[str, Primitive]) -> dict[str, sympy.Lambda]:
    return {
        f.name: sympy.Lambda(tuple(map(sympy.Symbol, f.variables)), to_sympy(f.equation, f.variables, primitives))
        for f in fitted.functions
    }
