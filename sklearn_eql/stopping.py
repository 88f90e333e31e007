"""When work is to end: at a time, or as soon as the user presses Ctrl-C, also where it runs in other processes."""

from __future__ import annotations

import math
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Deadline:
    """Until when a search goes on.

    Parameters
    ----------
    at : float
        Value of ``time.time()``: workers on other machines share it, the monotonic clock they do not.
    flag : str, optional
        A file; where it exists, work ends. Workers on other machines do not see it, and end at their time.
    """

    at: float = math.inf
    flag: str | None = None

    @property
    def passed(self) -> str | None:
        """Why work is to end, ``"interrupted"`` or ``"max_time"``; None while it may go on."""
        if self.flag is not None and os.path.exists(self.flag):
            return "interrupted"
        return "max_time" if time.time() > self.at else None


NEVER = Deadline()


@contextmanager
def flag_of_interruption() -> Iterator[Path]:
    """A file that Ctrl-C creates, for workers to look at. The second Ctrl-C is a KeyboardInterrupt as always.

    An exception in the middle of joblib's work ends it, and what its workers have found is lost. So the first Ctrl-C
    only asks them to come to an end, and they return what they have. A handler of the user's that raises no
    KeyboardInterrupt stays as it is; outside the main thread, where signals do not arrive, nothing changes.
    """
    with tempfile.TemporaryDirectory(prefix="sklearn_eql-") as folder:
        flag = Path(folder) / "stop"
        before = signal.getsignal(signal.SIGINT)
        if not callable(before) or threading.current_thread() is not threading.main_thread():
            yield flag
            return

        def ask(signum, frame) -> None:
            try:
                before(signum, frame)
            except KeyboardInterrupt:
                if flag.exists():
                    raise
                flag.touch()

        signal.signal(signal.SIGINT, ask)
        try:
            yield flag
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def interruption_ignored() -> Iterator[None]:
    """Ctrl-C has no effect inside, nor ever on processes that are started inside, which inherit this.

    A terminal sends it to all processes of a group, and a worker that got it while starting would take the pool down.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is None or threading.current_thread() is not threading.main_thread():  # None: not set by Python
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
