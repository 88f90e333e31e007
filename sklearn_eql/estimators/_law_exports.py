"""Laws of a fitted estimator for other tools: code, callables, LaTeX tables, ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._fitted_laws import FittedLaws
from sklearn_eql.symbolic.code import to_code, to_function
from sklearn_eql.symbolic.export import to_latex_table
from sklearn_eql.symbolic.onnx_file import save_onnx


class LawExports(FittedLaws):
    """Part of :class:`EquationReader`: what it reads, in other languages."""

    def latex_table(self, precision: int = 3) -> str | list[str]:
        r"""The table of laws in LaTeX, for the package booktabs; a list for several outputs.

        Columns are complexity, loss and law, the selected one marked by ``\textbullet``.

        Parameters
        ----------
        precision : int, default=3
            Significant digits of constants and losses.
        """
        check_is_fitted(self)
        equations = self.equations_
        tables = [equations] if isinstance(equations, pd.DataFrame) else equations
        return self._unlist([to_latex_table(t, best, precision) for t, best in zip(tables, self._best, strict=True)])

    def numpy_function(self, index: int | list[int] | None = None) -> Callable[[Any], np.ndarray]:
        """A law as a function of NumPy arrays, ``(..., n_features)`` to ``(...)``, or ``(..., n_outputs)``.

        It needs nothing but NumPy, in the precision of its argument, and gives NaN or infinity where the law is
        undefined.

        Parameters
        ----------
        index : int or list of int (one per output), optional
            Row of `equations_`; the selected one by default.
        """
        return self._function(index, np)

    def jax_function(self, index: int | list[int] | None = None) -> Callable[[Any], Any]:
        """As `numpy_function`, of JAX arrays: to be compiled, differentiated and mapped.

        JAX computes in float32 unless ``jax_enable_x64`` is set.

        Raises
        ------
        ImportError
            JAX is missing.
        """
        try:
            import jax.numpy as jnp
        except ImportError as error:
            raise ImportError(
                "jax_function needs JAX, which is not installed. Install it together with the package: "
                "pip install 'sklearn-eql[jax]'."
            ) from error
        return self._function(index, jnp)

    def code(
        self,
        language: str,
        index: int | list[int] | None = None,
        name: str = "law",
        variables: Mapping[str, str] | None = None,
    ) -> str | list[str]:
        """A law as code of another language, all numbers with the digits of float64; a list for several outputs.

        Parameters
        ----------
        language : {"c", "fortran", "julia", "python", "numpy", "javascript", "excel"}
            A function of the columns that the law reads, in the order of `X`; for "excel" a formula, whose constants
            have the 15 digits that Excel reads. Where the law is undefined, the code does what its language does.
        index : int or list of int (one per output), optional
            Row of `equations_`; the selected one by default.
        name : str, default="law"
            Of the function; ``law_0``, ``law_1`` and so on for several outputs.
        variables : mapping of str to str, optional
            Names of parameters, or cells of a sheet, by name of column. By default the names of columns, characters
            replaced that cannot be in them (a comment in the code says so); for "excel" ``A2``, ``B2`` and so on:
            columns in the order of `X`, below one line of names.

        Raises
        ------
        ValueError
            A language, name or column that is not known, or a function of yours that the language has not.
        """
        expressions = self.sympy(index)
        if self._single:
            return to_code(expressions, self._names, language, name, variables)
        return [to_code(e, self._names, language, f"{name}_{i}", variables) for i, e in enumerate(expressions)]

    def to_onnx(self, path: str | PathLike, index: int | list[int] | None = None) -> None:
        """Write a law as an ONNX file, through torch's exporter; needs ``sklearn-eql[onnx]``.

        Its input ``X`` is ``(rows, n_features)`` in float64, its output ``y`` ``(rows,)``, or ``(rows, n_outputs)``.
        onnxruntime has no arcsin and arctan of float64; other runtimes of ONNX do.
        """
        save_onnx(self.torch_module(index), self._names, path)

    def _function(self, index: int | list[int] | None, module: Any) -> Callable[[Any], Any]:
        expressions = self.sympy(index)
        return to_function([expressions] if self._single else expressions, self._names, module, squeeze=self._single)
