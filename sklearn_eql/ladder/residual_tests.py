"""Is what a law leaves over noise, or is there something to explain?

Two tests. Neighbouring rows have like residuals where the law is incomplete: their products, summed over pairs of
nearest neighbours, are compared with what independent residuals give. And no polynomial of the features may explain
the residuals: an F-test, more powerful in many dimensions.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import f as f_distribution
from scipy.stats import norm

from sklearn_eql.sparse.levenberg_marquardt import residual_jacobian
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure

_DEPENDENT = 1e-6  # of the largest column: terms of which no more is new tell nothing
_SIGNIFICANCE = 1e-3  # chance of finding structure in noise, for each set of terms


def is_white(structure: Structure, problem: Problem) -> bool:
    """Whether no linear or quadratic form of the features and their logarithms explains the residuals.

    F-tests of the residuals on what each set of terms adds to the tangent space of the law: directions in which the
    fit has moved already hold no evidence.
    """
    _, jac, residual = residual_jacobian(structure, problem.primitives, problem.X, problem.y, problem.sample_weight)
    norms = np.linalg.norm(jac, axis=1)
    tangent, _ = np.linalg.qr((jac[norms > 0] / norms[norms > 0, None]).T)
    root = 1.0 if problem.sample_weight is None else problem.sample_weight.sqrt().numpy()[:, None]
    total = float(residual @ residual)
    if not np.isfinite(total) or total == 0:
        return bool(total == 0)
    if _have_like_neighbours(residual, problem):
        return False
    for terms in _dictionaries(problem):
        columns = terms * root
        columns = columns - tangent @ (tangent.T @ columns)
        q, r = np.linalg.qr(columns)
        used = np.abs(np.diag(r)) > _DEPENDENT * np.abs(np.diag(r)).max()
        q = q[:, used]
        n_terms, left = q.shape[1], len(residual) - tangent.shape[1] - q.shape[1]
        if left < 10 or not n_terms:
            continue
        explained = float(((q.T @ residual) ** 2).sum())
        ratio = (explained / n_terms) / max((total - explained) / left, 1e-300)
        if f_distribution.sf(ratio, n_terms, left) < _SIGNIFICANCE:
            return False
    return True


def _have_like_neighbours(residual: np.ndarray, problem: Problem) -> bool:
    X = problem.X.numpy()[:, np.flatnonzero(problem.importances)]
    X = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    _, neighbour = cKDTree(X).query(X, k=2)
    pairs = np.unique(np.sort(neighbour, axis=1), axis=0)  # mutual neighbours are one pair
    products = residual[pairs[:, 0]] * residual[pairs[:, 1]]
    # Each product has mean zero if the residuals are independent; a row may be in several pairs.
    z = products.sum() / max(np.sqrt((products**2).sum()), 1e-300)
    return bool(norm.sf(z) < _SIGNIFICANCE)


def _dictionaries(problem: Problem) -> list[np.ndarray]:
    """Rows of terms: the features and their logarithms; then also all products of two, and of three."""
    X = problem.X.numpy()
    used = np.flatnonzero(problem.importances)[:20]
    columns = [X[:, used]]
    signed = [f for f in used if problem.signs[f]]
    if signed:
        columns.append(np.log(np.abs(X[:, signed])))
    single = np.concatenate([np.ones((len(X), 1)), *columns], axis=1)
    found = [single]
    for block in columns:
        block = (block - block.mean(axis=0)) / np.where(block.std(axis=0) > 0, block.std(axis=0), 1.0)
        terms = single
        for degree in (2, 3):
            products = [
                block[:, list(c)].prod(axis=1) for c in combinations_with_replacement(range(block.shape[1]), degree)
            ]
            if len(products) + terms.shape[1] > len(X) // 4:
                break
            terms = np.concatenate([terms, np.stack(products, axis=1)], axis=1)
            found.append(terms)
    return found
