"""Laws and equation tables as text for terminals and pictures; the models keep every digit."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import sympy

if TYPE_CHECKING:
    import pandas as pd

RIVAL = "~"
"""Marks rows of a printed table whose law the data cannot tell from the selected one."""


def equation_text(expr: sympy.Expr, precision: int = 3) -> str:
    """`expr` on one line, its decimal constants rounded to `precision` significant digits.

    Integers, fractions and named constants are exact and stay as they are.
    """
    rounded = replaced(expr, {number: sympy.Float(number, precision) for number in expr.atoms(sympy.Float)})
    return sympy.sstr(rounded, full_prec=False)


def equation_table(equations: pd.DataFrame, best_index: int, precision: int = 3) -> str:
    """The table `equations_` of one output, simplest equation first, with an arrow at the selected row.

    A tilde marks its rivals, and cross-validated losses are shown where they are known.
    """
    held_out = [column for column in ("cv_loss", "cv_loss_se") if column in equations]
    shown = equations[["complexity", "loss", "score", *held_out]].copy()
    rivals = equations.index[equations["rival"]] if "rival" in equations else ()
    marks = dict.fromkeys(rivals, RIVAL) | {best_index: "->"}
    shown.insert(0, "", [marks.get(index, "") for index in equations.index])
    for column in ("loss", "score", *held_out):
        shown[column] = shown[column].map("{:.3g}".format)
    # The widest column comes last and is aligned by hand: pandas would push it to the right edge.
    texts = [equation_text(expr, precision) for expr in equations["sympy_expr"]]
    width = max(map(len, texts), default=0)
    shown["equation"] = [text.ljust(width) for text in texts]
    shown = shown.rename(columns={"equation": "equation".ljust(width)})
    return "\n".join(line.rstrip() for line in shown.to_string().splitlines())


def pasteable_names(names: Iterable[str]) -> dict[str, str]:
    """Identifiers for column names, distinct, in which a law can be pasted into Python and SymPy.

    Characters that no identifier holds become underscores: ``l (m)`` is ``l_m``, ``1`` is ``x_1``. Names that Python or
    SymPy give a meaning (``lambda``, ``E``, ``beta``) get an underscore at the end.
    """
    found: dict[str, str] = {}
    names = list(dict.fromkeys(names))
    plain = {name for name in names if _is_free(name)}  # they keep their names, whatever comes before them
    for name in names:
        stem = re.sub(r"\W+", "_", name).strip("_") or "x"
        if not stem.isidentifier():
            stem = f"x_{stem}"
        if name in plain:
            stem = name
        elif not _is_free(stem):
            stem += "_"
        identifier, copy = stem, 1
        while identifier in found.values() or (identifier in plain and identifier != name):
            copy += 1
            identifier = f"{stem.rstrip('_')}_{copy}"
        found[name] = identifier
    return found


def _is_free(name: str) -> bool:
    return (
        name.isidentifier() and not keyword.iskeyword(name) and not hasattr(builtins, name) and not hasattr(sympy, name)
    )


def renamed(expr: sympy.Expr, names: dict[str, str]) -> sympy.Expr:
    """The same law in other names."""
    return replaced(expr, {s: sympy.Symbol(names.get(s.name, s.name)) for s in expr.free_symbols})


def replaced(expr: sympy.Expr, mapping: Mapping[sympy.Expr, sympy.Expr]) -> sympy.Expr:
    """As ``expr.xreplace(mapping)`` for symbols and numbers, but products, sums and powers stay as they are written.

    SymPy would write ``exp(300.5 - x)`` as ``exp(300.5)*exp(-x)`` and ``0.1*(x - 1.7e9)`` as ``0.1*x - 1.7e8``, which
    overflow or cancel where the original does not.
    """
    if expr in mapping:
        return mapping[expr]
    args = [replaced(arg, mapping) for arg in expr.args]
    if all(new is old for new, old in zip(args, expr.args, strict=True)):
        return expr
    written = isinstance(expr, sympy.Add | sympy.Mul | sympy.Pow | sympy.exp)
    if written and any(arg.free_symbols for arg in args):
        return expr.func(*args, evaluate=False)
    return expr.func(*args)
