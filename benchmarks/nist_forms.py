"""Constants of the certified forms of NIST's nonlinear regression sets, from no starting values at all.

    python benchmarks/nist_forms.py

The forms are those of ``nist/laws.csv`` in the folder that ``--data`` or the environment variable SKLEARN_EQL_DATA
names. Printed are the digits to which the residual sum of squares and the constants agree with the certified ones.
Constants are compared up to their sign and, where terms of one kind may be exchanged, up to their order.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import sympy

from sklearn_eql import EQLRegressor

_LOG = "log(y) = "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("SKLEARN_EQL_DATA"), help="folder with nist/")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not options.data:
        parser.error("name the folder of the data sets with --data or SKLEARN_EQL_DATA")
    folder = Path(options.data) / "nist"
    print("| set | rows | constants | seconds | residual sum of squares | digits of it | digits of the constants |")
    print("|---|---|---|---|---|---|---|")
    for record in pd.read_csv(folder / "laws.csv").to_dict("records"):
        print(_row(record, pd.read_csv(folder / f"{record['name']}.csv"), options.seed))


def _row(record: dict, table: pd.DataFrame, seed: int) -> str:
    y, text = table.pop("y").to_numpy(float), record["certified_law"]
    if text.startswith(_LOG):
        y, text = np.log(y), text.removeprefix(_LOG)
    form = sympy.sympify(text.replace("arctan", "atan"))  # of a file that is trusted
    start = time.perf_counter()
    model = EQLRegressor(form=form, random_state=seed, device="cpu").fit(table, y)
    seconds = time.perf_counter() - start
    error = float(np.sum((model.predict(table) - y) ** 2))
    certified = np.sort(np.abs([float(value) for value in record["certified_constants"].split(";")]))
    found = np.sort(np.abs(list(model._parametric[0][0].constants.values())))
    loss = record["residual_sum_of_squares"]
    return (
        f"| {record['name']} | {len(y)} | {len(found)} | {seconds:.1f} | {error:.9g} | "
        f"{_digits(error / loss - 1):.1f} | {_digits(np.abs(found / certified - 1).max()):.1f} |"
    )


def _digits(relative: float) -> float:
    return -math.log10(max(abs(float(relative)), 1e-16))


if __name__ == "__main__":
    main()
