"""What a fit tells while it runs, to whoever watches; and how a watcher ends it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


class StopFit(KeyboardInterrupt):
    """A watcher wants no more: raised where Ctrl-C would be, so that a fit keeps what it has in the same way."""


@dataclass(frozen=True)
class Progress:
    """Where a fit is.

    Parameters
    ----------
    stage : str
        What it is doing, such as ``"quotient"`` (a family of the ladder) or ``"generation"``.
    loss : float
        Mean squared error of the best law so far over the variance of the target, on the rows of the search; of
        networks, what they are trained on.
    step : int
        Of the stage.
    n_steps : int or None
        Of the stage, where that is known.
    seconds : float
        Since the fit began.
    left : float
        Seconds until `max_time` is over; infinite without.
    output : int
        Which output of several.
    island : int or None
        Which island of a search of several.
    tell : callable or None
        Writes the best law so far; it takes some milliseconds, so `law` asks for it only when it is read.
    front : callable or None
        The laws so far, simplest first, as the search sees them; it takes some milliseconds for each.
    """

    stage: str
    loss: float
    step: int = 0
    n_steps: int | None = None
    seconds: float = 0.0
    left: float = math.inf
    output: int = 0
    island: int | None = None
    tell: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    front: Callable[[], list[Any]] | None = field(default=None, repr=False, compare=False)

    @property
    def law(self) -> str:
        """The best law so far, three digits of its constants; empty where there is none to print yet."""
        return "" if self.tell is None else self.tell()

    @property
    def where(self) -> str:
        """Stage and step in words."""
        island = "" if self.island is None else f"island {self.island}, "
        if self.n_steps:
            return f"{island}{self.stage}, step {self.step:,} of {self.n_steps:,}"
        return f"{island}{self.stage} {self.step:,}" if self.step else f"{island}{self.stage}"


Watcher = Callable[[Progress], object]
"""Called with a :class:`Progress`; a true answer ends the fit, which keeps the best law so far."""


@dataclass
class _Stop:
    """Whether a watcher of a fit wanted no more."""

    wanted: bool = False


class Watched:
    """The watchers of one fit.

    Parameters
    ----------
    watchers : sequence of Watcher
    deadline : float
        Value of ``time.time()`` at which the fit is to end.
    run : object, optional
        That one of the watchers which keeps more of the fit than it is told.
    """

    def __init__(self, watchers: Sequence[Watcher], deadline: float = math.inf, run: Any = None) -> None:
        self.watchers = tuple(watchers)
        self.run = run
        self.start, self.deadline = time.time(), deadline
        self.names: tuple[str, ...] = ()  # of the variables, as laws are written
        self.output = 0
        self._stop = _Stop()

    def of_output(self, output: int) -> Watched:
        """The same watchers, told of one output."""
        watched = self.told_by(self.watchers)
        watched.output, watched._stop = output, self._stop
        return watched

    def told_by(self, watchers: Sequence[Watcher]) -> Watched:
        """Other watchers of the same fit."""
        watched = Watched(watchers, self.deadline)
        watched.start, watched.names, watched.output = self.start, self.names, self.output
        return watched

    @property
    def stopped(self) -> bool:
        """Whether a watcher wanted no more."""
        return self._stop.wanted

    def tell(self, progress: Progress) -> bool:
        """Tell all watchers; whether one of them wants no more."""
        answers = [bool(watcher(progress)) for watcher in self.watchers]
        self._stop.wanted |= any(answers)
        return any(answers)

    def hand(self, what: str, *given: Any) -> None:
        """Hand what there is of a fit to the run that keeps it, if there is one, by its method of that name."""
        if self.run is not None:
            getattr(self.run, what)(*given)

    def __call__(
        self,
        stage: str,
        loss: float,
        step: int = 0,
        n_steps: int | None = None,
        tell: Callable[[], str] | None = None,
        island: int | None = None,
        front: Callable[[], list[Any]] | None = None,
    ) -> None:
        """Tell all watchers.

        Raises
        ------
        StopFit
            One of them answered with something true.
        """
        now = time.time()
        times = (now - self.start, self.deadline - now)
        progress = Progress(stage, float(loss), step, n_steps, *times, self.output, island, tell, front)
        if self.tell(progress):
            raise StopFit
