"""Time and memory of a fit as the work grows: rows, features, population, trials, columns of wide tables, a time limit,
several outputs.

    python benchmarks/scaling.py                              # all sweeps, clean and noisy, 3 seeds per point
    python benchmarks/scaling.py --sweeps rows --values 100 1000 10000 --repeats 1
    python benchmarks/scaling.py --report-only

Law: ``y = 2.5*x0*x1 + 1.5*x1**2``, features uniform on [-2, 2], clean or with noise of 5% of the root mean square of y.
Only two features matter, whatever their number; with one feature, x1 is x0. The sweeps start from `BASE` and change one
number: "population" is `population_size` of the default search, "trials" is `n_trials` of ``search="gradient"`` with
the paper's functions.

"columns" is about wide tables: 200 rows, positive columns (uniform on [1, 5]) with ``y = 3*a*b/c``, or columns around
zero (Gaussian) with ``y = 2*a*b + c``, of three columns drawn at random; or a Gaussian y that depends on none of them,
for which "error" says how much noise was taken for a law (1 for none: the error of the zero function is 1).
"outputs" is about several targets, ``2.5*x0*x1 + (1.5 + k)*x1**2`` for k = 0, 1, ..., of twenty columns on a million
rows.
"limit" is the first law with 50 features under ``max_time=1``, for the rows given: both clocks should show about a
second, or a second more.

Every fit runs in a process of its own, from which come the seconds of `fit`, on the wall and of the processor ("cpu":
what counts on a busy machine), and the growth of its peak resident memory
(`ru_maxrss`) during `fit`: neither imports nor the data count, but everything `fit` allocates does. A small fit before
it loads the libraries. "error" is that of the law at 1,000 fresh points without noise.

The exponent of growth is the slope between the last two points on logarithmic scales (the cost that matters when work
grows), and over the whole sweep, fixed costs included. Slopes in rows above 1.2 are flagged: something is worse than
linear. Fits are added to the results file one by one and not repeated, except those that ended in an exception;
`--fresh` begins a new file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _common import RESULTS, append_record, commit, machine, markdown_table, read_records

BASE = {  # None: the default of EQLRegressor
    "rows": 1_000,
    "features": 2,
    "outputs": 1,
    "population": None,
    "trials": None,
    "max_time": None,
    "table": "two of all",
    "noise": 0.0,
}
VALUES: dict[str, list[int]] = {
    "rows": [100, 1_000, 10_000, 100_000, 1_000_000],
    "features": [1, 2, 5, 10, 20, 50, 100],
    "population": [32, 128, 512, 2_048],
    "trials": [1, 10, 100, 300],
    "columns": [10, 100, 1_000, 5_000],
    "limit": [2_000, 100_000, 1_000_000],
    "outputs": [1, 2, 4],
}
CHANGES = {"columns": "features", "limit": "rows"}  # what a sweep changes, where it is not called so
FIXED: dict[str, dict[str, Any]] = {
    "columns": {"rows": 200},
    "limit": {"features": 50, "max_time": 1.0},
    "outputs": {"rows": 1_000_000, "features": 20},
}
NOISY = {f"noise {noise:g}": {"noise": noise} for noise in (0.0, 0.05)}
TABLES = ("positive, law", "positive, noise", "centred, law", "centred, noise")
VARIANTS = dict.fromkeys(VALUES, NOISY) | {"columns": {table: {"table": table} for table in TABLES}}
FLAG = 1.2
WARM_UP_ROWS = 64
MIB = 2**20

Record = dict[str, Any]


def make_data(point: Record, rows: int, noise: float, seed: int):
    import numpy as np

    rng = np.random.default_rng(seed)
    features = point["features"]
    if point["table"] == "two of all":
        X = rng.uniform(-2, 2, size=(rows, features))
        a, b = X[:, 0], X[:, min(1, features - 1)]
        y = np.stack([2.5 * a * b + (1.5 + k) * b**2 for k in range(point["outputs"])], axis=1)
    else:
        columns, what = point["table"].split(", ")
        X = rng.uniform(1, 5, size=(rows, features)) if columns == "positive" else rng.normal(size=(rows, features))
        a, b, c = X[:, np.random.default_rng(point["seed"]).choice(features, 3, replace=False)].T
        y = rng.normal(size=rows) if what == "noise" else 3 * a * b / c if columns == "positive" else 2 * a * b + c
    if noise:
        y = y + rng.normal(size=y.shape) * noise * np.sqrt(np.mean(y**2, axis=0))
    return X, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def forget_peak() -> None:
    """Linux: the peak starts again from what is resident now. Elsewhere the growth of the old peak is reported."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Highest resident memory of this process, in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def fit_once(point: Record) -> Record:
    """Runs in the child."""
    import numpy as np
    from _common import timed

    from sklearn_eql import EQLRegressor

    parameters: Record = {"random_state": point["seed"], "max_time": point["max_time"]}
    if point["population"] is not None:
        parameters["population_size"] = point["population"]
    if point["trials"] is not None:
        parameters |= {"search": "gradient", "functions": "paper", "n_trials": point["trials"]}
    EQLRegressor(random_state=0, max_time=1.0).fit(*make_data({**BASE, "features": 1}, WARM_UP_ROWS, 0.0, 0))
    X, y = make_data(point, point["rows"], point["noise"], point["seed"])
    forget_peak()
    before = peak_memory()
    processor = time.process_time()
    model, seconds = timed(lambda: EQLRegressor(**parameters).fit(X, y))
    processor = time.process_time() - processor
    memory = peak_memory() - before
    X_new, y_new = make_data(point, 1_000, 0.0, point["seed"] + 1)
    error = float(np.sqrt(np.mean((model.predict(X_new) - y_new) ** 2) / np.mean(y_new**2)))
    return {
        "seconds": seconds,
        "processor": processor,
        "memory": memory,
        "error": error if math.isfinite(error) else None,
        "law": str(model.sympy_expr_),
        "stop_reason": str(model.stop_reason_),
    }


def run(point: Record, timeout: float) -> Record:
    """`fit_once` in a fresh process. This one stays small, because a child's `ru_maxrss` starts from its parent's."""
    command = [sys.executable, __file__, "--child", json.dumps(point)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return point | {"failure": f"stopped after {timeout:g} s", "version": commit()}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return point | {"failure": lines[-1].split(":")[0].split(".")[-1], "details": lines[-1], "version": commit()}
    return point | json.loads(done.stdout.splitlines()[-1]) | {"version": commit()}


def key(record: Record) -> tuple:
    return tuple(record.get(name, BASE.get(name)) for name in (*BASE, "seed"))


def points(sweep: str, values: list[int], repeats: int) -> list[Record]:
    return [
        {**BASE, **FIXED.get(sweep, {}), CHANGES.get(sweep, sweep): value, **variant, "seed": seed}
        for value in values
        for variant in VARIANTS[sweep].values()
        for seed in range(repeats)
    ]


# --- Report


def slope(pairs: list[tuple[float, float]]) -> float | None:
    """Least squares slope of log(second) against log(first)."""
    pairs = [(math.log(a), math.log(b)) for a, b in pairs if a > 0 and b > 0]
    if len({a for a, _ in pairs}) < 2:
        return None
    return statistics.linear_regression(*zip(*pairs, strict=True)).slope


def report(sweep: str, values: list[int], repeats: int, records: dict[tuple, Record]) -> str:
    header = [sweep]
    for label in VARIANTS[sweep]:
        header += [f"{label}: s", "cpu s", "MiB", "error"]
    curves: dict[tuple[str, str], list[tuple[float, float]]] = {
        (label, q): [] for label in VARIANTS[sweep] for q in ("seconds", "memory")
    }
    rows = []
    for value in values:
        row: list[str] = [f"{value:,}"]
        for label, variant in VARIANTS[sweep].items():
            wanted = [p for p in points(sweep, [value], repeats) if variant.items() <= p.items()]
            its = [records[key(p)] for p in wanted if key(p) in records]
            failures = sorted({r["failure"] for r in its if "failure" in r})
            its = [r for r in its if "failure" not in r]
            if not its:
                row += [failures[0] if failures else "-", "-", "-", "-"]
                continue
            seconds = statistics.median(r["seconds"] for r in its)
            memory = statistics.median(r["memory"] for r in its)
            errors = [math.inf if r["error"] is None else r["error"] for r in its]
            curves[label, "seconds"].append((value, seconds))
            curves[label, "memory"].append((value, memory))
            processor = [r["processor"] for r in its if "processor" in r]
            lost = f" ({len(failures)} failed)" if failures else ""
            cpu = f"{statistics.median(processor):.2f}" if processor else "-"
            row += [f"{seconds:.2f}{lost}", cpu, f"{memory / MIB:.0f}", f"{statistics.median(errors):.1e}"]
        rows.append(row)
    lines = [f"### {sweep.capitalize()}", "", markdown_table(header, rows), ""]
    for (label, quantity), curve in curves.items():
        last, whole = slope(curve[-2:]), slope(curve)
        if last is None or whole is None:
            continue
        flag = f" **above {FLAG}**" if sweep == "rows" and last > FLAG else ""
        lines.append(f"- {quantity}, {label}: exponent {last:.2f} at the end, {whole:.2f} overall{flag}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", nargs="+", default=list(VALUES), choices=VALUES)
    parser.add_argument("--values", nargs="+", type=int, help="instead of the usual ones; for a single sweep")
    parser.add_argument("--repeats", type=int, default=3, help="seeds per point; medians are shown")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one process")
    parser.add_argument("--out", type=Path, default=RESULTS / "scaling.jsonl")
    parser.add_argument("--fresh", action="store_true", help="delete the results file first")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(fit_once(args.child)))
        return
    if args.values and len(args.sweeps) > 1:
        parser.error("--values needs a single sweep, as in --sweeps rows --values 100 1000")
    sweeps = {sweep: sorted(args.values) if args.values else VALUES[sweep] for sweep in args.sweeps}

    if args.fresh and not args.report_only:
        args.out.unlink(missing_ok=True)
    records = {key(r): r for r in read_records(args.out)}
    if not args.report_only:
        print(machine(), file=sys.stderr)
        for sweep, values in sweeps.items():
            for point in points(sweep, values, args.repeats):
                if "details" not in records.get(key(point), {"details": "to do"}):
                    continue
                record = run(point, args.timeout)
                records[key(point)] = record
                append_record(args.out, record)
                outcome = record.get("failure") or (
                    f"{record['seconds']:8.2f} s  {record['memory'] / MIB:6.0f} MiB  {record['law'][:60]}"
                )
                what = f"{sweep} {point[CHANGES.get(sweep, sweep)]:>9,}  {point['table']}  noise {point['noise']:<4g}"
                print(f"{what}  {outcome}", file=sys.stderr, flush=True)
    versions = sorted({str(r["version"]) for r in records.values()})
    print(f"sklearn_eql at {', '.join(versions) or '-'}; {args.repeats} seeds per point.\n")
    print("\n\n".join(report(sweep, values, args.repeats, records) for sweep, values in sweeps.items()))


if __name__ == "__main__":
    main()
