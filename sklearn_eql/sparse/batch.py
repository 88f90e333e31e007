"""Sparse EQL networks, many at once: structures packed into padded tensors, evaluated and differentiated as one batch.

The structures of a batch may differ in everything. One call evaluates all of them and their Jacobians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.packing import FreeTerm, Layout, pack
from sklearn_eql.sparse.rows import ScaledRows
from sklearn_eql.sparse.structure import Structure, Term


@dataclass
class Expansion:
    """Values and slopes of a batch at one set of inner coefficients."""

    phi: torch.Tensor  # (T, M, N) rows that the output combines linearly
    sources: torch.Tensor  # (n_base + T * n_slots, N) all source rows, flattened over trials
    slopes: list[torch.Tensor]  # per layer: (1 + arguments in use, N) derivative of each unit by each argument
    deep: list[torch.Tensor | None]  # per layer: (T, R, slots below) coefficients on earlier units


class SparseBatch:
    """T structures over the same features, packed.

    Parameters
    ----------
    structures : sequence of Structure
        All with the same ``n_features``.
    primitives : mapping of str to Primitive
        Vocabulary of the unit names.
    X : Tensor (float64) or ScaledRows of shape (N, n_features)
        Rows on which the batch is evaluated.
    """

    def __init__(self, structures: Sequence[Structure], primitives, X: torch.Tensor | ScaledRows) -> None:
        self.structures = list(structures)
        self.primitives = primitives
        first = 1 + X.shape[1]
        used = {s for structure in structures for form in structure.forms() for s, _, _ in form if 0 < s < first}
        self._features = [s - 1 for s in sorted(used)]  # columns that some structure reads: no other takes memory
        self._layout = Layout(self.structures, self._features)
        self.width, self.n_slots = self._layout.width, self._layout.n_slots
        self._pack()
        self._bound: torch.Tensor | ScaledRows | None = None
        self.bind(X)

    def bind(self, X: torch.Tensor | ScaledRows) -> None:
        """Evaluate on other rows `X` (N, n_features) from now on."""
        if X is self._bound:
            return
        self._bound = X
        one = torch.ones(len(X), 1, dtype=torch.float64)
        given = torch.cat([one, X[:, self._features]], dim=1).T.contiguous()
        extra = [self.primitives[name].torch_fn(c * given[row]) for name, row, c in self._layout.logarithms]
        # A logarithm that is undefined on some row disables its trials; the shared row must not touch the others.
        broken = {len(given) + i for i, row in enumerate(extra) if not bool(torch.isfinite(row).all())}
        self.valid = torch.tensor([broken.isdisjoint(mine.values()) for mine in self._layout.inputs])
        extra = [torch.zeros_like(row) if len(given) + i in broken else row for i, row in enumerate(extra)]
        self.rows = torch.cat([given, torch.stack(extra)]) if extra else given  # (n_base, N)

    def _pack(self) -> None:
        self.layers, inner, linear = pack(self._layout, self.primitives)
        n_trials = len(inner)
        self.inner_mask = torch.zeros(n_trials, max(map(len, inner), default=0) or 1, dtype=torch.bool)
        self.theta = torch.zeros(self.inner_mask.shape, dtype=torch.float64)
        self.output_mask = torch.zeros(n_trials, max(map(len, linear), default=0) or 1, dtype=torch.bool)
        self.output_fixed = torch.zeros(self.output_mask.shape, dtype=torch.float64)
        self._index_inner(inner)
        self._index_output(linear)

    def _index_inner(self, inner: list[list[FreeTerm]]) -> None:
        """Free coefficients of arguments, padded over the trials: where each is written to and read from."""
        n_base, width, offset = self._layout.n_base, self.width, self._layout.offset
        slope_first = np.concatenate([[0], np.cumsum([layer.n_slopes for layer in self.layers])]).astype(int)
        read, slot, slope = (np.zeros(self.theta.shape, dtype=np.int64) for _ in range(3))  # padding: zeros of layer 0
        scatter = [([], [], [], []) for _ in width], [([], [], [], []) for _ in width]
        for t, terms in enumerate(inner):
            for k, term in enumerate(terms):
                self.inner_mask[t, k] = True
                self.theta[t, k] = term.value
                w = width[term.layer]
                read[t, k] = term.source
                slot[t, k] = offset[term.layer] + term.row % w  # unit that owns the argument
                slope[t, k] = slope_first[term.layer] + int(self.layers[term.layer].slope_gather[t * 2 * w + term.row])
                is_deep = term.source >= n_base
                entries = (t, term.row, term.source - n_base * is_deep, k)
                for column, entry in zip(scatter[is_deep][term.layer], entries, strict=True):
                    column.append(entry)
        self._scatter = [
            [tuple(torch.tensor(column, dtype=torch.long) for column in of_layer) for of_layer in kind]
            for kind in scatter
        ]
        self._read = self._flattened(read)
        self._slot = torch.from_numpy(np.arange(len(inner))[:, None] * self.n_slots + slot)
        self._slope = torch.from_numpy(slope)

    def _index_output(self, linear: list[list[Term]]) -> None:
        """Terms of the outputs, padded over the trials."""
        out = np.zeros(self.output_mask.shape, dtype=np.int64)
        for t, terms in enumerate(linear):
            for m, (row, value, free) in enumerate(terms):
                out[t, m] = row
                self.output_mask[t, m] = free
                if not free:
                    self.output_fixed[t, m] = value
        n_base = self._layout.n_base
        self._out_slot = torch.from_numpy(np.where(out < n_base, self.n_slots, out - n_base))
        self._out = self._flattened(out)

    def _flattened(self, rows: np.ndarray) -> torch.Tensor:
        """Rows of a layout, one row of them per trial, among base rows (shared) followed by T * n_slots unit rows."""
        n_base = self._layout.n_base
        trial = np.arange(len(rows))[:, None]
        return torch.from_numpy(np.where(rows < n_base, rows, n_base + trial * self.n_slots + (rows - n_base)))

    def evaluate(self, theta: torch.Tensor, with_slopes: bool = True) -> Expansion:
        """Values of all sources at inner coefficients `theta` (T, K), and the slopes of all units if wanted."""
        n_trials, n_rows = theta.shape[0], self.rows.shape[1]
        deep: list[torch.Tensor | None] = []
        slopes: list[torch.Tensor] = []
        done: list[torch.Tensor] = []  # (T, width, N) per layer
        for d, layer in enumerate(self.layers):
            base = layer.base.clone().view(n_trials, 2 * self.width[d], -1)
            t, row, source, k = self._scatter[0][d]
            base[t, row, source] = theta[t, k]
            g = base.view(-1, base.shape[-1]) @ self.rows  # (T * R, N)
            weights = None
            if layer.units is not None:
                weights = layer.units.clone()
                t, row, source, k = self._scatter[1][d]
                weights[t, row, source] = theta[t, k]
                below = torch.cat(done, dim=1) if len(done) > 1 else done[0]
                g = torch.baddbmm(g.view(n_trials, -1, n_rows), weights, below).view(-1, n_rows)
            deep.append(weights)
            values, derivatives = [g.new_zeros(1, n_rows)], [g.new_zeros(1, n_rows)]
            for primitive, rows in layer.groups:
                args = [g.index_select(0, r) for r in rows]
                value, slope = _value_and_slopes(primitive, args) if with_slopes else (primitive.torch_fn(*args), ())
                values.append(value)
                derivatives.extend(slope)
            slopes.append(torch.cat(derivatives))
            done.append(torch.cat(values).index_select(0, layer.gather).view(n_trials, self.width[d], n_rows))
        sources = self.rows
        if done:
            units = torch.cat(done, dim=1) if len(done) > 1 else done[0]
            sources = torch.cat([self.rows, units.reshape(-1, n_rows)])
        phi = sources.index_select(0, self._out.view(-1)).view(*self._out.shape, n_rows)
        return Expansion(phi, sources, slopes, deep)

    def jacobian(self, point: Expansion, coefficients: torch.Tensor) -> torch.Tensor:
        """Derivatives of the output by the inner coefficients, (T, K, N), at output `coefficients` (T, M)."""
        n_trials, n_params = self.inner_mask.shape
        n_rows = self.rows.shape[1]
        if not self.layers:
            return self.rows.new_zeros(n_trials, n_params, n_rows)
        # Reverse pass by hand. `by_unit` is d output / d unit: constant over the rows until a deeper layer adds to it.
        weights = coefficients.new_zeros(n_trials, self.n_slots + 1)
        weights.scatter_add_(1, self._out_slot, coefficients)
        by_unit = weights[:, :-1, None]
        if len(self.layers) > 1:
            by_unit = by_unit.repeat(1, 1, n_rows)
            for d in range(len(self.layers) - 1, 0, -1):
                first, width = int(self._layout.offset[d]), self.width[d]
                slope = point.slopes[d].index_select(0, self.layers[d].slope_gather).view(n_trials, 2, width, n_rows)
                by_argument = (slope * by_unit[:, None, first : first + width]).view(n_trials, 2 * width, n_rows)
                by_unit[:, :first].baddbmm_(point.deep[d].mT, by_argument)
        upstream = by_unit.expand(-1, -1, n_rows).reshape(-1, n_rows).index_select(0, self._slot.view(-1))
        local = torch.cat(point.slopes).index_select(0, self._slope.view(-1))
        jac = upstream.mul_(local).mul_(point.sources.index_select(0, self._read.view(-1)))
        return jac.view(n_trials, n_params, n_rows)


def _value_and_slopes(primitive: Primitive, args: list[torch.Tensor]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """A primitive and its derivative by each argument, elementwise."""
    if primitive.arity == 0:
        return primitive.torch_fn(args[0]), ()
    with torch.enable_grad():
        args = [g.requires_grad_() for g in args]
        value = primitive.torch_fn(*args)
        slopes = torch.autograd.grad(value, args, grad_outputs=torch.ones_like(value), materialize_grads=True)
    return value.detach(), slopes
