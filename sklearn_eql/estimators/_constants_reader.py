"""What estimators say of how sure their laws are: constants with errors, and standard deviations of predictions."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._equation_reader import EquationReader
from sklearn_eql.estimators._grouping import RowGroups
from sklearn_eql.estimators._law_constants import constants_table
from sklearn_eql.forms.search import FormResult
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.standing import Standing
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.errors_in_variables import MeasuredResult
from sklearn_eql.search.settings import SearchResult
from sklearn_eql.uncertainty.constants import Parameters, deviations
from sklearn_eql.uncertainty.curvature import Curvature, measure
from sklearn_eql.units.constants import units_of_columns, units_of_parameters
from sklearn_eql.units.dimensions import TableUnits

_BANDS = ("mean",)


def curvatures(
    result: SearchResult,
    best: int,
    rows: Rows,
    primitives: Mapping[str, Primitive],
    *,
    n_rows: int,
    resolution: float,
    scale: float | None = None,
    deadline: float = math.inf,
) -> list[Curvature | None]:
    """Of every law on the rows it was fitted to, the selected one first; None where `deadline` passes before.

    Parameters
    ----------
    n_rows : int
        As the user passed them: merged rows stand for several.
    scale : float, optional
        Weights times this are the inverse variances of the targets, where these are known.
    """
    if isinstance(result, FormResult):
        fitted = [result.fitted[law.equation] for law in result.front]
        parameters = [Parameters.of_form(form.law, form.values) for form in fitted]
    else:
        parameters = [Parameters.of(law.equation, primitives) for law in result.front]
    found: list[Curvature | None] = [None] * len(parameters)
    for i in sorted(range(len(parameters)), key=lambda i: i != best):
        if i != best and time.time() > deadline:
            break
        own = rows
        if isinstance(result, MeasuredResult):
            moved = result.moved[i]
            own = (moved.X, moved.y, (1.0 if rows[2] is None else rows[2]) / moved.variance)
        found[i] = measure(
            parameters[i].law, parameters[i].values, *own, primitives,
            n_rows=n_rows, resolution=resolution, scale=scale, deadline=deadline,
        )  # fmt: skip
    return found


def with_chi_square(
    stands: Sequence[Standing], curvatures: Sequence[Curvature | None], laws: Sequence[Law]
) -> list[Standing]:
    """The standings with `reduced_chi2` where the errors of the target are known."""
    if not any(curvature is not None and curvature.variance is not None for curvature in curvatures):
        return list(stands)
    found = []
    for standing, curvature, law in zip(stands, curvatures, laws, strict=True):
        n_left = 0 if curvature is None else curvature.n_rows - law.n_free
        value = curvature.chi_square() / n_left if curvature is not None and n_left > 0 else math.nan
        found.append(replace(standing, reduced_chi2=value))
    return found


class ConstantsReader(EquationReader):
    """Mixin: `constants_` and standard deviations, from ``_curvatures``, one for each law of each output."""

    _curvatures: list[list[Curvature | None]] | None = None

    def constants(
        self, index: int | list[int] | None = None, *, level: float = 0.95, certain: bool = False
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """The numbers of a law: how sure they are, and where they stand.

        Parameters
        ----------
        index : int or list of int (one per output), optional
            Row of `equations_`; the selected one by default.
        level : float, default=0.95
            Of the intervals.
        certain : bool, default=False
            Whether recognised numbers are taken as known where the errors of the others are computed. By default they
            are not: that ``pi`` stands for 3.1 +- 0.1 is a hypothesis, and errors are those of a fit in which every
            number of the law is free.

        Returns
        -------
        constants : DataFrame, or list of them for several outputs
            One row per constant. Fitted ones come first and are named as in ``sympy(named=True)``; then numbers of the
            printed law that were recognised (``2*pi``, ``3/2``, ``9.81``) and are held.

            - `value`: as in the printed law.
            - `exact`: the number itself where it is recognised, else None.
            - `standard_error`: from the curvature of the squared error at the optimum, with the variance of the
              residuals, or with `y_error` where that was passed. Of a recognised constant: what it would be if it were
              fitted.
            - `low`, `high`: the interval, by Student's distribution. Of a recognised constant it is around the value
              that the fit would give it, so it may leave the number itself outside.
            - `place`: where it stands, such as "offset", "factor of x**2", "exponent of x" or "in exp(c0*x)".
            - `unit`, where `units` are known: that of the constant, over the base units; ``""`` for a number without
              unit, None where the units of the table leave it open.

            Errors are infinite where the rows do not determine a constant, and NaN where `max_time` was over before
            they were known.

        Notes
        -----
        Errors are those of the constants of *this* law: that the form itself is uncertain is not in them (see `rival`
        in `equations_`). Powers that are part of the form, such as the 2 of ``x**2``, and coefficients of one are no
        rows.
        """
        check_is_fitted(self)
        if not 0 < level < 1:
            raise ValueError(f"level={level!r}, expected a probability between 0 and 1, such as 0.95.")
        return self._unlist([self._constants_of(k, pick, level, certain) for k, pick in enumerate(self._picks(index))])

    def _constants_of(self, k: int, pick: int, level: float, certain: bool) -> pd.DataFrame:
        parameters = self._parameters(k, pick)
        curvature = self._curvature(k, pick) or Curvature.unknown(len(parameters.values))
        table = constants_table(parameters, curvature, self._names, self._primitives(), level, certain)
        known = getattr(self, "_units", None)
        if known is not None:
            which = [*np.abs(parameters.groups).argmax(axis=0), *parameters.held]
            table["unit"] = self._units_of(k, pick, parameters, known[k], which)
        return table.astype(dict.fromkeys(("value", "standard_error", "low", "high"), float))

    def _units_of(self, k: int, pick: int, parameters: Parameters, known: TableUnits, which: Sequence[int]) -> list:
        """Of some of the parameters: those of a form are columns of its law."""
        if getattr(self, "_parametric", None) is None:
            return units_of_parameters(self._laws[k][pick].equation, known, self._primitives(), which)
        found = units_of_columns(parameters.law.equation, known, self._primitives())
        found = found[len(found) - len(parameters.values) :]
        return [found[i] for i in which]

    def _parameters(self, k: int, pick: int) -> Parameters:
        """The numbers of a law, named in the form that was given, if there was one."""
        parametric = getattr(self, "_parametric", None)
        if parametric is not None:
            return Parameters.of_form(parametric[k][pick].law, parametric[k][pick].values)
        return super()._parameters(k, pick)

    def _curvature(self, k: int, pick: int) -> Curvature | None:
        return None if self._curvatures is None else self._curvatures[k][pick]

    def _with_std(
        self, X: np.ndarray, index: int | list[int] | None, kind: bool | str, groups: RowGroups | None = None
    ) -> Any:
        """Predictions, and their standard deviations where asked for; `groups` are those of the rows."""
        if kind is not True and kind is not False and kind not in _BANDS:
            raise ValueError(
                f"return_std={kind!r}, expected True (of an observation), 'mean' (of the law), or False (none)."
            )
        y = self._evaluate(X, index)
        if kind is False:
            return y
        picks = enumerate(self._picks(index))
        found = np.stack([self._deviations(X, k, pick, kind, groups) for k, pick in picks], axis=1)
        return y, found[:, 0] if self._single else found

    def _deviations(self, X: np.ndarray, k: int, pick: int, kind: bool | str, groups: RowGroups | None) -> np.ndarray:
        curvature = self._curvature(k, pick)
        if curvature is None:
            return np.full(len(X), np.nan)
        found = self._errors_of_values(curvature, X, k, pick, groups)
        if self.on_undefined == "clip" and self._ranges is not None and np.isnan(found).any():
            outside = np.isnan(found)
            inside, its = np.clip(X[outside], *self._ranges), None if groups is None else groups.part(outside)
            found[outside] = self._errors_of_values(curvature, inside, k, pick, its)
        if kind == "mean":
            return found
        return np.hypot(found, self._parameters(k, pick).estimates(curvature)[0].noise * curvature.unit)

    def _errors_of_values(
        self, curvature: Curvature, X: np.ndarray, k: int, pick: int, groups: RowGroups | None
    ) -> np.ndarray:
        """Standard errors of the values of a law on rows, from its constants."""
        return deviations(self._parameters(k, pick), curvature, X, self._primitives())

    def __getstate__(self) -> dict:
        state = super().__getstate__()
        if state.get("_curvatures") is not None:
            state["_curvatures"] = [[c and asdict(c) for c in found] for found in state["_curvatures"]]
        return state

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        if state.get("_curvatures") is not None:
            self._curvatures = [[c and Curvature(**c) for c in found] for found in state["_curvatures"]]
