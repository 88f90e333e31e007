"""The rows that laws are judged on: refits, standard errors, and whether a fixed constant is worth its error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.description_length import is_unsurprising
from sklearn_eql.sparse.levenberg_marquardt import FitResult, levenberg_marquardt, standard_errors
from sklearn_eql.sparse.problem import Scaling, misses, row_tolerance, weighted_variance
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.equation import Equation

TIDY_STEPS = 12
SAMPLE_ROWS = 1000  # on which laws are finished where there are more rows; the front is then refitted on all


class Table:
    """The rows that laws are judged on, in the user's units, prepared for refinement in scaled units.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,);  sample_weight : ndarray (n_samples,) or None
    scaling : Scaling
    primitives : mapping of str to Primitive
    seed : int
        For the sample of rows on which constants are tried, where there are very many.
    """

    def __init__(self, X, y, sample_weight, scaling: Scaling, primitives: Mapping[str, Primitive], seed: int) -> None:
        keep = slice(None) if sample_weight is None else sample_weight > 0
        self.scaling = scaling
        self.primitives = primitives
        self.X = torch.as_tensor(X[keep] / scaling.x)
        self.y = torch.as_tensor(y[keep] / scaling.y)
        weight = scaling.weights_of(None if sample_weight is None else sample_weight[keep], self.y.numpy())
        self.weight = None if weight is None else torch.as_tensor(weight)
        share = 1.0 if weight is None else float(weight.mean())
        self.variance = weighted_variance(self.y.numpy(), weight) * share or 1.0
        self.exact = scaling.exact * self.variance
        self.few: Table | None = None
        if len(self.y) > SAMPLE_ROWS:
            rows = np.random.default_rng(seed).choice(len(self.y), SAMPLE_ROWS, replace=False)
            weight = None if self.weight is None else self.weight.numpy()[rows]
            chosen = (self.X.numpy()[rows] * scaling.x, self.y.numpy()[rows] * scaling.y, weight)
            self.few = Table(*chosen, scaling, primitives, seed)

    def fit(self, structures: Sequence[Structure], max_iter: int) -> list[FitResult]:
        """Levenberg-Marquardt on all rows, on structures in scaled units."""
        return levenberg_marquardt(structures, self.primitives, self.X, self.y, self.weight, max_iter=max_iter)

    def refit(self, equation: Equation, free: np.ndarray, max_iter: int = TIDY_STEPS) -> tuple[Equation, float]:
        """Best coefficients where `free`, in user units, and the relative loss; infinite where undefined on a row."""
        structure = self._scaled(equation, free)
        fitted = self.fit([structure], max_iter)[0]
        if not math.isfinite(fitted.loss):
            return equation, math.inf
        moved = self._unscaled(fitted.structure).coefficients()
        values = np.where(free, moved, equation.coefficients())
        return equation.with_coefficients(values), fitted.loss / self.variance

    def is_met(self, equation: Equation) -> bool:
        """Whether every row is met, by a law in the user's units, to what rounding leaves over."""
        free = np.zeros(len(equation.coefficients()), dtype=bool)
        scaled = self._scaled(equation, free).to_equation()
        return misses(scaled, self.X, self.y, self.primitives)[0] <= row_tolerance(self.scaling.resolution)

    def accepts(self, old: float, new: float, n_fixed: int) -> bool:
        """Whether fixing `n_fixed` coefficients is worth the rise of the relative loss.

        Without noise the rise must stay within rounding.
        """
        return is_unsurprising(old, new, len(self.y), n_fixed, self.scaling.exact)

    def errors(self, equation: Equation, free: np.ndarray | None = None) -> np.ndarray:
        """Standard error of every coefficient, in user units, at least the resolution of the data.

        Infinite for those that are not `free`, bool (n_coefficients,); by default all that can be are.
        """
        free = free_mask(equation, self.primitives) if free is None else free
        structure = self._scaled(equation, free)
        found = np.full(len(free), np.inf)
        found[free] = standard_errors(structure, self.primitives, self.X, self.y, self.weight)
        found = found * self._unit_of_coefficients(equation)
        resolution = math.sqrt(self.scaling.exact)  # no coefficient is known better than the data
        return np.maximum(found, resolution * np.abs(equation.coefficients()))

    def _unit_of_coefficients(self, equation: Equation) -> np.ndarray:
        """What each coefficient of the scaled equation is multiplied by to give that of the user's equation."""
        x = np.concatenate([[1.0], 1 / self.scaling.x, np.ones(len(equation.units))])
        inner = [x[s] for unit in equation.units for arg in unit.args for s, _ in arg]
        output = [x[s] * self.scaling.y for s, _ in equation.output]
        return np.array(inner + output)

    def _scaled(self, equation: Equation, free: np.ndarray) -> Structure:
        values = equation.coefficients() / self._unit_of_coefficients(equation)
        return Structure.from_equation(equation.with_coefficients(values), free)

    def _unscaled(self, structure: Structure) -> Equation:
        equation = structure.to_equation()
        return equation.with_coefficients(equation.coefficients() * self._unit_of_coefficients(equation))
