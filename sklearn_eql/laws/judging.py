"""The rows that laws are judged on: refits, standard errors, and whether a fixed constant is worth its error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, cached_property

import numpy as np
import torch
from scipy.stats import norm
from scipy.stats import t as student

from sklearn_eql._devices import CPU
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.admission import Admission
from sklearn_eql.sparse.behaviour import Behaviour
from sklearn_eql.sparse.bending import bent
from sklearn_eql.sparse.description_length import is_unsurprising
from sklearn_eql.sparse.levenberg_marquardt import FitResult, levenberg_marquardt, standard_errors
from sklearn_eql.sparse.printed_complexity import least_complexity
from sklearn_eql.sparse.problem import Scaling, misses, row_tolerance, weighted_variance
from sklearn_eql.sparse.program import SourceRows
from sklearn_eql.sparse.rows import BLOCK, RowView, ScaledRows, subset
from sklearn_eql.sparse.structure import Structure, fixed_in_print
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.equation import Equation

TIDY_STEPS = 12  # of Levenberg-Marquardt, at most, from the optimum with one constant more; not tuned
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
    deadline : float
        Value of ``time.time()`` after which a fit on all rows takes no further step.
    device : str
        Where laws are refitted if that is enough work.
    admission : Admission or None
        Which laws may be printed; all by default.
    behaviour : Behaviour or None
        How they must behave, in scaled units.
    """

    def __init__(
        self,
        X: np.ndarray | RowView,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        scaling: Scaling,
        primitives: Mapping[str, Primitive],
        seed: int,
        deadline: float = math.inf,
        device: str = CPU,
        admission: Admission | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        if sample_weight is not None and not (sample_weight > 0).all():
            keep = sample_weight > 0
            X, y, sample_weight = subset(X, keep), y[keep], sample_weight[keep]
        self.scaling = scaling
        self.primitives = primitives
        self.deadline, self.device = deadline, device
        self.admission, self.behaviour = admission, behaviour
        self._rows = X
        self.y = torch.as_tensor(y / scaling.y)
        weight = scaling.weights_of(sample_weight, self.y.numpy())
        self.weight = None if weight is None else torch.as_tensor(weight)
        share = 1.0 if weight is None else float(weight.mean())
        self.variance = weighted_variance(self.y.numpy(), weight) * share or 1.0
        self.exact = scaling.exact * self.variance
        self.few: Table | None = None
        if len(self.y) > SAMPLE_ROWS:
            rows = np.random.default_rng(seed).choice(len(self.y), SAMPLE_ROWS, replace=False)
            weight = None if self.weight is None else self.weight.numpy()[rows]
            options = {"device": device, "admission": admission, "behaviour": behaviour}
            self.few = Table(X[rows], y[rows], weight, scaling, primitives, seed, **options)

    @cached_property
    def X(self) -> torch.Tensor:
        """All rows in scaled units, (N, n_features)."""
        return torch.as_tensor(self._rows[:] / self.scaling.x)

    @cached_property
    def _sources(self) -> SourceRows:
        """Rows as structures read them: a few are kept, and of many only what one fit needs is made."""
        return SourceRows(self.X, self.primitives)

    def fit(self, structures: Sequence[Structure], max_iter: int) -> list[FitResult]:
        """Levenberg-Marquardt on all rows, on structures in scaled units; no step begins after the deadline."""
        return levenberg_marquardt(
            structures,
            self.primitives,
            self._sources if len(self.y) <= BLOCK else ScaledRows(self._rows, self.scaling.x),
            self.y,
            self.weight,
            max_iter=max_iter,
            deadline=self.deadline,
            device=self.device,
        )

    @property
    def most(self) -> int | None:
        """The largest complexity of a law that is printed; None where any will do."""
        return None if self.behaviour is None else self.behaviour.max_complexity

    def admits(self, equation: Equation, *, final: bool = True) -> bool:
        """Whether a law may be printed as it is: its form is admitted, with its exponents, and it behaves.

        If not `final`, laws that are too complex are admitted, too, where they may become shorter.
        """
        if self.admission is not None and not self.admission.admits(
            Structure.from_equation(equation, ~fixed_in_print(equation, self.primitives))
        ):
            return False
        if self.behaviour is None:
            return True
        count = equation_complexity if final else least_complexity
        if self.most is not None and count(equation, self.primitives) > self.most:
            return False
        free = np.zeros(len(equation.coefficients()), dtype=bool)
        return self.behaviour.excess_as_printed(self._scaled(equation, free).to_equation(), self.primitives) == 0

    def bent(self, equation: Equation, free: np.ndarray) -> tuple[Equation, float] | None:
        """The law with other coefficients where `free`, under which it behaves, and its relative loss, if there are."""
        if self.behaviour is None or not free.any():
            return None
        structure = self._scaled(equation, free)
        found = bent(structure, self.behaviour, self.primitives, self.X, self.y, self.weight)
        if found is None:
            return None
        values = np.where(free, self._unscaled(found.structure).coefficients(), equation.coefficients())
        return equation.with_coefficients(values), found.loss / self.variance

    def refit(self, equation: Equation, free: np.ndarray, max_iter: int = TIDY_STEPS) -> tuple[Equation, float]:
        """Best coefficients where `free`, in user units, and the relative loss; infinite where undefined on a row."""
        return self.refit_all([equation], [free], max_iter)[0]

    def refit_all(
        self, equations: Sequence[Equation], free: Sequence[np.ndarray], max_iter: int = TIDY_STEPS
    ) -> list[tuple[Equation, float]]:
        """As `refit`, for several equations in one batch."""
        structures = self.structures_of(equations, free)
        found = []
        for equation, mask, fitted in zip(equations, free, self.fit(structures, max_iter), strict=True):
            if not math.isfinite(fitted.loss):
                found.append((equation, math.inf))
                continue
            moved = self._unscaled(fitted.structure).coefficients()
            values = np.where(mask, moved, equation.coefficients())
            found.append((equation.with_coefficients(values), fitted.loss / self.variance))
        return found

    def structures_of(self, equations: Sequence[Equation], free: Sequence[np.ndarray]) -> list[Structure]:
        """Laws in the user's units as structures in scaled ones, of which coefficients are fitted where `free`."""
        return [self._scaled(equation, mask) for equation, mask in zip(equations, free, strict=True)]

    def loss(self, equation: Equation) -> float:
        """Relative loss of a law in the user's units on all rows, as it stands; infinite where undefined on a row."""
        free = np.zeros(len(equation.coefficients()), dtype=bool)
        scaled, columns = self._scaled(equation, free).to_equation().of_used_columns()
        return self._loss(scaled, columns, ScaledRows(self._rows, self.scaling.x), 1.0)

    def loss_as_printed(self, equation: Equation) -> float:
        """The same, computed in the user's units.

        Where a law ends, as ``sqrt(25 - x**2)`` at 5, the rounding of its scaled constants is a difference that counts.
        """
        law, columns = equation.of_used_columns()
        return self._loss(law, columns, ScaledRows(self._rows, np.ones(len(self.scaling.x))), self.scaling.y)

    def _loss(self, law: Equation, columns: Sequence[int], rows: torch.Tensor | ScaledRows, y_unit: float) -> float:
        total = 0.0
        for first in range(0, len(self.y), BLOCK):
            block = slice(first, first + BLOCK)
            square = (self.y[block] - law.forward(rows[block][:, columns], self.primitives) / y_unit).square()
            total += float(square.sum() if self.weight is None else square @ self.weight[block])
        loss = total / len(self.y) / self.variance
        return loss if math.isfinite(loss) else math.inf

    def is_met(self, equation: Equation) -> bool:
        """Whether every row is met, by a law in the user's units, to what rounding leaves over."""
        free = np.zeros(len(equation.coefficients()), dtype=bool)
        scaled, columns = self._scaled(equation, free).to_equation().of_used_columns()
        rows, largest = ScaledRows(self._rows, self.scaling.x), row_tolerance(self.scaling.resolution)
        blocks = (slice(first, first + BLOCK) for first in range(0, len(self.y), BLOCK))
        return all(misses(scaled, rows[b][:, columns], self.y[b], self.primitives)[0] <= largest for b in blocks)

    def accepts(self, old: float, new: float, n_fixed: int) -> bool:
        """Whether fixing `n_fixed` coefficients is worth the rise of the relative loss.

        Without noise the rise must stay within rounding.
        """
        return is_unsurprising(old, new, len(self.y), n_fixed, self.scaling.exact)

    def errors(self, equation: Equation, free: np.ndarray | None = None) -> np.ndarray:
        """Standard error of every coefficient, in user units, at least the resolution of the data.

        Infinite for those that are not `free`, bool (n_coefficients,); by default all that can be are. Where few rows
        are left they are enlarged, so that three of them cover what they would of a normal distribution.
        """
        free = free_mask(equation, self.primitives) if free is None else free
        structure = self._scaled(equation, free)
        found = np.full(len(free), np.inf)
        found[free] = standard_errors(structure, self.primitives, self.X, self.y, self.weight)
        found = found * self._unit_of_coefficients(equation) * _student(len(self.y) - int(free.sum()))
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


@cache
def _student(n_left: int) -> float:
    """Three standard errors of few degrees of freedom, in units of those of a normal distribution."""
    return float(student.isf(norm.sf(3.0), max(n_left, 1))) / 3.0
