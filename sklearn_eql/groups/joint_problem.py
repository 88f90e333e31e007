"""A regression problem of several groups: a structure is judged by how well it fits each of them, with constants of its
own.

The search sees the rows of one group, the lead; what it proposes is fitted to the others as well. So everything that
proposes and prunes structures for one table does so for many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch

from sklearn_eql.sparse.description_length import description_length
from sklearn_eql.sparse.levenberg_marquardt import FitResult, levenberg_marquardt
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.program import SourceRows
from sklearn_eql.sparse.structure import Structure

_BRIEF = 8  # steps; fits of fewer are those of proposals, which get no further starts
_N_JITTERED = 3  # further starts of a group that a structure does not fit yet, around the constants of the lead ...
_N_NEIGHBOURS = 2  # ... and at those of the groups that it fits best
_SPREAD = 0.7  # of the logarithms of constants inside functions
_WORSE = 2.0  # a loss by this factor above that of the best groups may be a local optimum
_N_FURTHER = 4  # structures of a batch, the best of the lead, that get further starts
_MARGIN, _MARGIN_PER_ROW = (
    30.0,
    0.3,
)  # nats above the shortest description of the lead: beyond, no other group is fitted


@dataclass(frozen=True)
class GroupRows:
    """Rows of one group, in the scaled units of the problem."""

    rows: SourceRows  # (n, n_features)
    y: torch.Tensor  # (n,)
    sample_weight: torch.Tensor | None  # (n,)

    @property
    def n_rows(self) -> int:
        """How many."""
        return len(self.y)


@dataclass(frozen=True)
class JointProblem(Problem):
    """The problem of the lead, of which fits are those of all groups.

    Parameters
    ----------
    others : tuple of GroupRows
        Groups beside the lead.
    seed : int
        Of further starts.
    """

    others: tuple[GroupRows, ...] = ()
    seed: int = 0
    shortest: list[float] = field(default_factory=lambda: [math.inf])  # description of the lead so far

    @property
    def of_parts(self) -> Problem:
        """The problem of the lead alone, for what is no law yet."""
        own = {field.name: getattr(self, field.name) for field in fields(Problem)}
        return Problem(**{**own, "admission": None})

    def fit(self, structures: Sequence[Structure], max_iter: int) -> list[FitResult]:
        """As :meth:`Problem.fit`, with the mean loss of all groups; coefficients are those of the lead.

        The loss of structures that are no good for the lead is infinite.
        """
        return self._jointly(super().fit(structures, max_iter), max_iter)

    def fit_further(self, results: Sequence[FitResult], max_iter: int) -> list[FitResult]:
        """As :meth:`Problem.fit_further`, with the mean loss of all groups."""
        return self._jointly(super().fit_further(results, max_iter), max_iter)

    def judged(self, results: Sequence[FitResult]) -> list[FitResult]:
        """What was fitted to the lead elsewhere, with the mean loss of all groups."""
        return self._jointly(list(results), _BRIEF)

    def _jointly(self, lead: list[FitResult], max_iter: int) -> list[FitResult]:
        """What is fitted to the lead, with the mean loss of all groups."""
        if not self.others:
            return lead
        lengths = [self._length(r.form, r.loss) for r in lead]
        every = sorted(range(len(lead)), key=lengths.__getitem__)
        shortest = next((lengths[i] for i in every if self._behaves(lead[i], lengths[i])), math.inf)
        self.shortest[0] = min(self.shortest[0], shortest)
        limit = self.shortest[0] + _MARGIN + _MARGIN_PER_ROW * len(self.y)
        order = [i for i in every if lengths[i] <= limit]
        losses = self._losses([lead[i] for i in order], max_iter)
        n_rows = np.array([len(self.y), *(group.n_rows for group in self.others)])
        joint = dict(zip(order, (n_rows @ losses / n_rows.sum()).tolist(), strict=True))
        found = [joint.get(i, math.inf) for i in range(len(lead))]
        return [replace(r, loss=x if math.isfinite(x) else math.inf) for r, x in zip(lead, found, strict=True)]

    def _behaves(self, result: FitResult, length: float) -> bool:
        """Whether a law is one that others are measured by: one that behaves as is asked, if anything is."""
        if self.behaviour is None or not math.isfinite(length) or length >= self.shortest[0]:
            return True
        return not self.behaviour.excess(result.structure, self.primitives)

    def _length(self, structure: Structure, loss: float) -> float:
        if not math.isfinite(loss):
            return math.inf
        return description_length(max(loss, self.exact), len(self.y), structure.n_free, structure.n_symbols)

    def _losses(self, lead: list[FitResult], max_iter: int) -> np.ndarray:
        """Of every group (the lead first) and structure, ``(G, n_structures)``."""
        found = [np.array([r.loss for r in lead])]
        fitted: list[list[Structure]] = [[r.structure for r in lead]]
        for group in self.others:
            results = self._fitted_to(group, fitted[0], max_iter)
            found.append(np.array([r.loss for r in results]))
            fitted.append([r.structure for r in results])
        losses = np.array(found)
        if max_iter >= _BRIEF:
            rng = np.random.default_rng(self.seed)
            for k in range(min(_N_FURTHER, len(lead))):
                self._from_further_starts(k, losses, fitted, max_iter, rng)
        return losses

    def _from_further_starts(self, k: int, losses, fitted, max_iter: int, rng) -> None:
        """Fit a structure again to the groups that it fits worst; `losses` are lowered in place."""
        structure = fitted[0][k]
        if not any(free for unit in structure.units for arg in unit.args for _, _, free in arg):
            return  # linear: there is one optimum
        own = losses[:, k]
        level = max(float(np.nanmin(own)), self.exact) if np.isfinite(own).any() else math.inf
        worse = [g for g in range(1, len(own)) if not own[g] <= _WORSE * level]
        if not worse or not math.isfinite(level):
            return
        best = [fitted[g][k] for g in np.argsort(own)[:_N_NEIGHBOURS].tolist()]
        starts = [*best, *(jittered(best[0], rng) for _ in range(_N_JITTERED))]
        for g in worse:
            for result in self._fitted_to(self.others[g - 1], starts, max_iter):
                if result.loss < losses[g, k]:
                    losses[g, k], fitted[g][k] = result.loss, result.structure

    def _fitted_to(self, group: GroupRows, structures: Sequence[Structure], max_iter: int) -> list[FitResult]:
        return levenberg_marquardt(
            structures,
            self.primitives,
            group.rows,
            group.y,
            group.sample_weight,
            max_iter=max_iter,
            floor=self.exact / 100,
            deadline=self.deadline,
            device=self.device,
        )


def jittered(structure: Structure, rng: np.random.Generator) -> Structure:
    """The structure with its constants inside functions multiplied by random factors."""
    values = [c for unit in structure.units for arg in unit.args for _, c, free in arg if free]
    output = [c for _, c, free in structure.output if free]
    factors = np.exp(rng.normal(0.0, _SPREAD, len(values)))
    return structure.with_coefficients((np.array(values) * factors).tolist(), output)
