"""Plain values and arrays in files: JSON with a checksum. Reading runs no code, and what is damaged is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 1
"""Version of the files; one of another is refused."""

_KINDS = "biufcU"  # of NumPy's types, whose bytes are plain


class NotPlainError(TypeError):
    """A value that a file of plain values does not hold, such as a function."""


def write(path: str | os.PathLike, kind: str, values: Any) -> None:
    """Write values whole or not at all: whatever ends the process, `path` has what was there before or what is new.

    Parameters
    ----------
    path : path-like
    kind : str
        What the file is, for messages.
    values
        As :func:`to_plain` returns them.
    """
    path = Path(path)
    content = json.dumps(values, separators=(",", ":"))
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    text = json.dumps({"sklearn_eql": kind, "format": FORMAT, "sha256": _digest(content)})
    part.write_text(f"{text}\n{content}\n", encoding="utf-8")
    os.replace(part, path)


def read(path: str | os.PathLike, kind: str, cure: str) -> Any:
    """Values as :func:`write` got them.

    Raises
    ------
    ValueError
        There is no such file, it is damaged, of another kind or of another version; `cure` ends the message.
    """
    where = f"{str(path)!r}"
    try:
        head, _, content = Path(path).read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError as error:
        raise ValueError(f"{where}: there is no such file, expected {kind}. {cure}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{where} cannot be read as {kind} ({type(error).__name__}). {cure}") from error
    try:
        header = json.loads(head)
        found, version, digest = header["sklearn_eql"], header["format"], header["sha256"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{where} is no {kind}, or its first line is damaged. {cure}") from error
    if version != FORMAT:
        raise ValueError(f"{where} is of version {version!r}; this one reads version {FORMAT}. {cure}")
    if found != kind:
        raise ValueError(f"{where} is a {found}, expected a {kind}. {cure}")
    content = content.removesuffix("\n")
    if digest != _digest(content):
        raise ValueError(
            f"{where} is damaged: its content does not agree with its checksum. It was cut short or changed after it "
            f"was written. {cure}"
        )
    return json.loads(content)


def to_plain(value: Any, special: Callable[[Any], dict | None] = lambda value: None) -> Any:
    """What JSON holds in place of a value: of numbers, text, None, lists, tuples, mappings, fractions and arrays.

    Parameters
    ----------
    value
    special : callable, optional
        Is asked first: a mapping of one name to what JSON holds, in place of a value that is not plain, or None.

    Raises
    ------
    NotPlainError
        It is something else.
    """
    if (found := special(value)) is not None:
        return found
    if value is None or isinstance(value, (bool, int, float)):
        return value.item() if isinstance(value, np.generic) else value  # np.float64 is a float
    if isinstance(value, str):
        return str(value)  # of an enumeration, its text
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
        return value.item()
    if isinstance(value, list):
        return [to_plain(entry, special) for entry in value]
    if isinstance(value, tuple):
        return {"tuple": [to_plain(entry, special) for entry in value]}
    if isinstance(value, Mapping):
        return {"mapping": [[to_plain(k, special), to_plain(v, special)] for k, v in value.items()]}
    if isinstance(value, Fraction):
        return {"fraction": str(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": [value.dtype.str, list(value.shape), data]}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return {"objects": [list(value.shape), [to_plain(entry, special) for entry in value.ravel().tolist()]]}
    raise NotPlainError(f"{type(value).__name__} is no plain value")


def from_plain(value: Any, special: Callable[[str, Any], Any] | None = None) -> Any:
    """A value from what JSON holds in its place; `special` gets name and content of what is not plain."""
    if isinstance(value, list):
        return [from_plain(entry, special) for entry in value]
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    if name == "tuple":
        return tuple(from_plain(entry, special) for entry in content)
    if name == "mapping":
        return {from_plain(key, special): from_plain(entry, special) for key, entry in content}
    if name == "fraction":
        return Fraction(content)
    if name == "array":
        dtype, shape, data = content
        return np.frombuffer(base64.b64decode(data), dtype=np.dtype(dtype)).reshape(shape).copy()
    if name == "objects":
        found = np.empty(len(content[1]), dtype=object)
        found[:] = [from_plain(entry, special) for entry in content[1]]
        return found.reshape(content[0])
    if special is None:
        raise NotPlainError(f"{name!r} is no plain value, and nothing was said of how to read it")
    return special(name, content)


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
