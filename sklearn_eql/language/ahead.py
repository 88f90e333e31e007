"""Batches drawn by other processes while the network learns from the ones before."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from multiprocessing.queues import Queue
from types import TracebackType

import numpy as np

from sklearn_eql.language.datasets import Batch, Source

_WAITING = 2  # batches that each process may be ahead: bounds the memory
_PATIENCE = 5.0  # seconds after which a process that gives nothing is looked at


class Ahead:
    """The batches of a source, in the same order, drawn by `n_workers` processes; a context manager.

    Values come in single precision, as training takes them.

    Parameters
    ----------
    source : Source
        What is drawn from; it is sent to every process once.
    n_workers : int
        Processes, at least 1. Each draws every `n_workers`-th batch.
    first : int
        The first batch that will be asked for; the others follow one by one.

    Raises
    ------
    RuntimeError
        On asking for a batch: its process has ended. ValueError: the source raised it.
    """

    def __init__(self, source: Source, n_workers: int, first: int = 0) -> None:
        self._source, self._n_workers, self._next = source, n_workers, first
        self._queues: list[Queue] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []

    @property
    def batch_size(self) -> int:
        """Tables of a batch."""
        return self._source.batch_size

    def __enter__(self) -> Ahead:
        context = multiprocessing.get_context("spawn")  # a fork would copy a device's state
        for worker in range(self._n_workers):
            waiting = context.Queue(_WAITING)
            first = self._next + worker
            process = context.Process(target=_draw, args=(self._source, first, self._n_workers, waiting), daemon=True)
            process.start()
            self._queues.append(waiting)
            self._processes.append(process)
        self._first = self._next
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()

    def batch(self, number: int) -> Batch:
        """Batch `number`, which is the one after the last."""
        if number != self._next:
            raise ValueError(
                f"batch {number} was asked for; batches come one after the other, and {self._next} is next."
            )
        worker = (number - self._first) % self._n_workers
        while True:
            try:
                found = self._queues[worker].get(timeout=_PATIENCE)
                break
            except queue.Empty:
                if not self._processes[worker].is_alive():
                    raise RuntimeError(f"The process that draws batch {number} has ended.") from None
        if isinstance(found, str):
            raise ValueError(found)
        self._next += 1
        return Batch(*found)


def _draw(source: Source, first: int, step: int, waiting: Queue) -> None:
    """Draw every `step`-th batch until the process is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that learns
    number = first
    while True:
        try:
            batch = source.batch(number)
        except ValueError as error:
            waiting.put(str(error))
            return
        waiting.put((batch.expressions, batch.X.astype(np.float32), batch.y.astype(np.float32)))
        number += step
