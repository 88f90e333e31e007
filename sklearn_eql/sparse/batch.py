"""Many programs at once: the same unit of all structures in one call, nothing padded but the results.

The rows of all sources stand one below the other: those that nothing moves, then the units, level by level and function
by function. The arguments of a level are one sparse matrix times the rows above, and so is the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

from sklearn_eql.sparse.kernels import Kernel
from sklearn_eql.sparse.layout import LaidUnit
from sklearn_eql.sparse.program import Program


class _Coefficients:
    """A sparse matrix of which some entries are coefficients that are fitted.

    Attributes
    ----------
    entries : list of (int, int, float, int)
        Row, column, value, and place among all theta, flattened; -1 for fixed entries.
    rows, columns, places : ndarray of int
        Of the entries, once they are built.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, float, int]] = []

    def build(self, n_rows: int, n_columns: int) -> None:
        """Turn the entries into a matrix."""
        table = np.array(self.entries, dtype=float).reshape(-1, 4)
        table = table[np.argsort(table[:, 0], kind="stable")]
        self.rows, self.columns, self.places = table[:, [0, 1, 3]].T.astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=n_rows))])
        index = self.columns.astype(np.int32), ends.astype(np.int32)
        self._matrix = csr_array((table[:, 2].copy(), *index), shape=(n_rows, n_columns))
        self._free = np.flatnonzero(self.places >= 0)
        self._from = self.places[self._free]

    def at(self, theta: np.ndarray) -> csr_array:
        self._matrix.data[self._free] = theta.ravel()[self._from]
        return self._matrix


@dataclass
class _Group:
    """Units of one level with one function."""

    kernel: Kernel
    units: slice  # rows of the sources
    args: list[slice]  # rows of the arguments, those of all units one after the other
    members: list[tuple[int, LaidUnit]] = field(default_factory=list)


@dataclass
class _Level:
    groups: list[_Group]
    first_unit: int  # row of the sources; what the level reads is above
    args: slice  # rows among the arguments of all levels
    forward: _Coefficients  # (arguments, sources above)
    backward: _Coefficients  # (units above, arguments)


class Batch:
    """T programs on the same rows.

    Parameters
    ----------
    programs : sequence of Program
    still : sequence of list
        What `Program.still_values` gives for each of them, for N rows.
    n_rows : int

    Attributes
    ----------
    theta : ndarray (T, K)
        Free coefficients of the units, in the order of the programs, padded with zeros.
    n_inner, n_terms : int
        K and M: free coefficients of the units and of the output, at most.
    """

    def __init__(self, programs: Sequence[Program], still: Sequence[list[np.ndarray | None]], n_rows: int) -> None:
        self.n_trials, self.n_rows = len(programs), n_rows
        self.n_inner = max((len(p.theta) for p in programs), default=0)
        self.n_terms = max((p.n_terms for p in programs), default=0)
        self.theta = np.zeros((self.n_trials, self.n_inner))
        for mine, p in zip(self.theta, programs, strict=True):
            mine[: len(p.theta)] = p.theta
        where, given = self._place_still(still)
        self._n_still = len(given)
        levels = self._place_moving(programs, where)
        self._sources = np.zeros((self._n_sources, self.n_rows))
        self._sources[: self._n_still] = given
        self._slopes = np.zeros((1 + self._n_args, self.n_rows))  # by each argument; the first row stays zero
        self._read = np.zeros((self.n_trials, self.n_inner), dtype=np.int64)  # source that a coefficient multiplies
        self._owner = np.zeros((self.n_trials, self.n_inner), dtype=np.int64)  # argument that it stands in
        for level in levels:
            self._fill(level, where)
        self._levels = levels
        self._index_output(programs, where)

    def _place_still(self, still: Sequence[list[np.ndarray | None]]) -> tuple[list[dict[int, int]], list]:
        """Rows that nothing moves, shared where they can be; the first is zero."""
        given: list[np.ndarray] = [np.zeros(self.n_rows)]
        shared: dict[int, int] = {}  # by identity: `given` keeps them
        where = []
        for values in still:
            mine: dict[int, int] = {}
            for source, row in enumerate(values):
                if row is not None:
                    place = shared.get(id(row))
                    if place is None:
                        place = shared[id(row)] = len(given)
                        given.append(row)
                    mine[source] = place
            where.append(mine)
        return where, given

    def _place_moving(self, programs: Sequence[Program], where: list[dict[int, int]]) -> list[_Level]:
        """Rows of units and arguments, without their coefficients."""
        by_level: list[dict[str, list[tuple[int, LaidUnit]]]] = []
        for t, program in enumerate(programs):
            levels: dict[int, int] = {}
            for unit in program.layout.moving:
                below = [levels[s] for arg in unit.args for s, _, _ in arg.moving]
                levels[unit.source] = level = 1 + max(below) if below else 0
                if level == len(by_level):
                    by_level.append({})
                by_level[level].setdefault(unit.primitive, []).append((t, unit))
        found = []
        n_sources, n_args = self._n_still, 1
        for by_name in by_level:
            first_unit, first_arg, groups = n_sources, n_args, []
            for name, members in by_name.items():
                args = []
                for _ in members[0][1].args:
                    args.append(slice(n_args, n_args + len(members)))
                    n_args += len(members)
                groups.append(
                    _Group(programs[0].kernel(name), slice(n_sources, n_sources + len(members)), args, members)
                )
                for t, unit in members:
                    where[t][unit.source] = n_sources
                    n_sources += 1
            found.append(_Level(groups, first_unit, slice(first_arg, n_args), _Coefficients(), _Coefficients()))
        self._n_sources, self._n_args = n_sources, n_args - 1
        return found

    def _fill(self, level: _Level, where: list[dict[int, int]]) -> None:
        """The coefficients of a level."""
        forward, backward, first = level.forward.entries, level.backward.entries, level.args.start
        for group in level.groups:
            for a, rows in enumerate(group.args):
                for row, (t, unit) in enumerate(group.members, start=rows.start - first):
                    arg, mine, place = unit.args[a], where[t], t * self.n_inner
                    for s, c in arg.still:
                        forward.append((row, mine[s], c, -1))
                    for k, s in enumerate(arg.free, start=arg.first):
                        forward.append((row, mine[s], 0.0, place + k))
                    for s, c, k in arg.moving:
                        at = place + k if k >= 0 else -1
                        forward.append((row, mine[s], c, at))
                        backward.append((mine[s] - self._n_still, row, c, at))
        n_args = level.args.stop - first
        level.forward.build(n_args, level.first_unit)
        if level.first_unit > self._n_still:
            level.backward.build(level.first_unit - self._n_still, n_args)
        is_free = level.forward.places >= 0
        places = level.forward.places[is_free]
        self._read.ravel()[places] = level.forward.columns[is_free]
        self._owner.ravel()[places] = level.forward.rows[is_free] + first

    def _index_output(self, programs: Sequence[Program], where: list[dict[int, int]]) -> None:
        self._terms = np.zeros((self.n_trials, self.n_terms), dtype=np.int64)
        self._fixed = _Coefficients()
        fixed = np.zeros(self._n_sources)  # coefficient of each unit in the output, if it is fixed there
        self._has_fixed = False
        trial = np.zeros(self._n_sources, dtype=np.int64)
        for t, program in enumerate(programs):
            mine = where[t]
            self._terms[t, : program.n_terms] = [mine[s] for s in program.layout.terms]
            for s, c in program.layout.fixed:
                self._fixed.entries.append((t, mine[s], c, -1))
                self._has_fixed = True
                if s in program.layout.moves:
                    fixed[mine[s]] += c
            for unit in program.layout.moving:
                trial[mine[unit.source]] = t
        self._fixed.build(self.n_trials, self._n_sources)
        self._fixed_units, self._trial = fixed[self._n_still :], trial[self._n_still :]
        self._moving_terms = np.flatnonzero(self._terms.ravel() >= self._n_still)
        self._moving_rows = self._terms.ravel()[self._moving_terms] - self._n_still

    def evaluate(self, theta: np.ndarray) -> np.ndarray | None:
        """Compute the units at `theta` (T, K); what the fixed terms of the outputs give, (T, N), None without any."""
        self._theta, sources = theta, self._sources
        self._arguments = []
        for level in self._levels:
            arguments = level.forward.at(theta) @ sources[: level.first_unit]
            self._arguments.append(arguments)
            for group in level.groups:
                group.kernel.value(*_arguments_of(group, level, arguments), out=sources[group.units])
        return self._fixed.at(theta) @ sources if self._has_fixed else None

    def terms(self, numbers: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Terms of the output with free coefficients of some structures, into `out` (n, M, N).

        Unweighted, padded with zeros; M is enough for these structures, and may be more.
        """
        places = np.zeros(out.shape[:2], dtype=np.int64)
        n_terms = min(self.n_terms, out.shape[1])
        places[:, :n_terms] = self._terms[numbers, :n_terms]
        return np.take(self._sources, places, axis=0, out=out, mode="clip")

    def differentiate(self, output: np.ndarray, root: np.ndarray | None) -> None:
        """Derivatives by the arguments at the coefficients evaluated last, and `output` (T, M).

        Times `root`, (N,) or (T, N).
        """
        if not self._levels:
            return
        coefficients = self._fixed_units + np.bincount(
            self._moving_rows, output.ravel()[self._moving_terms], minlength=len(self._fixed_units)
        )
        by_unit = np.empty((len(coefficients), self.n_rows))
        by_unit[:] = coefficients[:, None]
        if root is not None:
            by_unit *= root if root.ndim == 1 else root[self._trial]
        sources, first = self._sources, self._n_still
        for level, arguments in zip(reversed(self._levels), reversed(self._arguments), strict=True):
            for group in level.groups:
                args = _arguments_of(group, level, arguments)
                mine = by_unit[group.units.start - first : group.units.stop - first]
                for rows, slope in zip(group.args, group.kernel.slopes, strict=True):
                    np.multiply(slope(sources[group.units], *args), mine, out=self._slopes[rows])
            if level.first_unit > first:
                by_unit[: level.first_unit - first] += level.backward.at(self._theta) @ self._slopes[level.args]

    def jacobian(self, numbers: np.ndarray, out: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Derivatives of some structures by their inner coefficients, into `out` (n, K, N).

        Padded with zeros; K is enough for these structures. `differentiate` comes before; `factors` is an array of the
        shape of `out`, which is written over.
        """
        n_inner = out.shape[1]
        np.take(self._sources, self._read[numbers, :n_inner], axis=0, out=factors, mode="clip")
        return np.multiply(self._slopes[self._owner[numbers, :n_inner]], factors, out=out)


def _arguments_of(group: _Group, level: _Level, arguments: np.ndarray) -> list[np.ndarray]:
    """Of a group, among those of its level."""
    first = level.args.start
    return [arguments[rows.start - first : rows.stop - first] for rows in group.args]
