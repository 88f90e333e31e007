"""What a residual counts, where it is not its square: named losses, and those that a user writes with torch.

Each has, beside its value, weights under which squared residuals have the same slope in the prediction, row by row. A
fit of least squares with these weights, renewed at its outcome until they settle, ends where the loss has its minimum
(iteratively reweighted least squares). The searches know squares only, so that is also how they work under a loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch

_SMALLEST_RESIDUAL = 1e-3  # of the median one, whose weight is one over that
_LEAST_MEAN = 0.02  # of the mean count: expected counts have at least that variance
_WIDEST = 1e4  # weights of a user's loss are within this factor of their median
Values = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Loss:
    """A loss that is a mean over rows.

    Parameters
    ----------
    name : str
    rows : callable
        ``rows(prediction, y)``: what each row counts, at least 0; infinite or NaN where a prediction is impossible.
    weights : callable
        ``weights(prediction, y)``: of squared residuals, positive.
    center : callable
        ``center(y, weight)``: the constant of least loss.
    power : float
        To which the loss is in proportion to a squared residual: 2 for absolute ones.
    allowed : callable
        Which targets there may be.
    asks : str
        What is asked of the target, and a cure.
    starts_from_weights : bool
        Whether the first search has the weights of a perfect prediction, else those of a smooth one.
    """

    name: str
    rows: Values
    weights: Values
    center: Callable[[np.ndarray, np.ndarray], float]
    power: float
    allowed: Callable[[np.ndarray], np.ndarray]
    asks: str
    starts_from_weights: bool = False

    def check(self, y: np.ndarray, name: str = "y") -> None:
        """Raise ValueError for targets ``(n_samples,)`` that the loss has no meaning for."""
        wrong = ~self.allowed(y)
        if wrong.any() or (self.name == "poisson" and not y.any()):
            row = int(np.argmax(wrong))
            raise ValueError(f"loss={self.name!r} and {name} has {y[row]!r} in row {row}, expected {self.asks}.")

    def value(self, prediction: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
        """Weighted mean; infinite where any row has no finite value."""
        with np.errstate(all="ignore"):
            found = float(np.average(self.rows(prediction, y), weights=weight))
        return found if math.isfinite(found) else math.inf

    def level(self, value: float, y: np.ndarray, weight: np.ndarray | None) -> float:
        """The value in place of a relative squared error: as a share of that of the best constant."""
        share = np.ones(len(y)) if weight is None else weight
        constant = self.value(np.full(len(y), self.center(y, share)), y, weight)
        return (value / (constant or 1.0)) ** self.power


class TorchLoss:
    """A loss that a user writes: ``loss(prediction, y, weight)`` of float64 tensors ``(n_samples,)``, a scalar.

    Parameters
    ----------
    function : callable
    """

    name = "custom"
    starts_from_weights = False

    def __init__(self, function: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        self.function = function

    def check(self, y: np.ndarray, name: str = "y") -> None:
        """Raise where the loss is no differentiable scalar, or no smaller for a perfect prediction than for a constant.

        Raises
        ------
        TypeError
            No tensor, several numbers, or no gradient.
        ValueError
            Not finite, or not smaller.
        """
        prediction = torch.full((len(y),), float(np.mean(y)), dtype=torch.float64, requires_grad=True)
        with torch.enable_grad():
            found = self.function(
                prediction, torch.from_numpy(y.astype(float)), torch.ones(len(y), dtype=torch.float64)
            )
        if not isinstance(found, torch.Tensor) or found.numel() != 1 or not found.requires_grad:
            what = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else repr(found)
            raise TypeError(
                f"loss: the callable returned {what} for float64 tensors (prediction, y, weight), expected a scalar "
                "tensor with a gradient by prediction. Use torch operations, and take a sum or mean at the end."
            )
        constant, perfect = float(found.detach()), self.value(y, y, None)
        if not (math.isfinite(constant) and perfect < constant):
            raise ValueError(
                f"loss: the callable returned {constant!r} for a constant prediction, the mean of {name}, and "
                f"{perfect!r} for a perfect one, expected finite values, the second one smaller. Check the order of "
                "its arguments (prediction, y, weight) and its sign."
            )

    def value(self, prediction: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
        """What the callable returns; infinite if not finite."""
        with torch.no_grad():
            found = float(self.function(*_tensors(prediction, y, weight)))
        return found if math.isfinite(found) else math.inf

    def slopes(self, prediction: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> tuple[float, np.ndarray]:
        """The value, and its derivatives by the predictions, (n_samples,)."""
        at, target, share = _tensors(prediction, y, weight)
        at.requires_grad_()
        with torch.enable_grad():
            found = self.function(at, target, share)
            [slopes] = torch.autograd.grad(found.sum(), at)
        return float(found.detach()), slopes.numpy()

    def weights(self, prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Of squared residuals with the same slopes; those that have none of that sign count as the least."""
        _, slopes = self.slopes(prediction, y, None)
        with np.errstate(all="ignore"):
            found = slopes / (prediction - y)
        usable = np.isfinite(found) & (found > 0)
        middle = float(np.median(found[usable])) if usable.any() else 1.0
        return np.clip(np.where(usable, found, middle / _WIDEST), middle / _WIDEST, middle * _WIDEST)

    def level(self, value: float, y: np.ndarray, weight: np.ndarray | None) -> float:
        """How far the value is above that of a perfect prediction, as a share of what the mean of `y` is."""
        perfect = self.value(y, y, weight)
        constant = self.value(np.full(len(y), np.average(y, weights=weight)), y, weight)
        return max(value - perfect, 0.0) / ((constant - perfect) or 1.0)


def _tensors(prediction: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> tuple[torch.Tensor, ...]:
    weight = np.ones(len(y)) if weight is None else weight
    return tuple(torch.from_numpy(np.array(values, dtype=float)) for values in (prediction, y, weight))


def _mean(y: np.ndarray, weight: np.ndarray) -> float:
    return float(np.average(y, weights=weight))


def _median(y: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(y, kind="stable")
    total = np.cumsum(weight[order])
    return float(y[order][np.searchsorted(total, total[-1] / 2)])


def _mean_of_quotients(y: np.ndarray, weight: np.ndarray) -> float:
    """The constant of least relative squares."""
    return _mean(y, weight / y**2)


def _geometric_mean(y: np.ndarray, weight: np.ndarray) -> float:
    return math.exp(_mean(np.log(y), weight))


def _inverse_residual(prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
    size = np.abs(prediction - y)
    middle = float(np.median(size)) or float(size.max()) or 1.0
    return 1 / np.maximum(size, _SMALLEST_RESIDUAL * middle)


def _deviance(prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
    possible = (prediction > 0) | ((prediction == 0) & (y == 0))
    with np.errstate(all="ignore"):
        found = 2 * (prediction - y + np.where(y > 0, y * np.log(y / prediction), 0.0))
    return np.where(possible, found, np.inf)


def _inverse_mean(prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 1 / np.maximum(prediction, _LEAST_MEAN * y.mean())


def _log_squares(prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.where(prediction > 0, np.log(prediction / y) ** 2, np.inf)


def _log_slopes(prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``log(f/y) / (f * (f - y))``, which is ``1 / y**2`` where they are equal, and where `f` is impossible."""
    ratio = np.where(prediction > 0, prediction / y, 1.0)
    near = np.abs(ratio - 1) < 1e-6
    with np.errstate(all="ignore"):
        found = np.where(near, 1.0, np.log(ratio) / (ratio * (ratio - 1)))
    return found / y**2


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        loss.name: loss
        for loss in (
            Loss(
                "absolute_error",
                lambda f, y: np.abs(f - y),
                _inverse_residual,
                _median,
                2.0,
                lambda y: np.ones(len(y), dtype=bool),
                "any number",
            ),
            Loss(
                "relative_error",
                lambda f, y: (f / y - 1) ** 2,
                lambda f, y: 1 / y**2,
                _mean_of_quotients,
                1.0,
                lambda y: y != 0,
                "no zeros. Leave such rows out, or use 'squared_error'",
                starts_from_weights=True,
            ),
            Loss(
                "poisson",
                _deviance,
                _inverse_mean,
                _mean,
                1.0,
                lambda y: y >= 0,
                "counts: no negative numbers, and not all zero. Use 'squared_error' for other targets",
            ),
            Loss(
                "log_error",
                _log_squares,
                _log_slopes,
                _geometric_mean,
                1.0,
                lambda y: y > 0,
                "positive numbers. Leave other rows out, or use 'squared_error'",
                starts_from_weights=True,
            ),
        )
    }
)
"""Losses by name; squares and those of Huber have searches of their own."""


def loss_of(given: str | Callable) -> Loss | TorchLoss | None:
    """The loss of a name or callable; None for those that have searches of their own."""
    return TorchLoss(given) if callable(given) else LOSSES.get(given)


def check_targets(given: str | Callable, targets: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Raise for targets that a loss has no meaning for; see :meth:`Loss.check`."""
    loss = loss_of(given)
    if loss is not None:
        for y, name in zip(targets, names, strict=True):
            loss.check(y, name)
