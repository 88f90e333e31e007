"""What a user knows besides the form: units, constraints on the form of the law, and on how it behaves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sklearn_eql.constraints.bending import bent_constants
from sklearn_eql.forms.fitted import FittedForm
from sklearn_eql.laws.law import Law
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.sparse.admission import Admission, all_of
from sklearn_eql.sparse.structure import Structure, fixed_in_print
from sklearn_eql.units.admission import UnitsAdmission

_GENERIC, _STEP = 1.2345678, 0.0717  # numbers that mean nothing, in the place of constants


@dataclass(frozen=True)
class Asked:
    """What is asked of the laws of a form, in the user's units.

    Parameters
    ----------
    settings : SearchSettings
    """

    settings: SearchSettings

    @property
    def admission(self) -> Admission | None:
        """Which laws may be printed; all by default."""
        settings = self.settings
        units = None if settings.units is None else UnitsAdmission(settings.units, settings.primitives)
        return all_of([settings.admission, units])

    def bent(
        self, law: ParametricLaw, values: np.ndarray, rows: GroupedRows, deadline: float = math.inf
    ) -> np.ndarray | None:
        """Constants ``(n_constants,)`` under which the law behaves, those that it has if it does; None without any.

        Recognised constants stay what they are if they can.
        """
        demands = self.settings.demands
        behaviour = None if demands is None else demands.of_printed
        return bent_constants(law, values, rows, behaviour, self.settings.primitives, deadline=deadline)

    def obeys(self, law: Law, fitted: FittedForm) -> bool:
        """Whether a law, and the form that it is of, is what is asked for."""
        demands = self.settings.demands
        if not admits(fitted.law, self.admission, self.settings.primitives, np.array(fitted.values)):
            return False
        if demands is None:
            return True
        most = demands.of_printed.max_complexity
        return (most is None or law.complexity <= most) and demands.confirms(law.equation)


def admits(
    law: ParametricLaw,
    admission: Admission | None,
    primitives: Mapping[str, Primitive],
    values: np.ndarray | None = None,
) -> bool:
    """Whether a law with named constants is admitted; any numbers stand for these, but zero where a value is zero.

    A constant that is one by chance may have a unit, as a one that is not written may not.
    """
    if admission is None:
        return True
    numbers = _GENERIC + _STEP * np.arange(len(law.names))
    equation = law.with_values(numbers if values is None else np.where(values == 0, 0.0, numbers), primitives)
    return admission.admits(Structure.from_equation(equation, ~fixed_in_print(equation, primitives)))
