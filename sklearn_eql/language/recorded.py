"""A step of training as a CUDA graph: recorded once for every shape of a batch, then replayed in one launch.

A step on a small network is more than a thousand short kernels, and launching them takes the host several times as
long as they take the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sklearn_eql.language.ahead import Encoded
from sklearn_eql.language.tokens import PAD

_WARM_UPS = 3  # steps of a shape before it is recorded; they count


@dataclass
class _Shape:
    """What is kept of batches of one shape: places that the graph reads, the graph, and where it leaves the loss."""

    inputs: tuple[Tensor, Tensor, Tensor]
    seen: int = 0
    graph: torch.cuda.CUDAGraph | None = None
    loss: Tensor | None = None


@dataclass
class Recorded:
    """Steps on a GPU, replayed.

    Parameters
    ----------
    step : callable
        One whole step on tensors that are on the device: ``step(codes, X, y)`` returns the loss. It must not look at
        values on the host, and all that changes between steps (the learning rate) must be tensors.
    max_tokens : int
        Codes are padded to this, so that batches differ in their rows only.
    device : torch.device
        A CUDA device.
    """

    step: Callable[[Tensor, Tensor, Tensor], Tensor]
    max_tokens: int
    device: torch.device
    _shapes: dict[tuple[int, ...], _Shape] = field(default_factory=dict)

    def __call__(self, batch: Encoded) -> Tensor:
        """Take a step; returns its loss, on the device."""
        codes = np.full((len(batch), self.max_tokens), PAD, dtype=np.int64)
        codes[:, : batch.codes.shape[1]] = batch.codes
        values = [torch.from_numpy(array) for array in (codes, batch.X, batch.y)]
        shape = self._shapes.get(batch.X.shape)
        if shape is None:
            shape = self._shapes[batch.X.shape] = _Shape(tuple(value.to(self.device) for value in values))
        for place, value in zip(shape.inputs, values, strict=True):
            place.copy_(value)
        if shape.graph is None and shape.seen < _WARM_UPS:
            shape.seen += 1
            return self._warm_up(shape)
        if shape.graph is None:
            self._record(shape)
        shape.graph.replay()
        return shape.loss.clone()

    def _warm_up(self, shape: _Shape) -> Tensor:
        """A step outside of a graph, on a stream of its own, as recording asks for."""
        current, aside = torch.cuda.current_stream(self.device), torch.cuda.Stream(self.device)
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            loss = self.step(*shape.inputs)
        current.wait_stream(aside)
        return loss

    def _record(self, shape: _Shape) -> None:
        torch.cuda.synchronize(self.device)
        shape.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(shape.graph):
            shape.loss = self.step(*shape.inputs)
