"""Forms and guesses of a user, fitted to many groups: constants of some groups are where the fit of all begins."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from sklearn_eql._threads import single_threaded
from sklearn_eql.forms.constants import best_constants
from sklearn_eql.forms.form import Form
from sklearn_eql.groups.known_form import fit_form_to_groups
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.symbolic.equation import Equation

_N_LEADS = 3  # groups, those of most rows, whose constants are looked for without starting values
_SHARE_OF_TIME = 0.5  # for that
_SHARE_OF_GUESSES = 0.2  # of the time, for the constants of guesses


def form_in_groups(
    form: Form, rows: Rows, codes: np.ndarray, settings: SearchSettings, seed: int, deadline: float
) -> SearchResult:
    """The law of a form without unknown functions; see :func:`~sklearn_eql.groups.known_form.fit_form_to_groups`."""
    starts = _constants_of_leads(form, rows, codes, settings, seed, _part(_SHARE_OF_TIME, deadline))
    return fit_form_to_groups(form.law(settings.primitives), starts, rows, codes, settings, seed, deadline)


def guesses_in_groups(
    guesses: Sequence[Form], rows: Rows, codes: np.ndarray, settings: SearchSettings, seed: int, deadline: float
) -> list[Equation]:
    """Laws of guesses with constants of some groups, where a search over groups starts; those that are finite there."""
    until = _part(_SHARE_OF_GUESSES, deadline)
    found = []
    for form in guesses:
        law = form.law(settings.primitives)
        for values in _constants_of_leads(form, rows, codes, settings, seed, until):
            equation = law.with_values(values, settings.primitives)
            if np.isfinite(equation.coefficients()).all():
                found.append(equation)
    return found


def _constants_of_leads(
    form: Form, rows: Rows, codes: np.ndarray, settings: SearchSettings, seed: int, until: float
) -> np.ndarray:
    """Constants ``(n_leads, n_constants)`` of the groups with most rows; of one at least."""
    X, y, weight = rows
    given = np.ones(len(y)) if weight is None else weight
    law = form.law(settings.primitives)
    sizes = np.bincount(codes, weights=given > 0)
    leads = np.argsort(-sizes, kind="stable")[:_N_LEADS].tolist()
    starts: list[np.ndarray] = []
    with single_threaded(), np.errstate(all="ignore"):
        for lead in leads:
            if starts and time.time() > until:
                break
            its = np.flatnonzero((codes == lead) & (given > 0))
            some = GroupedRows.of(X[its], y[its], given[its] / given[its].mean())
            values, loss = best_constants(form, law, some, settings.primitives, seed=seed, deadline=until)
            if math.isfinite(loss) or not starts:
                starts.append(values)
    return np.array(starts)


def _part(share: float, deadline: float) -> float:
    return time.time() + share * (deadline - time.time()) if math.isfinite(deadline) else deadline
