"""pykan as its quick start ("Hello, KAN!") has it, ended by the clock.

Training has no limit of time in pykan, so it is asked for a few steps at once, and the clock in between. The grid is
refined where there are more rows than coefficients of a spline. Edges are made symbolic one by one, as `auto_symbolic`
does; where the time is over before the last, splines stay, and there is no law.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import sympy

WIDTH, GRID, REFINED, ORDER, STEPS, PENALTY = 5, 3, 10, 3, 50, 1e-3
LIBRARY = ("x", "x^2", "x^3", "x^4", "exp", "log", "sqrt", "tanh", "sin", "abs")
_AT_ONCE = 5  # steps; pykan moves its grid as often
_SHARES = (0.3, 0.45, 0.6)  # of the time, at which the first three trainings end at the latest


def fit_kan(
    X: pd.DataFrame, y: np.ndarray, seed: int, budget: float
) -> tuple[Callable[[np.ndarray], np.ndarray], sympy.Expr | None]:
    """The predictions of a network, and its law where all of its edges are symbolic."""
    import torch
    from kan import KAN

    start = time.perf_counter()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - pykan draws its batches from there
    rows, mean, scale = _standardised(X.to_numpy(dtype=float))
    target, middle, spread = _standardised(y[:, None])
    data = {"train_input": torch.tensor(rows), "train_label": torch.tensor(target)}
    data |= {"test_input": data["train_input"], "test_label": data["train_label"]}

    def train(network: KAN, share: float, penalty: float = 0.0) -> None:
        for _ in range(STEPS // _AT_ONCE):
            if time.perf_counter() - start > share * budget:
                return
            network.fit(data, opt="LBFGS", steps=_AT_ONCE, lamb=penalty)

    with tempfile.TemporaryDirectory() as folder:
        settings = {"grid": GRID, "k": ORDER, "seed": seed, "auto_save": False, "ckpt_path": folder}
        network = KAN(width=[rows.shape[1], WIDTH, 1], **settings)
        train(network, _SHARES[0], PENALTY)
        network(data["train_input"])
        network = network.prune()
        train(network, _SHARES[1])
        if len(y) > REFINED + ORDER:  # which a spline of the refined grid has as coefficients
            network = network.refine(REFINED)
        train(network, _SHARES[2])
        is_symbolic = _make_symbolic(network, data["train_input"], start + budget)
        if is_symbolic:
            train(network, 1.0)

    def predict(new: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.tensor((new - mean) / scale)).numpy()[:, 0] * spread[0] + middle[0]

    if not is_symbolic:
        return predict, None
    symbols = [sympy.Symbol(name) for name in X.columns]
    (law,), _ = network.symbolic_formula(
        var=symbols, normalizer=[mean.tolist(), scale.tolist()], output_normalizer=[middle.tolist(), spread.tolist()]
    )
    return predict, sympy.sympify(law)


def _standardised(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns of mean 0 and standard deviation 1; the means and the deviations."""
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return (values - mean) / scale, mean, scale


def _make_symbolic(network, rows, deadline: float) -> bool:
    """Give every edge the function of the library that suits it, as pykan's `auto_symbolic`; False if time is over."""
    network(rows)
    for layer in range(len(network.width_in) - 1):
        for i in range(network.width_in[layer]):
            for j in range(network.width_out[layer + 1]):
                if network.symbolic_fun[layer].mask[j, i] > 0:
                    continue
                if time.perf_counter() > deadline:
                    return False
                if network.act_fun[layer].mask[i][j] == 0:
                    network.fix_symbolic(layer, i, j, "0", verbose=False, log_history=False)
                    continue
                name, *_ = network.suggest_symbolic(layer, i, j, lib=list(LIBRARY), verbose=False)
                network.fix_symbolic(layer, i, j, name, verbose=False, log_history=False)
    return True
