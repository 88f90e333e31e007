"""Progress for people: one line that is kept up to date on a terminal or in a notebook, plain lines in a log."""

from __future__ import annotations

import logging
import math
import sys
import time
from typing import Any

from sklearn_eql._display import equation_text
from sklearn_eql.progress import Progress
from sklearn_eql.stopping import StopReason

_LIVE_SECONDS, _LOG_SECONDS = 0.2, 5.0  # between two updates

logger = logging.getLogger("sklearn_eql")


class ProgressDisplay:
    """Stage, loss, time and the best law so far while a fit runs; the law and why the fit ended when it is over.

    On a terminal and in notebooks, where ``rich`` is installed, it is a line that changes; elsewhere plain lines, a new
    one every few seconds, where the loss has fallen to a tenth, and at the end of a stage. Where ``logging`` is set up
    for the logger ``"sklearn_eql"``, lines go there at level INFO, and else to stderr. ``verbose=1`` of an estimator is
    this.

    Parameters
    ----------
    live : bool or None, default=None
        Whether to keep one line up to date; by default where stderr is a terminal, or this is a notebook.
    """

    def __init__(self, live: bool | None = None) -> None:
        self.live = live
        self._display: _Live | _Lines | None = None

    def begin(self, estimator: Any) -> None:
        """A fit begins."""
        name = type(estimator).__name__
        live = _can_be_live() if self.live is None else self.live
        self._display = _Live.of(name) if live else None
        if self._display is None:
            self._display = _Lines(name)

    def __call__(self, progress: Progress) -> None:
        if self._display is not None:
            self._display.show(progress)

    def end(self, estimator: Any) -> None:
        """A fit is over; what it found, or None if it failed."""
        if self._display is None:
            return
        self._display.close()
        self._display = None
        if estimator is None:
            return
        name = type(estimator).__name__
        laws = getattr(estimator, "sympy_expr_", None)
        for law in laws if isinstance(laws, list) else [] if laws is None else [laws]:
            _say(f"{name}: {equation_text(law)}")
        reasons = estimator.stop_reason_
        reasons = [reasons] if isinstance(reasons, str) else reasons
        _say(f"{name}: ended: {'; '.join(StopReason(reason).meaning for reason in dict.fromkeys(reasons))}")


def _say(line: str) -> None:
    """To the log, where somebody has set one up, and else to stderr."""
    if logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
        logger.info(line)
    else:
        print(f"[sklearn_eql] {line}", file=sys.stderr)


def _can_be_live() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _time(progress: Progress) -> str:
    if math.isinf(progress.left):
        return f"{progress.seconds:.1f} s"
    return f"{progress.seconds:.1f} of {progress.seconds + progress.left:.0f} s"


class _Lines:
    """A line every few seconds of each output and island, and where something has changed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._shown: dict[tuple, tuple[float, float]] = {}  # when the next line is due, and the lowest loss

    def show(self, progress: Progress) -> None:
        """A line, if it is time for one."""
        of = progress.output, progress.island
        due, lowest = self._shown.get(of, (0.0, math.inf))
        is_last = progress.step == progress.n_steps
        if time.monotonic() < due and not progress.loss < lowest / 10 and not is_last:
            return
        self._shown[of] = time.monotonic() + _LOG_SECONDS, min(lowest, progress.loss)
        law = progress.law
        _say(f"{self.name}: {progress.where}: loss {progress.loss:.3g}, {_time(progress)}{law and ': '}{law}")

    def close(self) -> None:
        """Nothing to do."""


class _Live:
    """One line that is kept up to date, by `rich`."""

    def __init__(self, name: str, live: Any, text: Any) -> None:
        self.name, self._live, self._text = name, live, text
        self._next = 0.0
        live.start()

    @classmethod
    def of(cls, name: str) -> _Live | None:
        """None where `rich` is not installed."""
        try:
            from rich.console import Console
            from rich.live import Live
            from rich.text import Text
        except ImportError:
            return None
        return cls(name, Live(Text(""), console=Console(stderr=True), transient=True, auto_refresh=False), Text)

    def show(self, progress: Progress) -> None:
        """The line anew, a few times a second."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LIVE_SECONDS
        text = f"{self.name}  {progress.where}  loss {progress.loss:.3g}  {_time(progress)}\n  {progress.law}"
        self._live.update(self._text(text), refresh=True)

    def close(self) -> None:
        """Take the line away."""
        self._live.stop()
