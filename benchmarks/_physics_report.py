"""Tables and the figure of `physics.py`, from its records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _common import last_of_each, markdown_table, write_with_picture
from _recovered import error_limit

HALVES = ("tuning", "held-out")

Record = dict[str, Any]
Key = tuple[str, str, str, float, int, float, int | None]


def key(record: Record) -> Key:
    return tuple(record.get(name) for name in ("method", "suite", "problem", "noise", "seed", "budget", "rows"))


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def within_error(record: Record) -> bool:
    return record["error"] is not None and record["error"] < error_limit(record["noise"])


def groups(records: list[Record], *names: str) -> Iterator[tuple[tuple, list[Record]]]:
    """Records that agree in these entries, in order of the entries."""
    values = sorted({tuple(r[name] for name in names) for r in records})
    return ((v, [r for r in records if tuple(r[name] for name in names) == v]) for v in values)


def report(records: list[Record]) -> str:
    """Markdown: a line per suite, noise, method and budget; then a line per problem."""
    records = last_of_each(records, key)
    header = ["suite", "noise", "method", "budget s", "recovered %", *(f"{half} %" for half in HALVES)]
    header += ["form %", "error %", "median s", "90% s", "slowest s", "runs"]
    rows = []
    for (suite, noise, method, budget), its in groups(records, "suite", "noise", "method", "budget"):
        row = [suite, f"{noise:g}", method, f"{budget:g}", percent(sum(r["recovered"] for r in its), len(its))]
        for half in HALVES:
            part = [r for r in its if r["half"] == half]
            row.append(percent(sum(r["recovered"] for r in part), len(part)))
        row.append(percent(sum(r["symbolic"] for r in its), len(its)))
        row.append(percent(sum(within_error(r) for r in its), len(its)))
        seconds = [r["seconds"] for r in its if r["recovered"]]
        row += [f"{s:.2f}" for s in (*np.percentile(seconds, [50, 90]), max(seconds))] if seconds else ["-"] * 3
        rows.append([*row, len(its)])
    commits = ", ".join(sorted({str(r.get("commit")) for r in records})) or "-"
    lines = [
        "# Physical laws",
        "",
        markdown_table(header, rows),
        "",
        'Recovered: form and error are both right. "form %" and "error %" count the runs that pass the one rule, '
        "whatever the other says. Seconds are those of `fit`, over recovered runs; pyoperon always uses its budget. "
        f"Failed or stopped fits: {sum(r['failure'] is not None for r in records)}. Commits: {commits}.",
        "",
        "## Problem by problem",
        "",
        "Runs recovered, of all runs; median seconds of `fit`.",
        "",
        problem_table(records),
    ]
    return "\n".join(lines) + "\n"


def problem_table(records: list[Record]) -> str:
    columns = [column for column, _ in groups(records, "method", "noise", "budget")]
    rows = []
    order = {(r["suite"], r["problem"]): i for i, r in reversed(list(enumerate(records)))}
    for suite, problem in sorted(order, key=lambda k: (k[0], order[k])):
        its = [r for r in records if (r["suite"], r["problem"]) == (suite, problem)]
        row = [suite, problem, its[0]["half"]]
        for column in columns:
            runs = [r for r in its if (r["method"], r["noise"], r["budget"]) == column]
            seconds = [r["seconds"] for r in runs if r["seconds"] is not None]
            cell = f"{sum(r['recovered'] for r in runs)}/{len(runs)}" if runs else "-"
            row.append(f"{cell}, {np.median(seconds):.1f} s" if seconds else cell)
        rows.append(row)
    names = [f"{method}, noise {noise:g}, {budget:g} s" for method, noise, budget in columns]
    return markdown_table(["suite", "problem", "half", *names], rows)


def draw(records: list[Record], path: Path) -> None:
    """Fraction of all runs recovered within a time; a panel per suite, a curve per method, noise and budget."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    records = last_of_each(records, key)
    suites = sorted({r["suite"] for r in records})
    curves = [curve for curve, _ in groups(records, "method", "noise", "budget")]
    noises = sorted({noise for _, noise, _ in curves})
    several_budgets = len({budget for *_, budget in curves}) > 1
    shades = {"eql": mpl.colormaps["Blues"], "operon": mpl.colormaps["Oranges"]}
    dashes = ["-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2))]
    times = [r["seconds"] for r in records if r["recovered"]]
    left, right = min([0.1, *times]) / 1.3, max(r["budget"] for r in records) * 1.6
    right = max([right, *(1.6 * t for t in times)])

    figure = Figure(figsize=(5.2 * len(suites) + 0.4, 4.6), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(suites), sharey=True, squeeze=False)[0]
    for panel, suite in zip(axes, suites, strict=True):
        for method, noise, budget in curves:
            runs = [
                r
                for r in records
                if (r["suite"], r["method"], r["noise"], r["budget"]) == (suite, method, noise, budget)
            ]
            if not runs:
                continue
            seconds = np.sort([r["seconds"] for r in runs if r["recovered"]])
            share = 100 * np.arange(1, len(seconds) + 1) / len(runs)
            i = noises.index(noise)
            # A curve starts with its first law, as those of pyoperon, all at the budget, would hide each other.
            panel.step(
                [*seconds, right] if len(seconds) else [budget, right],
                [*share, share[-1]] if len(seconds) else [0, 0],
                where="post",
                color=shades.get(method, mpl.colormaps["Greens"])(0.95 - 0.5 * i / max(1, len(noises) - 1)),
                linestyle=dashes[i % len(dashes)],
                linewidth=1.8,
                marker="o",
                markersize=4.5,
                markevery=[max(len(seconds) - 1, 0)],
                label=f"{method}, noise {noise:g}" + (f", {budget:g} s" if several_budgets else ""),
            )
        n = len({r["problem"] for r in records if r["suite"] == suite})
        panel.set(xscale="log", xlim=(left, right), ylim=(-2, 102), xlabel="seconds of fit")
        panel.set_title(f"{suite.capitalize()}: {n} problem{'s' * (n != 1)}")
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.grid(True, which="major", color="0.9", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("recovered, % of all runs")
    figure.suptitle("Physical laws recovered within a time")
    handles = {
        label: handle for panel in axes for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    columns = min(len(handles), 3 * len(suites))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=columns, frameon=False)
    figure.savefig(path)


def write_report(results: Path) -> None:
    write_with_picture(results, report, draw)
