"""Physical laws from tables: 100 equations of the Feynman lectures, 14 differential equations of Strogatz's book.

    python benchmarks/physics.py --data FOLDER                    # all problems, EQLRegressor, 30 s each
    python benchmarks/physics.py --noise 0 0.001 0.01 --seeds 3 --jobs 2
    python benchmarks/physics.py --method eql operon --suite feynman --half held-out
    python benchmarks/physics.py --problems I.6.2 lv1 --budget 10 --results /tmp/some.jsonl
    python benchmarks/physics.py --report                         # table and figure of what is there

Data. Feynman: 1,000 rows uniform in the published ranges. Strogatz: the 400 published rows. Gaussian noise on y with
``noise`` times the root mean square of y as its standard deviation. The data folder holds ``feynman/`` and
``strogatz/`` (`_physics.py`); it is named by ``--data`` or the environment variable SKLEARN_EQL_DATA.

Recovered. The law's difference from the truth, or its quotient, is a constant once constants are rounded to three
decimals, and its error on 1,000 rows from wider ranges is below 1e-6 (with noise: five noise levels). Precisely:
`_recovered.py`.

Settings. EQLRegressor: `max_time` is the budget, nothing else is set. pyoperon: `OPERON` and the budget, else its
defaults; its own choice of a model is judged. It has no way to stop at rounding error (its `epsilon`, tried in 0.6.2,
does not), so its fits take the whole budget, and its seconds are no measure of how soon it had the law. Only `fit` is
timed, in worker processes with one thread each, after one small fit that is not counted; `--jobs` of them run at once.
pyoperon uses two threads, and always runs alone. A fit that raises, or takes more than three times its budget, is a
miss with its reason recorded.

Every fit adds a line to the results file. Those already there, of any commit, are not repeated: interrupt at will. The
table and the figure are written beside the results, with the endings ``.md`` and ``.png``.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy
from _common import RESULTS, append_record, commit, machine, markdown_table, read_records, timed, version
from _physics import SUITES, Problem, data_folder
from _recovered import error_limit, node_count, recovered

OPERON = {
    "allowed_symbols": "add,sub,mul,div,constant,variable,sin,cos,exp,log,sqrt,square,tanh,asin",
    "optimizer_iterations": 5,
    "n_threads": 2,
}
FIT_ERRORS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)  # recorded as a fit that found nothing
OVERRUN = 3.0  # budgets after which a worker is stopped
START_LIMIT = 300.0  # seconds to import and warm up
JUDGE_LIMIT = 120.0  # seconds to judge a law
PACKAGES = ("sklearn_eql", "torch", "scikit-learn", "sympy", "numpy", "pyoperon")
HALVES = ("tuning", "held-out")

Record = dict[str, Any]
Key = tuple[str, str, str, float, int, float]


# --- The methods: a fitted model, and its law in the variables' names


def fit_eql(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Any:
    from sklearn_eql import EQLRegressor

    return EQLRegressor(max_time=budget, random_state=seed).fit(X, y)


def law_of_eql(model: Any, variables: list[str]) -> sympy.Expr:
    return model.sympy_expr_


def fit_operon(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Any:
    from pyoperon.sklearn import SymbolicRegressor

    return SymbolicRegressor(**OPERON, max_time=math.ceil(budget), random_state=seed).fit(X.to_numpy(), y)


def law_of_operon(model: Any, variables: list[str]) -> sympy.Expr:
    from table_v import law_of_operon as law_in_x

    return law_in_x(model).xreplace({sympy.Symbol(f"x{i}"): sympy.Symbol(v) for i, v in enumerate(variables)})


METHODS = {"eql": (fit_eql, law_of_eql), "operon": (fit_operon, law_of_operon)}


# --- One run


@dataclass(frozen=True)
class Job:
    """One fit to make."""

    method: str
    problem: Problem
    noise: float
    seed: int
    budget: float
    facts: Record = field(default_factory=dict)  # commit, machine, versions: recorded as they are

    def record(self, **result: Any) -> Record:
        """A line of the results file; a run without a result is a miss."""
        about = {
            "method": self.method,
            "suite": self.problem.suite,
            "problem": self.problem.name,
            "half": self.problem.half,
            "noise": self.noise,
            "seed": self.seed,
            "budget": self.budget,
        }
        nothing = {"seconds": None, "law": None, "symbolic": False, "error": None, "recovered": False}
        return about | nothing | {"complexity": None, "stop_reason": None, "failure": None} | result | self.facts


def key(record: Record) -> Key:
    return tuple(record[name] for name in ("method", "suite", "problem", "noise", "seed", "budget"))


def fit(job: Job) -> tuple[Record, sympy.Expr | None]:
    """Fit once: what is known before the law is judged, and the law."""
    make, law_of = METHODS[job.method]
    X, y = job.problem.training(job.seed, job.noise)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model, seconds = timed(lambda: make(X, y, job.seed, job.budget))
            law = law_of(model, job.problem.variables)
        except FIT_ERRORS as error:
            return job.record(failure=f"{type(error).__name__}: {error}"), None
    stop_reason = str(getattr(model, "stop_reason_", "")) or None
    return job.record(seconds=seconds, law=str(law), complexity=node_count(law), stop_reason=stop_reason), law


def judge(job: Job, record: Record, law: sympy.Expr | None) -> Record:
    if law is None:
        return record
    verdict = recovered(law, job.problem, job.noise, job.seed)
    error = verdict.error if math.isfinite(verdict.error) else None  # JSON has no infinity
    return record | {"symbolic": verdict.symbolic, "error": error, "recovered": verdict.recovered}


def work(connection: Connection, method: str) -> None:
    """A worker process: says that it is ready, then answers every job with the fit, and again with the verdict."""
    from threadpoolctl import threadpool_limits

    if method == "eql":
        import torch

        torch.set_num_threads(1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = np.random.default_rng(0).uniform(size=(64, 1))
        METHODS[method][0](pd.DataFrame(rows, columns=["x"]), rows[:, 0] ** 2, 0, 1.0)
        connection.send(None)
        while True:
            job = connection.recv()
            record, law = fit(job)
            connection.send(record)
            connection.send(judge(job, record, law))


# --- Many runs


class Worker:
    """A process that runs one job after another, as the parent sees it: what it does now, and until when it may."""

    def __init__(self, target: Callable[[Connection, str], None], method: str):
        context = multiprocessing.get_context("spawn")  # a fork would copy threads and their locks
        self.connection, other_end = context.Pipe()
        self.process = context.Process(target=target, args=(other_end, method), daemon=True)
        self.process.start()
        other_end.close()  # so that the end of the process shows as the end of the connection
        self.job: Job | None = None
        self.fitted: Record | None = None
        self._allow(START_LIMIT)
        self.ready = False

    def _allow(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def give(self, job: Job) -> None:
        with contextlib.suppress(BrokenPipeError):  # a process that has ended: `hear` finds out
            self.connection.send(job)
        self.job, self.fitted = job, None
        self._allow(OVERRUN * job.budget)

    def hear(self) -> Record | None:
        """Take in one message; the record if a job is done. EOFError if the process has ended."""
        message = self.connection.recv()
        if not self.ready:
            self.ready = True
        elif self.fitted is None:
            self.fitted = message
            self._allow(JUDGE_LIMIT)
        else:
            self.job = None
            return message
        return None

    def give_up(self, overdue: bool) -> Record:
        """Stop the process; the miss that is recorded for its job."""
        self.stop()
        if self.job is None:
            raise RuntimeError("a worker process did not start; its error is printed above")
        if self.fitted is not None:
            return self.fitted | {"failure": "judging the law took too long" if overdue else "judging the law failed"}
        if overdue:
            seconds = OVERRUN * self.job.budget
            return self.job.record(seconds=seconds, failure=f"stopped after {seconds:g} s")
        return self.job.record(failure=f"the process ended with exit code {self.process.exitcode}")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def run_all(jobs: list[Job], n_workers: int, target: Callable[[Connection, str], None] = work) -> Iterator[Record]:
    """Records of jobs of one method, as they are done."""
    waiting = jobs[::-1]
    workers = [Worker(target, jobs[0].method) for _ in range(min(n_workers, len(jobs)))]
    try:
        while workers:
            for worker in [w for w in workers if w.ready and w.job is None]:
                if waiting:
                    worker.give(waiting.pop())
                else:
                    worker.stop()
                    workers.remove(worker)
            patience = min((w.deadline for w in workers), default=0.0) - time.monotonic()
            heard = wait([w.connection for w in workers], max(patience, 0.0)) if workers else []
            for worker in list(workers):
                record, ended = None, False
                try:
                    if worker.connection in heard:
                        record = worker.hear()
                except (EOFError, ConnectionResetError):
                    ended = True
                overdue = record is None and time.monotonic() > worker.deadline
                if ended or overdue:
                    record = worker.give_up(overdue=not ended)
                    workers.remove(worker)
                    if waiting:
                        workers.append(Worker(target, jobs[0].method))
                if record is not None:
                    yield record
    finally:
        for worker in workers:
            worker.stop()


def describe(record: Record, done: int, total: int) -> str:
    missed = "form only" if record["symbolic"] else "missed"
    mark = f"{'RECOVERED' if record['recovered'] else missed:<9}"
    seconds = "     -  " if record["seconds"] is None else f"{record['seconds']:6.1f} s"
    error = "-" if record["error"] is None else f"{record['error']:.1e}"
    law = record["failure"] or record["law"]
    law = law if len(law) <= 70 else law[:67] + "..."
    which = f"{record['method']:<6} {record['problem']:<10} noise {record['noise']:<5g} seed {record['seed']}"
    return f"[{done}/{total}] {which} {mark} {seconds}  error {error:<7}  {law}"


# --- Report


def latest(records: list[Record]) -> list[Record]:
    """One record per run, the last one."""
    return list({key(r): r for r in records}.values())


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def within_error(record: Record) -> bool:
    return record["error"] is not None and record["error"] < error_limit(record["noise"])


def groups(records: list[Record], *names: str) -> Iterator[tuple[tuple, list[Record]]]:
    """Records that agree in these entries, in order of the entries."""
    values = sorted({tuple(r[name] for name in names) for r in records})
    return ((v, [r for r in records if tuple(r[name] for name in names) == v]) for v in values)


def report(records: list[Record]) -> str:
    """Markdown: a line per suite, noise, method and budget; then a line per problem."""
    records = latest(records)
    header = ["suite", "noise", "method", "budget s", "recovered %", *(f"{half} %" for half in HALVES)]
    header += ["form %", "error %", "median s", "90% s", "slowest s", "runs"]
    rows = []
    for (suite, noise, method, budget), its in groups(records, "suite", "noise", "method", "budget"):
        row = [suite, f"{noise:g}", method, f"{budget:g}", percent(sum(r["recovered"] for r in its), len(its))]
        for half in HALVES:
            part = [r for r in its if r["half"] == half]
            row.append(percent(sum(r["recovered"] for r in part), len(part)))
        row.append(percent(sum(r["symbolic"] for r in its), len(its)))
        row.append(percent(sum(within_error(r) for r in its), len(its)))
        seconds = [r["seconds"] for r in its if r["recovered"]]
        row += [f"{s:.2f}" for s in (*np.percentile(seconds, [50, 90]), max(seconds))] if seconds else ["-"] * 3
        rows.append([*row, len(its)])
    commits = ", ".join(sorted({str(r.get("commit")) for r in records})) or "-"
    lines = [
        "# Physical laws",
        "",
        markdown_table(header, rows),
        "",
        'Recovered: form and error are both right. "form %" and "error %" count the runs that pass the one rule, '
        "whatever the other says. Seconds are those of `fit`, over recovered runs; pyoperon always uses its budget. "
        f"Failed or stopped fits: {sum(r['failure'] is not None for r in records)}. Commits: {commits}.",
        "",
        "## Problem by problem",
        "",
        "Runs recovered, of all runs; median seconds of `fit`.",
        "",
        problem_table(records),
    ]
    return "\n".join(lines) + "\n"


def problem_table(records: list[Record]) -> str:
    columns = [column for column, _ in groups(records, "method", "noise", "budget")]
    rows = []
    order = {(r["suite"], r["problem"]): i for i, r in reversed(list(enumerate(records)))}
    for suite, problem in sorted(order, key=lambda k: (k[0], order[k])):
        its = [r for r in records if (r["suite"], r["problem"]) == (suite, problem)]
        row = [suite, problem, its[0]["half"]]
        for column in columns:
            runs = [r for r in its if (r["method"], r["noise"], r["budget"]) == column]
            seconds = [r["seconds"] for r in runs if r["seconds"] is not None]
            cell = f"{sum(r['recovered'] for r in runs)}/{len(runs)}" if runs else "-"
            row.append(f"{cell}, {np.median(seconds):.1f} s" if seconds else cell)
        rows.append(row)
    names = [f"{method}, noise {noise:g}, {budget:g} s" for method, noise, budget in columns]
    return markdown_table(["suite", "problem", "half", *names], rows)


def draw(records: list[Record], path: Path) -> None:
    """Fraction of all runs recovered within a time; a panel per suite, a curve per method, noise and budget."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    records = latest(records)
    suites = sorted({r["suite"] for r in records})
    curves = [curve for curve, _ in groups(records, "method", "noise", "budget")]
    noises = sorted({noise for _, noise, _ in curves})
    several_budgets = len({budget for *_, budget in curves}) > 1
    shades = {"eql": mpl.colormaps["Blues"], "operon": mpl.colormaps["Oranges"]}
    dashes = ["-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2))]
    times = [r["seconds"] for r in records if r["recovered"]]
    left, right = min([0.1, *times]) / 1.3, max(r["budget"] for r in records) * 1.6
    right = max([right, *(1.6 * t for t in times)])

    figure = Figure(figsize=(5.2 * len(suites) + 0.4, 4.6), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(suites), sharey=True, squeeze=False)[0]
    for panel, suite in zip(axes, suites, strict=True):
        for method, noise, budget in curves:
            runs = [
                r
                for r in records
                if (r["suite"], r["method"], r["noise"], r["budget"]) == (suite, method, noise, budget)
            ]
            if not runs:
                continue
            seconds = np.sort([r["seconds"] for r in runs if r["recovered"]])
            share = 100 * np.arange(1, len(seconds) + 1) / len(runs)
            i = noises.index(noise)
            # A curve starts with its first law, as those of pyoperon, all at the budget, would hide each other.
            panel.step(
                [*seconds, right] if len(seconds) else [budget, right],
                [*share, share[-1]] if len(seconds) else [0, 0],
                where="post",
                color=shades[method](0.95 - 0.5 * i / max(1, len(noises) - 1)),
                linestyle=dashes[i % len(dashes)],
                linewidth=1.8,
                marker="o",
                markersize=4.5,
                markevery=[max(len(seconds) - 1, 0)],
                label=f"{method}, noise {noise:g}" + (f", {budget:g} s" if several_budgets else ""),
            )
        n = len({r["problem"] for r in records if r["suite"] == suite})
        panel.set(xscale="log", xlim=(left, right), ylim=(-2, 102), xlabel="seconds of fit")
        panel.set_title(f"{suite.capitalize()}: {n} problem{'s' * (n != 1)}")
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.grid(True, which="major", color="0.9", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("recovered, % of all runs")
    figure.suptitle("Physical laws recovered within a time")
    handles = {
        label: handle for panel in axes for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    columns = min(len(handles), 3 * len(suites))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=columns, frameon=False)
    figure.savefig(path)


def write_report(results: Path) -> None:
    records = read_records(results)
    if not records:
        print(f"no results in {results}")
        return
    results.with_suffix(".md").write_text(report(records), encoding="utf-8")
    draw(records, results.with_suffix(".png"))
    print(report(records).split("## Problem by problem")[0].strip())
    print(f"\nwritten: {results.with_suffix('.md')}, {results.with_suffix('.png')}")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=[*SUITES, "both"], default="both")
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0], help="fractions of the root mean square of y")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds per fit")
    parser.add_argument("--method", nargs="+", choices=METHODS, default=["eql"])
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--half", choices=[*HALVES, "heldout", "all"], default="all")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="fits at once; pyoperon always runs alone")
    parser.add_argument("--data", help="folder with feynman/ and strogatz/ (default: $SKLEARN_EQL_DATA)")
    parser.add_argument("--results", type=Path, default=RESULTS / "physics.jsonl")
    parser.add_argument("--report", action="store_true", help="only write the report of what is there")
    args = parser.parse_args(argv)
    args.half = args.half.replace("heldout", "held-out")
    if not args.report:
        try:
            args.problems = wanted_problems(args)
        except ValueError as error:
            parser.error(str(error))
    return args


def wanted_problems(args: argparse.Namespace) -> list[Problem]:
    folder = data_folder(args.data)
    problems = [p for suite, load in SUITES.items() if args.suite in (suite, "both") for p in load(folder)]
    if unknown := set(args.problems or ()) - {p.name for p in problems}:
        raise ValueError(f"--problems: {', '.join(sorted(unknown))} not in the chosen suites")
    return [p for p in problems if args.half in (p.half, "all") and (not args.problems or p.name in args.problems)]


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    if not args.report:
        facts = {"commit": commit(), "machine": machine(), "versions": {name: version(name) for name in PACKAGES}}
        finished = {key(r) for r in read_records(args.results)}
        missing = [
            job
            for method in args.method
            for seed in range(args.seeds)
            for noise in args.noise
            for problem in args.problems
            if key((job := Job(method, problem, noise, seed, args.budget, facts)).record()) not in finished
        ]
        done = 0
        for method in args.method:
            jobs = [job for job in missing if job.method == method]
            for record in run_all(jobs, 1 if method == "operon" else args.jobs) if jobs else ():
                append_record(args.results, record)
                done += 1
                print(describe(record, done, len(missing)), flush=True)
    write_report(args.results)


if __name__ == "__main__":
    main()
