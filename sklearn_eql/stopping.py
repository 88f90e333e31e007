"""When work is to end: at a time, or as soon as the user presses Ctrl-C, also where it runs in other processes."""

from __future__ import annotations

import math
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType


class StopReason(StrEnum):
    """Why a run ended. Estimators keep the plain text in ``stop_reason_``; `meaning` says it in words."""

    EXACT = "exact"
    SAMPLE = "sample"
    NOISE = "noise"
    PATIENCE = "patience"
    GENERATIONS = "generations"
    FAMILIES = "all"  # of a ladder, after which the search goes on
    WRITTEN = "written"
    STARTS = "starts"
    SCHEDULE = "schedule"
    EARLY_STOPPING = "early_stopping"
    MAX_TIME = "max_time"
    CALLBACK = "callback"
    INTERRUPTED = "interrupted"

    @property
    def meaning(self) -> str:
        """One clause, with what to do where more can be had."""
        return _MEANINGS[self]

    @property
    def cut_short(self) -> bool:
        """Whether the run would have gone on by itself."""
        return self in (StopReason.MAX_TIME, StopReason.CALLBACK, StopReason.INTERRUPTED)


_MEANINGS = {
    StopReason.EXACT: "a law fits all rows to rounding",
    StopReason.SAMPLE: "a law fits the rows of the search to rounding, but not all rows",
    StopReason.NOISE: "a law leaves nothing but noise",
    StopReason.PATIENCE: "no progress for a while",
    StopReason.GENERATIONS: "all generations are over; more may find better laws",
    StopReason.FAMILIES: "all families of laws are tried",
    StopReason.WRITTEN: "all laws that the network wrote are tried; EQLRegressor may find better ones",
    StopReason.STARTS: "all starts of the constants of the form are tried",
    StopReason.SCHEDULE: "the schedule of training is over",
    StopReason.EARLY_STOPPING: "the validation loss falls no more",
    StopReason.MAX_TIME: "max_time is over; more may find better laws",
    StopReason.CALLBACK: "a callback asked for it",
    StopReason.INTERRUPTED: "Ctrl-C",
}


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
    def passed(self) -> StopReason | None:
        """Why work is to end, interruption or time; None while it may go on."""
        if self.flag is not None and os.path.exists(self.flag):
            return StopReason.INTERRUPTED
        return StopReason.MAX_TIME if time.time() > self.at else None


NEVER = Deadline()


@contextmanager
def interruption_noted(note: Callable[[], object]) -> Iterator[None]:
    """The first Ctrl-C inside calls `note`, and is no exception; the second is a KeyboardInterrupt as always.

    For what is soon over and must not be lost, or looks by itself whether it is to end. A handler of the user's that
    raises no KeyboardInterrupt stays as it is; outside the main thread, where signals do not arrive, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        try:
            before(signum, frame)
        except KeyboardInterrupt:
            if pressed:
                raise
            pressed = True
            note()

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def flag_of_interruption() -> Iterator[Path]:
    """A file that Ctrl-C creates, for workers to look at. The second Ctrl-C is a KeyboardInterrupt as always.

    An exception in the middle of joblib's work ends it, and what its workers have found is lost. So the first Ctrl-C
    only asks them to come to an end, and they return what they have.
    """
    with tempfile.TemporaryDirectory(prefix="sklearn_eql-") as folder:
        flag = Path(folder) / "stop"
        with interruption_noted(flag.touch):
            yield flag


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
