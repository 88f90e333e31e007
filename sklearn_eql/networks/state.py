"""Parameters of modules as plain arrays, which is how estimators keep them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


def parameters_of(module: nn.Module) -> dict[str, np.ndarray]:
    """State of a module as arrays, for pickles."""
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def load_parameters(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> nn.Module:
    """Put arrays of `parameters_of` into a fresh module."""
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    return module
