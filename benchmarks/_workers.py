"""Fits in worker processes with one thread each: one job after another, stopped where they take too long.

A job has a `method`, a `budget` in seconds, and `record(**result)`, a line of the results file.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

FIT_ERRORS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)  # recorded as a fit that found nothing
OVERRUN = 3.0  # budgets after which a worker is stopped
START_LIMIT = 300.0  # seconds to import and warm up
JUDGE_LIMIT = 120.0  # seconds to judge a law

Record = dict[str, Any]


def answer(connection: Connection, fit: Callable, judge: Callable) -> None:
    """Say that the process is ready, then answer every job with the fit, and again with the verdict."""
    connection.send(None)
    while True:
        job = connection.recv()
        record, found = fit(job)
        connection.send(record)
        connection.send(judge(job, record, found))


class Worker:
    """A process that runs one job after another, as the parent sees it: what it does now, and until when it may."""

    def __init__(self, target: Callable[[Connection, str], None], method: str):
        context = multiprocessing.get_context("spawn")  # a fork would copy threads and their locks
        self.connection, other_end = context.Pipe()
        self.process = context.Process(target=target, args=(other_end, method), daemon=True)
        self.process.start()
        other_end.close()  # so that the end of the process shows as the end of the connection
        self.job: Any = None
        self.fitted: Record | None = None
        self._allow(START_LIMIT)
        self.ready = False

    def _allow(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def give(self, job: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # a process that has ended: `hear` finds out
            self.connection.send(job)
        self.job, self.fitted = job, None
        self._allow(OVERRUN * job.budget)

    def hear(self) -> Record | None:
        """Take in one message; the record if a job is done. EOFError if the process has ended."""
        message = self.connection.recv()
        if not self.ready:
            self.ready = True
        elif self.fitted is None:
            self.fitted = message
            self._allow(JUDGE_LIMIT)
        else:
            self.job = None
            return message
        return None

    def give_up(self, overdue: bool) -> Record:
        """Stop the process; the miss that is recorded for its job."""
        self.stop()
        if self.job is None:
            raise RuntimeError("a worker process did not start; its error is printed above")
        if self.fitted is not None:
            return self.fitted | {"failure": "judging the law took too long" if overdue else "judging the law failed"}
        if overdue:
            seconds = OVERRUN * self.job.budget
            return self.job.record(seconds=seconds, failure=f"stopped after {seconds:g} s")
        return self.job.record(failure=f"the process ended with exit code {self.process.exitcode}")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def run_all(jobs: Sequence[Any], n_workers: int, target: Callable[[Connection, str], None]) -> Iterator[Record]:
    """Records of jobs of one method, as they are done."""
    waiting = list(jobs)[::-1]
    workers = [Worker(target, jobs[0].method) for _ in range(min(n_workers, len(jobs)))]
    try:
        while workers:
            for worker in [w for w in workers if w.ready and w.job is None]:
                if waiting:
                    worker.give(waiting.pop())
                else:
                    worker.stop()
                    workers.remove(worker)
            patience = min((w.deadline for w in workers), default=0.0) - time.monotonic()
            heard = wait([w.connection for w in workers], max(patience, 0.0)) if workers else []
            for worker in list(workers):
                record, ended = None, False
                try:
                    if worker.connection in heard:
                        record = worker.hear()
                except (EOFError, ConnectionResetError):
                    ended = True
                overdue = record is None and time.monotonic() > worker.deadline
                if ended or overdue:
                    record = worker.give_up(overdue=not ended)
                    workers.remove(worker)
                    if waiting:
                        workers.append(Worker(target, jobs[0].method))
                if record is not None:
                    yield record
    finally:
        for worker in workers:
            worker.stop()
