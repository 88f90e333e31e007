"""A fit on one page: laws, pictures and constants in an HTML file that needs nothing but a browser."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from sklearn_eql.pages import motion
from sklearn_eql.pages.markup import frame_table, laws_table
from sklearn_eql.pages.outputs import Output, outputs_of
from sklearn_eql.pages.pieces import definitions, figure
from sklearn_eql.pages.representation import STYLE, constants_of, group_constants_of, main_law
from sklearn_eql.plotting import FitDisplay, FrontDisplay, LossCurveDisplay, NetworkDisplay, ResidualsDisplay
from sklearn_eql.stopping import StopReason

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
    estimator: Any,
    X: Any = None,
    y: Any = None,
    *,
    groups: Any = None,
    title: str | None = None,
    precision: int = 3,
    versions: Mapping[str, str] | None = None,
) -> str:
    """The page of a fitted estimator, as text.

    Parameters
    ----------
    estimator : fitted estimator
    X, y : array-like, optional
        Rows, of the fit or others, on which the laws are shown: fit and residuals. Of laws of motion: series.
    groups : array-like, optional
        Labels of these rows, where the law has constants for each group.
    title : str, optional
    precision : int, default=3
        Significant digits of constants; those of the table of constants are more.
    versions : mapping of str to str, optional
        Of the package and what it is made with.
    """
    title = title or f"{type(estimator).__name__}: a report"
    of_motion, has_data = motion.is_of_motion(estimator), X is not None and y is not None
    outputs = outputs_of(estimator)
    parts = [f"<h1>{html.escape(title)}</h1>", *(main_law(output, precision) for output in outputs)]
    parts.append(_summary(estimator, motion.summary(estimator) if of_motion else {}))
    for number, output in enumerate(outputs):
        of = f" of {html.escape(output.text)}" if len(outputs) > 1 else ""
        parts += _laws(estimator, number, output, of, precision)
        if has_data and not of_motion:
            parts += _fit(estimator, X, y, groups, number, of, precision)
    if of_motion:
        parts += motion.rollout_parts(estimator, X, y) if has_data else []
        parts += motion.latent_parts(estimator, X)
    parts += _constants(estimator, outputs)
    if _longest_curve(estimator) > 1:
        parts.append("<h2>Search</h2>")
        caption = motion.LOSS if of_motion else "How the loss went in the fit"
        parts.append(figure(caption, partial(LossCurveDisplay.from_estimator, estimator)))
    parts += ["<h2>To take along</h2>", _code(estimator), "<h2>Settings</h2>", _parameters(estimator)]
    parts.append(f"<h2>Versions</h2>{definitions(versions)}" if versions else "")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{html.escape(title)}</title>'
        f"<style>{_PAGE_STYLE}{STYLE}</style></head>"
        f'<body><main class="sklearn-eql">{"".join(parts)}</main></body></html>\n'
    )


def _summary(estimator: Any, more: Mapping[str, Any]) -> str:
    reasons = getattr(estimator, "stop_reason_", None)
    ended = None
    if reasons is not None:
        known = [StopReason(reason) for reason in ([reasons] if isinstance(reasons, str) else reasons)]
        ended = "; ".join(dict.fromkeys(f"{reason}: {reason.meaning}" for reason in known))
    own = [name for frame in group_constants_of(estimator) for name in frame]
    of = more or {"Variables": ", ".join(name for name in estimator.variables_ if name not in own)}
    return definitions({**of, "Search ended": ended, "Steps": getattr(estimator, "n_iter_", None)})


def _laws(estimator: Any, number: int, output: Output, of: str, precision: int) -> Iterator[str]:
    """The table of laws of an output, and pictures of them."""
    at: dict[str, Any] = {"output": number, "precision": precision}
    yield f"<h2>Laws{of}</h2>{laws_table(output.table, output.best, precision)}"
    rivals = "; ~ marks laws that the rows cannot tell from it" if "rival" in output.table else ""
    yield f"<p>&#9654; is selected{rivals}.</p>"
    if len(output.table) > 1:
        yield figure("Accuracy against complexity", partial(FrontDisplay.from_estimator, estimator, **at))
    yield figure(
        "The law as a sparse network: circles add, boxes are functions, numbers are coefficients",
        partial(NetworkDisplay.from_estimator, estimator, target=output.text, **at),
    )


def _fit(estimator: Any, X: Any, y: Any, groups: Any, number: int, of: str, precision: int) -> Iterator[str]:
    """How the law of an output meets rows."""
    at: dict[str, Any] = {"output": number, "precision": precision, "groups": groups}
    yield f"<h2>Fit{of}</h2>"
    yield figure("Rows and law", partial(FitDisplay.from_estimator, estimator, X, y, **at))
    yield figure("What the law leaves over", partial(ResidualsDisplay.from_estimator, estimator, X, y, **at))


def _constants(estimator: Any, outputs: list[Output]) -> Iterator[str]:
    for output, frame in zip(outputs, constants_of(estimator), strict=True):
        if len(frame):
            of = f" of {html.escape(output.text)}" if len(outputs) > 1 else ""
            yield f"<h2>Constants{of}</h2>{frame_table(frame)}"
    for frame in group_constants_of(estimator):
        yield f"<h2>Constants of groups</h2>{frame_table(frame)}"


def _longest_curve(estimator: Any) -> int:
    curves = getattr(estimator, "loss_curve_", ())
    return max((len(curve) if hasattr(curve, "__len__") else len(curves) for curve in curves), default=0)


def _code(estimator: Any) -> str:
    parts = []
    for language in ("python", "c", "excel"):
        code = estimator.code(language)
        text = "\n".join(code) if isinstance(code, list) else code
        parts.append(f"<details><summary>{language}</summary><pre>{html.escape(text)}</pre></details>")
    return "".join(parts)


def _parameters(estimator: Any) -> str:
    default = type(estimator)().get_params(deep=False)
    changed = {k: repr(v) for k, v in estimator.get_params(deep=False).items() if repr(v) != repr(default.get(k))}
    return definitions(changed) if changed else "<p>All as by default.</p>"
