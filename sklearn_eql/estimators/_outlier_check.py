"""After a fit by squared errors: did a few rows decide that may be wrong?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sklearn_eql.laws.law import Law
from sklearn_eql.laws.outliers import count_outliers
from sklearn_eql.primitives import Primitive


def n_outliers(
    law: Law, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, primitives: Mapping[str, Primitive]
) -> int:
    """How many rows are outliers of a law that is not exact, 0 if in doubt; rows without weight do not count."""
    if law.relative_loss <= law.exact:
        return 0
    root: np.ndarray | float = 1.0
    if sample_weight is not None:
        kept = sample_weight > 0
        X, y, root = X[kept], y[kept], np.sqrt(sample_weight[kept])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        residual = y - law.equation.evaluate(X, primitives)
    return count_outliers(X, residual * root, y * root, law.n_free)


def outlier_message(counts: Sequence[int], n_rows: int, names: Sequence[str]) -> str:
    """The warning for one or several outputs."""
    found = [f"{count} of {n_rows} rows of {name}" for count, name in zip(counts, names, strict=True) if count]
    return (
        f"{', '.join(found)} lie far from a law that fits the others, much farther than normal errors would. Squared "
        'errors let such rows decide. If they may be wrong, use loss="huber", or give them sample_weight=0.'
    )
