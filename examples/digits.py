"""A law of what pictures show, read by a network from torchvision: sums of handwritten digits.

``python examples/digits.py`` trains a ShuffleNet on pairs of 8x8 digits and their sums, together with the law, and
prints what the law is and which classes of pictures it tells apart. ``--operation multiply`` for products (takes
longer); ``--mnist FOLDER`` takes images from MNIST in that folder; ``--output DIR`` draws latents against digits.

Any network of torchvision that ends with ``num_classes`` outputs serves: its outputs are latent classes (`n_classes`).
Nobody tells it what the classes are, only what the sum of two of them is.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from torch import nn

from sklearn_eql import EQLEncoderRegressor
from sklearn_eql.datasets import load_digits_arithmetic, load_mnist_arithmetic
from sklearn_eql.vision import import_torchvision

N_KINDS = 32  # at least as many as there are; more than ten, because nobody knows


def shufflenet() -> nn.Module:
    """A fresh network for grey images of any size; those of the model zoo read three channels and 32 pixels or more."""
    import_torchvision()  # beside any build of torch
    from torchvision.models import shufflenet_v2_x0_5

    return nn.Sequential(
        nn.Unflatten(1, (1, -1)),
        nn.Upsample(size=(32, 32)),
        nn.Conv2d(1, 3, 1),
        shufflenet_v2_x0_5(num_classes=N_KINDS),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operation", default="add", choices=["add", "subtract", "multiply"])
    parser.add_argument("--mnist", metavar="FOLDER", help="take images from MNIST in this folder")
    parser.add_argument("--max-iter", type=int, default=1500, help="steps of training with the law")
    parser.add_argument("--quick", action="store_true", help="a few steps, to try the script out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, metavar="DIR", help="draw a picture there")
    args = parser.parse_args()
    load = load_digits_arithmetic
    options = {"operation": args.operation, "n_samples": 200 if args.quick else 20_000}
    quick = {"linear_steps": 2, "max_iter": 2, "n_generations": 1} if args.quick else {}
    if args.mnist:
        load = load_mnist_arithmetic
        options |= {"data_home": args.mnist, "download": False}
    train, test = load(**options), load(subset="test", **{**options, "n_samples": options["n_samples"] // 4})

    start = time.time()
    model = EQLEncoderRegressor(
        encoder=shufflenet,
        n_classes=N_KINDS,
        batch_size=64,
        transforms="affine",
        random_state=args.seed,
        verbose=1,
        **{"max_iter": args.max_iter, **quick},
    ).fit(train.X, train.y)
    print(f"law:      {model.sympy_expr_.n(4)}   ({time.time() - start:.0f} s)")
    for name, part in (("training", train), ("test", test)):
        right = np.mean(model.predict(part.X).round() == part.y)
        print(f"{name + ':':9} {right:.1%} of the results are right when rounded")
    latents, digits = model.transform(train.X).ravel(), train.digits.ravel()
    for digit in range(10):
        values, counts = np.unique(latents[digits == digit].round(3), return_counts=True)
        share = counts.max() / counts.sum()
        print(f"  digit {digit}: latent {values[counts.argmax()]:6.3f} for {share:.1%} of the images")
    if args.output:
        from sklearn_eql.plotting import plot_digits

        args.output.mkdir(parents=True, exist_ok=True)
        plot_digits(model, train, test).savefig(args.output / "digits.png", dpi=110)


if __name__ == "__main__":
    main()
