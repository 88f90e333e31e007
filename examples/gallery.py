"""Three laws from the measurements they were found in: Boyle's air, Hubble's nebulae, the Balmer lines of hydrogen.

``python examples/gallery.py boyle --plot boyle.png`` fits one of them, compares its constant with the accepted value
and draws the picture of ``docs/gallery.md``; ``--seed`` chooses another random state.
"""

import argparse
import time

import matplotlib as mpl
import numpy as np
import sympy

mpl.use("Agg")  # a file is written, no window opened

import matplotlib.pyplot as plt

from sklearn_eql import EQLRegressor
from sklearn_eql._display import equation_table
from sklearn_eql.datasets import load_balmer, load_boyle, load_hubble
from sklearn_eql.plotting import plot_fit

GREY = "#777777"


def boyle(seed: int):
    """Pressure and volume of air: the constant is that of Boyle's own sample of air."""
    table = load_boyle()
    model = fit(table, seed)
    k, volume = sympy.Wild("k"), sympy.Symbol("volume")
    constants, errors = read(model, table, k / volume)
    compare("k", constants[k], errors[k], {"48 * 29 2/16, Boyle's first row": 48 * 29.125}, "inches of mercury * marks")

    top, bottom = draw(model, table, "residual (inHg)")
    top.set_title("Boyle 1662: the spring of the air", loc="left")
    top.set_ylabel("pressure (inches of mercury)")
    bottom.set_xlabel("volume (marks on the glass)")
    return top.figure


def hubble(seed: int):
    """Distance and velocity of nebulae: a law in noise of half its size."""
    table = load_hubble()
    model = fit(table, seed)
    slope, distance = sympy.Wild("H0"), sympy.Symbol("distance")
    constants, errors = read(model, table, slope * distance)
    accepted = {"Hubble 1929, 24 nebulae": 465, "Hubble 1929, nine groups": 513, "today, about": 70}
    compare("H0", constants[slope], errors[slope], accepted, "km/s per Mpc")

    top, bottom = draw(model, table, "residual (km/s)", domain=(0, 2.1), precision=3)
    reach = np.array([0, 2.1])
    low, high = ((constants[slope] + sign * errors[slope]) * reach for sign in (-1, 1))
    top.fill_between(reach, low, high, color=top.lines[0].get_color(), alpha=0.12, linewidth=0, label="standard error")
    top.plot(reach, 70 * reach, color=GREY, linewidth=1.2, linestyle="--", label="today: 70*distance")
    top.legend(loc="upper left", frameon=False)
    top.set_title("Hubble 1929: distance and velocity of nebulae", loc="left")
    top.set_ylabel("velocity (km/s)")
    bottom.set_xlabel("distance (Mpc)")
    return top.figure


def balmer(seed: int):
    """Wavelengths of hydrogen: a formula good to two parts in a million, and why not better."""
    table = load_balmer(target="vacuum_wavelength")
    model = fit(table, seed, functions="rational")
    n, limit, square = sympy.Symbol("n"), sympy.Wild("B", exclude=["n"]), sympy.Wild("c", exclude=["n"])
    constants, errors = read(model, table, limit * n**2 / (n**2 + square))
    compare("B", constants[limit], errors[limit], {"4e7 / 109677.583": 4e7 / 109677.583}, "nm")
    compare("c", -constants[square], errors[square], {"2**2": 4}, "")

    # The same light as wave number, which is the difference of two energies.
    waves = load_balmer(target="wavenumber")
    second = fit(waves, seed)
    constants, errors = read(second, waves, limit * (n**2 - 4) / n**2)
    compare("B", constants[limit], errors[limit], {"Rydberg constant of hydrogen / 4": 109677.583 / 4}, "1/cm")

    top, bottom = draw(model, table, "residual (pm)", factor=1000)
    colours = ["#d62728", "#17a2b8", "#5b3fd6", "#7b1fa2", *["#6a5a7a"] * (len(table.target) - 4)]
    for axes in (top, bottom):
        axes.collections[0].set_facecolor(colours)
    top.legend(handles=top.lines[:1], loc="upper right", frameon=False)  # "measured" has many colours
    for name, level, wavelength in zip(table.names[:4], table.data["n"], table.target, strict=False):
        top.annotate(name, (level, wavelength), xytext=(9, 3), textcoords="offset points", fontsize=9, color=GREY)
    top.set_title("Balmer lines of hydrogen, wavelength in vacuum", loc="left")
    top.set_ylabel("wavelength (nm)")
    bottom.set_xlabel("upper level n")
    bottom.set_xticks(table.data["n"])
    return top.figure


def fit(table, seed: int, **parameters) -> EQLRegressor:
    """Fit the only feature of `table` and print the equations found."""
    print(f"{table.target_names[0]} of {table.feature_names[0]}, {len(table.target)} rows ...")
    start = time.perf_counter()
    model = EQLRegressor(random_state=seed, **parameters).fit(table.data, table.target)
    print(f"done in {time.perf_counter() - start:.1f} s\n")
    print(equation_table(model.equations_, model.best_index_, 7))
    print(f"\nLaw: {table.target_names[0]} = {model.sympy_expr_}")
    return model


def read(model, table, form):
    """The constants of `form` (its wildcards) in the selected law, and their standard errors.

    The errors are those of least squares: residual variance times the inverse of J'J, where J holds the derivatives
    by the constants.
    """
    found = model.sympy_expr_.match(form)
    if found is None:
        raise SystemExit(f"The law found is not of the form {form}: look at the table above, or try another --seed.")
    wilds = sorted(found, key=str)
    symbol = sympy.Symbol(table.feature_names[0])
    x = table.data.to_numpy(dtype=float)[:, 0]
    slopes = [sympy.lambdify(symbol, form.diff(wild).subs(found))(x) * np.ones_like(x) for wild in wilds]
    jacobian = np.column_stack(slopes)
    size = np.linalg.norm(jacobian, axis=0)  # columns of unit length: their inverse is well conditioned
    residuals = table.target - model.predict(table.data)
    variance = np.sum(residuals**2) / (len(x) - len(wilds))
    covariance = variance * np.linalg.inv((jacobian / size).T @ (jacobian / size)) / np.outer(size, size)
    errors = np.sqrt(np.diag(covariance))
    return {wild: float(found[wild]) for wild in wilds}, dict(zip(wilds, errors, strict=True))


def compare(name: str, value: float, error: float, accepted: dict, unit: str) -> None:
    """Print a constant beside the values that others give for it."""
    digits = max(0, 1 - int(np.floor(np.log10(error))))  # two digits of the error
    print(f"     {name} = {value:.{digits}f} +- {error:.{digits}f} {unit}".rstrip())
    for source, other in accepted.items():
        print(f"         {source}: {other:.{digits}f}, relative difference {value / other - 1:+.1e}")
    print()


def draw(model, table, ylabel: str, *, factor: float = 1, domain=None, precision: int = 6):
    """Data with the law above, what the law leaves over (times `factor`) below."""
    _, (top, bottom) = plt.subplots(2, 1, figsize=(6.4, 5.2), sharex=True, height_ratios=(3, 1), layout="constrained")
    plot_fit(model, table.data, table.target, ax=top, domain=domain, precision=precision, training_range=None)
    top.lines[0].set_label(f"law: {top.lines[0].get_label()}")
    top.legend(loc="best", frameon=False)
    top.set_xlabel("")
    residuals = factor * (table.target - model.predict(table.data))
    bottom.axhline(0, color=top.lines[0].get_color(), linewidth=1.2)
    point = top.collections[0]
    bottom.scatter(table.data, residuals, s=28, color=point.get_facecolor(), edgecolor="white", linewidth=0.7, zorder=3)
    bottom.set_ylabel(ylabel)
    bottom.set_ylim(-1.2 * np.abs(residuals).max(), 1.2 * np.abs(residuals).max())
    bottom.spines[["top", "right"]].set_visible(False)
    bottom.grid(True, color="#e6e6e6", linewidth=0.6)
    bottom.set_axisbelow(True)
    return top, bottom


if __name__ == "__main__":
    examples = {"boyle": boyle, "hubble": hubble, "balmer": balmer}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", choices=examples)
    parser.add_argument("--plot", metavar="FILE", help="where to write the picture")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    picture = examples[arguments.example](arguments.seed)
    if arguments.plot:
        picture.savefig(arguments.plot, dpi=110)
        print(f"Picture: {arguments.plot}")
