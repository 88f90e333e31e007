"""The methods, each with the settings of its authors, or what their documentation recommends, and a limit of time.

Every method is an object with ``predict(X)``, and ``law`` where what it found can be written down. A package that is
not installed is told by `missing`, and its method is left out.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sympy

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Fitted:
    """What a method found."""

    predict: Predict
    law: sympy.Expr | None = None  # in the names of the columns; None where it is no law
    n_nodes: int | None = None  # of what is no law, where that has nodes


@dataclass(frozen=True)
class Method:
    """One method of the comparison.

    Parameters
    ----------
    module, package : str
        What is imported, and what is installed for it.
    settings : str
        How it is run, for the report.
    fit : callable
        ``fit(X, y, seed, budget)``; `budget` in seconds.
    leaves_threads : bool
        Whether threads go on computing after the fit, so that the next one needs another process.
    """

    module: str
    package: str
    settings: str
    fit: Callable[[pd.DataFrame, np.ndarray, int, float], Fitted]
    leaves_threads: bool = False

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None


# --- This package


def fit_eql(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Fitted:
    from sklearn_eql import EQLRegressor

    model = EQLRegressor(max_time=budget, on_undefined="nan", random_state=seed).fit(X, y)
    return Fitted(lambda rows: model.predict(pd.DataFrame(rows, columns=X.columns)), model.sympy_expr_)


# --- pyoperon


OPERON = {
    "allowed_symbols": "add,sub,mul,div,constant,variable,sin,cos,exp,log,sqrt,square,tanh,asin",
    "optimizer_iterations": 5,
    "n_threads": 1,
}


def fit_operon(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Fitted:
    from pyoperon.sklearn import SymbolicRegressor
    from table_v import law_of_operon

    settings = {**OPERON, "max_time": math.ceil(budget), "random_state": seed}
    model = SymbolicRegressor(**settings).fit(X.to_numpy(dtype=float), y)
    return Fitted(model.predict, _renamed(law_of_operon(model), X.columns))


# --- gplearn


_GPLEARN_FUNCTIONS = ("add", "sub", "mul", "div", "sqrt", "log", "inv", "sin", "cos")


def fit_gplearn(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Fitted:
    from gplearn.functions import make_function
    from gplearn.genetic import SymbolicRegressor

    start = time.perf_counter()
    exp = make_function(function=_bounded_exp, name="exp", arity=1, wrap=False)
    rows, generation = X.to_numpy(dtype=float), 0
    model = SymbolicRegressor(
        function_set=(*_GPLEARN_FUNCTIONS, exp), generations=1, warm_start=True, random_state=seed, n_jobs=1
    )
    while generation == 0 or time.perf_counter() - start < budget:
        generation += 1
        model.set_params(generations=generation).fit(rows, y)
        if model.run_details_["best_fitness"][-1] == 0:
            break
    return Fitted(model.predict, gplearn_law(model._program.program, list(X.columns)))


def _bounded_exp(x: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(x, 50.0))


def gplearn_law(program: Sequence[Any], names: Sequence[str]) -> sympy.Expr:
    """A program in prefix order as an expression; its protections (of small divisors, of signs) are left out."""
    nodes = iter(program)

    def read() -> sympy.Expr:
        node = next(nodes)
        if hasattr(node, "arity"):
            return _GPLEARN_MEANINGS[node.name](*[read() for _ in range(node.arity)])
        if isinstance(node, (int, np.integer)):
            return sympy.Symbol(names[int(node)])
        return sympy.Float(float(node))

    return read()


_GPLEARN_MEANINGS: dict[str, Callable[..., sympy.Expr]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "inv": lambda a: 1 / a,
    "sqrt": lambda a: sympy.sqrt(sympy.Abs(a)),
    "log": lambda a: sympy.log(sympy.Abs(a)),
    "sin": sympy.sin,
    "cos": sympy.cos,
    "exp": sympy.exp,
}


# --- RILS-ROLS


def fit_rils(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Fitted:
    from rils_rols.rils_rols import RILSROLSRegressor

    model = RILSROLSRegressor(max_fit_calls=10**9, max_time=max(1, int(budget)), random_state=seed)
    model.fit(X.to_numpy(dtype=float), np.asarray(y, dtype=float))
    law = sympy.sympify(str(model.model_string()))
    return Fitted(model.predict, _renamed(law, X.columns))


# --- Regressors of scikit-learn


def fit_trees(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Fitted:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(random_state=seed).fit(X.to_numpy(dtype=float), y)
    n_nodes = sum(len(tree.nodes) for stage in model._predictors for tree in stage)
    return Fitted(model.predict, n_nodes=n_nodes)


LASSO_DEGREE, LASSO_FOLDS = 3, 5


def fit_lasso(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Fitted:
    from sklearn.linear_model import LassoCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    rows = X.to_numpy(dtype=float)
    model = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(LASSO_DEGREE, include_bias=False),
        StandardScaler(),
        LassoCV(cv=min(LASSO_FOLDS, len(y)), random_state=seed),
    ).fit(rows, y)
    first, powers, second, lasso = (step for _, step in model.steps)
    scaled = [
        (sympy.Symbol(name) - float(mean)) / float(scale)
        for name, mean, scale in zip(X.columns, first.mean_, first.scale_, strict=True)
    ]
    factors = lasso.coef_ / second.scale_
    terms = [
        float(c) * sympy.prod(x ** int(p) for x, p in zip(scaled, exponents, strict=True))
        for c, exponents in zip(factors, powers.powers_, strict=True)
        if c
    ]
    law = sympy.expand(sympy.Add(float(lasso.intercept_ - factors @ second.mean_), *terms))
    return Fitted(model.predict, law)


def _renamed(law: sympy.Expr, names: Sequence[str]) -> sympy.Expr:
    """``x0``, ``x1``, ... as the names of the columns, all at once."""
    return law.xreplace({sympy.Symbol(f"x{i}"): sympy.Symbol(name) for i, name in enumerate(names)})


def _fit_kan(X: pd.DataFrame, y: np.ndarray, seed: int, budget: float) -> Fitted:
    from compare.kan_method import fit_kan

    predict, law = fit_kan(X, y, seed, budget)
    return Fitted(predict, law)


METHODS: dict[str, Method] = {
    "sklearn_eql": Method("sklearn_eql", "sklearn-eql", "defaults; max_time, and on_undefined='nan'", fit_eql),
    "pyoperon": Method(
        "pyoperon",
        "pyoperon",
        "defaults, but optimizer_iterations=5, one thread and the symbols listed; max_time",
        fit_operon,
    ),
    "gplearn": Method(
        "gplearn",
        "gplearn",
        "defaults, with sqrt, log, inv, sin, cos and exp beside its four of arithmetic; generations until the "
        "time is over",
        fit_gplearn,
    ),
    "RILS-ROLS": Method(
        "rils_rols", "rils-rols", "defaults; max_time, and no limit of calls", fit_rils, leaves_threads=True
    ),
    "pykan": Method(
        "kan",
        "pykan",
        "as in its quick start: [n, 5, 1], grid 3, k 3; training with lamb=0.001, pruning, training on a refined grid, "
        "symbolic functions, training; standardised columns, in double precision",
        _fit_kan,
    ),
    "boosted trees": Method(
        "sklearn", "scikit-learn", "HistGradientBoostingRegressor, defaults; it ends by itself", fit_trees
    ),
    "polynomial + lasso": Method(
        "sklearn",
        "scikit-learn",
        f"all monomials up to degree {LASSO_DEGREE}, LassoCV with {LASSO_FOLDS} folds; it ends by itself",
        fit_lasso,
    ),
}


def missing() -> list[str]:
    """Methods whose package is not installed."""
    return [name for name, method in METHODS.items() if not method.is_installed]
