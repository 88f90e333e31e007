"""One sparse network as a sequence of operations on rows: its values, and their derivatives by its coefficients.

What no free coefficient of a unit moves is computed once for a set of rows: features, logarithms of features, and units
of these with fixed coefficients. The other units are gone through forwards for the values, and backwards for the
derivatives: each needs its own slope only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from sklearn_eql._devices import moved
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.kernels import Kernel, kernel_of
from sklearn_eql.sparse.layout import Form, combined
from sklearn_eql.sparse.rows import ScaledRows
from sklearn_eql.sparse.structure import Structure


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
        self._there: dict[tuple[str, int | tuple[int, float] | None], torch.Tensor] = {}

    def __getstate__(self) -> dict:
        """Without the rows that were made."""
        return vars(self) | {"_found": {}, "_there": {}}

    def __len__(self) -> int:
        return len(self._X)

    def again(self) -> SourceRows:
        """The same rows, none of them made yet."""
        return SourceRows(self._X, self._primitives)

    def part(self, rows: slice) -> SourceRows:
        """Some of the rows."""
        return SourceRows(self._X[rows], self._primitives)

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

    def on(self, device: str, columns: Sequence[int], logarithms: Sequence[tuple[int, float]]) -> torch.Tensor:
        """Zeros, then these rows, on a device, (1 + columns + logarithms, N); each is transferred once."""
        keys = [None, *columns, *logarithms]
        new = [key for key in keys if (device, key) not in self._there]
        if new:
            made = np.stack([self._made(key) for key in new])
            there = moved(torch.from_numpy(made), device)
            self._there |= {(device, key): row for key, row in zip(new, there.unbind(), strict=True)}
        return torch.stack([self._there[device, key] for key in keys])

    def _made(self, key: int | tuple[int, float] | None) -> np.ndarray:
        if key is None:
            return np.zeros(len(self))
        return self.logarithm(*key) if isinstance(key, tuple) else self.column(key)


@dataclass
class _BoundForm:
    """A form, and what of it nothing moves on the bound rows."""

    form: Form
    base: np.ndarray | None  # (N,) what the fixed terms give
    rows: np.ndarray | None  # (last - first, N) still sources of free coefficients

    def at(self, theta: np.ndarray, values: list) -> np.ndarray:
        """The form's values, (N,)."""
        row = self.base
        if self.rows is not None:
            row = theta[self.form.first : self.form.last] @ self.rows
            if self.base is not None:
                row += self.base
        for source, coefficient, k in self.form.moving:
            term = values[source]
            if k >= 0:
                term = term * theta[k]
            elif coefficient != 1:
                term = term * coefficient
            row = term if row is None else row + term
        return row


@dataclass
class _BoundUnit:
    source: int
    kernel: Kernel
    args: list[_BoundForm]
    out: np.ndarray | None = None  # row of the output's terms that is this unit


class Program:
    """A structure, ready to be evaluated on the rows that it is bound to.

    Parameters
    ----------
    structure : Structure
    primitives : mapping of str to Primitive
        Vocabulary of the unit names.
    theta : ndarray (K,), optional
        To start from, in place of the coefficients of the structure.

    Attributes
    ----------
    theta : ndarray (K,)
        Free coefficients of the units at the start, in the order of the layout.
    stack : ndarray (M + K + 1, N)
        Of the bound rows: the terms of the output with free coefficients, the derivatives by the inner ones, and the
        residual. All of them times the root weights.
    """

    def __init__(
        self, structure: Structure, primitives: Mapping[str, Primitive], theta: np.ndarray | None = None
    ) -> None:
        self.layout = structure.layout
        self._primitives = primitives
        if theta is None:
            inner = [c for unit in structure.units for arg in unit.args for _, c, is_free in arg if is_free]
            theta = np.array([inner[k] for k in self.layout.order])
        self.theta = theta
        self.n_terms = len(self.layout.terms)
        self._bound: SourceRows | None = None

    def kernel(self, name: str) -> Kernel:
        """The function of a unit."""
        return kernel_of(self._primitives[name])

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
        self._bind_units(len(rows))
        self._bind_output(target)
        return True

    def still_values(self, rows: SourceRows) -> list[np.ndarray | None] | None:
        """Rows of all sources that no free coefficient moves, None for the others; None where one is undefined."""
        values: list[np.ndarray | None] = [None] * self.layout.n_sources
        for s in self.layout.read:
            values[s] = rows.column(s)
        for source, feature, factor in self.layout.inputs:
            row = values[source] = rows.logarithm(feature, factor)
            if row is None:
                return None
        for unit in self.layout.still:
            args = [combined(form.still, values) for form in unit.args] or [rows.column(0)]
            args = [np.zeros(len(rows)) if g is None else g for g in args]
            values[unit.source] = self.kernel(unit.primitive).value(*args)
        return values

    def _bind_units(self, n_rows: int) -> None:
        values = self._values
        self._units = []
        for unit in self.layout.moving:
            args = []
            for form in unit.args:
                base = combined(form.still, values)
                if base is None and not (form.free or form.moving):
                    base = np.zeros(n_rows)
                free = cast(list[np.ndarray], [values[s] for s in form.free])
                args.append(_BoundForm(form, base, np.stack(free) if free else None))
            self._units.append(_BoundUnit(unit.source, self.kernel(unit.primitive), args))

    def _bind_output(self, target: np.ndarray) -> None:
        """Room for the results, and the terms of the output that nothing moves."""
        values, root, moves = self._values, self._root, self.layout.moves
        self.stack = np.zeros((self.n_terms + len(self.theta) + 1, len(target)))
        self.phi = self.stack[: self.n_terms]
        self.jacobian = self.stack[self.n_terms : -1]
        self.residual = self.stack[-1]
        owners = {unit.source: unit for unit in self._units}
        self._copied: list[tuple[np.ndarray, int]] = []  # terms that are not computed in their place
        for row, s in zip(self.phi, self.layout.terms, strict=True):
            if s not in moves:
                np.multiply(values[s], 1.0 if root is None else root, out=row)
            elif root is None and owners[s].out is None:
                owners[s].out = row
            else:
                self._copied.append((row, s))
        given = combined([(s, c) for s, c in self.layout.fixed if s not in moves], values)
        self._target = target if given is None else target - (given if root is None else given * root)
        self._fixed = [(s, c) for s, c in self.layout.fixed if s in moves]

    def evaluate(self, theta: np.ndarray) -> np.ndarray:
        """Fill `phi`; what its rows are to give, (N,)."""
        self._theta, values = theta, self._values
        self._args = []
        for unit in self._units:
            args = [arg.at(theta, values) for arg in unit.args]
            self._args.append(args)
            values[unit.source] = unit.kernel.value(*args, out=unit.out)
        for row, s in self._copied:
            np.multiply(values[s], 1.0 if self._root is None else self._root, out=row)
        aim = self._target
        for s, c in self._fixed:
            given = values[s] * c
            aim = aim - (given if self._root is None else given * self._root)
        return aim

    def differentiate(self, output: np.ndarray) -> None:
        """Fill `jacobian` at the coefficients evaluated last, and `output` (M,)."""
        values, theta, jacobian, root = self._values, self._theta, self.jacobian, self._root
        by_unit: dict[int, np.ndarray | float] = {}  # derivative of the law by each unit
        for s, c in [*zip(self.layout.terms, output.tolist(), strict=True), *self._fixed]:
            if s in self.layout.moves:
                by_unit[s] = by_unit.get(s, 0.0) + c
        if root is not None:
            by_unit = {s: c * root for s, c in by_unit.items()}
        for unit, args in zip(reversed(self._units), reversed(self._args), strict=True):
            mine = by_unit.get(unit.source)
            if mine is None:  # nothing reads it
                continue
            for arg, slope in zip(unit.args, unit.kernel.slopes, strict=True):
                form = arg.form
                if not (form.free or form.moving):
                    continue
                by_argument = slope(values[unit.source], *args) * mine
                if form.free:
                    np.multiply(arg.rows, by_argument, out=jacobian[form.first : form.last])
                for s, c, k in form.moving:
                    if k >= 0:
                        np.multiply(values[s], by_argument, out=jacobian[k])
                        c = theta[k]
                    more = by_argument if c == 1 else by_argument * c
                    by_unit[s] = by_unit[s] + more if s in by_unit else more
