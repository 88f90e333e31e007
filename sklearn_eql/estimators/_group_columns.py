"""The laws of groups of all outputs, side by side: columns of own constants, of which each law reads its own."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sklearn_eql.estimators._grouping import names_of_constants
from sklearn_eql.forms.fitted import FittedForm
from sklearn_eql.groups.curvature import Following
from sklearn_eql.groups.law import GroupLaw


@dataclass(frozen=True)
class GroupColumns:
    """Where own constants have their columns.

    Parameters
    ----------
    fronts : sequence of sequence of GroupLaw
        For each output, over the features and own constants.
    variables : sequence of str
        Names of the features.
    """

    fronts: Sequence[Sequence[GroupLaw]]
    variables: Sequence[str]

    @property
    def widths(self) -> list[int]:
        """Own constants of the law that has most, for each output."""
        return [max(law.n_own for law in front) for front in self.fronts]

    @property
    def firsts(self) -> list[int]:
        """Column of the first own constant of each output among all, and how many there are."""
        return np.cumsum([0, *self.widths]).tolist()

    @property
    def own_names(self) -> list[str]:
        """Of all columns of constants: those of a form keep their names, in each output."""
        named = [front[0].named for front in self.fronts]
        if all(found is not None for found in named):
            return [name for found in named if found is not None for name in found.own]
        return names_of_constants(self.variables, self.firsts[-1])

    @property
    def names(self) -> list[str]:
        """Of all columns."""
        return [*self.variables, *self.own_names]

    @property
    def placed(self) -> list[list[GroupLaw]]:
        """The laws over all columns."""
        firsts = self.firsts
        return [
            [law.placed(first, firsts[-1]) for law in front] for front, first in zip(self.fronts, firsts, strict=False)
        ]

    @property
    def ranges(self) -> np.ndarray:
        """Lowest and highest of the constants, ``(2, n_columns)``."""
        found = [np.empty((2, 0))]
        for front, width in zip(self.fronts, self.widths, strict=True):
            columns = [np.concatenate([law.own[:, k] for law in front if law.n_own > k]) for k in range(width)]
            found.append(np.array([[c.min() for c in columns], [c.max() for c in columns]]).reshape(2, width))
        return np.concatenate(found, axis=1)

    @property
    def parametric(self) -> list[list[FittedForm]] | None:
        """Forms with their shared constants, where a user wrote them."""
        named = [[law.named for law in front] for front in self.placed]
        if not all(found is not None for front in named for found in front):
            return None
        return [[FittedForm(n.law, n.values, len(n.values)) for n in front if n is not None] for front in named]

    def described(
        self,
        labels: Sequence[Hashable],
        following: Sequence[Sequence[Following | None]] | None = None,
        features: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Plain values, as :class:`~sklearn_eql.estimators._groups.GroupReader` reads them.

        Parameters
        ----------
        labels : sequence
            Of the groups.
        following : sequence of sequence of Following or None, optional
            For each law of each output, where it is known.
        features : sequence of str, optional
            Names of what is known of the groups.
        """
        outputs = []
        for k, front in enumerate(self.fronts):
            known = [None] * len(front) if following is None else following[k]
            outputs.append(
                {
                    "first": self.firsts[k],
                    "names": self.own_names[self.firsts[k] : self.firsts[k + 1]],
                    "constants": [law.own for law in front],
                    "errors": [law.own_errors for law in front],
                    "following": [None if f is None else (f.follow, f.half, f.of_laws) for f in known],
                    "laws": [[None if found is None else asdict(found) for found in law.laws] for law in front],
                }
            )
        named = None if features is None else list(features)
        return {"labels": list(labels), "features": named, "outputs": outputs}
