"""A law of which the form is known, fitted to many groups: which of its constants are shared, and all their values."""

from __future__ import annotations

import time

import numpy as np

from sklearn_eql._threads import single_threaded
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.groups.asked import Asked
from sklearn_eql.groups.finishing import finished
from sklearn_eql.groups.fitted_form import Rows, fitted_alone
from sklearn_eql.groups.sharing import with_constants_shared, with_numbers_recognised
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.problem import Scaling, weighted_variance
from sklearn_eql.stopping import StopReason

_SHARP = 1e-4  # relative half width above which a constant of the form is a measurement, whatever it is near to


def fit_form_to_groups(
    law: ParametricLaw,
    starts: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    codes: np.ndarray,
    settings: SearchSettings,
    seed: int,
    deadline: float,
) -> SearchResult:
    """The law of a form for all groups, as :class:`GroupLaw` with the names of its constants.

    Parameters
    ----------
    law : ParametricLaw
        Over features and all constants of the form.
    starts : ndarray (n_starts, n_constants)
        Where the fit of every group begins, such as constants of some of them.
    rows : X (n_samples, n_features), y (n_samples,) and weights (n_samples,) or None
    codes : ndarray (n_samples,) of int
        Groups, from 0, without a gap among the rows with weight.
    settings : SearchSettings
    seed : int
    deadline : float
        Value of ``time.time()``.

    Raises
    ------
    AllTrialsFailedError
        No constants were found with which the form is finite on all rows, and behaves as is asked.
    """
    X, y, weight = rows
    kept = np.arange(len(y)) if weight is None else np.flatnonzero(weight > 0)
    some = np.ones(len(kept)) if weight is None else weight[kept] / weight[kept].mean()
    scaling = Scaling.of(X, y, settings.scale, settings.resolution, weight)
    asked = Asked(settings, None)
    table = Rows(
        GroupedRows.of(X[kept], y[kept], some, codes[kept]),
        weighted_variance(y[kept], some) or 1.0,
        scaling.exact,
        settings.primitives,
        deadline,
    )
    with single_threaded(), np.errstate(all="ignore"):
        form = fitted_alone(law, starts, table, seed)
        form = with_constants_shared(form, table, zeros=False)
        form = with_numbers_recognised(form, table, widest=_SHARP)
        bent = asked.bent(form, table)
        found = None if bent is None else finished(bent, table, admission=settings.admission, as_named=True)
    if found is None or not asked.obeys(found):
        raise AllTrialsFailedError(
            "No constants were found with which the form is finite on every row of every group"
            f"{' and obeys the constraints' if settings.demands or settings.admission else ''}. Check the form and the "
            "rows for logarithms and roots of negative numbers and for divisions by zero, or raise max_time."
        )
    exact = found.level <= found.exact
    late = StopReason.MAX_TIME if time.time() > deadline else StopReason.STARTS
    return SearchResult([found], StopReason.EXACT if exact else late, 1, [found.relative_loss], len(y), False)
