"""What a user knows of a law, asked of laws of many groups: of their form, and of how the law of each behaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sklearn_eql.constraints.bending import bent_groups, excess_of_groups
from sklearn_eql.groups.fitted_form import FittedForm, Rows
from sklearn_eql.groups.law import GroupLaw, with_more_columns
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.sparse.behaviour import Behaviour
from sklearn_eql.sparse.structure import Structure, fixed_in_print
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.equation import Frame

_GENERIC, _STEP = 1.2345678, 0.0717  # numbers that mean nothing, in the place of constants


@dataclass(frozen=True)
class Asked:
    """What is asked of laws of groups.

    Parameters
    ----------
    settings : SearchSettings
    frame : Frame or None
        In which the search reads its rows.
    """

    settings: SearchSettings
    frame: Frame | None

    @property
    def primitives(self) -> Mapping[str, Primitive]:
        """Functions of the search."""
        return self.settings.primitives

    @property
    def most(self) -> int | None:
        """The largest complexity of a law as it is printed."""
        return None if self.settings.demands is None else self.settings.demands.of_printed.max_complexity

    @cached_property
    def behaviour(self) -> Behaviour | None:
        """How the law of every group must behave, in the units of the frame."""
        demands = self.settings.demands
        if demands is None or not demands.of_printed.parts:
            return None
        n_features = demands.of_printed.parts[0].points.shape[2]
        return demands.of_printed.in_units(self.frame, np.ones(n_features), 1.0)

    def admits(self, law: ParametricLaw) -> bool:
        """Whether the form is one that is asked for; its constants may be any numbers."""
        if self.settings.admission is None:
            return True
        equation = law.with_values([_GENERIC + _STEP * k for k in range(len(law.names))], self.primitives)
        free = ~fixed_in_print(equation, self.primitives)
        return self.settings.admission.admits(Structure.from_equation(equation, free))

    def bent(self, form: FittedForm, rows: Rows) -> FittedForm | None:
        """The form as it is where all groups behave, or with constants under which they do; None where none are."""
        if self.behaviour is None or excess_of_groups(form.law, form.fit, self.behaviour, self.primitives) == 0:
            return form
        fit = bent_groups(form.law, rows.grouped, form.fit, self.behaviour, self.primitives, deadline=rows.deadline)
        return None if fit is None else replace(form, fit=fit)

    def obeys(self, law: GroupLaw) -> bool:
        """Whether a law, in the units of the frame, is what is asked for, in every group."""
        frame = None if self.frame is None else with_more_columns(self.frame, law.n_own)
        printed = replace(law.equation, frame=frame)
        if self.most is not None and equation_complexity(printed, self.primitives) > self.most:
            return False
        named = ParametricLaw(printed, tuple(f"c{k}" for k in range(law.n_own)), (True,) * law.n_own)
        demands = self.settings.demands
        if not self.admits(named):
            return False
        if demands is None or not demands.of_printed.parts:
            return True
        return all(demands.confirms(named.with_values(own, self.primitives)) for own in law.own)
