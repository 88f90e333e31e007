"""Optimisers by name, for every training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch

OptimizerFactory = Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]

OPTIMIZERS: Mapping[str, OptimizerFactory] = {
    "adam": torch.optim.Adam,
    # Decay, epsilon and no momentum as in the authors' code.
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, alpha=0.9, eps=1e-10),
}
"""Optimisers by the name that ``optimizer=`` takes; learning rates come from the phases."""


def make_optimizer(
    optimizer: str | OptimizerFactory, parameters: Iterable[torch.nn.Parameter]
) -> torch.optim.Optimizer:
    """An optimiser of some parameters, from its name in `OPTIMIZERS` or from a callable that makes one.

    Raises
    ------
    ValueError
        An unknown name.
    """
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer must be one of {sorted(OPTIMIZERS)} or a callable, got {optimizer!r}.")
        optimizer = OPTIMIZERS[optimizer]
    return optimizer(parameters)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameters of an optimiser the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
