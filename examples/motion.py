"""Laws of motion from series: Figs. 7 and 8 and Tables III and IV of Kim et al., and the same on four other systems.

``python examples/motion.py --output DIR`` fits them one after the other, prints tables in Markdown and draws the
pictures of ``docs/gallery.md``; ``--systems kinematics`` is the shortest, ``--seed`` chooses another random state, and
``--quick`` tries the script out on a few short series.

A model is fitted to series drawn with the seed, and judged on 200 others, which roll on for ten times as many steps as
it was trained on.
"""

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import sympy

mpl.use("Agg")  # a file is written, no window opened

import matplotlib.pyplot as plt

from sklearn_eql import EQLDynamicsRegressor, datasets
from sklearn_eql.plotting import plot_latent, plot_rollouts
from sklearn_eql.training.schedule import RolloutPhase

FACTOR = 10  # steps of a roll-out over steps of training
ROUNDING = 1e-9  # share of the largest coefficient that is left over from a change of variables
OTHERS = {"pendulum": {}, "lotka_volterra": {}, "projectile": {}, "damped_oscillator": {"hidden": "both"}}
DRAWN = {"pendulum": "angle", "lotka_volterra": "prey", "projectile": "y", "damped_oscillator": "u"}
TABLE_III = [
    ["true", "`u + v + a/2`", "`v + a`"],
    ["paper, expected of its latent", "`u + v - 0.442*z - 0.045`", "`v - 0.884*z - 0.091`"],
    ["paper, found", "`1.002*u + 1.002*v - 0.475*z`", "`1.002*v - 0.918*z - 0.102`"],
]
TABLE_IV = [
    ["true, first order (Euler)", "`u + 0.1*v`", "`v - 0.1*omega2*u`"],
    ["paper, expected of its latent", "`u + 0.1*v`", "`v - 0.0464*u + 0.0927*u*z`"],
    ["the same, second order", "`u + 0.1*v`", "`0.998*v - 0.0464*u + 0.0927*u*z + 0.0046*v*z`"],
    [
        "paper, found",
        "`0.994*u + 0.0992*v - 0.0031`",
        "`0.995*v - 0.0492*u + 0.084*u*z + 0.0037*v*z + 0.0133*z**2`",  # "0.0492d" in print
    ],
]


class Experiment:
    """Series to learn from, series to judge by, and the settings for fits."""

    def __init__(self, system: str, seed: int, quick: bool, **options) -> None:
        make = getattr(datasets, f"make_{system}")
        options |= {"n_series": 40, "n_observed": 20} if quick else {}
        steps = {"n_steps": 5} if quick else {}
        self.data = make(random_state=seed, **options, **steps)
        self.trained_steps = self.data.Y.shape[1]
        unseen = {**options, "n_series": 200, "n_steps": FACTOR * self.trained_steps}
        self.test = make(random_state=10_000 + seed, **unseen)
        self.seed, self.quick = seed, quick
        self.parameters = self.test.z.reshape(len(self.test.X), -1)

    def fit(self, **options) -> EQLDynamicsRegressor:
        data = self.data
        given = {"dt": data.dt, "state_names": data.state_names, "random_state": self.seed, **options}
        if self.quick:
            phases = (RolloutPhase(60, learning_rate=1e-2, n_rollout=1), RolloutPhase(60, n_rollout=3))
            given |= {"encoder": "mlp", "n_trials": 1, "schedule": phases}
        print(f"{data.name}, {len(data.X)} series, {options} ...", flush=True)
        start = time.perf_counter()
        model = EQLDynamicsRegressor(**given).fit(data.X, data.Y)
        print(f"    done in {time.perf_counter() - start:.1f} s", flush=True)
        if given.get("head") != "relu":
            print(f"    {model.sympy_expr_}", flush=True)
        return model

    def rollouts(self, models: dict) -> dict:
        """Of all unseen series, the truth first; RMSEs are printed."""
        truth = self.test.Y
        rolled = {name: model.rollout(self.test.X, truth.shape[1]) for name, model in models.items()}
        return {"True": truth, **rolled}

    def horizon(self) -> float:
        return self.trained_steps * self.data.dt


def kinematics(seed: int, quick: bool, output: Path | None) -> None:
    """Section IV-B: Table III and Fig. 7."""
    experiment = Experiment("kinematics", seed, quick)
    law, relu = experiment.fit(), experiment.fit(head="relu", relu_layers=(50, 50), schedule="long", n_trials=1)
    z = correlate(experiment, law)
    report_rollouts(experiment, experiment.rollouts({"EQL": law, "ReLU": relu}))

    print("\nTable III\n")
    mapped = in_parameters(law, z, experiment)
    rows = [*TABLE_III, ["here, as fitted", *code(law.sympy_expr_)], ["here, `z` replaced by `a`", *code(mapped)]]
    print_table(["", "next `u`", "next `v`"], rows)
    u, v, a = sympy.symbols("u v a")
    largest = largest_error(mapped, [u + v + a / 2, v + a])
    print(f"Largest relative error of a coefficient after the replacement: {largest:.1e}")
    if output:
        rollouts = experiment.rollouts({"EQL": law, "ReLU": relu})
        save(draw(experiment, z, rollouts, "acceleration a"), output / "motion_kinematics.png")


def oscillator(seed: int, quick: bool, output: Path | None) -> None:
    """Section IV-C: Table IV and Fig. 8."""
    experiment = Experiment("oscillator", seed, quick)
    law = experiment.fit()
    relu = experiment.fit(head="relu", relu_layers=(50,) * 4, schedule="long", n_trials=1)
    equation = experiment.fit(form="ode", latent_scale="simple")
    z = correlate(experiment, law)
    models = {"EQL": law, "ReLU": relu}
    rollouts = {**experiment.rollouts(models), "Euler": euler(experiment.test)}
    found = experiment.rollouts({"EQL as differential equation": equation})
    report_rollouts(experiment, {**rollouts, **found})

    print("\nTable IV\n")
    mapped = in_parameters(law, z, experiment)
    u, v, k = sympy.symbols("u v omega2")
    h = sympy.Rational(str(experiment.data.dt))
    second = [u + v * h - k * u * h**2 / 2, v - k * u * h - k * v * h**2 / 2]
    taylor = [second[0] - k * v * h**3 / 6, second[1] + k**2 * u * h**3 / 6]
    rows = [
        *TABLE_IV,
        ["true, third order", *(f"`{e.evalf(4)}`" for e in taylor)],
        ["here, as fitted", *code(law.sympy_expr_, 4)],
        ["here, `z` replaced by `omega2`", *code(mapped, 4)],
    ]
    print_table(["", "next `u`", "next `v`"], rows)
    for order, truth in (("second", second), ("third", taylor)):
        print(f"Largest relative error of a coefficient up to {order} order: {largest_error(mapped, truth):.1e}")
    print(f"As a differential equation: {[str(rounded(e, 6)) for e in equation.sympy_expr_]}")
    correlate(experiment, equation)
    if output:
        save(draw(experiment, z, rollouts, "omega2"), output / "motion_oscillator.png")


def others(systems: list[str], seed: int, quick: bool, output: Path | None) -> None:
    """Differential equations of systems that the paper does not have."""
    rows, pictures = [], []
    for system in systems:
        experiment = Experiment(system, seed, quick, **OTHERS[system])
        n_latents = experiment.parameters.shape[1]
        model = experiment.fit(form="ode", latent_scale="simple", n_latents=n_latents)
        z = correlate(experiment, model)
        missing = [1 - abs(np.corrcoef(z[:, j], experiment.parameters[:, j])[0, 1]) for j in range(n_latents)]
        rollouts = experiment.rollouts({"EQL": model})
        error = np.abs(rollouts["EQL"] - rollouts["True"]).max() if complete(rollouts["EQL"], experiment) else np.inf
        rows.append(
            [
                experiment.data.name,
                ", ".join(f"`{equation}`" for equation in experiment.data.equations),
                ", ".join(code(model.sympy_expr_)),
                f"{max(max(missing), np.finfo(float).eps):.0e}",
                f"{error:.1e}",
            ]
        )
        pictures.append((system, experiment, z, rollouts))
    print()
    print_table(["system", "true", "found", "1 - correlation", "largest error of a roll-out"], rows)
    if output:
        save(draw_others(pictures), output / "motion_systems.png")


def correlate(experiment: Experiment, model: EQLDynamicsRegressor) -> np.ndarray:
    """Latents of the unseen series, in the order of the parameters that they stand for; correlations are printed."""
    z, encoded = model.transform(experiment.test.X), model._encoder(experiment.test.X[:, :-1])
    names, n = experiment.data.latent_names, len(experiment.data.latent_names)
    both = np.abs(np.corrcoef(z.T, experiment.parameters.T)[:n, n:])
    order = [int(np.argmax(both[:, j])) for j in range(n)]
    for name, latent, parameter in zip(names, order, experiment.parameters.T, strict=True):
        slope, offset = np.polyfit(z[:, latent], parameter, 1)
        correlation, alone = (np.corrcoef(values[:, latent], parameter)[0, 1] for values in (z, encoded))
        print(f"    {name} = {slope:.6g}*z {offset:+.6g}, correlation {correlation:.12g}, encoder alone {alone:.8g}")
    return z[:, order]


def in_parameters(model: EQLDynamicsRegressor, z: np.ndarray, experiment: Experiment) -> list[sympy.Expr]:
    """The law with its latent replaced by its linear regression on the true parameter."""
    slope, offset = np.polyfit(experiment.parameters[:, 0], z[:, 0], 1)
    offset = 0.0 if abs(offset) < ROUNDING * np.abs(z).max() else offset
    mapped = slope * sympy.Symbol(experiment.data.latent_names[0]) + offset
    return [cleaned(sympy.expand(law.subs("z", mapped))) for law in model.sympy_expr_]


def cleaned(law: sympy.Expr) -> sympy.Expr:
    """Without what rounding left over."""
    terms = law.as_coefficients_dict()
    largest = max(map(abs, terms.values()))
    return sympy.Add(*(value * term for term, value in terms.items() if abs(value) > ROUNDING * largest))


def largest_error(laws: list[sympy.Expr], truths: list[sympy.Expr]) -> float:
    """Relative error of the worst coefficient among those of the true laws; one if a term is missing."""
    errors = []
    for law, truth in zip(laws, truths, strict=True):
        found = law.as_coefficients_dict()
        errors += [
            abs(float(found[term] / value) - 1) for term, value in sympy.expand(truth).as_coefficients_dict().items()
        ]
    return max(errors)


def euler(data) -> np.ndarray:
    """The true oscillator by Euler's method, one step per time step."""
    u, v = data.X[:, -1].T
    states = []
    for _ in range(data.Y.shape[1]):
        u, v = u + data.dt * v, v - data.dt * data.z * u
        states.append(np.stack([u, v], axis=1))
    return np.stack(states, axis=1)


def complete(rolled: np.ndarray, experiment: Experiment) -> bool:
    """Whether no series exploded."""
    return rolled.shape == experiment.test.Y.shape


def report_rollouts(experiment: Experiment, rollouts: dict) -> None:
    """RMSEs over all unseen series, within the horizon of training and over ten times as many steps."""
    truth, n = rollouts["True"], experiment.trained_steps
    rows = []
    for name, rolled in rollouts.items():
        if name == "True":
            continue
        cells = [f"`{name}`"]
        for stop in (n, FACTOR * n):
            within = rolled[:, :stop]
            rmse = np.sqrt(np.mean((within - truth[:, : within.shape[1]]) ** 2, axis=(0, 1)))
            cells.append(", ".join(f"{x:.1e}" for x in rmse) if within.shape[1] == stop else "explodes")
        rows.append(cells)
    print()
    print_table(["RMSE of " + ", ".join(experiment.data.state_names), f"{n} steps", f"{FACTOR * n} steps"], rows)


def rounded(law: sympy.Expr, digits: int) -> sympy.Expr:
    """For reading; what is 1 to that many digits is left out."""
    shown = {number: sympy.Float(number, digits) for number in law.atoms(sympy.Float)}
    return law.xreplace({n: sympy.Integer(int(x)) if float(x).is_integer() else x for n, x in shown.items()})


def code(laws: list[sympy.Expr], digits: int = 6) -> list[str]:
    return [f"`{rounded(law, digits)}`" for law in laws]


def print_table(header: list[str], rows: list[list[str]]) -> None:
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")
    print()


def draw(experiment: Experiment, z: np.ndarray, rollouts: dict, label: str):
    """Latents on the left, roll-outs of one unseen series on the right."""
    data, n_states = experiment.data, len(experiment.data.state_names)
    figure = plt.figure(figsize=(10, 4.4), layout="constrained")
    grid = figure.add_gridspec(n_states, 2, width_ratios=(1, 1.5))
    plot_latent(z, experiment.parameters[:, 0], label=label, ax=figure.add_subplot(grid[:, 0]))
    axes = [figure.add_subplot(grid[0, 1])]
    axes += [figure.add_subplot(grid[i, 1], sharex=axes[0]) for i in range(1, n_states)]
    series = typical(rollouts["True"])
    shown = {name: rolled[series] for name, rolled in rollouts.items()}
    plot_rollouts(experiment.test.t, shown, data.state_names, trained_until=experiment.horizon(), axes=axes)
    for ax in axes[:-1]:
        ax.tick_params(labelbottom=False)
    return figure


def typical(truth: np.ndarray) -> int:
    """The series of median size: chosen by the truth alone, not by how well a model does."""
    size = np.abs(truth).max(axis=(1, 2))
    return int(np.argsort(size)[len(size) // 2])


def draw_others(pictures: list):
    """A row for each system: its latents, and one state of one unseen series."""
    figure = plt.figure(figsize=(10, 2.5 * len(pictures)), layout="constrained")
    grid = figure.add_gridspec(len(pictures), 4)
    for row, (system, experiment, z, rollouts) in enumerate(pictures):
        data, n = experiment.data, z.shape[1]
        for j, name in enumerate(data.latent_names):
            ax = figure.add_subplot(grid[row, j])
            plot_latent(z[:, j], experiment.parameters[:, j], label=name, ax=ax)
            ax.set_ylabel("latent" if n > 1 else "latent z")
            ax.title.set_fontsize(9)
        ax = figure.add_subplot(grid[row, n:])
        state, series = data.state_names.index(DRAWN[system]), typical(rollouts["True"])
        shown = {name: rolled[series][:, [state]] for name, rolled in rollouts.items()}
        until = experiment.horizon()
        plot_rollouts(experiment.test.t, shown, [DRAWN[system]], trained_until=until, axes=[ax])
        ax.set_title(data.name, loc="right", fontsize=10)
    return figure


def save(figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"Picture: {path}")


def main() -> None:
    systems = ["kinematics", "oscillator", *OTHERS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=systems, default=systems)
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to write the pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few and short series, to try the script out")
    arguments = parser.parse_args()
    settings = arguments.seed, arguments.quick, arguments.output
    for name, experiment in (("kinematics", kinematics), ("oscillator", oscillator)):
        if name in arguments.systems:
            experiment(*settings)
    chosen = [system for system in arguments.systems if system in OTHERS]
    if chosen:
        others(chosen, *settings)


if __name__ == "__main__":
    main()
