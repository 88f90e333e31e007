"""What `n_classes` gains: sums and products of 8x8 digits, with and without classes.

    python benchmarks/latent_classes.py           # three seeds each, some minutes on one core
    python benchmarks/latent_classes.py --seeds 1 --classes 16

Prints a table; needs no data folder. Test images are other people's hands.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _common import markdown_table

from sklearn_eql import EQLEncoderRegressor
from sklearn_eql.datasets import load_digits_arithmetic

MAX_ITER = 1_000


def fit(operation: str, n_classes: int | None, seed: int) -> tuple[str, float, float, float]:
    """The law, the shares of right results on training and test images, and seconds of processor time."""
    train, test = (load_digits_arithmetic(operation=operation, subset=s, random_state=seed) for s in ("train", "test"))
    model = EQLEncoderRegressor(encoder="mlp", n_classes=n_classes, max_iter=MAX_ITER, random_state=seed)
    start = time.process_time()
    model.fit(train.X, train.y)
    seconds = time.process_time() - start
    right = [float(np.mean(model.predict(part.X).round() == part.y)) for part in (train, test)]
    return str(model.sympy_expr_.n(4)), *right, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", nargs="+", default=["add", "multiply"])
    parser.add_argument("--classes", nargs="+", type=int, default=[0, 16], help="0 for none")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    for operation in args.operations:
        for n_classes in args.classes:
            found = [fit(operation, n_classes or None, seed) for seed in range(args.seeds)]
            for seed, (law, train, test, seconds) in enumerate(found):
                rows.append(
                    [operation, n_classes or "none", seed, law, f"{train:.1%}", f"{test:.1%}", f"{seconds:.0f}"]
                )
    print(markdown_table(["operation", "classes", "seed", "law", "training images", "test images", "seconds"], rows))


if __name__ == "__main__":
    main()
