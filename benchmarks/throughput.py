"""Time per optimiser step of the batched engine against a plain loop over trials, and against the machine; and fits per
second of sparse structures.

    python benchmarks/throughput.py [--device cuda] [--threads 1] [--repeats 5]
    python benchmarks/throughput.py --structures [--device cuda] [--threads 1] [--repeats 5]

The plain loop trains one `torch.nn.Module` per trial that evaluates its units one by one and stacks them, as public
code for these networks does, with `torch.optim.RMSprop`. Both are timed in turn in one process; medians are shown.

With ``--structures`` so many structures of a search over four columns are fitted in one call on so many rows, by at
most eight steps of Levenberg-Marquardt; the best of the repeats is shown. The memory limit is the time in which the
machine copies what eight steps write and read if every row is moved once. It is no limit where rows stay in a cache.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from _structures import STEPS, bandwidth, bytes_per_step, fit_seconds, problem_of, structures_of

from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.networks.penalties import SmoothedL05
from sklearn_eql.primitives import resolve_functions
from sklearn_eql.training.batched import _Run
from sklearn_eql.training.optimizers import set_learning_rate
from sklearn_eql.training.schedule import PAPER_ALPHA, Phase

N_ROWS = 256
FUNCTIONS = "paper"
TRANSCENDENTAL = {"sin2pi", "exp", "sigmoid20"}
SECONDS_PER_SAMPLE = 0.15
STRUCTURES = {"cpu": (1, 8, 64, 256, 1024), "cuda": (256, 1024, 4096, 16_384, 32_768)}
STRUCTURE_ROWS = (50, 200, 1000)
TRIALS = {"cpu": (1, 20, 200, 2000), "cuda": (1, 10, 100, 1_000, 10_000)}


class PlainNetwork(torch.nn.Module):
    """One trial, one Python call per unit."""

    def __init__(self, n_features: int, n_hidden_layers: int) -> None:
        super().__init__()
        self.units = resolve_functions(FUNCTIONS)
        n_units = len(self.units)
        n_columns = sum(max(p.arity, 1) for p in self.units)  # constant units have an unused column
        fan_in = [n_features] + [n_units] * (n_hidden_layers - 1)
        self.hidden = torch.nn.ParameterList([torch.randn(n, n_columns) * 0.3 for n in fan_in])
        self.output = torch.nn.Parameter(torch.randn(n_units, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for W in self.hidden:
            g = torch.matmul(x, W)
            column, outputs = 0, []
            for primitive in self.units:
                width = max(primitive.arity, 1)
                outputs.append(primitive.torch_fn(*(g[:, column + i] for i in range(width))))
                column += width
            x = torch.stack(outputs, dim=1)
        return torch.matmul(x, self.output)


def plain_penalty(weights: list[torch.Tensor], a: float = 0.01) -> torch.Tensor:
    """Eq. (3), written as in the paper."""
    total = 0.0
    for w in weights:
        smooth = torch.where(w.abs() < a, w**4 / (-8 * a**3) + 3 * w**2 / (4 * a) + 3 * a / 8, w.abs())
        total = total + smooth.sqrt().sum()
    return total


def plain_step(n_features: int, n_hidden_layers: int, X: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    network = PlainNetwork(n_features, n_hidden_layers).to(X.device)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-2, alpha=0.9, eps=1e-10)
    criterion = torch.nn.MSELoss()

    def step() -> None:
        optimizer.zero_grad()
        loss = criterion(network(X), y) + PAPER_ALPHA * plain_penalty(list(network.parameters()))
        loss.backward()
        optimizer.step()

    return step


def batched_step(
    n_trials: int, n_features: int, n_hidden_layers: int, X: torch.Tensor, y: torch.Tensor
) -> Callable[[], None]:
    network = BatchedEQL(n_features, 1, resolve_functions(FUNCTIONS), n_hidden_layers, range(n_trials), device=X.device)
    phase = Phase(1, learning_rate=1e-2)
    run = _Run(network, X, y, (phase,), SmoothedL05(), PAPER_ALPHA, None)
    run.configure("rmsprop", None, 0, 0.0, 0)
    set_learning_rate(run.optimizer, phase.learning_rate)
    return lambda: run._step(phase)


def seconds(step: Callable[[], None], device: torch.device) -> float:
    """Seconds per call, averaged over about `SECONDS_PER_SAMPLE`."""
    synchronize = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    n_calls, elapsed = 1, 0.0
    while True:
        synchronize()
        start = time.perf_counter()
        for _ in range(n_calls):
            step()
        synchronize()
        elapsed = time.perf_counter() - start
        if elapsed >= SECONDS_PER_SAMPLE or n_calls >= 1000:
            return elapsed / n_calls
        n_calls = min(1000, max(n_calls + 1, int(1.2 * n_calls * SECONDS_PER_SAMPLE / max(elapsed, 1e-6))))


def machine_peak(device: torch.device) -> tuple[float, float]:
    """Measured peaks: float32 multiply-adds (FLOP/s, large matrix product) and exponentials per second."""
    a, b = torch.randn(2, 1024, 1024, device=device).unbind(0)
    out = torch.empty_like(a)
    values = torch.randn(1 << 16, device=device)
    result = torch.empty_like(values)
    gemm = min(seconds(lambda: torch.mm(a, b, out=out), device) for _ in range(3))
    exponential = min(seconds(lambda: torch.exp(values, out=result), device) for _ in range(3))
    return 2 * 1024**3 / gemm, values.numel() / exponential


def arithmetic(n_trials: int, n_features: int, n_hidden_layers: int) -> tuple[float, float]:
    """FLOPs of the matrix products and transcendental evaluations of one step, forward and backward."""
    units = resolve_functions(FUNCTIONS)
    n_units, n_args = len(units), sum(p.arity for p in units)
    weights = n_features * n_args + (n_hidden_layers - 1) * n_units * n_args + n_units
    inner = (n_hidden_layers - 1) * n_units * n_args + n_units  # layers whose input needs a gradient
    flops = 2 * n_trials * N_ROWS * (2 * weights + inner)
    # exp and sigmoid reuse their value in the backward pass, sin needs one cosine.
    per_layer = sum((2 if p.name == "sin2pi" else 1) for p in units if p.name in TRANSCENDENTAL)
    return flops, n_trials * N_ROWS * n_hidden_layers * per_layer


def measure(n_trials: int, n_features: int, n_hidden_layers: int, device: torch.device, repeats: int):
    """Median seconds per step of the plain trial and of the batch, from alternating samples."""
    X = torch.rand(N_ROWS, n_features, device=device) * 2 - 1
    y = (X.prod(dim=1) + X[:, 0] ** 2)[:, None]
    plain = plain_step(n_features, n_hidden_layers, X, y)
    batched = batched_step(n_trials, n_features, n_hidden_layers, X, y)
    for warm_up in (plain, batched):
        for _ in range(3):
            warm_up()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    samples = [(seconds(plain, device), seconds(batched, device)) for _ in range(repeats)]
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return *(statistics.median(column) for column in zip(*samples, strict=True)), memory


def measure_structures(device: torch.device, counts: tuple[int, ...], repeats: int) -> None:
    """Print fits per second for so many structures in a call."""
    peak = bandwidth(device)
    print(f"copies: {peak / 1e9:.0f} GB/s\n")
    print(
        "| structures | rows | ms per call | fits per second | memory limit, ms | share of limit |\n" + "|---" * 6 + "|"
    )
    for n_rows in STRUCTURE_ROWS:
        problem = problem_of(n_rows, str(device))
        structures = structures_of(problem, max(counts))
        for count in counts:
            seconds_of_call = fit_seconds(problem, structures[:count], repeats)
            limit = STEPS * bytes_per_step(structures[:count], n_rows) / peak
            print(
                f"| {count} | {n_rows} | {seconds_of_call * 1e3:.2f} | {count / seconds_of_call:.0f} "
                f"| {limit * 1e3:.3f} | {limit / seconds_of_call:.1%} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's own)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--trials", type=int, nargs="*")
    parser.add_argument("--features", type=int, nargs="*", default=(1, 2, 3))
    parser.add_argument("--layers", type=int, nargs="*", default=(2, 3))
    parser.add_argument("--structures", type=int, nargs="*", help="fits of sparse structures, so many in a call")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    device = torch.device(args.device)
    if args.structures is not None:
        measure_structures(device, tuple(args.structures) or STRUCTURES[device.type], args.repeats)
        return
    peak_flops, peak_exp = machine_peak(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    print(f"{name}; measured peaks: {peak_flops / 1e9:.0f} GFLOP/s, {peak_exp / 1e9:.2f} G exp/s\n")
    print(
        "| L | features | trials | plain, ms per trial step | batch, ms per step | trials per second, ratio to plain "
        "| arithmetic limit, ms | share of limit |" + (" memory, MiB |" if device.type == "cuda" else "")
    )
    print("|---" * (8 + (device.type == "cuda")) + "|")
    for n_hidden_layers in args.layers:
        for n_features in args.features:
            for n_trials in args.trials or TRIALS[device.type]:
                plain, batched, memory = measure(n_trials, n_features, n_hidden_layers, device, args.repeats)
                flops, evaluations = arithmetic(n_trials, n_features, n_hidden_layers)
                limit = flops / peak_flops + evaluations / peak_exp
                print(
                    f"| {n_hidden_layers} | {n_features} | {n_trials} | {plain * 1e3:.2f} | {batched * 1e3:.2f} "
                    f"| {plain * n_trials / batched:.1f} | {limit * 1e3:.3f} | {limit / batched:.1%} |"
                    + (f" {memory / 2**20:.0f} |" if memory is not None else ""),
                    flush=True,
                )


if __name__ == "__main__":
    main()
