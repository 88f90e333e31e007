"""The units of the constants of a law."""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.structure import fixed_in_print
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.units.dimensions import TableUnits, as_fraction, written
from sklearn_eql.units.linear_algebra import LinearSystem

Row = dict[Hashable, Fraction]
"""Coefficients of unknown dimensions: of ``("source", s)``, ``("form", f)`` and ``("constant", c)``."""


def units_of_constants(law: Equation, units: TableUnits, primitives: Mapping[str, Primitive]) -> list[str | None]:
    """Unit of every coefficient of a law, in the order of ``law.coefficients()``, as text.

    ``""`` for a number without unit; None where the units of the table do not tell, or the law breaks them. Where
    several coefficients could have a unit in turn, the last ones have it.
    """
    n = len(law.coefficients())
    if units.dimensionless_constants:
        return [""] * n
    system = LinearSystem(len(units.bases))
    if not _describe(law, units, primitives, system):
        return [None] * n
    none = (Fraction(0),) * len(units.bases)
    for c in range(n):
        system.add({("constant", c): Fraction(1)}, none)  # where nothing speaks against it
    found = [system.value(("constant", c)) for c in range(n)]
    return [None if dimension is None else written(dimension, units.bases) for dimension in found]


def units_of_columns(law: Equation, units: TableUnits, primitives: Mapping[str, Primitive]) -> list[str | None]:
    """Unit of every column beyond those of the table, such as constants of groups; see `units_of_constants`."""
    n_more = law.n_features - len(units.features)
    if units.dimensionless_constants:
        return [""] * n_more
    system = LinearSystem(len(units.bases))
    if not _describe(law, units, primitives, system):
        return [None] * n_more
    none = (Fraction(0),) * len(units.bases)
    for c in range(len(law.coefficients())):
        system.add({("constant", c): Fraction(1)}, none)  # where nothing speaks against it
    found = [system.value(("source", 1 + len(units.features) + k)) for k in range(n_more)]
    return [None if dimension is None else written(dimension, units.bases) for dimension in found]


def units_of_parameters(
    law: Equation, units: TableUnits, primitives: Mapping[str, Primitive], which: Sequence[int]
) -> list[str | None]:
    """Units of some of the coefficients that are parameters (`free_mask`), numbered among these."""
    found = units_of_constants(law, units, primitives)
    parameters = np.flatnonzero(free_mask(law, primitives))
    return [found[parameters[i]] for i in which]


def _describe(law: Equation, units: TableUnits, primitives: Mapping[str, Primitive], system: LinearSystem) -> bool:
    """Put what units ask of a law into the system; whether that can be."""
    none = (Fraction(0),) * len(units.bases)
    pure = fixed_in_print(law, primitives)
    logarithms = {1 + law.n_features + i for i, u in enumerate(law.units) if _identity(u, primitives) == "logarithm"}
    for c in np.flatnonzero(pure).tolist():
        system.add({("constant", c): Fraction(1)}, none)
    possible = True
    for s, dimension in enumerate((none, *units.features)):
        possible &= system.add({("source", s): Fraction(1)}, dimension)
    n_forms = n_coefficients = 0

    def read(form: Affine, skip_logarithms: bool = False) -> tuple:
        """Equal dimensions of all terms; the unknown that they are."""
        nonlocal n_forms, n_coefficients, possible
        name = ("form", n_forms)
        for s, _ in form:
            row: Row = {("constant", n_coefficients): Fraction(1), name: Fraction(-1)}
            if s not in logarithms:
                row[("source", s)] = Fraction(1)
            if not (skip_logarithms and s in logarithms):
                possible &= system.add(row, none)
            n_coefficients += 1
        n_forms += 1
        return name

    for s, unit in enumerate(law.units, start=1 + law.n_features):
        identity = _identity(unit, primitives)
        forms = [read(form, identity == "exponential") for form in unit.args]
        rows = _rows_of(s, unit.args, forms, identity, primitives[unit.primitive], logarithms)
        for row in rows:
            possible &= system.add(row, none)
    output = read(law.output)
    return possible and (units.target is None or system.add({output: Fraction(1)}, units.target))


def _rows_of(
    s: int,
    args: Sequence[Affine],
    forms: Sequence[tuple],
    identity: str | None,
    primitive: Primitive,
    logarithms: Container[int],
) -> list[Row]:
    """What the function of a unit, source `s`, asks of its arguments and gives."""
    own, one = ("source", s), Fraction(1)
    if identity == "logarithm":  # the dimension is that of the quantity whose logarithm it is
        return [{own: one, forms[0]: -one}]
    if identity == "exponential":
        row: Row = {own: one}
        for source, c in args[0]:
            if source in logarithms:
                row[("source", source)] = row.get(("source", source), Fraction(0)) - as_fraction(c)
        return [{forms[0]: one}, row]
    if identity == "power":
        if all(source == 0 for source, _ in args[1]):
            return [{own: one, forms[0]: -as_fraction(sum(c for _, c in args[1]))}, {forms[1]: one}]
        return [{form: one} for form in (own, *forms)]
    if primitive.joint_degree is not None:
        equal: list[Row] = [{forms[0]: one, form: -one} for form in forms[1:]]
        return [*equal, {own: one, forms[0]: -as_fraction(primitive.joint_degree)}]
    found: list[Row] = []
    row = {own: one}
    for form, degree in zip(forms, primitive.degree, strict=True):
        if degree is None:
            found.append({form: one})
        else:
            row[form] = -as_fraction(degree)
    return [*found, row]


def _identity(unit: Unit, primitives: Mapping[str, Primitive]) -> str | None:
    return primitives[unit.primitive].identity
