"""How sure the numbers are that all groups share: their curvature, with the own constants following."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.parametric.fit import linearise
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive
from sklearn_eql.uncertainty.constants import Parameters
from sklearn_eql.uncertainty.curvature import Curvature


def shared_curvature(
    law: GroupLaw,
    parameters: Parameters,
    rows: GroupedRows,
    primitives: Mapping[str, Primitive],
    resolution: float,
    known: bool = False,
) -> Curvature:
    """Of the numbers of a law; a constant of every group is a degree of freedom less.

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
    """
    numbers = parameters.law
    names = tuple(f"c{k}" for k in range(law.n_own)) + numbers.names
    every = ParametricLaw(numbers.equation, names, (True,) * law.n_own + (False,) * len(numbers.names))
    with np.errstate(all="ignore"):
        at = linearise(every, rows, parameters.values, law.own, primitives)
    unit = float(np.abs(rows.y).max()) or 1.0
    columns = np.column_stack([at.by_shared, at.left]) / unit
    columns = np.where(np.isfinite(columns), columns, 0.0)
    ends = [*rows.first[1:].tolist(), len(columns)]
    for first, end in zip(rows.first.tolist(), ends, strict=True):
        its = slice(first, end)
        basis, _ = np.linalg.qr(at.by_own[its] * _inverse_lengths(at.by_own[its]))
        columns[its] -= basis @ (basis.T @ columns[its])
    triangle: np.ndarray = np.linalg.qr(columns, mode="r")
    missing = max(triangle.shape[1] - triangle.shape[0], 0)
    triangle = np.concatenate([triangle, np.zeros((missing, triangle.shape[1]))])
    n_rows = int(np.count_nonzero(rows.weight)) - law.own.size
    return Curvature(triangle, unit, n_rows, 1 / unit**2 if known else None, resolution)


def _inverse_lengths(columns: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(columns, axis=0)
    return 1 / np.where(lengths > 0, lengths, 1.0)
