"""The text of a file, whatever it was packed and encoded with."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from sklearn_eql.exceptions import UnreadableTableError

STDIN = "-"

_HEAD = 400  # bytes in which zeros are counted
_BOMS = {  # the longer ones first: UTF-32 begins as UTF-16 does
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_BINARY = "\0\x01\x02\x03\x04\x05"  # no text holds these


def read_text(source: Path | str, encoding: str | None = None) -> tuple[str, list[str]]:
    r"""Text with ``\n`` between lines.

    Parameters
    ----------
    source : path, or "-" for standard input
        Packed files (gzip, bzip2, xz, zip) are known by their first bytes.
    encoding : str, optional
        By default that of the byte order mark; without one UTF-16 where every other byte is zero, else UTF-8, and
        Latin-1 for what is not UTF-8.

    Returns
    -------
    text : str
    notes : list of str
        What was assumed.

    Raises
    ------
    UnreadableTableError
        Nothing there, damaged, or no text.
    """
    name = source_name(source)
    raw = _unpacked(_bytes(source), name)
    told = encoding or next((known for mark, known in _BOMS.items() if raw.startswith(mark)), None) or _wide(raw)
    notes = []
    try:
        text = raw.decode(told or "utf-8")
    except LookupError:
        raise UnreadableTableError(
            f"--encoding {encoding} is unknown; use a name such as utf-8, utf-16 or latin-1"
        ) from None
    except UnicodeDecodeError as error:
        if told is not None:
            raise UnreadableTableError(
                f"{name} is not text in {told} ({error.reason} at byte {error.start}); name another with --encoding"
            ) from None
        text = raw.decode("latin-1")
        notes.append("the text is not UTF-8 and was read as Latin-1; name another with --encoding")
    if any(character in text for character in _BINARY):
        raise UnreadableTableError(f"{name} is not text; save the table as CSV, or name the encoding with --encoding")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff"), notes


def source_name(source: Path | str) -> str:
    """For messages."""
    return "standard input" if str(source) == STDIN else str(source)


def _bytes(source: Path | str) -> bytes:
    if str(source) == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except FileNotFoundError:
        raise UnreadableTableError(f"there is no file {source}") from None
    except OSError as error:
        raise UnreadableTableError(f"cannot read {source}: {error.strerror}") from None


def _unpacked(raw: bytes, name: str) -> bytes:
    unpack = next((unpack for magic, unpack in _PACKED.items() if raw.startswith(magic)), None)
    if unpack is None:
        return raw
    try:
        return unpack(raw)
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableTableError(f"{name} is packed, and damaged: {error}; copy it again") from None


def _only_member(packed: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        members = [member for member in archive.namelist() if not member.endswith("/")]
        if "[Content_Types].xml" in members:
            raise UnreadableTableError("the file is a spreadsheet, expected text; save the sheet as CSV")
        if len(members) != 1:
            raise UnreadableTableError(
                f"the zip archive holds {len(members)} files, expected one; unpack it and name the table"
            )
        return archive.read(members[0])


_PACKED: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"PK\x03\x04": _only_member,
}


def _wide(raw: bytes) -> str | None:
    """UTF-16 without a mark: Latin letters and digits have one zero byte each, always on the same side."""
    odd, even = raw[1:_HEAD:2].count(0), raw[:_HEAD:2].count(0)
    if max(odd, even) < len(raw[:_HEAD]) / 4 or min(odd, even):
        return None
    return "utf-16-le" if odd else "utf-16-be"
