"""What a loss says of rows of which the features have errors: how much each counts, or how its target scatters.

A row leaves over ``r``, of effective variance ``v`` (:mod:`sklearn_eql.uncertainty.both_axes`). Losses for rows that
may be wrong, "huber" and "absolute_error", count ``r / sqrt(v)``, so their weights multiply those of the row. Losses of
targets that scatter with their size, "relative_error", "log_error" and "poisson", say how: their weights are inverse
variances of the target, to which errors of the features add. A callable of a user, of which no more is known than its
slopes, is taken as the first kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.laws.losses import Loss, TorchLoss
from sklearn_eql.laws.outliers import huber_weights, in_scales
from sklearn_eql.search.errors_in_variables import Measured
from sklearn_eql.uncertainty.both_axes import Moved

# Standard deviations beyond which a row is wrong: fewer than without errors of features, because a law that is too
# steep has large effective variances, and rows that are wrong draw laws there.
_GROSS, _MOST_GROSS = 3.5, 0.25
_LEAST = 1e-6  # weight of a row that is wrong


@dataclass(frozen=True)
class MeasuredLoss:
    """A loss other than squares.

    Parameters
    ----------
    loss : Loss, TorchLoss or None
        None for Huber's.
    epsilon : float
        Of that.
    resolution : float
        Relative rounding error of the target.
    """

    loss: Loss | TorchLoss | None
    epsilon: float
    resolution: float

    def __call__(self, rows: Measured, moved: Moved) -> Measured:
        """The rows as the loss has them beside a law that they are moved onto."""
        scaled = moved.residuals / np.sqrt(moved.variance)
        if self.loss is None:
            if rows.y_error is None or np.mean(np.abs(scaled) > _GROSS) > _MOST_GROSS:
                scaled = in_scales(scaled, rows.y / np.sqrt(moved.variance), None, 0, self.resolution)
            factors = np.where(np.abs(scaled) > _GROSS, _LEAST, huber_weights(scaled, self.epsilon))
            return replace(rows, weight=rows.weight * factors)
        if self.loss.name == "absolute_error":
            factors = self.loss.weights(scaled, np.zeros(len(scaled)))
        else:
            factors = self.loss.weights(rows.y - moved.residuals, rows.y)
        usable = np.isfinite(factors) & (factors > 0)
        middle = float(np.median(factors[usable])) if usable.any() else 1.0
        factors = np.where(usable, factors / middle, 1.0)
        if self.loss.name == "absolute_error" or isinstance(self.loss, TorchLoss):
            return replace(rows, weight=rows.weight * factors)
        scale = 1 / np.sqrt(factors)
        if rows.y_error is not None:
            return replace(rows, y_error=rows.y_error * scale)
        return replace(rows, scale=scale)
