"""EQLRegressor as a method of SRBench, the symbolic regression benchmark (https://github.com/cavalab/srbench).

The benchmark imports this file, sets ``est.random_state`` (and in places ``est.max_time``), calls ``est.fit`` on a data
frame or an array, and reads the law with ``model(est, X)``.
"""

from __future__ import annotations

import math
from copy import copy
from keyword import iskeyword

import numpy as np
import sympy
import torch
from sklearn.utils.validation import validate_data
from sympy.printing.str import StrPrinter

from sklearn_eql import EQLRegressor


class SRBenchRegressor(EQLRegressor):
    """EQLRegressor that predicts for every row.

    A law with a logarithm or a power can be undefined on a row that `fit` has not seen. `EQLRegressor` raises there,
    which would cost the benchmark the whole run; here such rows get the mean of the training target, and all others
    the value of the law.

    Attributes
    ----------
    row_ : int
        The row of `equations_` that `predict` and `model` use; the selected one after `fit`.
    mean_ : float
        Mean of the training target.
    """

    def fit(self, X, y, sample_weight=None):
        """Search for the law; `X` of shape (n_samples, n_features), `y` of shape (n_samples,)."""
        super().fit(X, y, sample_weight)
        self.row_ = self.best_index_
        self.mean_ = float(np.average(np.asarray(y, dtype=float), weights=sample_weight))
        return self

    def predict(self, X, index=None):
        """Values of the law, shape (n_samples,); `index` is a row of `equations_`, by default `row_`."""
        rows = torch.tensor(validate_data(self, X, reset=False, dtype=np.float64))
        with torch.no_grad():
            values = self.torch_module(self.row_ if index is None else index)(rows).numpy()  # (n_samples,)
        return np.where(np.isfinite(values), values, self.mean_)


# The benchmark ends a fit after an hour (training sets of up to 1,000 rows), and what it ends is lost.
est = SRBenchRegressor(max_time=3000)


def model(est, X=None) -> str:
    """The law as a string for ``sympy.parse_expr(string, local_dict={name: Symbol(name), ...})``.

    Its variables are the columns of `X` if that is a data frame, otherwise the names that `est` was fitted with. Floats
    have all their digits, so that the string evaluates to what ``est.predict`` returns.
    """
    fitted = list(getattr(est, "feature_names_in_", [f"x{i}" for i in range(est.n_features_in_)]))
    names = [str(name) for name in getattr(X, "columns", fitted)]
    renamed = dict(zip(map(sympy.Symbol, fitted), map(sympy.Symbol, names), strict=True))
    law = est.sympy(est.row_).xreplace(renamed)  # all at once: columns x1, x0 do not get mixed up
    # Where a column is called pi or E, that name means the column.
    constants = {"pi": (sympy.pi, math.pi), "E": (sympy.E, math.e)}
    law = law.xreplace({exact: sympy.Float(value) for name, (exact, value) in constants.items() if name in names})
    return _Printer().doprint(law)


def get_population(est) -> list[SRBenchRegressor]:
    """The laws of the accuracy/complexity front, at most 100, each as an estimator."""
    population = [copy(est) for _ in est.equations_.index[:100]]
    for row, member in enumerate(population):
        member.row_ = row
    return population


def get_best_solution(est) -> SRBenchRegressor:
    """The selected law, which is what `est` predicts with."""
    return est


# Laws are short in the units of the data, and the search scales columns by itself.
eval_kwargs = {
    "scale_x": False,
    "scale_y": False,
    "test_params": {"population_size": 64, "n_generations": 3, "max_time": 10},
}


class _Printer(StrPrinter):
    """Writes floats to the last digit, and names that are no identifiers as ``Symbol("the name")``."""

    def _print_Float(self, expr):
        return repr(float(expr))

    def _print_Symbol(self, expr):
        name = expr.name
        plain = name.isascii() and name.isidentifier() and not iskeyword(name)
        return name if plain else f"Symbol({name!r})"
