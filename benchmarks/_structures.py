"""Structures as a search proposes them, and how fast they are fitted: for `throughput.py` and `device.py`."""

from __future__ import annotations

import time
from itertools import islice
from random import Random

import numpy as np
import torch

from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.search.mutations import Proposer
from sklearn_eql.sparse.problem import Problem, Scaling, make_problem
from sklearn_eql.sparse.structure import Structure

STEPS = 8  # of Levenberg-Marquardt, at most
_DISTINCT = 2_048  # structures; more are those again with other starts


def problem_of(n_rows: int, device: str = "cpu") -> Problem:
    """A problem of four columns with noise."""
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 5, (n_rows, 4))
    y = X[:, 0] * np.sin(X[:, 1]) / (X[:, 2] + X[:, 3] ** 2) + 0.02 * rng.normal(size=n_rows)
    return make_problem(X, y, None, Scaling.of(X, y), PRIMITIVES, dict(PRESETS["default"]), 2, n_rows, 0, device=device)


def structures_of(problem: Problem, count: int) -> list[Structure]:
    """Random structures of one to three units, as a generation has them."""
    rng = np.random.default_rng(1)
    proposer = Proposer(problem, Random(1))
    proposed = (proposer.random(1 + k % 3) for k in range(10 * _DISTINCT))
    found = list(islice((structure for structure in proposed if structure is not None), min(count, _DISTINCT)))
    while len(found) < count:
        again = found[len(found) - _DISTINCT]
        inner = [c * rng.uniform(0.8, 1.25) for unit in again.units for arg in unit.args for _, c, free in arg if free]
        found.append(again.with_coefficients(inner, [c for _, c, free in again.output if free]))
    return found


def fit_seconds(problem: Problem, structures: list[Structure], repeats: int) -> float:
    """Least seconds of a call that fits all of them, results on the host."""
    problem.fit(structures, 1)  # layouts are kept with the structures, and rows are on the device
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        problem.fit(structures, STEPS)
        best = min(best, time.perf_counter() - start)
    return float(best)


def bytes_per_step(structures: list[Structure], n_rows: int) -> int:
    """Bytes that a step must move if every row is written once and read once: units, arguments, terms, derivatives."""
    n = 0
    for structure in structures:
        arrays, layout = structure.layout.arrays, structure.layout
        n += len(arrays.units) + 2 * len(arrays.args) + len(layout.terms) + len(layout.order)
    return 2 * 8 * n_rows * n


def bandwidth(device: torch.device) -> float:
    """Bytes per second that a copy of large arrays reads and writes."""
    source = torch.empty(1 << 25, dtype=torch.float64, device=device).fill_(1.0)
    target = torch.empty_like(source)
    best = np.inf
    for _ in range(5):
        synchronize(device)
        start = time.perf_counter()
        target.copy_(source)
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * 8 * source.numel() / best


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
