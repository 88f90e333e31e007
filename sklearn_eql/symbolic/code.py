"""Laws as functions in other languages, as text that compiles by itself, and as NumPy and JAX functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import sympy

from sklearn_eql.symbolic import identifiers as words
from sklearn_eql.symbolic import printers
from sklearn_eql.symbolic.identifiers import identifiers
from sklearn_eql.symbolic.printers import LawPrinter

_FORTRAN_LINE = 120  # characters, of 132 that the standard allows
_EXCEL_FORMULA = 8192  # characters that Excel takes


def to_code(
    expr: sympy.Expr,
    names: Sequence[str],
    language: str,
    name: str = "law",
    variables: Mapping[str, str] | None = None,
) -> str:
    """A law as the text of a function of the columns that it reads, in their order; for Excel as a formula.

    Parameters
    ----------
    expr : sympy.Expr
        In symbols of the names of columns.
    names : sequence of str
        All columns, in order.
    language : {"c", "fortran", "julia", "python", "numpy", "javascript", "excel"}
    name : str
        Of the function.
    variables : mapping of str to str, optional
        Parameter for a column, or cell in Excel. By default the name of the column, characters that no identifier
        holds replaced (a comment says so); in Excel ``A2``, ``B2`` and so on, as if the columns stood in a sheet with
        one line above.

    Returns
    -------
    str
        What compiles by itself; in Excel what goes into a cell, from the equals sign on.

    Raises
    ------
    ValueError
        Unknown languages and columns, names that are no identifiers, functions that the language has not, a formula
        that is too long for Excel.
    """
    if language not in _WRITERS:
        raise ValueError(f"language={language!r} is not known. Expected one of {', '.join(map(repr, _WRITERS))}.")
    variables = dict(variables or {})
    unknown = [column for column in variables if column not in names]
    if unknown:
        raise ValueError(f"variables: {unknown[0]!r} is no column of the law. Expected names out of {list(names)}.")
    if language == "excel":
        return _excel(expr, names, variables)
    writer, taken = _WRITERS[language]
    for identifier in (name, *variables.values()):
        if not re.fullmatch(r"[A-Za-z]\w*", identifier, flags=re.ASCII) or identifier in taken:
            raise ValueError(
                f"{identifier!r} cannot be a name in {language}. Expected letters, digits and underscores."
            )
    read = [column for column in names if sympy.Symbol(column) in expr.free_symbols]
    others = [column for column in read if column not in variables]
    found = identifiers(others, {*taken, name, f"{name}_mod", *variables.values()}, ignore_case=language == "fortran")
    symbols = {column: variables.get(column) or found[column] for column in read}
    notes = [f"{new} is {_one_line(old)}" for old, new in symbols.items() if new != old]
    return writer(expr, symbols, name, notes)


def to_function(
    expressions: Sequence[sympy.Expr], names: Sequence[str], module: ModuleType, squeeze: bool
) -> Callable[[Any], Any]:
    """Laws as a function of arrays, in float64 or the precision that these have; NaN where a law is undefined.

    Parameters
    ----------
    expressions : sequence of sympy.Expr
        In symbols of the names of columns.
    names : sequence of str
        All columns, in order.
    module : module
        `numpy` or one with its names, such as `jax.numpy`.
    squeeze : bool
        Whether the last axis goes, of one law.

    Returns
    -------
    callable
        From ``(..., n_features)`` to ``(..., n_outputs)``, or ``(...)`` if `squeeze`. It raises a ValueError if there
        is not one value for each column.
    """
    n_features = len(names)
    symbols = {name: f"X[..., {i}]" for i, name in enumerate(names)}
    printer = LawPrinter(printers.array_syntax("np"), symbols)
    laws = [sympy.lambdify([sympy.Symbol("X")], e, modules=[{"np": module}], printer=printer) for e in expressions]

    def law(X: Any) -> Any:
        X = module.asarray(X)
        if X.shape[-1:] != (n_features,):
            raise ValueError(
                f"X has shape {X.shape}; expected (..., {n_features}), one column for each of {list(names)}."
            )
        if not module.issubdtype(X.dtype, module.floating):
            X = X.astype(float)
        with np.errstate(all="ignore"):  # as predict: what is undefined is NaN, without a word
            values = [module.broadcast_to(module.asarray(f(X), dtype=X.dtype), X.shape[:-1]) for f in laws]
        return values[0] if squeeze else module.stack(values, axis=-1)

    return law


def _c(expr: sympy.Expr, symbols: Mapping[str, str], name: str, notes: list[str]) -> str:
    text = LawPrinter(printers.C, symbols, name).doprint(expr)
    comment = [f" * {note}" for note in notes]
    helper = [
        f"static double {name}_mod(double a, double b)",
        "{",
        "    double r = fmod(a, b);",
        "    return r != 0.0 && (r < 0.0) != (b < 0.0) ? r + b : r;",
        "}",
        "",
    ]
    return _lines(
        "#include <math.h>",
        "",
        *(helper if expr.has(sympy.Mod) else []),
        *(["/*", *comment, " */"] if comment else []),
        f"double {name}({', '.join(f'double {s}' for s in symbols.values()) or 'void'})",
        "{",
        f"    return {text};",
        "}",
    )


def _fortran(expr: sympy.Expr, symbols: Mapping[str, str], name: str, notes: list[str]) -> str:
    text = LawPrinter(printers.FORTRAN, symbols, name).doprint(expr)
    arguments = list(symbols.values())
    declared = [f"    double precision, intent(in) :: {argument}" for argument in arguments]
    return _lines(
        *(f"! {note}" for note in notes),
        *_continued(f"function {name}({', '.join(arguments)}) result(value)"),
        "    implicit none",
        *declared,
        "    double precision :: value",
        *_continued(f"    value = {text}"),
        f"end function {name}",
    )


def _continued(line: str) -> list[str]:
    """A statement on as many lines as it needs."""
    pieces = [line[i : i + _FORTRAN_LINE] for i in range(0, len(line), _FORTRAN_LINE)]
    return [("&" if i else "") + piece + ("&" if i + 1 < len(pieces) else "") for i, piece in enumerate(pieces)]


def _julia(expr: sympy.Expr, symbols: Mapping[str, str], name: str, notes: list[str]) -> str:
    text = LawPrinter(printers.JULIA, symbols, name).doprint(expr)
    return _lines(
        *(f"# {note}" for note in notes),
        f"function {name}({', '.join(symbols.values())})",
        f"    return {text}",
        "end",
    )


def _python(expr: sympy.Expr, symbols: Mapping[str, str], name: str, notes: list[str]) -> str:
    return _python_like(LawPrinter(printers.PYTHON, symbols, name), "math", expr, name, notes, symbols)


def _numpy(expr: sympy.Expr, symbols: Mapping[str, str], name: str, notes: list[str]) -> str:
    return _python_like(LawPrinter(printers.array_syntax("numpy"), symbols, name), "numpy", expr, name, notes, symbols)


def _python_like(
    printer: LawPrinter, module: str, expr: sympy.Expr, name: str, notes: list[str], symbols: Mapping[str, str]
) -> str:
    text = printer.doprint(expr)
    return _lines(
        *([f"import {module}", "", ""] if f"{module}." in text else []),
        *(f"# {note}" for note in notes),
        f"def {name}({', '.join(symbols.values())}):",
        f"    return {text}",
    )


def _javascript(expr: sympy.Expr, symbols: Mapping[str, str], name: str, notes: list[str]) -> str:
    text = LawPrinter(printers.JAVASCRIPT, symbols, name).doprint(expr)
    helper = [
        f"function {name}_mod(a, b) {{",
        "  const r = a % b;",
        "  return r !== 0 && r < 0 !== b < 0 ? r + b : r;",
        "}",
        "",
    ]
    return _lines(
        *(helper if expr.has(sympy.Mod) else []),
        *(f"// {note}" for note in notes),
        f"function {name}({', '.join(symbols.values())}) {{",
        f"  return {text};",
        "}",
    )


def _excel(expr: sympy.Expr, names: Sequence[str], cells: Mapping[str, str]) -> str:
    symbols = {name: cells.get(name) or f"{_letters(i)}2" for i, name in enumerate(names)}
    formula = "=" + LawPrinter(printers.EXCEL, symbols).doprint(expr).replace(" ", "")
    if len(formula) > _EXCEL_FORMULA:
        raise ValueError(
            f"The formula has {len(formula)} characters, and Excel takes {_EXCEL_FORMULA}. Choose a shorter law with "
            "index=."
        )
    return formula


def _letters(column: int) -> str:
    """``A``, ``B``, ..., ``Z``, ``AA``: what a spreadsheet calls its columns, from 0."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _one_line(name: str) -> str:
    """A name as it may stand in a comment of any language."""
    shown = "".join(c if c.isprintable() else " " for c in name)
    return '"' + shown.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/") + '"'


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


_WRITERS: Mapping[str, tuple[Callable[..., str], frozenset[str]]] = {
    "c": (_c, words.C_WORDS),
    "fortran": (_fortran, words.FORTRAN_WORDS),
    "julia": (_julia, words.JULIA_WORDS),
    "python": (_python, words.PYTHON_WORDS),
    "numpy": (_numpy, words.PYTHON_WORDS),
    "javascript": (_javascript, words.JAVASCRIPT_WORDS),
    "excel": (_excel, frozenset()),
}
