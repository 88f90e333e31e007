"""Tables as programs write them: pandas reads, this module finds out how.

Excel in half of Europe writes ``;`` between columns and a comma in numbers, instruments put remarks before the header,
pandas and R write labels of rows. What such a file means is mostly beyond doubt, and is found here; where it is not,
the error says which option decides.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn_eql.exceptions import UnreadableTableError
from sklearn_eql.reading.text_files import read_text, source_name

if TYPE_CHECKING:
    import pandas as pd

_WHITE = r"\s+"
_SEPARATORS = (",", ";", "\t", "|", _WHITE)  # the first wins where several fit
_SPELT_OUT = {r"\t": "\t", "tab": "\t", "space": _WHITE, " ": _WHITE}
_SAMPLE = 200  # lines from which separator and decimal mark are read off
_MISSING = ("?", "-", "--", ".", "...", "*")  # beside pandas' own: "", NA, N/A, NaN, null, None, ...
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_NUMBER = {  # by decimal mark
    ".": re.compile(rf"[+-]?(?:\d+\.?\d*|\.\d+){_EXPONENT}"),
    ",": re.compile(rf"[+-]?(?:\d+(?:,\d+)?|,\d+){_EXPONENT}"),
}
_GROUPED = {  # thousands set apart, by decimal mark
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?"),
}


@dataclass(frozen=True)
class CsvTable:
    """A table as it was read.

    Parameters
    ----------
    frame : DataFrame
        A column holds numbers where all of its cells are numbers or missing.
    notes : list of str
        What was left out or assumed, for the user to see.
    index : str or None
        Column that only labels the rows.
    has_names : bool
        False where the first line holds nothing but numbers, so that names are probably missing.
    """

    frame: pd.DataFrame
    notes: list[str]
    index: str | None
    has_names: bool


def read_csv(
    source: Path | str, *, sep: str | None = None, decimal: str | None = None, encoding: str | None = None
) -> CsvTable:
    """Read a table from a file or from standard input, packed or not.

    Parameters
    ----------
    source : path, or "-" for standard input
    sep : str, optional
        One character, "tab" or "space" (any white space). By default that of a first line ``sep=;``, else the one of
        comma, semicolon, tab, bar and white space that gives rows of equal length and most numbers.
    decimal : {".", ","}, optional
        By default what all numbers can be read with; a comma rather than a point where semicolons separate the columns.
    encoding : str, optional
        See :func:`~sklearn_eql.reading.text_files.read_text`.

    Raises
    ------
    UnreadableTableError
        No table, or one that may be read in two ways.
    """
    name = source_name(source)
    text, notes = read_text(source, encoding)
    if not text.strip():
        raise UnreadableTableError(f"{name} is empty; expected a header line and rows of numbers")
    told, text = _told_separator(text)
    remarks, text, n_remarks = _without_remarks(text)
    if not text.strip():
        raise UnreadableTableError(f"{name} holds nothing but remarks (lines that begin with #); expected a table")
    sep = _separator(text, _SPELT_OUT.get(sep, sep) or told, decimal, name)
    lines = text.split("\n", _SAMPLE)[:_SAMPLE]
    header, *rows = _cells(lines, sep)
    has_names = not _holds_numbers(header)
    last_remark = _cells(remarks[-1:], sep)
    if not has_names and last_remark and len(last_remark[0]) == len(header) and not _holds_numbers(last_remark[0]):
        header, rows, has_names = last_remark[0], [header, *rows], True  # as numpy.savetxt writes it
        n_remarks -= 1
    else:
        text = text.split("\n", _n_lines_of_header(lines, sep))[-1]
    if not rows or not text.strip():
        raise UnreadableTableError(f"{name} has a header but no rows")
    if n_remarks:
        notes.append(f"{n_remarks} {'line' if n_remarks == 1 else 'lines'} beginning with # left out")
    names = _names(header, rows, name)
    frame = _parsed(text, sep, *_number_style(rows, sep, decimal), names, name)
    frame = frame.drop(columns=[c for c in names if _is_unnamed(c) and frame[c].isna().all()])  # a comma at the end
    first = frame.columns[0]
    return CsvTable(frame, notes, first if _is_unnamed(first) and _labels_rows(frame[first]) else None, has_names)


def _told_separator(text: str) -> tuple[str | None, str]:
    """The separator in a first line ``sep=;`` (Excel's own way to say it), and the text after that line."""
    told = re.match(r'"?sep=(.)"?[ \t]*\n', text, re.IGNORECASE)
    return (None, text) if told is None else (told[1], text[told.end() :])


def _without_remarks(text: str) -> tuple[list[str], str, int]:
    """Remarks before the table, without their ``#``; the text without any remarks; and how many there were."""
    lead = re.match(r"(?:[ \t]*(?:#.*)?\n)*", text)[0]
    remarks = [line.strip().lstrip("# \t") for line in lead.splitlines() if line.strip()]
    kept, n_remarks = re.subn(r"^[ \t]*#.*(?:\n|\Z)", "", text, flags=re.MULTILINE)
    return remarks, re.sub(r"\A(?:[ \t]*\n)+", "", kept), n_remarks


def _cells(lines: list[str], sep: str) -> list[list[str]]:
    """Cells of lines, without the space around them; blank lines are left out."""
    return [[" ".join(cell.split()) for cell in row] for row in _reader([li for li in lines if li.strip()], sep)]


def _reader(lines: list[str], sep: str):
    if sep == _WHITE:
        lines, sep = [" ".join(line.split()) for line in lines], " "
    try:
        return csv.reader([line + "\n" for line in lines], delimiter=sep, skipinitialspace=True)
    except TypeError:
        raise UnreadableTableError(f"--sep {sep!r}: expected one character, tab or space") from None


def _n_lines_of_header(lines: list[str], sep: str) -> int:
    """One, unless a quoted name is written on two lines."""
    reader = _reader(lines, sep)
    next(reader)
    return reader.line_num


def _separator(text: str, told: str | None, decimal: str | None, name: str) -> str:
    if told is not None:
        return told
    lines = text.split("\n", _SAMPLE)[:_SAMPLE]
    found: list[tuple[float, float, int]] = []
    for number, candidate in enumerate(_SEPARATORS):
        rows = _cells(lines, candidate)
        width = max(map(len, rows))
        if width < 2 or candidate == decimal:
            continue
        even = sum(width - len(row) <= 1 for row in rows) / len(rows)  # labels of rows have no name in R
        cells = [cell for row in rows[1:] or rows for cell in row]
        numeric = sum(_is_number(cell) or cell in _MISSING or not cell for cell in cells) / len(cells)
        found.append((even, numeric, -number))
    if not found:
        raise UnreadableTableError(
            f"{name} has one column only ({lines[0].strip()[:40]!r}), expected several, with comma, semicolon, "
            "tab, bar or white space between them; name another separator with --sep"
        )
    return _SEPARATORS[-max(found)[2]]


def _is_number(cell: str) -> bool:
    return any(_fits(cell, decimal) for decimal in _NUMBER)


def _fits(cell: str, decimal: str) -> bool:
    return bool(_NUMBER[decimal].fullmatch(cell) or _GROUPED[decimal].fullmatch(cell))


def _holds_numbers(row: list[str]) -> bool:
    return any(row) and all(_is_number(cell) or not cell for cell in row)


def _number_style(rows: list[list[str]], sep: str, decimal: str | None) -> tuple[str, str | None]:
    """Decimal mark and mark of thousands.

    Programs that separate columns by semicolons do so because the comma is their decimal mark. Elsewhere ``1,234`` may
    be a thousand as well, and is refused.
    """
    cells = sorted({cell for row in rows for cell in row if _is_number(cell)})
    commas = [cell for cell in cells if "," in cell]
    if decimal is None:
        point, comma = (all(_fits(cell, mark) for cell in cells) for mark in (".", ","))
        if commas and point and comma and sep != ";":
            raise UnreadableTableError(
                f"{commas[0]} may be a thousand or a decimal fraction; say --decimal . (a point) or "
                "--decimal , (a comma)"
            )
        decimal = "," if commas and comma else "."
    grouped = [cell for cell in cells if not _NUMBER[decimal].fullmatch(cell)]
    thousands = {",": ".", ".": ","}[decimal]
    return decimal, thousands if grouped and all(_fits(cell, decimal) for cell in grouped) else None


def _names(header: list[str], rows: list[list[str]], name: str) -> list[str]:
    """Distinct names of all columns, as pandas would call them."""
    width = len(header)
    long = [row for row in rows if any(row[width:])]
    if long and len(long) >= len(rows) - 1 and all(len(row) == width + 1 for row in long):
        header = ["", *header]  # R writes no name above the labels of rows
    elif long:
        raise UnreadableTableError(
            f"{name} is not a CSV table: a row has {len(long[0])} cells ({', '.join(long[0])[:40]}), the header "
            f"{width}; correct it, or name the separator with --sep"
        )
    elif any(len(row) > width for row in rows):
        header = [*header, ""]  # a separator at the end of rows, and none after the names
    names: list[str] = []
    for i, given in enumerate(header):
        names.append(given or f"Unnamed: {i}")
        copy = 0
        while names[-1] in names[:-1]:
            copy += 1
            names[-1] = f"{given}.{copy}"
    return names


def _is_unnamed(name: str) -> bool:
    return re.fullmatch(r"Unnamed: \d+", name) is not None


def _parsed(text: str, sep: str, decimal: str, thousands: str | None, names: list[str], name: str) -> pd.DataFrame:
    import pandas as pd

    given = {"sep": sep, "decimal": decimal, "thousands": thousands, "na_values": list(_MISSING)}
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            header=None,
            names=names,
            index_col=False,
            skipinitialspace=True,
            low_memory=False,  # one type per column, not one per block of rows
            **given,
        )
    except pd.errors.ParserError as error:
        raise UnreadableTableError(f"{name} is not a CSV table: {error}; name the separator with --sep") from None
    for column in frame.columns[~frame.dtypes.map(pd.api.types.is_numeric_dtype)]:
        frame[column] = _without_space(frame[column], decimal, thousands)
    return frame


def _without_space(column: pd.Series, decimal: str, thousands: str | None) -> pd.Series:
    """A column of text without the space around its cells; numbers, where nothing else is left."""
    import pandas as pd

    cells = column.astype(object).where(column.notna(), None)
    cells = cells.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    cells = cells.where(~cells.isin([*_MISSING, ""]), None)
    plain = cells.map(
        lambda cell: cell.replace(thousands or " ", "").replace(decimal, ".") if isinstance(cell, str) else cell
    )
    numbers = pd.to_numeric(plain, errors="coerce")
    return numbers if numbers.notna().eq(cells.notna()).all() else cells


def _labels_rows(column: pd.Series) -> bool:
    """Whether a first column without a name labels the rows: by text, or by distinct whole numbers."""
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column):
        return True
    return bool(column.is_unique and column.notna().all() and (column % 1 == 0).all())
