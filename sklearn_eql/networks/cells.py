"""Recurrent cells (Fig. 4 of the paper), many trials at once: from a state and a latent to the next state.

Shapes: `T` trials, `N` series, `S` states, `L` latents, `K` steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from sklearn_eql.networks.batched_eql import BatchedEQL


class EQLCell(torch.nn.Module):
    """One EQL network per state dimension, each of which sees all states and latents."""

    def __init__(
        self, n_states: int, n_latents: int, units, n_hidden_layers: int, seeds: Sequence[int], **options
    ) -> None:
        super().__init__()
        self.n_states = n_states
        per_state = [s for seed in seeds for s in np.random.SeedSequence(seed).generate_state(n_states).tolist()]
        self.network = BatchedEQL(
            n_states + n_latents, 1, units, n_hidden_layers, per_state, **options
        )  # T * S networks

    def forward(
        self, state: torch.Tensor, latent: torch.Tensor, flat: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | float]:
        """For states ``(T, N, S)``, latents ``(T, N, L)`` and weights ``(T * S, P)``.

        Returns
        -------
        output : Tensor of shape (T, N, S)
        violation : Tensor of shape (T,), or 0.0
            By how much arguments leave the domains of their functions, summed over the networks of a trial.
        """
        x = torch.cat([state, latent], dim=2).transpose(1, 2)  # (T, S + L, N)
        y, violation = self.network.propagate(x.repeat_interleave(self.n_states, dim=0), flat)  # (T * S, 1, N)
        if isinstance(violation, torch.Tensor):
            violation = violation.view(len(x), self.n_states).sum(dim=1)
        return y.view(len(x), self.n_states, -1).transpose(1, 2), violation


class ReLUCell(torch.nn.Module):
    """A plain network with ReLU units in place of the equations, for comparison (section IV-B: two layers of 50)."""

    def __init__(self, n_states: int, n_latents: int, layers: Sequence[int], seeds: Sequence[int]) -> None:
        super().__init__()
        widths = [n_states + n_latents, *layers, n_states]
        streams = [np.random.default_rng(seed) for seed in seeds]
        self.weights = torch.nn.ParameterList()
        self.biases = torch.nn.ParameterList()
        for fan_in, fan_out in pairwise(widths):
            bound = 1 / np.sqrt(fan_in)  # as torch.nn.Linear
            weights = np.stack([rng.uniform(-bound, bound, (fan_in, fan_out)) for rng in streams])
            biases = np.stack([rng.uniform(-bound, bound, (1, fan_out)) for rng in streams])
            self.weights.append(torch.nn.Parameter(torch.tensor(weights, dtype=torch.float32)))
            self.biases.append(torch.nn.Parameter(torch.tensor(biases, dtype=torch.float32)))

    def forward(self, state: torch.Tensor, latent: torch.Tensor, flat: None = None) -> tuple[torch.Tensor, float]:
        """As `EQLCell`, for states ``(T, N, S)`` and latents ``(T, N, L)``; defined everywhere."""
        h = torch.cat([state, latent], dim=2)
        for weights, biases in zip(self.weights, self.biases, strict=True):
            if weights is not self.weights[0]:
                h = torch.relu(h)
            h = torch.baddbmm(biases, h, weights)
        return h, 0.0
