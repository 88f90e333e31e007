"""Batches as the network takes them, drawn by this process or by others while it learns from the ones before."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from dataclasses import dataclass
from multiprocessing.queues import Queue
from types import TracebackType

import numpy as np

from sklearn_eql.language.datasets import Source
from sklearn_eql.language.tokens import Vocabulary

_WAITING = 2  # batches that each process may be ahead: bounds the memory
_PATIENCE = 5.0  # seconds after which a process that gives nothing is looked at


@dataclass(frozen=True)
class Encoded:
    """A batch in numbers.

    Attributes
    ----------
    codes : ndarray, shape (n_expressions, longest)
        Tokens, padded.
    X : ndarray, shape (n_expressions, n_rows, n_variables)
    y : ndarray, shape (n_expressions, n_rows)
        Single precision.
    """

    codes: np.ndarray
    X: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Here:
    """The batches of a source, drawn when they are asked for; a context manager, as `Ahead` is."""

    source: Source
    vocabulary: Vocabulary

    def __enter__(self) -> Here:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left behind."""

    def batch(self, number: int) -> Encoded:
        """Batch `number`."""
        batch = self.source.batch(number)
        codes = self.vocabulary.encode(batch.expressions)
        return Encoded(codes, batch.X.astype(np.float32), batch.y.astype(np.float32))


class Ahead:
    """The batches of a source, in the same order, drawn by `n_workers` processes; a context manager.

    Parameters
    ----------
    source, vocabulary : Source, Vocabulary
        What is drawn from, and its tokens; they are sent to every process once.
    n_workers : int
        Processes, at least 1. Each draws every `n_workers`-th batch.
    first : int
        The first batch that will be asked for; the others follow one by one.

    Raises
    ------
    RuntimeError
        On asking for a batch: its process has ended. ValueError: the source raised it.
    """

    def __init__(self, source: Source, vocabulary: Vocabulary, n_workers: int, first: int = 0) -> None:
        self._here = Here(source, vocabulary)
        self._n_workers, self._first, self._next = n_workers, first, first
        self._queues: list[Queue] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []

    def __enter__(self) -> Ahead:
        context = multiprocessing.get_context("spawn")  # a fork would copy a device's state
        for worker in range(self._n_workers):
            waiting = context.Queue(_WAITING)
            first = self._first + worker
            process = context.Process(target=_draw, args=(self._here, first, self._n_workers, waiting), daemon=True)
            process.start()
            self._queues.append(waiting)
            self._processes.append(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()

    def batch(self, number: int) -> Encoded:
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
        return found


def _draw(here: Here, first: int, step: int, waiting: Queue) -> None:
    """Draw every `step`-th batch until the process is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that learns
    number = first
    while True:
        try:
            waiting.put(here.batch(number))
        except ValueError as error:
            waiting.put(str(error))
            return
        number += step
