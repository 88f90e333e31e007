"""Columns as people bring them, for laws to be learnt from: uniform, normal, over decades, on a grid; of any scale."""

from __future__ import annotations

import numpy as np

_MAX_SPREAD = 1.7  # decades of a uniform column of one sign: largest over smallest is 1.2 to 50
_MAX_DECADES = 3.0  # of one that is uniform in its logarithm
_GRIDS = 0.25  # share of columns on a grid
_CENTRES = 2.0  # of normal columns, in standard deviations


def random_columns(n_tables: int, n_rows: int, n_columns: int, rng: np.random.Generator) -> np.ndarray:
    """Columns of random kinds with a root mean square of one, shape ``(n_tables, n_rows, n_columns)``.

    Two in five are uniform and positive, one in five each uniform around zero, over decades, and normal; of the uniform
    ones a quarter are on a grid. One in ten has its sign changed.
    """
    shape = (n_tables, 1, n_columns)
    kind = rng.integers(0, 5, shape)
    u = rng.random((n_tables, n_rows, n_columns), dtype=np.float32)
    tables, columns = np.nonzero(rng.random((n_tables, n_columns)) < _GRIDS)
    u[tables, :, columns] = u[tables, :, columns].argsort(axis=1).argsort(axis=1) / (n_rows - 1)
    ratio = 10.0 ** rng.uniform(0.08, _MAX_SPREAD, shape)
    positive = 1 / ratio + (1 - 1 / ratio) * u
    centred = 2 * u - 1 + rng.uniform(-0.5, 0.5, shape) * (rng.random(shape) < 0.3)
    decades = 10.0 ** (u * rng.uniform(0.5, _MAX_DECADES, shape))
    normal = rng.standard_normal(u.shape, dtype=np.float32) + rng.uniform(-_CENTRES, _CENTRES, shape) * (
        rng.random(shape) < 0.5
    )
    columns = np.select([kind < 2, kind == 2, kind == 3], [positive, centred, decades], normal)
    columns *= np.where((rng.random(shape) < 0.1) & (kind != 4), -1.0, 1.0)
    return columns / np.sqrt(np.mean(columns**2, axis=1, keepdims=True))
