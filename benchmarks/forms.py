"""Functions that a form leaves open: are they found, with and without noise?

    python benchmarks/forms.py                                  # fifteen forms, noise 0 and 1%, 60 s each
    python benchmarks/forms.py --forms decay wave --noise 0.05 --results /tmp/some.jsonl
    python benchmarks/forms.py --report                         # the table of what is there

Data. 150 rows, columns uniform in the ranges of `FORMS`. Noise is normal, with a standard deviation of that share of
that of y.

Found. The law has the values of the true one on 1,000 further rows without noise: to a millionth of their spread where
there was none; else to five times what as many fitted constants as the true law has leave on average. "Form": the two
have the same terms as well, whatever the values of their constants (`same_form` in `_forms.py`).

Settings. EQLRegressor: `form`, `max_time` is the budget, `random_state` the seed. One process, one thread.

Every fit adds a line to the results file. Those already there, of any commit, are not repeated: interrupt at will. The
table is written beside the results, with the ending ``.md``.
"""

from __future__ import annotations

import argparse
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

from sklearn_eql import EQLRegressor
from sklearn_eql.symbolic.text import expression_of

Record = dict[str, Any]
N_ROWS, N_FURTHER = 150, 1000
_SAME, _FACTOR = 1e-6, 5.0  # of values without noise; of the error that fitted constants leave


@dataclass(frozen=True)
class Problem:
    """A form, and the law that it stands for."""

    name: str
    form: str
    law: str
    ranges: dict[str, tuple[float, float]]
    n_constants: int  # of the law


FORMS = (
    Problem("decay", "f(x)*exp(-k*t)", "(x**2 + 1)*exp(-0.7*t)", {"x": (0.5, 3), "t": (0, 3)}, 3),
    Problem("sum", "f(x) + g(t)", "x**2 + 5 + sin(t)", {"x": (0, 3), "t": (0, 6)}, 4),
    Problem("product", "f(x)*g(t)", "3*x*sin(t)", {"x": (0.5, 3), "t": (0.2, 6)}, 2),
    Problem("wave", "f(x - c*t)", "exp(-(x - 0.6*t)**2)", {"x": (0, 3), "t": (0, 3)}, 2),
    Problem("derivative", "f(x) + x*diff(f(x), x)", "3*x**2 + sin(x) + x*cos(x)", {"x": (0.5, 3)}, 2),
    Problem("inside", "exp(-f(x))", "exp(-x/(1 + x))", {"x": (0.1, 5)}, 2),
    Problem("drag", "g - f(v)", "9.81 - 0.3*v**2", {"v": (0, 5)}, 2),
    Problem("envelope", "f(t)*cos(w*t)", "2*exp(-0.3*t)*cos(2.5*t)", {"t": (0, 6)}, 3),
    Problem("scaled", "m*f(v/c)", "m*(1/sqrt(1 - (v/3)**2) - 1)", {"m": (1, 4), "v": (0.1, 2.5)}, 2),
    Problem("rates", "f(s)*e/(1 + i/k)", "2*s/(1.5 + s)*e/(1 + i/0.8)", {"s": (0.1, 8), "e": (1, 3), "i": (0, 3)}, 3),
    Problem("distance", "f(x**2 + z**2)", "1/sqrt(x**2 + z**2)", {"x": (0.5, 3), "z": (0.5, 3)}, 1),
    Problem("two variables", "f(x, z) + a*t", "x*sin(z) + 1.7*t", {"x": (0.5, 3), "z": (0, 5), "t": (0, 2)}, 2),
    Problem("twice", "f(x) - f(z)", "log(x) - log(z)", {"x": (0.5, 6), "z": (0.5, 6)}, 1),
    Problem("quotient", "f(x)/(f(x) + k*z)", "x**2/(x**2 + 3*z)", {"x": (0.5, 3), "z": (0.5, 3)}, 1),
    Problem("offset", "f(x) + a*z + b*z**2", "2*sqrt(x) + 0.7*z - 1.3*z**2", {"x": (0.1, 6), "z": (0, 3)}, 3),
)


def rows_of(problem: Problem, seed: int) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray]:
    """Rows to fit and further ones, each with the values of the law."""
    rng = np.random.default_rng([seed, sum(map(ord, problem.name))])
    symbols = {name: sympy.Symbol(name) for name in problem.ranges}
    value = sympy.lambdify(list(symbols.values()), sympy.sympify(problem.law, locals=symbols), "numpy")
    low, high = np.array(list(problem.ranges.values())).T
    X = pd.DataFrame(rng.uniform(low, high, (N_ROWS + N_FURTHER, len(low))), columns=list(problem.ranges))
    y = value(*X.to_numpy().T)
    return X[:N_ROWS], y[:N_ROWS], X[N_ROWS:], y[N_ROWS:]


def run(problem: Problem, noise: float, seed: int, budget: float) -> Record:
    """Fit once, and judge."""
    X, y, X_new, y_new = rows_of(problem, seed)
    errors = noise * y.std() * np.random.default_rng([seed, 1]).normal(size=len(y))
    model = EQLRegressor(form=expression_of(problem.form), max_time=budget, random_state=seed, on_undefined="nan")
    record = {"problem": problem.name, "noise": noise, "seed": seed, "budget": budget}
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, seconds = timed(lambda: model.fit(X, y + errors))
    error = float(np.sqrt(np.mean((model.predict(X_new) - y_new) ** 2)) / y_new.std())
    left = _FACTOR * noise * np.sqrt(problem.n_constants / len(y))
    names = {name: sympy.Symbol(name) for name in problem.ranges}
    return record | {
        "found": bool(error <= max(_SAME, left)),
        "form": bool(same_form(model.sympy_expr_, sympy.sympify(problem.law, locals=names))),
        "error": error,
        "law": str(model.sympy_expr_),
        "seconds": seconds,
        "cpu": time.process_time() - start,
    }


def report(records: list[Record]) -> str:
    """Markdown: how many are found for each noise, then a line for each fit."""
    latest = last_of_each(records, _key)
    rows = []
    for noise in sorted({r["noise"] for r in latest}):
        its = [r for r in latest if r["noise"] == noise]
        times = f"{np.median([r['cpu'] for r in its]):.0f}"
        counts = [f"{sum(r[name] for r in its)} of {len(its)}" for name in ("found", "form")]
        rows.append([f"{noise:.0%}", *counts, times])
    lines = [markdown_table(["noise", "found", "form", "median s of the processor"], rows), ""]
    fits = []
    for r in latest:
        marks = ["yes" if r[name] else "" for name in ("found", "form")]
        fits.append([r["problem"], f"{r['noise']:.0%}", *marks, f"{r['error']:.1e}", f"{r['cpu']:.0f}", r["law"]])
    lines += [markdown_table(["form", "noise", "found", "form", "relative error", "s", "law"], fits), ""]
    return "\n".join([*lines, f"Commits: {', '.join(sorted({str(r.get('commit')) for r in latest}))}."]) + "\n"


def _key(record: Record) -> tuple:
    return tuple(record[name] for name in ("problem", "noise", "seed", "budget"))


def main(argv: Sequence[str] | None = None, fit: Callable[..., Record] = run) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--forms", nargs="+", choices=[p.name for p in FORMS], metavar="NAME", help="default: all")
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0, 0.01], help="shares of the spread of y")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds")
    parser.add_argument("--results", type=Path, default=RESULTS / "forms.jsonl")
    parser.add_argument("--report", action="store_true", help="write the table only")
    options = parser.parse_args(argv)
    done = {_key(r) for r in read_records(options.results)}
    for noise in () if options.report else options.noise:
        for problem in FORMS:
            for seed in range(options.seeds):
                wanted = options.forms is None or problem.name in options.forms
                if wanted and (problem.name, noise, seed, options.budget) not in done:
                    record = fit(problem, noise, seed, options.budget)
                    append_record(options.results, record | {"commit": commit(), "machine": machine()})
    if text := write_markdown(options.results, report):
        print(text)


if __name__ == "__main__":
    main()
