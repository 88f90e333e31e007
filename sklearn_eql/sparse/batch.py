"""Sparse EQL networks, many at once: structures packed into padded tensors, evaluated and differentiated as one batch.

The structures of a batch may differ in everything. One call evaluates all of them and their Jacobians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.rows import ScaledRows
from sklearn_eql.sparse.structure import Structure


@dataclass
class Expansion:
    """Values and slopes of a batch at one set of inner coefficients."""

    phi: torch.Tensor  # (T, M, N) rows that the output combines linearly
    sources: torch.Tensor  # (n_base + T * n_slots, N) all source rows, flattened over trials
    slopes: list[torch.Tensor]  # per layer: (1 + arguments in use, N) derivative of each unit by each argument
    deep: list[torch.Tensor | None]  # per layer: (T, R, slots below) coefficients on earlier units


@dataclass
class _Layer:
    """Index tensors of one layer of a batch."""

    base: torch.Tensor  # (T * R, n_base) coefficients on the features, R argument rows per trial
    units: torch.Tensor | None  # (T, R, slots below) coefficients on earlier units
    groups: list[tuple[Primitive, list[torch.Tensor]]]  # per primitive: argument rows of G, flattened
    gather: torch.Tensor  # (T * S,) where each slot's value lies among the stacked group results
    slope_gather: torch.Tensor  # (T * R,) where each argument's slope lies among the stacked slopes


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
        self._logarithms: list[tuple[str, int, float]] = []  # primitive, base row, coefficient
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
        extra = [self.primitives[name].torch_fn(c * given[row]) for name, row, c in self._logarithms]
        # A logarithm that is undefined on some row disables its trials; the shared row must not touch the others.
        broken = {len(given) + i for i, row in enumerate(extra) if not bool(torch.isfinite(row).all())}
        self.valid = torch.tensor([broken.isdisjoint(mine.values()) for mine in self._inputs])
        extra = [torch.zeros_like(row) if len(given) + i in broken else row for i, row in enumerate(extra)]
        self.rows = torch.cat([given, torch.stack(extra)]) if extra else given  # (n_base, N)

    def _input_rows(self, position: dict[int, int]) -> list[dict[int, int]]:
        """Note the logarithms in use, rows after the given ones; where each unit of depth 0 of each trial is found."""
        found: dict[tuple[int, float], int] = {}
        inputs = []
        for s in self.structures:
            mine = {}
            for u, (unit, depth) in enumerate(zip(s.units, s.depths, strict=True)):
                if depth == 0:
                    source, coefficient, _ = unit.args[0][0]
                    if (source, coefficient) not in found:
                        found[source, coefficient] = len(position) + len(found)
                        self._logarithms.append((unit.primitive, position[source], coefficient))
                    mine[u] = found[source, coefficient]
            inputs.append(mine)
        return inputs

    def _pack(self) -> None:
        structures = self.structures
        position = {0: 0} | {1 + f: 1 + i for i, f in enumerate(self._features)}  # of given sources among the base rows
        self._inputs = inputs = self._input_rows(position)
        n_base = len(position) + len(self._logarithms)
        n_trials = len(structures)
        depth = max((max(s.depths, default=0) for s in structures), default=0)
        slots = [[0] * depth for _ in structures]  # units of each trial in each layer
        place: list[list[tuple[int, int]]] = []  # (layer, slot) of each unit of each trial
        for t, s in enumerate(structures):
            here = []
            for u, d in enumerate(s.depths):
                here.append((-1, inputs[t][u]) if d == 0 else (d - 1, slots[t][d - 1]))
                if d:
                    slots[t][d - 1] += 1
            place.append(here)
        self.width = [max(slots[t][d] for t in range(n_trials)) for d in range(depth)]
        offset = np.concatenate([[0], np.cumsum(self.width)]).astype(int)  # first slot of each layer
        n_slots = int(offset[-1])
        self.n_slots = n_slots

        base = [np.zeros((n_trials, 2 * w, n_base)) for w in self.width]
        deep = [np.zeros((n_trials, 2 * w, offset[d])) for d, w in enumerate(self.width)]
        members: list[dict[str, list[int]]] = [{} for _ in range(depth)]
        # Free coefficients, padded over the trials: where each is read from and written to.
        inner: list[list[tuple[int, int, int, float]]] = []  # (layer, row, source, value)
        linear: list[list[tuple[int, float, bool]]] = []

        def row_of(t: int, source: int) -> int:
            """Position of a source among the base rows and the slots of a trial."""
            first = 1 + structures[t].n_features
            if source < first:
                return position[source]
            layer, slot = place[t][source - first]
            return slot if layer < 0 else n_base + offset[layer] + slot

        for t, s in enumerate(structures):
            mine = []
            for unit, (layer, slot) in zip(s.units, place[t], strict=True):
                if layer < 0:
                    continue
                members[layer].setdefault(unit.primitive, []).append(t * self.width[layer] + slot)
                for a, arg in enumerate(unit.args):
                    row = a * self.width[layer] + slot
                    for source, value, free in arg:
                        at = row_of(t, source)
                        if at < n_base:
                            base[layer][t, row, at] = value
                        else:
                            deep[layer][t, row, at - n_base] = value
                        if free:
                            mine.append((layer, row, at, value))
            inner.append(mine)
            linear.append([(row_of(t, source), value, free) for source, value, free in s.output])

        self.layers = []
        slope_rows: list[int] = []
        for d, w in enumerate(self.width):
            groups, order = [], np.zeros(n_trials * w, dtype=np.int64)
            slope_order = np.zeros(n_trials * 2 * w, dtype=np.int64)
            filled = sloped = 1  # row 0 of the stacked results is a row of zeros, for empty slots
            for name, slots_flat in members[d].items():
                flat = np.asarray(slots_flat, dtype=np.int64)
                t, slot = np.divmod(flat, w)
                primitive = self.primitives[name]
                rows = [torch.from_numpy(t * 2 * w + a * w + slot) for a in range(max(primitive.arity, 1))]
                groups.append((primitive, rows))
                order[flat] = filled + np.arange(len(flat))
                filled += len(flat)
                for r in rows[: primitive.arity]:
                    slope_order[r.numpy()] = sloped + np.arange(len(flat))
                    sloped += len(flat)
            self.layers.append(
                _Layer(
                    torch.from_numpy(base[d].reshape(n_trials * 2 * w, n_base)),
                    torch.from_numpy(deep[d]) if offset[d] else None,
                    groups,
                    torch.from_numpy(order),
                    torch.from_numpy(slope_order),
                )
            )
            slope_rows.append(sloped)
        self._offset = offset.tolist()
        self._index_parameters(inner, linear, n_base, offset, np.concatenate([[0], np.cumsum(slope_rows)]))

    def _index_parameters(self, inner, linear, n_base: int, offset: np.ndarray, slope_first: np.ndarray) -> None:
        n_trials = len(inner)
        k_max = max(max(map(len, inner), default=0), 1)
        m_max = max(max(len(row) for row in linear), 1)
        self.inner_mask = torch.zeros(n_trials, k_max, dtype=torch.bool)
        self.theta = torch.zeros(n_trials, k_max, dtype=torch.float64)
        read = np.zeros((n_trials, k_max), dtype=np.int64)  # row of the sources
        slot = np.zeros((n_trials, k_max), dtype=np.int64)  # unit that owns the argument
        slope = np.zeros((n_trials, k_max), dtype=np.int64)  # row of the slopes; padding reads the zeros of layer 0
        scatter = [([], [], [], []) for _ in self.width], [([], [], [], []) for _ in self.width]
        for t, params in enumerate(inner):
            for k, (layer, row, position, value) in enumerate(params):
                self.inner_mask[t, k] = True
                self.theta[t, k] = value
                read[t, k] = position
                w = self.width[layer]
                slot[t, k] = offset[layer] + row % w
                slope[t, k] = slope_first[layer] + int(self.layers[layer].slope_gather[t * 2 * w + row])
                target = scatter[int(position >= n_base)][layer]
                for column, entry in zip(target, (t, row, position - n_base * (position >= n_base), k), strict=True):
                    column.append(entry)
        self._scatter = [
            [tuple(torch.tensor(column, dtype=torch.long) for column in kind[d]) for d in range(len(self.width))]
            for kind in scatter
        ]
        # Flattened rows: sources are base rows (shared) followed by T * n_slots unit rows.
        trial = np.arange(n_trials)[:, None]
        self._read = torch.from_numpy(np.where(read < n_base, read, n_base + trial * self.n_slots + (read - n_base)))
        self._slot = torch.from_numpy(trial * self.n_slots + slot)
        self._slope = torch.from_numpy(slope)
        out = np.zeros((n_trials, m_max), dtype=np.int64)
        self.output_mask = torch.zeros(n_trials, m_max, dtype=torch.bool)
        self.output_fixed = torch.zeros(n_trials, m_max, dtype=torch.float64)
        for t, terms in enumerate(linear):
            for m, (position, value, free) in enumerate(terms):
                out[t, m] = position
                self.output_mask[t, m] = free
                if not free:
                    self.output_fixed[t, m] = value
        self._out_slot = torch.from_numpy(np.where(out < n_base, self.n_slots, out - n_base))
        self._out = torch.from_numpy(np.where(out < n_base, out, n_base + trial * self.n_slots + (out - n_base)))

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
                first, width = self._offset[d], self.width[d]
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
