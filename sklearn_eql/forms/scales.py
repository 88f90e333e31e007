"""Where the search for constants starts: their orders of magnitude, read off the form and the spread of the columns.

What stands inside an exponential or a sine is about one where the function does anything; what is added is of one size.
So the logarithms of the constants obey linear equations, one for every sum and function of a form, which are solved in
the sense of least squares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy
from sympy.core.function import AppliedUndef

from sklearn_eql.forms.form import Form

_RIDGE = 1e-3  # constants that nothing determines are about one
_SOFT = 0.3  # weight of what is no more than usual: a logarithm of about one


def magnitudes(form: Form, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Decimal logarithms of the likely magnitudes of the constants, ``(n_constants,)``.

    Parameters
    ----------
    form : Form
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
    """
    places = {place.symbol.name: place.function for place in form.occurrences}
    unknown = [*form.constants, *form.arities]
    equations = _Equations(unknown, places, dict(zip(form.features, map(_size, X.T), strict=True)))
    equations.equal(equations.of(form.expr), equations.number(_size(y)))
    for place in form.occurrences:
        for arg in place.args:
            equations.of(arg)
    return equations.solved()[: len(form.constants)]


def _size(column: np.ndarray) -> float:
    """The spread of a column, or its value where it has none."""
    with np.errstate(over="ignore"):
        spread = float(np.std(column))
    if not (np.isfinite(spread) and spread > 0):
        spread = float(np.abs(column).max())
    return float(np.log10(spread)) if spread > 0 else 0.0


class _Equations:
    """Logarithms of sizes as linear forms of those of the unknown: ``(n_unknown + 1,)``, the last a number."""

    def __init__(self, unknown: Sequence[str], places: dict[str, str], sizes: dict[str, float]) -> None:
        self.index = {name: i for i, name in enumerate(unknown)}
        self.places, self.sizes = places, sizes
        self.rows: list[np.ndarray] = []

    def number(self, value: float) -> np.ndarray:
        form = np.zeros(len(self.index) + 1)
        form[-1] = value
        return form

    def equal(self, a: np.ndarray, b: np.ndarray, weight: float = 1.0) -> None:
        self.rows.append(weight * (a - b))

    def solved(self) -> np.ndarray:
        n = len(self.index)
        if not n:
            return np.zeros(0)
        rows = np.array(self.rows).reshape(-1, n + 1)
        matrix, right = np.vstack([rows[:, :n], _RIDGE * np.eye(n)]), np.concatenate([-rows[:, n], np.zeros(n)])
        return np.linalg.lstsq(matrix, right, rcond=None)[0]

    def of(self, expr: sympy.Expr) -> np.ndarray:
        """The logarithm of the size of an expression; equations of its parts are noted."""
        if not expr.free_symbols:
            value = abs(complex(expr.evalf()))
            return self.number(np.log10(value) if 0 < value < np.inf else 0.0)
        if isinstance(expr, sympy.Symbol):
            name = self.places.get(expr.name, expr.name)
            if name in self.index:
                form = self.number(0.0)
                form[self.index[name]] = 1.0
                return form
            return self.number(self.sizes[name])
        if expr.is_Add:
            terms = [self.of(term) for term in expr.args]
            for term in terms[1:]:
                self.equal(term, terms[0])
            return np.mean(terms, axis=0)
        if expr.is_Mul:
            return sum((self.of(factor) for factor in expr.args), self.number(0.0))
        if expr.is_Pow and not isinstance(expr, sympy.exp) and expr.base != sympy.E:
            base = self.of(expr.base)
            if expr.exp.is_number:
                return float(expr.exp) * base
            self.equal(self.of(expr.exp), self.number(0.0))
            self.equal(base, self.number(0.0), _SOFT)
            return self.number(0.0)
        args = [self.of(arg) for arg in expr.args]
        if isinstance(expr, sympy.Abs | sympy.Max | sympy.Min | AppliedUndef):
            return np.mean(args, axis=0)
        for arg in args:
            self.equal(arg, self.number(0.0), _SOFT if isinstance(expr, sympy.log) else 1.0)
        return self.number(0.0)
