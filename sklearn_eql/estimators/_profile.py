"""Profile intervals of the constants of a fitted estimator, from rows that are given again."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._check_table import GivenRows, read_rows, read_weight
from sklearn_eql.estimators._constants_reader import ConstantsReader
from sklearn_eql.estimators._measurement_errors import read_errors
from sklearn_eql.uncertainty.constants import quantile
from sklearn_eql.uncertainty.curvature import measure
from sklearn_eql.uncertainty.profile import Profile


class ProfileReader(ConstantsReader):
    """Mixin: `constants`, and `profile` from rows that are given again."""

    loss: Any

    def profile(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        y_error: Any = None,
        index: int | list[int] | None = None,
        level: float = 0.95,
        certain: bool = False,
        max_time: float | None = None,
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Intervals of the fitted constants by profile likelihood; for constants inside functions, and few rows.

        Those of `constants` go by the curvature at the optimum, as if the law were linear in each constant. Here each
        constant is held at other values, and all others are fitted again, until the squared error is too large. So the
        rows are needed once more.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            What `fit` was given.
        sample_weight, y_error : optional
            Likewise.
        index : int or list of int (one per output), optional
            Row of `equations_`; the selected one by default.
        level : float, default=0.95
            Of the intervals.
        certain : bool, default=False
            Whether recognised numbers are held while the others are fitted, as in `constants`.
        max_time : float, optional
            Seconds; ends that are not found by then are NaN.

        Returns
        -------
        constants : DataFrame, or list of them for several outputs
            The fitted constants as in `constants`, with `low` and `high` of the profile: not symmetric, and infinite
            where no value on that side is worse than chance would have it.

        Raises
        ------
        ValueError
            Another loss than squared errors.
        """
        check_is_fitted(self)
        if getattr(self, "loss", "squared_error") != "squared_error":
            raise ValueError(f"profile is about squared errors, not about loss={self.loss!r}. Use stability instead.")
        deadline = math.inf if max_time is None else time.time() + max_time
        rows = read_rows(self, X)
        targets = np.asarray(y, dtype=float)
        targets = targets[:, None] if targets.ndim == 1 else targets
        weight = read_weight(sample_weight, rows)
        errors = read_errors(None, y_error, rows.shape, targets.shape, self._names)
        found = []
        for k, pick in enumerate(self._picks(index)):
            given = errors.weighed(k, (rows, targets[:, k], weight))
            scale = None if y_error is None else 1.0
            found.append(self._profile_of(k, pick, given, scale, level, certain, deadline))
        return self._unlist(found)

    def _profile_of(
        self, k: int, pick: int, rows: GivenRows, scale: float | None, level: float, certain: bool, deadline: float
    ) -> pd.DataFrame:
        parameters = self._parameters(k, pick)
        X, y, weight = rows
        curvature = measure(parameters.law, parameters.values, X, y, weight, self._primitives(), scale=scale)
        estimates, groups = parameters.estimates(curvature, certain)
        law, values = parameters.tied(groups)
        profile = Profile(
            law, values, X, y, weight, self._primitives(), is_absolute=scale is not None, level=level, deadline=deadline
        )
        table = self.constants(self._for_all(k, pick), level=level, certain=certain)
        table = (table if isinstance(table, pd.DataFrame) else table[k]).iloc[: parameters.groups.shape[1]].copy()
        halves = quantile(estimates, level) * estimates.errors
        ends = [profile.interval(i, float(halves[i])) for i in range(len(table))]
        table[["low", "high"]] = np.array(ends, dtype=float).reshape(-1, 2)
        return table

    def _for_all(self, k: int, pick: int) -> list[int]:
        """The chosen rows of all outputs, with `pick` for output `k`."""
        return [pick if i == k else best for i, best in enumerate(self._best)]
