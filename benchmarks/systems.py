"""Laws of motion of systems that are known from other fields, each with a parameter that differs from series to series.

    python benchmarks/systems.py                                   # twelve systems without noise
    python benchmarks/systems.py --systems pendulum sir --noise 0.005 --results /tmp/some.jsonl
    python benchmarks/systems.py --report                          # the table of what is there

Sixty series, integrated to 1e-10: 20 steps that the encoder reads, and 15 that follow. Noise is normal, with that share
of the standard deviation of each state, on all rows. Starts, parameters and time steps are those of `SYSTEMS`; the
estimator's settings are its defaults but for ``form="ode"``, ``dt``, the names and ``latent_scale="simple"``.

Rolls on: on 40 unseen series without noise, whose parameter is read off the first 20 steps, 30 steps more are off by
less than 1e-6 of the standard deviation of each state, or 5% with noise, in the median of the series. ``|r|`` is the
correlation of the latent with the true parameter, or with its inverse where that is higher.

Every fit adds a line to the results file. Those already there are not repeated: interrupt at will.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sympy
from _common import RESULTS, append_record, commit, machine, markdown_table, read_records, timed, write_markdown
from scipy.integrate import solve_ivp

from sklearn_eql import EQLDynamicsRegressor

N_SERIES, N_UNSEEN, N_OBSERVED, N_STEPS, N_ROLLED = 60, 40, 20, 15, 30
KEY = ("system", "noise", "seed", "budget")


class System(NamedTuple):
    """``rates(state, z)``, names of the states, the ranges of starts and of ``z``, and the time step."""

    rates: Callable[[np.ndarray, float], Sequence[float]]
    names: list[str]
    low: list[float]
    high: list[float]
    z: tuple[float, float]
    dt: float


SYSTEMS = {
    "pendulum": System(lambda s, z: [s[1], -z * np.sin(s[0])], ["th", "w"], [-2, -1], [2, 1], (1, 5), 0.1),
    "van der Pol": System(
        lambda s, z: [s[1], z * (1 - s[0] ** 2) * s[1] - s[0]], ["x", "v"], [-2, -2], [2, 2], (0.5, 2), 0.05
    ),
    "Duffing": System(
        lambda s, z: [s[1], s[0] - z * s[0] ** 3 - 0.2 * s[1]], ["x", "v"], [-1.5, -1.5], [1.5, 1.5], (0.5, 2), 0.05
    ),
    "Lotka-Volterra": System(
        lambda s, z: [s[0] * (1 - s[1]), s[1] * (z * s[0] - 1.2)], ["x", "y"], [0.3, 0.3], [2, 2], (0.5, 1.5), 0.05
    ),
    "SIR": System(
        lambda s, z: [-z * s[0] * s[1], z * s[0] * s[1] - 0.3 * s[1]],
        ["S", "I"],
        [0.6, 0.02],
        [0.95, 0.3],
        (0.6, 2),
        0.2,
    ),
    "damped": System(lambda s, z: [s[1], -3 * s[0] - z * s[1]], ["x", "v"], [-2, -2], [2, 2], (0.1, 1), 0.05),
    "FitzHugh-Nagumo": System(
        lambda s, z: [s[0] - s[0] ** 3 / 3 - s[1] + z, 0.08 * (s[0] + 0.7 - 0.8 * s[1])],
        ["v", "w"],
        [-1.5, -1.5],
        [1.5, 1.5],
        (0.2, 1),
        0.1,
    ),
    "Lorenz": System(
        lambda s, z: [10 * (s[1] - s[0]), s[0] * (z - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]],
        ["x", "y", "w"],
        [-8, -8, 12],
        [8, 8, 28],
        (20, 32),
        0.01,
    ),
    "quadratic drag": System(lambda s, z: [9.81 - z * s[0] * abs(s[0])], ["v"], [0], [6], (0.1, 0.5), 0.05),
    "Michaelis-Menten": System(lambda s, z: [-2 * s[0] / (z + s[0])], ["S"], [1], [5], (0.5, 2), 0.05),
    "logistic growth": System(lambda s, z: [0.8 * s[0] * (1 - s[0] / z)], ["N"], [0.2], [3], (1, 4), 0.1),
    "radial fall": System(lambda s, z: [s[1], -z / s[0] ** 2], ["r", "v"], [2, 0], [4, 1], (0.5, 2), 0.05),
}


def series(system: System, n: int, n_steps: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """States ``(n, n_steps + 1, S)`` and parameters ``(n,)``."""
    found, parameters = [], rng.uniform(*system.z, n)
    for z in parameters:
        start = rng.uniform(system.low, system.high)
        times = np.arange(n_steps + 1) * system.dt
        rates = lambda t, state, z=z: system.rates(state, z)  # noqa: E731
        found.append(solve_ivp(rates, times[[0, -1]], start, t_eval=times, rtol=1e-10, atol=1e-12).y.T)
    return np.array(found), parameters


def run(name: str, noise: float, seed: int, budget: float) -> dict[str, Any]:
    system, rng = SYSTEMS[name], np.random.default_rng(seed)
    states, _ = series(system, N_SERIES, N_OBSERVED + N_STEPS, rng)
    spread = states.std(axis=(0, 1))
    states = states + noise * spread * rng.normal(size=states.shape)
    model = EQLDynamicsRegressor(
        form="ode", dt=system.dt, state_names=system.names, latent_scale="simple", random_state=seed, max_time=budget
    )
    window = slice(0, N_OBSERVED + 1)
    model, seconds = timed(lambda: model.fit(states[:, window], states[:, N_OBSERVED + 1 :]))
    unseen, z = series(system, N_UNSEEN, N_OBSERVED + N_ROLLED, rng)
    rolled = model.rollout(unseen[:, window], N_ROLLED)
    errors = np.sqrt(np.mean(((rolled - unseen[:, N_OBSERVED + 1 :]) / spread) ** 2, axis=(1, 2)))
    error = float(np.nan_to_num(np.median(errors), nan=np.inf))
    latent = model.transform(unseen[:, window])[:, 0]
    r = max((abs(np.corrcoef(latent, true)[0, 1]) for true in (z, 1 / z)), default=0.0) if np.ptp(latent) else 0.0
    return {
        "law": str([sympy.N(expr, 4) for expr in model.sympy_expr_]),
        "seconds": seconds,
        "error": error,
        "rolls_on": error < (0.05 if noise else 1e-6),
        "r": float(r),
    }


def report(records: list[dict[str, Any]]) -> str:
    rows = []
    for r in records:
        law = f"`{r['law']}`" if len(r["law"]) < 100 else "long"
        error, correlation = f"{r['error']:.1e}", f"{1 - r['r']:.0e}"
        rolls_on = "yes" if r["rolls_on"] else "no"
        rows.append([r["system"], f"{r['noise']:g}", rolls_on, error, correlation, f"{r['seconds']:.0f}", law])
    header = ["system", "noise", "rolls on", "error", "1 - abs(r)", "s", "law"]
    commits = ", ".join(dict.fromkeys(r["commit"] for r in records))
    return f"{markdown_table(header, rows)}\n\nCommits: {commits}.\n"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", type=float, default=120.0, help="seconds per fit")
    parser.add_argument("--results", type=Path, default=RESULTS / "systems.jsonl")
    parser.add_argument("--report", action="store_true", help="only write the table of what is there")
    args = parser.parse_args(argv)
    finished = {tuple(record[name] for name in KEY) for record in read_records(args.results)}
    facts = {"commit": commit(), "machine": machine()}
    for seed in range(0 if args.report else args.seeds):
        for system in args.systems:
            record = {"system": system, "noise": args.noise, "seed": seed, "budget": args.budget}
            if tuple(record[name] for name in KEY) in finished:
                continue
            record |= run(system, args.noise, seed, args.budget) | facts
            append_record(args.results, record)
            print(f"{system:<17} error {record['error']:.1e} {record['seconds']:5.0f} s  {record['law']}", flush=True)
    if text := write_markdown(args.results, report):
        print(text)


if __name__ == "__main__":
    main()
