"""Units as users write them: mappings of exponents, or text that pint reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from numbers import Real
from typing import Any

from sklearn_eql.units.dimensions import TableUnits, aligned, as_fraction
from sklearn_eql.units.linear_algebra import is_in_span

Unit = str | Mapping[str, Real] | None
"""``"km/s**2"``, ``{"m": 1, "s": -2}``, or None: a number without unit."""

_BASES = {
    "[length]": "m",
    "[mass]": "kg",
    "[time]": "s",
    "[current]": "A",
    "[temperature]": "K",
    "[substance]": "mol",
    "[luminosity]": "cd",
}


def read_units(
    units: Mapping[str, Unit] | Sequence[Unit] | None,
    y_unit: Any,
    names: Sequence[str],
    n_outputs: int,
    dimensionless_constants: bool = False,
) -> list[TableUnits] | None:
    """What users say of the units of a table, one for each output; None where they say nothing.

    Parameters
    ----------
    units : mapping of names to units, sequence of units in the order of the columns, or None
        Columns that a mapping leaves out are numbers without units.
    y_unit : unit, sequence of units for several outputs, or None
        None where it is not known.
    names : sequence of str
        Of the columns.
    n_outputs : int
    dimensionless_constants : bool

    Raises
    ------
    ValueError
        A unit that does not parse, a name that is no column, a wrong number of units, `y_unit` without `units`.
    ImportError
        Text, and pint is not installed.
    """
    if units is None:
        if y_unit is not None:
            raise ValueError(
                f"y_unit={y_unit!r} without units: nothing is known of the features. Give units as well, such as "
                f"units={{{names[0]!r}: 'm'}}; features that are left out are numbers without units."
            )
        return None
    given = _by_column(units, names)
    features = [_exponents(unit, f"units[{name!r}]") for name, unit in zip(names, given, strict=True)]
    targets = list(y_unit) if isinstance(y_unit, Sequence) and not isinstance(y_unit, str) else [y_unit] * n_outputs
    if len(targets) != n_outputs:
        raise ValueError(
            f"y_unit has {len(targets)} entries for {n_outputs} outputs. Give one unit, or one per output."
        )
    read = [None if unit is None else _exponents(unit, "y_unit") for unit in targets]
    return [aligned(features, target, dimensionless_constants) for target in read]


def check_reachable(units: TableUnits, output: str) -> None:
    """Raise ValueError where constants have no units, and no product of powers of the features that of the target."""
    if not units.dimensionless_constants or units.target is None or is_in_span(units.target, units.features):
        return
    names = {base for vector in units.features for base, e in zip(units.bases, vector, strict=True) if e}
    missing = [base for base, e in zip(units.bases, units.target, strict=True) if e and base not in names]
    why = f" ({', '.join(missing)} is in none of the features)" if missing else ""
    raise ValueError(
        f"y_unit: no law without constants that have units can give {output} its unit{why}. Add the features that are "
        "missing, constants of nature included, check the units, or set dimensionless_constants=False."
    )


def _by_column(units: Mapping[str, Unit] | Sequence[Unit], names: Sequence[str]) -> list[Unit]:
    if isinstance(units, Mapping):
        unknown = [name for name in units if name not in names]
        if unknown:
            raise ValueError(
                f"units: {', '.join(map(repr, unknown))} is no feature. Features: {', '.join(map(repr, names))}."
            )
        return [units.get(name) for name in names]
    if isinstance(units, str) or not isinstance(units, Sequence):
        raise TypeError(
            f"units: expected a mapping from names of features to units, or a sequence with one for each feature, got "
            f"{type(units).__name__}."
        )
    if len(units) != len(names):
        raise ValueError(f"units has {len(units)} entries for {len(names)} features. Give one per feature.")
    return list(units)


def _exponents(unit: Any, where: str) -> dict[str, Fraction]:
    """Exponents of the base units."""
    if unit is None:
        return {}
    if isinstance(unit, Mapping):
        return {str(name): _exponent(value, name, where) for name, value in unit.items()}
    text = str(unit).strip()
    if text in ("", "1", "dimensionless"):
        return {}
    try:
        found = _registry().parse_units(text).dimensionality
    except ImportError as error:
        raise ImportError(
            f"{where}={text!r}: units as text are read by pint, which is not installed. Install it with "
            "pip install 'sklearn-eql[units]', or give exponents of base units, such as {'m': 1, 's': -1}."
        ) from error
    except Exception as error:  # of pint, of tokenize, of the parser
        raise ValueError(
            f"{where}={text!r} is no unit that pint reads: {error}. Expected text such as 'kg*m/s**2', or exponents "
            "of base units, such as {'m': 1, 's': -1}."
        ) from error
    return {_BASES.get(name, name.strip("[]")): as_fraction(float(value)) for name, value in found.items()}


def _exponent(value: Any, name: str, where: str) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, Real) or value - value != 0:
        raise ValueError(f"{where}: the exponent of {name!r} must be a number, got {value!r}.")
    return value if isinstance(value, Fraction) else as_fraction(float(value))


@cache
def _registry() -> Any:
    from pint import UnitRegistry

    return UnitRegistry()
