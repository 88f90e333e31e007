"""Sparsity penalties: smoothed L0.5 (eq. 3), L1, and relaxed L0 with hard-concrete gates (Appendix B).

A penalty has two methods. ``value`` is what it costs, one number per trial. ``gates`` returns the trainable gates that
multiply the weights while they train, or ``None`` for penalties that act on the weights themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

_GATE_INIT_SD = 1e-2  # spread of the initial log(alpha), as in Louizos et al. (2017) and the authors' code
_NOISE_MARGIN = 1e-6  # uniform noise is kept this far from 0 and 1
_NOISE_STREAM = 0x1E0  # separates gate noise from initial weights drawn from the same seed


class Penalty(Protocol):
    """What training asks of a penalty."""

    def gates(self, weights: torch.Tensor, seeds: Sequence[int]) -> HardConcreteGates | None:
        """Gates for `weights` of shape ``(T, P)``, seeded per trial, or None."""

    def value(self, weights: torch.Tensor, gates: HardConcreteGates | None = None) -> torch.Tensor:
        """Penalty of each trial, shape ``(T,)``, differentiable."""


@dataclass(frozen=True)
class SmoothedL05:
    r"""Smoothed :math:`L_{0.5}`, eq. (3): :math:`|w|^{1/2}`, rounded off where :math:`|w| < a`.

    Parameters
    ----------
    threshold : float
        `a` of eq. (3). The paper states 0.01 (its public code has 0.05).
    """

    threshold: float = 0.01

    def gates(self, weights: torch.Tensor, seeds: Sequence[int]) -> None:
        return None

    def value(self, weights: torch.Tensor, gates: HardConcreteGates | None = None) -> torch.Tensor:
        return _SmoothedRoot.apply(weights, self.threshold)  # (T,)


@dataclass(frozen=True)
class L1:
    """Sum of absolute weights, the penalty of the first EQL networks (Martius and Lampert, 2016)."""

    def gates(self, weights: torch.Tensor, seeds: Sequence[int]) -> None:
        return None

    def value(self, weights: torch.Tensor, gates: HardConcreteGates | None = None) -> torch.Tensor:
        return weights.abs().sum(dim=1)  # (T,)


@dataclass(frozen=True)
class HardConcreteL0:
    r"""Relaxed :math:`L_0` (Appendix B; Louizos, Welling and Kingma, 2017): :math:`W = \tilde W \odot z`.

    Parameters
    ----------
    beta, gamma, zeta : float
        Temperature and stretch of the hard concrete distribution.
    droprate_init : float
        Probability with which a gate starts closed (before stretching).
    """

    beta: float = 2 / 3
    gamma: float = -0.1
    zeta: float = 1.1
    droprate_init: float = 0.5

    def gates(self, weights: torch.Tensor, seeds: Sequence[int]) -> HardConcreteGates:
        return HardConcreteGates(self, weights, seeds)

    def value(self, weights: torch.Tensor, gates: HardConcreteGates | None = None) -> torch.Tensor:
        # Expected number of open gates: sum of sigmoid(log(alpha) - beta * log(-gamma / zeta)).
        return torch.sigmoid(gates.log_alpha - self.beta * math.log(-self.gamma / self.zeta)).sum(dim=1)  # (T,)


class HardConcreteGates:
    """One gate per weight and trial; trainable ``log_alpha`` of shape ``(T, P)``.

    A trial must see the same noise alone and in a batch, and a generator per trial and step would dominate the time of
    a step. So one stream, common to all trials, is rotated by a fixed uniform offset that each trial draws from its
    own seed: ``u = frac(common + offset)`` is exactly uniform and independent over weights and steps.
    """

    def __init__(self, penalty: HardConcreteL0, weights: torch.Tensor, seeds: Sequence[int]) -> None:
        self.penalty = penalty
        self._odds = math.log(1 - penalty.droprate_init) - math.log(penalty.droprate_init)
        log_alpha, offset = self._draw(weights, seeds)
        self.log_alpha = torch.nn.Parameter(log_alpha)  # (T, P)
        self._offset = offset  # (T, P)
        self._common = torch.Generator().manual_seed(_NOISE_STREAM)

    def _draw(self, weights: torch.Tensor, seeds: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        rngs = [np.random.default_rng((seed, _NOISE_STREAM)) for seed in seeds]
        n_weights = weights.shape[1]
        log_alpha = np.stack([self._odds + _GATE_INIT_SD * rng.standard_normal(n_weights) for rng in rngs])
        offset = np.stack([rng.random(n_weights) for rng in rngs])
        return torch.as_tensor(log_alpha).to(weights), torch.as_tensor(offset).to(weights)

    def restart(self, rows: torch.Tensor, seeds: Sequence[int]) -> None:
        """Fresh gates for the trials in `rows`."""
        log_alpha, offset = self._draw(self.log_alpha.detach()[rows], seeds)
        with torch.no_grad():
            self.log_alpha[rows] = log_alpha
        self._offset[rows] = offset

    def keep(self, rows: torch.Tensor) -> None:
        """Drop the noise of all trials but `rows` (``log_alpha`` is shrunk with the other parameters)."""
        self._offset = self._offset[rows]

    def sample(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights times stochastic gates, for training; shape ``(T, P)``."""
        p = self.penalty
        common = torch.rand(weights.shape[1], generator=self._common).to(weights)  # (P,)
        noise = (self._offset + common).frac_()  # (T, P)
        s = torch.sigmoid((torch.logit(noise, eps=_NOISE_MARGIN) + self.log_alpha) / p.beta)
        return weights * (s * (p.zeta - p.gamma) + p.gamma).clamp(0, 1)

    def expected(self) -> torch.Tensor:
        """Deterministic gates in [0, 1], for evaluation; exact zeros where closed; shape ``(T, P)``."""
        p = self.penalty
        return (torch.sigmoid(self.log_alpha.detach()) * (p.zeta - p.gamma) + p.gamma).clamp(0, 1)


class _SmoothedRoot(torch.autograd.Function):
    """Eq. (3) summed over weights, with its derivative in closed form (a third of autograd's kernels).

    With ``r = clip(w / a, -1, 1)``, both branches of eq. (3) are the root of one expression::

        s = |w| - a|r| + a (3/8 + 3/4 r^2 - 1/8 r^4),    ds/dw = 3/2 r - 1/2 r^3
    """

    @staticmethod
    def forward(ctx, weights: torch.Tensor, a: float) -> torch.Tensor:
        r = (weights / a).clamp_(-1, 1)  # (T, P)
        r2 = r * r
        smooth = (r2 * -0.125).add_(0.75).mul_(r2).add_(0.375).sub_(r.abs()).mul_(a).add_(weights.abs())
        root = smooth.sqrt_()
        ctx.save_for_backward(r, r2, root)
        return root.sum(dim=1)  # (T,)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        r, r2, root = ctx.saved_tensors
        return (r2 * -0.25).add_(0.75).mul_(r).div_(root).mul_(grad[:, None]), None


PENALTIES = {"l05": SmoothedL05, "l0": HardConcreteL0, "l1": L1}
"""Penalties by the name that ``penalty=`` takes."""


def resolve_penalty(penalty: str | Penalty) -> Penalty:
    """A penalty object from its name (``"l05"``, ``"l0"``, ``"l1"``) or from an object with the two methods."""
    if isinstance(penalty, str) and penalty in PENALTIES:
        return PENALTIES[penalty]()
    missing = [m for m in ("gates", "value") if not callable(getattr(penalty, m, None))]
    if isinstance(penalty, (str, type)) or missing:
        raise ValueError(
            f"penalty must be one of {sorted(PENALTIES)} or an object with methods `gates` and `value`, got {penalty!r}."
        )
    return penalty
