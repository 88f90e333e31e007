"""A law of motion at work: the next state, and roll-outs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from sklearn_eql.dynamics.runge_kutta import advance
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.equation import Equation


class LawCell:
    """The step that laws describe, from states (R, S) and latents (R, L) to the next states (R, S), in float64."""

    def __init__(
        self, equations: Sequence[Equation], primitives: Mapping[str, Primitive], form: str, dt: float
    ) -> None:
        self.equations, self.primitives, self.form, self.dt = list(equations), primitives, form, dt

    def __call__(self, states: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        if self.form == "update":
            return self._values(states, latents)
        if self.form == "increment":
            return states + self.dt * self._values(states, latents)
        return advance(lambda s: self._values(s, latents), states, self.dt)

    def _values(self, states: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        features = torch.cat([states, latents], dim=1)
        return torch.stack([equation.forward(features, self.primitives) for equation in self.equations], dim=1)

    def rollout(self, start: np.ndarray, latents: np.ndarray, n_steps: int) -> np.ndarray:
        """States after 1 to `n_steps` steps, ``(N, n_steps, S)``; NaN or infinite once they explode."""
        state, z = torch.from_numpy(np.array(start, dtype=np.float64)), torch.from_numpy(latents)
        states = []
        for _ in range(n_steps):
            state = self(state, z)
            states.append(state)
        return torch.stack(states, dim=1).numpy()
