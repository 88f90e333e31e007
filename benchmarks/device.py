"""All that is worth measuring on a GPU, in one command of a few minutes.

    python benchmarks/device.py --device cuda
    python benchmarks/device.py --device cuda --profile         # and where the time of a generation goes
    python benchmarks/device.py --device cpu --quick            # the same on a CPU, small: does it run?
    python benchmarks/device.py --device cuda --sections structures pairs

Sections: fits of sparse structures per second, for generations of 256 to 32,768 on 200 and 1,000 rows, on the device
and on one thread of the CPU; whole generations of a search, proposals included; pairs of a library judged per second;
whole fits of laws without noise and with 1% of it, on both; steps of gradient search for T = 1 to 10,000 networks;
training of an encoder and of a law of motion. The largest memory that the device has held stands beside each.

Rows are printed as they come, the most telling ones first. A section that has used its share of the time ends, in the
middle of a row if need be, and says so; what others leave is shared out anew. An error ends its section, and is
printed. With ``--laws`` whole fits are of Feynman's laws, from the data folder that `physics.py` reads.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import sympy
import torch
from _common import machine, markdown_table
from _device_profile import breakdown
from _physics import Problem, compiled, data_folder, evaluate, feynman_problems
from _recovered import recovered
from _structures import bandwidth, fit_seconds, problem_of, structures_of, synchronize
from throughput import machine_peak, measure

from sklearn_eql import EQLDynamicsRegressor, EQLEncoderRegressor, EQLRegressor, Phase
from sklearn_eql._devices import generation_size
from sklearn_eql.datasets import load_digits_arithmetic, make_oscillator
from sklearn_eql.scan.pairs import FORMS, PairScan
from sklearn_eql.search.evolution import EvolutionSettings, evolve
from sklearn_eql.sparse.packing import Packing
from sklearn_eql.training.schedule import RolloutPhase

N_LAWS = 12
LAW_SECONDS = 12  # of a fit, at most
Row = tuple[object, ...]


class TimeIsUp(Exception):
    """The share of a section is used, in the middle of a row."""


@dataclass
class Bench:
    """Where and how long, and how small."""

    device: torch.device
    quick: bool
    laws: bool
    until: float = field(default=0.0)

    @property
    def is_over(self) -> bool:
        return time.time() > self.until

    @property
    def devices(self) -> list[str]:
        """The device, and the CPU beside it."""
        return list(dict.fromkeys([str(self.device), "cpu"]))

    def memory(self) -> str:
        """MiB held at most since the last call."""
        if self.device.type != "cuda":
            return ""
        held = torch.cuda.max_memory_allocated(self.device) / 2**20
        torch.cuda.reset_peak_memory_stats(self.device)
        return f"{held:.0f}"


def structures(bench: Bench) -> Iterator[Row]:
    counts = (64, 128) if bench.quick else (1024, 8192, 256, 32_768, 4096, 16_384)
    for n_rows in (200,) if bench.quick else (200, 1000):
        found = structures_of(problem_of(n_rows), max(counts))
        for count in counts:
            mine = found[:count]
            for _ in range(2):  # the first time lays the structures out, which is done once for all their fits
                start = time.perf_counter()
                Packing([structure.layout for structure in mine])
                packing = time.perf_counter() - start
            for device in bench.devices:
                if bench.is_over or (device == "cpu" and count > 1024):
                    continue
                n_repeats = 1 if device == "cpu" and count > 256 else 3
                seconds = fit_seconds(problem_of(n_rows, device), mine, n_repeats)
                yield device, n_rows, count, f"{count / seconds:.0f}", f"{packing / count * 1e6:.1f}", bench.memory()


def generations(bench: Bench) -> Iterator[Row]:
    """Generations after the two of the opening, which is systematic."""
    for size in (64,) if bench.quick else (1024, 256, 4096):
        for device in bench.devices:
            if bench.is_over or (device == "cpu" and size > 1024):
                continue
            seconds = []
            for n in (2, 4):
                start = time.perf_counter()
                evolve(problem_of(200, device), 0, EvolutionSettings(size, n, patience=n))
                seconds.append(time.perf_counter() - start)
            each = (seconds[1] - seconds[0]) / 2
            yield device, size, f"{each:.2f}", f"{size / each:.0f}", bench.memory()


def pairs(bench: Bench) -> Iterator[Row]:
    sizes = (500,) if bench.quick else (4000, 16_000, 1000)
    for size in sizes:
        rng = np.random.default_rng(0)
        values = torch.from_numpy(rng.standard_normal((size, 200)))
        values /= values.square().mean(dim=1, keepdim=True).sqrt()
        symbols = sorted(rng.integers(1, 9, size).tolist())
        target = torch.from_numpy(rng.standard_normal(200))
        for device in bench.devices:
            if device == "cpu" and size > 4000:
                continue
            for form in FORMS:
                if bench.is_over:
                    return
                scan = PairScan(values, symbols, target, there=values.to(device))
                scan.best(form, time.time())  # nothing but what is prepared
                start = time.perf_counter()
                scan.best(form)
                seconds = time.perf_counter() - start
                n_pairs = size**2 if form == "quotient" else size * (size + 1) // 2
                yield device, size, form, f"{seconds * 1e3:.1f}", f"{n_pairs / seconds / 1e6:.0f}", bench.memory()


def laws(bench: Bench) -> Iterator[Row]:
    for name, X, y, is_found in _laws_of(bench):
        for device in bench.devices:
            if bench.is_over:
                continue
            start = time.perf_counter()
            limit = 5 if bench.quick else LAW_SECONDS
            model = EQLRegressor(device=device, random_state=0, max_time=limit).fit(X, y)
            seconds = time.perf_counter() - start
            verdict = "yes" if is_found(model.sympy_expr_) else "no"
            yield device, name, f"{seconds:.1f}", verdict, model.stop_reason_, bench.memory()


def _laws_of(bench: Bench) -> Iterator[tuple[str, object, np.ndarray, Callable]]:
    """Laws with the rows to fit and how a law found is judged: each without noise and with 1% of it."""
    if bench.laws:
        folder = data_folder()
        chosen = feynman_problems(folder)[:: 100 // N_LAWS][: 1 if bench.quick else N_LAWS]
        for problem in chosen:
            for noise in (0.0, 0.01):
                X, y = problem.training(0, noise)
                yield f"{problem.name}, {noise:.0%}", X, y, partial(_is_recovered, problem=problem, noise=noise)
        return
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 2.0, (1000, 3))
    known = {
        "sqrt(x0**2 + x1)*exp(-x2)": np.sqrt(X[:, 0] ** 2 + X[:, 1]) * np.exp(-X[:, 2]),
        "(x0 + 2*x1)/(1 + x2) + x0*x1": (X[:, 0] + 2 * X[:, 1]) / (1 + X[:, 2]) + X[:, 0] * X[:, 1],
        "x0*x1/(1 + x2**2) + sin(x0)": X[:, 0] * X[:, 1] / (1 + X[:, 2] ** 2) + np.sin(X[:, 0]),
    }
    for name, y in list(known.items())[: 1 if bench.quick else None]:
        for noise in (0.0, 0.01):
            noisy = y + noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(len(y))
            yield f"{name}, {noise:.0%}", X, noisy, partial(_follows, X=X[:50], y=y[:50], limit=max(1e-6, noise / 2))


def _is_recovered(law: sympy.Expr, problem: Problem, noise: float) -> bool:
    return recovered(law, problem, noise, 0).recovered


def _follows(law: sympy.Expr, X: np.ndarray, y: np.ndarray, limit: float) -> bool:
    """Whether a law has the values of the true one, but for a share of their size."""
    values = evaluate(compiled(law, ["x0", "x1", "x2"]), X)
    return bool(np.linalg.norm(values - y) < limit * np.linalg.norm(y))


def trials(bench: Bench) -> Iterator[Row]:
    counts = (1, 10) if bench.quick else (100, 10_000, 1, 1000, 10)
    for count in counts:
        if bench.is_over:
            continue
        plain, batch, _ = measure(count, 2, 2, bench.device, 1 if bench.quick else 3)
        ratio = plain * count / batch
        yield str(bench.device), count, f"{plain * 1e3:.2f}", f"{batch * 1e3:.2f}", f"{ratio:.1f}", bench.memory()


def training(bench: Bench) -> Iterator[Row]:
    steps = 20 if bench.quick else 200
    digits = load_digits_arithmetic(n_samples=300 if bench.quick else 5000)
    series = make_oscillator(20 if bench.quick else 200, 24, 5, random_state=0)
    encoder = {"linear_steps": steps, "schedule": [Phase(steps, 3e-3)], "max_iter": steps, "n_generations": 1}
    motion = {"schedule": (RolloutPhase(steps, n_rollout=3),), "refine": False}
    made = {
        "encoder": lambda device: EQLEncoderRegressor(device=device, random_state=0, **encoder).fit(digits.X, digits.y),
        "motion": lambda device: EQLDynamicsRegressor(device=device, random_state=0, **motion).fit(series.X, series.Y),
    }
    for name, fit in made.items():
        for device in bench.devices:
            if bench.is_over:
                continue
            start = time.perf_counter()
            fit(device)
            synchronize(bench.device)
            yield device, name, steps, f"{time.perf_counter() - start:.1f}", bench.memory()


def profile(bench: Bench) -> Iterator[Row]:
    yield from breakdown(bench.device, 256 if bench.quick else 8192)


SECTIONS: dict[str, tuple[Callable[[Bench], Iterator[Row]], float, Sequence[str]]] = {
    # what it measures, its share of the time, what it prints
    "structures": (structures, 0.25, ("device", "rows", "generation", "fits/s", "packing, us per fit", "MiB")),
    "profile": (profile, 0.1, ("part", "ms", "us per structure or call")),
    "pairs": (pairs, 0.1, ("device", "library", "form", "ms", "million pairs/s", "MiB")),
    "generations": (generations, 0.1, ("device", "generation", "s", "structures/s", "MiB")),
    "trials": (trials, 0.1, ("device", "T", "plain, ms per trial step", "batch, ms per step", "ratio", "MiB")),
    "training": (training, 0.15, ("device", "fit", "steps of a phase", "s", "MiB")),
    "laws": (laws, 0.3, ("device", "law, noise", "s", "found", "ended by", "MiB")),
}


def show(section: str, bench: Bench) -> None:
    """Print a section; neither a slow row nor an error takes the time of those that follow."""
    measured, _, header = SECTIONS[section]
    print(f"## {section}\n\n" + markdown_table(header, []), flush=True)
    signal.setitimer(signal.ITIMER_REAL, max(bench.until - time.time(), 0.1))
    try:
        for row in measured(bench):
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
    except TimeIsUp:
        pass
    except Exception:  # noqa: BLE001  # the machine is lent: what went wrong is printed, and the next section measured
        print("\n" + traceback.format_exc(), flush=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    print("(time was up)\n" if bench.is_over else "", flush=True)


def _time_is_up(signum, frame) -> None:
    raise TimeIsUp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--laws", action="store_true", help="Feynman's laws, from the folder SKLEARN_EQL_DATA")
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, help="those to measure (default: all but profile)")
    parser.add_argument("--profile", action="store_true", help="the section profile, too")
    args = parser.parse_args()
    until = time.time() + 60 * args.minutes
    bench = Bench(torch.device(args.device), args.quick, args.laws)
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, _time_is_up)
    name = torch.cuda.get_device_name(bench.device) if bench.device.type == "cuda" else machine()["cpu"]
    flops, exponentials = machine_peak(bench.device)
    print(
        f"{name}, Python {sys.version.split()[0]}, torch {torch.__version__}, numpy {np.__version__}; "
        f"{flops / 1e9:.0f} GFLOP/s in float32, {exponentials / 1e9:.2f} G exp/s, copies at "
        f"{bandwidth(bench.device) / 1e9:.0f} GB/s; generations of {generation_size(str(bench.device))}\n",
        flush=True,
    )
    chosen = args.sections or [section for section in SECTIONS if args.profile or section != "profile"]
    for number, section in enumerate(chosen):
        shares = [SECTIONS[later][1] for later in chosen[number:]]
        bench.until = time.time() + (until - time.time()) * shares[0] / sum(shares)
        bench.memory()
        show(section, bench)


if __name__ == "__main__":
    main()
