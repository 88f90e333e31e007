"""Fits one after another, each method in a process of its own, so that what else the machine does meets all alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from _workers import Worker

from compare.measure import Job, Record, work
from compare.methods import METHODS

START_LIMIT = 900.0  # seconds to import and warm up; a busy machine takes long


def in_turn(jobs: Sequence[Job]) -> Iterator[Record]:
    """Records of the jobs, in their order."""
    workers: dict[str, Worker] = {}
    try:
        for job in jobs:
            worker = workers.pop(job.method, None) or _started(job.method)
            record, is_alive = _answered(worker, job)
            if is_alive and not METHODS[job.method].leaves_threads:
                workers[job.method] = worker
            elif is_alive:
                worker.stop()
            yield record
    finally:
        for worker in workers.values():
            worker.stop()


def _started(method: str) -> Worker:
    worker = Worker(work, method)
    worker.deadline = time.monotonic() + START_LIMIT
    return worker


def _answered(worker: Worker, job: Job) -> tuple[Record, bool]:
    """The record of a job, and whether the worker can do another."""
    while True:
        if worker.ready and worker.job is None:
            worker.give(job)
        is_heard = worker.connection.poll(max(worker.deadline - time.monotonic(), 0.0))
        try:
            record = worker.hear() if is_heard else None
        except (EOFError, ConnectionResetError):
            return worker.give_up(overdue=False), False
        if record is not None:
            return record, True
        if not is_heard:
            return worker.give_up(overdue=True), False
