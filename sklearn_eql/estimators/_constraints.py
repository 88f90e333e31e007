"""What a user knows of the law, in the settings of a search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_eql.constraints.reading import Constraints
from sklearn_eql.forms.form import Form
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.sparse.admission import all_of


def read_constraints(
    given: Iterable[Any] | None, names: Sequence[str], settings: SearchSettings, form: Form | None = None
) -> Constraints | None:
    """The parameter `constraints`, checked before any work starts.

    Raises
    ------
    ValueError
        Constraints that make no sense, see :meth:`Constraints.read`, or a `form` that has what the law must not have.
    """
    known = Constraints.read(given, names, settings.primitives)
    if known is None or form is None:
        return known
    without = [name for name in (names[column] for column in known.excluded) if name in form.reads]
    if without:
        raise ValueError(
            f"constraints and form: {without[0]!r} is in Without and in the form, which contradict each other. Leave "
            "it out of one."
        )
    return known


def searched_columns(X: np.ndarray, known: Constraints | None) -> np.ndarray:
    """The table of a search: columns that the law must not have are constant there."""
    if known is None or not known.excluded:
        return X
    X = X.copy()
    X[:, known.excluded] = 0.0
    return X


def constrained(
    settings: SearchSettings, known: Constraints | None, ranges: np.ndarray, y: np.ndarray
) -> SearchSettings:
    """The settings with what is known; `ranges` (2, n_features) are those of the training rows, `y` (n_samples,)."""
    if known is None:
        return settings
    return replace(
        settings,
        admission=all_of([settings.admission, known.admission]),
        demands=known.demands(ranges, y, settings.primitives),
    )
