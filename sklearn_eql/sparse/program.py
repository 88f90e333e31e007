"""One sparse network as a sequence of operations on rows: its values, and their derivatives by its coefficients.

What no free coefficient of a unit moves is computed once for a set of rows: features, logarithms of features, and units
of these with fixed coefficients. The other units are gone through forwards for the values, and backwards for the
derivatives: each needs its own slope only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.kernels import Kernel, kernel_of
from sklearn_eql.sparse.rows import ScaledRows
from sklearn_eql.sparse.structure import Structure, Term


class SourceRows:
    """Rows of a table as the sources of structures, each made when first asked for.

    Parameters
    ----------
    X : Tensor (float64) or ScaledRows of shape (N, n_features)
    primitives : mapping of str to Primitive
        Of which the logarithm is taken.
    """

    def __init__(self, X: torch.Tensor | ScaledRows, primitives: Mapping[str, Primitive]) -> None:
        self._X, self._primitives = X, primitives
        self._found: dict[int | tuple[int, float], np.ndarray | None] = {}

    def __len__(self) -> int:
        return len(self._X)

    def again(self) -> SourceRows:
        """The same rows, none of them made yet."""
        return SourceRows(self._X, self._primitives)

    def column(self, source: int) -> np.ndarray:
        """The constant 1 (source 0) or a feature, (N,)."""
        row = self._found.get(source)
        if row is None:
            row = np.ascontiguousarray(self._X[:, [source - 1]].numpy()[:, 0]) if source else np.ones(len(self))
            self._found[source] = row
        return row

    def logarithm(self, source: int, coefficient: float) -> np.ndarray | None:
        """Logarithm of a multiple of a feature, (N,), or None where some row has none."""
        key = (source, coefficient)
        if key not in self._found:
            row = kernel_of(self._primitives["log"]).value(coefficient * self.column(source))
            self._found[key] = row if np.isfinite(row).all() else None
        return self._found[key]


@dataclass
class Argument:
    """One linear form inside a function. Rows that nothing moves are `still`."""

    still: list[tuple[int, float]] = field(default_factory=list)  # source, fixed coefficient
    free: list[int] = field(default_factory=list)  # still sources with a free coefficient: theta[first:last]
    moving: list[tuple[int, float, int]] = field(default_factory=list)  # source, coefficient, its place in theta or -1
    first: int = 0
    last: int = 0
    base: np.ndarray | None = None  # (N,) what the fixed terms give
    rows: np.ndarray | None = None  # (last - first, N)

    def at(self, theta: np.ndarray, values: list) -> np.ndarray:
        """The form's values, (N,)."""
        row = self.base
        if self.free:
            row = theta[self.first : self.last] @ self.rows
            if self.base is not None:
                row += self.base
        for source, coefficient, k in self.moving:
            term = values[source]
            if k >= 0:
                term = term * theta[k]
            elif coefficient != 1:
                term = term * coefficient
            row = term if row is None else row + term
        return row


@dataclass
class ProgramUnit:
    """A unit with its function; `source` is its number in the structure."""

    source: int
    name: str
    kernel: Kernel
    args: list[Argument]
    out: np.ndarray | None = None  # row of the output's terms that is this unit


@dataclass
class _FreeTerms:
    """Coefficients inside units that are fitted, in the order of a program."""

    values: list[float] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # in the order of ``Structure.with_coefficients``
    n_seen: int = 0

    def add(self, value: float, place: int) -> int:
        self.values.append(value)
        self.places.append(place)
        return len(self.values) - 1


def _argument(terms: tuple[Term, ...], moves: set[int], free: _FreeTerms) -> Argument:
    """An argument of a unit; its free terms go to `free`, those on still rows first, as one stretch."""
    arg = Argument(first=len(free.values))
    moving = []
    for source, value, is_free in terms:
        place = free.n_seen if is_free else -1
        free.n_seen += is_free
        if source in moves:
            moving.append((source, value, place))
        elif is_free:
            arg.free.append(source)
            free.add(value, place)
        else:
            arg.still.append((source, value))
    arg.last = len(free.values)
    arg.moving = [(s, c, free.add(c, place) if place >= 0 else -1) for s, c, place in moving]
    return arg


class Program:
    """A structure, ready to be evaluated on the rows that it is bound to.

    Parameters
    ----------
    structure : Structure
    primitives : mapping of str to Primitive
        Vocabulary of the unit names.

    Attributes
    ----------
    theta : ndarray (K,)
        Free coefficients of the units at the start, in the program's own order.
    order : ndarray (K,) of int
        Where each of them stands in the order of ``Structure.with_coefficients``.
    exponents : list of int
        Which of them are constant exponents of powers.
    stack : ndarray (M + K + 1, N)
        Of the bound rows: the terms of the output with free coefficients, the derivatives by the inner ones, and the
        residual. All of them times the root weights.
    """

    def __init__(self, structure: Structure, primitives: Mapping[str, Primitive]) -> None:
        self._structure = structure
        self._first = first = 1 + structure.n_features
        self.inputs: list[tuple[int, int, float]] = []  # unit, feature, coefficient: logarithms of features
        self.still: list[ProgramUnit] = []
        self.moving: list[ProgramUnit] = []
        moves: set[int] = set()
        free = _FreeTerms()
        for source, (unit, depth) in enumerate(zip(structure.units, structure.depths, strict=True), start=first):
            if depth == 0:
                feature, coefficient, _ = unit.args[0][0]
                self.inputs.append((source, feature, coefficient))
                continue
            args = [_argument(terms, moves, free) for terms in unit.args]
            is_moved = any(arg.free or arg.moving for arg in args)
            if is_moved:
                moves.add(source)
            kernel = kernel_of(primitives[unit.primitive])
            (self.moving if is_moved else self.still).append(ProgramUnit(source, unit.primitive, kernel, args))
        self.theta, self.order = np.array(free.values), np.array(free.places, dtype=np.int64)
        flags = structure.exponent_flags
        self.exponents = [k for k, place in enumerate(free.places) if flags[place]]
        self.moves = moves
        self.terms = [s for s, _, is_free in structure.output if is_free]
        self.fixed = [(s, c) for s, c, is_free in structure.output if not is_free]
        self._read = {s for form in structure.forms() for s, _, _ in form if s < first}  # constant and features
        self._fixed_still = [(s, c) for s, c in self.fixed if s not in moves]
        self._fixed_moving = [(s, c) for s, c in self.fixed if s in moves]
        self.n_terms = len(self.terms)
        self._values: list[np.ndarray | None] = []
        self._bound: SourceRows | None = None

    def bind(self, rows: SourceRows, target: np.ndarray, root: np.ndarray | None) -> bool:
        """Evaluate on these rows from now on; False where a logarithm of a feature is undefined on one of them.

        `target` (N,) is times `root` (N,), the root of the weights, if that is given.
        """
        if self._bound is rows:
            return True
        values = self.still_values(rows)
        if values is None:
            self._bound = None
            return False
        self._bound, self._root, self._values = rows, root, values
        self._bind_units(rows.column(0))
        self._bind_output(target)
        return True

    def still_values(self, rows: SourceRows) -> list[np.ndarray | None] | None:
        """Rows of all sources that no free coefficient moves, None for the others; None where one is undefined."""
        values = [None] * (self._first + len(self._structure.units))
        for s in self._read:
            values[s] = rows.column(s)
        for source, feature, coefficient in self.inputs:
            row = values[source] = rows.logarithm(feature, coefficient)
            if row is None:
                return None
        for unit in self.still:
            args = [_combined(arg.still, values) for arg in unit.args] or [rows.column(0)]
            args = [np.zeros(len(rows)) if g is None else g for g in args]
            values[unit.source] = unit.kernel.value(*args)
        return values

    def _bind_units(self, ones: np.ndarray) -> None:
        """The parts of arguments that nothing moves."""
        values = self._values
        for unit in self.moving:
            unit.out = None
            for arg in unit.args:
                arg.base = _combined(arg.still, values)
                if arg.free:
                    arg.rows = np.stack([values[s] for s in arg.free])
                elif arg.base is None and not arg.moving:
                    arg.base = ones * 0

    def _bind_output(self, target: np.ndarray) -> None:
        """Room for the results, and the terms of the output that nothing moves."""
        values, root = self._values, self._root
        self.stack = np.zeros((self.n_terms + len(self.theta) + 1, len(target)))
        self.phi = self.stack[: self.n_terms]
        self.jacobian = self.stack[self.n_terms : -1]
        self.residual = self.stack[-1]
        owners = {unit.source: unit for unit in self.moving}
        self._copied: list[tuple[np.ndarray, int]] = []  # terms that are not computed in their place
        for row, s in zip(self.phi, self.terms, strict=True):
            if s not in self.moves:
                np.multiply(values[s], 1.0 if root is None else root, out=row)
            elif root is None and owners[s].out is None:
                owners[s].out = row
            else:
                self._copied.append((row, s))
        given = _combined(self._fixed_still, values)
        self._target = target if given is None else target - (given if root is None else given * root)

    def evaluate(self, theta: np.ndarray) -> np.ndarray:
        """Fill `phi`; what its rows are to give, (N,)."""
        self._theta, values = theta, self._values
        self._args = []
        for unit in self.moving:
            args = [arg.at(theta, values) for arg in unit.args]
            self._args.append(args)
            values[unit.source] = unit.kernel.value(*args, out=unit.out)
        for row, s in self._copied:
            np.multiply(values[s], 1.0 if self._root is None else self._root, out=row)
        aim = self._target
        for s, c in self._fixed_moving:
            given = values[s] * c
            aim = aim - (given if self._root is None else given * self._root)
        return aim

    def differentiate(self, output: np.ndarray) -> None:
        """Fill `jacobian` at the coefficients evaluated last, and `output` (M,)."""
        values, theta, jacobian, root = self._values, self._theta, self.jacobian, self._root
        by_unit: dict[int, np.ndarray | float] = {}  # derivative of the law by each unit
        for s, c in [*zip(self.terms, output.tolist(), strict=True), *self._fixed_moving]:
            if s in self.moves:
                by_unit[s] = by_unit.get(s, 0.0) + c
        if root is not None:
            by_unit = {s: c * root for s, c in by_unit.items()}
        for unit, args in zip(reversed(self.moving), reversed(self._args), strict=True):
            mine = by_unit.get(unit.source)
            if mine is None:  # nothing reads it
                continue
            for arg, slope in zip(unit.args, unit.kernel.slopes, strict=True):
                if not (arg.free or arg.moving):
                    continue
                by_argument = slope(values[unit.source], *args) * mine
                if arg.free:
                    np.multiply(arg.rows, by_argument, out=jacobian[arg.first : arg.last])
                for s, c, k in arg.moving:
                    if k >= 0:
                        np.multiply(values[s], by_argument, out=jacobian[k])
                        c = theta[k]
                    more = by_argument if c == 1 else by_argument * c
                    by_unit[s] = by_unit[s] + more if s in by_unit else more


def _combined(terms: list[tuple[int, float]], values: list) -> np.ndarray | None:
    """Sum of terms, (N,); None where there are none."""
    row = None
    for s, c in terms:
        term = values[s] if c == 1 else values[s] * c
        row = term if row is None else row + term
    return row
