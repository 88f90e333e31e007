"""All that is worth measuring on a GPU, in one command of less than eight minutes.

    python benchmarks/device.py --device cuda
    python benchmarks/device.py --device cpu --quick            # the same on a CPU, small: does it run?
    python benchmarks/device.py --device cuda --sections structures pairs

Sections: fits of sparse structures per second, for generations of 256 to 32,768 on 200 and 1,000 rows, on the device
and on one thread of the CPU; pairs of a library judged per second; whole fits of laws without noise and with 1% of it,
on both; steps of gradient search for T = 1 to 10,000 networks; training of an encoder and of a law of motion. The
largest memory that the device has held stands beside each. Rows are printed as they come; a section that has used its
share of the time leaves out the rest and says so. With ``--laws`` whole fits are of Feynman's laws, from the data
folder that `physics.py` reads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import sympy
import torch
from _common import machine, markdown_table
from _physics import Problem, compiled, data_folder, evaluate, feynman_problems
from _recovered import recovered
from _structures import bandwidth, fit_seconds, problem_of, structures_of, synchronize
from throughput import machine_peak, measure

from sklearn_eql import EQLDynamicsRegressor, EQLEncoderRegressor, EQLRegressor, Phase
from sklearn_eql._devices import generation_size
from sklearn_eql.datasets import load_digits_arithmetic, make_oscillator
from sklearn_eql.scan.pairs import FORMS, PairScan
from sklearn_eql.sparse.packing import Packing
from sklearn_eql.training.schedule import RolloutPhase

N_LAWS = 12
Row = tuple[object, ...]


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
    counts = (64, 128) if bench.quick else (256, 1024, 4096, 16_384, 32_768)
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
                seconds = fit_seconds(problem_of(n_rows, device), mine, 1 if device == "cpu" else 3)
                yield device, n_rows, count, f"{count / seconds:.0f}", f"{packing / count * 1e6:.1f}", bench.memory()


def pairs(bench: Bench) -> Iterator[Row]:
    sizes = (500,) if bench.quick else (1000, 4000, 16_000)
    for size in sizes:
        rng = np.random.default_rng(0)
        values = torch.from_numpy(rng.standard_normal((size, 200)))
        values /= values.square().mean(dim=1, keepdim=True).sqrt()
        symbols = sorted(rng.integers(1, 9, size).tolist())
        target = torch.from_numpy(rng.standard_normal(200))
        for device in bench.devices:
            if bench.is_over or (device == "cpu" and size > 4000):
                continue
            for form in FORMS:
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
            model = EQLRegressor(device=device, random_state=0, max_time=5 if bench.quick else 20).fit(X, y)
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
        "x0*x1/(1 + x2**2) + sin(x0)": X[:, 0] * X[:, 1] / (1 + X[:, 2] ** 2) + np.sin(X[:, 0]),
        "sqrt(x0**2 + x1)*exp(-x2)": np.sqrt(X[:, 0] ** 2 + X[:, 1]) * np.exp(-X[:, 2]),
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
    counts = (1, 10) if bench.quick else (1, 10, 100, 1000, 10_000)
    for count in counts:
        if bench.is_over:
            continue
        plain, batch, _ = measure(count, 2, 2, bench.device, 1 if bench.quick else 3)
        ratio = plain * count / batch
        yield str(bench.device), count, f"{plain * 1e3:.2f}", f"{batch * 1e3:.2f}", f"{ratio:.1f}", bench.memory()


def training(bench: Bench) -> Iterator[Row]:
    steps = 20 if bench.quick else 400
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


SECTIONS: dict[str, tuple[Callable[[Bench], Iterator[Row]], float, Sequence[str]]] = {
    # what it measures, its share of the time, what it prints
    "structures": (structures, 0.25, ("device", "rows", "generation", "fits/s", "packing, us per fit", "MiB")),
    "pairs": (pairs, 0.1, ("device", "library", "form", "ms", "million pairs/s", "MiB")),
    "laws": (laws, 0.35, ("device", "law, noise", "s", "found", "ended by", "MiB")),
    "trials": (trials, 0.1, ("device", "T", "plain, ms per trial step", "batch, ms per step", "ratio", "MiB")),
    "training": (training, 0.2, ("device", "fit", "steps of a phase", "s", "MiB")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--laws", action="store_true", help="Feynman's laws, from the folder SKLEARN_EQL_DATA")
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    args = parser.parse_args()
    bench = Bench(torch.device(args.device), args.quick, args.laws)
    torch.set_num_threads(1)
    name = torch.cuda.get_device_name(bench.device) if bench.device.type == "cuda" else machine()["cpu"]
    flops, exponentials = machine_peak(bench.device)
    print(
        f"{name}, torch {torch.__version__}; {flops / 1e9:.0f} GFLOP/s in float32, {exponentials / 1e9:.2f} G exp/s, "
        f"copies at {bandwidth(bench.device) / 1e9:.0f} GB/s; generations of {generation_size(str(bench.device))}\n"
    )
    total = sum(SECTIONS[section][1] for section in args.sections)
    for section in args.sections:
        measured, share, header = SECTIONS[section]
        bench.until = time.time() + 60 * args.minutes * share / total
        bench.memory()
        print(f"## {section}\n\n" + markdown_table(header, []), flush=True)
        for row in measured(bench):
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
        print("(time was up)\n" if bench.is_over else "", flush=True)


if __name__ == "__main__":
    main()
