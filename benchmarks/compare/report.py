"""The report of the comparison: tables as markdown, and pictures, from the records."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import last_of_each, markdown_table, write_with_picture

from compare.measure import key
from compare.methods import METHODS

Record = dict[str, Any]
HEADER = [
    *("method", "recovered", "error inside", "error outside", "undefined outside", "nodes"),
    *("median s", "slowest s", "cpu s", "memory MiB", "failed"),
]
_BLACK_BOX = ("boosted trees",)
_LEAST, _MOST = 1e-16, 1e3  # of the axes of errors


def methods_of(records: Sequence[Record]) -> list[str]:
    """In the order of `METHODS`."""
    there = {record["method"] for record in records}
    return [method for method in METHODS if method in there]


def compared(records: Sequence[Record]) -> list[Record]:
    """Runs on problems that all methods have had, so that an unfinished comparison compares the same."""
    methods = methods_of(records)
    had: dict[tuple, set[str]] = {}
    for record in records:
        had.setdefault(key(record)[1:], set()).add(record["method"])
    return [record for record in records if len(had[key(record)[1:]]) == len(methods)]


def median_error(records: Sequence[Record], name: str) -> str:
    """Median of an error: runs that failed or are undefined are the worst, tables without such rows do not count."""
    values = [math.inf if r["failure"] or r[name] == "undefined" else r[name] for r in records]
    counted = [value for value in values if value is not None]
    if not counted:
        return "-"
    middle = statistics.median(counted)
    return "undefined" if math.isinf(middle) else f"{middle:.1e}"


def median(records: Sequence[Record], name: str, form: str = ".1f") -> str:
    values = [record[name] for record in records if record[name] is not None]
    return f"{statistics.median(values):{form}}" if values else "-"


def row(method: str, records: Sequence[Record]) -> list[str]:
    its = [record for record in records if record["method"] == method]
    seconds = [record["seconds"] for record in its if record["seconds"] is not None]
    undefined = sum(record["outside"] == "undefined" for record in its)
    found = "no law" if method in _BLACK_BOX else f"{sum(record['recovered'] for record in its)} of {len(its)}"
    return [
        *(method, found, median_error(its, "inside"), median_error(its, "outside"), f"{undefined}"),
        *(median(its, "complexity", ".0f"), median(its, "seconds"), f"{max(seconds):.1f}" if seconds else "-"),
        *(median(its, "cpu"), median(its, "memory", ".0f"), f"{sum(r['failure'] is not None for r in its)}"),
    ]


def report(records: list[Record]) -> str:
    """Markdown: a table per group, noise and budget; how each method was run; a line per problem."""
    records = last_of_each(records, key)
    lines = ["# Methods compared", ""]
    settings = dict.fromkeys((r["group"], r["noise"], r["budget"]) for r in records)
    for group, noise, budget in settings:
        its = compared([r for r in records if (r["group"], r["noise"], r["budget"]) == (group, noise, budget)])
        problems = {(r["suite"], r["problem"]) for r in its}
        n_seeds = len({r["seed"] for r in its})
        table = markdown_table(HEADER, [row(method, its) for method in methods_of(its)])
        about = f"{len(problems)} problems, {n_seeds} seed{'s' * (n_seeds != 1)}, {budget:g} s per fit"
        lines += [f"## {group.capitalize()}: {about}{f', noise {noise:g}' if noise else ''}", "", table, ""]
    lines += [
        "Errors are medians of root mean square errors over that of the target; runs that failed or are undefined are "
        "the worst. Nodes are those of the law (of all trees for boosted ones). Memory is the peak of the process "
        "while it fitted, with what it had imported. Black boxes have no law to be recovered.",
        "",
        "## How each method was run",
        "",
        markdown_table(["method", "version", "settings"], [_settings(name, records) for name in METHODS]),
        "",
        f"Commits: {', '.join(sorted({str(r.get('commit')) for r in records}))}. {_machine(records)}",
        "",
        "## Problem by problem",
        "",
        "Recovered (yes), or the error outside the range; `x` failed, `-` not run.",
        "",
        problem_table(records),
    ]
    return "\n".join(lines) + "\n"


def _settings(name: str, records: Sequence[Record]) -> list[str]:
    known = [r["versions"].get(METHODS[name].package) for r in records if r["method"] == name and "versions" in r]
    if not known:
        there = "not run" if METHODS[name].is_installed else "not installed"
        return [name, there, METHODS[name].settings]
    return [name, ", ".join(sorted({str(version) for version in known})), METHODS[name].settings]


def _machine(records: Sequence[Record]) -> str:
    machines = {
        f"{m['cpu']}, {m['cores']} cores, Python {m['python']}" for r in records if (m := r.get("machine")) is not None
    }
    return f"Machine: {'; '.join(sorted(machines))}." if machines else ""


def problem_table(records: Sequence[Record]) -> str:
    methods = methods_of(records)
    rows = []
    for group, suite, problem, noise, budget in dict.fromkeys(
        (r["group"], r["suite"], r["problem"], r["noise"], r["budget"]) for r in records
    ):
        about = (group, suite, problem, noise, budget)
        its = [r for r in records if (r["group"], r["suite"], r["problem"], r["noise"], r["budget"]) == about]
        cells = [cell([r for r in its if r["method"] == method]) for method in methods]
        rows.append([suite, problem, f"{noise:g}", f"{budget:g}", *cells])
    return markdown_table(["suite", "problem", "noise", "budget s", *methods], rows)


def cell(records: Sequence[Record]) -> str:
    if not records:
        return "-"
    n_found = sum(record["recovered"] for record in records)
    if n_found:
        return "yes" if n_found == len(records) else f"yes, {n_found} of {len(records)}"
    return "x" if all(record["failure"] for record in records) else median_error(records, "outside")


# --- Pictures


def draw(records: Sequence[Record], path: Path) -> None:
    """A row per group: the share of runs with an error outside below a bound; seconds, nodes and error of each run."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    records = last_of_each(records, key)
    groups = list(dict.fromkeys(r["group"] for r in records))
    colours = dict(zip(METHODS, [f"C{i}" for i in range(len(METHODS))], strict=True))
    figure = Figure(figsize=(13.5, 4.2 * len(groups) + 0.7), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(groups), 3, squeeze=False)
    for (shares, times, sizes), group in zip(panels, groups, strict=True):
        its = compared([r for r in records if r["group"] == group])
        for method in methods_of(its):
            runs = [r for r in its if r["method"] == method]
            _draw_shares(shares, runs, method, colours[method])
            _draw_medians(times, runs, "seconds", method, colours[method])
            _draw_medians(sizes, runs, "complexity", method, colours[method])
        shares.set(xscale="log", xlim=(_LEAST, _MOST), ylim=(-2, 102), ylabel=f"{group}: % of runs")
        shares.set_xlabel("error outside the range, at most")
        for panel, label in ((times, "seconds of fit"), (sizes, "nodes")):
            panel.set(xscale="log", yscale="log", ylim=(_LEAST, _MOST), xlabel=label, ylabel="error outside")
        for panel in (shares, times, sizes):
            panel.grid(True, color="0.9", linewidth=0.8)
            panel.spines[["top", "right"]].set_visible(False)
    handles = {label: h for h, label in zip(*panels[0, 0].get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles), frameon=False)
    figure.savefig(path)


def outside(record: Record) -> float:
    """The error outside as a number on the axes: failures and what is undefined at their end."""
    value = record["outside"]
    if record["failure"] or value == "undefined":
        return _MOST
    return math.nan if value is None else float(np.clip(value, _LEAST, _MOST))


def _draw_shares(panel: Any, runs: Sequence[Record], method: str, colour: str) -> None:
    errors = np.sort([outside(r) for r in runs])
    counted = errors[errors < _MOST]
    share = 100 * np.arange(1, len(counted) + 1) / max(1, len(runs))
    style = "-" if method == next(iter(METHODS)) else "--" if METHODS[method].package == "scikit-learn" else "-."
    ends = [*counted, _MOST], [*share, share[-1] if len(share) else 0.0]
    panel.step(*ends, where="post", color=colour, linestyle=style, linewidth=1.9, label=method)


def _draw_medians(panel: Any, runs: Sequence[Record], name: str, method: str, colour: str) -> None:
    """All runs as small dots, their median as a large one."""
    known = [(r[name], outside(r)) for r in runs if r[name]]
    if not known:
        return
    x, errors = np.array(known, dtype=float).T
    panel.plot(x, errors, ".", color=colour, alpha=0.35, markersize=5)
    panel.plot(np.median(x), np.nanmedian(errors), "o", color=colour, markersize=10, markeredgecolor="white")


def write_report(results: Path) -> None:
    write_with_picture(results, report, draw)
