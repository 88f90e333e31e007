"""Kepler's third law from the published orbits of the planets, judged on bodies that the fit has not seen.

Run by ``make demo``; ``python examples/kepler.py FOLDER`` writes the picture to another folder.
"""

import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")  # a file is written, no window opened

from sklearn_eql import EQLRegressor
from sklearn_eql._display import equation_table, equation_text
from sklearn_eql.datasets import load_kepler
from sklearn_eql.plotting import plot_fit


def main(folder: Path) -> None:
    """Fit the planets, print the law and its error on the other bodies, draw both."""
    planets = load_kepler(group="planets")
    others = load_kepler(group="small_bodies")
    print(f"Fitting the periods (days) of {len(planets.target)} planets to their semi-major axes (au) ...")
    start = time.perf_counter()
    model = EQLRegressor(random_state=0).fit(planets.data, planets.target)
    print(f"done in {time.perf_counter() - start:.1f} s\n")

    print(equation_table(model.equations_, model.best_index_))
    print(f"\nLaw: period = {equation_text(model.sympy_expr_, 6)}")
    print("     (Kepler: period = 365.257 * semi_major_axis**(3/2) for a light body)\n")

    error = np.abs(model.predict(others.data) / others.target - 1)
    farthest = others.data["semi_major_axis"].idxmax()
    print(f"Relative error on {len(error)} dwarf planets and asteroids that the fit has not seen:")
    print(f"     median {np.median(error):.1e}, largest {error.max():.1e} ({others.names[error.idxmax()]})")
    print(
        f"     {others.names[farthest]}, {others.data['semi_major_axis'][farthest] / planets.data.max().item():.0f} "
        f"times as far out as the farthest planet: {error[farthest]:.1e}"
    )

    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "kepler.png"
    draw(model, planets, others).savefig(picture, dpi=150)
    print(f"\nPicture: {picture}")


def draw(model, planets, others):
    """Planets, unseen bodies and the law, on logarithmic axes where a power law is a straight line."""
    reach = others.data["semi_major_axis"]
    domain = (0.8 * planets.data.min().item(), 1.4 * reach.max())
    ax = plot_fit(model, planets.data, planets.target, log=True, domain=domain, precision=5, training_range=None)
    curve, measured = ax.lines[0], ax.collections[0]
    curve.set_label(f"law: {curve.get_label()}")
    measured.set_label("planets, used in the fit")
    ax.scatter(reach, others.target, s=42, marker="o", facecolor="none", edgecolor="#555555", label="unseen bodies")
    for body in ("Mercury", "Earth", "Jupiter", "Neptune"):
        annotate(ax, body, planets, (7, -11))
    for body in ("136199 Eris", "90377 Sedna", "1 Ceres"):
        annotate(ax, body, others, (-8, 6), ha="right")
    ax.set_xlabel("semi-major axis (au)")
    ax.set_ylabel("period (days)")
    ax.set_title("Kepler's third law, found from eight planets", loc="left")
    ax.legend(loc="upper left", frameon=False)
    return ax.figure


def annotate(ax, body, group, offset, ha="left"):
    """Write the name of a body beside its point."""
    row = group.frame[group.frame["name"] == body].iloc[0]
    name = body.split()[-1]
    point = (row["semi_major_axis"], row["period"])
    ax.annotate(name, point, xytext=offset, textcoords="offset points", ha=ha, fontsize=8, color="#555555")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo_output"))
