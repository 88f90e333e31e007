"""From forms that a search found to laws of all groups, which compete by their description.

Every form is fitted to all groups, with all constants own. Of the best ones it is told which constants are shared, and
which are known numbers. What is asked of laws is asked of every group.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from sklearn_eql.groups.asked import Asked
from sklearn_eql.groups.finishing import finished, on_rows
from sklearn_eql.groups.fitted_form import FittedForm, Rows, fitted_alone
from sklearn_eql.groups.joining import with_constants_joined
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.naming_forms import named
from sklearn_eql.groups.sharing import with_constants_shared, with_numbers_recognised, without_redundant
from sklearn_eql.laws.law import shortlist
from sklearn_eql.sparse.printed_complexity import least_complexity
from sklearn_eql.symbolic.equation import Equation

_N_SHARED = 8  # forms of which constants are told apart
_MOST_REFUSED = 24  # further ones, where what is asked of laws refuses some of these
_SPELLED_ON = 500  # rows
_NATS = 4  # of a symbol, roughly, before a form is spelt


@dataclass
class Competition:
    """Forms and laws of one table.

    Parameters
    ----------
    asked : Asked
    every, few : Rows
        All rows, and those on which constants are told apart: the same, unless there are very many.
    y_unit : float
        Of the target of these rows.
    deadline : float
        Value of ``time.time()``.
    seed : int
    tell : callable, optional
        Is told of the laws so far.
    """

    asked: Asked
    every: Rows
    few: Rows
    y_unit: float
    deadline: float
    seed: int
    tell: Callable[[list[GroupLaw]], None] | None = None
    interrupted: bool = False

    def laws(self, equations: Iterable[tuple[Equation, int]]) -> list[GroupLaw]:
        """The front of the laws of some equations, each with its number of symbols, the most promising first."""
        laws: list[GroupLaw] = []
        try:
            forms = self._forms(equations)
            for tried, form in enumerate(forms):
                enough = tried >= (_N_SHARED if laws else _MOST_REFUSED)
                if laws and (enough or time.time() > self.deadline):
                    break
                if (law := self._told_apart(form)) is not None:
                    laws.append(law)
                    if self.tell is not None:
                        self.tell(shortlist(laws, self.every.n_rows))
        except KeyboardInterrupt:
            if not laws:
                raise
            self.interrupted = True
        return shortlist(laws, self.every.n_rows)

    def _forms(self, equations: Iterable[tuple[Equation, int]]) -> list[FittedForm]:
        """The forms fitted to all groups, those with the shortest description first."""
        X, primitives = self.few.grouped.X, self.few.primitives
        some = X[:: max(1, len(X) // _SPELLED_ON)]
        found: list[tuple[float, FittedForm]] = []
        for equation, n_symbols in equations:
            if found and time.time() > self.deadline:
                break
            spelt = named(equation, some, primitives)
            if spelt is None or not self.few.admits(spelt[0]):
                continue
            most = self.asked.most
            if most is not None and least_complexity(equation, primitives) > most:
                continue
            law, values = spelt
            with np.errstate(all="ignore"):
                form = fitted_alone(law, values[None], self.few, self.seed)
            if math.isfinite(form.fit.squared_error):
                found.append((form.description(self.few) + _NATS * n_symbols, form))
        found.sort(key=lambda pair: pair[0])
        return [form for _, form in found]

    def _told_apart(self, form: FittedForm) -> GroupLaw | None:
        few, every = self.few, self.every
        with np.errstate(all="ignore"):
            form = with_constants_shared(with_constants_joined(without_redundant(form, few), few), few)
            form = with_numbers_recognised(form, few)
            if every is not few:
                form = on_rows(form, every)
            return self.finished(form)

    def finished(self, form: FittedForm) -> GroupLaw | None:
        """The law of a form on all rows; None where it is undefined on one, or is not what is asked for."""
        bent = self.asked.bent(form, self.every)
        law = None if bent is None else finished(bent, self.every, self.y_unit, self.asked.settings.admission)
        return law if law is not None and self.asked.obeys(law) else None

    def obeying(self, law: GroupLaw, otherwise: GroupLaw) -> GroupLaw:
        """A law that was made of another one, if it is what is asked for; else the other one."""
        if law is otherwise or self.asked.obeys(law):
            return law
        return otherwise
