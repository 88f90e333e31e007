"""Optimisers by name, for every training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch

OptimizerFactory = Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]


class _RMSpropOfOne(torch.optim.Optimizer):
    """RMSprop of one parameter, as that of torch without momentum, which takes twice as long for few weights."""

    def __init__(self, parameter: torch.nn.Parameter, lr: float, alpha: float, eps: float) -> None:
        super().__init__([parameter], {"lr": lr, "alpha": alpha, "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        (group,) = self.param_groups
        (parameter,) = group["params"]
        state, grad = self.state[parameter], parameter.grad
        if not state:
            state["square_avg"] = torch.zeros_like(parameter)
        mean = state["square_avg"].mul_(group["alpha"]).addcmul_(grad, grad, value=1 - group["alpha"])
        parameter.addcdiv_(grad, mean.sqrt().add_(group["eps"]), value=-group["lr"])


def _rmsprop(parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """With decay, epsilon and no momentum as in the authors' code."""
    parameters, how = list(parameters), {"lr": 1e-2, "alpha": 0.9, "eps": 1e-10}
    return _RMSpropOfOne(*parameters, **how) if len(parameters) == 1 else torch.optim.RMSprop(parameters, **how)


OPTIMIZERS: Mapping[str, OptimizerFactory] = {
    "adam": torch.optim.Adam,
    "rmsprop": _rmsprop,
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
