"""Tasks in turn, or spread over jobs: results in order, all of them also after Ctrl-C, and word of how they go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

from sklearn_eql._garbage import known_objects_left_alone
from sklearn_eql._threads import single_threaded
from sklearn_eql.progress import Watched
from sklearn_eql.search.relay import following, relayed
from sklearn_eql.stopping import Deadline, flag_of_interruption, interruption_ignored

Result = TypeVar("Result")
Task = Callable[[Deadline], Result]  # work until a deadline


class Jobs(Protocol):
    """Where tasks are done.

    Attributes
    ----------
    watched : Watched or None
        Whom the tasks are to tell how they go.
    spread : bool
        Whether several are done at the same time.
    """

    @property
    def watched(self) -> Watched | None: ...

    @property
    def spread(self) -> bool: ...

    def results(
        self, tasks: Sequence[Task[Result]], until: float, interrupted: Callable[[Result], bool]
    ) -> Generator[Result]:
        """Results in order. Once one is `interrupted`, the time of the others is over."""


@contextmanager
def jobs_for(n_tasks: int, n_jobs: int | None, watched: Watched | None) -> Iterator[Jobs]:
    """Where that many tasks are done: spread over jobs if there is more than one of both."""
    if n_tasks < 2 or effective_n_jobs(n_jobs) < 2:
        yield _InTurn(watched)
        return
    # Threads share what these two set for the whole process, so it is set before the first begins.
    with single_threaded(), known_objects_left_alone(), flag_of_interruption() as flag, following(watched, flag):
        yield _Spread(None if watched is None else relayed(watched, flag), n_jobs, flag)


@dataclass(frozen=True)
class _InTurn:
    """In this thread, where Ctrl-C is an exception inside the task, which returns what it has."""

    watched: Watched | None
    spread = False

    def results(
        self, tasks: Sequence[Task[Result]], until: float, interrupted: Callable[[Result], bool]
    ) -> Generator[Result]:
        for task in tasks:
            result = task(Deadline(until))
            yield result
            if interrupted(result):
                until = time.time()


@dataclass(frozen=True)
class _Spread:
    """By joblib. Ctrl-C reaches this process, which asks the workers for their results (`sklearn_eql.stopping`).

    So they are asked where no further result is wanted: joblib would end the processes themselves, and warn of it.
    """

    watched: Watched | None
    n_jobs: int | None
    flag: Path
    spread = True

    def results(
        self, tasks: Sequence[Task[Result]], until: float, interrupted: Callable[[Result], bool]
    ) -> Generator[Result]:
        jobs = (delayed(_in_worker)(task, Deadline(until, str(self.flag)), os.getpid()) for task in tasks)
        # A backend that has results only when all are there, as Ray's, does not learn that no more are wanted.
        in_order = get_active_backend()[0].supports_return_generator
        with interruption_ignored():
            run = Parallel(n_jobs=self.n_jobs, return_as="generator" if in_order else "list", pre_dispatch="n_jobs")
            results = iter(run(jobs))
        try:
            for result in results:
                if interrupted(result):
                    self.flag.touch()
                yield result
        except GeneratorExit:
            self.flag.touch()
            for _ in results:
                pass
            raise
        except BrokenExecutor as error:
            if not self.flag.exists():
                raise
            raise KeyboardInterrupt from error  # a worker that was none of ours yet got the Ctrl-C, too


def _in_worker(task: Task[Result], deadline: Deadline, parent: int) -> Result:
    with nullcontext() if os.getpid() == parent else interruption_ignored():
        return task(deadline)
