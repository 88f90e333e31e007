"""Starts that are sums of functions of one variable each, grown one at a time, all constants refitted every time.

Sums of exponentials, of bell curves, of waves with free frequencies: their constants are too many for a grid of all of
them, but each function alone shows in what the others leave over. Candidates are judged by what they explain beside
every direction in which the fit could still move.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.scan.places import Entry, entries_of
from sklearn_eql.sparse.editing import EditableStructure
from sklearn_eql.sparse.levenberg_marquardt import FitResult, residual_jacobian
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure

_MAX_FEATURES = 2  # in more, a sum of functions of one variable each has too many rivals
_MAX_TERMS = 4
_BEAM = 5  # sums of each size that are grown
_PER_KIND = 2  # candidates of a kind that a sum is grown by
_STEPS = 25  # of Levenberg-Marquardt
_INDEPENDENT = 1e-4  # share of a candidate that must be new


def sums(generator: TermGenerator) -> Iterator[Terms]:
    """The best sums of one, two, ... functions, smaller ones first."""
    problem = generator.problem
    if len(generator.features) > _MAX_FEATURES:
        return
    entries = [e for f in generator.features for e in entries_of(generator.rows[:, f - 1], f, generator.has)]
    alive = _fitted(problem, [[[0, 1.0]]])
    for _ in range(_MAX_TERMS):
        longer = []
        for total in alive:
            if time.time() > problem.deadline:
                return
            longer += list(_longer(problem, total, entries))
        alive = sorted(_fitted(problem, longer), key=lambda total: total.loss)[:_BEAM]
        for total in alive:
            yield EditableStructure(total.structure).output
        if not alive or alive[0].loss < problem.exact:
            return


def _fitted(problem: Problem, sums_: list[Terms]) -> list[FitResult]:
    """One for each loss: a sum may be reached in any order of its terms."""
    structures = []
    for terms in sums_:
        editable = EditableStructure(Structure(len(problem.signs), (), ()))
        editable.output = terms
        structure = editable.finish(problem.primitives)
        if structure is not None and structure.n_free <= problem.max_free:
            structures.append(structure)
    found = {f"{r.loss:.6g}": r for r in problem.fit(structures, _STEPS) if math.isfinite(r.loss)}
    return list(found.values())


def _longer(problem: Problem, total: FitResult, entries: Sequence[Entry]) -> Iterator[Terms]:
    """The sum and one function more: the best few of each kind, by what they explain beside the tangent space."""
    _, jac, residual = residual_jacobian(
        total.structure, problem.primitives, problem.X, problem.y, problem.sample_weight
    )
    size = np.linalg.norm(jac, axis=1)
    if not (np.isfinite(size).all() and np.isfinite(residual).all()):
        return
    tangent, _ = np.linalg.qr((jac[size > 0] / size[size > 0, None]).T)
    root = problem.root.numpy()
    kept: dict[str, list[tuple[float, Entry, np.ndarray]]] = {}
    for entry in entries:
        columns = (entry.columns * root).T  # (N, K)
        length = np.linalg.norm(columns, axis=0)
        new = columns - tangent @ (tangent.T @ columns)
        if not (np.linalg.norm(new, axis=0) > _INDEPENDENT * length).all():
            continue
        weights, *_ = np.linalg.lstsq(new, residual, rcond=None)
        gain = float(residual @ (new @ weights))
        best = kept.setdefault(entry.kind, [])
        best.append((gain, entry, weights))
        best.sort(key=lambda item: -item[0])
        del best[_PER_KIND:]
    for best in kept.values():
        for _, entry, weights in best:
            yield [*EditableStructure(total.structure).output, [entry.make(weights), 1.0]]
