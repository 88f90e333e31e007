"""Data sets of `empirical.py`: measured tables and the laws that are known for them.

``first_principles/NAME.csv`` have a column ``target``; ``first_principles/laws.csv`` has a law with constants ``{c1}``,
``{c2}``, the constants that fit the data, and the share of the variance that they leave unexplained. ``nist/NAME.csv``
have a column ``y``; ``nist/laws.csv`` has a law with constants ``b1``, ``b2``, the certified constants and residual sum
of squares. Where its left side is a function of y (``log(y) = ...``) that function of y is what is fitted.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from _physics import compiled, evaluate, parse
from _reference_form import ReferenceForm

N_DRAWN = 200
CERTIFIED_FUNCTIONS: dict[str, str | tuple[str, ...]] = {  # what the laws that NIST certifies are made of
    "BoxBOD": ("exp",),
    "ENSO": ("sin",),
    "Gauss1": ("exp", "square"),
    "Hahn1": "rational",
    "Lanczos1": ("exp",),
    "MGH17": ("exp",),
    "Nelson": ("exp", "mul"),
    "Roszman1": ("arctan",),
    "Thurber": "rational",
}
EMPIRICAL_BENCH = "EmpiricalBench"
_DECADES = 100.0  # a positive column whose largest value is so many times the smallest is drawn log-uniformly
_WHOLE = 2.0**23  # above this every float32 is a whole number
_SEED = 2**31 - 4


@dataclass(frozen=True, eq=False)
class DataSet:
    """Measured rows, and the law that is known for them."""

    suite: str  # "EmpiricalBench", "MvSR" (its other measured laws) or "nist"
    name: str
    X: pd.DataFrame
    y: np.ndarray = field(repr=False)
    reference: ReferenceForm

    @property
    def reference_rss(self) -> float:
        return self.reference.unexplained * float(np.var(self.y)) * len(self.y)

    def judging_rows(self) -> np.ndarray:
        """The rows of the data, and rows drawn uniformly in their range, (N + N_DRAWN, D).

        Log-uniformly where a positive column spans two decades; whole numbers where `suite` is not "nist" and the
        column has whole numbers only: there such columns count (quantum numbers, planets), in "nist" they are times.
        """
        rng = np.random.default_rng(_SEED)
        columns = [self._draw(column, rng) for column in self.X.to_numpy().T]
        return np.concatenate([self.X.to_numpy(), np.column_stack(columns)])

    def _draw(self, column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        low, high = float(column.min()), float(column.max())
        if self.suite != "nist" and np.all(column == np.rint(column)) and np.all(np.abs(column) < _WHOLE):
            return rng.integers(int(low), int(high) + 1, N_DRAWN).astype(float)
        if low > 0 and high >= _DECADES * low:
            return np.exp(rng.uniform(np.log(low), np.log(high), N_DRAWN))
        return rng.uniform(low, high, N_DRAWN)


def data_sets(folder: Path) -> list[DataSet]:
    """All data sets of the folder, those of EmpiricalBench first."""
    return [*_first_principles(folder / "first_principles"), *_nist(folder / "nist")]


def _first_principles(folder: Path) -> Iterator[DataSet]:
    for row in _rows(folder / "laws.csv"):
        table = pd.read_csv(folder / f"{row['name']}.csv")
        template = re.sub(r"\{(c\d+)\}", r"\1", row["reference_law"])
        reference = _reference(template, table.columns.drop("target"), row["fitted_constants"], table, table["target"])
        suite = EMPIRICAL_BENCH if row["source"].startswith(EMPIRICAL_BENCH) else "MvSR"
        X = table.drop(columns="target")
        yield DataSet(suite, row["name"], X, table["target"].to_numpy(dtype=float), reference)


def _nist(folder: Path) -> Iterator[DataSet]:
    for row in _rows(folder / "laws.csv"):
        table = pd.read_csv(folder / f"{row['name']}.csv")
        left, template = row["certified_law"].split("=") if "=" in row["certified_law"] else ("y", row["certified_law"])
        y = evaluate(compiled(parse(left), ["y"]), table[["y"]].to_numpy(dtype=float))
        X = table.drop(columns="y")
        yield DataSet("nist", row["name"], X, y, _reference(template, X.columns, row["certified_constants"], X, y))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _reference(template: str, columns, constants: str, X: pd.DataFrame, y: np.ndarray) -> ReferenceForm:
    law, variables, values = parse(template), list(columns), [float(c) for c in constants.split(";")]
    names = sorted({s.name for s in law.free_symbols} - set(variables), key=lambda name: int(name[1:]))
    form = ReferenceForm(law, variables, dict(zip(names, values, strict=True)), 0.0)
    left_over = form.values(X[variables].to_numpy(dtype=float)) - np.asarray(y)
    return ReferenceForm(law, variables, form.constants, float(np.mean(left_over**2) / np.var(y)))
