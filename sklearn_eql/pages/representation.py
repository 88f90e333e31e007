"""What a notebook shows of a fitted estimator: its laws, the tables they are from, their constants."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd

from sklearn_eql.pages.markup import frame_table, law_markup, laws_table

STYLE = """
.sklearn-eql { font-family: system-ui, sans-serif; line-height: 1.5; }
.sklearn-eql .main-law { font-size: 1.35em; margin: 0.6em 0; overflow-x: auto; }
.sklearn-eql math { white-space: nowrap; }
.sklearn-eql .wide { overflow-x: auto; max-width: 100%; }
.sklearn-eql table { border-collapse: collapse; font-size: 0.9em; margin: 0.4em 0; }
.sklearn-eql th, .sklearn-eql td { padding: 0.3em 0.7em; text-align: right; border-bottom: 1px solid #8884;
  white-space: nowrap; vertical-align: baseline; }
.sklearn-eql .law { text-align: left; }
.sklearn-eql td.law { white-space: normal; min-width: 16em; font-size: 1.1em; line-height: 1.9; }
.sklearn-eql td.text { text-align: left; white-space: normal; min-width: 6em; }
.sklearn-eql thead th { font-weight: 600; opacity: 0.75; }
.sklearn-eql tr.selected td { background: #d9480f1a; font-weight: 600; }
.sklearn-eql summary { cursor: pointer; margin: 0.3em 0; }
"""


def outputs_of(estimator: Any) -> list[tuple[str, pd.DataFrame, int]]:
    """Name, table of laws and selected row of every output; none where an estimator has no laws."""
    tables, best = estimator.equations_, estimator.best_index_
    if not isinstance(tables, list):
        return [("y", tables, best)]
    names = getattr(estimator, "state_names_", None)
    if names is None or len(names) != len(tables):
        names = [f"y{i}" for i in range(len(tables))]
    return [(str(name), table, row) for name, table, row in zip(names, tables, best, strict=True)]


def constants_of(estimator: Any) -> list[pd.DataFrame]:
    """Tables of constants with their errors, one for each output; none where an estimator has none."""
    found = getattr(estimator, "constants_", None)
    if found is None:
        return []
    return [frame for frame in (found if isinstance(found, list) else [found]) if len(frame)]


def laws_html(estimator: Any, precision: int = 3) -> str:
    """Laws of a fitted estimator, with tables to be opened."""
    parts = [f"<style>{STYLE}</style>"]
    for name, table, best in outputs_of(estimator):
        law = law_markup(table.loc[best, "sympy_expr"], name, precision)
        parts.append(f'<div class="main-law">{law}</div>')
        parts.append(_details(f"{len(table)} laws for {name}", laws_table(table, best, precision)))
    for frame in constants_of(estimator):
        parts.append(_details("constants", frame_table(frame)))
    return f'<div class="sklearn-eql">{"".join(parts)}</div>'


def _details(title: str, inner: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>{inner}</details>"
