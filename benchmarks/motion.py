"""Laws of motion: sections IV-B and IV-C of the paper, and the same on four other systems.

    python benchmarks/motion.py                                   # everything, 5 seeds
    python benchmarks/motion.py --systems kinematics --seeds 0 1
    python benchmarks/motion.py --report-only

Every run is one fit of `EQLDynamicsRegressor` on series drawn with its seed; everything is measured on 200 unseen
series, which roll on for ten times as many steps as were trained (kinematics 50, all others 250, so to t = 25).
Models: "eql" (the law), "relu" (``head="relu"``, schedule "long", layers of the paper), and for the oscillator Euler's
and the classical Runge-Kutta method on the true equation, one step per time step.

`form_exact`: after the latent is replaced by its linear regression on the true parameter, the law has the terms of the
true one and no others. For the oscillator as an update rule, which has no finite form, the terms of its Taylor series:
``u`` and ``v`` times powers of omega^2; `has_v_z` says that the second-order term is there. `coefficient_error` is the
largest relative error of a coefficient; for that oscillator, of those up to the third order in the time step.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from _common import RESULTS, append_record, commit, machine, markdown_table, read_records, timed

from sklearn_eql import EQLDynamicsRegressor, datasets
from sklearn_eql.dynamics.runge_kutta import advance

N_TEST = 200
ZERO = 1e-9  # share of the largest coefficient: rounding left over from the change of variables
SYSTEMS: dict[str, dict[str, Any]] = {
    "kinematics": {"form": "update", "relu": (50, 50)},
    "oscillator": {"form": "update", "relu": (50,) * 4},
    "oscillator (ode)": {"form": "ode"},
    "pendulum": {"form": "ode"},
    "lotka_volterra": {"form": "ode"},
    "damped_oscillator": {"form": "ode"},
    "projectile": {"form": "update"},
}

Record = dict[str, Any]


def make(system: str, seed: int, **options):
    """A data set of the system, drawn with `seed`."""
    return getattr(datasets, "make_" + system.split()[0])(random_state=seed, **options)


def true_laws(system: str, data) -> list[sympy.Expr]:
    """What the law should read, over the states and the true parameter."""
    if SYSTEMS[system]["form"] == "ode":
        return [sympy.sympify(str(equation), locals=_symbols(data)) for equation in data.equations]
    names = _symbols(data)
    h = sympy.Rational(str(data.dt))
    if system == "kinematics":
        u, v, a = (names[n] for n in ("u", "v", "a"))
        return [u + v * h + a * h**2 / 2, v + a * h]
    if system == "projectile":
        x, y, w, field = (names[n] for n in ("x", "y", "w", "field"))
        return [x + h, y + w * h - field * h**2 / 2, w - field * h]
    u, v, k = (names[n] for n in ("u", "v", "omega2"))
    return [u + v * h - k * u * h**2 / 2 - k * v * h**3 / 6, v - k * u * h - k * v * h**2 / 2 + k**2 * u * h**3 / 6]


def _symbols(data) -> dict[str, sympy.Symbol]:
    return {name: sympy.Symbol(name) for name in [*data.state_names, *data.latent_names]}


def _terms(law: sympy.Expr) -> dict[sympy.Expr, float]:
    found = {term: float(value) for term, value in sympy.expand(law).as_coefficients_dict().items()}
    largest = max(map(abs, found.values()), default=0.0)
    return {term: value for term, value in found.items() if abs(value) > ZERO * largest}


def compare(system: str, model: EQLDynamicsRegressor, latents: np.ndarray, data) -> Record:
    """Terms and coefficients of the law beside those of the true one."""
    parameter = sympy.Symbol(data.latent_names[0])
    slope, offset = np.polyfit(data.z, latents[:, 0], 1)
    # A shift that is zero to rounding would add a term of that size to every product with the latent.
    offset = 0.0 if abs(offset) < ZERO * np.abs(latents).max() else offset
    mapped = sympy.Float(slope) * parameter + sympy.Float(offset)
    errors, missing, stray = [], [], []
    for law, truth in zip(model.sympy_expr_, true_laws(system, data), strict=True):
        got, wanted = _terms(law.subs("z", mapped)), _terms(truth)
        missing += [term for term in wanted if term not in got]
        stray += [term for term in got if term not in wanted]
        errors += [abs(got[term] / value - 1) for term, value in wanted.items() if term in got]
    record = {"missing": list(map(str, missing)), "stray": list(map(str, stray))}
    if system == "oscillator":
        u, v = sympy.symbols("u v")
        series = {state * parameter**power for state in (u, v) for power in range(4)}
        stray = [term for term in stray if term not in series]
        record |= {
            "stray": list(map(str, stray)),
            "has_v_z": v * parameter in _terms(model.sympy_expr_[1].subs("z", mapped)),
        }
        record["third_order"] = not missing
        missing = [] if record["has_v_z"] else missing
    return record | {"form_exact": not missing and not stray, "coefficient_error": max(errors, default=1.0)}


def rmse(rolled: np.ndarray, truth: np.ndarray) -> list[float]:
    """Root mean square error per state over all series and steps; infinite for roll-outs that stopped."""
    if rolled.shape != truth.shape:
        return [float("inf")] * truth.shape[2]
    return np.sqrt(np.mean((rolled - truth) ** 2, axis=(0, 1))).tolist()


def run(system: str, model_name: str, seed: int) -> Record:
    data = make(system, seed)
    test = make(system, 10_000 + seed, n_series=N_TEST, n_steps=10 * data.Y.shape[1])
    options: dict[str, Any] = {"dt": data.dt, "state_names": data.state_names, "random_state": seed}
    if model_name == "relu":
        options |= {"head": "relu", "relu_layers": SYSTEMS[system]["relu"], "schedule": "long", "n_trials": 1}
    else:
        options |= {"form": SYSTEMS[system]["form"], "latent_scale": "simple"}
    model, seconds = timed(lambda: EQLDynamicsRegressor(**options).fit(data.X, data.Y))
    latents = model.transform(test.X)
    encoded = model._encoder(test.X[:, :-1])
    record: Record = {"system": system, "model": model_name, "seed": seed, "seconds": seconds}
    record["one_minus_r"] = 1 - abs(float(np.corrcoef(latents[:, 0], test.z)[0, 1]))
    record["one_minus_r_encoder"] = 1 - abs(float(np.corrcoef(encoded[:, 0], test.z)[0, 1]))
    record["rmse"] = rmse(model.rollout(test.X, test.Y.shape[1]), test.Y)
    if model_name == "eql":
        record |= {"law": [str(law) for law in model.sympy_expr_]} | compare(system, model, latents, test)
    if system == "oscillator" and model_name == "eql":
        record |= {f"rmse_{name}": rmse(rolled, test.Y) for name, rolled in schemes(test).items()}
    return record


def schemes(data) -> dict[str, np.ndarray]:
    """Roll-outs of the true oscillator by Euler's and the classical Runge-Kutta method."""
    k = data.z[:, None]

    def velocity(state: np.ndarray) -> np.ndarray:
        return np.concatenate([state[:, 1:], -k * state[:, :1]], axis=1)

    steps = {
        "euler": lambda state: state + data.dt * velocity(state),
        "runge_kutta": lambda state: advance(velocity, state, data.dt, 1),
    }
    rolled = {}
    for name, step in steps.items():
        state, states = data.X[:, -1], []
        for _ in range(data.Y.shape[1]):
            state = step(state)
            states.append(state)
        rolled[name] = np.stack(states, axis=1)
    return rolled


def report(records: list[Record]) -> str:
    header = ["system", "model", "form exact", "coefficients", "1 - r of the latent", "encoder alone", "roll-out RMSE"]
    rows = []
    for system in SYSTEMS:
        for model in ("eql", "relu"):
            group = [r for r in records if (r["system"], r["model"]) == (system, model)]
            if not group:
                continue
            exact = f"{sum(r['form_exact'] for r in group)} of {len(group)}" if model == "eql" else ""
            worst = f"{max(r['coefficient_error'] for r in group):.1g}" if model == "eql" else ""
            correlation, encoder = (
                f"{max(r[key] for r in group):.1g}" for key in ("one_minus_r", "one_minus_r_encoder")
            )
            error = ", ".join(f"{x:.2g}" for x in np.median([r["rmse"] for r in group], axis=0))
            seconds = [r["seconds"] for r in group]
            time = f"{statistics.median(seconds):.0f} ({max(seconds):.0f})"
            rows.append([system, model, exact, worst, correlation, encoder, error, time])
    lines = [markdown_table([*header, "seconds (longest)"], rows)]
    oscillator = [r for r in records if "rmse_euler" in r]
    if oscillator:
        lines.append("\nOscillator, RMSE of u and v to t = 25, median over seeds:")
        for key in ("rmse", "rmse_euler", "rmse_runge_kutta"):
            lines.append(
                f"    {key}: " + ", ".join(f"{x:.2g}" for x in np.median([r[key] for r in oscillator], axis=0))
            )
        found = sum(r["has_v_z"] for r in oscillator), sum(r["third_order"] for r in oscillator)
        lines.append(f"    v*z found: {found[0]}, third order found: {found[1]} of {len(oscillator)}")
    lines += [f"\n{r['system']}, seed {r['seed']}: {', '.join(r['law'])}" for r in records if "law" in r]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--models", nargs="+", choices=("eql", "relu"), default=["eql", "relu"])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--output", type=Path, default=RESULTS / "motion.jsonl")
    parser.add_argument("--report-only", action="store_true")
    args = parser.parse_args()
    done = {(r["system"], r["model"], r["seed"]) for r in read_records(args.output)}
    for system in args.systems if not args.report_only else ():
        for seed in args.seeds:
            for model in args.models:
                if (model == "relu" and "relu" not in SYSTEMS[system]) or (system, model, seed) in done:
                    continue
                record = run(system, model, seed) | {"commit": commit(), "machine": machine()}
                append_record(args.output, record)
                print(f"{system}, {model}, seed {seed}: {record['seconds']:.1f} s", flush=True)
    print(report(read_records(args.output)))


if __name__ == "__main__":
    main()
