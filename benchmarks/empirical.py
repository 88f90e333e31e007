"""Laws from measured data: the ten of EmpiricalBench, three more, and nine regressions of NIST.

    python benchmarks/empirical.py --data FOLDER --jobs 2        # all data sets, 5 seeds, 60 s each
    python benchmarks/empirical.py --problems kepler bode --seeds 1 --budget 10 --results /tmp/some.jsonl
    python benchmarks/empirical.py --problems nist --certified-functions
    python benchmarks/empirical.py --report                      # the table of what is there

Data. The folder holds ``first_principles/`` and ``nist/`` (`_empirical.py`); it is named by ``--data`` or the
environment variable SKLEARN_EQL_DATA. All rows of a set are fitted. Where NIST certifies a law for a function of y
(Nelson: log(y)), that is fitted.

Right form. The reference law reproduces the values of the found law, with its constants fitted to them, and every
constant is needed. Precisely: `_reference_form.py`. "In the table" says whether any row of `equations_` has the form:
where that is so and the selected law has another, the search has found the law and the selection has not taken it.

Losses are mean squared errors on the rows of the fit, over the variance of y, beside those of the reference with its
fitted constants. A ratio below 1 is no success: the law follows the noise more closely than the reference does.

"sd" is the residual standard deviation, of N - p degrees of freedom for p constants, of the most accurate law of the
table that has no more constants than the reference, beside that of the reference: what NIST certifies. Constants are
the numbers that stand in a law outside of exponents, but 1 and -1, so recognised ones count, too.

Settings. EQLRegressor: `max_time` is the budget, nothing else is set; with ``--certified-functions`` NIST's sets are
fitted with the functions of their certified law only (`CERTIFIED_FUNCTIONS` in `_empirical.py`). Worker processes are
those of `_workers.py`: one thread each, after one small fit that is not counted; a fit that raises, or takes more than
three times its budget, is a miss with its reason recorded.

Every fit adds a line to the results file. Those already there, of any commit, are not repeated: interrupt at will. The
table is written beside the results, with the ending ``.md``.
"""

from __future__ import annotations

import argparse
import math
import re
import statistics
import warnings
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from _common import (
    RESULTS,
    append_record,
    commit,
    machine,
    markdown_table,
    read_records,
    timed,
    version,
    write_markdown,
)
from _empirical import CERTIFIED_FUNCTIONS, DataSet, data_sets
from _physics import data_folder
from _recovered import node_count
from _reference_form import law_values
from _workers import FIT_ERRORS, run_all
from physics import PACKAGES, fit_eql, work

Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One fit to make."""

    data: DataSet
    seed: int
    budget: float
    facts: Record = field(default_factory=dict)  # commit, machine, versions: recorded as they are
    method: str = "eql"
    functions: str | tuple[str, ...] = "default"

    def record(self, **result: Any) -> Record:
        """A line of the results file; a run without a result has not the form."""
        about = {"suite": self.data.suite, "set": self.data.name, "seed": self.seed, "budget": self.budget}
        about |= {"functions": self.functions if isinstance(self.functions, str) else ", ".join(self.functions)}
        nothing = {"seconds": None, "law": None, "complexity": None, "loss": None, "rss_ratio": None, "sd": None}
        n_constants = len(self.data.reference.constants)
        reference = {
            "reference_loss": self.data.reference.unexplained,
            "reference_sd": deviation(self.data.reference_rss, len(self.data.y), n_constants),
        }
        verdict = {"form": False, "in_table": False, "stop_reason": None, "failure": None}
        return about | nothing | reference | verdict | result | self.facts


def fit(job: Job) -> tuple[Record, list[sympy.Expr] | None]:
    """Fit once: what is known before the law is judged, and the laws of the table, the selected one first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model, seconds = timed(lambda: fit_eql(job.data.X, job.data.y, job.seed, job.budget, job.functions))
            law, table = model.sympy_expr_, list(model.equations_["sympy_expr"])
        except FIT_ERRORS as error:
            return job.record(failure=f"{type(error).__name__}: {error}"), None
    about = {"seconds": seconds, "law": str(law), "complexity": node_count(law), "stop_reason": str(model.stop_reason_)}
    return job.record(**about), [law, *(other for other in table if other != law)]


def judge(job: Job, record: Record, laws: list[sympy.Expr] | None) -> Record:
    if laws is None:
        return record
    data = job.data
    left_over = law_values(laws[0], data.reference.variables, data.X.to_numpy(dtype=float)) - data.y
    rss = float(left_over @ left_over)
    losses = {"loss": rss / len(data.y) / float(np.var(data.y)), "rss_ratio": rss / data.reference_rss}
    rows = data.judging_rows()
    form = data.reference.is_form_of(laws[0], rows)
    in_table = form or any(data.reference.is_form_of(law, rows) for law in laws[1:])
    losses["sd"] = best_deviation(data, laws)
    finite = {name: value if math.isfinite(value) else None for name, value in losses.items()}  # JSON has no infinity
    return record | finite | {"form": form, "in_table": in_table}


def best_deviation(data: DataSet, laws: list[sympy.Expr]) -> float:
    """Least residual standard deviation of the laws with no more constants than the reference; inf without any."""
    found = [math.inf]
    for law in laws:
        if (count := n_constants(law)) <= len(data.reference.constants):
            left_over = law_values(law, data.reference.variables, data.X.to_numpy(dtype=float)) - data.y
            found.append(deviation(float(left_over @ left_over), len(data.y), count))
    return min(value for value in found if not math.isnan(value))


def deviation(rss: float, n_rows: int, count: int) -> float:
    return math.sqrt(rss / (n_rows - count)) if n_rows > count else math.nan


def n_constants(law: sympy.Expr) -> int:
    """Numbers of a law outside of exponents, but 1 and -1; a number with a name, such as pi/6, is one."""
    if law.is_number:
        return int(abs(law) != 1)
    if law.is_Pow and law.exp.is_number:
        return n_constants(law.base) + int(not law.exp.is_Rational)
    numbers = [arg for arg in law.args if arg.is_number]
    others = sum(n_constants(arg) for arg in law.args if not arg.is_number)
    return others + (n_constants(law.func(*numbers)) if numbers and (law.is_Add or law.is_Mul) else len(numbers))


# --- The report


def key(record: Record) -> tuple:
    return (*(record[name] for name in ("suite", "set", "seed", "budget")), record.get("functions", "default"))


def report(records: list[Record]) -> str:
    """Markdown: how many of each suite have the form, then a line per data set."""
    records = list({key(r): r for r in records}.values())  # one per run, the last one
    lines = ["# Laws from measured data", ""]
    for suite in dict.fromkeys(r["suite"] for r in records):
        its = [r for r in records if r["suite"] == suite]
        count, in_table = (sum(r[name] for r in its) for name in ("form", "in_table"))
        lines.append(
            f"- {suite}: {count} of {len(its)} fits select the reference's form; {in_table} have it in the table."
        )
    header = [
        "suite",
        "set",
        "functions",
        "budget s",
        "form",
        "in table",
        "loss",
        "reference",
        "rss / reference",
        "sd",
        "reference",
        "nodes",
        "median s",
    ]
    rows = []
    for group in dict.fromkeys(setting(r) for r in records):
        its = [r for r in records if setting(r) == group]
        counts = [f"{sum(r[name] for r in its)} of {len(its)}" for name in ("form", "in_table")]
        medians = [median(its, "loss"), f"{its[0]['reference_loss']:.3g}", median(its, "rss_ratio")]
        medians += [median(its, name) for name in ("sd", "reference_sd", "complexity", "seconds")]
        rows.append([*group[:3], f"{group[3]:g}", *counts, *medians])
    lines += [
        "",
        markdown_table(header, rows),
        "",
        "Medians over the seeds. Losses are shares of the variance of y.",
        "",
    ]
    laws = [[r["set"], r["seed"], "yes" if r["form"] else "", r["stop_reason"], shown(r)] for r in records]
    commits = ", ".join(sorted({str(r.get("commit")) for r in records})) or "-"
    lines += [markdown_table(["set", "seed", "form", "stopped", "law"], laws), "", f"Commits: {commits}."]
    return "\n".join(lines) + "\n"


def setting(record: Record) -> tuple[str, str, str, float]:
    return record["suite"], record["set"], record.get("functions", "default"), record["budget"]


def median(records: list[Record], name: str) -> str:
    values = [r[name] for r in records if r.get(name) is not None]
    return f"{statistics.median(values):.3g}" if values else "-"


def shown(record: Record) -> str:
    """The law, its numbers to five digits."""
    if record["law"] is None:
        return record["failure"] or "-"
    law = re.sub(r"\d+\.\d+(e[+-]?\d+)?", lambda number: f"{float(number[0]):.5g}", record["law"])
    return f"`{law}`" if len(law) <= 120 else f"`{law[:117]}...`"


def describe(record: Record, done: int, total: int) -> str:
    mark = "FORM" if record["form"] else "in table" if record["in_table"] else "missed"
    seconds, ratio = (
        "-" if record[name] is None else f"{record[name]:{form}}"
        for name, form in (("seconds", ".1f"), ("rss_ratio", ".3g"))
    )
    law = (record["failure"] or record["law"])[:70]
    return f"[{done}/{total}] {record['set']:<13} seed {record['seed']} {mark:<8} {seconds} s  rss ratio {ratio}  {law}"


def write_report(results: Path) -> None:
    if (text := write_markdown(results, report)) is not None:
        print(f"{text}\nwritten: {results.with_suffix('.md')}")


# --- Command line


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds per fit")
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="only these data sets or suites")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="fits at once")
    parser.add_argument("--data", help="folder with first_principles/ and nist/ (default: $SKLEARN_EQL_DATA)")
    parser.add_argument("--results", type=Path, default=RESULTS / "empirical.jsonl")
    parser.add_argument(
        "--certified-functions", action="store_true", help="NIST's sets with the functions of their laws only"
    )
    parser.add_argument("--report", action="store_true", help="only write the report of what is there")
    args = parser.parse_args(argv)
    if not args.report:
        try:
            args.problems = wanted(data_sets(data_folder(args.data)), args.problems)
        except ValueError as error:
            parser.error(str(error))
    return args


def wanted(sets: list[DataSet], names: list[str] | None) -> list[DataSet]:
    if unknown := set(names or ()) - {name for data in sets for name in (data.name, data.suite)}:
        raise ValueError(f"--problems: there is no data set or suite {', '.join(sorted(unknown))}")
    return [data for data in sets if not names or data.name in names or data.suite in names]


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    if not args.report:
        packages = [name for name in PACKAGES if name != "pyoperon"]
        facts = {"commit": commit(), "machine": machine(), "versions": {name: version(name) for name in packages}}
        finished = {key(r) for r in read_records(args.results)}
        chosen = CERTIFIED_FUNCTIONS if args.certified_functions else {}
        jobs = [
            Job(data, seed, args.budget, facts, functions=chosen.get(data.name, "default"))
            for seed in range(args.seeds)
            for data in args.problems
        ]
        missing = [job for job in jobs if key(job.record()) not in finished]
        target = partial(work, fit=fit, judge=judge)
        for done, record in enumerate(run_all(missing, args.jobs, target) if missing else (), start=1):
            append_record(args.results, record)
            print(describe(record, done, len(missing)), flush=True)
    write_report(args.results)


if __name__ == "__main__":
    main()
