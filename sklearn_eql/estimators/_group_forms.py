"""A form that a user knows, fitted to many groups: constants of some groups are where the fit of all begins."""

from __future__ import annotations

import math
import time

import numpy as np

from sklearn_eql._threads import single_threaded
from sklearn_eql.forms.constants import best_constants
from sklearn_eql.forms.form import Form
from sklearn_eql.groups.known_form import fit_form_to_groups
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.settings import SearchResult, SearchSettings

_N_LEADS = 3  # groups, those of most rows, whose constants are looked for without starting values
_SHARE_OF_TIME = 0.5  # for that


def form_in_groups(
    form: Form, rows: Rows, codes: np.ndarray, settings: SearchSettings, seed: int, deadline: float
) -> SearchResult:
    """The law of a form without unknown functions; see :func:`~sklearn_eql.groups.known_form.fit_form_to_groups`."""
    X, y, weight = rows
    given = np.ones(len(y)) if weight is None else weight
    law = form.law(settings.primitives)
    sizes = np.bincount(codes, weights=given > 0)
    leads = np.argsort(-sizes, kind="stable")[:_N_LEADS].tolist()
    until = deadline
    if math.isfinite(deadline):
        until = time.time() + _SHARE_OF_TIME * (deadline - time.time())
    starts = []
    with single_threaded(), np.errstate(all="ignore"):
        for lead in leads:
            if starts and time.time() > until:
                break
            its = np.flatnonzero((codes == lead) & (given > 0))
            some = GroupedRows.of(X[its], y[its], given[its] / given[its].mean())
            values, loss = best_constants(form, law, some, settings.primitives, seed=seed, deadline=until)
            if math.isfinite(loss) or not starts:
                starts.append(values)
    return fit_form_to_groups(law, np.array(starts), rows, codes, settings, seed, deadline)
