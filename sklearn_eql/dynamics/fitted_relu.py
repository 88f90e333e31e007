"""A trained cell of ReLU units as plain arrays (the paper's comparison)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_eql.training.rollouts import Series


@dataclass(frozen=True)
class FittedReLU:
    """Weights of one network, and the scales of what it reads and returns."""

    weights: list[np.ndarray]  # (in, out) per layer
    biases: list[np.ndarray]  # (1, out)
    state_scale: np.ndarray  # (S,)
    step_scale: np.ndarray  # (S,)
    increments: bool  # whether the output is added to the state

    @classmethod
    def of(cls, cell, trial: int, series: Series, increments: bool) -> FittedReLU:
        """From trial number `trial` of a trained `ReLUCell`."""
        weights = [w.detach()[trial].double().cpu().numpy() for w in cell.weights]
        biases = [b.detach()[trial].double().cpu().numpy() for b in cell.biases]
        state, step = (s.double().cpu().numpy() * series.unit for s in (series.state_scale, series.step_scale))
        return cls(weights, biases, state, step, increments)

    def rollout(self, start: np.ndarray, latents: np.ndarray, n_steps: int) -> np.ndarray:
        """States after 1 to `n_steps` steps, ``(N, n_steps, S)``."""
        state, states = start, []
        for _ in range(n_steps):
            h = np.concatenate([state / self.state_scale, latents], axis=1)
            for layer, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
                h = (np.maximum(h, 0.0) if layer else h) @ weights + biases
            state = state + self.step_scale * h if self.increments else self.state_scale * h
            states.append(state)
        return np.stack(states, axis=1)
