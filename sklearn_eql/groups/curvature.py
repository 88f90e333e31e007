"""How sure the numbers of a law of groups are: those that all groups share, and the own constants that follow them.

With the derivatives by shared numbers `p`, by own constants `o` and by constants `q` of laws of own constants, all
divided by the noise, ``o`` is eliminated group by group, then ``q``: what is left of the columns of ``p`` is their
curvature. Where ``p`` moves, own constants follow by ``-D**-1 B`` of the arrow ``[[A, B'], [B, D]]``; where it rests,
they have an error of their own, of covariance ``D**-1``. The two are independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sklearn_eql.groups.constant_laws import numbers_of_law
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.parametric.fit import linearise
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.uncertainty.both_axes import by_features
from sklearn_eql.uncertainty.constants import Parameters
from sklearn_eql.uncertainty.curvature import Curvature, derivatives

_DEPENDENT = 1e-11  # singular values, of columns of unit length, below which constants say the same
_ROUNDING = 1e-10  # of the length of a column, that is left where other columns explain it
_ROWS_AT_ONCE = 2**13  # of which derivatives are computed


@dataclass(frozen=True)
class Following:
    """How own constants move with the `P` shared numbers of a law, and how sure they are where these are known.

    Parameters
    ----------
    follow : ndarray (G, O, P)
        Derivatives of the own constants by the shared numbers, at the optimum of each group.
    half : ndarray (G, O, M)
        ``half @ half.T`` is the covariance that is left, for residuals of variance one; infinite where the rows of a
        group do not determine its constants.
    of_laws : tuple of ndarray (Q, P) and (Q, Q)
        The same of the constants of laws of own constants.
    """

    follow: np.ndarray
    half: np.ndarray
    of_laws: tuple[np.ndarray, np.ndarray]

    def at(self, laws: list[Equation], numbers: np.ndarray, primitives: Mapping[str, Primitive]) -> Following:
        """Of other groups, whose own constants are all laws of their numbers ``(G, F)``."""
        slopes = _slopes_of_laws(laws, numbers, primitives)
        return Following(slopes @ self.of_laws[0], slopes @ self.of_laws[1], self.of_laws)


def curvature_of_groups(
    law: GroupLaw,
    parameters: Parameters,
    rows: GroupedRows,
    primitives: Mapping[str, Primitive],
    resolution: float,
    known: bool = False,
    values: np.ndarray | None = None,
) -> tuple[Curvature, Following]:
    """Of the numbers of a law, an own constant being a degree of freedom less; and of its own constants.

    Parameters
    ----------
    law : GroupLaw
        Of features and its own constants, without further columns.
    parameters : Parameters
        Its numbers.
    rows : GroupedRows
    resolution : float
        Relative rounding error of the target.
    known : bool
        Whether weights are inverse variances of the target.
    values : ndarray (G, F), optional
        Numbers of the groups, or their features, where own constants are laws of these.
    """
    numbers = parameters.law
    names = tuple(f"c{k}" for k in range(law.n_own)) + numbers.names
    every = ParametricLaw(numbers.equation, names, (True,) * law.n_own + (False,) * len(numbers.names))
    with np.errstate(all="ignore"):
        at = linearise(every, rows, parameters.values, law.own, primitives)
    counted = int(np.count_nonzero(rows.weight))
    factor = counted / float(rows.weight.sum())
    unit = float(np.abs(rows.y).max()) or 1.0
    root = np.sqrt(factor) / unit
    own = _finite(at.by_own * root)
    left = [k for k, found in enumerate(law.laws) if found is None]
    laws = [found for found in law.laws if found is not None]
    slopes = np.zeros((rows.n_groups, law.n_own, 0))
    if laws and values is not None:
        slopes = np.zeros((rows.n_groups, law.n_own, sum(len(numbers_of_law(f, primitives)[1]) for f in laws)))
        slopes[:, [k for k in range(law.n_own) if k not in left]] = _slopes_of_laws(laws, values, primitives)
    n_inner = slopes.shape[2]
    inner = np.einsum("no,noq->nq", own, slopes[rows.groups])
    columns = np.column_stack([inner, _finite(np.column_stack([at.by_shared, at.left]) * root)])
    before = np.linalg.norm(columns, axis=0)
    follow = np.zeros((rows.n_groups, law.n_own, columns.shape[1] - 1))
    follow[:, :, :n_inner] = slopes
    half = np.zeros((rows.n_groups, law.n_own, len(left)))
    ends = [*rows.first[1:].tolist(), len(columns)]
    for g, (first, end) in enumerate(zip(rows.first.tolist(), ends, strict=True)):
        its = slice(first, end)
        part, half[g, left] = _eliminated(own[its][:, left], columns[its])
        follow[g, left] += part
    part, of_laws = _eliminated(columns[:, :n_inner], columns[:, n_inner:])
    half = np.concatenate([half, follow[:, :, :n_inner] @ of_laws], axis=2)
    following = Following(follow[:, :, n_inner:] + follow[:, :, :n_inner] @ part, half, (part, of_laws))
    made_up = np.linalg.norm(columns, axis=0) <= _ROUNDING * before
    columns[:, np.append(made_up[:-1], False)] = 0.0  # numbers that own constants make up for
    triangle: np.ndarray = np.linalg.qr(columns[:, n_inner:], mode="r")
    missing = max(triangle.shape[1] - triangle.shape[0], 0)
    triangle = np.concatenate([triangle, np.zeros((missing, triangle.shape[1]))])
    n_rows = counted - len(left) * rows.n_groups - n_inner
    return Curvature(triangle, unit, n_rows, factor / unit**2 if known else None, resolution), following


def following_of_rows(
    parameters: Parameters,
    first: int,
    n_own: int,
    X: np.ndarray,
    weight: np.ndarray,
    unit: float,
    primitives: Mapping[str, Primitive],
) -> tuple[np.ndarray, np.ndarray]:
    """`follow` ``(O, P)`` and `half` ``(O, O)`` of one more group, from its rows.

    Parameters
    ----------
    first, n_own : int
        Columns of the own constants of the law.
    X : ndarray (n_samples, n_columns)
        Features, and constants of the group.
    weight : ndarray (n_samples,)
    unit : float
        That of the curvature of the law.
    """
    root = np.sqrt(weight)[:, None] / unit
    with np.errstate(all="ignore"):
        _, by_shared = derivatives(parameters.law, parameters.values, X, primitives)
        _, by_column = by_features(parameters.law, parameters.values, X, primitives)
    own = _finite(by_column[:, first : first + n_own] * root)
    return _eliminated(own, np.column_stack([_finite(by_shared * root), np.zeros(len(X))]))


def deviations_in_groups(
    parameters: Parameters,
    curvature: Curvature,
    following: Following,
    first: int,
    codes: np.ndarray,
    X: np.ndarray,
    primitives: Mapping[str, Primitive],
) -> np.ndarray:
    """Standard errors of the values of a law on rows ``(n,)``, by the delta method; nan where it is undefined.

    Parameters
    ----------
    first : int
        Column of the first own constant of the law.
    codes : ndarray (n,) of int
        Groups of the rows, as in `following`.
    X : ndarray (n, n_columns)
        Features, and constants of the groups.
    """
    found, groups = parameters.estimates(curvature)
    n_own = following.follow.shape[1]
    unknown = ~np.isfinite(following.half).all(axis=(1, 2))
    half = np.where(unknown[:, None, None], 0.0, following.half)
    deviation = np.empty(len(X))
    for start in range(0, len(X), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        with np.errstate(all="ignore"):
            values, slopes = derivatives(parameters.law, parameters.values, X[some], primitives)
            _, by_column = by_features(parameters.law, parameters.values, X[some], primitives)
            by_own = by_column[:, first : first + n_own]
            slopes = slopes + np.einsum("no,nop->np", by_own, following.follow[codes[some]])
            rest = found.noise * np.linalg.norm(np.einsum("no,nom->nm", by_own, half[codes[some]]), axis=1)
            total = np.hypot(found.deviations(slopes @ groups), rest)
            total = np.where(unknown[codes[some]], np.inf, total)
            deviation[some] = np.where(np.isfinite(values), total, np.nan)
    return deviation


def _slopes_of_laws(laws: list[Equation], numbers: np.ndarray, primitives: Mapping[str, Primitive]) -> np.ndarray:
    """Derivatives of laws of own constants by the constants of all of them, ``(G, n_laws, Q)``."""
    parts = []
    for law in laws:
        named, values = numbers_of_law(law, primitives)
        with np.errstate(all="ignore"):
            parts.append(_finite(derivatives(named, values, numbers, primitives)[1]))
    slopes = np.zeros((len(numbers), len(laws), sum(part.shape[1] for part in parts)))
    place = 0
    for k, part in enumerate(parts):
        slopes[:, k, place : place + part.shape[1]] = part
        place += part.shape[1]
    return slopes


def _eliminated(own: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How the constants of some columns follow all other columns but the last, and their own half of a covariance.

    What they explain is taken from `columns` in place.
    """
    n_own = own.shape[1]
    size = np.linalg.norm(own, axis=0)
    u, s, v = np.linalg.svd(own / np.where(size > 0, size, 1.0), full_matrices=False)
    kept = s > _DEPENDENT * max(float(s[0]) if len(s) else 0.0, 1e-300)
    root = (v[kept] / np.where(size > 0, size, 1.0)).T / s[kept]  # (O, rank)
    part = u[:, kept].T @ columns
    columns -= u[:, kept] @ part
    half = np.full((n_own, n_own), np.inf)
    if kept.sum() == n_own:
        half = root
    return -(root @ part)[:, :-1], half


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, 0.0)
