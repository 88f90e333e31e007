"""The folds of `cv`: which rows the constants of the laws are fitted to, and which are held out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, check_cv

from sklearn_eql._threads import single_threaded
from sklearn_eql.laws.cross_validation import Rows, cross_validated_losses
from sklearn_eql.search.settings import SearchResult, SearchSettings

_CHECKED = 100  # folds that are looked at before the search: leaving out one row each gives as many folds as rows


@dataclass(frozen=True)
class Folds:
    """How `cv` divides the rows that the user passed."""

    cv: Any  # a number of folds, or a splitter of scikit-learn
    rows: Rows  # X, y (n_samples,) or (n_samples, n_outputs), and weights, as they were passed

    @classmethod
    def of(cls, cv: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> Folds:
        """`cv` as scikit-learn has it, checked before any work starts.

        Raises
        ------
        ValueError
            More folds than rows, folds without rows, rows that are not there, a splitter that needs groups or classes.
        """
        if isinstance(cv, Integral):
            if int(cv) > len(y):
                raise ValueError(f"cv={cv} folds of {len(y)} rows, expected at most one fold per row. Use cv={len(y)}.")
            return cls(int(cv), (X, y, weight))
        try:
            splitter = check_cv(cv)
            for training, held_out in islice(splitter.split(X, y), _CHECKED):
                n_rows = [len(np.arange(len(y))[index]) for index in (training, held_out)]
                if not all(n_rows):
                    raise ValueError(f"a fold has {n_rows[0]} rows to fit and {n_rows[1]} held out")
        except (IndexError, TypeError, ValueError) as error:
            raise ValueError(
                f"cv: {error}. Expected folds of the {len(y)} rows of X: their number, a splitter of scikit-learn that "
                "needs X and y only, or pairs (training, held out) of row numbers, such as "
                "list(GroupKFold(5).split(X, y, groups))."
            ) from error
        return cls(splitter, (X, y, weight))

    def losses(
        self, result: SearchResult, k: int, merged: Rows, settings: SearchSettings, seed: int, deadline: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """`cv_loss` and `cv_loss_se` of the laws of output `k`, (n_laws,) each; nan after an interrupted search.

        `merged` are the distinct rows of that output.
        """
        if result.interrupted:
            return (np.full(len(result.front), np.nan),) * 2
        rows, folds = self._of_output(k, merged, seed)
        scaling_of = {"enabled": settings.scale, "resolution": settings.resolution}
        with single_threaded():
            return cross_validated_losses(result.front, rows, folds, settings.primitives, scaling_of, deadline)

    def _of_output(self, k: int, merged: Rows, seed: int) -> tuple[Rows, Iterable[tuple[np.ndarray, np.ndarray]]]:
        """The rows to divide, and the folds.

        A number of folds divides the distinct rows at random, so that neither their order nor copies of a row matter.
        A splitter divides the rows as they were passed: it may go by their order.
        """
        X, y, weight = self.rows
        is_of_merged, folds = self.of_output(k, len(merged[1]), seed)
        return merged if is_of_merged else (X, y if y.ndim == 1 else y[:, k], weight), folds

    def of_output(self, k: int, n_merged: int, seed: int) -> tuple[bool, Iterable[tuple[np.ndarray, np.ndarray]]]:
        """Whether the folds of output `k` are of its distinct rows, else of those that were passed; and the folds."""
        if isinstance(self.cv, int):
            shuffled = KFold(min(self.cv, n_merged), shuffle=True, random_state=seed)
            return True, shuffled.split(np.empty(n_merged))
        X, y, _ = self.rows
        return False, self.cv.split(X, y)
