"""A fit on one page: laws, pictures and constants in an HTML file that needs nothing but a browser."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn_eql.pages.markup import frame_table, law_markup, laws_table
from sklearn_eql.pages.representation import STYLE, constants_of, outputs_of
from sklearn_eql.plotting import FitDisplay, FrontDisplay, LossCurveDisplay, NetworkDisplay, ResidualsDisplay

_WIDE = 7.5  # inches
_PAGE_STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #222; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
figure { margin: 1rem 0; overflow-x: auto; }
figure img { display: block; max-width: 100%; height: auto; }
figure.wide img { min-width: 38rem; }
figcaption { color: #555; font-size: 0.9em; }
pre { overflow-x: auto; background: #f6f6f4; padding: 0.8em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.1em 1em; overflow-x: auto; }
dd { margin: 0; overflow-wrap: anywhere; }
"""


def report_page(
    estimator: Any, X: Any = None, y: Any = None, *, title: str | None = None, precision: int = 3, version: str = ""
) -> str:
    """The page of a fitted estimator, as text.

    Parameters
    ----------
    estimator : fitted estimator
    X, y : array-like, optional
        Rows, of the fit or others, on which the laws are shown: fit and residuals.
    title : str, optional
    precision : int, default=3
        Significant digits of constants; those of the table of constants are more.
    version : str, optional
        Of the package, for the last line.
    """
    title = title or f"{type(estimator).__name__}: a report"
    outputs = outputs_of(estimator)
    laws = "".join(
        f'<div class="main-law">{law_markup(table.loc[best, "sympy_expr"], name, precision)}</div>'
        for name, table, best in outputs
    )
    parts = [f"<h1>{html.escape(title)}</h1>", laws, _summary(estimator)]
    for output, (name, table, best) in enumerate(outputs):
        of = f" of {html.escape(name)}" if len(outputs) > 1 else ""
        parts.append(f"<h2>Laws{of}</h2>{laws_table(table, best, precision)}")
        parts.append("<p>&#9654; is selected; ~ marks laws that the rows cannot tell from it.</p>")
        at: dict[str, Any] = {"output": output, "precision": precision}
        parts.append(_figure("Accuracy against complexity", partial(FrontDisplay.from_estimator, estimator, **at)))
        parts.append(
            _figure(
                "The law as a sparse network: circles add, boxes are functions, numbers are coefficients",
                partial(NetworkDisplay.from_estimator, estimator, target=name, **at),
            )
        )
        if X is not None and y is not None:
            parts.append(f"<h2>Fit{of}</h2>")
            parts.append(_figure("Rows and law", partial(FitDisplay.from_estimator, estimator, X, y, **at)))
            parts.append(
                _figure("What the law leaves over", partial(ResidualsDisplay.from_estimator, estimator, X, y, **at))
            )
    for frame in constants_of(estimator):
        parts.append(f"<h2>Constants</h2>{frame_table(frame)}")
    if len(getattr(estimator, "loss_curve_", ())) > 1:
        parts.append("<h2>Search</h2>")
        parts.append(_figure("Best loss so far", partial(LossCurveDisplay.from_estimator, estimator)))
    parts += ["<h2>To take along</h2>", _code(estimator), "<h2>Settings</h2>", _parameters(estimator)]
    parts.append(f"<p>{html.escape(f'sklearn_eql {version}'.strip())}</p>")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{html.escape(title)}</title>'
        f"<style>{_PAGE_STYLE}{STYLE}</style></head>"
        f'<body><main class="sklearn-eql">{"".join(parts)}</main></body></html>\n'
    )


def _summary(estimator: Any) -> str:
    known = {
        "Variables": ", ".join(estimator.variables_),
        "Search ended": getattr(estimator, "stop_reason_", None),
        "Steps": getattr(estimator, "n_iter_", None),
    }
    told = {k: ", ".join(v) if isinstance(v, list) else str(v) for k, v in known.items() if v is not None}
    rows = [f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in told.items()]
    return f"<dl>{''.join(rows)}</dl>"


def _figure(caption: str, draw: Callable[[], Any]) -> str:
    """A picture with its caption; on a narrow screen one that is wide scrolls, others shrink."""
    import matplotlib.pyplot as plt

    figure = draw().figure_
    kind = ' class="wide"' if figure.get_figwidth() > _WIDE else ""
    picture = io.BytesIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    plt.close(figure)
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    caption = html.escape(caption)
    image = f'<img alt="{caption}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure{kind}>{image}<figcaption>{caption}</figcaption></figure>"


def _code(estimator: Any) -> str:
    parts = []
    for language in ("python", "c", "excel"):
        code = estimator.code(language)
        text = "\n".join(code) if isinstance(code, list) else code
        parts.append(f"<details><summary>{language}</summary><pre>{html.escape(text)}</pre></details>")
    return "".join(parts)


def _parameters(estimator: Any) -> str:
    default = type(estimator)().get_params(deep=False)
    changed = {k: v for k, v in estimator.get_params(deep=False).items() if repr(v) != repr(default.get(k))}
    rows = [f"<dt>{html.escape(k)}</dt><dd>{html.escape(repr(v))}</dd>" for k, v in changed.items()]
    return f"<dl>{''.join(rows)}</dl>" if rows else "<p>All as by default.</p>"
