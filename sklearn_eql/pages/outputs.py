"""The outputs of a fitted estimator: their laws, and what stands on the left of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from sklearn_eql.pages.markup import name_markup


@dataclass(frozen=True)
class Output:
    """One output.

    Parameters
    ----------
    name : str
    left : str
        What its law is the value of, in MathML: the output itself, its next value, or its rate of change.
    text : str
        The same in plain text.
    table : DataFrame
        As in ``equations_``.
    best : int
        The selected row.
    """

    name: str
    left: str
    text: str
    table: pd.DataFrame
    best: int


def outputs_of(estimator: Any) -> list[Output]:
    """All outputs of an estimator with laws."""
    tables, best = estimator.equations_, estimator.best_index_
    if not isinstance(tables, list):
        return [Output("y", name_markup("y"), "y", tables, best)]
    names = getattr(estimator, "state_names_", None)
    if names is None:
        names = [f"y{i}" for i in range(len(tables))]
        sides = [(name_markup(name), name) for name in names]
    else:
        sides = [_of_motion(name, estimator.form_) for name in names]
    return [
        Output(str(name), *side, table, row) for name, side, table, row in zip(names, sides, tables, best, strict=True)
    ]


def _of_motion(name: str, form: str) -> tuple[str, str]:
    """What a law of motion gives, of a state of this name: MathML and text."""
    symbol = name_markup(name)
    if form == "update":
        return f"<mtext>next&#160;</mtext>{symbol}", f"next {name}"
    d, mark = ("<mi>d</mi>", "d") if form == "ode" else ("<mo>&#916;</mo>", "\u0394")
    return f"<mfrac><mrow>{d}{symbol}</mrow><mrow>{d}<mi>t</mi></mrow></mfrac>", f"{mark}{name}/{mark}t"
