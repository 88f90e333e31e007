"""One law for many groups, each with constants of its own.

    python benchmarks/groups.py --data FOLDER                     # all problems, noise 0, 0.1%, 1%, 10%, 60 s each
    python benchmarks/groups.py --problems spring free-fall --noise 0.01 --budget 30 --results /tmp/some.jsonl
    python benchmarks/groups.py --report                          # the table of what is there

Problems. The eight laws of Tenachi et al. (2024, arXiv:2312.01816), which the file ``suites/physo-class.json`` in the
folder holds (``--data`` or the environment variable SKLEARN_EQL_DATA): ten groups of 100 rows, constants drawn
uniformly from the published ranges. A spring whose 50 groups have 20 noisy rows each: A*exp(-0.25*t)*cos(omega*t) with
10% of noise, whatever is asked for. And seven laws of other kinds (`FURTHER`), which nothing was tuned on: unbalanced
groups, groups of 5 rows, 200 groups, a single one. They have 1% of noise, whatever is asked for.

Noise is normal, with a standard deviation of that share of the root mean square of y.

Right form. With the constants of a group put in, the found law and the true one have the same terms, whatever the
values of their constants (`same_form` in `_forms.py`), or the true law reproduces the found one with its constants and
decimals fitted to it, in every group; and the found law has no more own constants than
were drawn for each group. Constants that all groups share in truth may be numbers only.

Settings. EQLRegressor: `max_time` is the budget, `random_state` the seed. One process, one thread. Seconds are those of
the clock, and those of the processor.

Every fit adds a line to the results file. Those already there, of any commit, are not repeated: interrupt at will. The
table is written beside the results, with the ending ``.md``.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy
from _common import (
    RESULTS,
    append_record,
    commit,
    last_of_each,
    machine,
    markdown_table,
    read_records,
    timed,
    write_markdown,
)
from _forms import same_form
from _physics import data_folder
from scipy.optimize import least_squares

from sklearn_eql import EQLRegressor

Record = dict[str, Any]
_SAME = 1e-5  # of the root mean square, between the values of two laws
NOISES = (0.0, 0.001, 0.01, 0.1)


@dataclass(frozen=True)
class Problem:
    """One law of groups."""

    suite: str
    name: str
    law: str  # in `variables` and `own`
    variables: dict[str, tuple[float, float]]  # their ranges
    own: dict[str, tuple[float, float]]  # constants of every group, and their ranges
    sizes: tuple[int, ...]  # rows of the groups
    noise: float | None = None  # where it is given with the problem

    def rows(self, noise: float, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, list[dict[str, float]]]:
        """Rows, target, labels, and the constants of every group."""
        rng = np.random.default_rng([seed, sum(map(ord, self.name))])
        value = sympy.lambdify([*self.variables, *self.own], self.expr, "numpy")
        parts, targets, constants = [], [], []
        for n in self.sizes:
            drawn = {name: rng.uniform(*limits) for name, limits in self.own.items()}
            X = {name: rng.uniform(*limits, n) for name, limits in self.variables.items()}
            parts.append(pd.DataFrame(X))
            targets.append(value(*X.values(), *drawn.values()))
            constants.append(drawn)
        y = np.concatenate(targets)
        y = y + noise * np.sqrt(np.mean(y**2)) * rng.normal(size=len(y))
        return pd.concat(parts, ignore_index=True), y, np.repeat(np.arange(len(self.sizes)), self.sizes), constants

    @property
    def expr(self) -> sympy.Expr:
        """The law."""
        names = {name: sympy.Symbol(name) for name in (*self.variables, *self.own)}
        return sympy.sympify(self.law, locals=names)


SPRING = Problem(
    "spring",
    "spring",
    "A*exp(-0.25*t)*cos(omega*t)",
    {"t": (0, 8)},
    {"A": (0.5, 2), "omega": (1, 2.5)},
    (20,) * 50,
    0.1,
)
FURTHER = (
    Problem("further", "enzymes", "v*s/(K + s)", {"s": (0.1, 20)}, {"v": (1, 4), "K": (1, 6)}, (15,) * 12, 0.01),
    Problem(
        "further",
        "growth",
        "K/(1 + exp(-0.8*(t - t0)))",
        {"t": (0, 12)},
        {"K": (2, 6), "t0": (3, 7)},
        (8, 60, 12, 25, 9, 40, 15, 30, 10),
        0.01,
    ),
    Problem("further", "arrhenius", "A*exp(-2500/T)", {"T": (280, 400)}, {"A": (1000, 9000)}, (20,) * 6, 0.01),
    Problem(
        "further", "projectile", "a*x - b*x**2", {"x": (0, 10)}, {"a": (0.5, 2), "b": (0.05, 0.15)}, (5,) * 30, 0.01
    ),
    Problem("further", "lens", "f*u/(u - f)", {"u": (3, 12)}, {"f": (0.8, 2)}, (12,) * 5, 0.01),
    Problem("further", "charging", "5*(1 - exp(-t/tau))", {"t": (0, 6)}, {"tau": (0.5, 3)}, (8,) * 200, 0.01),
    Problem("further", "pendulum", "2.006*sqrt(L)", {"L": (0.2, 2)}, {}, (40,), 0.01),
)


def class_suite(folder: Path) -> list[Problem]:
    """The eight laws of Tenachi et al."""
    published = json.loads((folder / "suites" / "physo-class.json").read_text(encoding="utf-8"))["problems"]
    return [
        Problem(
            "class",
            p["name"],
            p["as_published"],
            {v["name"]: (v["low"], v["high"]) for v in p["variables"]},
            {name: tuple(limits) for name, limits in p["constant_ranges"].items()},
            (100,) * 10,
        )
        for p in published
    ]


def run(problem: Problem, noise: float, seed: int, budget: float) -> Record:
    """Fit once, and judge."""
    X, y, labels, constants = problem.rows(noise, seed)
    model = EQLRegressor(max_time=budget, random_state=seed)
    record = {"suite": problem.suite, "problem": problem.name, "noise": noise, "seed": seed, "budget": budget}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.process_time()
        try:
            _, seconds = timed(lambda: model.fit(X, y, groups=labels))
        except (ValueError, ArithmeticError, RuntimeError) as error:
            return record | {"form": False, "in_table": False, "failure": f"{type(error).__name__}: {error}"}
    record |= {"seconds": seconds, "cpu": time.process_time() - start, "law": str(model.sympy_expr_)}
    record |= {"stop_reason": str(model.stop_reason_), "n_own": model.group_constants_.shape[1] // 2}
    laws = [(law, table) for law, table in zip(model.equations_["sympy_expr"], _tables(model), strict=True)]
    forms = [_has_form(law, table, problem, constants) for law, table in laws]
    return record | {"form": forms[model.best_index_], "in_table": any(forms), "failure": None}


def _tables(model: EQLRegressor) -> list[pd.DataFrame]:
    return [model.group_constants(i) for i in range(len(model.equations_))]


def _has_form(law: sympy.Expr, table: pd.DataFrame, problem: Problem, constants: Sequence[dict[str, float]]) -> bool:
    names = list(table.columns[::2])
    if len(names) > len(problem.own):
        return False
    for values, drawn in zip(table[names].to_numpy(), constants, strict=True):
        found = law.subs({sympy.Symbol(name): float(value) for name, value in zip(names, values, strict=True)})
        truth = problem.expr.subs({sympy.Symbol(name): value for name, value in drawn.items()})
        if not same_form(found, truth) and not _is_reproduced(found, problem, drawn):
            return False
    return True


def _is_reproduced(found: sympy.Expr, problem: Problem, drawn: dict[str, float]) -> bool:
    """Whether the true law has the values of the found one, its constants and decimals fitted to them."""
    decimals = {number: sympy.Dummy() for number in problem.expr.atoms(sympy.Float)}
    constants = [*map(sympy.Symbol, drawn), *decimals.values()]
    variables = list(map(sympy.Symbol, problem.variables))
    value = sympy.lambdify([constants, variables], problem.expr.xreplace(decimals), "numpy")
    rng = np.random.default_rng(0)
    rows = [rng.uniform(*limits, 100) for limits in problem.variables.values()]
    given = np.broadcast_to(sympy.lambdify([variables], found, "numpy")(rows), 100)
    start = np.array([*drawn.values(), *map(float, decimals)])
    with np.errstate(all="ignore"):
        fit = least_squares(lambda c: np.nan_to_num(value(c, rows) - given, nan=1e9), start, xtol=1e-14, ftol=1e-14)
    return bool(np.sqrt(np.mean(fit.fun**2)) <= _SAME * np.sqrt(np.mean(given**2)))


def report(records: list[Record]) -> str:
    """Markdown: how many forms, by suite and noise; then a line for each fit."""
    latest = last_of_each(records, _key)
    lines = ["# One law for many groups", ""]
    rows = []
    for suite in dict.fromkeys(r["suite"] for r in latest):
        for noise in sorted({r["noise"] for r in latest if r["suite"] == suite}):
            its = [r for r in latest if r["suite"] == suite and r["noise"] == noise]
            times = [f"{np.median([r.get(name) or np.nan for r in its]):.0f}" for name in ("seconds", "cpu")]
            rows.append([suite, f"{noise:.1%}", len(its), *_counts(its), *times])
    header = ["suite", "noise", "fits", "form", "in table", "median s", "of the processor"]
    lines += [markdown_table(header, rows), ""]
    fits = [
        [r["problem"], f"{r['noise']:.1%}", r["seed"], "yes" if r["form"] else "", r.get("stop_reason"), r.get("law")]
        for r in latest
    ]
    lines += [markdown_table(["problem", "noise", "seed", "form", "stopped", "law"], fits), ""]
    lines += [f"Commits: {', '.join(sorted({str(r.get('commit')) for r in latest}))}."]
    return "\n".join(lines) + "\n"


def _counts(records: list[Record]) -> list[int]:
    return [sum(bool(r[name]) for r in records) for name in ("form", "in_table")]


def _key(record: Record) -> tuple:
    return tuple(record[name] for name in ("suite", "problem", "noise", "seed", "budget"))


def main(argv: Sequence[str] | None = None, fit: Callable[..., Record] = run) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data (default: SKLEARN_EQL_DATA)")
    parser.add_argument("--problems", nargs="+", help="names, or suites: class, spring, further (default: all)")
    parser.add_argument("--noise", nargs="+", type=float, default=list(NOISES), help="shares of the rms of y")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds")
    parser.add_argument("--results", type=Path, default=RESULTS / "groups.jsonl")
    parser.add_argument("--report", action="store_true", help="write the table only")
    options = parser.parse_args(argv)
    if not options.report:
        problems = [*class_suite(data_folder(options.data)), SPRING, *FURTHER]
        if options.problems:
            problems = [p for p in problems if {p.name, p.suite} & set(options.problems)]
        done = {_key(r) for r in read_records(options.results)}
        facts = {"commit": commit(), "machine": machine()}
        for noise in options.noise:
            for problem in problems:
                for seed in range(options.seeds):
                    share = noise if problem.noise is None else problem.noise
                    about = (problem.suite, problem.name, share, seed, options.budget)
                    if about not in done:
                        done.add(about)
                        append_record(options.results, fit(problem, share, seed, options.budget) | facts)
    if text := write_markdown(options.results, report):
        print(text)


if __name__ == "__main__":
    main()
