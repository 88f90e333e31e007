"""Laws of three columns in wide tables, and laws that users have looked for in narrow ones.

    python benchmarks/wide.py                                   # all laws among 100 and 5,000 columns, 20 s each
    python benchmarks/wide.py --columns 100 --noise 0 --seeds 1 --half tuning
    python benchmarks/wide.py --cases narrow --results /tmp/some.jsonl
    python benchmarks/wide.py --report                          # the table of what is there

Data. "wide": 200 rows; three columns of 100 or 5,000 independent ones, drawn at random, matter. All columns are N(0, 1)
or uniform in one range, as `LAWS` has it. "narrow": rows, columns and laws of reports by users (`NARROW`). Gaussian
noise on y with ``noise`` times the root mean square of y as its standard deviation.

Recovered. As in `physics.py`: without noise an error below 1e-6 on 1,000 rows from wider ranges; with noise the right
form, or an error below five noise levels there. For N(0, 1) the range is [-2, 2], so rows are judged on [-3, 3].

Half of the laws, those at even positions, are for tuning, the others for judging what tuning gave.

Settings. EQLRegressor: `max_time` is the budget, nothing else is set. Worker processes are those of `_workers.py`.
"cpu s" are seconds of the processor in `fit`: what counts on a busy machine.

Every fit adds a line to the results file. Those already there, of any commit, are not repeated: interrupt at will. The
table is written beside the results, with the ending ``.md``.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy
from _common import RESULTS, append_record, commit, machine, markdown_table, read_records, version, write_markdown
from _physics import Problem, parse, rms
from _recovered import node_count
from _workers import FIT_ERRORS, run_all
from physics import PACKAGES, fit_eql, judge, work

Record = dict[str, Any]
ROWS = 200
COLUMNS = (100, 5_000)
NORMAL = (-2.0, 2.0)  # where laws of N(0, 1) columns are judged, before it is widened

LAWS: tuple[tuple[str, tuple[float, float]], ...] = (  # the law of the columns a, b, c; their range
    ("a*b + c", NORMAL),
    ("a*sin(2*b) + c**2", NORMAL),
    ("exp(-a) + b*c", NORMAL),
    ("a**2 - b + cos(2*c)", NORMAL),
    ("a*exp(-b**2) + c", NORMAL),
    ("3*a*b*c", NORMAL),
    ("(a - b)**2 + c", NORMAL),
    ("tanh(2*a) + b**2*c", NORMAL),
    ("3*a*sqrt(b)/c", (1.0, 5.0)),
    ("a*ln(b) + c", (1.0, 5.0)),
    ("20 + 80*a*exp(-0.3*b)*sin(c)", (0.0, 3.0)),
    ("2 + a*exp(-b)*sin(c)", (0.0, 3.0)),
    ("a/(b + c)", (1.0, 5.0)),
    ("sqrt(a**2 + b**2 + c**2)", (1.0, 5.0)),
    ("a*b**2/2 + c", (0.0, 3.0)),
    ("exp(-a*b) + c", (0.0, 3.0)),
)
NARROW: tuple[tuple[str, tuple[float, float], int, int], ...] = (  # law, range, rows, columns
    ("2*cos(x3) + x0**2 - 2 + x1*x2", NORMAL, 100, 8),
    ("x0**2 + x1 + cos(2*x2)", NORMAL, 100, 8),
    ("x0*x1 + cos(3*x2)", NORMAL, 100, 6),
    ("20 + 80*x1*exp(-0.3*x2)*sin(x0)", (0.0, 3.0), 300, 3),
    ("2 + x2*exp(-x1)*sin(x0)", (0.0, 3.0), 300, 3),
)


@dataclass(frozen=True)
class Table:
    """A law, and the table that it is to be found in."""

    kind: str  # "wide" or "narrow"
    law: str
    range: tuple[float, float]
    position: int
    rows: int
    columns: int

    @property
    def half(self) -> str:
        return "held-out" if self.position % 2 else "tuning"

    def problem(self) -> Problem:
        formula = parse(self.law)
        ranges = dict.fromkeys(sorted(s.name for s in formula.free_symbols), self.range)
        return Problem(self.kind, self.law, self.position, formula, ranges, n_train=self.rows, by_error=True)

    def training(self, seed: int, noise: float) -> tuple[pd.DataFrame, np.ndarray]:
        """The table, the columns of the law at random places, and its target."""
        rng = np.random.default_rng([seed, self.position, self.columns])
        problem = self.problem()
        size = (self.rows, self.columns)
        X = rng.normal(size=size) if self.range == NORMAL else rng.uniform(*self.range, size=size)
        places = rng.choice(self.columns, len(problem.variables), replace=False)
        y = problem.evaluate(X[:, places])
        y = y + noise * rms(y) * rng.standard_normal(len(y)) if noise else y
        names = [f"other{i}" for i in range(self.columns)]
        for place, name in zip(places, problem.variables, strict=True):
            names[place] = name
        return pd.DataFrame(X, columns=names), y


def tables(kinds: list[str], columns: list[int]) -> list[Table]:
    wide = [Table("wide", law, where, i, ROWS, n) for n in columns for i, (law, where) in enumerate(LAWS)]
    narrow = [Table("narrow", law, where, i, rows, n) for i, (law, where, rows, n) in enumerate(NARROW)]
    return [table for table in wide + narrow if table.kind in kinds]


@dataclass(frozen=True)
class Job:
    """One fit to make."""

    table: Table
    noise: float
    seed: int
    budget: float
    facts: Record = field(default_factory=dict)  # commit, machine, versions: recorded as they are
    method: str = "eql"

    @property
    def problem(self) -> Problem:
        return self.table.problem()

    def record(self, **result: Any) -> Record:
        """A line of the results file; a run without a result is a miss."""
        table = self.table
        about = {"kind": table.kind, "law_sought": table.law, "half": table.half, "rows": table.rows}
        about |= {"columns": table.columns, "noise": self.noise, "seed": self.seed, "budget": self.budget}
        nothing = {"seconds": None, "cpu": None, "law": None, "symbolic": False, "error": None, "recovered": False}
        return about | nothing | {"complexity": None, "stop_reason": None, "failure": None} | result | self.facts


def fit(job: Job) -> tuple[Record, sympy.Expr | None]:
    """Fit once: what is known before the law is judged, and the law."""
    X, y = job.table.training(job.seed, job.noise)
    start, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = fit_eql(X, y, job.seed, job.budget)
            law = model.sympy_expr_
        except FIT_ERRORS as error:
            return job.record(failure=f"{type(error).__name__}: {error}"), None
    about = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "law": str(law)}
    return job.record(**about, complexity=node_count(law), stop_reason=str(model.stop_reason_)), law


# --- The report


def key(record: Record) -> tuple:
    return tuple(record[name] for name in ("kind", "law_sought", "rows", "columns", "noise", "seed", "budget"))


def report(records: list[Record]) -> str:
    """Markdown: how many are recovered, by half; then a line per law."""
    records = list({key(r): r for r in records}.values())  # one per run, the last one
    header = ["", "columns", "noise", "budget s", "tuning", "held-out", "median s", "cpu s"]
    rows = []
    for kind, n, noise, budget in dict.fromkeys((r["kind"], r["columns"], r["noise"], r["budget"]) for r in records):
        its = [r for r in records if (r["kind"], r["columns"], r["noise"], r["budget"]) == (kind, n, noise, budget)]
        counts = [share([r for r in its if r["half"] == half]) for half in ("tuning", "held-out")]
        rows.append([kind, f"{n:,}", f"{noise:g}", f"{budget:g}", *counts, median(its, "seconds"), median(its, "cpu")])
    lines = ["# Wide tables", "", markdown_table(header, rows), "", "Recovered, of all runs.", ""]
    settings = list(dict.fromkeys((r["columns"], r["noise"], r["budget"]) for r in records))
    body = []
    for kind, law, half, n_rows in dict.fromkeys((r["kind"], r["law_sought"], r["half"], r["rows"]) for r in records):
        its = [r for r in records if (r["kind"], r["law_sought"]) == (kind, law)]
        cells = [share([r for r in its if (r["columns"], r["noise"], r["budget"]) == s]) for s in settings]
        body.append([f"`{law}`", half if kind == "wide" else kind, n_rows, *cells])
    names = [f"{n:,} columns, noise {noise:g}, {budget:g} s" for n, noise, budget in settings]
    commits = ", ".join(sorted({str(r.get("commit")) for r in records})) or "-"
    return "\n".join([*lines, markdown_table(["law", "half", "rows", *names], body), "", f"Commits: {commits}.", ""])


def share(records: list[Record]) -> str:
    return f"{sum(r['recovered'] for r in records)}/{len(records)}" if records else "-"


def median(records: list[Record], name: str) -> str:
    values = [r[name] for r in records if r[name] is not None]
    return f"{statistics.median(values):.1f}" if values else "-"


def describe(record: Record, done: int, total: int) -> str:
    mark = "RECOVERED" if record["recovered"] else "missed"
    seconds = "-" if record["seconds"] is None else f"{record['seconds']:.1f} s, {record['cpu']:.1f} of the processor"
    law = (record["failure"] or record["law"])[:80]
    which = f"{record['columns']:>5} columns  noise {record['noise']:<5g} seed {record['seed']}"
    return f"[{done}/{total}] {record['law_sought']:<28} {which} {mark:<9} {seconds}  {record['stop_reason']}  {law}"


# --- Command line


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=["wide", "narrow"], default=["wide", "narrow"])
    parser.add_argument("--columns", nargs="+", type=int, default=list(COLUMNS), help="of the wide tables")
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0, 0.01])
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--half", choices=["tuning", "held-out", "all"], default="all")
    parser.add_argument("--laws", nargs="+", metavar="LAW", help="only these")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds per fit")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="fits at once")
    parser.add_argument("--results", type=Path, default=RESULTS / "wide.jsonl")
    parser.add_argument("--report", action="store_true", help="only write the report of what is there")
    args = parser.parse_args(argv)
    known = tables(args.cases, args.columns)
    if unknown := set(args.laws or ()) - {table.law for table in known}:
        parser.error(f"--laws: there is no {', '.join(sorted(unknown))}")
    args.tables = [t for t in known if args.half in (t.half, "all") and (not args.laws or t.law in args.laws)]
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    if not args.report:
        packages = [name for name in PACKAGES if name != "pyoperon"]
        facts = {"commit": commit(), "machine": machine(), "versions": {name: version(name) for name in packages}}
        finished = {key(r) for r in read_records(args.results)}
        jobs = [
            Job(table, noise, seed, args.budget, facts)
            for seed in range(args.seeds)
            for noise in args.noise
            for table in args.tables
        ]
        missing = [job for job in jobs if key(job.record()) not in finished]
        target = partial(work, fit=fit, judge=judge)
        for done, record in enumerate(run_all(missing, args.jobs, target) if missing else (), start=1):
            append_record(args.results, record)
            print(describe(record, done, len(missing)), flush=True)
    if (text := write_markdown(args.results, report)) is not None:
        print(f"{text}\nwritten: {args.results.with_suffix('.md')}")


if __name__ == "__main__":
    main()
