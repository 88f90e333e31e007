"""The pictures of `docs/pictures.md`, from fits to made-up measurements.

    python benchmarks/pictures.py                # all, to docs/images: two minutes of one core
    python benchmarks/pictures.py swing --output /tmp

`swing` is a damped oscillation with noise, on which the displays for tables are drawn; `springs` are masses on springs,
for those of laws of motion. Needs matplotlib.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from _common import ROOT
from matplotlib.figure import Figure

from sklearn_eql import EQLDynamicsRegressor, EQLRegressor
from sklearn_eql.datasets import make_oscillator
from sklearn_eql.plotting import FitDisplay, FrontDisplay, NetworkDisplay, ResidualsDisplay, RolloutDisplay

DPI = 110


def swing() -> dict[str, Figure]:
    """Displays of a table: front, fit, residuals, network."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"t": rng.uniform(0, 6, 70)})
    y = 3 * np.exp(-X["t"] / 4) * np.sin(2 * X["t"]) + 0.3 + rng.normal(scale=0.03, size=70)
    model = EQLRegressor(random_state=0).fit(X, y)
    later = pd.DataFrame({"t": np.linspace(6, 9, 15)})
    seen = pd.concat([X, later])
    angle = np.r_[y, 3 * np.exp(-later["t"] / 4) * np.sin(2 * later["t"]) + 0.3]
    return {
        "display_front": FrontDisplay.from_estimator(model).figure_,
        "display_fit": FitDisplay.from_estimator(model, seen, angle).figure_,
        "display_residuals": ResidualsDisplay.from_estimator(model, X, y).figure_,
        "display_network": NetworkDisplay.from_estimator(model, target="angle").figure_,
    }


def springs() -> dict[str, Figure]:
    """Roll-outs of a law of motion, ten times as long as those of the fit."""
    seen = make_oscillator(n_series=60, n_observed=20, n_steps=15, random_state=0)
    settings = {"form": "ode", "dt": seen.dt, "state_names": seen.state_names, "latent_scale": "simple"}
    model = EQLDynamicsRegressor(**settings, random_state=0).fit(seen.X, seen.Y)
    unseen = make_oscillator(n_series=30, n_observed=20, n_steps=150, random_state=1)
    return {"display_rollouts": RolloutDisplay.from_estimator(model, unseen.X, unseen.Y).figure_}


DRAWN: dict[str, Callable[[], dict[str, Figure]]] = {"swing": swing, "springs": springs}


def main(argv: list[str] | None = None) -> int:
    mpl.use("Agg")  # files are written, no windows opened
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fits", nargs="*", choices=[[], *DRAWN], help="all by default")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images", metavar="DIR")
    arguments = parser.parse_args(argv)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.fits or DRAWN:
        for file, figure in DRAWN[name]().items():
            figure.savefig(arguments.output / f"{file}.png", dpi=DPI)
            print(arguments.output / f"{file}.png", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
