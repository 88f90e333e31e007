"""Table V with the default recipe: ``EQLRegressor(random_state=seed)`` beside pyoperon, fit by fit in turn.

    python benchmarks/table_v.py                       # 11 functions x 20 seeds, both methods
    python benchmarks/table_v.py --noise 0.1           # the same with noise on y, 10% of its root mean square
    python benchmarks/table_v.py --functions "x^3" --seeds 0 1 --no-operon
    python benchmarks/table_v.py --report-only [--noise 0.1]

Data. 256 rows uniform on [-1, 1], drawn with the seed of the fit; both methods get the same arrays and no other hint.
Judged at 10,000 points uniform on [-2, 2]: the error of a law is the root mean square of its difference from the truth
(without noise) over the root mean square of the truth, the law evaluated in float64 from its SymPy expression.

Found, without noise: error below 1e-6, and the right form: the difference from the truth vanishes after rounding the
constants (`_forms.same_law`, which knows that a sigmoid is a tanh, that a shifted cosine is a sine, and so on).
Found, with noise: the right form, which is the terms of the truth with constants of any value and nothing else, not
even a bias (`_forms.same_form`), and an error below 0.5, so that the constants are those of this law.
A second count is laxer. Without noise, "near": an error below 1e-3 in any form (pyoperon's single precision and its
longer expressions cost it some of the first count). With noise, "+ c": the form up to an additive constant (pyoperon
always adds an intercept).

Settings. EQLRegressor: none but the seed. pyoperon's `SymbolicRegressor`: `OPERON`, else its defaults (1,000,000
evaluations, population 1000, at most 1000 generations). No time limit for either. Both run in this process, one fit
each in turn, taking turns at going first, after one fit each that is not counted; only `fit` is timed. "time ratio" is
the median over seeds of our time over pyoperon's. Run it on an idle machine.

Every fit adds a line to the results file, and fits that are there already are not repeated, whatever code made them:
`--fresh` begins a new file.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from _common import RESULTS, append_record, commit, machine, markdown_table, read_records, timed, version
from _forms import same_form, same_law
from problems import N_TRAIN, TEST_DOMAIN, TRAIN_DOMAIN

from sklearn_eql.datasets import TABLE_V, make_table_v

EXACT = 1e-6
CLOSE = 1e-3
RECOGNISABLE = 0.5
N_JUDGE = 10_000
JUDGE_SEED = 2**31 - 1
OPERON = {
    "allowed_symbols": "add,sub,mul,div,constant,variable,sin,exp,square",
    "optimizer_iterations": 10,
    "n_threads": 2,
}
FIT_ERRORS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)  # recorded as a fit that found nothing

Record = dict[str, Any]


# --- The two methods: fit, and the law as an expression in x0, x1, ...


def fit_eql(X: np.ndarray, y: np.ndarray, seed: int) -> Any:
    from sklearn_eql import EQLRegressor

    return EQLRegressor(random_state=seed).fit(X, y)


def law_of_eql(model: Any) -> sympy.Expr:
    return model.sympy_expr_


def fit_operon(X: np.ndarray, y: np.ndarray, seed: int) -> Any:
    from pyoperon.sklearn import SymbolicRegressor

    return SymbolicRegressor(**OPERON, random_state=seed).fit(X, y)


def law_of_operon(model: Any) -> sympy.Expr:
    """The tree as an expression with all digits; its nodes are in postfix order, last argument first."""
    names = {key: f"x{i}" for i, key in enumerate(model.variables_)}
    stack: list[sympy.Expr] = []
    for node in model.model_.Nodes:
        args = [stack.pop() for _ in range(node.Arity)]
        if node.IsVariable:
            stack.append(sympy.Float(node.Value) * sympy.Symbol(names[node.HashValue]))
        elif node.IsConstant:
            stack.append(sympy.Float(node.Value))
        else:
            stack.append(_OPERON_NODES[node.Name](*args))
    (expr,) = stack
    return expr


_OPERON_NODES: dict[str, Callable[..., sympy.Expr]] = {
    "+": lambda *args: sympy.Add(*args),
    "*": lambda *args: sympy.Mul(*args),
    "-": lambda first, *rest: first - sympy.Add(*rest) if rest else -first,
    "/": lambda first, *rest: first / sympy.Mul(*rest) if rest else 1 / first,
    "square": lambda g: g**2,
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "asin": sympy.asin,
    "tanh": sympy.tanh,
    "exp": sympy.exp,
    "log": sympy.log,
}

METHODS = {"eql": (fit_eql, law_of_eql), "operon": (fit_operon, law_of_operon)}


# --- One fit


def relative_error(values: np.ndarray, truth: np.ndarray) -> float | None:
    """Root mean square of the difference over that of the truth; None if it is not finite."""
    with np.errstate(all="ignore"):
        error = np.sqrt(np.mean((values - truth) ** 2) / np.mean(truth**2))
    return float(error) if np.isfinite(error) else None


def evaluate(law: sympy.Expr, X: np.ndarray) -> np.ndarray:
    function = sympy.lambdify(sympy.symbols([f"x{i}" for i in range(X.shape[1])]), law, modules="numpy")
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(function(*X.T), dtype=np.float64), len(X))


def judge(law: sympy.Expr, truth: sympy.Expr, error: float | None, noise: float) -> tuple[bool, bool]:
    """Whether the law counts as found, strictly and laxly; both laws in x0, x1, ..."""
    if error is None or error >= (RECOGNISABLE if noise else CLOSE):
        return False, False  # forms of laws that are off do not matter, and take time
    if noise:
        return same_form(law, truth), same_form(law, truth, up_to_constant=True)
    return error < EXACT and same_law(law, truth), True


def run(method: str, name: str, noise: float, seed: int) -> Record:
    """Fit once and judge the law."""
    fit, law_of = METHODS[method]
    table = make_table_v(name, N_TRAIN, noise=noise, domain=TRAIN_DOMAIN, random_state=seed)
    test = make_table_v(name, N_JUDGE, domain=TEST_DOMAIN, random_state=JUDGE_SEED)
    record: Record = {"function": name, "noise": noise, "seed": seed, "method": method}
    record["version"] = version("pyoperon") if method == "operon" else commit()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model, seconds = timed(lambda: fit(table.X, table.y, seed))
        except FIT_ERRORS as error:
            return record | {"found": False, "seconds": None, "exception": f"{type(error).__name__}: {error}"}
    law = law_of(model)
    truth = table.expression.xreplace(
        {sympy.Symbol(v): sympy.Symbol(f"x{i}") for i, v in enumerate(test.feature_names)}
    )
    values = evaluate(law, test.X)
    error = relative_error(values, test.y)
    try:
        predicted = np.asarray(model.predict(test.X), dtype=np.float64)
    except ValueError:  # undefined on [-2, 2], which `predict` of sklearn_eql refuses
        predicted = np.full(N_JUDGE, np.nan)
    found, found_laxly = judge(law, truth, error, noise)
    return record | {
        "found": found,
        "found_laxly": found_laxly,
        "seconds": seconds,
        "error": error,
        "printed_against_predict": relative_error(predicted, values),
        "law": str(law),
        "stop_reason": str(getattr(model, "stop_reason_", "")),
        "warnings": sorted({f"{w.category.__name__}: {w.message}" for w in caught}),
    }


def describe(record: Record, done: int, total: int) -> str:
    if "exception" in record:
        outcome = record["exception"]
    else:
        error = "undefined" if record["error"] is None else f"{record['error']:.1e}"
        law = record["law"] if len(record["law"]) <= 90 else record["law"][:87] + "..."
        outcome = f"{record['seconds']:7.2f} s  error {error}  {law}"
    mark = "found " if record["found"] else "MISSED"
    return f"[{done}/{total}] {record['function']:<18} seed {record['seed']:<3} {record['method']:<6} {mark} {outcome}"


# --- Report


def key(record: Record) -> tuple:
    return record["function"], record["noise"], record["seed"], record["method"]


def median(values: Iterable[float | None]) -> float | None:
    present = [v for v in values if v is not None]
    return statistics.median(present) if present else None


def number(value: float | None, spec: str = ".2f") -> str:
    return "-" if value is None else format(value, spec)


def report(records: list[Record], functions: list[str], seeds: list[int], noise: float) -> str:
    """Markdown table of the records that belong to this noise."""
    by_key = {key(r): r for r in records}
    laxly = "+ c" if noise else "near"
    required = 0.9 if noise else 0.95
    header = ["function", "found", laxly, "median s", "slowest s", "median error"]
    header += ["pyoperon: found", laxly, "median s", "median error", "time ratio"]
    rows, rare, slower, misprinted = [], [], [], 0
    for name in functions:
        runs = {m: [by_key[k] for seed in seeds if (k := (name, noise, seed, m)) in by_key] for m in METHODS}
        row: list[str] = [name]
        for method, its in runs.items():
            row.append(f"{sum(r['found'] for r in its)}/{len(its)}" if its else "-")
            row.append(f"{sum(r.get('found_laxly', False) for r in its)}" if its else "-")
            row.append(number(median(r["seconds"] for r in its)))
            if method == "eql":
                row.append(number(max((r["seconds"] for r in its if r["seconds"] is not None), default=None)))
            row.append(number(median(r.get("error") for r in its), ".1e"))
        ours, theirs = ({r["seed"]: r["seconds"] for r in its if r["seconds"] is not None} for its in runs.values())
        ratio = median(ours[seed] / theirs[seed] for seed in ours.keys() & theirs.keys())
        rows.append([*row, number(ratio)])
        if sum(r["found"] for r in runs["eql"]) < required * len(runs["eql"]):
            rare.append(name)
        if ratio is not None and ratio > 1:
            slower.append(name)
        misprinted += sum((r.get("printed_against_predict") or 0.0) > EXACT for r in runs["eql"])
    versions = sorted({str(r["version"]) for r in records if r["noise"] == noise and r["method"] == "eql"})
    lines = [
        f"Noise {noise:g}, {len(seeds)} seeds, {N_TRAIN} rows. sklearn_eql at {', '.join(versions) or '-'}.",
        "",
        markdown_table(header, rows),
        "",
        f"Found in less than {required:.0%} of the fits: {', '.join(rare) or 'none'}. "
        f"Slower than pyoperon: {', '.join(slower) or 'none'}. "
        f"Fits whose printed law and `predict` differ by more than {EXACT:g}: {misprinted}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", nargs="+", default=list(TABLE_V), choices=TABLE_V, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(20)))
    parser.add_argument("--noise", type=float, default=0.0, help="fraction of the root mean square of y")
    parser.add_argument("--no-operon", action="store_true", help="fit with sklearn_eql only")
    parser.add_argument("--only-operon", action="store_true", help="fit with pyoperon only")
    parser.add_argument("--out", type=Path, default=RESULTS / "table_v.jsonl")
    parser.add_argument("--fresh", action="store_true", help="delete the results file first")
    parser.add_argument("--report-only", action="store_true")
    args = parser.parse_args()
    if args.no_operon and args.only_operon:
        parser.error("--no-operon and --only-operon leave nothing to fit")
    methods = [m for m in METHODS if not (args.no_operon and m == "operon") and not (args.only_operon and m == "eql")]

    if args.fresh and not args.report_only:
        args.out.unlink(missing_ok=True)
    records = read_records(args.out)
    finished = {key(r) for r in records}
    wanted = [
        (method, name, args.noise, seed)
        for name in args.functions
        for i, seed in enumerate(args.seeds)
        for method in (methods if i % 2 == 0 else methods[::-1])
        if (name, args.noise, seed, method) not in finished
    ]
    if wanted and not args.report_only:
        print(f"{machine()}, pyoperon {version('pyoperon')}: {OPERON}", file=sys.stderr)
        for method in methods:
            run(method, "x^2", args.noise, 1_000)  # warm-up
        for done, job in enumerate(wanted, start=1):
            record = run(*job)
            records.append(record)
            append_record(args.out, record)
            print(describe(record, done, len(wanted)), file=sys.stderr, flush=True)
    print(report(records, args.functions, args.seeds, args.noise))


if __name__ == "__main__":
    main()
