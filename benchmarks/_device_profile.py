"""Where the time of one generation goes on a device: the parts of a fit one after the other, and the kernels in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import numpy as np
import torch
from _structures import STEPS, problem_of, structures_of, synchronize
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from sklearn_eql._devices import bytes_at_once, ship
from sklearn_eql.search.mutations import Proposer
from sklearn_eql.sparse import device_lockstep
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.packing import Packing
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.program import Program
from sklearn_eql.sparse.single_fit import blocks_of_rows
from sklearn_eql.sparse.steps import Rules, State
from sklearn_eql.sparse.structure import Structure

_SHOWN = 6  # kernels, those that take longest
_DISTINCT = 1000  # structures that are proposed and laid out
Part = tuple[str, float, int]  # what, seconds, of how many
Row = tuple[object, ...]


def breakdown(device: torch.device, count: int, n_rows: int = 200) -> Iterator[Row]:
    """Rows of a table: what, milliseconds, and microseconds per structure (or per call, for kernels)."""
    for what, seconds, n in _parts(device, count, n_rows):
        yield what, f"{seconds * 1e3:.2f}", f"{seconds / n * 1e6:.2f}"


def _parts(device: torch.device, count: int, n_rows: int) -> Iterator[Part]:
    problem = problem_of(n_rows, str(device))
    yield from _proposals(problem)
    structures = structures_of(problem, count)
    problem.fit(structures, 1)  # kernels are loaded, rows are there, layouts are kept
    parts: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        synchronize(device)
        parts[name] = parts.get(name, 0.0) + time.perf_counter() - start

    rules, primitives = Rules(STEPS, 1e-9, np.inf), problem.primitives
    [rows] = blocks_of_rows(problem.rows, problem.y, None, n_rows, primitives)
    floors = np.zeros(count)
    with np.errstate(all="ignore"):
        with timed("programs"):
            programs = [Program(structure, primitives) for structure in structures]
        with timed("memory asked for, once"):
            bytes_at_once(device)
        with timed("grouped by size"):
            defined = [
                t
                for t, program in enumerate(programs)
                if all(rows.X.logarithm(f, c) is not None for _, f, c in program.layout.inputs)
            ]
            chosen = list(device_lockstep._alike(defined, programs, n_rows, str(device)))
        states: dict[int, State] = {}
        for numbers in chosen:
            mine = [programs[t] for t in numbers]
            with timed("of a run: packing"):
                packing = Packing([program.layout for program in mine])
            with timed("of a run: places uploaded"):
                ship(packing.indices, device)
            run = _run_of(mine, primitives, rows.of_some(numbers), floors[numbers], rules, device)
            with timed("first runs of all batches"):
                states |= zip(numbers, run(), strict=True)
        with timed("results filled in"):
            for t, state in states.items():
                _ = FitResult(structures[t], state.loss, state=state).structure
    with timed("the whole fit"):
        problem.fit(structures, STEPS)
    yield from ((name, seconds, count) for name, seconds in parts.items())
    numbers = max(chosen, key=len)
    mine = [programs[t] for t in numbers]
    run = _run_of(mine, primitives, rows.of_some(numbers), floors[numbers], rules, device)
    yield from _kernels(run, device, len(numbers))


def _proposals(problem: Problem) -> Iterator[Part]:
    """What comes before a fit."""
    proposer = Proposer(problem, Random(3))
    start = time.perf_counter()
    proposed: list[Structure | None] = [proposer.random(1 + k % 3) for k in range(_DISTINCT)]
    yield "proposed", time.perf_counter() - start, _DISTINCT
    found = [structure for structure in proposed if structure is not None]
    start = time.perf_counter()
    for structure in found:
        _ = structure.layout.arrays
    yield "laid out", time.perf_counter() - start, len(found)


def _run_of(programs, primitives, rows, floors, rules, device) -> Callable[[], list[State]]:
    nothing = [None] * len(programs)
    return lambda: device_lockstep._run(programs, primitives, rows, nothing, floors, rules, str(device))


def _kernels(run: Callable[[], list[State]], device: torch.device, count: int) -> Iterator[Part]:
    """How long the device is busy in the run of one batch, with what, and how much of the run that is."""
    start = time.perf_counter()
    run()
    yield f"a run of {count}", time.perf_counter() - start, count
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities, acc_events=True) as profiled:
        run()
        synchronize(device)
    kind = DeviceType.CUDA if on_gpu else DeviceType.CPU
    events = [event for event in profiled.key_averages() if event.device_type == kind]
    times = {id(e): (e.self_device_time_total if on_gpu else e.self_cpu_time_total) * 1e-6 for e in events}
    n_calls = sum(event.count for event in events)
    yield f"of it: {n_calls} kernels and copies", sum(times.values()), count
    for event in sorted(events, key=lambda e: -times[id(e)])[:_SHOWN]:
        name = event.key.replace("void ", "").replace("at::native::", "").split("(")[0][:60].replace("|", "/")
        yield f"of it: {event.count} x {name}", times[id(event)], event.count
