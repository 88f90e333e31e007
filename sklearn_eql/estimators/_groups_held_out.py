"""Searches over groups on a part of the rows of each, whose laws are selected by their errors on the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.groups.asked import Asked
from sklearn_eql.groups.cross_validation import folds_of_groups
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.refitting import Refitting
from sklearn_eql.groups.under_loss import weights_beside, with_least_loss
from sklearn_eql.laws.cross_validation import Rows
from sklearn_eql.laws.losses import Loss, TorchLoss
from sklearn_eql.laws.selection import (
    OUTER_FRACTION,
    extrapolation_errors,
    outer_rows,
    simplest_outside,
    simplest_validated,
    squared_errors,
)
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.search.under_loss import outer_errors

_FEWEST = 5  # rows of a group of which some are held out

Search = Callable[[Rows, np.ndarray], tuple[SearchResult, np.ndarray | None]]
"""Laws of rows and their groups, and the weights under which they were found."""


@dataclass(frozen=True)
class GroupsHeldOut:
    """A rule by which rows are held out, and the loss that errors on them are of.

    Parameters
    ----------
    rule : {"extrapolation", "validation"}
    loss : Loss, TorchLoss or None
        None for squares and for Huber's.
    epsilon : float or None
        Of Huber's loss, where it is that.
    settings : SearchSettings
    seed : int
    """

    rule: str
    loss: Loss | TorchLoss | None
    epsilon: float | None
    settings: SearchSettings
    seed: int

    def search(
        self, find: Search, rows: Rows, codes: np.ndarray, deadline: float
    ) -> tuple[SearchResult, int, np.ndarray, np.ndarray | None]:
        """Laws, the selected one, which rows they are fitted to ``(n_samples,)`` of bool, and the weights of these.

        "validation": a fifth of the rows of every group, at random, is held out; afterwards all constants are fitted to
        all rows. "extrapolation": the outer fifth of every group; laws stay as the inner rows gave them.
        """
        X, y, weight = rows
        out = self._held_out(X, codes, weight)
        if not out.any():
            raise ValueError(
                f"selection={self.rule!r} holds out rows of groups with {_FEWEST} rows or more, and there is no such "
                "group. Give more rows, or use selection='best'."
            )
        inner = X[~out], y[~out], None if weight is None else weight[~out]
        result, found = find(inner, codes[~out])
        result, best = self._selected(result, X[out], y[out], None if weight is None else weight[out], codes[out])
        if self.rule == "extrapolation":
            return result, best, ~out, found
        result, found = self._on_all_rows(result, rows, codes, deadline)
        return result, best, np.ones(len(y), dtype=bool), found

    def _held_out(self, X: np.ndarray, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        counted = np.ones(len(X), dtype=bool) if weight is None else weight > 0
        numbers = np.flatnonzero(counted)
        out = np.zeros(len(X), dtype=bool)
        enough = np.bincount(codes[numbers], minlength=int(codes.max()) + 1) >= _FEWEST
        if self.rule == "validation":
            _, fold = next(folds_of_groups(codes[numbers], round(1 / OUTER_FRACTION), self.seed))
            out[numbers[fold]] = True
            return out & enough[codes]
        for group in np.flatnonzero(enough).tolist():
            its = numbers[codes[numbers] == group]
            out[its[outer_rows(X[its])]] = True
        return out

    def _selected(self, result: SearchResult, X, y, weight, codes: np.ndarray) -> tuple[SearchResult, int]:
        """The laws that are defined on the rows held out, and the simplest that does well there."""
        laws, columns = side_by_side(result.front, codes)
        X, primitives = np.concatenate([X, columns], axis=1), self.settings.primitives
        errors = extrapolation_errors(laws, X, y, weight, primitives, self.epsilon is not None)
        if self.loss is not None:
            errors = outer_errors(self.loss, laws, (X, y, weight), self.settings)
        defined = np.flatnonzero(np.isfinite(errors)).tolist()
        if not defined:
            raise AllTrialsFailedError(
                f"No law of the groups that was found is defined on all of the {len(y)} rows held out. Use "
                "selection='best', which searches on all rows, or functions that are defined everywhere."
            )
        if self.rule == "extrapolation" or self.loss is not None or self.epsilon is not None:
            best = simplest_outside(errors[defined], len(y))
        else:
            squares = squared_errors([laws[i] for i in defined], X, y, weight, primitives)
            best = simplest_validated(errors[defined], squares)
        return replace(result, front=[result.front[i] for i in defined]), best

    def _on_all_rows(
        self, result: SearchResult, rows: Rows, codes: np.ndarray, deadline: float
    ) -> tuple[SearchResult, np.ndarray | None]:
        """The laws with the constants of all rows, and the weights of these."""
        X, y, given = rows
        weight = given
        if self.loss is not None or self.epsilon is not None:
            weight = weights_beside(result, self.loss, self.epsilon or math.nan, rows, codes, self.settings)
        ones = np.ones(len(y)) if weight is None else weight
        primitives, asked, front = self.settings.primitives, Asked(self.settings, None), []
        for law in result.front:
            moved = Refitting.of(law, primitives).on_rows(X, y, ones, codes, primitives, deadline)
            if self.loss is not None:
                about = (X, y, np.ones(len(y)) if given is None else given, codes)
                moved = with_least_loss(moved, self.loss, about, primitives, deadline)
            fits = math.isfinite(moved.loss) and asked.obeys(moved)  # which constants of all rows may not
            front.append(moved if fits else law)
        return replace(result, front=front, n_rows=len(y)), weight


def side_by_side(front: list[GroupLaw], codes: np.ndarray) -> tuple[list[GroupLaw], np.ndarray]:
    """Laws as those of one table, and its columns of own constants ``(n_samples, n_own)``: each reads its own ones."""
    places = np.cumsum([0, *(law.n_own for law in front)]).tolist()
    laws = [law.placed(first, places[-1]) for law, first in zip(front, places, strict=False)]
    return laws, np.concatenate([law.own[codes] for law in front], axis=1)
