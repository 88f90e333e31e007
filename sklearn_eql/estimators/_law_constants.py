"""The numbers in laws of which nothing is known but their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._fitted_laws import FittedLaws
from sklearn_eql.primitives import Primitive
from sklearn_eql.uncertainty.constants import ConstantRow, Parameters, rows_of
from sklearn_eql.uncertainty.curvature import Curvature

_WITHOUT_ERRORS = ["value", "exact", "place"]


def constants_table(
    parameters: Parameters,
    curvature: Curvature,
    names: Sequence[str],
    primitives: Mapping[str, Primitive],
    level: float = 0.95,
    certain: bool = False,
) -> pd.DataFrame:
    """The table of `constants`, a row for each; `level` and `certain` as there."""
    rows = rows_of(parameters, curvature, names, primitives, level, certain)
    columns = [field.name for field in fields(ConstantRow)]
    return pd.DataFrame([asdict(row) for row in rows], columns=columns).set_index("name")


class LawConstants(FittedLaws):
    """Part of :class:`EquationReader`: the constants of laws, without errors."""

    @property
    def constants_(self) -> pd.DataFrame | list[pd.DataFrame]:
        """The constants of the selected law; see `constants`. A list for several outputs."""
        self._check_fitted("constants_")
        return self.constants()

    def constants(self, index: int | list[int] | None = None) -> pd.DataFrame | list[pd.DataFrame]:
        """The numbers of a law, and where they stand.

        They have no errors here: what a law of states or latents is fitted to are no independent rows.

        Parameters
        ----------
        index : int or list of int (one per output), optional
            Row of `equations_`; the selected one by default.

        Returns
        -------
        constants : DataFrame, or list of them for several outputs
            One row per constant. Fitted ones come first and are named as in ``sympy(named=True)``; then numbers of the
            printed law that were recognised (``2*pi``, ``3/2``, ``9.81``).

            - `value`: as in the printed law.
            - `exact`: the number itself where it is recognised, else None.
            - `place`: where it stands, such as "offset", "factor of x**2", "exponent of x" or "in exp(c0*x)".
        """
        check_is_fitted(self)
        self._check_fitted("constants")
        found = []
        for k, pick in enumerate(self._picks(index)):
            parameters = self._parameters(k, pick)
            unknown = Curvature.unknown(len(parameters.values))
            table = constants_table(parameters, unknown, self._names, self._primitives())
            found.append(table[_WITHOUT_ERRORS].astype({"value": float}))
        return self._unlist(found)

    def _parameters(self, k: int, pick: int) -> Parameters:
        """The numbers of a law of one output."""
        return Parameters.of(self._laws[k][pick].equation, self._primitives())
