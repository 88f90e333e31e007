"""Stages of a long fit that survive a kill: finished ones are remembered, the running one is saved now and then."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

SAVE_EVERY = 60.0
"""Seconds between two saves of a running stage."""

_HEADER = b"sklearn_eql checkpoint, SHA-256 of what follows the next line\n"


class Checkpoint:
    """Results of finished stages and the state of the running one, in memory and, where asked for, in a file.

    The file holds tensors, numbers, strings, lists and dicts only, and is read as such: no code is loaded. It begins
    with a checksum, so that a file that was cut or changed is not taken for another state of training.

    Parameters
    ----------
    path : path-like or None
        None keeps everything in memory.
    identity : mapping of str to plain values
        What has to agree before work is taken up again: parameters and a digest of the data.

    Raises
    ------
    ValueError
        The file is of another fit, is damaged, or is no checkpoint.
    """

    def __init__(self, path: str | os.PathLike | None, identity: Mapping[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self._state: dict[str, Any] = {"identity": dict(identity), "done": {}, "running": None}
        self._saved = time.monotonic()
        self._closed = False
        if self.path is not None:
            if not self.path.parent.is_dir():
                raise ValueError(
                    f"checkpoint={str(self.path)!r}: there is no folder {str(self.path.parent)!r}. Make it, or name a "
                    "file in one that exists."
                )
            if self.path.exists():
                self._load(identity)

    def stage(self, name: str, work: Callable[[], Any]) -> Any:
        """The result of ``work()``, made of plain values and tensors; remembered from an earlier run if it is there."""
        done = self._state["done"]
        if name not in done:
            done[name] = work()
            self._state["running"] = None
            self._write()
        return done[name]

    def resumed(self, name: str) -> dict[str, Any] | None:
        """State in which stage `name` was last saved."""
        running = self._state["running"]
        return running["state"] if running and running["name"] == name else None

    def tick(self, name: str, state: Callable[[], dict[str, Any]]) -> None:
        """Save the running stage if the last save is long enough ago."""
        if self.path is not None and time.monotonic() - self._saved >= SAVE_EVERY:
            self.save(name, state())

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Save the running stage now."""
        if self.path is not None:
            self._state["running"] = {"name": name, "state": state}
            self._write()

    def close(self) -> None:
        """Leave the file as it is from now on: the fit was cut short, and may be taken up from there."""
        self._closed = True

    def remove(self) -> None:
        """Delete the file of a fit that is complete: the estimator holds its outcome."""
        if self.path is not None and not self._closed:
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        if self.path is None or self._closed:
            return
        # A kill while writing must not cost the state that was there before.
        fresh = self.path.with_name(self.path.name + ".part")
        payload = io.BytesIO()
        torch.save(self._state, payload)
        with open(fresh, "wb") as file:
            file.write(_HEADER + _digest(payload.getbuffer()) + b"\n")
            file.write(payload.getbuffer())
        os.replace(fresh, self.path)
        self._saved = time.monotonic()

    def _load(self, identity: Mapping[str, Any]) -> None:
        cure = "Delete the file to start afresh, or name another one."
        content = self.path.read_bytes()
        if not content.startswith(_HEADER):
            raise ValueError(
                f"checkpoint={str(self.path)!r} is no checkpoint of a fit, or its first bytes are damaged. {cure}"
            )
        digest, _, payload = content[len(_HEADER) :].partition(b"\n")
        if digest != _digest(payload):
            raise ValueError(
                f"checkpoint={str(self.path)!r} is damaged: its {len(content)} bytes do not agree with their checksum. "
                f"It was cut short or changed after it was written. {cure}"
            )
        try:
            state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
            earlier = state["identity"]
        except (RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:  # of another version
            what = f"{type(error).__name__} on reading it"
            raise ValueError(f"checkpoint={str(self.path)!r} is no checkpoint of a fit ({what}). {cure}") from error
        differing = sorted(k for k in {*earlier, *identity} if earlier.get(k) != identity.get(k))
        if differing:
            what = ", ".join(f"{k} ({earlier.get(k)!r}, now {identity.get(k)!r})" for k in differing)
            raise ValueError(
                f"checkpoint={str(self.path)!r} belongs to another fit: it differs in {what}. Expected the same "
                f"parameters and data, so that the run can go on where it ended. {cure}"
            )
        self._state = state


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
