"""Pictures of a network that writes laws, for `docs/transformer.md`.

    python benchmarks/transformer_figures.py                         # weights of the package, to docs/images
    python benchmarks/transformer_figures.py --weights mine.npz --output /tmp

Four pictures of `integers-1d`: functions that training draws; what the network makes of a table, as the attention of
its latents to the rows and as a map of many tables; a beam with its values; and how often a function is written by the
number of its tokens, from the notes of the weights. Needs matplotlib.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from _common import ROOT
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sympy import latex

from sklearn_eql.language import PRESETS, LawWriter, evaluate, reproduces, to_sympy
from sklearn_eql.language.grammar import Expression
from sklearn_eql.language.network import row_features
from sklearn_eql.plotting._axes import BLUE, INK, MUTED, ORANGE, styled

PRESET = "integers-1d"
SEED = 4  # of everything drawn
GRID = np.linspace(-3, 3, 601)[:, None]
LAW: Expression = ("mul", "x0", "cos", "square", "x0")  # whose table is looked at
BEAM_LAW: Expression = ("add", "sin", "mul", "3", "x0", "square", "x0")
ROOTS = ("add", "mul", "div", "sin", "exp", "log", "sqrt")  # outermost operators with a colour of their own
N_TABLES = 1500  # of the map


def text_of(expression: Expression) -> str:
    return f"${latex(to_sympy(expression)).replace('x_{0}', 'x')}$"


def new_figure(width: float, height: float, n_rows: int, n_columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(width, height), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax in axes.flat:
        styled(ax)
    return figure, axes


def draw_curve(ax: Axes, expression: Expression, **style) -> None:
    """A function on [-3, 3], within what its points show; poles and gaps are gaps."""
    [values] = evaluate([expression], GRID)
    ax.plot(GRID[:, 0], np.where(np.abs(values) < 1e6, values, np.nan), **style)


def limits_of(y: np.ndarray) -> tuple[float, float]:
    """Of an axis, so that one point beside a pole does not flatten all others."""
    low, high = np.nanpercentile(y, [4, 96])
    margin = 0.25 * (high - low)
    return max(low - margin, np.nanmin(y) - margin / 3), min(high + margin, np.nanmax(y) + margin / 3)


def functions() -> Figure:
    """Expressions of a batch of training with the points that the network sees."""
    batch = replace(PRESETS[PRESET].stream, n_views=1, batch_size=64, min_tokens=4, max_tokens=12, seed=SEED).batch(0)
    figure, axes = new_figure(11, 6.6, 3, 4)
    for ax, expression, X, y in zip(axes.flat, batch.expressions, batch.X, batch.y, strict=False):
        draw_curve(ax, expression, color=MUTED, linewidth=1)
        ax.plot(X[:, 0], y, ".", color=BLUE, markersize=4)
        ax.set(xlim=(-3.1, 3.1), ylim=limits_of(y))
        ax.set_title(text_of(expression), fontsize=10)
    return figure


@torch.no_grad()
def attention_to_rows(writer: LawWriter, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How much each latent looks at each row in the first block, mean over heads, shape ``(n_latents, n_rows)``."""
    network, block = writer.network, writer.network.encoder[0]
    rows = network.norm_rows(network.read_row(row_features(torch.from_numpy(X)[None], torch.from_numpy(y)[None])[0]))
    attention = block.attend_cross
    n_heads, width = attention.n_heads, network.config.width // attention.n_heads
    queries = attention.query(block.norm_cross(network.latents)).unflatten(-1, (n_heads, width))
    keys = attention.key_value(rows[0])[:, : network.config.width].unflatten(-1, (n_heads, width))
    scores = torch.einsum("lhw,rhw->hlr", queries, keys) / width**0.5
    return scores.softmax(dim=-1).mean(dim=0).numpy()


@torch.no_grad()
def map_of_tables(writer: LawWriter) -> tuple[np.ndarray, list[Expression]]:
    """The two main directions of the latents of many tables, shape ``(N_TABLES, 2)``, and their laws."""
    stream = replace(PRESETS[PRESET].stream, n_views=1, batch_size=N_TABLES, min_tokens=3, max_tokens=12, seed=SEED)
    batch = stream.batch(1)
    latents = writer.network.encode(torch.from_numpy(batch.X), torch.from_numpy(batch.y)).flatten(1).numpy()
    left, sizes, _ = np.linalg.svd(latents - latents.mean(axis=0), full_matrices=False)
    return left[:, :2] * sizes[:2], batch.expressions


def embedding(writer: LawWriter) -> Figure:
    """What the network makes of one table, and of many."""
    figure, axes = new_figure(11, 4.6, 1, 2)
    left, right = axes[0]
    rng = np.random.default_rng(SEED)
    X = np.sort(rng.uniform(-3, 3, (64, 1)), axis=0)
    [y] = evaluate([LAW], X)
    weights = attention_to_rows(writer, X, y)
    sharpest = np.argsort(-weights.max(axis=1))[:12]
    order = sharpest[np.argsort((weights[sharpest] * X[:, 0]).sum(axis=1))]
    low, high = y.min(), y.max()
    draw_curve(left, LAW, color=MUTED, linewidth=1)
    left.plot(X[:, 0], y, ".", color=INK, markersize=5)
    for row, latent in enumerate(order):
        height = low - (0.12 + 0.075 * row) * (high - low)
        share = weights[latent] / weights[latent].max()
        left.scatter(X[:, 0], np.full(64, height), s=26 * share, color=BLUE, linewidths=0)
    left.set_title(f"{text_of(LAW)}; below: rows that twelve of the latents look at", fontsize=10)
    left.set(xlabel="x", yticks=[])
    places, expressions = map_of_tables(writer)
    roots = np.array([e[0] for e in expressions])
    colours = mpl.colormaps["tab10"]
    right.plot(*places[~np.isin(roots, ROOTS)].T, ".", color="#dddddd", markersize=4, label="others")
    for i, root in enumerate(ROOTS):
        right.plot(*places[roots == root].T, ".", color=colours(i), markersize=5, label=root)
    right.set_title(f"latents of {N_TABLES:,} tables, by the outermost operator", fontsize=10)
    right.set(xlabel="first direction", ylabel="second", xticks=[], yticks=[])
    right.legend(fontsize=8, frameon=False, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def beams(writer: LawWriter) -> Figure:
    """The first expressions of a beam, with their values."""
    figure, axes = new_figure(11, 4.6, 2, 4)
    X = np.random.default_rng(SEED).uniform(-3, 3, (64, 1))
    [y] = evaluate([BEAM_LAW], X)
    laws = writer.write(X, y)
    exact = reproduces([law.expression for law in laws], X, y)
    for place, (ax, law) in enumerate(zip(axes.flat, laws, strict=False)):
        ax.plot(X[:, 0], y, ".", color=MUTED, markersize=4)
        draw_curve(ax, law.expression, color=BLUE if exact[place] else ORANGE, linewidth=1.3)
        ax.set(ylim=limits_of(y))
        chance = f"{100 * np.exp(law.log_probability):.1f}%"
        ax.set_title(f"{place + 1}. {text_of(law.expression)}, {chance}", fontsize=9)
    return figure


def lengths(writer: LawWriter) -> Figure:
    """How often the functions of the test set are written, by the number of their tokens."""
    rate = writer.notes["rate"]
    figure, [[ax]] = new_figure(6.4, 3.8, 1, 1)
    counts = {int(k): n for k, (_, n) in rate["best_by_length"].items()}
    sizes = sorted(counts)
    for name, colour, label in (
        ("first_by_length", ORANGE, "first beam"),
        ("best_by_length", BLUE, f"best of {rate['n_beams']}"),
    ):
        found = {int(k): 100 * s / n for k, (s, n) in rate[name].items()}
        ax.plot(sizes, [found[size] for size in sizes], "o-", color=colour, label=label, markersize=5)
    for size in sizes:
        ax.annotate(f"{counts[size]}", (size, 104), ha="center", fontsize=8, color=MUTED)
    ax.set(xlabel="tokens (above: expressions)", ylabel="function written, %", ylim=(-3, 112), xticks=sizes)
    ax.legend(frameon=False)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=PRESET, help=f"of {PRESET}: the name of the preset, or a file")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images", metavar="FOLDER")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    writer = LawWriter.load(args.weights)
    pictures = {
        "functions": functions(),
        "embedding": embedding(writer),
        "beams": beams(writer),
        "lengths": lengths(writer),
    }
    for name, figure in pictures.items():
        path = args.output / f"transformer_{name}.png"
        figure.savefig(path)
        print(path)


if __name__ == "__main__":
    main()
