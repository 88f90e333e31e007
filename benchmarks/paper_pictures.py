"""Figs. 2 and 10 of the paper, for `docs/paper.md`.

    python benchmarks/paper_pictures.py penalties --output /tmp
    python benchmarks/paper_pictures.py third-trial --data-dir DATA     # MNIST; half a minute of one core

`penalties` draws L0.5 and its smoothed form, with their slopes. `third-trial` trains an encoder under a sum of two
sines, the form that the head of trial 3 had found, with the constants of the form: it prints these, and draws the
latents. Pictures go to `docs/images`. Needs matplotlib.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import sympy
import torch
from _common import ROOT
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator

from sklearn_eql.datasets import load_mnist_arithmetic
from sklearn_eql.networks.encoders import LatentNorm, build_encoder
from sklearn_eql.networks.penalties import SmoothedL05
from sklearn_eql.plotting import plot_digits
from sklearn_eql.plotting._axes import BLUE, ORANGE, new_grid, styled
from sklearn_eql.symbolic import to_sympy, to_torch_module
from sklearn_eql.symbolic.reading import from_sympy

DPI = 110
SMOOTH_BELOW = 0.1  # a of eq. (3), as in the figure
LAW = "-4*sin(2*z0) - 4*sin(2*z1) + 9"  # of the form of eq. (11), where training starts
N_STEPS, BATCH, RATE = 1_500, 128, 3e-3
N_TRAIN, N_SHOWN = 20_000, 5_000


def penalties() -> Figure:
    """Fig. 2, and the slopes that make the difference."""
    weights = torch.linspace(-1, 1, 801, dtype=torch.float64)[:, None]
    smooth, size = SmoothedL05(threshold=SMOOTH_BELOW), weights[:, 0].abs()
    exact, exact_slope = size.sqrt(), weights[:, 0].sign() / (2 * size.sqrt())
    exact_slope[size < 1e-9] = torch.nan  # no line through the pole
    w = weights[:, 0].numpy()
    values, slopes = new_grid((9.0, 3.6), 1, 2)[0]
    for ax, root, smoothed, label in (
        (values, exact, smooth.value(weights), "penalty"),
        (slopes, exact_slope, smooth.gradient(weights)[:, 0], "its derivative"),
    ):
        styled(ax)
        ax.plot(w, root.numpy(), color=BLUE, linewidth=1.6, label="$L_{0.5}$")
        ax.plot(w, smoothed.numpy(), color=ORANGE, linewidth=1.6, linestyle=(0, (5, 2)), label="$L^*_{0.5}$, a = 0.1")
        ax.set(xlabel="weight", ylabel=label, xticks=[-1, -0.5, 0, 0.5, 1])
    slopes.set_ylim(-5, 5)  # that of the root is infinite at 0
    values.legend(frameon=False)
    return values.figure


class TrainedTogether(BaseEstimator):
    """An encoder of images and a law of their latents, trained together by gradient descent."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> TrainedTogether:
        """`X` (n_samples, 2, height, width), `y` (n_samples,)."""
        torch.manual_seed(0)
        self.encoder_ = torch.nn.Sequential(build_encoder("mlp", X.shape[2:], 1), LatentNorm(1))
        self.form_ = from_sympy(sympy.sympify(LAW), ["z0", "z1"])
        self.law_ = to_torch_module(self.form_)
        optimizer = torch.optim.Adam([*self.encoder_.parameters(), *self.law_.parameters()], lr=RATE)
        rng, target = np.random.default_rng(0), torch.from_numpy(np.asarray(y, dtype=float))
        for step in range(N_STEPS):
            optimizer.param_groups[0]["lr"] = RATE * (1 - step / N_STEPS)
            rows = rng.integers(len(X), size=BATCH)
            loss = (self.law_(self._latents(X[rows])) - target[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.encoder_.eval()
        return self

    def _latents(self, X: np.ndarray) -> torch.Tensor:
        items = torch.from_numpy(np.asarray(X, dtype=np.float32) / 255).flatten(0, 1)
        return self.encoder_(items).reshape(len(X), -1).double()

    @torch.no_grad()
    def transform(self, X: np.ndarray) -> np.ndarray:
        return self._latents(X).numpy()

    @torch.no_grad()
    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.law_(self._latents(X)).numpy()


def third_trial(data_dir: str | None) -> Figure:
    """Fig. 10: latents that are an inverse sine of the digits, under a law that is a sum of sines."""
    load = {"data_home": data_dir, "download": data_dir is None}
    train = load_mnist_arithmetic(n_samples=N_TRAIN, **load)
    model = TrainedTogether().fit(train.X, train.y)
    constants = model.law_.coefficients[0].detach().numpy()
    print("law:", to_sympy(model.form_.with_coefficients(constants), ["z0", "z1"]).n(4))
    parts = [load_mnist_arithmetic(n_samples=N_SHOWN, subset=subset, **load) for subset in ("train", "test")]
    return plot_digits(model, *parts)


def main(argv: list[str] | None = None) -> int:
    mpl.use("Agg")  # files are written, no windows opened
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=["penalties", "third-trial"])
    parser.add_argument("--data-dir", help="folder of MNIST; downloaded by default")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images", metavar="DIR")
    arguments = parser.parse_args(argv)
    figure = penalties() if arguments.figure == "penalties" else third_trial(arguments.data_dir)
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"paper_{arguments.figure.replace('-', '_')}.png"
    figure.savefig(path, dpi=DPI)
    print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
