"""A generator of odd inputs: fits that a user may ask for by mistake, or with data at the ends of what floats hold.

Each case is drawn from its own seed: a small sound fit, then one to three changes of its data or parameters. A change
knows the names under which a message may complain about it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from written_laws import untrained_writer

from sklearn_eql import EQLDynamicsRegressor, EQLEncoderRegressor, EQLRegressor, Phase, SymbolicTransformerRegressor
from sklearn_eql.training.schedule import RolloutPhase

Draw = np.random.Generator

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, 1e150, -1e307, 1.7e308, 5e-324, 1e-310, 1e-160, 2.0**53, -1.0]


@dataclass
class OddFit:
    """A fit to be tried: ``estimator.fit(**data)``."""

    kind: type
    parameters: dict[str, Any]
    data: dict[str, Any]
    changes: list[str] = field(default_factory=list)  # what was done to it, in words
    blamed: set[str] = field(default_factory=set)  # names that a message may complain about

    def run(self) -> np.ndarray:
        """Predictions for the training rows."""
        model = self.kind(**self.parameters)
        model.fit(**self.data)
        return model.predict(self.data["X"])


def odd_fit(kind: type, seed: int) -> OddFit:
    """The odd fit of an estimator class with this seed."""
    draw = np.random.default_rng([seed, KINDS.index(kind)])
    case = SOUND[kind](draw)
    for _ in range(draw.integers(1, 4)):
        which = draw.random()
        if which < 0.2:
            _change_parameter(case, draw)
        else:
            _change_data(case, VALUES if which < 0.8 else CONTAINERS, draw)
    return case


def _table(draw: Draw) -> OddFit:
    X = draw.uniform(-1, 3, (int(draw.integers(4, 13)), int(draw.integers(1, 4))))
    y = X[:, 0] * X[:, -1] + draw.choice([0.0, 0.1]) * draw.normal(size=len(X))
    functions = [["id"], ["id"], ["id", "mul"], ["exp", "log"], ["div", "sqrt"]][draw.integers(5)]
    small = {"functions": functions, "population_size": 4, "n_generations": 1, "n_hidden_layers": 1}
    data = {"X": X, "y": y}
    if draw.random() < 0.2:
        data["sample_weight"] = draw.uniform(0.1, 1, len(X))
    return OddFit(EQLRegressor, {**small, "random_state": 0}, data)


def _items(draw: Draw) -> OddFit:
    X = draw.uniform(0, 1, (int(draw.integers(4, 13)), 2, int(draw.integers(1, 4))))
    short = {"linear_steps": 1, "schedule": [Phase(1, 1e-3)], "max_iter": 1, "n_generations": 0}
    chosen = {"encoder": "mlp", "functions": ["id"], "head": str(draw.choice(["eql", "relu"]))}
    return OddFit(EQLEncoderRegressor, {**chosen, **short, "random_state": 0}, {"X": X, "y": X.sum(axis=(1, 2))})


def _series(draw: Draw) -> OddFit:
    start = draw.uniform(-1, 2, (int(draw.integers(3, 7)), int(draw.integers(1, 3))))
    path = start[:, None] * draw.uniform(0.5, 1.2, start.shape[1]) ** np.arange(6)[:, None]
    ways = [{"n_latents": 0}, {"refine": False}, {"head": "relu", "relu_layers": (2,)}] * 3 + [{}]  # all of it is slow
    chosen = ways[draw.integers(len(ways))]
    short = {"encoder": "mlp", "n_trials": 1, "schedule": [RolloutPhase(1, n_rollout=1)], "max_degree": 1}
    parameters = {**short, **chosen, "functions": ["id"], "random_state": 0}
    return OddFit(EQLDynamicsRegressor, parameters, {"X": path[:, :4], "Y": path[:, 4:]})


def _written(draw: Draw) -> OddFit:
    X = draw.uniform(-1, 3, (int(draw.integers(16, 24)), int(draw.integers(1, 4))))
    parameters = {"weights": untrained_writer(2), "n_beams": 3, "random_state": 0}
    return OddFit(SymbolicTransformerRegressor, parameters, {"X": X, "y": X[:, 0] * X[:, -1]})


SOUND: dict[type, Callable[[Draw], OddFit]] = {
    EQLRegressor: _table,
    EQLEncoderRegressor: _items,
    EQLDynamicsRegressor: _series,
    SymbolicTransformerRegressor: _written,
}
KINDS = list(SOUND)

# What a parameter may be given.
NUMBERS = [0, -1, 1, 2, 10**400, -(10**400), 0.5, 1e-320, 1e308, np.nan, np.inf, True, None]
OBJECTS = ["", "a", b"a", [], {}, (), [0], ["sin", 1], {"sin": -1}, {"id": 10**400}, np.array([1.0]), object]
LARGE = [10**6, 10**9]
WORK = {"n_generations", "n_islands", "n_jobs", "n_trials", "population_size", "linear_steps", "max_iter"}
WORK |= {"n_hidden_layers"}  # a million of these is much work, which a user may ask for


def _change_parameter(case: OddFit, draw: Draw) -> None:
    name = str(draw.choice(sorted(set(case.kind._parameter_constraints) - {"verbose"})))
    choice = [*NUMBERS, *OBJECTS] + ([] if name in WORK else LARGE)
    value = choice[draw.integers(len(choice))]
    case.parameters[name] = value
    case.changes.append(f"{name}={str(value)[:20]}")
    case.blamed.add(name)


def _change_data(case: OddFit, changes: dict[str, Callable[[Any, Draw], Any]], draw: Draw) -> None:
    name = str(draw.choice(sorted(case.data)))
    change = list(changes)[draw.integers(len(changes))]
    case.changes.append(f"{change} in {name}")
    case.blamed.add(name)
    try:
        with warnings.catch_warnings():  # what is made here may overflow, or be empty
            warnings.simplefilter("ignore")
            case.data[name] = changes[change](case.data[name], draw)
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError, RuntimeError, NotImplementedError):
        case.changes[-1] += " (not possible)"  # text cannot be multiplied, a number has no rows


# Of data of any size and shape; one that cannot be made of what is there is left out.


def _with_entry(values: np.ndarray, draw: Draw) -> np.ndarray:
    changed = np.array(values, dtype=float)
    changed.flat[draw.integers(changed.size)] = draw.choice(SPECIAL)
    return changed


def _frame(values: np.ndarray, column: Any = None) -> pd.DataFrame:
    values = np.asarray(values)
    table = pd.DataFrame(values.reshape(len(values), -1)).rename(columns=lambda i: f"c{i}")
    return table if column is None else table.assign(odd=column(len(table)))


def _big_integers(values: np.ndarray, draw: Draw) -> Any:
    changed = np.asarray(values).astype(object)
    changed.flat[draw.integers(changed.size)] = int(draw.choice([-1, 1])) * 10**400
    return changed if draw.random() < 0.5 else changed.tolist()


def _tensor(values: np.ndarray, draw: Draw) -> torch.Tensor:
    return torch.tensor(np.asarray(values), requires_grad=bool(draw.random() < 0.7))


TYPES = ["f2", "f4", "i1", "u1", "i8", "?", "c16", "U", "S", "O", "M8[s]", "m8[ms]", "g", ">f8"]

VALUES: dict[str, Callable[[Any, Draw], Any]] = {
    "another scale": lambda a, draw: np.asarray(a) * 10.0 ** draw.uniform(-330, 308),
    "scales per column": lambda a, draw: np.asarray(a) * 10.0 ** draw.uniform(-300, 300, np.shape(a)[-1]),
    "close to the largest": lambda a, draw: np.asarray(a) / np.abs(a).max() * 1.79e308,
    "close to the smallest": lambda a, draw: np.asarray(a) * 1e-312,
    "an offset": lambda a, draw: np.asarray(a) + 10.0 ** draw.uniform(0, 300),
    "constant": lambda a, draw: np.full(np.shape(a), draw.choice([0.0, 1.0, 1e307, 1e-312, -3.5])),
    "zeros": lambda a, draw: np.zeros(np.shape(a)),
    "a special value": _with_entry,
    "nearly constant": lambda a, draw: 1 + 1e-15 * np.asarray(a),
    "two values": lambda a, draw: np.sign(np.asarray(a) - np.median(a)) * draw.choice([1e-310, 1.0, 1e300]),
    "a constant column": lambda a, draw: np.where(np.arange(np.shape(a)[-1]) == 0, 1e305, a),
    "rows twice": lambda a, draw: np.asarray(a)[np.arange(len(a)) // 2],
    "whole numbers": lambda a, draw: np.round(np.asarray(a) * 10.0 ** draw.uniform(0, 18)),
}

CONTAINERS: dict[str, Callable[[Any, Draw], Any]] = {
    "another type": lambda a, draw: np.asarray(a).astype(TYPES[draw.integers(len(TYPES))]),
    "ints of 400 digits": _big_integers,
    "a tensor": _tensor,
    "a list": lambda a, draw: np.asarray(a).tolist(),
    "a data frame": lambda a, draw: _frame(a),
    "dates": lambda a, draw: _frame(a, lambda n: pd.date_range("2020", periods=n)),
    "durations": lambda a, draw: _frame(a, lambda n: pd.to_timedelta(range(n), unit="s")),
    "time zones": lambda a, draw: _frame(a, lambda n: pd.date_range("2020", periods=n, tz="UTC")),
    "periods": lambda a, draw: _frame(a, lambda n: pd.period_range("2020", periods=n)),
    "text": lambda a, draw: _frame(a, lambda n: ["red", "blue"] * (n // 2) + ["red"] * (n % 2)),
    "categories": lambda a, draw: _frame(a, lambda n: pd.Categorical(["a"] * n)),
    "nullable": lambda a, draw: _frame(a).convert_dtypes(),
    "a series": lambda a, draw: pd.Series(np.asarray(a).ravel()),
    "an index": lambda a, draw: pd.Index(np.asarray(a).ravel()),
    "sparse": lambda a, draw: scipy.sparse.csr_array(np.asarray(a).reshape(len(a), -1)),
    "masked": lambda a, draw: np.ma.masked_greater(a, 0.5),
    "read-only": lambda a, draw: np.broadcast_to(np.asarray(a)[:1], np.shape(a)),
    "no rows": lambda a, draw: a[:0],
    "one row": lambda a, draw: a[:1],
    "two rows": lambda a, draw: a[:2],
    "a row less": lambda a, draw: a[:-1],
    "no columns": lambda a, draw: np.asarray(a)[..., :0],
    "an axis more": lambda a, draw: np.asarray(a)[..., None],
    "flat": lambda a, draw: np.asarray(a).ravel(),
    "transposed": lambda a, draw: np.asarray(a).T,
    "ragged": lambda a, draw: [*np.asarray(a).tolist()[:-1], [1.0, 2.0, 3.0, 4.0]],
    "a scalar": lambda a, draw: float(np.ravel(a)[0]),
    "an array of no axis": lambda a, draw: np.array(1.0),
    "no value": lambda a, draw: None,
    "a word": lambda a, draw: "X",
    "a dictionary": lambda a, draw: {"a": 1},
    "a generator": lambda a, draw: (row for row in a),
    "a range": lambda a, draw: range(len(a)),
    "a set": lambda a, draw: {1.0, 2.0},
}
