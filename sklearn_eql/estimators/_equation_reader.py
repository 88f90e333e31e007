"""What all estimators of the package share: the laws they found, as data, and the ways to read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import wraps
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import sympy
import torch
from sklearn.utils.validation import check_is_fitted
from sympy import Expr

from sklearn_eql.estimators._law_constants import LawConstants
from sklearn_eql.estimators._law_exports import LawExports
from sklearn_eql.estimators._law_pictures import LawPictures
from sklearn_eql.estimators._run_directory import RunReader
from sklearn_eql.laws.coverage import coverage
from sklearn_eql.laws.law import Law, law_from_record, scores
from sklearn_eql.laws.standing import Standing, standing_from_record
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_latex, to_sympy, to_torch_module


def unchanged_on_failure(fit: Callable) -> Callable:
    """Decorator of `fit`: where it raises, the estimator is what it was before, fitted or not.

    Scikit-learn's validation, too, sets attributes before there is a result. A warning that was turned into an error
    comes after the result, which is kept.
    """

    @wraps(fit)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return fit(self, *args, **kwargs)
        except Warning:
            raise
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return guarded


def laws_table(
    laws: list[Law],
    names: list[str],
    primitives: Mapping[str, Primitive],
    stands: list[Standing] | None = None,
    ranges: np.ndarray | None = None,
) -> pd.DataFrame:
    """The table of `equations_`; `ranges` (2, n_variables) are those of the training rows, where they are known."""
    expressions = [to_sympy(law.equation, names, primitives) for law in laws]
    table = pd.DataFrame(
        {
            "complexity": [law.complexity for law in laws],
            "loss": [law.loss for law in laws],
            "score": scores(laws),
            "equation": [str(expression) for expression in expressions],
            "sympy_expr": pd.Series(expressions, dtype=object),
            "trial": [law.trial for law in laws],
        }
    )
    if ranges is not None:
        table["coverage"] = [coverage(law.equation, ranges, primitives) for law in laws]
    for name in (field.name for field in fields(Standing)):
        values = [getattr(standing, name) for standing in stands or ()]
        if values and values[0] is not None:  # known of all laws, or of none
            table[name] = values
    return table


class EquationReader(RunReader, LawExports, LawConstants, LawPictures):
    """Mixin: fitted attributes and methods that read ``self._laws``.

    ``_laws`` holds one list of :class:`Law` per output, ``_names`` the names of the variables, ``_single`` whether the
    target had one dimension, ``_own`` the functions that the user brought along, and ``_ranges`` the lowest and highest
    value of every variable in the training rows, where that is known; ``_standings`` how the laws of each output stand
    beside each other, where rows decide that. SymPy expressions and tables are
    built when asked for; pickles hold plain values only, and code only where the user passed some.
    """

    @property
    def equations_(self) -> pd.DataFrame | list[pd.DataFrame]:
        """Accuracy/complexity front, one row per equation.

        Columns: complexity, loss, score, equation, sympy_expr, trial; of rows and items, coverage; of rows, delta_dl,
        rival, with `cv` cv_loss and cv_loss_se, and with `y_error` reduced_chi2.

        `loss` is the (weighted) mean squared error over the training rows in units of ``y**2``, or the mean of another
        `loss` that the fit was told; `score` the fall of its logarithm per added node; `coverage` the share of a
        slightly wider range of the variables on which the law is defined: below 1, it ends where the rows do.
        `delta_dl` is by how many nats the description of data and law is longer than the shortest in the table: below 2
        or 3 it is no evidence against the law. `rival` marks laws whose squared errors on the rows differ from those of
        the selected law by no more than a standard error, row by row and corrected for the number of coefficients: the
        data cannot tell the two apart. `cv_loss` is the mean squared error on rows held out, `cv_loss_se` its standard
        error; NaN where `max_time` was over before that. `reduced_chi2` is the sum of squared residuals in units of
        their known errors, over the degrees of freedom: much above 1, the law is not enough; much below, the errors are
        smaller than was said. A list of frames for several outputs.
        """
        self._check_fitted("equations_")
        stands: Sequence[list[Standing] | None] = self._standings or [None] * len(self._laws)
        return self._unlist(
            [self._table(laws, self._names, known) for laws, known in zip(self._laws, stands, strict=True)]
        )

    @property
    def best_index_(self) -> int | list[int]:
        """Row of `equations_` that `selection` chose; a list for several outputs."""
        self._check_fitted("best_index_")
        return self._unlist(list(self._best))

    @property
    def sympy_expr_(self) -> sympy.Expr | list[sympy.Expr]:
        """The selected equation in the user's units and feature names; a list for several outputs."""
        self._check_fitted("sympy_expr_")
        return self.sympy()

    def sympy(self, index: int | list[int] | None = None, *, named: bool = False) -> sympy.Expr | list[sympy.Expr]:
        """An equation as a SymPy expression.

        Parameters
        ----------
        index : int or list of int (one per output), optional
            Row of `equations_`; the selected one by default.
        named : bool, default=False
            Whether fitted constants are symbols, named as in `constants`.
        """
        check_is_fitted(self)
        if not named:
            return self._unlist([to_sympy(e, self._names, self._primitives()) for e in self._chosen(index)])
        laws = [self._parameters(k, pick).named for k, pick in enumerate(self._picks(index))]
        return self._unlist([self._written(law) for law in laws])

    def _written(self, law: ParametricLaw) -> Expr:
        """A law in the names of its variables and constants."""
        return to_sympy(law.equation, [*self._names, *law.names], self._primitives())

    def latex(self, index: int | list[int] | None = None, precision: int = 3) -> str | list[str]:
        """An equation in LaTeX, constants rounded to `precision` significant digits."""
        check_is_fitted(self)
        expressions = [to_sympy(e, self._names, self._primitives()) for e in self._chosen(index)]
        return self._unlist([to_latex(expression, precision) for expression in expressions])

    def torch_module(self, index: int | list[int] | None = None) -> torch.nn.Module:
        """An equation as a differentiable module: ``(n, n_features)`` to ``(n,)``, or ``(n, n_outputs)``.

        Its constants are parameters of dtype float64.
        """
        check_is_fitted(self)
        chosen = self._chosen(index)
        return to_torch_module(chosen[0] if self._single else chosen, self._primitives())

    def _evaluate(self, X: np.ndarray, index: int | list[int] | None) -> np.ndarray:
        values = self._values(X, index)
        undefined = ~np.isfinite(values).all(axis=1)
        if undefined.any() and self.on_undefined == "clip" and self._ranges is not None:
            inside = self._values(np.clip(X[undefined], *self._ranges), index)
            values[undefined] = np.where(np.isfinite(values[undefined]), values[undefined], inside)
            undefined = ~np.isfinite(values).all(axis=1)
        if undefined.any() and self.on_undefined == "nan":
            values[~np.isfinite(values)] = np.nan
        elif undefined.any():
            row = int(np.argmax(undefined))
            laws = [to_sympy(e, self._names, self._primitives(), precision=3) for e in self._chosen(index)]
            read = {str(symbol) for law in laws for symbol in law.free_symbols}
            where = ", ".join(f"{n} = {x:g}" for n, x in zip(self._names, X[row].tolist(), strict=True) if n in read)
            raise ValueError(
                f"X: the law {', '.join(map(str, laws))} is undefined or overflows on {int(undefined.sum())} of "
                f"{len(X)} rows (first: row {row}, {where}). Expected rows in the domain of its functions; "
                "leave such rows out, choose another row of equations_ with index=, or set on_undefined to 'nan' or "
                "'clip'."
            )
        return values[:, 0] if self._single else values

    def _values(self, X: np.ndarray, index: int | list[int] | None) -> np.ndarray:
        """Values of the laws, ``(n_rows, n_outputs)``, not finite where they are undefined or overflow."""
        return np.stack([e.evaluate(X, self._primitives()) for e in self._chosen(index)], axis=1)

    def _chosen(self, index: int | list[int] | None) -> list[Equation]:
        return [laws[pick].equation for pick, laws in zip(self._picks(index), self._laws, strict=True)]

    def _picks(self, index: int | list[int] | None) -> list[int]:
        """The chosen row of `equations_` of each output."""
        if index is None:
            picks = self._best
        else:
            picks = list(index) if isinstance(index, Iterable) else [index] * len(self._laws)
        if len(picks) != len(self._laws):
            raise ValueError(f"index: got {len(picks)} rows for {len(self._laws)} outputs; give one row per output.")
        for pick, laws in zip(picks, self._laws, strict=True):
            if not isinstance(pick, Integral):
                raise TypeError(f"index={index!r}: expected the label of a row of equations_, or one per output.")
            if not 0 <= pick < len(laws):
                raise IndexError(f"index={pick!r} is no row of equations_; expected 0 to {len(laws) - 1}.")
        return picks

    def _table(
        self,
        laws: list[Law],
        names: list[str],
        stands: list[Standing] | None = None,
        primitives: Mapping[str, Primitive] | None = None,
    ) -> pd.DataFrame:
        # A fit that is not over yet has primitives that are not the estimator's, and no ranges.
        ranges = self._ranges if primitives is None else None
        return laws_table(laws, names, self._primitives() if primitives is None else primitives, stands, ranges)

    def _primitives(self) -> dict[str, Primitive]:
        """Vocabulary of the equations: the built-in functions and those the user passed."""
        return {**PRIMITIVES, **self._own}

    def _unlist(self, values: list) -> Any:
        return values[0] if self._single else values

    def _check_fitted(self, attribute: str) -> None:
        # AttributeError, so that hasattr and scikit-learn's introspection see an unfitted estimator as such.
        if not hasattr(self, "_laws"):
            raise AttributeError(f"{type(self).__name__} has no attribute {attribute!r} before fit.")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_laws")

    def __getstate__(self) -> dict:
        state = dict(super().__getstate__())
        if "_laws" in state:
            state["_laws"] = [[asdict(law) for law in laws] for laws in state["_laws"]]
        if state.get("_standings") is not None:
            state["_standings"] = [[asdict(standing) for standing in stands] for stands in state["_standings"]]
        return state

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        if "_laws" in state:
            state["_laws"] = [[law_from_record(record) for record in laws] for laws in state["_laws"]]
        if state.get("_standings") is not None:
            state["_standings"] = [[standing_from_record(record) for record in s] for s in state["_standings"]]
        super().__setstate__(state)


Selection = str | Callable[[pd.DataFrame], int]
