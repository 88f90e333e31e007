"""This package beside other regressors: the same rows, one thread and the same time for each, one fit after another.

    python benchmarks/compare --data FOLDER                        # 13 measured laws, 20 laws of suites, 30 s each
    python benchmarks/compare --methods sklearn_eql pyoperon --budget 10 --count 40 --seeds 3
    python benchmarks/compare --only suites --suites nguyen keijzer --half all --count 0      # all of them
    python benchmarks/compare --noise 0.01 --only suites
    python benchmarks/compare --report                             # compare.md and compare.png of what is there

Methods: this package, pyoperon, gplearn, RILS-ROLS, pykan, boosted trees and a polynomial with lasso (`methods.py` says
how each is run). Packages are optional: `pip install pyoperon gplearn pykan tqdm pyyaml`, and `pip install pybind11
setuptools wheel`, then `pip install --no-build-isolation rils-rols`, whose build does not ask for pybind11. What is not
installed is told in the report and left out.

Data, rows inside and outside, and what counts as recovered: `tasks.py`. By default the suites' held-out half, which the
package was not tuned on, `--count` of its laws at equal distances in the order of the files.

Measured: seconds and processor seconds of the fit, the peak of resident memory while it ran and before it (what was
imported), the number of nodes of the law (of all trees for boosted ones), errors as shares of the root mean square of
the target. Worker processes are those of `_workers.py`: a small fit is not counted, a fit that takes more than three
times the time is stopped and finds nothing. On a machine that does other things, processor seconds are less than the
time that was allowed; the report shows both.

Every fit adds a line to the results file. Those already there, of any commit, are not repeated: interrupt at will.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _common import RESULTS, append_record, commit, machine, read_records, version
from _physics import SUITES, data_folder

from compare.measure import Job, Record, key
from compare.methods import METHODS
from compare.report import write_report
from compare.tasks import SUITES_OF_LAWS, Task, known_laws, measured_laws
from compare.turns import in_turn

GROUPS = ("measured", "suites")
PACKAGES = tuple(dict.fromkeys(("torch", "numpy", "sympy", *(method.package for method in METHODS.values()))))


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--only", choices=GROUPS, help="measured laws, or suites")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES_OF_LAWS))
    parser.add_argument("--half", choices=["held-out", "tuning", "all"], default="held-out", help="of the suites")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="laws of the suites; 0 for all")
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--noise", type=float, default=0.0, help="share of the rms of y; of suites only")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds per fit")
    parser.add_argument("--data", help="folder with first_principles/ and suites/ (default: $SKLEARN_EQL_DATA)")
    parser.add_argument("--results", type=Path, default=RESULTS / "compare.jsonl")
    parser.add_argument("--report", action="store_true", help="only write the report of what is there")
    args = parser.parse_args(argv)
    if not args.report:
        try:
            args.tasks = wanted(args)
        except ValueError as error:
            parser.error(str(error))
    return args


def wanted(args: argparse.Namespace) -> list[Task]:
    folder = data_folder(args.data)
    tasks: list[Task] = [] if args.only == "suites" or args.noise else measured_laws(folder)
    if args.only != "measured":
        tasks += known_laws(folder, tuple(args.suites), args.half, args.count or None)
    if unknown := set(args.problems or ()) - {task.name for task in tasks}:
        raise ValueError(f"--problems: {', '.join(sorted(unknown))} not among the chosen")
    return [task for task in tasks if not args.problems or task.name in args.problems]


def describe(record: Record, done: int, total: int) -> str:
    mark = "RECOVERED" if record["recovered"] else "missed"
    seconds = "-" if record["seconds"] is None else f"{record['seconds']:.1f} s"
    inside, outside = (f"{e:.1e}" if isinstance(e, float) else e or "-" for e in (record["inside"], record["outside"]))
    law = record["failure"] or record["law"] or ""
    errors = f"inside {inside}, outside {outside}"
    return (
        f"[{done}/{total}] {record['method']:<18} {record['problem']:<16} {mark:<9} {seconds:>7}  {errors}  {law[:60]}"
    )


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    if not args.report:
        os.environ["OMP_NUM_THREADS"] = "1"  # of the workers, which start with it
        facts = {"commit": commit(), "machine": machine(), "versions": {name: version(name) for name in PACKAGES}}
        finished = {key(record) for record in read_records(args.results)}
        jobs = [
            Job(method, task, args.noise, seed, args.budget, facts)
            for seed in range(args.seeds)
            for task in args.tasks
            for method in args.methods
            if METHODS[method].is_installed
        ]
        jobs = [job for job in jobs if key(job.record()) not in finished]
        for done, record in enumerate(in_turn(jobs), start=1):
            append_record(args.results, record)
            print(describe(record, done, len(jobs)), flush=True)
    write_report(args.results)


if __name__ == "__main__":
    main()
