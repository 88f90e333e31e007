"""Physical laws from tables: 100 equations of the Feynman lectures, 14 differential equations of Strogatz's book.

    python benchmarks/physics.py --data FOLDER                    # all problems, EQLRegressor, 30 s each
    python benchmarks/physics.py --noise 0 0.001 0.01 --seeds 3 --jobs 2
    python benchmarks/physics.py --method eql operon --suite feynman --half held-out
    python benchmarks/physics.py --problems I.6.2 lv1 --budget 10 --results /tmp/some.jsonl
    python benchmarks/physics.py --proposals transformer          # with laws that a network writes among the starts
    python benchmarks/physics.py --suite feynman --units          # with the units of all variables (feynman_units.json)
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
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy
from _common import RESULTS, append_record, commit, machine, read_records, timed, version
from _physics import CLASSICS, SUITES, Problem, Units, data_folder, units_of
from _physics_report import HALVES, Record, key, write_report
from _recovered import node_count, recovered
from _workers import FIT_ERRORS, answer, run_all

OPERON = {
    "allowed_symbols": "add,sub,mul,div,constant,variable,sin,cos,exp,log,sqrt,square,tanh,asin",
    "optimizer_iterations": 5,
    "n_threads": 2,
}
PACKAGES = ("sklearn_eql", "torch", "scikit-learn", "sympy", "numpy", "pyoperon")


# --- The methods: a fitted model, and its law in the variables' names


def fit_eql(
    X: pd.DataFrame,
    y: np.ndarray,
    seed: int,
    budget: float,
    functions: str | Sequence[str] = "default",
    proposals: str | None = None,
    units: Units | None = None,
) -> Any:
    from sklearn_eql import EQLRegressor

    settings = {} if proposals is None else {"proposals": proposals}  # else it runs on commits that have no proposals
    if units is not None:  # all that have units are among the variables
        settings |= {"units": units["variables"], "y_unit": units["y"], "dimensionless_constants": True}
    return EQLRegressor(functions=functions, max_time=budget, random_state=seed, **settings).fit(X, y)


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
    rows: int | None = None  # how many to fit; None: what the suite says
    facts: Record = field(default_factory=dict)  # commit, machine, versions: recorded as they are
    proposals: str | None = None  # of EQLRegressor
    with_units: bool = False  # whether it knows the units of the variables

    @property
    def label(self) -> str:
        """The method as it is recorded."""
        label = self.method if self.proposals is None else f"{self.method}+{Path(self.proposals).stem}"
        return f"{label}+units" if self.with_units else label

    def record(self, **result: Any) -> Record:
        """A line of the results file; a run without a result is a miss."""
        about = {
            "method": self.label,
            "suite": self.problem.suite,
            "problem": self.problem.name,
            "half": self.problem.half,
            "noise": self.noise,
            "seed": self.seed,
            "budget": self.budget,
            "rows": self.rows,
        }
        nothing = {"seconds": None, "law": None, "symbolic": False, "error": None, "recovered": False}
        return about | nothing | {"complexity": None, "stop_reason": None, "failure": None} | result | self.facts


def fit(job: Job) -> tuple[Record, sympy.Expr | None]:
    """Fit once: what is known before the law is judged, and the law."""
    make, law_of = METHODS[job.method]
    X, y = job.problem.training(job.seed, job.noise, job.rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            settings = {} if job.proposals is None else {"proposals": job.proposals}
            if job.with_units:
                settings["units"] = units_of(job.problem)
            model, seconds = timed(lambda: make(X, y, job.seed, job.budget, **settings))
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


def work(connection: Connection, method: str, fit: Callable = fit, judge: Callable = judge) -> None:
    """A worker process: says that it is ready, then answers every job with the fit, and again with the verdict."""
    from threadpoolctl import threadpool_limits

    if method == "eql":
        import torch

        torch.set_num_threads(1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = np.random.default_rng(0).uniform(size=(64, 1))
        METHODS[method][0](pd.DataFrame(rows, columns=["x"]), rows[:, 0] ** 2, 0, 1.0)
        answer(connection, fit, judge)


# --- Many runs


def describe(record: Record, done: int, total: int) -> str:
    missed = "form only" if record["symbolic"] else "missed"
    mark = f"{'RECOVERED' if record['recovered'] else missed:<9}"
    seconds = "     -  " if record["seconds"] is None else f"{record['seconds']:6.1f} s"
    error = "-" if record["error"] is None else f"{record['error']:.1e}"
    law = record["failure"] or record["law"]
    law = law if len(law) <= 70 else law[:67] + "..."
    which = f"{record['method']:<6} {record['problem']:<10} noise {record['noise']:<5g} seed {record['seed']}"
    return f"[{done}/{total}] {which} {mark} {seconds}  error {error:<7}  {law}"


# --- Command line


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--suite", nargs="+", choices=[*SUITES, "both", "classics"], default=["both"], help="both: feynman and strogatz"
    )
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0], help="fractions of the root mean square of y")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--rows", type=int, metavar="N", help="rows to fit (default: 1,000, or what the suite says)")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds per fit")
    parser.add_argument("--method", nargs="+", choices=METHODS, default=["eql"])
    parser.add_argument(
        "--proposals",
        metavar="WEIGHTS",
        help="of EQLRegressor: transformer, a preset or a file; recorded as eql+WEIGHTS",
    )
    parser.add_argument(
        "--units", action="store_true", help="of all variables, for EQLRegressor: recorded as eql+units"
    )
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--half", choices=[*HALVES, "heldout", "all"], default="all")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="fits at once; pyoperon always runs alone")
    parser.add_argument("--data", help="folder with feynman/ and strogatz/ (default: $SKLEARN_EQL_DATA)")
    parser.add_argument("--results", type=Path, default=RESULTS / "physics.jsonl")
    parser.add_argument("--report", action="store_true", help="only write the report of what is there")
    args = parser.parse_args(argv)
    args.half = args.half.replace("heldout", "held-out")
    if args.proposals and args.method != ["eql"]:
        parser.error("--proposals: only EQLRegressor has them; expected --method eql")
    if args.units and (args.method != ["eql"] or args.suite != ["feynman"]):
        parser.error("--units: known of the Feynman suite, used by EQLRegressor; expected --suite feynman --method eql")
    if not args.report:
        try:
            args.problems = wanted_problems(args)
        except ValueError as error:
            parser.error(str(error))
    return args


def wanted_problems(args: argparse.Namespace) -> list[Problem]:
    folder = data_folder(args.data)
    groups = {"both": ("feynman", "strogatz"), "classics": CLASSICS}
    wanted = {name for suite in args.suite for name in groups.get(suite, (suite,))}
    problems = [p for suite, load in SUITES.items() if suite in wanted for p in load(folder)]
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
            if key(
                (
                    job := Job(method, problem, noise, seed, args.budget, args.rows, facts, args.proposals, args.units)
                ).record()
            )
            not in finished
        ]
        done = 0
        for method in args.method:
            jobs = [job for job in missing if job.method == method]
            for record in run_all(jobs, 1 if method == "operon" else args.jobs, work) if jobs else ():
                append_record(args.results, record)
                done += 1
                print(describe(record, done, len(missing)), flush=True)
    write_report(args.results)


if __name__ == "__main__":
    main()
