"""Tables of the MNIST benchmark, the paper's rows beside ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from _common import markdown_table

TABLE_II = {
    "EQL": ("under15", ((92, 87), (91, 83))),
    "EQL, n_classes=16": ("under15-classes", None),
    "ReLU": ("under15-relu", ((93, 0.8), (92, 0.6))),
}
"""By head: name of our run, and the paper's per cents on training images (below 15, from 15) and on test images."""

PAPER_TABLE_I = "-1.809 z1 - 1.802 z2 + 9"
PAPER_ACCURACY = (89.7, 90.2)
PAPER_CORRELATION = (0.985, 0.988)


def report(records: Sequence[dict[str, Any]]) -> str:
    """All tables for which there are records."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        groups[record["name"]].append(record)
    if not groups:
        return "No records yet: start with `python benchmarks/mnist.py run --data-dir ...`."
    return "\n\n".join(filter(None, [_overview(groups), _table_ii(groups), _laws(groups)]))


def _overview(groups: dict[str, list[dict[str, Any]]]) -> str:
    accuracy = f"{PAPER_ACCURACY[0]} / {PAPER_ACCURACY[1]}"
    correlation = f"{PAPER_CORRELATION[0]} / {PAPER_CORRELATION[1]}"
    rows = [["paper, trial 1", "sum of two digits", 1, accuracy, "", correlation, "", "not stated"]]
    for name, found in groups.items():
        rows.append(
            [
                name,
                found[0]["task"],
                len(found),
                f"{_mean(found, 'train', 'accuracy', 100):.1f} / {_mean(found, 'test', 'accuracy', 100):.1f}",
                f"{100 * min(r['test']['accuracy'] for r in found):.1f}",
                f"{_mean(found, 'train', 'correlation', size=True):.4f} / "
                f"{_mean(found, 'test', 'correlation', size=True):.4f}",
                f"{_mean(found, 'test', 'mae'):.3f}",
                f"{np.mean([r['wall'] for r in found]):.0f} ({np.mean([r['cpu'] for r in found]):.0f})",
            ]
        )
    header = [
        "run",
        "task",
        "seeds",
        "accuracy, %: training / test images",
        "worst seed, test",
        "correlation of latent and digit",
        "mean error, test",
        "s per fit (processor)",
    ]
    return "Accuracy of the rounded prediction\n\n" + markdown_table(header, rows)


def _table_ii(groups: dict[str, list[dict[str, Any]]]) -> str:
    if not any(name in groups for name, _ in TABLE_II.values()):
        return ""
    rows = []
    for k, subset in enumerate(("train", "test")):
        for head, (name, paper) in TABLE_II.items():
            if paper is not None:
                rows.append([f"{subset} images", head, "paper", f"{paper[k][0]:g}", f"{paper[k][1]:g}"])
            found = groups.get(name)
            if found:
                values = [f"{_mean(found, subset, key, 100):.1f}" for key in ("below", "from")]
                rows.append([f"{subset} images", head, f"here, mean of {len(found)}", *values])
    header = ["digits from", "head", "", "sums below 15, %", "sums from 15, %"]
    return "Table II: trained on sums below 15 only\n\n" + markdown_table(header, rows)


def _laws(groups: dict[str, list[dict[str, Any]]]) -> str:
    rows = [["paper, Table I", "", PAPER_TABLE_I, "", ""]]
    for found in groups.values():
        for r in found:
            slope = f"{r['test']['slope']:.3f}"
            shape = "monotone" if r["test"]["monotone"] else "not monotone"
            rows.append([r["name"], r["seed"], r["equation"] or "none (ReLU head)", slope, shape])
    header = ["run", "seed", "law", "digit per latent (test)", "mean latent by digit"]
    return "Laws\n\n" + markdown_table(header, rows)


def _mean(found: Sequence[dict[str, Any]], subset: str, key: str, unit: float = 1.0, size: bool = False) -> float:
    values = [record[subset][key] for record in found]
    return unit * float(np.mean(np.abs(values) if size else values))
