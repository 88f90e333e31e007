"""What the benchmark scripts share: JSON lines, markdown tables, timing, a description of the machine."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".benchmarks"  # ignored by git


def read_records(path: Path) -> list[dict[str, Any]]:
    """Records of a JSON lines file, in order; a line cut short by an interruption is left out."""
    records = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return records


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Add one line; ends with a newline even after an interrupted write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_short = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if cut_short else "") + json.dumps(record) + "\n")


def write_markdown(results: Path, report: Callable[[list[dict[str, Any]]], str]) -> str | None:
    """The report of the records of a results file, written beside it; None where there are none."""
    records = read_records(results)
    if not records:
        print(f"no results in {results}")
        return None
    text = report(records)
    results.with_suffix(".md").write_text(text, encoding="utf-8")
    return text


def last_of_each(records: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], tuple]) -> list[dict[str, Any]]:
    """One record per run, the last one; `key` says which are of one run."""
    return list({key(record): record for record in records}.values())


def write_with_picture(
    results: Path, report: Callable[[list[dict[str, Any]]], str], draw: Callable[[list[dict[str, Any]], Path], None]
) -> None:
    """Report and picture beside a results file; what comes before the list of problems is printed."""
    text = write_markdown(results, report)
    if text is None:
        return
    draw(read_records(results), results.with_suffix(".png"))
    print(text.split("## Problem by problem")[0].strip())
    print(f"\nwritten: {results.with_suffix('.md')}, {results.with_suffix('.png')}")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Result and wall-clock seconds; garbage of earlier work is collected before, not during."""
    gc.collect()
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The commit of this checkout, with ``-dirty`` if files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def machine() -> dict[str, Any]:
    """Processor, cores at our disposal, Python."""
    try:
        info = Path("/proc/cpuinfo").read_text()
        cpu = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": cpu, "cores": cores, "system": platform.system(), "python": platform.python_version()}
