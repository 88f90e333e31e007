"""Problems of `physics.py`: 100 equations of the Feynman lectures, 14 two-variable systems of Strogatz's book, and
suites of the field (Nguyen, Keijzer, Livermore, FastSRB, ...) as JSON files.

Files, as SRBench and AI Feynman publish them: ``feynman/FeynmanEquations.csv``, which has a formula and a range per
variable, and ``strogatz/d_*.txt``, which have 400 rows of a trajectory (``label`` is the derivative), with the formulas
in ``strogatz/formulas.csv``. In the first, the column ``# variables`` is wrong in two rows (II.37.1, III.10.19): the
name cells that are filled count, and they must be the symbols of the formula.

``suites/*.json`` hold a formula and, per variable, a range, how it is sampled (uniform, log-uniform in base 10,
integer, or as a multiple of the variable before, whose factors are uniform) and its sign (as given, or random);
`n_points` rows per problem, which a problem may have its own of.
Groups of laws (``constant_ranges``) are not read here.

Half of the problems are for tuning, half for judging what tuning gave: those at even positions of their file (0, 2,
...) are the "tuning" half, the others the "held-out" half.
"""

from __future__ import annotations

import ast
import csv
import json
import math
import os
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy

DATA_VARIABLE = "SKLEARN_EQL_DATA"
N_TRAIN = 1_000
N_FRESH = 1_000
WIDEN = 0.5
FRESH_SEED = 2**31 - 1
_MAX_DRAWS = 200
_MAX_VARIABLES = 10  # name, low and high of each: columns of FeynmanEquations.csv


@dataclass(frozen=True, eq=False)
class Problem:
    """A law to find again: its formula in plain symbols, and a range per variable, in the order of the file."""

    suite: str
    name: str
    position: int
    formula: sympy.Expr
    ranges: dict[str, tuple[float, float]]
    table: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)  # rows given by the suite: X, y
    sampling: dict[str, str] = field(default_factory=dict)  # "uniform" (the default), or as the suites have it
    signs: dict[str, str] = field(default_factory=dict)  # "as given" (the default), "negated" or "random"
    n_train: int = N_TRAIN
    by_error: bool = False  # whether the error alone decides, without noise; with noise the form will do, too

    def __post_init__(self):
        symbols = {s.name for s in self.formula.free_symbols}
        if not symbols <= set(self.ranges):
            raise ValueError(f"{self.name}: the formula has {sorted(symbols)}, the file names {sorted(self.ranges)}")

    @property
    def variables(self) -> list[str]:
        return list(self.ranges)

    @property
    def half(self) -> str:
        return "held-out" if self.position % 2 else "tuning"

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """The true law in float64; X of shape (N, D), result of shape (N,), nan where it is not real."""
        return evaluate(self._function, X)

    @cached_property
    def _function(self):
        return compiled(self.formula, self.variables)

    def __getstate__(self):
        # Compiled functions do not pickle, and workers get the problem as it is here.
        return {name: value for name, value in self.__dict__.items() if name != "_function"}

    def sample(self, n: int, rng: np.random.Generator, widen: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """`n` rows uniform in the ranges, and the true law on them: (N, D), (N,).

        With `widen` every range keeps its centre and is ``1 + widen`` times as wide: 0.5 makes [1, 5] to [0, 6].
        Rows on which the law is not finite and real are drawn again.
        """
        X, y = np.empty((0, len(self.ranges))), np.empty(0)
        for _ in range(_MAX_DRAWS):
            rows = self._draw(n, rng, widen)
            values = self.evaluate(rows)
            X = np.concatenate([X, rows[np.isfinite(values)]])  # (N so far, D)
            y = np.concatenate([y, values[np.isfinite(values)]])
            if len(y) >= n:
                return X[:n], y[:n]
        raise ValueError(f"{self.name}: the law is finite on {len(y)} of {_MAX_DRAWS * n} rows")

    def _draw(self, n: int, rng: np.random.Generator, widen: float) -> np.ndarray:
        if not self.sampling and not self.signs:
            low, high = np.array(list(self.ranges.values()), dtype=float).T  # (D,), (D,)
            margin = widen * (high - low) / 2
            return rng.uniform(low - margin, high + margin, size=(n, len(low)))
        columns = []
        for name, (low, high) in self.ranges.items():
            how = self.sampling.get(name, "uniform")
            if how == "log-uniform":
                low, high = np.log10(low), np.log10(high)
            margin = widen * (high - low) / 2
            x = rng.uniform(low - margin, high + margin, n)
            if how == "integer":
                x = rng.integers(math.ceil(low - margin), math.floor(high + margin) + 1, n).astype(float)
            elif how == "log-uniform":
                x = 10**x
            elif how == "multiple":
                x = x * columns[-1]
            sign = self.signs.get(name, "as given")
            columns.append(-x if sign == "negated" else x * rng.choice([-1.0, 1.0], n) if sign == "random" else x)
        return np.column_stack(columns)

    def training(self, seed: int, noise: float = 0.0, rows: int | None = None) -> tuple[pd.DataFrame, np.ndarray]:
        """Rows to fit: the suite's own if it has any, else `rows` (`n_train` if None); Gaussian noise of `noise` times
        the rms of y."""
        rng = np.random.default_rng([seed, self.position])
        X, y = self.table or self.sample(rows or self.n_train, rng)
        y = y + noise * rms(y) * rng.standard_normal(len(y)) if noise else y
        return pd.DataFrame(X, columns=self.variables), y

    def fresh(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """`N_FRESH` rows from the widened ranges, on which laws are judged: (N, D), (N,). None is a training row."""
        return self.sample(N_FRESH, np.random.default_rng([FRESH_SEED, seed, self.position]), widen=WIDEN)


def rms(y: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(y))))


def compiled(expr: sympy.Expr, variables: list[str]):
    """The law as a function of the columns; any name may be a variable."""
    return sympy.lambdify([sympy.Symbol(v) for v in variables], expr, modules="numpy", dummify=True)


def evaluate(function, X: np.ndarray) -> np.ndarray:
    """Values of a compiled law on X (N, D) as (N,); nan where they are not real."""
    with np.errstate(all="ignore"):
        values = np.asarray(function(*X.T))
        if np.iscomplexobj(values):
            values = np.where(np.abs(values.imag) <= 1e-12 * np.abs(values), values.real, np.nan)
        return np.broadcast_to(values.astype(np.float64), (len(X),))


# --- Reading the files


def data_folder(given: str | Path | None = None) -> Path:
    """The folder with the suites: `given`, else what the environment variable says."""
    folder = given or os.environ.get(DATA_VARIABLE)
    if not folder:
        raise ValueError(f"data of the suites: name their folder with --data or {DATA_VARIABLE}")
    if not Path(folder).is_dir():
        raise ValueError(f"data of the suites: there is no folder {folder}")
    return Path(folder)


def feynman_problems(folder: Path) -> list[Problem]:
    """The 100 problems of ``feynman/FeynmanEquations.csv``."""
    problems = []
    with (Path(folder) / "feynman" / "FeynmanEquations.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if not (row["Filename"] or "").strip():
                continue
            ranges = {}
            for i in range(1, _MAX_VARIABLES + 1):
                if name := (row[f"v{i}_name"] or "").strip():
                    ranges[name] = (float(row[f"v{i}_low"]), float(row[f"v{i}_high"]))
            problem = Problem("feynman", row["Filename"], len(problems), parse(row["Formula"]), ranges)
            if len(problem.formula.free_symbols) < len(ranges):
                raise ValueError(f"{problem.name}: {problem.formula} does not use all of {', '.join(ranges)}")
            problems.append(problem)
    return problems


Units = dict[str, Any]
"""Of a problem: exponents of base units, ``{"y": {"m": 1}, "variables": {"t": {"s": 1}}}``."""


def units_of(problem: Problem) -> Units:
    """What the quantities of a Feynman problem are measured in."""
    table = json.loads((Path(__file__).parent / "feynman_units.json").read_text(encoding="utf-8"))
    return table[problem.name]


def strogatz_problems(folder: Path) -> list[Problem]:
    """The 14 problems of ``strogatz/``, each with both variables; a variable's range is that of its column."""
    problems = []
    with (Path(folder) / "strogatz" / "formulas.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            data = pd.read_csv(Path(folder) / "strogatz" / f"d_{row['name']}.txt")
            ranges = {v: (float(data[v].min()), float(data[v].max())) for v in ("x", "y")}
            table = (data[["x", "y"]].to_numpy(dtype=float), data["label"].to_numpy(dtype=float))
            problems.append(Problem("strogatz", row["name"], len(problems), parse(row["formula"]), ranges, table))
    return problems


def suite_problems(name: str, folder: Path) -> list[Problem]:
    """The problems of ``suites/NAME.json``, of the data folder or beside this file."""
    where = Path(__file__).parent if name in OWN else Path(folder)
    suite = json.loads((where / "suites" / f"{name}.json").read_text(encoding="utf-8"))
    return [
        Problem(
            name,
            problem["name"],
            position,
            parse(problem["formula"]),
            {v["symbol"]: (v["low"], v["high"]) for v in problem["variables"]},
            sampling={v["symbol"]: v["sampling"] for v in problem["variables"]},
            signs={v["symbol"]: v["sign"] for v in problem["variables"]},
            n_train=_ROWS.get(name, problem.get("n_points", suite["n_points"])),
            by_error=True,
        )
        for position, problem in enumerate(suite["problems"])
    ]


_ROWS = {"fastsrb": 512}  # as its authors' site has it
CLASSICS = (
    *("nguyen", "keijzer", "livermore", "constant", "koza", "meier", "nonic", "neat", "sine", "grammarvae", "poly"),
    "pagie",
)
OWN = ("further", "textbook", "handbook")
SUITES = {"feynman": feynman_problems, "strogatz": strogatz_problems} | {
    name: partial(suite_problems, name) for name in (*CLASSICS, "fastsrb", *OWN)
}

_FUNCTIONS = {
    "exp": sympy.exp,
    "ln": sympy.log,
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "cot": sympy.cot,
    "tanh": sympy.tanh,
    "arcsin": sympy.asin,
    "arctan": sympy.atan,
    "log": sympy.log,
    "tan": sympy.tan,
    "abs": sympy.Abs,
    "neg": lambda g: -g,
}
_OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


def parse(text: str) -> sympy.Expr:
    """Formula as an expression with exact numbers; every name but ``pi`` is a plain symbol, ``I`` and ``E_n`` too."""
    return _built(ast.parse(text.strip(), mode="eval").body, text)


def _built(node: ast.expr, text: str) -> sympy.Expr:
    match node:
        case ast.Constant(value=int() | float() as value):
            return sympy.Rational(str(value))
        case ast.Name(id="pi"):
            return sympy.pi
        case ast.Name(id=name):
            return sympy.Symbol(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_built(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_built(left, text), _built(right, text))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_built(argument, text))
    raise ValueError(f"formula {text!r}: cannot read {ast.unparse(node)!r}")
