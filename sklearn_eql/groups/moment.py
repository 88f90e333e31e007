"""Laws of groups as they are in the middle of a search, for those who watch it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_eql._display import equation_text
from sklearn_eql.groups.asked import Asked
from sklearn_eql.groups.finishing import finished
from sklearn_eql.groups.fitted_form import Rows, fitted_alone
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.naming_forms import named
from sklearn_eql.laws.law import shortlist
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive
from sklearn_eql.progress import Watched
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Scaling, weighted_variance
from sklearn_eql.symbolic.canonical import rescale
from sklearn_eql.symbolic.equation import Frame
from sklearn_eql.symbolic.export import to_sympy

_N_LAWS = 2  # members, by score, that become laws
_MOST_ROWS = 2000  # that their constants are fitted to
_FEWEST = 10  # of each group, if it has them
_SPELLED_ON = 200  # rows
_SECONDS = 1.0  # for each law


@dataclass(frozen=True)
class LawsOfTheMoment:
    """Makes laws of structures, with all constants own.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y, weight : ndarray (n_samples,)
        In the frame of the search.
    groups : ndarray (n_samples,) of int
    scaling : Scaling
    asked : Asked
    y_unit : float
        Of the target.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    groups: np.ndarray
    scaling: Scaling
    asked: Asked
    y_unit: float

    def __call__(self, ranked: Sequence[FitResult]) -> list[GroupLaw]:
        """The laws of the first members by score, those that are asked for."""
        rows = self._rows()
        some = rows.grouped.X[:: max(1, len(rows.grouped.X) // _SPELLED_ON)]
        primitives, found = rows.primitives, []
        with np.errstate(all="ignore"):
            for result in ranked[:_N_LAWS]:
                equation = rescale(result.structure.to_equation(), self.scaling.x, self.scaling.y, primitives)
                spelt = named(equation, some, primitives)
                if spelt is None:
                    continue
                form = fitted_alone(spelt[0], spelt[1][None], rows)
                law = finished(form, rows, self.y_unit, self.asked.settings.admission)
                if law is not None and self.asked.obeys(law):
                    found.append(law.in_own_units(self.asked.frame, rows.grouped.X, rows.grouped.groups))
        return shortlist(found, rows.n_rows)

    def _rows(self) -> Rows:
        """Rows of all groups, spread evenly over those of each."""
        counted = np.flatnonzero(self.weight > 0)
        counted = counted[np.argsort(self.groups[counted], kind="stable")]
        codes = self.groups[counted]
        sizes = np.bincount(codes)
        most = max(_MOST_ROWS // len(sizes), _FEWEST)
        steps = np.maximum(sizes // most, 1)
        place = np.arange(len(codes)) - np.searchsorted(codes, codes)
        kept = counted[place % steps[codes] == 0]
        weight = self.weight[kept] / self.weight[kept].mean()
        grouped = GroupedRows.of(self.X[kept], self.y[kept], weight, self.groups[kept])
        variance = weighted_variance(self.y[kept], weight) or 1.0
        until = time.time() + _SECONDS * _N_LAWS
        return Rows(grouped, variance, self.scaling.exact, self.asked.primitives, until, admits=self.asked.admits)


def tell(
    watched: Watched,
    laws: Sequence[GroupLaw],
    frame: Frame | None,
    X: np.ndarray,
    groups: np.ndarray,
    primitives: Mapping[str, Primitive],
) -> None:
    """Tell those who watch of laws with constants told apart, which read rows in a frame."""
    best = min(laws, key=lambda law: law.description_length(len(groups)))
    names = [*watched.names, *(f"c{k}" for k in range(best.n_own))]

    def text() -> str:
        return equation_text(to_sympy(best.in_own_units(frame, X, groups).equation, names, primitives))

    def front() -> list[GroupLaw]:
        return [law.in_own_units(frame, X, groups) for law in laws]

    watched("constants", best.relative_loss, len(laws), tell=text, front=front)
