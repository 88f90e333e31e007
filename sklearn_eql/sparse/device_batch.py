"""Many programs at once on a device of torch: what :mod:`sklearn_eql.sparse.batch` computes, in few large operations.

A sum of sources with coefficients, for all arguments of a level, is one bag of weighted rows each (`embedding_bag`):
a sparse matrix times a dense one in one operation, whose coefficients are gathered from the pool of weights by another.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn.functional import embedding_bag

from sklearn_eql._devices import ship
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.kernels import tensor_kernel_of
from sklearn_eql.sparse.packing import Level, Packing


class DeviceBatch:
    """T programs on the same N rows.

    Parameters
    ----------
    packing : Packing
    primitives : mapping of str to Primitive
    given : Tensor (1 + columns + logarithms, N), float64
        The first rows of the sources, zeros first, on the device.
    root : Tensor (N,) or (T, N), or None
        Root of the weights.
    constants : Tensor
        Those of the packing, on the device.

    Attributes
    ----------
    phi : Tensor (T, M, N)
        Terms of the output with free coefficients, padded with zeros; as `jacobian` (T, K, N), times the root weights.
    """

    def __init__(
        self,
        packing: Packing,
        primitives: Mapping[str, Primitive],
        given: torch.Tensor,
        root: torch.Tensor | None,
        constants: torch.Tensor,
    ) -> None:
        self._packing, self._root, self._constants = packing, root, constants
        self.n_rows = given.shape[1]
        self._index = ship(packing.indices, given.device)
        levels = [*packing.still, *packing.moving]
        self._kernels = {
            g.primitive: tensor_kernel_of(primitives[g.primitive]) for level in levels for g in level.groups
        }
        self._sources = given.new_zeros((packing.n_sources, self.n_rows))
        self._sources[: len(given)] = given
        # Derivatives by each argument, then what the derivatives by the output begin with.
        self._by_argument = given.new_zeros((packing.n_args + packing.n_roots, self.n_rows))
        self._by_argument[packing.n_args :] = 1.0 if root is None else root
        if packing.still:
            self._compute(packing.still, self._constants)

    def _compute(self, levels: list[Level], pool: torch.Tensor) -> list[torch.Tensor]:
        """Fill in the units of some levels; the arguments of each."""
        sources, index, found = self._sources, self._index, []
        first, last = levels[0].entries.start, levels[-1].entries.stop
        weights = pool[index["entry_weights"][first:last]]
        for level in levels:
            args = _sums(
                sources[: level.units.start],
                index["entry_rows"][level.entries],
                index["entry_starts"][level.args.start - 1 : level.args.stop - 1],
                weights[level.entries.start - first : level.entries.stop - first],
            )
            found.append(args)
            for group in level.groups:
                out = sources[group.units]
                mine = [args[_within(rows, level.args)] for rows in group.args] or [out]
                self._kernels[group.primitive].value(*mine, out=out)
        return found

    def evaluate(self, theta: torch.Tensor) -> torch.Tensor | None:
        """Fill `phi` at inner coefficients (T, K); what the fixed terms of the outputs give, (T, N), None without any.

        Both times the root weights.
        """
        packing, index, sources = self._packing, self._index, self._sources
        self._pool = torch.cat([self._constants, theta.reshape(-1)])
        self._args = self._compute(packing.moving, self._pool) if packing.moving else []
        self.phi = sources[index["terms"]].view(packing.n_trials, packing.n_terms, self.n_rows)
        root = self._root
        if root is not None:
            self.phi *= root if root.ndim == 1 else root[:, None]
        if not packing.has_fixed:
            return None
        weights = self._constants[index["fixed_weights"]]
        given = _sums(sources, index["fixed_rows"], index["fixed_starts"], weights)
        return given if root is None else given * root

    def differentiate(self, output: torch.Tensor) -> torch.Tensor:
        """Derivatives by the inner coefficients, (T, K, N), at those evaluated last and `output` (T, M)."""
        packing, index, sources = self._packing, self._index, self._sources
        pool = torch.cat([self._pool, output.reshape(-1)])
        weights = pool[index["reader_weights"]]
        for level, args in zip(reversed(packing.moving), reversed(self._args), strict=True):
            units = slice(level.units.start - packing.first_moving, level.units.stop - packing.first_moving)
            by_unit = _sums(
                self._by_argument,
                index["reader_rows"][level.readers],
                index["reader_starts"][units],
                weights[level.readers],
            )
            for group in level.groups:
                mine = by_unit[_within(group.units, level.units)]
                arguments = [args[_within(rows, level.args)] for rows in group.args]
                slopes = self._kernels[group.primitive].slopes
                for rows, slope in zip(group.args, slopes, strict=True):
                    there = slope(sources[group.units], *arguments)
                    torch.mul(mine, there, out=self._by_argument[rows])
        jacobian = self._by_argument[index["owner"]]
        jacobian *= sources[index["read"]]
        jacobian.nan_to_num_(0.0, 0.0, 0.0)  # see `steps.without_undefined`
        return jacobian.view(packing.n_trials, packing.n_inner, self.n_rows)


def _within(rows: slice, span: slice) -> slice:
    """Rows counted from the first of a span."""
    return slice(rows.start - span.start, rows.stop - span.start)


def _sums(rows: torch.Tensor, which: torch.Tensor, starts: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sums of rows, (n_sums, N): a bag of them from each start on."""
    return embedding_bag(which, rows, starts, mode="sum", per_sample_weights=weights)
