"""One fit: in a worker process with one thread, with its time, its memory, its errors and the judgement of its law."""

from __future__ import annotations

import contextlib
import io
import math
import resource
import time
import warnings
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _common import timed
from _physics import rms
from _recovered import node_count
from _workers import FIT_ERRORS, answer

from compare.methods import METHODS, Fitted
from compare.tasks import Rows, Task

MIB = 2**20
_KEY = ("method", "group", "suite", "problem", "noise", "seed", "budget")
_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

ERRORS = (
    *FIT_ERRORS,
    AssertionError,
    AttributeError,
    ImportError,
    NameError,
)  # others end the process, which is recorded, too

Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One fit to make."""

    method: str
    task: Task
    noise: float
    seed: int
    budget: float
    facts: Record = field(default_factory=dict)  # commit, machine, versions: recorded as they are

    def record(self, **result: Any) -> Record:
        """A line of the results file; a run without a result recovers nothing."""
        about = {
            "method": self.method,
            "group": self.task.group,
            "suite": self.task.suite,
            "problem": self.task.name,
            "noise": self.noise,
            "seed": self.seed,
            "budget": self.budget,
        }
        times = {"seconds": None, "cpu": None, "memory": None, "memory_before": None}
        found = {"law": None, "complexity": None, "inside": None, "outside": None, "recovered": False, "failure": None}
        return about | times | found | result | self.facts


def key(record: Record) -> tuple:
    return tuple(record[name] for name in _KEY)


def fit(job: Job) -> tuple[Record, Fitted | None]:
    """Fit once: what is known before anything is judged, and what was found."""
    X, y = job.task.training(job.seed, job.noise)
    before = peak_memory(start_again=True)
    used = time.process_time()
    try:
        with _quiet():
            fitted, seconds = timed(lambda: METHODS[job.method].fit(X, y, job.seed, job.budget))
    except ERRORS as error:
        return job.record(failure=f"{type(error).__name__}: {error}"[:300]), None
    costs = {"seconds": seconds, "cpu": time.process_time() - used, "memory": peak_memory() / MIB}
    law, n_nodes = fitted.law, fitted.n_nodes
    complexity = node_count(law) if law is not None else n_nodes
    written = None if law is None else str(law)
    return job.record(**costs, memory_before=before / MIB, law=written, complexity=complexity), fitted


def judge(job: Job, record: Record, fitted: Fitted | None) -> Record:
    """The record with errors inside and outside, and whether the law is recovered."""
    if fitted is None:
        return record
    with _quiet():
        errors = {
            "inside": relative_error(fitted, job.task.inside(job.seed)),
            "outside": relative_error(fitted, job.task.outside(job.seed)),
        }
        is_found = fitted.law is not None and job.task.recovers(fitted.law, job.seed, job.noise)
    return record | errors | {"recovered": bool(is_found)}


def relative_error(fitted: Fitted, rows: Rows) -> float | str | None:
    """Root mean square error over that of the target; "undefined" if a prediction is not finite, None without rows."""
    X, y = rows
    if not len(y):
        return None
    with np.errstate(all="ignore"):
        try:
            values = np.asarray(fitted.predict(X), dtype=float).reshape(len(y))
        except (ArithmeticError, ValueError):  # scikit-learn refuses what is not finite
            return "undefined"
        error = rms(values - y) / rms(y)
    return error if math.isfinite(error) else "undefined"


def peak_memory(start_again: bool = False) -> float:
    """Largest resident set of this process in bytes: since it was started again, where the system can do that."""
    if start_again:
        with contextlib.suppress(OSError):
            _FORGET.write_text("5")  # Linux: forget the peak
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024.0 * float(line.split()[1])
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextlib.contextmanager
def _quiet():
    sink = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        warnings.simplefilter("ignore")
        yield


def work(connection: Connection, method: str) -> None:
    """A worker: warms up, says that it is ready, then answers every job with the fit, and again with the verdict."""
    from threadpoolctl import threadpool_limits

    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
    with threadpool_limits(1):
        x = np.random.default_rng(0).uniform(1, 2, size=(64, 1))
        # The first fit of a process is longer. What it raises, the fits that count will raise again.
        with _quiet(), contextlib.suppress(*ERRORS):
            METHODS[method].fit(pd.DataFrame(x, columns=["x"]), x[:, 0] ** 2, 0, 1.0)
        answer(connection, fit, judge)
