"""What a notebook shows of a fitted estimator: its laws, the tables they are from, their constants."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd

from sklearn_eql.pages.markup import frame_table, law_markup, laws_table
from sklearn_eql.pages.outputs import Output, outputs_of

STYLE = """
.sklearn-eql { font-family: system-ui, sans-serif; line-height: 1.5; }
.sklearn-eql .main-law { font-size: 1.35em; margin: 0.2em 0; padding: 0.4em 0; overflow-x: auto; }
.sklearn-eql math { white-space: nowrap; }
.sklearn-eql .wide { overflow-x: auto; max-width: 100%; }
.sklearn-eql table { border-collapse: collapse; font-size: 0.9em; margin: 0.4em 0; }
.sklearn-eql th, .sklearn-eql td { padding: 0.3em 0.7em; text-align: right; border-bottom: 1px solid #8884;
  white-space: nowrap; vertical-align: baseline; }
.sklearn-eql .law, .sklearn-eql th.text { text-align: left; }
.sklearn-eql td.law { white-space: normal; min-width: 16em; font-size: 1.1em; line-height: 1.9; }
.sklearn-eql td.text { text-align: left; white-space: normal; min-width: 6em; }
.sklearn-eql thead th { font-weight: 600; opacity: 0.75; }
.sklearn-eql tr.selected td { background: #d9480f1a; font-weight: 600; }
.sklearn-eql summary { cursor: pointer; margin: 0.3em 0; }
"""


def constants_of(estimator: Any) -> list[pd.DataFrame]:
    """Tables of constants, with their errors where these are known, one for each output."""
    found = estimator.constants_
    return found if isinstance(found, list) else [found]


def group_constants_of(estimator: Any) -> list[pd.DataFrame]:
    """Constants that groups have for themselves, one table for each output that has any."""
    found = getattr(estimator, "group_constants_", [])
    return [frame for frame in (found if isinstance(found, list) else [found]) if frame.shape[1]]


def main_law(output: Output, precision: int = 3) -> str:
    """The selected law of an output, large."""
    law = law_markup(output.table.loc[output.best, "sympy_expr"], output.left, precision)
    return f'<div class="main-law">{law}</div>'


def laws_html(estimator: Any, precision: int = 3) -> str:
    """Laws of a fitted estimator, with tables to be opened."""
    parts = [f"<style>{STYLE}</style>"]
    for output in outputs_of(estimator):
        parts.append(main_law(output, precision))
        title = f"{len(output.table)} {'law' if len(output.table) == 1 else 'laws'} for {output.text}"
        parts.append(_details(title, laws_table(output.table, output.best, precision)))
    parts += [_details("constants", frame_table(frame)) for frame in constants_of(estimator) if len(frame)]
    parts += [_details("constants of groups", frame_table(frame)) for frame in group_constants_of(estimator)]
    return f'<div class="sklearn-eql">{"".join(parts)}</div>'


def _details(title: str, inner: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>{inner}</details>"
