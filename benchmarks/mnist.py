"""Arithmetic on MNIST digits (sections III-B and IV-A of the paper, Table I, Table II, Appendix D).

    python benchmarks/mnist.py run --data-dir DATA            # every fit of the default set, resumable
    python benchmarks/mnist.py run --only all under15 --seeds 3
    python benchmarks/mnist.py report                         # tables from what is there

Fits are appended to `.benchmarks/mnist.jsonl`, one line each; those that are there already (same settings, seed and
version of the code given by --tag) are skipped, and a fit that was killed goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import RESULTS, append_record, commit, machine, read_records
from _mnist_report import report
from sklearn.isotonic import IsotonicRegression

from sklearn_eql import EQLEncoderRegressor
from sklearn_eql.datasets import load_mnist_arithmetic
from sklearn_eql.plotting import plot_digits

N_TRAIN, N_TEST = 60_000, 20_000
LIMIT = 15  # Table II: sums below are trained on, the others are asked for


def below(first, second):
    """Condition of the training samples of Table II."""
    return first + second < LIMIT


def first_plus_twice_second(first, second):
    """The third operation beside difference and product."""
    return first + 2 * second


@dataclass(frozen=True)
class Run:
    """One row of the benchmark: a task, and what is changed of the default recipe."""

    task: str
    operation: str | Callable[..., Any] = "add"
    n_items: int = 2
    condition: Callable[..., Any] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    n_seeds: int = 1


KINDS = {"n_classes": 16}

RUNS = {
    "all": Run("sum of two digits", n_seeds=5),
    "under15": Run("sum, trained under 15", condition=below, n_seeds=5),
    "under15-relu": Run("sum, trained under 15", condition=below, params={"head": "relu"}),
    "all-classes": Run("sum of two digits", params=KINDS, n_seeds=10),
    "under15-classes": Run("sum, trained under 15", condition=below, params=KINDS, n_seeds=5),
    "subtract-classes": Run("difference", operation="subtract", params=KINDS),
    "multiply-classes": Run("product", operation="multiply", params=KINDS, n_seeds=3),
    "weighted-classes": Run("first plus twice the second", operation=first_plus_twice_second, params=KINDS),
    "three-classes": Run("sum of three digits", n_items=3, params=KINDS),
    "dense": Run("sum of two digits", params={"linear_steps": 0}, n_seeds=3),
    "dense-l0": Run("sum of two digits", params={"linear_steps": 0, "penalty": "l0"}),
    "subtract": Run("difference", operation="subtract"),
    "multiply": Run("product", operation="multiply"),
    "weighted": Run("first plus twice the second", operation=first_plus_twice_second),
    "three": Run("sum of three digits", n_items=3),
    "squared": Run("sum of two digits", params={"loss": "squared_error"}),
    "plain": Run("sum of two digits", params={"transforms": None}),
}
"""Fits by name. "dense" starts with the dense head under the penalty, as the paper does."""


def fit(name: str, seed: int, data_dir: str, max_iter: int | None, figures_to: Path | None) -> dict[str, Any]:
    """One fit and its figures on training and test images; the training never sees a test image."""
    run = RUNS[name]
    load = {"operation": run.operation, "n_items": run.n_items, "data_home": data_dir, "download": False}
    train = load_mnist_arithmetic(n_samples=N_TRAIN, random_state=seed, condition=run.condition, **load)
    params = {"transforms": "affine", **run.params, **({} if max_iter is None else {"max_iter": max_iter})}
    RESULTS.mkdir(exist_ok=True)
    model = EQLEncoderRegressor(random_state=seed, verbose=1, checkpoint=RESULTS / f"mnist-{name}-{seed}.pt", **params)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(train.X, train.y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    parts = {
        subset: load_mnist_arithmetic(n_samples=N_TEST, subset=subset, random_state=10_000 + seed, **load)
        for subset in ("train", "test")
    }
    seen = parts["train"]
    to_digit = IsotonicRegression(increasing="auto", out_of_bounds="clip")
    to_digit.fit(model.transform(seen.X)[:, 0], seen.digits[:, 0])
    figures = {subset: measure(model, data, to_digit) for subset, data in parts.items()}
    if figures_to is not None:
        figures_to.mkdir(parents=True, exist_ok=True)
        plot_digits(model, *parts.values()).savefig(figures_to / f"mnist-{name}-{seed}.png", dpi=110)
    equation = None if run.params.get("head") == "relu" else str(model.sympy_expr_.n(4))
    return {
        "name": name,
        "seed": seed,
        "task": run.task,
        "params": {key: str(value) for key, value in params.items()},
        "equation": equation,
        "n_iter": model.n_iter_,
        "wall": wall,
        "cpu": cpu,
        "threads": torch.get_num_threads(),
        **figures,
    }


def measure(model: EQLEncoderRegressor, data, to_digit: IsotonicRegression) -> dict[str, float]:
    """Accuracy of the rounded prediction, below and from `LIMIT`, and how latents relate to digits.

    `to_digit` is a monotone map from the latent to the digit, fitted to training images.
    """
    predicted = model.predict(data.X)
    right, low = predicted.round() == data.y, data.y < LIMIT
    latents, digits = model.transform(data.X)[:, 0], data.digits[:, 0]
    means = np.array([latents[digits == d].mean() for d in range(10)])
    steps = np.diff(means) * np.sign(means[-1] - means[0])
    return {
        "accuracy": float(right.mean()),
        "below": float(right[low].mean()) if low.any() else float("nan"),
        "from": float(right[~low].mean()) if (~low).any() else float("nan"),
        "mae": float(np.abs(predicted - data.y).mean()),
        "correlation": float(np.corrcoef(latents, digits)[0, 1]),
        "correlation_mapped": float(np.corrcoef(to_digit.predict(latents), digits)[0, 1]),
        "slope": float(np.polyfit(latents, digits, 1)[0]),
        "monotone": bool((steps > 0).all()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--data-dir", default=os.environ.get("SKLEARN_EQL_DATA"), help="folder with the folder MNIST")
    parser.add_argument("--only", nargs="+", choices=sorted(RUNS), default=list(RUNS))
    parser.add_argument("--seeds", type=int, help="seeds per row (default: 5 for the main rows, else 1 to 3)")
    parser.add_argument("--max-iter", type=int, help="steps of the training with the law, instead of the default")
    parser.add_argument("--figures", type=Path, help="folder for pictures like Fig. 6, one per fit")
    parser.add_argument("--tag", default="", help="written to each record; records of another tag are not counted")
    parser.add_argument("--out", type=Path, default=RESULTS / "mnist.jsonl")
    args = parser.parse_args()
    records = [record for record in read_records(args.out) if record["tag"] == args.tag]
    if args.action == "report":
        print(report(records))
        return
    if not args.data_dir:
        parser.error("name the folder of MNIST with --data-dir or SKLEARN_EQL_DATA")
    done = {(record["name"], record["seed"], record["max_iter"]) for record in records}
    for name in args.only:
        for seed in range(args.seeds or RUNS[name].n_seeds):
            if (name, seed, args.max_iter) in done:
                continue
            found = fit(name, seed, args.data_dir, args.max_iter, args.figures)
            context = {"tag": args.tag, "max_iter": args.max_iter, "commit": commit(), "machine": machine()}
            append_record(args.out, {**found, **context})
            print(
                f"{name}, seed {seed}: {found['equation']}, test accuracy {found['test']['accuracy']:.4f}", flush=True
            )


if __name__ == "__main__":
    main()
