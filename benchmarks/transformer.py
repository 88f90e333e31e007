"""What a network that writes laws finds, beside drawing from its grammar and beside the search.

    python benchmarks/transformer.py                                  # all parts, weights of the package
    python benchmarks/transformer.py --parts deep --laws laws.npz     # one part, weights from a file
    python benchmarks/transformer.py --quick                          # a few tables of every part: a minute or two
    python benchmarks/transformer.py --report                         # the table of what is there

Parts. "random": held-out tables of the preset `laws`, 64 rows without noise, 2 s each. "integers": the 500 held-out
expressions of `integers-1d`; the first beam and the best of 32 as they are written, and the search on the first 100.
"deep": 50 laws of one variable with functions nested three and four deep (`deep_laws`), 200 rows. "time": seconds on
the same tables, of loading the weights, of one beam, and of fits.

Methods. "written": the laws as the network writes them. "network": SymbolicTransformerRegressor with one network;
"networks": with all of the package. "drawing": expressions drawn from the grammar that the network was trained on, of
as many variables as the table has, fitted by the same engine until the time is over. "eql": EQLRegressor; "eql+laws":
with laws of the network among its starts.

Recovered. The root mean square error on the rows is below 1e-6 standard deviations: of 64 rows and more, without noise,
that is no accident. Everything runs in this process, on one thread.

Every fit adds a line to the results file, under the first digits of a hash of the weights. Those already there are not
repeated: interrupt at will. The table is written beside the results, with the ending ``.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import RESULTS, append_record, commit, machine, markdown_table, read_records, timed, write_markdown

from sklearn_eql import EQLRegressor, SymbolicTransformerRegressor
from sklearn_eql.language import PRESETS, LawWriter, evaluate, fingerprints, reproduces, to_equation, to_sympy
from sklearn_eql.language.grammar import Expression
from sklearn_eql.language.weights import read_weights
from sklearn_eql.language.writer import WrittenLaw, path_of
from sklearn_eql.primitives import PRESETS as FUNCTIONS
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.problem import Scaling, make_problem

Record = dict[str, Any]
KEY = ("part", "method", "weights", "number", "budget")
EXACT = 1e-12  # squared error over the variance
PARTS = ("random", "integers", "deep", "time")
SIZES = {"random": 500, "integers": 500, "deep": 50, "time": 10}
QUICK = {"random": 4, "integers": 20, "deep": 4, "time": 2}
ALL = "auto"  # networks of the package
SEARCHED = 100  # of the expressions with integers
DRAWS_AT_ONCE = 256
DEEP_FUNCTIONS = ("sin", "cos", "exp", "log", "sqrt", "square", "inv")
JOINED = (frozenset(("sqrt", "square", "inv")), frozenset(("exp", "log")))  # two of a set are one function, or none
FIT_ERRORS = (ArithmeticError, LookupError, RuntimeError, ValueError)  # recorded as a fit that found nothing


@dataclass(frozen=True)
class Table:
    """Rows of a law, without those on which it has no value."""

    X: np.ndarray
    y: np.ndarray
    law: Expression


# --- Tables


@cache
def random_tables() -> list[Table]:
    """Held out of the training of `laws`; columns that a law does not have are left out."""
    return _tables("laws")


@cache
def integer_tables() -> list[Table]:
    """Held out of the training of `integers-1d`."""
    return _tables("integers-1d")


def _tables(preset: str) -> list[Table]:
    test = PRESETS[preset].test_set(500)
    tables = []
    for expression, X, y in zip(test.expressions, test.X, test.y, strict=True):
        kept, used = np.isfinite(y), np.abs(X).max(axis=0) > 0
        tables.append(Table(X[kept][:, used], y[kept], expression))
    return tables


@cache
def deep_laws(n_laws: int = 50) -> list[Table]:
    """Laws of one variable in [-3, 3], half with functions three deep, half four, small integers between them."""
    rng = np.random.default_rng(2026)
    X = rng.uniform(-3, 3, (200, 1))
    tables: list[Table] = []
    seen: set[bytes] = set()
    while len(tables) < n_laws:
        depth = 3 if len(tables) < n_laws // 2 else 4
        law: Expression = ("x0",)
        for _ in range(depth):
            if rng.random() < 0.3:
                law = (rng.choice(["add", "mul"]).item(), *law, str(rng.integers(1, 5)))
            below = next((token for token in law if token in DEEP_FUNCTIONS), "")
            names = [f for f in DEEP_FUNCTIONS if not any({f, below} <= joined for joined in JOINED)]
            law = (rng.choice(names).item(), *law)
        equation = to_equation(law, 1)
        structure = WrittenLaw(law, 0.0, equation).structure()
        [y], [mark] = evaluate([law], X), fingerprints([law], 1)
        if not np.isfinite(y).all() or np.abs(y).max() > 1e3 or np.std(y) < 0.05 or mark in seen:
            continue
        if max(structure.depths, default=0) == depth:
            seen.add(mark)
            tables.append(Table(X, y, law))
    return tables


# --- Methods: a table, a budget and the two files of weights to what is recorded


def fitted(make: Callable[..., Any], table: Table, budget: float) -> Record:
    """A fit of an estimator."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, seconds = timed(lambda: make(max_time=budget, random_state=0).fit(table.X, table.y))
            error = float(np.mean((model.predict(table.X) - table.y) ** 2) / np.var(table.y))
            laws = model.equations_
    except FIT_ERRORS as failure:
        return {"recovered": False, "failure": f"{type(failure).__name__}: {failure}"}
    within = bool(error < EXACT or laws.loss.min() < EXACT * np.var(table.y))
    return {"recovered": within, "seconds": seconds, "found": str(model.sympy_expr_), "stop_reason": model.stop_reason_}


def written(table: Table, weights: str) -> Record:
    """The laws of one beam as they are."""
    laws, seconds = timed(lambda: LawWriter.load(weights).write(table.X, table.y))
    right = reproduces([law.expression for law in laws], table.X, table.y)
    return {"first": bool(right[:1].any()), "recovered": bool(right.any()), "seconds": seconds}


def drawn(table: Table, budget: float) -> Record:
    """Expressions of the grammar, each fitted from the constants it was drawn with, the better ones longer."""
    n_variables, stream = table.X.shape[1], PRESETS["laws"].stream
    shares = tuple(float(k == n_variables - 1) for k in range(len(stream.grammars)))
    stream = replace(stream, shares=shares, batch_size=DRAWS_AT_ONCE, max_noise=0.0, seed=2026)
    scaling = Scaling.of(table.X, table.y)
    functions = dict(FUNCTIONS["default"])
    problem = make_problem(table.X, table.y, None, scaling, PRIMITIVES, functions, 2, len(table.y), 0)
    start, number, left = time.perf_counter(), 0, np.inf
    while left > EXACT and time.perf_counter() - start < budget:
        laws = [WrittenLaw(e, 0.0, to_equation(e, n_variables)) for e in stream.batch(number).expressions]
        number += 1
        alive = [law.structure(1.0, 1.0) for law in laws]  # columns and target are in units of their own
        with np.errstate(all="ignore"):
            for steps, n_kept in ((4, 64), (12, 16), (40, 1)):
                found = sorted(problem.fit(alive, steps), key=lambda r: r.loss)[:n_kept]
                alive = [r.structure for r in found]
        left = min(left, found[0].loss) if found else left
    seconds = time.perf_counter() - start
    return {"recovered": bool(left <= EXACT), "seconds": seconds, "draws": number * DRAWS_AT_ONCE}


def loaded(weights: str) -> Record:
    """Reading a file of weights, as the first fit of a process does."""
    _, seconds = timed(lambda: read_weights(path_of(weights)))
    return {"recovered": True, "seconds": seconds}


def methods(part: str, laws: str, integers: str) -> Iterator[tuple[str, str, float, Callable[[Table], Record]]]:
    """Name, weights, budget and what runs, of every method of a part."""

    def network(weights: str, budget: float) -> Callable[[Table], Record]:
        return partial(fitted, partial(SymbolicTransformerRegressor, weights=weights), budget=budget)

    def eql(budget: float, **settings: Any) -> Callable[[Table], Record]:
        return partial(fitted, partial(EQLRegressor, **settings), budget=budget)

    if part == "random":
        yield "network", laws, 2.0, network(laws, 2.0)
        yield "drawing", "", 2.0, partial(drawn, budget=2.0)
        yield "eql", "", 2.0, eql(2.0)
    elif part == "integers":
        yield "written", integers, 0.0, partial(written, weights=integers)
        yield "network", integers, 2.0, network(integers, 2.0)
        yield "eql", "", 10.0, eql(10.0)
    elif part == "deep":
        yield "networks", ALL, 10.0, network(ALL, 10.0)
        yield "network", laws, 10.0, network(laws, 10.0)
        yield "network", integers, 10.0, network(integers, 10.0)
        yield "eql", "", 10.0, eql(10.0)
        yield "eql+laws", laws, 10.0, eql(10.0, proposals=laws)
    else:
        yield "loading", laws, 0.0, lambda table: loaded(laws)
        yield "written", laws, 0.0, partial(written, weights=laws)
        yield "network", laws, 30.0, network(laws, 30.0)
        yield "eql", "", 30.0, eql(30.0)
        yield "eql+laws", laws, 30.0, eql(30.0, proposals=laws)


TABLES = {"random": random_tables, "integers": integer_tables, "deep": deep_laws, "time": deep_laws}


def n_tables(part: str, method: str, quick: bool) -> int:
    if part == "integers" and method == "eql":
        return QUICK["time"] if quick else SEARCHED
    return (QUICK if quick else SIZES)[part]


def mark_of(weights: str) -> str | None:
    """The first digits of a hash of a file of weights; of all that come with the package."""
    if weights == ALL:
        return "+".join(str(mark_of(name)) for name in sorted(PRESETS))
    return hashlib.sha256(path_of(weights).read_bytes()).hexdigest()[:10] if weights else None


# --- Command line


def report(records: list[Record]) -> str:
    rows = []
    for key in dict.fromkeys(tuple(r[name] for name in ("part", "method", "weights", "budget")) for r in records):
        its = [r for r in records if tuple(r[name] for name in ("part", "method", "weights", "budget")) == key]
        part, method, weights, budget = key
        seconds = [r["seconds"] for r in its if r["recovered"] or (part == "time" and "seconds" in r)]
        first = f"{100 * statistics.mean(r['first'] for r in its):.1f}" if "first" in its[0] else "-"
        percent = f"{100 * statistics.mean(r['recovered'] for r in its):.1f}"
        times = [f"{s:.2f}" for s in np.percentile(seconds, [50, 90])] if seconds else ["-", "-"]
        rows.append([part, method, weights or "-", f"{budget:g}", first, percent, *times, len(its)])
    header = ["part", "method", "weights", "budget s", "first beam %", "recovered %", "median s", "90% s", "tables"]
    commits = ", ".join(sorted({str(r.get("commit")) for r in records}))
    lines = ["# A network that writes laws", "", markdown_table(header, rows), ""]
    return "\n".join(
        [*lines, f"Seconds are those of recovered laws; of all fits in the part time. Commits: {commits}.", ""]
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--laws", default="laws", metavar="WEIGHTS", help="a preset or a file")
    parser.add_argument("--integers", default="integers-1d", metavar="WEIGHTS", help="a preset or a file")
    parser.add_argument("--quick", action="store_true", help="a few tables of every part")
    parser.add_argument("--results", type=Path, default=RESULTS / "transformer.jsonl")
    parser.add_argument("--report", action="store_true", help="only write the table of what is there")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    finished = {tuple(r.get(name) for name in KEY) for r in read_records(args.results)}
    facts = {"commit": commit(), "machine": machine()}
    for part in () if args.report else args.parts:
        for method, weights, budget, run in methods(part, args.laws, args.integers):
            if args.methods and method not in args.methods:
                continue
            about = {"part": part, "method": method, "weights": mark_of(weights), "budget": budget}
            for number, table in enumerate(TABLES[part]()[: n_tables(part, method, args.quick)]):
                record = about | {"number": number, "law": str(to_sympy(table.law))}
                if tuple(record[name] for name in KEY) in finished:
                    continue
                record |= run(table) | facts
                append_record(args.results, record)
                mark = "RECOVERED" if record["recovered"] else "missed"
                print(f"{part} {method} {number}: {mark} {record.get('seconds', 0):.2f} s  {record['law']}", flush=True)
    if text := write_markdown(args.results, report):
        print(text)


if __name__ == "__main__":
    main()
