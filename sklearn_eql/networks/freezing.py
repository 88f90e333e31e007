"""Thresholding: which weights are zero for good, and gates that are closed for good."""

from __future__ import annotations

import torch

from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.networks.penalties import HardConcreteGates


def freeze(network: BatchedEQL, threshold: float, gates: HardConcreteGates | None = None) -> None:
    """End a phase (Appendix A): close gates for good, freeze weights below `threshold`, and those that lead nowhere.

    Weights take what their gates leave of them on average, so that the caller has no more use for the gates, and none
    for a penalty of gates. Those whose gate is closed are frozen whatever the threshold.
    """
    if gates is not None:
        network.flat.data = gates.expected(network.flat.data)
        threshold = max(threshold, torch.finfo(network.flat.dtype).tiny)
    freeze_small(network, threshold)
    freeze_dead(network)


def freeze_small(network: BatchedEQL, threshold: float) -> None:
    """Set weights with ``|w| < threshold`` to zero and freeze them (Appendix A, end of the first phase).

    NaN counts as small, so that a diverged trial ends with no terms rather than undefined ones.
    """
    keep = network.mask & (network.flat.detach().abs() >= threshold)
    network.mask = keep
    network.flat.data = torch.where(keep, network.flat.data, 0.0)


def freeze_dead(network: BatchedEQL) -> None:
    """Freeze weights into units whose output is used nowhere; no output changes."""
    layers = network.split(network.mask.clone())
    for layer in range(network.n_hidden_layers - 1, -1, -1):
        used = layers[layer + 1].any(dim=2)  # (T, U)
        layers[layer] &= network.spread(used)[:, None, :]
    network.mask = torch.cat([layer.flatten(1) for layer in layers], dim=1)
    network.flat.data = torch.where(network.mask, network.flat.data, 0.0)


def count_active(flat: torch.Tensor) -> torch.Tensor:
    """Number of nonzero weights of each trial, shape ``(T,)``."""
    return (flat != 0).sum(dim=1)
