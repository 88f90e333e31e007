"""Where the units and coefficients of many structures lie in padded arrays, layer by layer.

Shapes: `T` trials, `S` slots and ``R = 2 * S`` argument rows per layer: all first arguments, then all second ones. Base
rows are what all trials share: the constant, the features in use, and logarithms of features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.structure import Structure, Term


@dataclass
class Layer:
    """Index tensors of one layer of a batch."""

    base: torch.Tensor  # (T * R, n_base) coefficients on the base rows
    units: torch.Tensor | None  # (T, R, slots below) coefficients on earlier units
    groups: list[tuple[Primitive, list[torch.Tensor]]]  # per primitive: argument rows, flattened
    gather: torch.Tensor  # (T * S,) where each slot's value lies among the stacked group results
    slope_gather: torch.Tensor  # (T * R,) where each argument's slope lies among the stacked slopes
    n_slopes: int  # rows of the stacked slopes


@dataclass
class FreeTerm:
    """A coefficient of an argument that is fitted: where it stands, what it reads."""

    layer: int
    row: int  # of the arguments of the layer
    source: int  # see `Layout.row_of`
    value: float


class Layout:
    """Slots for the units of all trials: each in the layer of its depth, one after the other.

    Parameters
    ----------
    structures : sequence of Structure
    features : sequence of int
        Columns that some structure reads, from 0.
    """

    def __init__(self, structures: Sequence[Structure], features: Sequence[int]) -> None:
        self.structures = structures
        self._given = {0: 0} | {1 + f: 1 + i for i, f in enumerate(features)}  # base rows of the constant and features
        self.logarithms: list[tuple[str, int, float]] = []  # primitive, base row, coefficient
        self.inputs = self._note_logarithms()  # per trial: base row of each unit of depth 0
        self.n_base = len(self._given) + len(self.logarithms)
        depth = max((max(s.depths, default=0) for s in structures), default=0)
        slots = [[0] * depth for _ in structures]  # units of each trial in each layer
        self.places: list[list[tuple[int, int]]] = []  # layer (-1 for base rows) and slot of each unit of each trial
        for mine, s, inputs in zip(slots, structures, self.inputs, strict=True):
            here = []
            for u, d in enumerate(s.depths):
                here.append((-1, inputs[u]) if d == 0 else (d - 1, mine[d - 1]))
                if d:
                    mine[d - 1] += 1
            self.places.append(here)
        self.width = [max(mine[d] for mine in slots) for d in range(depth)]
        self.offset = np.concatenate([[0], np.cumsum(self.width)]).astype(int)  # first slot of each layer

    @property
    def n_slots(self) -> int:
        return int(self.offset[-1])

    def row_of(self, trial: int, source: int) -> int:
        """Where a trial finds a source: among the base rows, or the slots after them."""
        first = 1 + self.structures[trial].n_features
        if source < first:
            return self._given[source]
        layer, slot = self.places[trial][source - first]
        return slot if layer < 0 else self.n_base + int(self.offset[layer]) + slot

    def _note_logarithms(self) -> list[dict[int, int]]:
        found: dict[tuple[int, float], int] = {}
        inputs = []
        for s in self.structures:
            mine = {}
            for u, (unit, depth) in enumerate(zip(s.units, s.depths, strict=True)):
                if depth == 0:
                    source, coefficient, _ = unit.args[0][0]
                    if (source, coefficient) not in found:
                        found[source, coefficient] = len(self._given) + len(found)
                        self.logarithms.append((unit.primitive, self._given[source], coefficient))
                    mine[u] = found[source, coefficient]
            inputs.append(mine)
        return inputs


def pack(
    layout: Layout, primitives: Mapping[str, Primitive]
) -> tuple[list[Layer], list[list[FreeTerm]], list[list[Term]]]:
    """All coefficients in their places.

    Returns
    -------
    layers : list of Layer
    inner : list of FreeTerm, one list per trial
        In the order of ``Structure.with_coefficients``.
    linear : list of terms, one list per trial
        The output, over rows of the layout in place of sources.
    """
    n_trials, width = len(layout.structures), layout.width
    base = [np.zeros((n_trials, 2 * w, layout.n_base)) for w in width]
    deep = [np.zeros((n_trials, 2 * w, below)) for w, below in zip(width, layout.offset[:-1], strict=True)]
    members: list[dict[str, list[int]]] = [{} for _ in width]  # per layer and primitive: slots, flattened over trials
    inner: list[list[FreeTerm]] = [[] for _ in layout.structures]
    for t, s in enumerate(layout.structures):
        for unit, (layer, slot) in zip(s.units, layout.places[t], strict=True):
            if layer < 0:
                continue
            members[layer].setdefault(unit.primitive, []).append(t * width[layer] + slot)
            for a, arg in enumerate(unit.args):
                row = a * width[layer] + slot
                for source, value, free in arg:
                    at = layout.row_of(t, source)
                    if at < layout.n_base:
                        base[layer][t, row, at] = value
                    else:
                        deep[layer][t, row, at - layout.n_base] = value
                    if free:
                        inner[t].append(FreeTerm(layer, row, at, value))
    linear = [
        [(layout.row_of(t, source), value, free) for source, value, free in s.output]
        for t, s in enumerate(layout.structures)
    ]
    layers = [_layer(*of_layer, primitives) for of_layer in zip(base, deep, members, strict=True)]
    return layers, inner, linear


def _layer(
    base: np.ndarray, deep: np.ndarray, members: Mapping[str, list[int]], primitives: Mapping[str, Primitive]
) -> Layer:
    """Units of a layer, gathered so that each primitive is evaluated once."""
    n_trials, n_rows, n_base = base.shape
    width = n_rows // 2
    groups = []
    gather, slope_gather = np.zeros(n_trials * width, dtype=np.int64), np.zeros(n_trials * n_rows, dtype=np.int64)
    filled = sloped = 1  # row 0 of the stacked results is a row of zeros, for empty slots
    for name, slots in members.items():
        flat, primitive = np.asarray(slots, dtype=np.int64), primitives[name]
        t, slot = np.divmod(flat, width)
        rows = [t * n_rows + a * width + slot for a in range(max(primitive.arity, 1))]
        groups.append((primitive, [torch.from_numpy(r) for r in rows]))
        gather[flat] = filled + np.arange(len(flat))
        filled += len(flat)
        for r in rows[: primitive.arity]:
            slope_gather[r] = sloped + np.arange(len(flat))
            sloped += len(flat)
    return Layer(
        torch.from_numpy(base.reshape(n_trials * n_rows, n_base)),
        torch.from_numpy(deep) if deep.shape[2] else None,
        groups,
        torch.from_numpy(gather),
        torch.from_numpy(slope_gather),
        sloped,
    )
