"""The same answers on every processor: the tests below, run again under other arithmetic, and beside busy loops.

    python tests/processors.py                      # all combinations, a quarter of an hour or more
    python tests/processors.py --quick              # the oldest processor, few tests: what .ci/run does
    python tests/processors.py --only avx2 -- -k gallery

A processor is imitated by what libraries choose at their start: vector instructions of torch, NumPy and oneDNN, and
kernels of OpenBLAS (NumPy, SciPy) and MKL (torch). Sums are then taken in another order, with or without fused
multiply-add, and functions come from other tables, so last digits differ. Each run begins with what was really chosen.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
TESTS = [  # the examples of the documents, and tests that search for laws
    "tests/test_docs.py",
    "tests/ladder/test_ladder.py",
    "tests/encoder/test_latent_classes.py",
    "tests/estimators/test_dynamics_recovery.py",
    "tests/estimators/test_encoder_regressor.py",
    "tests/estimators/test_regressor.py",
]
QUICK = ["tests/test_docs.py", "tests/ladder/test_ladder.py", "-k", "README or printed or without_noise"]
N_BUSY = 4
# What asks the libraries; SciPy brings its own OpenBLAS.
PROBE = """
import numpy.linalg, scipy.linalg, threadpoolctl, torch
blas = sorted({i["architecture"] for i in threadpoolctl.threadpool_info() if i["internal_api"] == "openblas"})
print(f"torch {torch.backends.cpu.get_cpu_capability()}, OpenBLAS {' and '.join(blas) or 'not used'}")
"""


@dataclass(frozen=True)
class Setting:
    """An imitated processor, and whether the machine is busy with something else."""

    environment: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()  # instruction sets that NumPy does not use, where it would
    n_busy: int = 0


_AVX512 = ("X86_V4", "AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL", "AVX512_ICL", "AVX512_SPR")
_AVX2 = ("X86_V3", "AVX", "F16C", "FMA3", "AVX2")
SETTINGS = {
    "machine": Setting(),
    # Intel and AMD from 2013 and 2017 on.
    "avx2": Setting(
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "OPENBLAS_CORETYPE": "Haswell",
            "MKL_CBWR": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
        },
        _AVX512,
    ),
    # No more than every processor of 64 bits has.
    "default": Setting(
        {
            "ATEN_CPU_CAPABILITY": "default",
            "OPENBLAS_CORETYPE": "Nehalem",
            "MKL_CBWR": "COMPATIBLE",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
        },
        (*_AVX2, *_AVX512),
    ),
    # Wide vectors with kernels that were written for others.
    "mixed": Setting({"OPENBLAS_CORETYPE": "Sandybridge", "MKL_CBWR": "COMPATIBLE"}),
    "busy": Setting(n_busy=N_BUSY),
}


def environment_of(setting: Setting) -> dict[str, str]:
    # Not of this process: NumPy reads the list when it is imported, and refuses names that it does not dispatch on.
    ask = "import numpy; print(*numpy.show_config(mode='dicts').get('SIMD Extensions', {}).get('found', []))"
    found = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    disabled = " ".join(name for name in found if name in setting.without)
    added = setting.environment | ({"NPY_DISABLE_CPU_FEATURES": disabled} if disabled else {})
    return os.environ | {"OMP_NUM_THREADS": "1"} | added


@contextlib.contextmanager
def busy_loops(n: int) -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run(name: str, arguments: list[str]) -> tuple[int, list[str]]:
    """Run the tests in a setting; pytest's exit status, and the names of those that failed."""
    environment = environment_of(SETTINGS[name])
    probe = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    print(f"== {name}: {probe.stdout.strip()}, {SETTINGS[name].n_busy} busy loops", flush=True)
    with tempfile.TemporaryDirectory() as folder, busy_loops(SETTINGS[name].n_busy):
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"]
        status = subprocess.run([*command, f"--junitxml={report}", *arguments], cwd=ROOT, env=environment).returncode
        cases = ElementTree.parse(report).getroot().iter("testcase") if report.exists() else ()
        failed = [
            f"{case.get('classname')}::{case.get('name')}"
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        ]
    return status, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="settings to run")
    parser.add_argument("--quick", action="store_true", help="the oldest processor and few tests")
    parser.add_argument("arguments", nargs="*", help="for pytest, after --")
    given = parser.parse_args()
    names, tests = (["default"], QUICK) if given.quick else (given.only, TESTS)
    outcomes = {name: run(name, [*tests, *given.arguments]) for name in names}
    print("\n== failed where")
    for test in dict.fromkeys(test for _, failed in outcomes.values() for test in failed):
        print(f"{test}: {', '.join(name for name, (_, failed) in outcomes.items() if test in failed)}")
    for name, (status, failed) in outcomes.items():
        print(f"{name}: {'passed' if status == 0 else f'{len(failed)} failed (pytest ended with {status})'}")
    return max(status for status, _ in outcomes.values())


if __name__ == "__main__":
    sys.exit(main())
