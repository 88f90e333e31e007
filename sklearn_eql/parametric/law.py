"""A law with named constants: an equation of which the last columns are constants, not features.

So its values, SymPy form and complexity are those of an equation, and its derivatives by constants those by columns.
A constant that every group has for itself is a column that varies from group to group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Affine, Equation, Frame, Unit


@dataclass(frozen=True)
class ParametricLaw:
    """A law with named constants.

    Parameters
    ----------
    equation : Equation
        Over the features, then the constants.
    names : tuple of str, length n_constants
    own : tuple of bool, length n_constants
        Whether every group has its own value of the constant.
    """

    equation: Equation
    names: tuple[str, ...]
    own: tuple[bool, ...]

    @property
    def n_features(self) -> int:
        """Columns that are no constants."""
        return self.equation.n_features - len(self.names)

    def sharing(self, own: Sequence[bool]) -> ParametricLaw:
        """The same law with other constants of groups."""
        return replace(self, own=tuple(map(bool, own)))

    def with_values(self, values: Sequence[float], primitives: Mapping[str, Primitive] = PRIMITIVES) -> Equation:
        """The canonical equation over the features, with numbers in place of the constants, ``(n_constants,)``."""
        return canonicalize(self.holding(dict(enumerate(values))).equation, primitives)

    def holding(self, values: Mapping[int, float]) -> ParametricLaw:
        """The law with numbers in place of some of its constants, by their positions."""
        first = self.n_features + 1
        kept = [k for k in range(len(self.names)) if k not in values]
        equation = _substituted(self.equation, {first + k: float(value) for k, value in values.items()})
        names, own = tuple(self.names[k] for k in kept), tuple(self.own[k] for k in kept)
        return ParametricLaw(equation, names, own)

    def equating(self, constant: int, other: int, sign: float = 1.0) -> ParametricLaw:
        """The law in which a constant, by position, is another one, or its negative."""
        first = self.n_features + 1
        equation = _redirected(self.equation, {first + constant: (first + other, sign)})
        return replace(self, equation=equation).holding({constant: 0.0})

    def negating(self, constants: Iterable[int]) -> ParametricLaw:
        """The law of the negatives of some constants, by position."""
        first = self.n_features + 1
        return replace(self, equation=_redirected(self.equation, {first + k: (first + k, -1.0) for k in constants}))

    def used(self, primitives: Mapping[str, Primitive] = PRIMITIVES) -> tuple[ParametricLaw, list[int]]:
        """The canonical law of the constants that it still reads, and which these are."""
        equation = canonicalize(self.equation, primitives)
        read = {source for form in equation.forms() for source, _ in form}
        unread = [k for k in range(len(self.names)) if self.n_features + 1 + k not in read]
        law = replace(self, equation=equation).holding(dict.fromkeys(unread, 0.0))
        return law, [k for k in range(len(self.names)) if k not in unread]

    def tied(self, groups: np.ndarray, names: Sequence[str]) -> ParametricLaw:
        """The law over other constants, of which each of its own is a sum: ``groups @ constants``, (n_constants, K)."""
        n, first, count = self.n_features, self.n_features + 1, groups.shape[1]
        columns = [[(first + k, float(c)) for k, c in enumerate(row) if c] for row in groups.tolist()]

        def replaced(form: Affine) -> Affine:
            total: dict[int, float] = {}
            for source, c in form:
                own = n < source <= n + len(self.names)
                parts = columns[source - first] if own else [(source, 1.0)]
                for part, factor in parts:
                    shifted = part if own or part <= n else part - len(self.names) + count
                    total[shifted] = total.get(shifted, 0.0) + c * factor
            return tuple(sorted(total.items()))

        units = tuple(Unit(unit.primitive, tuple(map(replaced, unit.args))) for unit in self.equation.units)
        frame = self.equation.frame
        frame = None if frame is None else _widened(frame.of_columns(list(range(n))), count)
        equation = Equation(n + count, units, replaced(self.equation.output), frame)
        return ParametricLaw(equation, tuple(names), (False,) * count)

    def evaluate(
        self, X: np.ndarray, values: np.ndarray, primitives: Mapping[str, Primitive] = PRIMITIVES
    ) -> np.ndarray:
        """Values on `X` (n_samples, n_features), of constants ``(n_constants,)`` or of each row its own."""
        columns = np.broadcast_to(np.asarray(values, dtype=float), (len(X), len(self.names)))
        return self.equation.evaluate(np.concatenate([X, columns], axis=1), primitives)

    @property
    def linear(self) -> tuple[bool, ...]:
        """Constants in which the law is linear, all of them at once: with the others given, one solve finds them.

        Where two are factors of one product, the first counts.
        """
        first = self.n_features + 1
        places = range(first, first + len(self.names))
        linear: set[int] = set()
        for place in places:
            if _is_linear(self.equation, linear | {place}):
                linear.add(place)
        return tuple(place in linear for place in places)


def naming(
    equation: Equation, mask: Sequence[bool], names: Sequence[str] | None = None, *, tied: bool = True
) -> tuple[ParametricLaw, np.ndarray]:
    """The law with constants in place of some of its coefficients, and their values.

    Parameters
    ----------
    equation : Equation
    mask : sequence of bool
        Which of ``equation.coefficients()``.
    names : sequence of str, optional
        Of the constants, in the order in which they first occur; ``c0``, ``c1`` and so on by default.
    tied : bool
        Whether coefficients that are equal but for their sign are one constant.

    Returns
    -------
    law : ParametricLaw
        All of its constants shared.
    values : ndarray (n_constants,)
    """
    coefficients = equation.coefficients().tolist()
    found: list[float] = []
    places: list[int] = []  # in `found`, of the chosen coefficients in order
    for c, chosen in zip(coefficients, mask, strict=True):
        if not chosen:
            continue
        place = next((k for k, value in enumerate(found) if tied and abs(value) == abs(c)), len(found))
        places.append(place)
        if place == len(found):
            found.append(c)
    n, first = len(found), equation.n_features + 1
    stream, constants = iter(zip(coefficients, mask, strict=True)), iter(places)
    units: list[Unit] = []
    number = list(range(first))  # of old sources

    def renamed(form: Affine) -> Affine:
        total: dict[int, float] = {}
        for source, _ in form:
            c, chosen = next(stream)
            if not chosen:
                total[number[source]] = total.get(number[source], 0.0) + c
                continue
            k = next(constants)
            place = first + k
            if source:
                units.append(Unit("mul", (((place, 1.0),), ((number[source], 1.0),))))
                place = first + n + len(units) - 1
            total[place] = total.get(place, 0.0) + (1.0 if c == found[k] else -1.0)
        return tuple(sorted(total.items()))

    for unit in equation.units:
        args = tuple(renamed(form) for form in unit.args)
        units.append(Unit(unit.primitive, args))
        number.append(first + n + len(units) - 1)
    output = renamed(equation.output)
    law = Equation(equation.n_features + n, tuple(units), output, _widened(equation.frame, n))
    chosen = tuple(f"c{k}" for k in range(n)) if names is None else tuple(names)
    return ParametricLaw(law, chosen, (False,) * n), np.array(found)


def _widened(frame: Frame | None, n: int) -> Frame | None:
    if frame is None:
        return None
    return replace(frame, origins=(*frame.origins, *(0.0,) * n), units=(*frame.units, *(1.0,) * n))


def _substituted(equation: Equation, values: Mapping[int, float]) -> Equation:
    """Numbers in place of some of the columns, by their sources."""
    columns = [c for c in range(equation.n_features) if c + 1 not in values]
    number = {0: 0} | {c + 1: 1 + i for i, c in enumerate(columns)}
    first = equation.n_features + 1
    number |= {first + u: 1 + len(columns) + u for u in range(len(equation.units))}

    def replaced(form: Affine) -> Affine:
        total: dict[int, float] = {}
        for source, c in form:
            place, value = (0, c * values[source]) if source in values else (number[source], c)
            total[place] = total.get(place, 0.0) + value
        return tuple(sorted(total.items()))

    units = tuple(Unit(unit.primitive, tuple(map(replaced, unit.args))) for unit in equation.units)
    frame = None if equation.frame is None else equation.frame.of_columns(columns)
    return Equation(len(columns), units, replaced(equation.output), frame)


def _redirected(equation: Equation, sources: Mapping[int, tuple[int, float]]) -> Equation:
    """Multiples of other columns in place of some."""

    def replaced(form: Affine) -> Affine:
        total: dict[int, float] = {}
        for source, c in form:
            place, factor = sources.get(source, (source, 1.0))
            total[place] = total.get(place, 0.0) + c * factor
        return tuple(sorted(total.items()))

    units = tuple(Unit(unit.primitive, tuple(map(replaced, unit.args))) for unit in equation.units)
    return replace(equation, units=units, output=replaced(equation.output))


def _is_linear(equation: Equation, places: set[int]) -> bool:
    """Whether an equation is linear in these sources at once: no function and no product of two has them inside."""
    reads: list[bool] = [source in places for source in range(equation.n_features + 1)]
    for unit in equation.units:
        inside = [any(reads[source] for source, _ in arg) for arg in unit.args]
        is_factor = unit.primitive in ("mul", "id") or (unit.primitive == "div" and not inside[1])
        if sum(inside) > 1 or (any(inside) and not is_factor):
            return False
        reads.append(any(inside))
    return True
