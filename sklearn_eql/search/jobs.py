"""Tasks of a search in turn, or spread over jobs: results in order, and all of them after Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import nullcontext

from sklearn.utils.parallel import Parallel, delayed

from sklearn_eql.search.evolution import EvolutionResult
from sklearn_eql.stopping import Deadline, StopReason, flag_of_interruption, interruption_ignored

Task = Callable[[Deadline], list[EvolutionResult]]  # one search after the other, until a deadline


def in_turn(tasks: Sequence[Task], until: float) -> Iterator[list[EvolutionResult]]:
    """Results of all tasks in this thread, where Ctrl-C is an exception inside the task, which returns what it has."""
    for task in tasks:
        history = task(Deadline(until))
        yield history
        if history[-1].stop_reason == StopReason.INTERRUPTED:
            return


def in_parallel(tasks: Sequence[Task], until: float, n_jobs: int | None) -> Iterator[list[EvolutionResult]]:
    """Results of all tasks in order, computed by joblib. Where one is interrupted the others end, too.

    Ctrl-C reaches this process, which asks the workers for their results; see :mod:`sklearn_eql.stopping`. So they are
    asked where no further result is wanted: joblib would end the processes themselves, and warn of it.
    """
    with flag_of_interruption() as flag:
        jobs = (delayed(_in_worker)(task, Deadline(until, str(flag)), os.getpid()) for task in tasks)
        with interruption_ignored():
            results = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="n_jobs")(jobs)
        try:
            for history in results:
                if history[-1].stop_reason == StopReason.INTERRUPTED:
                    flag.touch()
                yield history
        except GeneratorExit:
            flag.touch()
            for _ in results:
                pass
            raise
        except BrokenExecutor as error:
            if not flag.exists():
                raise
            raise KeyboardInterrupt from error  # a worker that was none of ours yet got the Ctrl-C, too


def _in_worker(task: Task, deadline: Deadline, parent: int) -> list[EvolutionResult]:
    with nullcontext() if os.getpid() == parent else interruption_ignored():
        return task(deadline)
