"""Sparsity penalties: smoothed L0.5 (eq. 3), L1, and relaxed L0 with hard-concrete gates (Appendix B).

A penalty has two methods. ``value`` is what it costs, one number per trial. ``gates`` returns the trainable gates that
multiply the weights while they train, or ``None`` for penalties that act on the weights themselves. It may have a field
``init_scales``, the standard deviations of initial weights under which it works, and, where it has no gates, a method
``gradient(weights)`` that returns the derivatives of ``value`` by the weights ``(T, P)`` faster than autograd does.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch

from sklearn_eql._devices import moved
from sklearn_eql.networks.batched_eql import INIT_SCALES, INIT_SCALES_GATED

DOMAIN_WEIGHT = 0.1
"""Weight of the domain violation term (the penalty of EQL-div, Sahoo et al., 2018, for any function with a domain)."""

_GATE_INIT_SD = 1e-2  # spread of the initial log(alpha), as in Louizos et al. (2017) and the authors' code
_NOISE_MARGIN = 1e-6  # uniform noise is kept this far from 0 and 1
_NOISE_STREAM = 0x1E0  # separates gate noise from initial weights drawn from the same seed


class Penalty(Protocol):
    """What training asks of a penalty."""

    def gates(self, weights: torch.Tensor, seeds: Sequence[int], n_output: int) -> HardConcreteGates | None:
        """Gates for `weights` ``(T, P)``, seeded per trial, or None; the last `n_output` are the output layer's."""

    def value(self, weights: torch.Tensor, gates: HardConcreteGates | None = None) -> torch.Tensor:
        """Penalty of each trial, shape ``(T,)``, differentiable. Not asked for once gates are closed for good."""


@dataclass(frozen=True)
class SmoothedL05:
    r"""Smoothed :math:`L_{0.5}`, eq. (3): :math:`|w|^{1/2}`, rounded off where :math:`|w| < a`.

    Parameters
    ----------
    threshold : float
        `a` of eq. (3). The paper states 0.01 (its public code has 0.05).
    """

    threshold: float = 0.01
    init_scales: ClassVar[tuple[float, float, float]] = INIT_SCALES

    def gates(self, weights: torch.Tensor, seeds: Sequence[int], n_output: int) -> None:
        return None

    def value(self, weights: torch.Tensor, gates: HardConcreteGates | None = None) -> torch.Tensor:
        return _SmoothedRoot.apply(weights, self.threshold)  # (T,)

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        return _slope_of_root(self.threshold, *_smoothed_root(weights, self.threshold))


@dataclass(frozen=True)
class L1:
    """Sum of absolute weights, the penalty of the first EQL networks (Martius and Lampert, 2016)."""

    init_scales: ClassVar[tuple[float, float, float]] = INIT_SCALES

    def gates(self, weights: torch.Tensor, seeds: Sequence[int], n_output: int) -> None:
        return None

    def value(self, weights: torch.Tensor, gates: HardConcreteGates | None = None) -> torch.Tensor:
        return weights.abs().sum(dim=1)  # (T,)

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        return weights.sign()


@dataclass(frozen=True)
class HardConcreteL0:
    r"""Relaxed :math:`L_0` (Appendix B; Louizos, Welling and Kingma, 2017): :math:`W = \tilde W \odot z`.

    Parameters
    ----------
    beta, gamma, zeta : float
        Temperature and stretch of the hard concrete distribution.
    droprate_init : float
        Probability with which a gate starts closed (before stretching).
    gate_output : bool
        Whether weights of the output layer have gates too. They have none in the authors' code; with them, many trials
        of small targets collapse to zero.
    """

    beta: float = 2 / 3
    gamma: float = -0.1
    zeta: float = 1.1
    droprate_init: float = 0.5
    gate_output: bool = False
    init_scales: ClassVar[tuple[float, float, float]] = INIT_SCALES_GATED

    def gates(self, weights: torch.Tensor, seeds: Sequence[int], n_output: int) -> HardConcreteGates:
        return HardConcreteGates(self, weights if self.gate_output else weights[:, :-n_output], seeds)

    def value(self, weights: torch.Tensor, gates: HardConcreteGates | None = None) -> torch.Tensor:
        # Expected number of open gates: sum of sigmoid(log(alpha) - beta * log(-gamma / zeta)).
        return torch.sigmoid(gates.log_alpha - self.beta * math.log(-self.gamma / self.zeta)).sum(dim=1)  # (T,)


class HardConcreteGates:
    """One gate per weight and trial, for the first `G` weights; trainable ``log_alpha`` of shape ``(T, G)``.

    A trial must see the same noise alone and in a batch, and a generator per trial and step would dominate the time of
    a step. So one stream, common to all trials, is rotated by a fixed uniform offset that each trial draws from its
    own seed: ``u = frac(common + offset)`` is exactly uniform and independent over weights and steps.
    """

    def __init__(self, penalty: HardConcreteL0, weights: torch.Tensor, seeds: Sequence[int]) -> None:
        self.penalty = penalty
        self._odds = math.log(1 - penalty.droprate_init) - math.log(penalty.droprate_init)
        log_alpha, offset = self._draw(weights, seeds)
        self.log_alpha = torch.nn.Parameter(log_alpha)  # (T, G)
        self._offset = offset  # (T, G)
        self._stream = torch.Generator().manual_seed(_NOISE_STREAM)
        self.draw()

    def draw(self, seed: int | None = None) -> None:
        """Fresh noise for the next step; with a `seed`, the noise that belongs to it."""
        if seed is not None:
            self._stream.manual_seed(seed)
        noise = torch.rand(self._offset.shape[1], generator=self._stream)  # (G,)
        self._common = moved(noise, self._offset.device).to(self._offset.dtype)

    def rows(self, rows: slice, log_alpha: torch.Tensor) -> HardConcreteGates:
        """The gates of some trials, with the noise of this step and another tensor in the place of ``log_alpha``."""
        part = copy.copy(self)
        part.log_alpha, part._offset = log_alpha, self._offset[rows]
        return part

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
        """Weights times the stochastic gates of this step, for training; shape ``(T, P)``."""
        p = self.penalty
        noise = (self._offset + self._common).frac_()  # (T, G)
        s = torch.sigmoid((torch.logit(noise, eps=_NOISE_MARGIN) + self.log_alpha) / p.beta)
        return self._apply((s * (p.zeta - p.gamma) + p.gamma).clamp(0, 1), weights)

    def expected(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights times deterministic gates, for evaluation; exact zeros where closed; shape ``(T, P)``."""
        p = self.penalty
        z = (torch.sigmoid(self.log_alpha.detach()) * (p.zeta - p.gamma) + p.gamma).clamp(0, 1)
        return self._apply(z, weights)

    @staticmethod
    def _apply(z: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        gated, free = weights[:, : z.shape[1]], weights[:, z.shape[1] :]
        return torch.cat([gated * z, free], dim=1)


def _smoothed_root(weights: torch.Tensor, a: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The roots of eq. (3), divided by that of `a`, and ``r``, which their slopes follow from.

    With ``u = w / a`` and ``r = clip(u, -1, 1)``, both branches of eq. (3) are the root of one expression::

        s = a (|u - r| + 3/8 + r^2 (3/4 - r^2 / 8)),    ds/dw = 3/2 r - 1/2 r^3
    """
    u = weights * (1 / a)
    r = u.clamp(-1, 1)
    r2 = r * r
    smooth = torch.addcmul(u.sub_(r).abs_(), r2, torch.rsub(r2, 0.75, alpha=0.125)).add_(0.375)
    return smooth.sqrt_(), r


def _slope_of_root(a: float, root: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    unit = math.sqrt(a)
    return torch.rsub(r * r, 0.75 / unit, alpha=0.25 / unit).mul_(r).div_(root)


class _SmoothedRoot(torch.autograd.Function):
    """Eq. (3) summed over weights, with its derivative in closed form (a third of autograd's kernels)."""

    @staticmethod
    def forward(ctx, weights: torch.Tensor, a: float) -> torch.Tensor:
        root, r = _smoothed_root(weights, a)
        ctx.a = a
        ctx.save_for_backward(root, r)
        return math.sqrt(a) * root.sum(dim=1)  # (T,)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _slope_of_root(ctx.a, *ctx.saved_tensors).mul_(grad[:, None]), None


PENALTIES = {"l05": SmoothedL05, "l0": HardConcreteL0, "l1": L1}
"""Penalties by the name that ``penalty=`` takes."""


def resolve_penalty(penalty: str | Penalty) -> Penalty:
    """A penalty object from its name (``"l05"``, ``"l0"``, ``"l1"``) or from an object with the two methods."""
    if isinstance(penalty, str) and penalty in PENALTIES:
        return PENALTIES[penalty]()
    missing = [m for m in ("gates", "value") if not callable(getattr(penalty, m, None))]
    if isinstance(penalty, (str, type)) or missing:
        raise ValueError(
            f"penalty must be one of {sorted(PENALTIES)} or an object with methods `gates` and `value`, "
            f"got {penalty!r}."
        )
    return penalty


def closed_gradient(penalty: Penalty) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The method ``gradient`` of a penalty, if it has one that belongs to its ``value``.

    A class that inherits it, and has a value of its own, does not.
    """
    owner = next((cls for cls in type(penalty).__mro__ if "value" in vars(cls)), None)
    method = getattr(penalty, "gradient", None)
    return method if owner is not None and "gradient" in vars(owner) else None


def initial_scales(penalty: Penalty) -> tuple[float, float, float]:
    """Standard deviations of initial weights for a penalty: first, middle and last layer.

    Its own ``init_scales``; without, those for gated weights if it has gates, and the usual ones otherwise.

    Raises
    ------
    ValueError
        ``init_scales`` is not three positive numbers.
    """
    scales = getattr(penalty, "init_scales", None)
    if scales is None:  # ask for the gates of two weights, one of them of the output layer
        return INIT_SCALES if penalty.gates(torch.zeros(1, 2), [0], 1) is None else INIT_SCALES_GATED
    if len(scales) != 3 or not all(0 < scale < math.inf for scale in scales):
        raise ValueError(f"{penalty!r}: init_scales must be three positive numbers, got {scales!r}.")
    return tuple(scales)
