"""Fitted estimators as people look at them: in a notebook, and as a page."""

from __future__ import annotations

import platform
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn import get_config
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._fitted_laws import FittedLaws
from sklearn_eql.pages.report import report_page
from sklearn_eql.pages.representation import laws_html
from sklearn_eql.symbolic.equation import Equation


class LawPictures(FittedLaws):
    """Part of :class:`EquationReader`: what pictures and pages are made of."""

    @property
    def variables_(self) -> list[str]:
        """Names of the variables of the laws: columns of `X`, or what `transform` returns."""
        self._check_fitted("variables_")
        return list(self._names)

    @property
    def feature_ranges_(self) -> pd.DataFrame:
        """Lowest and highest value of every variable in the training rows: columns ``low`` and ``high``."""
        self._check_fitted("feature_ranges_")
        if self._ranges is None:
            raise AttributeError(f"{type(self).__name__} knows no ranges of its variables.")
        return pd.DataFrame(self._ranges.T, index=self._names, columns=["low", "high"])

    def network(self, index: int | list[int] | None = None) -> Equation | list[Equation]:
        """A law as a sparse network: its units with their linear forms, as data; a list for several outputs.

        Parameters
        ----------
        index : int or list of int (one per output), optional
            Row of `equations_`; the selected one by default.
        """
        check_is_fitted(self)
        return self._unlist(self._chosen(index))

    def report(
        self,
        path: str | PathLike,
        X: Any = None,
        y: Any = None,
        *,
        groups: Any = None,
        title: str | None = None,
        precision: int = 3,
    ) -> None:
        """Write one HTML page with all of a fit: laws, pictures, constants, code, settings, versions.

        It needs nothing but a browser.

        Needs ``sklearn-eql[plot]``.

        Parameters
        ----------
        path : str or path-like
            File to write.
        X, y : array-like, optional
            Rows, of the fit or others, on which fit and residuals are shown; those outside of the range of the training
            rows are marked. Of laws of motion: series as for `fit`, with any number of steps, beside which roll-outs
            are shown.
        groups : array-like of shape (n_samples,), optional
            Labels of these rows, after a fit with groups.
        title : str, optional
        precision : int, default=3
            Significant digits of constants in laws.

        Raises
        ------
        ValueError
            The estimator has no laws, or X and y do not belong together.
        """
        check_is_fitted(self)
        if not self._laws:
            raise ValueError("report: this estimator has no laws to show. Fit one with a head that gives laws.")
        page = report_page(self, X, y, groups=groups, title=title, precision=precision, versions=_versions())
        Path(path).write_text(page, encoding="utf-8")

    def _html_repr(self) -> str:
        """What notebooks show: scikit-learn's diagram, and the laws below it."""
        diagram = estimator_html_repr(self)
        return diagram + laws_html(self) if getattr(self, "_laws", None) else diagram

    def _repr_html_inner(self) -> str:
        return self._html_repr()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        shown = {"text/plain": repr(self)}
        if get_config()["display"] == "diagram":
            shown["text/html"] = self._html_repr()
        return shown


def _versions() -> dict[str, str]:
    """Of the package, if it is installed, and of what decides on its results."""
    found = {"Python": platform.python_version()}
    for name in ("sklearn-eql", "numpy", "scipy", "scikit-learn", "sympy", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # the code is used without being installed
            continue
    return found
