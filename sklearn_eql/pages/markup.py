"""Laws, tables and numbers in HTML; laws in MathML, which browsers typeset by themselves."""

from __future__ import annotations

import html
import re
from typing import Any

import pandas as pd
import sympy
from sympy.printing.conventions import split_super_sub
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.pretty.pretty_symbology import greek_unicode

from sklearn_eql._display import replaced

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_MINUS = "\u2212"
_OPERATOR = '<mo form="infix" lspace="0" rspace="0.25em">{}</mo>'  # a space comes before it, where lines may break
_ENTITY = re.compile(r"&(#?\w+);")
_TEXT = re.compile(r"\W")


class _LawPrinter(MathMLPresentationPrinter):
    """Names that are no mathematical symbols, such as ``length (m)``, as text."""

    def _print_Symbol(self, sym: sympy.Symbol, style: str = "plain") -> Any:
        if not _TEXT.search(sym.name):
            return super()._print_Symbol(sym, style=style)
        element = self.dom.createElement("mtext")
        element.appendChild(self.dom.createTextNode(html.escape(sym.name)))  # the printer itself escapes nothing
        return element

    def _print__Exponential(self, expr: sympy.Expr) -> Any:
        element = self.dom.createElement("msup")
        base = self.dom.createElement("mi")
        base.appendChild(self.dom.createTextNode("e"))
        element.appendChild(base)
        exponent = self.dom.createElement("mrow")
        exponent.appendChild(self._print(expr.args[0]))
        element.appendChild(exponent)
        return element


class _Exponential(sympy.Function):
    """Written as a power of e with its sign, while SymPy would write ``exp(-x)`` as a fraction."""

    nargs = 1


def name_markup(name: str) -> str:
    """A name as laws have it: ``alpha_1`` is a Greek letter with an index."""
    return _presentation(sympy.Symbol(name))


def law_markup(expr: sympy.Expr, left: str | None = None, precision: int = 3) -> str:
    """A law in MathML, constants rounded; sums are one element for each term, so that lines break between these.

    Parameters
    ----------
    expr : sympy.Expr
    left : str, optional
        What stands before the equality sign, in MathML; none by default.
    precision : int, default=3
        Significant digits of constants.
    """
    numbers = {f: sympy.Float(f"{float(f):.{precision - 1}e}", precision) for f in expr.atoms(sympy.Float)}
    rounded = replaced(expr, numbers)
    terms = list(rounded.as_ordered_terms()) if rounded.is_Add else [rounded]
    parts = [] if left is None else [_math(f"{left}<mo>=</mo>")]
    for i, term in enumerate(terms):
        sign, size = (_MINUS, -term) if i and term.could_extract_minus_sign() else ("+" if i else "", term)
        operator = _OPERATOR.format(sign) if sign else ""
        parts.append(_math(operator + _presentation(size)))
    return " ".join(parts)


def _math(inner: str) -> str:
    return f'<math xmlns="{_NAMESPACE}" displaystyle="true"><mrow>{inner}</mrow></math>'


def _presentation(expr: sympy.Expr) -> str:
    """Factors stand beside each other where all names are letters with indices, else with a dot between."""
    between = None if all(_is_letter(symbol.name) for symbol in expr.free_symbols) else "dot"
    text = _ENTITY.sub(_character, _LawPrinter({"mul_symbol": between}).doprint(_with_powers_of_e(expr)))
    return text.replace("<mn>-", f"<mn>{_MINUS}").replace("<mo>-</mo>", f"<mo>{_MINUS}</mo>")


def _is_letter(name: str) -> bool:
    stem = split_super_sub(name)[0]
    return len(stem) == 1 or stem in greek_unicode


def _with_powers_of_e(expr: sympy.Expr) -> sympy.Expr:
    if not expr.has(sympy.exp):
        return expr
    args = [_with_powers_of_e(arg) for arg in expr.args]
    if isinstance(expr, sympy.exp):
        return _Exponential(*args)
    if isinstance(expr, sympy.Add | sympy.Mul | sympy.Pow):
        return expr.func(*args, evaluate=False)
    return expr.func(*args)


def _character(entity: re.Match) -> str:
    """What an entity stands for, but for those that are no markup because they are entities."""
    if entity[1] in ("lt", "gt", "amp", "quot") or entity[1].startswith("#"):
        return entity[0]
    return {"ExponentialE": "e"}.get(entity[1]) or html.unescape(entity[0])


def number(value: float, precision: int = 3) -> str:
    """A number to `precision` significant digits."""
    return f"{value:.{precision}g}".replace("-", _MINUS)


def laws_table(equations: pd.DataFrame, best_index: int, precision: int = 3) -> str:
    """The table of laws, the selected one marked."""
    columns = [c for c in ("delta_dl", "cv_loss", "coverage") if c in equations]
    head = "".join(f"<th>{name}</th>" for name in ("complexity", "loss", *columns))
    head = f'<th></th><th class="law">law</th>{head}'
    rows = []
    for label, row in equations.iterrows():
        is_best = label == best_index
        mark = "&#9654;" if is_best else "~" if row.get("rival", False) else ""
        law = law_markup(row["sympy_expr"], precision=precision)
        cells = [f"<td>{label} {mark}</td>", f'<td class="law">{law}</td>', f"<td>{row['complexity']}</td>"]
        cells += [f"<td>{number(row[c])}</td>" for c in ("loss", *columns)]
        start = '<tr class="selected">' if is_best else "<tr>"
        rows.append(f"{start}{''.join(cells)}</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def frame_table(frame: pd.DataFrame, precision: int = 6) -> str:
    """A data frame, numbers to `precision` significant digits."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f"<td>{number(value, precision)}</td>"
        if isinstance(value, sympy.Expr):
            return f"<td>{law_markup(value, precision=precision)}</td>"
        return f'<td class="text">{"" if value is None else html.escape(str(value))}</td>'

    def is_text(name: Any) -> bool:
        return any(isinstance(value, str) for value in frame[name])

    heads = (f"<th{' class=text' * is_text(name)}>{html.escape(str(name))}</th>" for name in frame.columns)
    head = "".join(["<th></th>", *heads])
    rows = [
        f"<tr><th>{html.escape(str(label))}</th>{''.join(map(cell, row))}</tr>"
        for label, *row in frame.itertuples(name=None)
    ]
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
