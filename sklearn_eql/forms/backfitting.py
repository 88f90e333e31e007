"""Laws for the unknown functions of a form: all at once as smooth functions, then one after the other.

Functions are searched for on what smooth stand-ins for all of them leave to each. The best combination then takes the
place of the smooth ones: each function is searched again with the laws of the others in the form (backfitting, Breiman
and Friedman 1985), as long as that shortens the description.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sklearn_eql._display import equation_text
from sklearn_eql.forms.fitted import FormLaw
from sklearn_eql.forms.form import Form
from sklearn_eql.forms.functions import Candidate, candidates
from sklearn_eql.forms.joint import Combination, combinations, combined
from sklearn_eql.forms.smooth import SmoothFit, smooth_fit
from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_sympy

_N_COMBINATIONS = 12
_N_PASSES = 2  # of backfitting, at most
_LEAST_GAIN = 0.5  # of the description length


class FunctionSearch:
    """The search for the functions of one form.

    Parameters
    ----------
    form : Form
    rows : GroupedRows
        One group, few enough for the search.
    table : Table
        The same rows.
    settings : SearchSettings
    seed : int
    deadline : float
        Value of ``time.time()``.
    """

    def __init__(
        self, form: Form, rows: GroupedRows, table: Table, settings: SearchSettings, seed: int, deadline: float
    ) -> None:
        self.form, self.rows, self.table, self.settings = form, rows, table, settings
        self.seed, self.deadline = seed, deadline
        self.n_searches = 0
        self.interrupted = False
        self._noise = 0.0  # relative variance of what smooth functions leave over

    def run(self) -> list[Combination]:
        """Combinations, the shortest description first; none where the form is finite on all rows for no start."""
        smooth = self._smooth(self.form)
        if smooth is None:
            return []
        self._noise = self._variance(smooth.relative_loss, smooth.n_free)
        choices = {name: self._searched(self.form, name, smooth) for name in self.form.arities}
        if not all(choices.values()):
            return []
        found = self._combined(choices, smooth.constants)
        try:
            self._tell(found)
            for improved in self._improving(found):
                found = improved
                self._tell(found)
        except KeyboardInterrupt:
            if not found:
                raise
            self.interrupted = True
        return found

    def _improving(self, found: list[Combination]) -> Iterator[list[Combination]]:
        """The combinations with ones in which each function was searched again."""
        for _ in range(_N_PASSES):
            if not found or self._is_over(found[0]):
                break
            before = self._length(found[0])
            for name in self.form.arities:
                if not self._is_over(found[0]):
                    found = self._ordered([*found, *self._again(found[0], name)])
                    yield found
            if self._length(found[0]) > before - _LEAST_GAIN:
                break
        if found and not self._is_over(found[0]):
            yield self._ordered([*found, *self._loosened(found[0])])

    def _tell(self, found: list[Combination]) -> None:
        """Tell those who watch of what there is so far."""
        watched = self.settings.watched
        if watched is None or not found:
            return
        primitives, n_named = self.table.primitives, len(self.form.constants)

        def text() -> str:
            return equation_text(to_sympy(found[0].found.equation, self.form.features, primitives))

        def front() -> list[Law]:
            laws = {c.found: FormLaw.of(c.found, c.described(n_named, primitives)) for c in found}
            return [laws[law] for law in shortlist(laws, len(self.rows.y))]

        loss = found[0].found.relative_loss
        watched("functions", loss, self.n_searches, tell=text, front=front)

    def _is_over(self, best: Combination) -> bool:
        return time.time() > self.deadline or self.leaves_noise(best.found)

    def leaves_noise(self, law: Law) -> bool:
        """Whether a law is exact, or as accurate as smooth functions are: there is nothing more to be explained."""
        left = self._variance(law.relative_loss, law.n_free)
        return law.relative_loss <= law.exact or left <= self._noise * (1 + 2 / math.sqrt(len(self.rows.y)))

    def _variance(self, relative_loss: float, n_free: int) -> float:
        n_rows = len(self.rows.y)
        return relative_loss * n_rows / max(n_rows - n_free, 1)

    def _length(self, combination: Combination) -> float:
        return combination.found.description_length(len(self.rows.y))

    def _ordered(self, found: list[Combination]) -> list[Combination]:
        return sorted(found, key=self._length)

    def _smooth(self, form: Form, start: np.ndarray | None = None) -> SmoothFit | None:
        share = self.deadline
        if math.isfinite(share):
            share = time.time() + (share - time.time()) / 3
        return smooth_fit(form, self.rows, self.table.primitives, start, seed=self.seed, deadline=share)

    def _searched(self, form: Form, name: str, smooth: SmoothFit) -> list[Candidate]:
        self.n_searches += 1
        until = self.deadline
        if math.isfinite(until):
            until = time.time() + (until - time.time()) / (len(form.arities) + 1)
        return candidates(form, name, smooth, self.rows.weight, self.settings, self.seed, until)

    def _combined(self, choices: dict[str, list[Candidate]], constants: np.ndarray) -> list[Combination]:
        return combinations(
            self.form, choices, constants, self.rows, self.table, _N_COMBINATIONS, lambda: time.time() > self.deadline
        )

    def _again(self, best: Combination, name: str) -> list[Combination]:
        """The function `name` searched once more, the others as they are in the best combination."""
        others = [candidate for candidate in best.candidates if candidate.name != name]
        reduced = self.form.with_some({candidate.name: candidate.function for candidate in others})
        values = dict(zip(best.law.names, best.values, strict=True))
        smooth = self._smooth(reduced, np.array([values[constant] for constant in reduced.constants]))
        if smooth is None:
            return []
        now = dict(zip(reduced.constants, smooth.constants, strict=True))
        kept = {c.name: [replace(c, values=np.array([now[n] for n in c.law.names]), length=0.0)] for c in others}
        choices = {name: self._searched(reduced, name, smooth), **kept}
        return self._combined(choices, np.array([now[constant] for constant in self.form.constants]))

    def _loosened(self, best: Combination) -> Iterator[Combination]:
        """The best combination with all numbers fitted that were recognised when its functions were searched."""
        constants = best.values[: len(self.form.constants)]
        free = []
        for candidate, equation in zip(best.candidates, self._equations(best), strict=True):
            variables = candidate.function.variables
            free.append(Candidate.of(candidate.name, equation, variables, self.table.primitives, 0.0, loose=True))
        loose = combined(self.form, free, constants, self.rows, self.table, final=True)
        if loose is not None:
            yield loose

    def _equations(self, best: Combination) -> list[Equation]:
        described = best.described(len(self.form.constants), self.table.primitives)
        return [function.equation for function in described.functions]
