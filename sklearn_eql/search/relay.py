"""What tasks in other processes tell those who watch a fit in this one, through files in a folder."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from sklearn_eql.progress import Progress, Watched

_SECONDS = 0.1  # between two looks at the folder


class Relay:
    """The watcher of one task: what it is told goes into a file of its own, and a flag asks for the end of the task.

    Parameters
    ----------
    flag : str
        Where that file exists, the task is to end. What is told goes into its folder.
    tells : bool
        Whether somebody listens.
    """

    def __init__(self, flag: str, tells: bool) -> None:
        self.flag, self.tells = flag, tells
        self._lowest: float | None = None

    def __call__(self, progress: Progress) -> bool:
        if self.tells:
            entry = asdict(replace(progress, tell=None, front=None))
            del entry["tell"], entry["front"]
            if progress.loss != self._lowest:  # printing a law takes milliseconds
                self._lowest, entry["law"] = progress.loss, progress.law
            own = Path(self.flag).with_name(f"{os.getpid()}-{threading.get_ident()}.jsonl")
            with own.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        return os.path.exists(self.flag)


def relayed(watched: Watched, flag: Path) -> Watched:
    """For tasks elsewhere on this machine: `following` passes on what they tell; they end where the flag exists.

    Watchers with a method ``elsewhere()`` are told there as well.
    """
    there = (watcher.elsewhere() for watcher in watched.watchers if hasattr(watcher, "elsewhere"))
    return watched.told_by((Relay(str(flag), bool(watched.watchers)), *there))


@contextmanager
def following(watched: Watched | None, flag: Path) -> Iterator[None]:
    """Inside, what tasks tell by `relayed` reaches the watchers, from a thread; one that wants no more sets the flag.

    Raises
    ------
    Exception
        That of a watcher, once all tasks have come to an end.
    """
    if watched is None or not watched.watchers:
        yield
        return
    listener = _Listener(watched, flag)
    with ThreadPoolExecutor(1, "sklearn_eql-progress") as threads:
        listening = threads.submit(listener.listen)
        try:
            yield
        finally:
            listener.over.set()
        listening.result()


class _Listener:
    """Reads the files of all tasks as they grow."""

    def __init__(self, watched: Watched, flag: Path) -> None:
        self.watched, self.flag = watched, flag
        self.over = threading.Event()
        self._read: dict[Path, int] = {}  # bytes of each file that have been passed on
        self._laws: dict[Path, str] = {}

    def listen(self) -> None:
        """Until the tasks are over, and once more then. They are to end where a watcher fails."""
        try:
            while not self.over.wait(_SECONDS):
                self._pass_on()
            self._pass_on()
        finally:
            self.flag.touch()

    def _pass_on(self) -> None:
        for path in sorted(self.flag.parent.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                lines = file.read()
            whole = lines.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + whole
            for line in lines[:whole].splitlines():
                if self.watched.tell(self._progress(path, json.loads(line))):
                    self.flag.touch()

    def _progress(self, path: Path, entry: dict[str, Any]) -> Progress:
        law = self._laws[path] = entry.pop("law", self._laws.get(path, ""))
        return Progress(**entry, tell=partial(str, law))
