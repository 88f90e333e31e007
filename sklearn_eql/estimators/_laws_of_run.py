"""Laws that a fit keeps in its directory while it searches, of whatever kind, and an estimator that is put to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_eql.estimators._group_columns import GroupColumns
from sklearn_eql.forms.fitted import FittedForm, FormLaw, fitted_from_record
from sklearn_eql.groups.law import GroupLaw, group_law_from_record
from sklearn_eql.laws.law import Law, law_from_record, shortlist
from sklearn_eql.laws.selection import select
from sklearn_eql.laws.standing import standings
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.plain_files import NotPlainError, from_plain, read, to_plain
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.equation import Equation

LAWS, LAWS_KIND = "laws-{}.json", "table of laws of a run"
CURE = "Name the run_dir of a fit, or fit again in a fresh one."


@dataclass(frozen=True)
class TableOfFit:
    """What is known of a table when its search begins.

    Parameters
    ----------
    names : list of str
        Of the variables.
    single : bool
        Whether the target has one dimension.
    means, variances : list of float, one per output
    n_rows : int
    labels : list or None
        Of the groups, where there are some that a file of plain values holds.
    group_features : list of str or None
        Names of what is known of the groups.
    """

    names: list[str]
    single: bool
    means: list[float]
    variances: list[float]
    n_rows: int
    labels: list[Any] | None = None
    group_features: list[str] | None = None

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        y: np.ndarray,
        labels: Sequence[Any] | None = None,
        group_features: Sequence[str] | None = None,
    ) -> TableOfFit:
        """From names, targets (n_samples,) or (n_samples, n_outputs), and what is known of groups if there are any."""
        columns = y.reshape(len(y), -1)
        kept = None if labels is None else list(labels)
        try:
            to_plain(kept)
        except NotPlainError:
            kept = None
        about = None if group_features is None else list(group_features)
        with np.errstate(over="ignore"):
            means, variances = columns.mean(axis=0).tolist(), columns.var(axis=0).tolist()
        return cls(list(names), y.ndim == 1, means, variances, len(y), kept, about)

    def constant(self, k: int) -> Law:
        """The law that an output is known by before any is found: its mean."""
        equation = Equation(len(self.names), (), ((0, self.means[k]),))
        return Law(equation, self.variances[k], 1.0, 0.0, 1, 1, 1.0, 0)


def take_laws(estimator: Any, path: Path, table: TableOfFit) -> None:
    """Put an estimator to the laws that a fit had found last."""
    before = getattr(estimator, "_laws", [])
    found: list[list[Law]] = []
    for k in range(len(table.means)):
        ended = path / LAWS.format(k)
        files = [ended] if ended.exists() else sorted(path.glob(LAWS.format(f"{k}-*")))
        found.append([_law(from_plain(law)) for file in files for law in read(file, LAWS_KIND, CURE)])
    if table.labels is not None and (any(found) or not before):
        _take_laws_of_groups(estimator, found, table)
    elif table.labels is None or not before:
        laws = [[law for law in front if not isinstance(law, GroupLaw)] for front in found]
        older = before if len(before) == len(table.means) else [[table.constant(k)] for k in range(len(laws))]
        estimator._laws = [shortlist(new, table.n_rows) or old for new, old in zip(laws, older, strict=True)]
        estimator._grouped, estimator._names = None, table.names
        estimator._parametric = _fitted_forms(estimator._laws)
    rule = estimator.selection if isinstance(estimator.selection, str) else "best"
    estimator._best = [select(rule, laws, table.n_rows, None) for laws in estimator._laws]
    estimator._standings = [standings(laws, table.n_rows, None) for laws in estimator._laws]
    estimator._curvatures = None
    estimator._single, estimator.n_outputs_ = table.single, len(found)
    estimator.n_iter_, estimator.loss_curve_ = 0, estimator._unlist([[] for _ in found])
    estimator.stop_reason_ = estimator._unlist([str(StopReason.INTERRUPTED)] * len(found))
    estimator.interrupted_ = True


def _take_laws_of_groups(estimator: Any, found: Sequence[Sequence[Law]], table: TableOfFit) -> None:
    """The same of laws with constants of groups; an output that has none yet is its mean."""
    fronts: list[list[GroupLaw]] = []
    for k, laws in enumerate(found):
        front = [law for law in shortlist(laws, table.n_rows) if isinstance(law, GroupLaw)]
        fronts.append(front or [GroupLaw.of(table.constant(k), len(table.labels or ()))])
    columns = GroupColumns(fronts, table.names)
    estimator._laws, estimator._names = columns.placed, columns.names
    estimator._grouped = columns.described(table.labels or (), features=table.group_features)
    estimator._parametric = columns.parametric
    ranges = estimator._ranges[:, : len(table.names)]
    estimator._ranges = np.concatenate([ranges, columns.ranges], axis=1)


def _law(record: dict) -> Law:
    """A law of whatever kind from its record of plain values."""
    if "own" in record:
        return group_law_from_record(record)
    fitted = record.get("fitted")
    law = law_from_record(record)
    return law if fitted is None else FormLaw.of(law, fitted_from_record(fitted))


def _fitted_forms(fronts: Sequence[Sequence[Law]]) -> list[list[FittedForm]] | None:
    """What laws of a form are made of, and of a mean beside them nothing; None where there are no such laws."""
    if not any(isinstance(law, FormLaw) for front in fronts for law in front):
        return None
    return [[_fitted(law) for law in front] for front in fronts]


def _fitted(law: Law) -> FittedForm:
    if isinstance(law, FormLaw) and law.fitted is not None:
        return law.fitted
    return FittedForm(ParametricLaw(law.equation, (), ()), (), 0)
