"""One equation as data: a sparse network written as a list of units.

The record holds names, indices and numbers only, so it pickles, prints as JSON, and means the same on any machine.
Sources are numbered ``0`` (the constant 1), ``1 .. n_features`` (the features) and from there on the units in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from sklearn_eql.primitives import PRIMITIVES, Primitive

_ROWS_AT_ONCE = 2**14  # of `Equation.evaluate`: 128 kB for each feature and unit

Rows = TypeVar("Rows", np.ndarray, torch.Tensor)

Affine = tuple[tuple[int, float], ...]
"""A linear form: ``((source, coefficient), ...)``, sources ascending and distinct."""


@dataclass(frozen=True)
class Unit:
    """``primitive(args[0], args[1], ...)`` where each argument is a linear form of earlier sources.

    Parameters
    ----------
    primitive : str
        Name of the function.
    args : tuple of Affine, length of its arity
        Each of sources before this unit.
    """

    primitive: str
    args: tuple[Affine, ...]


@dataclass(frozen=True)
class Frame:
    """Origins and units of a law: it reads ``(x - origin) / unit`` of each feature, and gives ``y / y_unit``.

    For data whose own would cancel or overflow: seconds since 1970 over an hour, or numbers near the ends of float64.

    Parameters
    ----------
    origins : tuple of float, length n_features
        In the units of the features.
    units : tuple of float, length n_features
        Positive, in the units of the features.
    y_unit : float
        Positive, in the unit of the target.
    """

    origins: tuple[float, ...]
    units: tuple[float, ...]
    y_unit: float = 1.0

    def inside(self, X: Rows) -> Rows:
        """Rows ``(n_samples, n_features)`` as the law reads them."""
        if isinstance(X, np.ndarray):
            return (X - np.array(self.origins)) / np.array(self.units)
        return (X - X.new_tensor(self.origins)) / X.new_tensor(self.units)

    def of_columns(self, columns: list[int]) -> Frame:
        """The frame of a law over some of the columns."""
        origins, units = (tuple(values[column] for column in columns) for values in (self.origins, self.units))
        return Frame(origins, units, self.y_unit)

    def is_moved(self, feature: int) -> bool:
        """Whether a feature, numbered from 0, is read from another origin or in another unit."""
        return self.origins[feature] != 0 or self.units[feature] != 1


@dataclass(frozen=True)
class Equation:
    """``y = sum(c * source for source, c in output)`` over features and units, in a frame if there is one.

    Sources are numbered: 0 is the constant 1, then come the features, then the units in their order.

    Parameters
    ----------
    n_features : int
    units : tuple of Unit
        Each reads sources before it.
    output : Affine
        ``((source, coefficient), ...)``, sources ascending and distinct.
    frame : Frame, optional
        Origins and units that are not those of the data.

    Examples
    --------
    ``3*sin(2*x0) + x1/2``:

    >>> import numpy as np
    >>> law = Equation(2, (Unit("sin", (((1, 2.0),),)),), ((2, 0.5), (3, 3.0)))
    >>> law.coefficients().tolist()
    [2.0, 0.5, 3.0]
    >>> law.evaluate(np.array([[0.0, 4.0]])).tolist()
    [2.0]
    """

    n_features: int
    units: tuple[Unit, ...]
    output: Affine
    frame: Frame | None = None

    def coefficients(self) -> np.ndarray:
        """Every coefficient, shape ``(n_coefficients,)``: arguments of the units in order, then the output."""
        return np.array([c for form in self.forms() for _, c in form], dtype=np.float64)

    def with_coefficients(self, values: np.ndarray) -> Equation:
        """The same equation with other coefficients: `values` of shape ``(n_coefficients,)``, as in `coefficients`."""
        stream = iter(np.asarray(values, dtype=np.float64).tolist())

        def refill(form: Affine) -> Affine:
            return tuple((source, next(stream)) for source, _ in form)

        units = tuple(Unit(unit.primitive, tuple(refill(form) for form in unit.args)) for unit in self.units)
        return replace(self, units=units, output=refill(self.output))

    def forms(self) -> list[Affine]:
        """Every linear form: arguments of the units in order, then the output."""
        return [form for unit in self.units for form in unit.args] + [self.output]

    def of_used_columns(self) -> tuple[Equation, list[int]]:
        """The same law over the features that it reads, and the columns these are, ascending."""
        first = 1 + self.n_features
        columns = sorted({s - 1 for form in self.forms() for s, _ in form if 0 < s < first})
        number = {0: 0} | {1 + column: 1 + i for i, column in enumerate(columns)}

        def renumbered(form: Affine) -> Affine:
            return tuple((number[s] if s < first else s - self.n_features + len(columns), c) for s, c in form)

        units = tuple(Unit(unit.primitive, tuple(map(renumbered, unit.args))) for unit in self.units)
        frame = None if self.frame is None else self.frame.of_columns(columns)
        return Equation(len(columns), units, renumbered(self.output), frame), columns

    def evaluate(self, X: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES) -> np.ndarray:
        """Values of the law in float64; NaN or infinite for rows outside the domain of a function.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
            In the units of the data. Memory beyond it does not grow with the number of rows.
        primitives : mapping of str to Primitive
            Functions by name.

        Returns
        -------
        ndarray, shape (n_samples,)
            In the unit of the target.
        """
        X = np.asarray(X)
        found = np.empty(len(X))
        for first in range(0, len(X), _ROWS_AT_ONCE):  # one block of rows bounds the memory, and fits into the cache
            rows = slice(first, first + _ROWS_AT_ONCE)
            found[rows] = self.forward(torch.from_numpy(np.array(X[rows], dtype=np.float64)), primitives).numpy()
        return found

    def forward(self, X: torch.Tensor, primitives: Mapping[str, Primitive] = PRIMITIVES) -> torch.Tensor:
        """As `evaluate`, on a float tensor ``(n_samples, n_features)``; differentiable."""
        values = _linear(self.output, self._sources(X, primitives))
        return values if self.frame is None or self.frame.y_unit == 1 else values * self.frame.y_unit

    def sources(self, X: torch.Tensor, primitives: Mapping[str, Primitive] = PRIMITIVES) -> list[np.ndarray]:
        """Values of every source, each of shape ``(n_samples,)``: the constant, the features, the units.

        In the frame of the equation, if it has one.
        """
        return [source.numpy() for source in self._sources(X, primitives)]

    def _sources(self, X: torch.Tensor, primitives: Mapping[str, Primitive]) -> list[torch.Tensor]:
        one = X.new_ones(len(X))
        if self.frame is not None:
            X = self.frame.inside(X)
        sources = [one, *X.unbind(dim=1)]
        for unit in self.units:
            args = [_linear(form, sources) for form in unit.args] or [one]
            sources.append(primitives[unit.primitive].torch_fn(*args))
        return sources


def _linear(form: Affine, sources: list[torch.Tensor]) -> torch.Tensor:
    total = torch.zeros_like(sources[0])
    for source, coefficient in form:
        total = total + coefficient * sources[source]
    return total
