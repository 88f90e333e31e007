"""What the methods are compared on: rows to fit, rows inside and outside of their range, and a judge of laws.

Laws that are known (`_physics.py`, suites/): rows as there; "inside" are fresh rows of the training ranges, "outside"
those rows of ranges twice as wide that leave the training range of some variable, both without noise. A law is
recovered by the rule of `_recovered.py`.

Measured laws (`_empirical.py`, first_principles/): a fifth of the rows, those farthest out by `outer_rows`, are
"outside", and from 20 rows on every fifth of the others is "inside"; the rest is fitted. A law is recovered if it has
the form of the reference (`_reference_form.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import sympy
from _empirical import DataSet, data_sets
from _physics import CLASSICS, SUITES, WIDEN, Problem
from _recovered import error_limit, recovered, relative_error

from sklearn_eql.laws.selection import outer_rows

SUITES_OF_LAWS = (*CLASSICS, "fastsrb")
N_FRESH = 1_000
_MANY_ROWS = 20  # from here on a measured table has rows to spare for "inside"
_INSIDE_SEED, _OUTSIDE_SEED = 2**31 - 5, 2**31 - 6
_MAX_DRAWS = 100

Rows = tuple[np.ndarray, np.ndarray]  # X (N, D), y (N,)


class Task(Protocol):
    """One table, and what is known of it."""

    group: str  # "measured laws" or "suites"
    suite: str
    name: str

    @property
    def variables(self) -> list[str]: ...

    def training(self, seed: int, noise: float) -> tuple[pd.DataFrame, np.ndarray]: ...

    def inside(self, seed: int) -> Rows:
        """Rows in the range of training; none where the table has none to spare."""

    def outside(self, seed: int) -> Rows:
        """Rows beyond it."""

    def recovers(self, law: sympy.Expr, seed: int, noise: float) -> bool: ...


@dataclass(frozen=True, eq=False)
class KnownLaw:
    """A law of a suite."""

    problem: Problem
    group: str = "suites"

    @property
    def suite(self) -> str:
        return self.problem.suite

    @property
    def name(self) -> str:
        return self.problem.name

    @property
    def variables(self) -> list[str]:
        return self.problem.variables

    def training(self, seed: int, noise: float) -> tuple[pd.DataFrame, np.ndarray]:
        return self.problem.training(seed, noise)

    def inside(self, seed: int) -> Rows:
        return self.problem.sample(N_FRESH, self._rng(_INSIDE_SEED, seed))

    def outside(self, seed: int) -> Rows:
        rng, kept, n_kept = self._rng(_OUTSIDE_SEED, seed), [], 0
        training = self.training(seed, 0.0)[0].to_numpy(dtype=float)
        low, high = training.min(axis=0), training.max(axis=0)
        for _ in range(_MAX_DRAWS):
            X, y = self.problem.sample(N_FRESH, rng, widen=2 * WIDEN)
            leaves = ((low > X) | (high < X)).any(axis=1)
            kept.append((X[leaves], y[leaves]))
            n_kept += int(leaves.sum())
            if n_kept >= N_FRESH:
                break
        X, y = (np.concatenate(parts)[:N_FRESH] for parts in zip(*kept, strict=True))
        return X, y

    def recovers(self, law: sympy.Expr, seed: int, noise: float) -> bool:
        if self.problem.by_error and not noise:  # the form decides nothing, and takes longer
            return relative_error(law, self.problem, seed) < error_limit(noise)
        return recovered(law, self.problem, noise, seed).recovered

    def _rng(self, *seeds: int) -> np.random.Generator:
        return np.random.default_rng([*seeds, self.problem.position])


@dataclass(frozen=True, eq=False)
class MeasuredLaw:
    """Measured rows. They have their own noise, and are divided without chance: seeds change the methods only."""

    data: DataSet
    group: str = "measured laws"

    @property
    def suite(self) -> str:
        return self.data.suite

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def variables(self) -> list[str]:
        return list(self.data.X.columns)

    def training(self, seed: int, noise: float) -> tuple[pd.DataFrame, np.ndarray]:
        if noise:
            raise ValueError(f"{self.name} is measured: its noise is its own, expected noise 0.")
        fitted = self._parts() == 0
        return self.data.X[fitted].reset_index(drop=True), self.data.y[fitted]

    def inside(self, seed: int) -> Rows:
        return self._rows(1)

    def outside(self, seed: int) -> Rows:
        return self._rows(2)

    def recovers(self, law: sympy.Expr, seed: int, noise: float) -> bool:
        return self.data.reference.is_form_of(law, self.data.judging_rows())

    def _rows(self, part: int) -> Rows:
        chosen = self._parts() == part
        return self.data.X.to_numpy(dtype=float)[chosen], self.data.y[chosen]

    def _parts(self) -> np.ndarray:
        """0 for rows to fit, 1 for those inside, 2 for those outside, (N,)."""
        parts = np.where(outer_rows(self.data.X.to_numpy(dtype=float)), 2, 0)
        inner = np.flatnonzero(parts == 0)
        if len(parts) >= _MANY_ROWS:
            parts[inner[2::5]] = 1
        return parts


def measured_laws(folder: Path) -> list[Task]:
    """Those of first_principles/; the regressions of nist/ are not laws of nature."""
    return [MeasuredLaw(data) for data in data_sets(folder) if data.suite != "nist"]


def known_laws(folder: Path, suites: tuple[str, ...], half: str, count: int | None) -> list[Task]:
    """Laws of suites: a half of them, or `count` of these at equal distances in the order of the files."""
    problems = [p for suite in suites for p in SUITES[suite](folder) if half in (p.half, "all")]
    if count is not None and count < len(problems):
        problems = [problems[i] for i in np.linspace(0, len(problems) - 1, count).round().astype(int)]
    return [KnownLaw(problem) for problem in problems]
