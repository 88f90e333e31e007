"""How stable a law is: the same search on bootstrap samples of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._check_table import read_rows
from sklearn_eql.estimators._equation_reader import EquationReader
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_sympy
from sklearn_eql.uncertainty.same_form import Form, forms_of

_MOST_DRAWS = 100  # of a sample, until its target varies
_MOST_ROWS = 1000  # on which laws are compared


class StabilityReader(EquationReader):
    """Mixin: `stability`, for estimators whose `fit` takes sample weights."""

    def stability(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        n: int = 20,
        max_time: float | None = None,
        **fit_parameters: Any,
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Which laws are found on bootstrap samples of the rows, and how often each.

        The search is repeated with the settings of this estimator; `n_jobs` samples go at the same time. Results depend
        on `random_state` alone, unless `max_time` cuts a search short.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            What `fit` was given.
        sample_weight : array-like of shape (n_samples,), optional
        n : int, default=20
            Samples; each has as many rows as there are, drawn with replacement.
        max_time : float, optional
            Seconds for each search; that of the estimator by default.
        **fit_parameters
            Further parameters of `fit`, for all rows.

        Returns
        -------
        stability : DataFrame, or list of them for several outputs
            One row per form, the law of this fit first and then the most frequent.

            - `form`: with a symbol for every number that the fit could move, recognised ones included.
            - `share`: of the samples that have a law of this form selected, however it is written.
            - `median`, `spread`: of each constant over these samples, as mappings from its name; the spread is half of
              the range that holds the middle 68%, as a standard error would be. NaN where there are none.

        Notes
        -----
        A sample has some 63% of the distinct rows, so shares are a little lower than those of new data of this size.
        The spread of a constant, within one form, should be like its standard error (`constants_`); where it is much
        larger, the residuals are no independent noise of one variance.
        """
        check_is_fitted(self)
        if not isinstance(n, Integral) or n < 1:
            raise ValueError(f"n={n!r}, expected a number of samples, at least 1.")
        if max_time is not None and not (isinstance(max_time, Real) and max_time > 0):
            raise ValueError(f"max_time={max_time!r}, expected seconds above 0, or None.")
        rows = read_rows(self, X)
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=int(n)).tolist()
        settings = {"random_state": None, "verbose": 0, "n_jobs": 1, "warm_start": False}
        known = self.get_params(deep=False)
        if max_time is not None:
            settings["max_time"] = float(max_time)
        again = clone(self).set_params(**{name: value for name, value in settings.items() if name in known})
        jobs = (delayed(_refitted)(again, X, y, sample_weight, fit_parameters, seed) for seed in seeds)
        found = Parallel(n_jobs=known.get("n_jobs"))(jobs)
        compared = rows[:: max(1, len(rows) // _MOST_ROWS)]
        tables = []
        for k, own in enumerate(self._chosen(None)):
            equations = [equations[k] for equations in found if equations is not None]
            tables.append(_table(own, equations, len(found), compared, self._names, self._primitives()))
        return self._unlist(tables)


def _refitted(
    estimator: Any, X: Any, y: Any, sample_weight: Any, fit_parameters: Mapping[str, Any], seed: int
) -> list[Equation] | None:
    """The selected laws on a bootstrap sample; None where no law was found on it."""
    weight = _drawn(np.asarray(y), sample_weight, seed)
    estimator = clone(estimator).set_params(random_state=seed)
    try:
        estimator.fit(X, y, sample_weight=weight, **fit_parameters)
    except AllTrialsFailedError:
        return None
    return estimator._chosen(None)


def _drawn(y: np.ndarray, sample_weight: Any, seed: int) -> np.ndarray:
    """How often each row is drawn ``(n_samples,)``, times its weight."""
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    rng = np.random.default_rng(seed)
    possible = np.flatnonzero(weight > 0)
    for _ in range(_MOST_DRAWS):
        counts = np.bincount(rng.choice(possible, len(possible)), minlength=len(y))
        some = y[counts > 0]
        if len(some) > 1 and (some != some[0]).any(axis=0).all():
            return counts * weight
    return weight


def _table(
    own: Equation,
    equations: list[Equation],
    n_samples: int,
    X: np.ndarray,
    names: list[str],
    primitives: Mapping[str, Primitive],
) -> pd.DataFrame:
    forms = [form for _, form in forms_of([own, *equations], X, primitives)]
    forms[0].values.pop(0)  # that of this fit is no sample
    forms[1:] = sorted(forms[1:], key=lambda form: -len(form.values))
    return pd.DataFrame([_row(form, n_samples, names, primitives) for form in forms])


def _row(form: Form, n_samples: int, names: list[str], primitives: Mapping[str, Primitive]) -> dict[str, Any]:
    law = form.parameters.law
    values = np.array(form.values).reshape(-1, len(law.names))
    known = values[np.isfinite(values).all(axis=1)] if len(law.names) else values
    low, middle, high = (
        np.quantile(known, (0.16, 0.5, 0.84), axis=0) if len(known) else np.full((3, len(law.names)), np.nan)
    )
    return {
        "form": to_sympy(law.equation, [*names, *law.names], primitives),
        "share": len(form.values) / n_samples,
        "median": dict(zip(law.names, middle.tolist(), strict=True)),
        "spread": dict(zip(law.names, ((high - low) / 2).tolist(), strict=True)),
    }
