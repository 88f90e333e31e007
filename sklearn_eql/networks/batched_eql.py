"""EQL networks (section II of the paper), many trials at once.

Shapes: `T` trials, `N` rows, `F` features, `U` units and `A` arguments per hidden layer, `O` outputs, `P` weights per
trial. Activations are laid out as ``(T, units, N)``: the rows of one unit are contiguous, and equal primitives are
neighbours, so that each group of them is evaluated by one vectorised call on a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.primitives import EVERYWHERE, Primitive
from sklearn_eql.symbolic.equation import Affine, Equation, Unit

INIT_SCALES = (0.1, 0.5, 1.0)
"""Standard deviations of initial weights in the first, middle and last layer, as in the authors' ``benchmark.py``."""

INIT_SCALES_GATED = (0.5, 0.5, 0.5)
"""The same for gated weights, as in their ``benchmark_l0.py``; with less, gates close before there is a signal."""

_TRUNCATION = 2.0  # initial weights are normal, cut at this many standard deviations


@dataclass(frozen=True)
class _Group:
    """Neighbouring units of one primitive: where they stand among the units and among the arguments of a layer."""

    primitive: Primitive
    n_copies: int
    first_unit: int
    first_arg: int

    def arg(self, unit: int, position: int) -> int:
        """Column of argument `position` of the group's `unit`-th copy: all first arguments, then all second ones."""
        return self.first_arg + position * self.n_copies + unit


def _group(units: Sequence[Primitive]) -> tuple[_Group, ...]:
    groups: list[_Group] = []
    first_arg = 0
    for index, primitive in enumerate(units):
        if groups and groups[-1].primitive is primitive:
            last = groups[-1]
            groups[-1] = _Group(primitive, last.n_copies + 1, last.first_unit, last.first_arg)
        else:
            groups.append(_Group(primitive, 1, index, first_arg))
        first_arg += primitive.arity
    return tuple(groups)


class BatchedEQL(torch.nn.Module):
    """`T` independent EQL networks: ``g_i = W_i h_{i-1}``, ``h_i = f(g_i)``, linear output (section II).

    All weights live in one parameter of shape ``(T, P)``; `split` gives its per-layer views ``(T, in, out)``. One
    flat tensor makes penalties, optimisers, masks and the replacement of a trial single operations.

    Units of arity 0 are the paper's way of writing a bias: their output is 1 and they have no incoming weights (in the
    authors' code those weights exist, without effect on the output).

    Parameters
    ----------
    n_features, n_outputs : int
    units : sequence of Primitive
        Units of every hidden layer, from `resolve_functions`.
    n_hidden_layers : int
        `L` of the paper.
    seeds : sequence of int
        One per trial. The initial weights of a trial depend on its own seed only.
    init_scales : (float, float, float)
        Standard deviations of the truncated normal initial weights: first, middle and last layer.
    enabled : array-like of bool, shape (T, U), optional
        Functions that each trial may use, the same in all layers; weights to and from the others are frozen at zero.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        units: Sequence[Primitive],
        n_hidden_layers: int,
        seeds: Sequence[int],
        *,
        init_scales: tuple[float, float, float] = INIT_SCALES,
        enabled: np.ndarray | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_outputs = n_outputs
        self.units = tuple(units)
        self.n_hidden_layers = n_hidden_layers
        self.seeds = tuple(int(seed) for seed in seeds)
        self.init_scales = tuple(init_scales)
        self.groups = _group(self.units)
        n_units, n_args = len(self.units), sum(p.arity for p in self.units)
        fan_in = (n_features,) + (n_units,) * n_hidden_layers
        fan_out = (n_args,) * n_hidden_layers + (n_outputs,)
        self.shapes = tuple(zip(fan_in, fan_out, strict=True))
        self._sizes = [i * o for i, o in self.shapes]
        self._block_sizes = [size for g in self.groups for size in (g.n_copies,) * g.primitive.arity]
        self.has_domain = any(i != EVERYWHERE for p in self.units for i in p.domain)
        weights = self._initial(self.seeds).to(device=device, dtype=dtype)
        self.flat = torch.nn.Parameter(weights)  # (T, P)
        self.register_buffer("mask", self._enabled_mask(enabled).to(device))  # (T, P) bool, False is frozen at zero
        if enabled is not None:
            self.flat.data.mul_(self.mask)

    @property
    def n_trials(self) -> int:
        return self.flat.shape[0]

    @property
    def n_output_weights(self) -> int:
        """How many of the last columns of `flat` belong to the output layer."""
        return self._sizes[-1]

    @property
    def weights(self) -> list[torch.Tensor]:
        """Weights of each layer, views of shape ``(T, in, out)``."""
        return self.split(self.flat.detach())

    def split(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """Views of `flat` ``(T, P)`` as one ``(T, in, out)`` tensor per layer."""
        parts = flat.split(self._sizes, dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def forward(self, X: torch.Tensor, flat: torch.Tensor | None = None) -> torch.Tensor:
        """Outputs ``(T, N, O)`` for `X` of shape ``(N, F)``, shared by the trials, or ``(T, N, F)``.

        Arguments outside the domain of a function are moved into it (`Primitive.clamped`).
        """
        y, _ = self.propagate(X.transpose(-1, -2), self.masked() if flat is None else flat)
        return y.transpose(1, 2)

    def masked(self) -> torch.Tensor:
        """Weights with frozen zeros, ``(T, P)``; differentiable."""
        return self.flat * self.mask

    def propagate(self, x: torch.Tensor, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
        """One forward pass in the layout of the engine.

        Parameters
        ----------
        x : Tensor of shape (F, N) or (T, F, N)
        flat : Tensor of shape (T, P)
            Weights to use, mask and gates already applied.

        Returns
        -------
        y : Tensor of shape (T, O, N)
        violation : Tensor of shape (T,), or 0.0
            By how much arguments leave the domains of their functions: mean over rows, summed over units.
        """
        if flat.shape[0] == 1:
            # BLAS has another kernel for a single product, which rounds differently; with two, a trial gets the same
            # bits alone as in a batch.
            y, outside = self.propagate(x.expand(2, -1, -1), flat.expand(2, -1))
            return y[:1], outside[:1] if isinstance(outside, torch.Tensor) else outside
        violation: torch.Tensor | float = 0.0
        h = x.expand(flat.shape[0], -1, -1) if x.dim() == 2 else x  # (T, F, N)
        *hidden, last = self.split(flat)
        for weights in hidden:
            g = torch.bmm(weights.transpose(1, 2), h)  # (T, A, N)
            h, outside = self._activate(g)  # (T, U, N)
            violation = violation + outside
        return torch.bmm(last.transpose(1, 2), h), violation

    def _activate(self, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
        """``f(g)`` of eq. (1), group by group, and the domain violation."""
        blocks = iter(g.split(self._block_sizes, dim=1))  # one backward copy for all groups
        outputs, violation = [], 0.0
        for group in self.groups:
            primitive = group.primitive
            if primitive.arity == 0:
                like = g.new_empty((1, 1, 1)).expand(g.shape[0], group.n_copies, g.shape[2])
                outputs.append(primitive.torch_fn(like))
                continue
            args = [next(blocks) for _ in range(primitive.arity)]
            outputs.append(primitive.clamped(*args))
            if self.has_domain:
                for interval, arg in zip(primitive.domain, args, strict=True):
                    if interval != EVERYWHERE:
                        violation = violation + interval.violation(arg).mean(dim=2).sum(dim=1)  # (T,)
        return torch.cat(outputs, dim=1), violation

    def restart(self, rows: Sequence[int], seeds: Sequence[int], n_restarts: Sequence[int]) -> None:
        """Give the trials in `rows` the initial weights of restart number `n_restarts` of their seeds."""
        fresh = torch.cat([self._initial([seed], n) for seed, n in zip(seeds, n_restarts, strict=True)]).to(self.flat)
        rows = torch.as_tensor(rows, device=fresh.device)
        self.flat.data[rows] = fresh * self.mask[rows]

    def _initial(self, seeds: Sequence[int], n_restarts: int = 0) -> torch.Tensor:
        """Truncated normal weights, float64, shape ``(len(seeds), P)``."""
        n_weights = sum(self._sizes)
        uniform = np.stack([np.random.default_rng((seed, n_restarts)).random(n_weights) for seed in seeds])
        lower, upper = torch.special.ndtr(torch.tensor([-_TRUNCATION, _TRUNCATION], dtype=torch.float64))
        normal = torch.special.ndtri(lower + (upper - lower) * torch.as_tensor(uniform))
        first, middle, last = self.init_scales
        layer_scales = [first] + [middle] * (self.n_hidden_layers - 1) + [last]
        scales = torch.tensor(layer_scales, dtype=torch.float64).repeat_interleave(torch.tensor(self._sizes))
        return normal * scales

    def _enabled_mask(self, enabled: np.ndarray | None) -> torch.Tensor:
        mask = torch.ones(self.n_trials, sum(self._sizes), dtype=torch.bool)
        if enabled is None:
            return mask
        enabled = torch.as_tensor(np.asarray(enabled, dtype=bool))  # (T, U)
        if enabled.shape != (self.n_trials, len(self.units)):
            raise ValueError(
                f"enabled must have shape (n_trials, n_units) = {(self.n_trials, len(self.units))}, "
                f"got {tuple(enabled.shape)}."
            )
        for layer, view in enumerate(self.split(mask)):
            if layer > 0:
                view &= enabled[:, :, None]
            if layer < self.n_hidden_layers:
                view &= self.spread(enabled)[:, None, :]
        return mask

    def spread(self, per_unit: torch.Tensor) -> torch.Tensor:
        """Values per unit ``(T, U)`` repeated for each of its arguments, ``(T, A)``."""
        blocks = per_unit.split([g.n_copies for g in self.groups], dim=1)
        return torch.cat([b.repeat(1, g.primitive.arity) for b, g in zip(blocks, self.groups, strict=True)], dim=1)

    def to_equations(self, flat: np.ndarray | torch.Tensor | None = None) -> list[list[Equation]]:
        """The laws that the networks compute, as data: ``equations[trial][output]``.

        Only units that reach the output are kept; constant units become the source 1. Exact up to rounding, wherever
        no argument leaves the domain of its function.

        Parameters
        ----------
        flat : array of shape (n, P), optional
            Weights, zeros are absent terms; by default the network's own, masked.
        """
        if flat is None:
            flat = self.masked().detach()
        layers = [w.numpy() for w in self.split(torch.as_tensor(flat).cpu().double())]
        return [
            [self._to_equation([w[t] for w in layers], output) for output in range(self.n_outputs)]
            for t in range(layers[0].shape[0])
        ]

    def _to_equation(self, layers: list[np.ndarray], output: int) -> Equation:
        columns = [layers[-1][:, output]]  # linear forms over the units of the last hidden layer
        live: list[np.ndarray] = []  # live units of each layer, last layer first
        for layer in range(self.n_hidden_layers - 1, -1, -1):
            used = np.any([np.zeros(len(self.units), dtype=bool), *(c != 0 for c in columns)], axis=0)  # (U,)
            live.insert(0, used)
            columns = [layers[layer][:, g.arg(k, p)] for g, k, p in self._arguments(used)]
        sources = np.arange(1, self.n_features + 1)
        units: list[Unit] = []
        for layer, used in enumerate(live):
            next_sources = np.full(len(self.units), -1)
            for group in self.groups:
                for k in range(group.n_copies):
                    index = group.first_unit + k
                    if not used[index]:
                        continue
                    if group.primitive.name == "const":
                        next_sources[index] = 0
                        continue
                    args = tuple(
                        _form(layers[layer][:, group.arg(k, p)], sources) for p in range(group.primitive.arity)
                    )
                    next_sources[index] = 1 + self.n_features + len(units)
                    units.append(Unit(group.primitive.name, args))
            sources = next_sources
        return Equation(self.n_features, tuple(units), _form(layers[-1][:, output], sources))

    def _arguments(self, used: np.ndarray):
        for group in self.groups:
            for k in range(group.n_copies):
                if used[group.first_unit + k]:
                    for position in range(group.primitive.arity):
                        yield group, k, position


def _form(column: np.ndarray, sources: np.ndarray) -> Affine:
    """Nonzero entries of a weight column as a linear form; constant units share source 0, so they are summed."""
    totals: dict[int, float] = {}
    for index in np.flatnonzero(column):
        source = int(sources[index])
        totals[source] = totals.get(source, 0.0) + float(column[index])
    return tuple(sorted(totals.items()))
