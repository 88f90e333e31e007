"""Backward elimination of one fitted network: many terms at once, by the quadratic model at its optimum."""

from __future__ import annotations

import math

import numpy as np

from sklearn_eql.archive import NATS_PER_SYMBOL
from sklearn_eql.draft import without_terms
from sklearn_eql.problem import Problem
from sklearn_eql.snapping import with_round_exponents_fixed
from sklearn_eql.structure import Structure
from sklearn_eql.training.refine import FitResult, residual_jacobian

_STEPS = 12
_TRACE = 1e-12  # mean squared error, relative to the variance: what an exact law owes to coefficients not yet converged


def thin(result: FitResult, problem: Problem) -> FitResult:
    """The law without the terms that its rows do not support.

    Terms are removed one by one on the quadratic model around the optimum, the least salient first, all others adapting
    (the optimal brain surgeon of Hassibi and Stork, 1993, without a refit in between). The number that gives the
    shortest description is removed at once and the rest refitted; where the refit contradicts the model, half as many.
    """
    best = result
    while True:
        structure = best.structure
        order, rises = _elimination(structure, problem)
        level = best.loss if best.loss > problem.exact else max(problem.exact, _TRACE * float(problem.y.var()))
        count = _shortest(rises, level, len(problem.y))
        while count:
            places = _free_places(structure)
            child = without_terms(structure, [places[k] for k in order[:count]], problem.primitives)
            child = None if child is None else with_round_exponents_fixed(child)
            fitted = problem.fit([child], _STEPS)[:1] if child is not None else []
            if fitted and _is_shorter(best, fitted[0], problem):
                best = fitted[0]
                break
            count //= 2
        else:
            return best


def _free_places(structure: Structure) -> list[tuple[int, int]]:
    return [(f, i) for f, form in enumerate(structure.forms()) for i, (_, _, free) in enumerate(form) if free]


def _elimination(structure: Structure, problem: Problem) -> tuple[list[int], np.ndarray]:
    """Free coefficients in the order in which they go, and the mean squared error that is added by then, each (P,)."""
    values, jac, _ = residual_jacobian(structure, problem.primitives, problem.X, problem.y, problem.sample_weight)
    left = list(range(len(values)))
    order: list[int] = []
    rises: list[float] = []
    total = 0.0
    scale = np.linalg.norm(jac, axis=1)
    scale = np.where((scale > 0) & np.isfinite(scale), scale, 1.0)
    columns = np.nan_to_num(jac / scale[:, None])
    weights = values * scale
    while left:
        # Rows of R**-1 have the norms of the roots of [(J'J)**-1]_kk, without squaring the condition number.
        r = np.linalg.qr(columns[left].T, mode="r")
        diagonal = np.abs(np.diag(r))
        r[np.diag_indices_from(r)] += np.where(diagonal < 1e-14, 1e-14, 0.0)
        inverse = np.linalg.solve(r, np.eye(len(r)))
        norms = np.linalg.norm(inverse, axis=1)
        saliency = (weights[left] / norms) ** 2
        k = int(np.argmin(saliency))
        total += float(saliency[k])
        weights[left] -= inverse @ inverse[k] * weights[left[k]] / norms[k] ** 2
        order.append(left.pop(k))
        rises.append(total / len(problem.y))
    return order, np.array(rises)


def _shortest(rises: np.ndarray, loss: float, n_rows: int) -> int:
    """How many terms to remove for the shortest description of data and law."""
    removed = np.arange(1, len(rises) + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        change = n_rows * np.log1p(rises / loss) - removed * (math.log(n_rows) + NATS_PER_SYMBOL)
    change = np.where(np.isfinite(change), change, np.inf)
    return int(removed[np.argmin(change)]) if change.min() < 0 else 0


def _is_shorter(old: FitResult, new: FitResult, problem: Problem) -> bool:
    if not math.isfinite(new.loss):
        return False
    n_rows = len(problem.y)
    saved = old.structure.n_free - new.structure.n_free
    rise = math.log(max(new.loss, problem.exact)) - math.log(max(old.loss, problem.exact))
    return n_rows * rise < saved * (math.log(n_rows) + NATS_PER_SYMBOL)
