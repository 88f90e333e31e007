"""Where everything of many structures stands in one table of rows: integers only, computed with NumPy.

The rows of all sources stand one below the other: zeros, the columns that are read, logarithms of columns, then the
units, stage by stage, level by level and function by function. The arguments stand likewise. A linear form is a run of
entries, each a row and a weight; weights are numbers of a pool: constants, then the inner coefficients of all
structures, then those of their outputs. The arrays of each structure are kept with its layout, so that those of a batch
are concatenations and sorts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_eql.sparse.layout import STAGE_INPUT, STAGE_MOVING, STAGE_STILL, Layout

ZERO = 0  # the first row of every table


@dataclass(frozen=True)
class Group:
    """Units of one level with one function."""

    primitive: str
    units: slice  # rows of the sources
    args: tuple[slice, ...]  # rows of the arguments, one slice for each position


@dataclass(frozen=True)
class Level:
    """Units that can be computed together."""

    groups: list[Group]
    units: slice  # rows of the sources
    args: slice  # rows of the arguments
    entries: slice  # of the arguments
    readers: slice  # entries of the way back


class Packing:
    """The places of T structures of one problem.

    Parameters
    ----------
    layouts : sequence of Layout
    has_own_roots : bool
        Whether each structure has weights of its own.

    Attributes
    ----------
    n_inner, n_terms : int
        K and M: free coefficients of the units and of the output, at most; at least one each, padded.
    columns : list of int
        Sources that are columns, 0 being the constant 1; their rows are 1, 2, ...
    logarithms : list of (int, float)
        Column and factor of the rows after those.
    still, moving : list of Level
        Units that no free coefficient moves, and the others.
    n_sources, n_args, n_roots : int
        Rows of the two tables, the zeros included, and of the roots of the weights that follow the arguments.
    constants : ndarray
        The first of the pool of weights.
    indices : dict of str to ndarray of int
        ``entry_rows``, ``entry_weights``, ``entry_starts``: of the arguments, starts counted from each level's first;
        ``reader_rows``, ``reader_weights``, ``reader_starts``: for each moving unit, the arguments that read it, and
        the outputs, whose rows follow those of the arguments; ``terms`` (T * M), ``owner`` and ``read`` (T * K): rows
        of the terms, of the argument in which a coefficient stands and of the source it multiplies; ``fixed_rows``,
        ``fixed_weights``, ``fixed_starts``: of the fixed terms of the outputs.
    has_fixed : bool
        Whether there are any.
    """

    def __init__(self, layouts: Sequence[Layout], has_own_roots: bool = False) -> None:
        self._layouts = layouts
        self._parts = [layout.arrays for layout in layouts]
        self.n_trials = len(layouts)
        self.n_roots = self.n_trials if has_own_roots else 1
        self.n_inner = max([1, *(len(layout.order) for layout in layouts)])
        self.n_terms = max([1, *(len(layout.terms) for layout in layouts)])
        self.indices: dict[str, np.ndarray] = {}
        self._place_columns()
        self._place_units()
        self._place_arguments()
        self._index_entries()
        self._index_outputs()
        self._index_readers()
        for name, ends in (("entry_starts", self._entry_ends), ("reader_starts", self._reader_ends)):
            self.indices[name] = ends[:-1].copy()
        self.still, self.moving = self._levels(STAGE_STILL), self._levels(STAGE_MOVING)

    def _joined(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in self._parts])

    def _trials_of(self, name: str) -> np.ndarray:
        """The structure that each row of the joined arrays belongs to."""
        return np.repeat(np.arange(self.n_trials), [len(getattr(part, name)) for part in self._parts])

    def _place_columns(self) -> None:
        self.columns = sorted({s for layout in self._layouts for s in layout.read})
        self.logarithms = list(dict.fromkeys((f, c) for layout in self._layouts for _, f, c in layout.inputs))
        self._row_of_column = np.zeros(self._parts[0].first, dtype=np.int64)
        self._row_of_column[self.columns] = 1 + np.arange(len(self.columns))
        self.n_given = 1 + len(self.columns) + len(self.logarithms)

    def _place_units(self) -> None:
        """Rows of the units: stage by stage, level by level, function by function."""
        names = [name for part in self._parts for name in part.names]
        self._names = list(dict.fromkeys(names))
        number = {name: k for k, name in enumerate(self._names)}
        functions = np.array([number[name] for name in names], dtype=np.int64)
        self._first_unit = np.concatenate([[0], np.cumsum([len(part.names) for part in self._parts])])[:-1]
        stage, level = self._joined("units").T
        order = np.lexsort((functions, level, stage))
        order = order[stage[order] != STAGE_INPUT]
        self._row_of_unit = np.zeros(len(names), dtype=np.int64)
        self._row_of_unit[order] = self.n_given + np.arange(len(order))
        logarithm = {key: 1 + len(self.columns) + k for k, key in enumerate(self.logarithms)}
        for first, layout in zip(self._first_unit.tolist(), self._layouts, strict=True):
            for source, feature, factor in layout.inputs:
                self._row_of_unit[first + source - layout.first_unit] = logarithm[feature, factor]
        self.n_sources = self.n_given + len(order)
        kinds = np.stack([stage[order], level[order], functions[order]])
        new = np.flatnonzero((kinds[:, 1:] != kinds[:, :-1]).any(axis=0)) + 1
        starts = [0, *new.tolist()] if len(order) else []
        self._starts = [*starts, len(order)]  # of the groups, among the units that are none of the inputs
        self._kinds = kinds[:, starts].T.tolist()
        self.n_moving = int(np.count_nonzero(stage == STAGE_MOVING))
        self.first_moving = self.n_sources - self.n_moving

    def _place_arguments(self) -> None:
        """Rows of the arguments, in the order of the groups, position by position."""
        args = self._joined("args")
        unit = self._first_unit[self._trials_of("args")] + args[:, 0]
        rank = self._row_of_unit[unit] - self.n_given
        group = np.searchsorted(self._starts, rank, side="right") - 1
        self._n_args_of_group = np.bincount(group, minlength=len(self._kinds)).tolist()
        order = np.lexsort((rank, args[:, 1], group))
        self._row_of_arg = np.empty(len(args), dtype=np.int64)
        self._row_of_arg[order] = 1 + np.arange(len(args))
        self.n_args = 1 + len(args)

    def _row_of(self, trial: np.ndarray, source: np.ndarray) -> np.ndarray:
        """Rows of sources, each of one structure."""
        first = len(self._row_of_column)
        is_unit = source >= first
        rows = self._row_of_column[np.where(is_unit, 0, source)]
        rows[is_unit] = self._row_of_unit[self._first_unit[trial[is_unit]] + source[is_unit] - first]
        return rows

    def _index_entries(self) -> None:
        """The linear forms of the arguments, and which coefficient multiplies what."""
        entries, values, trial = self._joined("entries"), self._joined("values"), self._trials_of("entries")
        first_arg = np.concatenate([[0], np.cumsum([len(part.args) for part in self._parts])])[:-1]
        arg = self._row_of_arg[first_arg[trial] + entries[:, 0]]
        rows, place = self._row_of(trial, entries[:, 1]), entries[:, 2]
        is_free = place >= 0
        self.constants, weight = np.unique(values[~is_free], return_inverse=True)
        self.constants = np.append(self.constants, self._joined("fixed_values"))
        slot = trial * self.n_inner + place
        weights = np.empty(len(rows), dtype=np.int64)
        weights[is_free], weights[~is_free] = len(self.constants) + slot[is_free], weight
        order = np.argsort(arg, kind="stable")
        self._entry_ends = np.concatenate([[0], np.cumsum(np.bincount(arg - 1, minlength=self.n_args - 1))])
        self.indices |= {"entry_rows": rows[order], "entry_weights": weights[order]}
        for name, of in (("owner", arg), ("read", rows)):
            table = np.full(self.n_trials * self.n_inner, ZERO)
            table[slot[is_free]] = of[is_free]
            self.indices[name] = table
        self._entries = (arg, rows, weights)

    def _index_outputs(self) -> None:
        terms, trial = self._joined("terms"), self._trials_of("terms")
        place = np.concatenate([np.arange(len(part.terms)) for part in self._parts])
        slot = trial * self.n_terms + place
        table = np.full(self.n_trials * self.n_terms, ZERO)
        table[slot] = self._row_of(trial, terms)
        fixed, of = self._joined("fixed"), self._trials_of("fixed")
        first = len(self.constants) - len(fixed)
        rows = self._row_of(of, fixed)
        counts = [len(part.fixed) for part in self._parts]
        self.indices |= {
            "terms": table,
            "fixed_rows": rows,
            "fixed_weights": first + np.arange(len(fixed)),
            "fixed_starts": np.concatenate([[0], np.cumsum(counts)])[:-1],
        }
        self.has_fixed = bool(len(fixed))
        output = len(self.constants) + self.n_trials * self.n_inner + slot
        self._outputs = (
            np.concatenate([trial, of]),
            np.concatenate([table[slot], rows]),
            np.concatenate([output, self.indices["fixed_weights"]]),
        )

    def _index_readers(self) -> None:
        """For every moving unit what reads it, and with which weight."""
        arg, rows, weights = self._entries
        trial, output_rows, output_weights = self._outputs
        source = np.concatenate([rows, output_rows]) - self.first_moving
        by = np.concatenate([arg, self.n_args + np.minimum(trial, self.n_roots - 1)])
        weight = np.concatenate([weights, output_weights])
        moves = source >= 0
        source, by, weight = source[moves], by[moves], weight[moves]
        order = np.argsort(source, kind="stable")
        self._reader_ends = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=self.n_moving))])
        self.indices |= {"reader_rows": by[order], "reader_weights": weight[order]}

    def _levels(self, stage: int) -> list[Level]:
        """The levels of a stage."""
        groups: dict[int, list[Group]] = {}
        spans: dict[int, list[int]] = {}  # arguments of a level, from and to
        arg = 1
        for k, (of, level, function) in enumerate(self._kinds):
            first, last = self._starts[k], self._starts[k + 1]
            begin, args = arg, []
            for _ in range(self._n_args_of_group[k] // (last - first)):
                args.append(slice(arg, arg + last - first))
                arg += last - first
            if of == stage:
                units = slice(self.n_given + first, self.n_given + last)
                groups.setdefault(level, []).append(Group(self._names[function], units, tuple(args)))
                spans[level] = [spans.get(level, [begin])[0], arg]
        return [self._level(groups[level], slice(*spans[level])) for level in groups]

    def _level(self, groups: list[Group], args: slice) -> Level:
        """With its starts counted from its own first entry."""
        units = slice(groups[0].units.start, groups[-1].units.stop)
        entries = _run(self._entry_ends, self.indices["entry_starts"], args.start - 1, args.stop - 1)
        readers = slice(0, 0)
        if units.start >= self.first_moving:
            span = units.start - self.first_moving, units.stop - self.first_moving
            readers = _run(self._reader_ends, self.indices["reader_starts"], *span)
        return Level(groups, units, args, entries, readers)


def _run(ends: np.ndarray, starts: np.ndarray, first: int, last: int) -> slice:
    """The entries of some forms, `first` to `last`, whose starts are counted from there from now on."""
    entries = slice(int(ends[first]), int(ends[last]))
    starts[first:last] = ends[first:last] - entries.start
    return entries
