"""One law for each table of a folder: what is found is kept line by line, so that a run can be stopped and goes on."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from joblib import Parallel, delayed

COLUMNS = ("file", "law", "loss", "complexity", "stop_reason", "seconds", "error")
_ENDINGS = (".csv", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip")

Row = dict[str, str]  # of `COLUMNS`; a table without a law has an error
Fit = Callable[[Path], Row]


def tables_in(folder: Path) -> list[Path]:
    """The tables of a folder by name, not those of folders in it.

    Raises
    ------
    ValueError
        There is none.
    """
    found = sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().endswith(_ENDINGS))
    if not found:
        raise ValueError(f"no table in {folder}: expected files that end with {', '.join(_ENDINGS)}")
    return found


def fit_each(tables: Sequence[Path], fit: Fit, results: Path | None, n_jobs: int) -> Iterator[Row]:
    """The rows of all tables in order; those with a law in the file of results are not fitted again.

    Parameters
    ----------
    tables : sequence of Path
    fit : callable
        What is fitted and read; it answers with a row without `file`.
    results : Path or None
        CSV file that grows by a line for each table.
    n_jobs : int
        Processes.

    Raises
    ------
    ValueError
        A file of results that is none.
    """
    known = {} if results is None else _read(results)
    missing = [path for path in tables if path.name not in known]
    if results is not None and missing and not results.exists():
        _append(results, dict(zip(COLUMNS, COLUMNS, strict=True)))
    found = iter(Parallel(n_jobs=n_jobs, return_as="generator")(delayed(partial(_row, fit))(path) for path in missing))
    for path in tables:
        if path.name in known:
            yield known[path.name]
            continue
        row = next(found)
        if results is not None:
            _append(results, row)
        yield row


def _row(fit: Fit, path: Path) -> Row:
    return {**dict.fromkeys(COLUMNS, ""), **fit(path), "file": path.name}


def _read(results: Path) -> dict[str, Row]:
    """Rows with a law, by file; the last one of each."""
    if not results.exists():
        return {}
    with results.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{results} is no file of results: its first line is not {','.join(COLUMNS)}")
        return {row["file"]: row for row in reader if row["law"]}


def _append(results: Path, row: Row) -> None:
    # Opened for every line: whatever ends the process, all lines before are there.
    with results.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow([row[name] for name in COLUMNS])
