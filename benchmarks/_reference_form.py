"""Has a law the form of a reference with free constants? The rule of `empirical.py`, decided by values.

The constants of the reference are fitted to the *values of the law*, not to the data, on the rows of the data set and
on rows drawn in their range. The law has the form of the reference if both hold:

reproduced
    The mean square of what is left over is at most 1e-10 of the variance of the law's values, and at most a hundredth
    of the share of the variance of y that the reference leaves unexplained. The constants are free, so a law of this
    form leaves nothing over but rounding; a term that any criterion takes into a law explains more of the residuals
    than a hundredth (a tenth for 100 rows and ten nats), and mostly far more than 1e-10 of the variance. What is below
    1e-14 is rounding whatever the residuals are.
determined
    With any one constant halved or doubled and the others fitted again, the law is no longer reproduced. Otherwise the
    reference has degenerated: ``c1 + c2*exp(c3*x)`` with c3 near 0 is a straight line, and with c2 = 0 a constant; such
    a law lacks a term.

Constants may have any value, so rounding them changes nothing; numbers that the reference fixes (the 1.5 in a**1.5)
must be met within the tolerance. How a law is written does not matter. Where the reference, with its constants fitted
to the data, is not finite and real, it says nothing; where the law is not and the reference is, the law has another
form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy
from _physics import compiled, evaluate
from scipy.optimize import least_squares

REPRODUCED = 1e-10
SHARE_OF_UNEXPLAINED = 1e-2
ROUNDING = 1e-14
N_STARTS = 8
_FACTOR = 4.0  # constants start at up to this factor from those fitted to the data
_MAX_STEPS = 200
_SEED = 2**31 - 3
_NOT_REAL = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I)


@dataclass(frozen=True, eq=False)
class ReferenceForm:
    """A law with free constants, and the constants that fit the data."""

    template: sympy.Expr
    variables: list[str]
    constants: dict[str, float]  # none is zero
    unexplained: float  # share of the variance of y that it leaves over with these constants

    @property
    def tolerance(self) -> float:
        return max(min(REPRODUCED, SHARE_OF_UNEXPLAINED * self.unexplained), ROUNDING)

    def values(self, X: np.ndarray) -> np.ndarray:
        """With the constants that fit the data; X of shape (N, D), result (N,), nan where it is not real."""
        return self._evaluated(X, np.ones(len(self.constants)))[0]

    def is_form_of(self, law: sympy.Expr, X: np.ndarray) -> bool:
        """Whether a law in the variables has this form on the rows X (N, D)."""
        X = X[np.isfinite(self.values(X))]
        values = law_values(law, self.variables, X)
        if not np.all(np.isfinite(values)) or np.ptp(values) == 0:
            return False
        found = self._fitted(X, values)
        return found is not None and not any(self._is_undetermined(k, found, X, values) for k in range(len(found)))

    def _fitted(self, X: np.ndarray, values: np.ndarray) -> np.ndarray | None:
        """Constants that reproduce the values (N,), over those that fit the data; None if there are none."""
        for start in self._starts():
            factors, misfit = self._solve(X, values, start, np.ones(len(start), dtype=bool))
            if misfit <= self.tolerance:
                return factors
        return None

    def _starts(self) -> Iterator[np.ndarray]:
        yield np.ones(len(self.constants))
        rng = np.random.default_rng(_SEED)
        for _ in range(N_STARTS):
            yield _FACTOR ** rng.uniform(-1, 1, len(self.constants))

    def _is_undetermined(self, k: int, factors: np.ndarray, X: np.ndarray, values: np.ndarray) -> bool:
        free = np.arange(len(factors)) != k
        for factor in (0.5, 2.0):
            start = np.where(free, factors, factor * factors)
            if self._solve(X, values, start, free)[1] <= self.tolerance:
                return True
        return False

    def _solve(
        self, X: np.ndarray, values: np.ndarray, start: np.ndarray, free: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Least squares from one start: the factors, and the mean square left over by the variance of the values."""
        scale = np.std(values) * np.sqrt(len(values))

        def whole(part: np.ndarray) -> np.ndarray:
            factors = start.copy()
            factors[free] = part
            return factors

        def residuals(part: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return (self._evaluated(X, whole(part))[0] - values) / scale

        def slopes(part: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                found = self._evaluated(X, whole(part))[1:][free].T / scale
            return np.where(np.isfinite(found), found, 0.0)  # a slope that overflows says nothing

        misfit = residuals(start[free])
        if not np.all(np.isfinite(misfit)) or np.abs(misfit).max() > 1e150:
            return start, np.inf
        if not free.any():
            return start, float(misfit @ misfit)
        with np.errstate(all="ignore"):
            result = least_squares(
                residuals, start[free], jac=slopes, x_scale="jac", ftol=1e-15, xtol=1e-15, gtol=1e-15,
                max_nfev=_MAX_STEPS,
            )  # fmt: skip
        return whole(result.x), float(2 * result.cost)

    @cached_property
    def _function(self):
        slopes = [sympy.diff(self.template, sympy.Symbol(name)) for name in self.constants]
        symbols = [sympy.Symbol(name) for name in (*self.variables, *self.constants)]
        return sympy.lambdify(symbols, [self.template, *slopes], modules="numpy", dummify=True, cse=True)

    def _evaluated(self, X: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Values and their slopes in the factors, (1 + K, N)."""
        scales = np.array(list(self.constants.values()))
        with np.errstate(all="ignore"):
            parts = self._function(*X.T, *(factors * scales))
        rows = np.stack([np.broadcast_to(np.asarray(part, dtype=float), (len(X),)) for part in parts])
        return rows * np.concatenate([[1.0], scales])[:, None]

    def __getstate__(self):
        # Compiled functions do not pickle, and workers get the form as it is here.
        return {name: value for name, value in self.__dict__.items() if name != "_function"}


def law_values(law: sympy.Expr, variables: list[str], X: np.ndarray) -> np.ndarray:
    """Values of a law (N,), nan where it is not real, and everywhere if NumPy does not have its functions."""
    if law.has(*_NOT_REAL):
        return np.full(len(X), np.nan)
    try:
        return evaluate(compiled(law, variables), X)
    except (ArithmeticError, TypeError, NameError):
        return np.full(len(X), np.nan)
