"""Find the law behind a column of a CSV file: ``python -m sklearn_eql data.csv --target y``."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ",;\t"  # the first wins where a header holds equally many
_MANY = 20  # column names that an error message lists


class _InputError(Exception):
    """What the user has to change, in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 with one line on stderr that says what to change."""
    options = _parser().parse_args(argv)
    try:
        X, y = _read(options)
        model = _fit(options, X, y)
        _report(options, model)
    except (_InputError, ValueError, RuntimeError) as error:
        print("sklearn-eql: error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sklearn-eql",
        description="Find the equation that gives one column of a CSV file from the others. The equation table and the "
        "law go to stdout, progress to stderr.",
    )
    parser.add_argument("file", type=Path, help="CSV file with a header line")
    parser.add_argument("--target", required=True, metavar="COL", help="column to explain")
    parser.add_argument("--features", nargs="+", metavar="COL", help="columns to use (default: all others)")
    parser.add_argument("--drop", nargs="+", default=[], metavar="COL", help="columns to leave out")
    parser.add_argument("--functions", nargs="+", metavar="NAME", help="a preset, or names such as: id square sin")
    parser.add_argument("--selection", help="how one equation is picked: best, accurate, simple or extrapolation")
    parser.add_argument("--max-time", type=float, metavar="S", help="seconds, after which the best so far is kept")
    parser.add_argument("--random-state", type=int, metavar="N", help="seed, for a run that can be repeated")
    parser.add_argument("--precision", type=int, default=3, metavar="N", help="digits of printed constants (default 3)")
    parser.add_argument("--latex", action="store_true", help="print the law as LaTeX, too")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the fitted model: joblib.load(FILE)")
    return parser


def _read(options: argparse.Namespace) -> tuple[pd.DataFrame, pd.Series]:
    """Features and target, numbers without gaps; whatever hinders that is reported before any work starts."""
    if options.precision < 1:
        raise _InputError(f"--precision must be at least 1, got {options.precision}")
    if options.save is not None and not options.save.absolute().parent.is_dir():
        raise _InputError(f"--save {options.save}: there is no folder {options.save.parent}; create it first")
    table = _read_table(options.file)

    for column in [options.target, *options.drop, *(options.features or [])]:
        _check_column(column, table, options.file)
    features = options.features or [c for c in table.columns if c != options.target]
    if options.target in [*options.drop, *features]:
        raise _InputError(f"column {options.target!r} is the target; leave it out of --features and --drop")
    features = [c for c in dict.fromkeys(features) if c not in options.drop]
    if not features:
        raise _InputError(f"no column is left to explain {options.target!r}; name fewer in --drop")

    used = table[[*features, options.target]]
    textual = [c for c in used.columns if not _is_numeric(used[c])]
    if textual:
        cure = (
            "the target must hold numbers"
            if textual == [options.target]
            else f"leave them out with: --drop {' '.join(_quoted(c) for c in textual if c != options.target)}"
        )
        raise _InputError(f"not numeric: {', '.join(map(repr, textual))} in {options.file}; {cure}")
    gaps = used.columns[used.isna().any()].tolist()
    if gaps:
        n_rows = int(used.isna().any(axis=1).sum())
        raise _InputError(
            f"empty cells in {', '.join(map(repr, gaps))} ({n_rows} of {len(used)} rows); fill them or remove the rows"
        )
    return used[features], used[options.target]


def _read_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as stream:
            header = stream.readline()
        separator = max(_SEPARATORS, key=header.count)
        table = pd.read_csv(path, sep=separator, encoding="utf-8-sig", skipinitialspace=True)
    except FileNotFoundError:
        raise _InputError(f"there is no file {path}") from None
    except OSError as error:
        raise _InputError(f"cannot read {path}: {error.strerror}") from None
    except pd.errors.EmptyDataError:
        raise _InputError(f"{path} is empty; expected a header line and rows of numbers") from None
    except UnicodeDecodeError:
        raise _InputError(f"{path} is not text in UTF-8; save it as CSV (UTF-8)") from None
    except pd.errors.ParserError as error:
        raise _InputError(f"{path} is not a CSV table: {error}") from None
    if table.empty:
        raise _InputError(f"{path} has a header but no rows")
    return table.rename(columns=str.strip)


def _check_column(column: str, table: pd.DataFrame, path: Path) -> None:
    if column in table.columns:
        return
    by_lower_case = {name.lower(): name for name in table.columns}
    close = difflib.get_close_matches(column.lower(), by_lower_case, n=2)
    hint = f"; did you mean {' or '.join(repr(by_lower_case[c]) for c in close)}?" if close else "."
    names = ", ".join(table.columns[:_MANY]) + (", ..." if len(table.columns) > _MANY else "")
    raise _InputError(f"there is no column {column!r} in {path}{hint} Columns: {names}")


def _is_numeric(column: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column)


def _quoted(column: str) -> str:
    return f"'{column}'" if " " in column else column


def _fit(options: argparse.Namespace, X: pd.DataFrame, y: pd.Series) -> Any:
    # Late, so that --help and mistakes in the options are answered without waiting for torch.
    from sklearn_eql import EQLRegressor
    from sklearn_eql.primitives import PRIMITIVES

    given = {name: getattr(options, name) for name in ("selection", "max_time", "random_state")}
    functions = options.functions
    if functions is not None and len(functions) == 1 and functions[0] not in PRIMITIVES:
        functions = functions[0]  # one name is a preset unless it is a function
    given["functions"] = functions
    model = EQLRegressor(verbose=1, **{name: value for name, value in given.items() if value is not None})
    with contextlib.redirect_stdout(sys.stderr):  # stdout carries the result only
        return model.fit(X, y)


def _report(options: argparse.Namespace, model: Any) -> None:
    from sklearn_eql._display import equation_table, equation_text

    print(equation_table(model.equations_, model.best_index_, options.precision))
    print()
    print(f"{options.target} = {equation_text(model.sympy_expr_, options.precision)}")
    if options.latex:
        print(f"\n{model.latex(precision=options.precision)}")
    if options.save is not None:
        import joblib

        try:
            joblib.dump(model, options.save)
        except OSError as error:
            raise _InputError(f"cannot write {options.save}: {error.strerror}") from None
        print(f"sklearn-eql: model written to {options.save}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
