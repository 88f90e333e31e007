"""How often intervals hold the truth: constants of laws under noise, and bands of predictions.

    python benchmarks/coverage.py                               # ten laws, 20 draws of noise each
    python benchmarks/coverage.py --laws decay --draws 3 --results /tmp/some.jsonl
    python benchmarks/coverage.py --form                        # the same rows with the form given
    python benchmarks/coverage.py --errors-in-x --draws 200     # a line whose feature has errors, too
    python benchmarks/coverage.py --report                      # the table of what is there

Data. 100 rows, columns uniform in the ranges of `LAWS`; Gaussian noise with 5% of the standard deviation of y. Rows and
noise are drawn anew for each fit. Constants have five digits, so that each that is recognised is wrong.

Recovered form. The law found, with all of its coefficients fitted to values of the true law without noise, reproduces
these to a millionth of their size, and needs every coefficient. What the coefficients are then is their truth,
whatever the spelling: with `1/(b + c*x)` in place of `a/(d + x)`, intervals are held against the truths of `b` and `c`.

Counted. Intervals of 95% of all fitted constants of recovered laws; apart from these, intervals of constants that were
recognised. A band is judged on 1,000 further rows of each fit: how often the mean of the law, and an observation with
noise, are within ``quantile * std``, with the quantile of Student's distribution.

With `--form` the law is given as ``form=``, its numbers as constants, so that nothing is searched for.

With `--errors-in-x` rows are those of `SLOPE * x + OFFSET`, `x` with errors of 0.5 on a range of 3, `y` with 0.2:
the slope by least squares, and that of a fit that is told of the errors (``x_error=``, ``y_error=``, the latter also
left out), with its interval.

Every fit adds a line to the results file. Those already there, of any commit, are not repeated: interrupt at will.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from _common import RESULTS, append_record, commit, machine, markdown_table, read_records, write_markdown
from scipy.stats import t as student

from sklearn_eql import EQLRegressor
from sklearn_eql.exceptions import OutlierWarning
from sklearn_eql.parametric.fit import fit_constants
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.uncertainty.constants import Parameters

Record = dict[str, Any]
SLOPE, OFFSET, X_ERROR, Y_ERROR, X_RANGE = 2.37, 4.71, 0.5, 0.2, 3.0
N_ROWS, N_FURTHER, NOISE, LEVEL = 100, 1000, 0.05, 0.95
SAME_VALUES, NOT_NEEDED = 1e-6, 1e-3

LAWS: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "line": ("2.3718*x - 1.1327*z + 4.7139", {"x": (0, 3), "z": (0, 3)}),
    "parabola": ("1.3718*x**2 - 2.6337*x + 0.7139", {"x": (-1, 3)}),
    "power law": ("2.3718*x**1.3719*z**(-0.6273)", {"x": (1, 5), "z": (1, 5)}),
    "decay": ("2.3718*exp(-0.8327*x) + 0.7139", {"x": (0, 4)}),
    "damped wave": ("2.3718*exp(-0.4127*t)*cos(3.1731*t)", {"t": (0, 4)}),
    "saturation": ("2.3718*x/(0.8327 + x)", {"x": (0.1, 5)}),
    "logistic": ("2.3718/(1 + exp(-1.8327*x + 3.1731))", {"x": (-1, 4)}),
    "wave": ("2.3718*sin(1.8327*x) + 0.7139*z", {"x": (0, 5), "z": (0, 3)}),
    "logarithm": ("2.3718*log(x) - 1.1327*z + 0.7139", {"x": (0.5, 6), "z": (0, 2)}),
    "bell": ("2.3718*exp(-(x - 1.1327)**2/0.7139)", {"x": (-1, 3)}),
}


def rows_of(name: str, draw: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows to fit and further ones, each with the values of the law."""
    law, ranges = LAWS[name]
    rng = np.random.default_rng([list(LAWS).index(name), draw])
    low, high = np.array(list(ranges.values())).T
    values = sympy.lambdify(list(map(sympy.Symbol, ranges)), sympy.sympify(law), "numpy")
    X = rng.uniform(low, high, (N_ROWS + N_FURTHER, len(ranges)))
    y = values(*X.T)
    return X[:N_ROWS], y[:N_ROWS], X[N_ROWS:], y[N_ROWS:]


def noise_of(name: str, draw: int, y: np.ndarray, n_rows: int) -> np.ndarray:
    """Noise of as many rows, with 5% of the standard deviation of `y`."""
    rng = np.random.default_rng([list(LAWS).index(name), draw, 1, n_rows])
    return NOISE * y.std() * rng.normal(size=n_rows)


def true_values(parameters: Parameters, X: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """What the parameters are if the law is true, (P,); None if it has another form."""
    start, size = parameters.values, float(y @ y)
    rows = GroupedRows.of(X, y)
    fit = fit_constants(parameters.law, rows, start, np.empty((1, 0)), max_iter=200, floor=1e-24 * size)
    same = fit.squared_error <= SAME_VALUES**2 * size
    needed = np.abs(fit.shared) > NOT_NEEDED * np.abs(start)
    return fit.shared if same and needed.all() else None


def judged(model: EQLRegressor, name: str, draw: int) -> Record:
    """What the intervals of the selected law hold."""
    _, y, X_new, y_new = rows_of(name, draw)
    parameters = model._parameters(0, model.best_index_)
    truth = true_values(parameters, X_new, y_new)
    record: Record = {"law": str(model.sympy_expr_), "recovered": truth is not None}
    if truth is None:
        return record
    places = [*np.abs(parameters.groups).argmax(axis=0).tolist(), *parameters.held]
    record["constants"] = [
        {
            "name": label,
            "recognised": row.exact is not None,
            "value": row.value,
            "truth": float(truth[place]),
            "standard_error": row.standard_error,
            "low": row.low,
            "high": row.high,
        }
        for place, (label, row) in zip(places, model.constants(level=LEVEL).iterrows(), strict=True)
    ]
    factor = student.isf((1 - LEVEL) / 2, N_ROWS - len(parameters.names))
    predicted, mean = model.predict(X_new, return_std="mean")
    _, both = model.predict(X_new, return_std=True)
    record["band"] = float(np.mean(np.abs(predicted - y_new) <= factor * mean))
    observed = y_new + noise_of(name, draw, y, N_FURTHER)
    record["band_of_observations"] = float(np.mean(np.abs(predicted - observed) <= factor * both))
    return record


def form_of(name: str) -> sympy.Expr:
    """The law with constants in place of its numbers, but for whole ones."""
    law, ranges = LAWS[name]
    law = sympy.sympify(law, locals={v: sympy.Symbol(v) for v in ranges})
    law = law.xreplace({sympy.Symbol(v): sympy.Symbol(f"x{i}") for i, v in enumerate(ranges)})
    numbers = sorted(law.atoms(sympy.Float), key=abs)
    return law.xreplace({number: sympy.Symbol(f"k{i}") for i, number in enumerate(numbers)})


def run(name: str, draw: int, budget: float, given: bool) -> Record:
    """One fit, of a law that is searched for or `given`."""
    X, y, _, _ = rows_of(name, draw)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutlierWarning)
        form = form_of(name) if given else None
        model = EQLRegressor(random_state=draw, max_time=budget, form=form)
        model.fit(X, y + noise_of(name, draw, y, N_ROWS))
    about = {"problem": name, "draw": draw, "cpu": time.process_time() - start, "commit": commit(), **machine()}
    return {**about, "given": given, **judged(model, name, draw)}


def run_with_errors_in_x(draw: int, budget: float) -> Record:
    """Slopes of a line, by least squares and with what is known of the errors."""
    rng = np.random.default_rng([draw, 7])
    places = rng.uniform(0, X_RANGE, N_ROWS)
    x = places + X_ERROR * rng.normal(size=N_ROWS)
    y = SLOPE * places + OFFSET + Y_ERROR * rng.normal(size=N_ROWS)
    start = time.process_time()
    record: Record = {"problem": "errors in x", "draw": draw, "least_squares": float(np.polyfit(x, y, 1)[0])}
    for name, known in [("both_known", {"y_error": Y_ERROR}), ("x_known", {})]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OutlierWarning)
            model = EQLRegressor(functions=["mul"], n_hidden_layers=1, random_state=draw, max_time=budget)
            model.fit(x[:, None], y, x_error=X_ERROR, **known)
        table = model.constants(level=LEVEL)
        slopes = table[table["place"] == "factor of x0"]
        is_line = sympy.Poly(model.sympy_expr_, sympy.Symbol("x0")).degree() == 1 and len(slopes) == 1
        record[name] = slopes[["standard_error", "low", "high"]].iloc[0].to_dict() if is_line else None
    return record | {"cpu": time.process_time() - start, "commit": commit(), **machine()}


def report_of_slopes(records: list[Record]) -> str:
    """How far slopes are from the truth, and how often the intervals hold it."""
    rows = [["least squares", len(records), *_moments([r["least_squares"] for r in records]), "-", "-"]]
    for name, shown in [("both_known", "errors of x and y known"), ("x_known", "error of y estimated")]:
        its = [r[name] for r in records if r[name]]
        middle = [(r["low"] + r["high"]) / 2 for r in its]
        held = [r["low"] <= SLOPE <= r["high"] for r in its]
        error = f"{np.mean([r['standard_error'] for r in its]):.3f}" if its else "-"
        rows.append([shown, len(its), *_moments(middle), error, share(held)])
    header = ["slope", "lines", "mean less truth", "scatter", "mean standard error", "truth in interval"]
    return markdown_table(header, rows) + "\n"


def _moments(slopes: list[float]) -> list[str]:
    return [f"{np.mean(slopes) - SLOPE:+.3f}", f"{np.std(slopes):.3f}"] if slopes else ["-", "-"]


def is_held(constant: Record) -> bool:
    """Whether the truth is in the interval."""
    return constant["low"] <= constant["truth"] <= constant["high"]


def share(values: list) -> str:
    """Of those that are true."""
    return f"{sum(values)}/{len(values)} ({100 * sum(values) / len(values):.1f}%)" if values else "-"


def report(records: list[Record]) -> str:
    """Tables of what was searched for, of given forms, and of slopes, whichever there are."""
    parts = []
    searched = [r for r in records if "recovered" in r and not r.get("given")]
    for title, some, make in [
        ("Laws that were searched for", searched, report_of_laws),
        ("Laws that were given", [r for r in records if r.get("given")], report_of_laws),
        ("Errors in x", [r for r in records if "least_squares" in r], report_of_slopes),
    ]:
        if some:
            commits = ", ".join(sorted({str(r.get("commit")) for r in some}))
            parts.append(f"## {title}\n\n{make(some)}\nCommits: {commits}.\n")
    return "\n".join(parts)


def report_of_laws(records: list[Record]) -> str:
    """Table by law, and totals."""
    rows, everything = [], []
    for name in [*LAWS, "all"]:
        some = [r for r in records if name in ("all", r["problem"])]
        found = [r for r in some if r["recovered"]]
        if not some:
            continue
        every = [c for r in found for c in r["constants"]]
        pure = [c for r in found if not any(c["recognised"] for c in r["constants"]) for c in r["constants"]]
        fitted = [c for c in every if not c["recognised"]]
        band = f"{100 * np.mean([r['band'] for r in found]):.1f}%" if found else "-"
        outer = f"{100 * np.mean([r['band_of_observations'] for r in found]):.1f}%" if found else "-"
        rows.append(
            [name, f"{len(found)}/{len(some)}", share([is_held(c) for c in fitted]), share([is_held(c) for c in pure]),
             share([is_held(c) for c in every if c["recognised"]]), band, outer]
        )  # fmt: skip
        everything = every
    header = ["law", "form found", "truth in interval", "of laws without recognised constants"]
    header += ["of recognised constants", "law within its band", "observations"]
    wrong = [abs(c["value"] / c["truth"] - 1) for c in everything if c["recognised"]]
    text = f"Recognised constants differ from the truth by {100 * np.median(wrong):.1f}% (median)." if wrong else ""
    return markdown_table(header, rows) + "\n\n" + text + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laws", nargs="+", choices=list(LAWS), default=list(LAWS))
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds per fit")
    parser.add_argument("--results", type=Path, default=RESULTS / "coverage.jsonl")
    parser.add_argument("--form", action="store_true", help="give the form, and fit its constants")
    parser.add_argument("--errors-in-x", action="store_true", help="slopes of a line whose feature has errors")
    parser.add_argument("--report", action="store_true", help="print the table of what is there, and stop")
    options = parser.parse_args(arguments)
    done = {(r["problem"], r["draw"], r.get("given", False)) for r in read_records(options.results)}
    for draw in range(0 if options.report else options.draws):
        if options.errors_in_x:
            if ("errors in x", draw, False) not in done:
                append_record(options.results, run_with_errors_in_x(draw, options.budget))
            continue
        for name in options.laws:
            if (name, draw, options.form) not in done:
                record = run(name, draw, options.budget, options.form)
                append_record(options.results, record)
                print(name, draw, record["recovered"], record["law"], flush=True)
    print(write_markdown(options.results, report))


if __name__ == "__main__":
    main()
