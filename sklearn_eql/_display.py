"""Laws and equation tables as text for terminals and pictures; the models keep every digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy

if TYPE_CHECKING:
    import pandas as pd


def equation_text(expr: sympy.Expr, precision: int = 3) -> str:
    """`expr` on one line, its decimal constants rounded to `precision` significant digits.

    Integers, fractions and named constants are exact and stay as they are.
    """
    rounded = expr.xreplace({number: sympy.Float(number, precision) for number in expr.atoms(sympy.Float)})
    return sympy.sstr(rounded, full_prec=False)


def equation_table(equations: pd.DataFrame, best_index: int, precision: int = 3) -> str:
    """The table `equations_` of one output, simplest equation first, with an arrow at the selected row."""
    shown = equations[["complexity", "loss", "score"]].copy()
    shown.insert(0, "", ["->" if index == best_index else "" for index in equations.index])
    for column in ("loss", "score"):
        shown[column] = shown[column].map("{:.3g}".format)
    # The widest column comes last and is aligned by hand: pandas would push it to the right edge.
    texts = [equation_text(expr, precision) for expr in equations["sympy_expr"]]
    width = max(map(len, texts), default=0)
    shown["equation"] = [text.ljust(width) for text in texts]
    shown = shown.rename(columns={"equation": "equation".ljust(width)})
    return "\n".join(line.rstrip() for line in shown.to_string().splitlines())
