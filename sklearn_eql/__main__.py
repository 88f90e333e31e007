"""Find the law behind a column of a CSV file: ``python -m sklearn_eql data.csv --target y``."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import shlex
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn_eql import __version__
from sklearn_eql.reading.csv_tables import CsvTable, read_csv
from sklearn_eql.reading.text_files import source_name

if TYPE_CHECKING:
    import pandas as pd

_MANY = 20  # column names that an error message lists
_MISTAKES = (ValueError, RuntimeError, FileNotFoundError, ImportError)  # said in one line
_FEW = 6  # distinct values of a column that may well be categories


class _InputError(Exception):
    """What the user has to change, in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 with one line on stderr that says what to change."""
    options = _parser().parse_args(argv)
    try:
        if Path(options.file).is_dir():
            return _folder(options)
        if options.results is not None or options.jobs != 1:
            raise _InputError("--results and --jobs are for a folder of tables")
        X, y, groups, notes = _read(options)
        for note in notes:
            _say(note)
        model = _fit(options, X, y, groups)
        _report(options, model, list(X.columns))
    except (_InputError, *_MISTAKES) as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 2
    return 0


def _say(text: str) -> None:
    """To stderr: stdout carries the result only."""
    print(f"sklearn-eql: {text}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sklearn-eql",
        description="Find the equation that gives one column of a CSV file from the others. The equation table and the "
        "law go to stdout, progress to stderr.",
    )
    parser.add_argument(
        "file", help="CSV file with a header line, packed or not; - for standard input; a folder: a law for each table"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--target", required=True, metavar="COL", help="column to explain")
    parser.add_argument("--features", nargs="+", metavar="COL", help="columns to use (default: all others)")
    parser.add_argument("--drop", nargs="+", default=[], metavar="COL", help="columns to leave out")
    parser.add_argument("--groups", metavar="COL", help="column of labels: one law, constants of each group its own")
    parser.add_argument("--sep", metavar="CHAR", help="between columns: a character, tab or space (default: found out)")
    parser.add_argument("--decimal", choices=[".", ","], help="decimal mark of numbers (default: found out)")
    parser.add_argument("--encoding", metavar="NAME", help="of the text, such as latin-1 (default: found out)")
    parser.add_argument("--dropna", action="store_true", help="leave out rows with empty cells in the columns used")
    parser.add_argument("--functions", nargs="+", metavar="NAME", help="a preset, or names such as: id square sin")
    parser.add_argument("--form", metavar="TEXT", help="what is known of the law, such as: 'f(x)*exp(-k*t) + c'")
    parser.add_argument(
        "--selection", help="how one equation is picked: best, accurate, simple, extrapolation or validation"
    )
    parser.add_argument("--loss", help="squared_error, or huber where a few rows may be wrong")
    parser.add_argument("--cv", type=int, metavar="N", help="folds: show errors on rows held out, with standard errors")
    parser.add_argument("--proposals", metavar="NAME", help="transformer, or weights: laws that a network writes, too")
    parser.add_argument("--units", nargs="+", metavar="COL=UNIT", help="such as v=m/s m=kg; other columns have none")
    parser.add_argument("--y-unit", metavar="UNIT", help="of the target: not without --units")
    parser.add_argument("--dimensionless-constants", action="store_true", help="constants have no units")
    parser.add_argument("--max-time", type=float, metavar="S", help="seconds, after which the best so far is kept")
    parser.add_argument("--random-state", type=int, metavar="N", help="seed, for a run that can be repeated")
    parser.add_argument("--precision", type=int, default=3, metavar="N", help="digits of printed constants (default 3)")
    parser.add_argument("--latex", action="store_true", help="print the law as LaTeX, too")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the fitted model: joblib.load(FILE)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="of a folder: keep the laws, and go on from there")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="of a folder: tables at the same time")
    return parser


def _folder(options: argparse.Namespace) -> int:
    """A law for each table of a folder; 0 where all have one."""
    from sklearn_eql.folder import fit_each, tables_in

    if options.save is not None or options.latex:
        raise _InputError(f"--save and --latex are for one table, and {options.file} is a folder")
    tables = tables_in(Path(options.file))
    n_failed = 0
    for number, row in enumerate(fit_each(tables, partial(_row_of, options), options.results, options.jobs), start=1):
        print(f"{row['file']}: {row['law'] or 'error: ' + row['error']}", flush=True)
        _say(f"{number} of {len(tables)}: {row['file']}, {row['stop_reason'] or 'error'}")
        n_failed += not row["law"]
    if n_failed:
        _say(f"error: {n_failed} of {len(tables)} tables have no law")
    return 2 if n_failed else 0


def _row_of(options: argparse.Namespace, path: Path) -> dict[str, str]:
    """What is found in one table of a folder."""
    one = argparse.Namespace(**{**vars(options), "file": str(path)})
    begin = time.monotonic()
    try:
        X, y, groups, _ = _read(one)
        model = _fit(one, X, y, groups, verbose=0)
    except (_InputError, *_MISTAKES) as error:
        return {"error": " ".join(str(error).split())}
    from sklearn_eql._display import equation_text, pasteable_names, renamed

    names = pasteable_names([options.target, *X.columns])
    law = equation_text(renamed(model.sympy_expr_, names), options.precision)
    chosen = model.equations_.loc[model.best_index_]
    return {
        "law": f"{names[options.target]} = {law}",
        "loss": f"{chosen['loss']:.6g}",
        "complexity": str(chosen["complexity"]),
        "stop_reason": str(model.stop_reason_),
        "seconds": f"{time.monotonic() - begin:.1f}",
    }


def _read(options: argparse.Namespace) -> tuple[pd.DataFrame, pd.Series, pd.Series | None, list[str]]:
    """Features and target, numbers without gaps, labels of groups, and what was assumed to get them.

    Whatever hinders that is reported before any work starts.
    """
    if options.precision < 1:
        raise _InputError(f"--precision must be at least 1, got {options.precision}")
    if options.save is not None and not options.save.absolute().parent.is_dir():
        raise _InputError(f"--save {options.save}: there is no folder {options.save.parent}; create it first")
    table = read_csv(options.file, sep=options.sep, decimal=options.decimal, encoding=options.encoding)
    notes = list(table.notes)
    labels = [] if options.groups is None else [options.groups]
    for column in [options.target, *labels, *options.drop, *(options.features or [])]:
        _check_column(column, table, options.file)
    if options.features is None and table.index is not None and table.index != options.target:
        if table.index not in options.drop:
            notes.append(f"column {table.index!r} labels the rows and is left out; name it in --features to use it")
        features = [c for c in table.frame.columns if c not in (options.target, table.index, *labels)]
    else:
        features = options.features or [c for c in table.frame.columns if c not in (options.target, *labels)]
    if options.target in [*options.drop, *features]:
        raise _InputError(f"column {options.target!r} is the target; leave it out of --features and --drop")
    if options.target in labels:
        raise _InputError(f"column {options.target!r} is the target; name another one in --groups")
    features = [c for c in dict.fromkeys(features) if c not in options.drop]
    if not features:
        raise _InputError(f"no column is left to explain {options.target!r}; name fewer in --drop")
    used = table.frame[[*features, options.target]]
    _check_numbers(used, options)
    kept = _without_gaps(used, options)
    groups = None if options.groups is None else table.frame.loc[kept.index, options.groups]
    if groups is not None and groups.isna().any():
        if not options.dropna:
            raise _InputError(f"empty cells in {options.groups!r}; fill them, or leave out such rows with --dropna")
        kept, groups = kept[groups.notna()], groups[groups.notna()]
    if len(kept) < len(used):
        notes.append(f"{len(used) - len(kept)} of {len(used)} rows have empty cells and are left out")
    return kept[features], kept[options.target], groups, notes


def _without_gaps(used: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    empty = used.columns[used.isna().all()].tolist()
    if empty:
        raise _InputError(f"no value at all in {', '.join(map(repr, empty))}; leave out with: --drop {_quoted(empty)}")
    gaps = used.columns[used.isna().any()].tolist()
    if not gaps:
        return used
    kept = used.dropna()
    n_rows = len(used) - len(kept)
    if not options.dropna:
        raise _InputError(
            f"empty cells in {', '.join(map(repr, gaps))} ({n_rows} of {len(used)} rows); fill them, or leave out such "
            "rows with --dropna"
        )
    if kept.empty:
        raise _InputError(
            f"every row has an empty cell in one of {', '.join(map(repr, gaps))}; leave columns out with --drop"
        )
    return kept


def _check_column(column: str, table: CsvTable, source: str) -> None:
    names = list(table.frame.columns)
    if column in names:
        return
    by_lower_case = {name.lower(): name for name in names}
    close = difflib.get_close_matches(column.lower(), by_lower_case, n=2)
    hint = f"; did you mean {' or '.join(repr(by_lower_case[c]) for c in close)}?" if close else "."
    if not table.has_names:
        hint = "; its first line holds numbers only, is the header line missing?"
    listed = ", ".join(names[:_MANY]) + (", ..." if len(names) > _MANY else "")
    raise _InputError(f"there is no column {column!r} in {source_name(source)}{hint} Columns: {listed}")


def _check_numbers(used: pd.DataFrame, options: argparse.Namespace) -> None:
    import pandas as pd

    textual = [c for c in used.columns if not pd.api.types.is_numeric_dtype(used[c])]
    if not textual:
        return
    first = used[textual[0]]
    numbers = pd.to_numeric(first, errors="coerce")
    odd = first[numbers.isna() & first.notna()]
    cell = f"{str(odd.iloc[0])[:40]!r} in row {1 + list(used.index).index(odd.index[0])} of {first.name!r}"
    cure = (
        "the target must hold numbers"
        if textual == [options.target]
        else f"leave them out with: --drop {_quoted([c for c in textual if c != options.target])}"
    )
    if numbers.notna().sum() > len(odd):  # a column of numbers, but for a few cells
        cure = f"correct the {len(odd)} cells that are no numbers, or {cure}"
    elif _are_dates(odd):
        cure = f"write dates as seconds or days since the first row, or {cure}"
    elif odd.nunique() <= _FEW < len(odd):
        cure = f"give each value of categories a column of 0 and 1 (pandas.get_dummies), or {cure}"
    source = source_name(options.file)
    raise _InputError(f"not numeric: {', '.join(map(repr, textual))} in {source} (first: {cell}); {cure}")


def _are_dates(cells: pd.Series) -> bool:
    import pandas as pd

    shown = cells.astype(str).head(_MANY)
    return all(any(c.isdigit() for c in cell) for cell in shown) and bool(
        pd.to_datetime(shown, errors="coerce", format="mixed").notna().all()
    )


def _quoted(columns: Sequence[str]) -> str:
    """Names as a shell takes them."""
    return " ".join(shlex.quote(column) for column in columns)


def _fit(options: argparse.Namespace, X: pd.DataFrame, y: pd.Series, groups: pd.Series | None, verbose: int = 1) -> Any:
    # Late, so that --help and mistakes in the options are answered without waiting for torch.
    from sklearn_eql import EQLRegressor
    from sklearn_eql.primitives import PRIMITIVES

    given = {
        name: getattr(options, name) for name in ("selection", "loss", "cv", "proposals", "max_time", "random_state")
    }
    functions = options.functions
    if functions is not None and len(functions) == 1 and functions[0] not in PRIMITIVES:
        functions = functions[0]  # one name is a preset unless it is a function
    given["functions"] = functions
    given["y_unit"] = options.y_unit
    given["units"] = None if options.units is None else _units(options.units, list(X.columns))
    given["dimensionless_constants"] = options.dimensionless_constants or None
    if options.form is not None:
        from sklearn_eql.symbolic.text import expression_of

        try:
            given["form"] = expression_of(options.form)
        except ValueError as error:
            raise _InputError(f"--form {error}") from None
    model = EQLRegressor(verbose=verbose, **{name: value for name, value in given.items() if value is not None})
    with contextlib.redirect_stdout(sys.stderr):  # stdout carries the result only
        return model.fit(X, y) if groups is None else model.fit(X, y, groups=groups)


def _units(given: Sequence[str], features: Sequence[str]) -> dict[str, str]:
    """Units by column; names of columns may hold an equals sign, units hold none."""
    found = {}
    for entry in given:
        column, sign, unit = entry.rpartition("=")
        if not sign:
            raise _InputError(f"--units {entry}: expected COLUMN=UNIT, such as v=m/s")
        if column not in features:
            raise _InputError(f"--units: {column!r} is no feature; features: {', '.join(features[:_MANY])}")
        found[column] = unit
    return found


def _report(options: argparse.Namespace, model: Any, features: list[str]) -> None:
    from sklearn_eql._display import RIVAL, equation_table, equation_text, pasteable_names, renamed
    from sklearn_eql.stopping import StopReason

    # Printed only: the model keeps the names of the file, which its predict expects.
    names = pasteable_names([options.target, *features])
    table = model.equations_.assign(sympy_expr=[renamed(law, names) for law in model.equations_["sympy_expr"]])
    law = renamed(model.sympy_expr_, names)
    print(equation_table(table, model.best_index_, options.precision))
    print()
    if "rival" in table and table["rival"].any():
        print(f"{RIVAL}: as accurate as the selected law, within a standard error")
    reason = str(model.stop_reason_)
    print(f"stopped: {reason} ({StopReason(reason).meaning})")
    used = {options.target, *(str(s) for expr in model.equations_["sympy_expr"] for s in expr.free_symbols)}
    for name, identifier in names.items():
        if identifier != name and name in used:
            print(f"{identifier} is column {name!r}")
    print(f"{names[options.target]} = {equation_text(law, options.precision)}")
    if options.groups is not None and model.group_constants_.shape[1]:
        print(f"\n{model.group_constants_.to_string(float_format=f'%.{options.precision}g')}")
        for name, found in model.group_laws_.items():
            print(f"{name} = {equation_text(found, options.precision)} with g = {options.groups}")
    if options.latex:
        print(f"\n{model.latex(precision=options.precision)}")
    if options.save is not None:
        import joblib

        try:
            joblib.dump(model, options.save)
        except OSError as error:
            raise _InputError(f"cannot write {options.save}: {error.strerror}") from None
        _say(f"model written to {options.save}")


if __name__ == "__main__":
    sys.exit(main())
