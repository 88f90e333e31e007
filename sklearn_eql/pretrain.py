"""Train a network that writes laws: ``python -m sklearn_eql.pretrain --preset integers-1d --output weights.npz``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from sklearn_eql.language.exact_rate import exact_rate
from sklearn_eql.language.grammar import Expression
from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.presets import PRESETS
from sklearn_eql.language.pretraining import identity_of, pretrain
from sklearn_eql.language.weights import read_weights, save_weights
from sklearn_eql.stopping import Deadline, flag_of_interruption
from sklearn_eql.training.bfloat16 import multiplies_bfloat16
from sklearn_eql.training.checkpoint import Checkpoint


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 with one line on stderr that says what to change."""
    options = _parser().parse_args(argv)
    try:
        _train(options)
    except (ValueError, OSError) as error:
        print(f"pretrain: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_eql.pretrain", description="Train a network on random laws."
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), required=True)
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="weights, .npz")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="save every minute, and go on from there")
    parser.add_argument("--initial", type=Path, metavar="FILE", help="weights to begin with (default: random ones)")
    parser.add_argument("--steps", type=int, help="batches (default: of the preset)")
    parser.add_argument("--batch-size", type=int, help="expressions of a batch (default: of the preset)")
    parser.add_argument("--learning-rate", type=float, help="largest one (default: of the preset)")
    parser.add_argument("--label-smoothing", type=float, help="(default: of the preset)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-time", type=float, default=float("inf"), metavar="SECONDS", help="end earlier")
    parser.add_argument(
        "--anneal-by-time", action="store_true", help="let the learning rate fall over --max-time, if that is sooner"
    )
    parser.add_argument("--eager", action="store_true", help="on a GPU, launch every kernel of a step by itself")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--device", default="cpu", help="of torch")
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that draw batches (default: none; the one that trains does)"
    )
    parser.add_argument(
        "--precision", choices=["auto", "float32", "bfloat16"], default="auto", help="of products (auto: the faster)"
    )
    parser.add_argument("--test-size", type=int, default=500, help="unseen expressions of the last line")
    parser.add_argument("--curve-size", type=int, default=100, help="of these, those of the curve")
    parser.add_argument("--rate-every", type=int, help="steps between two exact rates (default: of the preset)")
    parser.add_argument(
        "--hold-out",
        type=Path,
        metavar="FILE",
        help="expressions in prefix tokens, one per line; they, with any integers, are not to be seen",
    )
    return parser


def _train(options: argparse.Namespace) -> None:
    preset = PRESETS[options.preset]
    changed = {
        "n_steps": options.steps,
        "learning_rate": options.learning_rate,
        "label_smoothing": options.label_smoothing,
        "rate_every": options.rate_every,
        "n_seconds": options.max_time if options.anneal_by_time else None,
    }
    schedule = replace(preset.schedule, seed=options.seed, **{k: v for k, v in changed.items() if v is not None})
    test = preset.test_set(options.test_size)
    skeletons = _expressions(options.hold_out) if options.hold_out else ()
    stream = preset.training_stream(test, options.seed, skeletons, options.batch_size)
    mixed = options.precision == "bfloat16" or (options.precision == "auto" and multiplies_bfloat16(options.device))
    initial = _initial(options.initial, preset.config) if options.initial else None
    identity = identity_of(
        preset.config,
        schedule,
        preset=options.preset,
        batch_size=stream.batch_size,
        test_size=options.test_size,
        initial=options.initial,
        hold_out=sorted(map(" ".join, skeletons)),
    )
    curve = replace(
        test,
        expressions=test.expressions[: options.curve_size],
        X=test.X[: options.curve_size],
        y=test.y[: options.curve_size],
    )
    torch.set_num_threads(options.threads)
    with flag_of_interruption() as flag:
        found = pretrain(
            stream,
            preset.vocabulary,
            preset.config,
            schedule,
            curve,
            Checkpoint(options.checkpoint, identity),
            Deadline(time.time() + options.max_time, str(flag)),
            options.device,
            mixed,
            _report,
            preset.judge,
            options.workers,
            not options.eager,
            initial,
        )
    notes = {"preset": options.preset, "schedule": asdict(schedule), "curves": found.curves}
    save_weights(options.output, found.network, preset.vocabulary, notes)  # before what takes a minute more
    rate = exact_rate(found.network, preset.vocabulary, test, schedule.n_beams, preset.judge)
    print(f"{found.reason.meaning}; {_rates(rate.first, rate.best)} of {len(test)} unseen expressions", flush=True)
    save_weights(options.output, found.network, preset.vocabulary, notes | {"rate": asdict(rate)})


def _initial(path: Path, config: NetworkConfig) -> LawTransformer:
    network, _, _ = read_weights(path)
    if network.config != config:
        raise ValueError(f"{str(path)!r} has a network of the sizes {network.config}; the preset has {config}.")
    return network


def _expressions(path: Path) -> tuple[Expression, ...]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split()) for line in lines if line.strip())


def _report(entry: dict[str, float]) -> None:
    what = f"loss {entry['loss']:.4f}" if "loss" in entry else _rates(entry["first"], entry["best"])
    times = f"{entry['seconds']:>7.0f} s, {entry['cpu_seconds']:>6.0f} of a core"
    print(f"step {entry['step']:>7,}, {entry['expressions']:>10,} expressions, {times}: {what}", flush=True)


def _rates(first: float, best: float) -> str:
    return f"exact: first beam {first:.1%}, best of the beam {best:.1%}"


if __name__ == "__main__":
    sys.exit(main())
