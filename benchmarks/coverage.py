"""How often intervals hold the truth: constants of laws under noise, and bands of predictions.

    python benchmarks/coverage.py                               # ten laws, 20 draws of noise each
    python benchmarks/coverage.py --laws decay --draws 3 --results /tmp/some.jsonl
    python benchmarks/coverage.py --report                      # the table of what is there

Data. 100 rows, columns uniform in the ranges of `LAWS`; Gaussian noise with 5% of the standard deviation of y. Rows and
noise are drawn anew for each fit. Constants have five digits, so that each that is recognised is wrong.

Recovered form. The law found, with all of its coefficients fitted to values of the true law without noise, reproduces
these to a millionth of their size, and needs every coefficient. What the coefficients are then is their truth,
whatever the spelling: with `1/(b + c*x)` in place of `a/(d + x)`, intervals are held against the truths of `b` and `c`.

Counted. Intervals of 95% of all fitted constants of recovered laws; apart from these, intervals of constants that were
recognised. A band is judged on 1,000 further rows of each fit: how often the mean of the law, and an observation with
noise, are within ``quantile * std``, with the quantile of Student's distribution.

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
    parameters = Parameters.of(model._chosen(None)[0])
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


def run(name: str, draw: int, budget: float) -> Record:
    """One fit."""
    X, y, _, _ = rows_of(name, draw)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutlierWarning)
        model = EQLRegressor(random_state=draw, max_time=budget).fit(X, y + noise_of(name, draw, y, N_ROWS))
    about = {"problem": name, "draw": draw, "cpu": time.process_time() - start, "commit": commit(), **machine()}
    return {**about, **judged(model, name, draw)}


def is_held(constant: Record) -> bool:
    """Whether the truth is in the interval."""
    return constant["low"] <= constant["truth"] <= constant["high"]


def share(values: list) -> str:
    """Of those that are true."""
    return f"{sum(values)}/{len(values)} ({100 * sum(values) / len(values):.1f}%)" if values else "-"


def report(records: list[Record]) -> str:
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
    parser.add_argument("--report", action="store_true", help="print the table of what is there, and stop")
    options = parser.parse_args(arguments)
    done = {(r["problem"], r["draw"]) for r in read_records(options.results)}
    for draw in range(0 if options.report else options.draws):
        for name in options.laws:
            if (name, draw) not in done:
                record = run(name, draw, options.budget)
                append_record(options.results, record)
                print(name, draw, record["recovered"], record["law"], flush=True)
    print(write_markdown(options.results, report))


if __name__ == "__main__":
    main()
