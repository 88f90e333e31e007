"""The wheel in clean environments: with the oldest versions that pyproject.toml allows, and with the newest.

    python tests/bounds.py                          # both, some hundred megabytes of downloads, ten minutes or more
    python tests/bounds.py --only lowest -- tests/estimators -x
    python tests/bounds.py --keep FOLDER            # environments stay there, and are used again

The wheel is built from this checkout, installed with the extras for tests and plots, and imported from elsewhere, so
that what it lacks is missing. The tests are those of this checkout, under its settings: warnings are errors, those of
deprecation too, where an old or a new version gives them.

torch is that of constraints.txt in both: other versions bring gigabytes of CUDA libraries, so its own bounds are not
run here. What torch asks for in newer versions than the package does is put back to the oldest one afterwards, without
asking torch.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ["tests/symbolic", "tests/sparse", "tests/estimators"]
EXTRAS = "plot,test"
ENVIRONMENTS = ("lowest", "newest")
PINNED = "torch"
# In the environment: where the package is imported from, and what torch needs of its own.
WHERE = "import sklearn_eql; print(sklearn_eql.__file__)"
NEEDS = "from importlib.metadata import requires; print(*(requires('torch') or ()), sep='\\n')"


def lower_bounds() -> dict[str, str]:
    """Of the core dependencies and of pytest, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # Old versions of scikit-learn hand its checks to pytest in a way that new versions of pytest warn of.
    tool = [entry for entry in project["optional-dependencies"]["test"] if name_of(entry) == "pytest"]
    wanted = [*project["dependencies"], *tool]
    found = (re.fullmatch(r"([\w-]+)\s*>=\s*([\w.]+)", entry) for entry in wanted)
    bounds = {match[1]: match[2] for match in found if match is not None}
    if len(bounds) < len(wanted):
        raise ValueError(f"pyproject.toml: expected dependencies such as name>=1.2, got {wanted}")
    return bounds


def pin() -> str:
    """The line of constraints.txt that says which torch."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.strip() for line in lines if line.startswith(f"{PINNED}=="))


def name_of(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    return match[0].lower() if match else ""


def install(python: Path, wheel: Path, lowest: bool) -> None:
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, pin()], check=True)
    # A package of the same version, from an earlier run, would stay.
    subprocess.run([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "sklearn-eql"], check=True)
    wanted = [f"{wheel}[{EXTRAS}]", pin()]
    if not lowest:
        subprocess.run([*pip, "--upgrade", *wanted], check=True)
        return
    needed = subprocess.run([python, "-c", NEEDS], capture_output=True, text=True, check=True).stdout.splitlines()
    bounds = {name: version for name, version in lower_bounds().items() if name != PINNED}
    of_torch = [f"{name}=={bounds.pop(name)}" for name in map(name_of, needed) if name in bounds]
    subprocess.run([*pip, *wanted, *(f"{name}=={version}" for name, version in bounds.items())], check=True)
    if of_torch:
        subprocess.run([*pip, "--no-deps", *of_torch], check=True)


def run(python: Path, arguments: list[str]) -> int:
    """Run the tests away from the checkout, so that the package is the installed one; pytest's exit status."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as elsewhere:
        there = {"cwd": elsewhere, "env": environment}
        about = subprocess.run([python, "-c", WHERE], capture_output=True, text=True, check=True, **there)
        if ROOT in Path(about.stdout.strip()).parents and python.parents[1] not in Path(about.stdout.strip()).parents:
            raise RuntimeError(f"the package is that of the checkout, {about.stdout.strip()}, and not the wheel")
        paths = [str(ROOT / path) if (ROOT / path.split("::")[0]).exists() else path for path in arguments]
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
        return subprocess.run([*command, "--rootdir", str(ROOT), *paths], **there).returncode


@contextlib.contextmanager
def folder_of(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ENVIRONMENTS, nargs="+", default=list(ENVIRONMENTS))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where environments stay")
    parser.add_argument("arguments", nargs="*", help="for pytest, after --; paths from the root of the checkout")
    given = parser.parse_args()
    statuses = {}
    with folder_of(given.keep) as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        shutil.rmtree(ROOT / "build", ignore_errors=True)  # modules of old would go into the wheel
        subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
        wheel = max(folder.glob("sklearn_eql-*.whl"), key=lambda path: path.stat().st_mtime)
        for name in given.only:
            python = folder / name / "bin" / "python"
            if not python.exists():
                subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
            install(python, wheel, lowest=name == "lowest")
            listed = subprocess.run([python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True)
            core = [line for line in listed.stdout.splitlines() if name_of(line.split("==")[0]) in lower_bounds()]
            print(f"== {name}: {', '.join(core)}", flush=True)
            statuses[name] = run(python, given.arguments or TESTS)
    for name, status in statuses.items():
        print(f"{name}: {'passed' if status == 0 else f'failed (pytest ended with {status})'}")
    return max(statuses.values())


if __name__ == "__main__":
    sys.exit(main())
