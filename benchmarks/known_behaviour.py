"""What knowledge of a law is worth with noise and few rows, and what the right loss is worth.

    python benchmarks/known_behaviour.py behaviour
    python benchmarks/known_behaviour.py losses

"behaviour": twelve laws of which something is known (a symmetry, a limit, a value at a point, that they only rise), 30
rows, noise of 10% of the standard deviation of the target; fitted without and with `constraints`. "losses": laws with
heavy-tailed noise (Student's t with 1.5 degrees of freedom) fitted by squares, Huber's loss and absolute errors, and
counts fitted by squares and by their likelihood; 60 rows.

A law is found if it is the true one but for its constants. The error is the root mean square on 1,000 fresh rows
without noise, from ranges 1.5 times as wide (in the direction away from zero where the law has a pole or a root there),
over the standard deviation of the truth there.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import sympy
from _forms import same_form

from sklearn_eql import EQLRegressor
from sklearn_eql.constraints import Bounded, Concave, Convex, Even, Limit, Monotone, Odd, Passes
from sklearn_eql.exceptions import OutlierWarning

_ROWS, _NOISE, _FRESH, _WIDER = 30, 0.1, 1000, 1.5
_ROWS_OF_LOSSES, _DEGREES = 60, 1.5


@dataclass(frozen=True)
class Known:
    """A law, the ranges of its variables, and what is known of it."""

    law: str
    ranges: Mapping[str, tuple[float, float]]
    constraints: Sequence = ()

    def values(self, X: np.ndarray) -> np.ndarray:
        """Of the law on rows, (n_samples,)."""
        return np.broadcast_to(sympy.lambdify(list(self.ranges), self.expr)(*X.T), len(X)).astype(float)

    @property
    def expr(self) -> sympy.Expr:
        """The law as an expression."""
        return sympy.sympify(self.law)

    def rows(self, count: int, rng: np.random.Generator, wider: float = 1.0) -> np.ndarray:
        """Rows from the ranges, or from wider ones that keep their sign, (count, n_features)."""
        ends = [(low if low >= 0 else wider * low, wider * high) for low, high in self.ranges.values()]
        return np.stack([rng.uniform(low, high, count) for low, high in ends], axis=1)


_BEHAVIOUR = [
    Known("3*x/(1.5 + x)", {"x": (0.2, 6)}, [Passes({"x": 0}), Monotone("x"), Concave("x")]),
    Known("2*(1 - exp(-0.8*x))", {"x": (0.1, 4)}, [Passes({"x": 0}), Monotone("x"), Concave("x")]),
    Known("2*exp(-x**2/2)", {"x": (0, 3)}, [Even("x"), Limit("x")]),
    Known("4/(1 + x**2)", {"x": (0, 4)}, [Even("x"), Limit("x")]),
    Known("5*exp(-0.6*x)", {"x": (0, 4)}, [Monotone("x", increasing=False), Convex("x"), Limit("x")]),
    Known("3*x*exp(-x**2/2)", {"x": (0, 3)}, [Odd("x"), Limit("x")]),
    Known("2*x + 0.5*x**3", {"x": (-2, 2)}, [Odd("x"), Monotone("x")]),
    Known("2*tanh(0.9*x)", {"x": (-1, 4)}, [Odd("x"), Monotone("x"), Bounded(-3, 3, on={"x": (-50, 50)})]),
    Known(
        "x*z/(x + z)",
        {"x": (0.5, 4), "z": (0.5, 4)},
        [Passes({"x": 0}), Passes({"z": 0}), Monotone("x"), Monotone("z")],
    ),
    Known("z*x**2/2", {"x": (-2, 3), "z": (1, 4)}, [Even("x"), Passes({"x": 0}), Passes({"z": 0})]),
    Known(
        "1.2*z*sqrt(x)",
        {"x": (0.2, 5), "z": (1, 3)},
        [Passes({"x": 0}), Passes({"z": 0}), Monotone("x"), Monotone("z")],
    ),
    Known(
        "3*exp(-x/2)/x",
        {"x": (0.3, 4)},
        [Monotone("x", increasing=False), Limit("x"), Limit("x", at=0, value=np.inf)],
    ),
]
_HEAVY = [
    Known("2*x**2*exp(-x)", {"x": (0, 5)}),
    Known("1 + 3*sin(2*x)", {"x": (0, 4)}),
    Known("x*z/(1 + z)", {"x": (0.5, 4), "z": (0.2, 4)}),
    Known("2*sqrt(x)/z", {"x": (0.2, 4), "z": (0.5, 4)}),
]
_COUNTS = [
    Known("12*exp(-0.7*x)", {"x": (0, 5)}),
    Known("1.5*x*z", {"x": (0.2, 4), "z": (0.2, 4)}),
    Known("30*x/(4 + x**2)", {"x": (0, 8)}),
    Known("20/(1 + x**2)", {"x": (-4, 4)}),
]


def _fitted(
    known: Known, X: np.ndarray, y: np.ndarray, seed: int, **parameters
) -> tuple[sympy.Expr, bool, float, float]:
    """The law, whether it has the form of the truth, its error and the seconds it took."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutlierWarning)
        model = EQLRegressor(random_state=seed, device="cpu", on_undefined="nan", **parameters).fit(X, y)
    seconds = time.perf_counter() - start
    law = model.sympy_expr_
    names = {sympy.Symbol(f"x{i}"): sympy.Symbol(name) for i, name in enumerate(known.ranges)}
    fresh = known.rows(_FRESH, np.random.default_rng(seed + 1000), _WIDER)
    truth = known.values(fresh)
    error = float(np.sqrt(np.mean((model.predict(fresh) - truth) ** 2)) / truth.std())
    return law.xreplace(names), bool(same_form(law.xreplace(names), known.expr)), error, seconds


def _short(law: sympy.Expr) -> str:
    rounded = {number: sympy.Float(number, 3) for number in law.atoms(sympy.Float)}
    return f"`{law.xreplace(rounded)}`"


def _cells(fits: Sequence[tuple[sympy.Expr, bool, float, float]]) -> str:
    found = sum(fit[1] for fit in fits)
    errors = [fit[2] for fit in fits]
    middle = float(np.median(np.where(np.isfinite(errors), errors, np.inf)))
    return f"{found} of {len(fits)} | {middle:.3f} | {np.mean([fit[3] for fit in fits]):.0f} | {_short(fits[0][0])}"


def _named(known: Known, constraints: Sequence) -> list:
    """Constraints for columns without names."""
    column = {name: f"x{i}" for i, name in enumerate(known.ranges)}
    renamed = []
    for constraint in constraints:
        own = {field.name for field in fields(constraint)}
        changes = {"feature": column[constraint.feature]} if "feature" in own else {}
        for name in ("on", "point"):
            if getattr(constraint, name, None):
                changes[name] = tuple((column[feature], value) for feature, value in getattr(constraint, name))
        renamed.append(replace(constraint, **changes))
    return renamed


def _behaviour(laws: Sequence[Known], seeds: Sequence[int], n_generations: int) -> None:
    print("| law | found | error | seconds | first law | found, known | error | seconds | first law |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for known in laws:
        without, having = [], []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            X = known.rows(_ROWS, rng)
            truth = known.values(X)
            y = truth + _NOISE * truth.std() * rng.normal(size=len(X))
            brief = {"n_generations": n_generations}
            without.append(_fitted(known, X, y, seed, **brief))
            having.append(_fitted(known, X, y, seed, **brief, constraints=_named(known, known.constraints)))
        print(f"| `{known.law}` | {_cells(without)} | {_cells(having)} |", flush=True)


def _losses(seeds: Sequence[int], n_generations: int) -> None:
    print("| law | noise | loss | found | error | seconds | first law |")
    print("|---|---|---|---|---|---|---|", flush=True)
    heavy = [(known, "heavy", ("squared_error", "huber", "absolute_error")) for known in _HEAVY]
    counts = [(known, "counts", ("squared_error", "poisson")) for known in _COUNTS]
    for known, noise, losses in [*heavy, *counts]:
        for loss in losses:
            fits = []
            for seed in seeds:
                rng = np.random.default_rng(seed)
                X = known.rows(_ROWS_OF_LOSSES, rng)
                truth = known.values(X)
                if noise == "counts":
                    y = rng.poisson(truth).astype(float)
                else:
                    y = truth + _NOISE * truth.std() * rng.standard_t(_DEGREES, size=len(X))
                fits.append(_fitted(known, X, y, seed, loss=loss, n_generations=n_generations))
            print(f"| `{known.law}` | {noise} | {loss} | {_cells(fits)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["behaviour", "losses"])
    parser.add_argument("--seeds", type=int, default=1, help="data sets of each law")
    parser.add_argument("--generations", type=int, default=60, help="of each search")
    parser.add_argument("--laws", type=int, nargs="*", help="numbers of the laws, from 0; all by default")
    options = parser.parse_args()
    seeds = range(options.seeds)
    if options.what == "losses":
        _losses(seeds, options.generations)
    else:
        _behaviour([_BEHAVIOUR[i] for i in options.laws or range(len(_BEHAVIOUR))], seeds, options.generations)


if __name__ == "__main__":
    main()
