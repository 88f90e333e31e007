"""One regression problem as the searches see it: scaled rows, vocabulary, limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from sklearn_eql._devices import CPU
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.admission import Admission, admitted
from sklearn_eql.sparse.behaviour import Behaviour
from sklearn_eql.sparse.columns import Columns
from sklearn_eql.sparse.levenberg_marquardt import FitResult, levenberg_marquardt
from sklearn_eql.sparse.program import SourceRows
from sklearn_eql.sparse.rows import BLOCK, RowView, blocks_of, extremes
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.equation import Equation

_FLOAT64 = float(np.finfo(np.float64).eps)
_LEAST = 0.05  # importance of a column that was not tried before, times the number of columns
EXACT = 1e-20  # relative mean squared error of a law without noise, in float64
_ROW = 1e-9  # of a row's rounding unit: ten times the root of EXACT, as one of many rows may be that far from the mean
_EVEN_STEPS = 12  # of the fit that gives all rows their weight; it starts at the optimum of another weighing
SPARE_ROWS = 4  # more rows than coefficients: four residuals at rounding are no accident
_MOST_FREE = 60  # coefficients of an exact law: more is a table, not a law


@dataclass(frozen=True)
class Scaling:
    """Units of the rows: ``X_scaled = X / x``, ``y_scaled = y / y``. Not centred: laws would lose their form."""

    x: np.ndarray  # (n_features,)
    y: float
    exact: float  # mean squared error, relative to the variance of y, below which a law is exact
    variance: float  # of the scaled target
    resolution: float  # relative rounding error of the data as they were given

    @classmethod
    def of(
        cls,
        X: np.ndarray | RowView,
        y: np.ndarray,
        enabled: bool = True,
        resolution: float = _FLOAT64,
        sample_weight: np.ndarray | None = None,
        binary: bool = False,
    ) -> Scaling:
        """Root mean square of each column, and the standard deviation of the target; ones if not `enabled`.

        With `binary` columns are scaled by powers of two, which round no value: a function that jumps at whole numbers
        has its jumps where they were.

        Standard deviation and rounding error of the target are weighted as the loss is: with weights ``1 / y**2`` the
        smallest values have to be met as well.
        """
        top = float(np.abs(y).max()) or 1.0
        share = np.full(len(y), 1.0 / len(y)) if sample_weight is None else sample_weight / sample_weight.sum()
        relative = y / top  # squares of 1e200 would overflow
        spread = math.sqrt(weighted_variance(relative, sample_weight)) or 1.0
        rounding = resolution * math.sqrt(len(y) * float((share * relative**2).max()))
        exact = max(EXACT, (rounding / spread) ** 2)
        if not enabled:
            return cls(np.ones(X.shape[1]), 1.0, exact, (top * spread) * (top * spread), resolution)
        low, high = extremes(X)
        largest = np.maximum(-low, high)
        largest = np.where(largest > 0, largest, 1.0)
        if len(X) <= BLOCK:
            mean_square = np.mean((X[:] / largest) ** 2, axis=0)
        else:
            total = sum(((block / largest) ** 2).sum(axis=0) for block in blocks_of(X))
            mean_square = (total / len(X)).astype(np.float32).astype(float)  # whatever the order of the rows
        rms = largest * np.sqrt(mean_square)
        rms = np.where(rms > 0, rms, 1.0)
        if binary:
            rms = np.exp2(np.round(np.log2(rms)))
        return cls(rms, top * spread, exact, 1.0, resolution)

    def weights_of(self, sample_weight: np.ndarray | None, y: np.ndarray) -> np.ndarray | None:
        """Weights of some rows, of which `y` is the scaled target, in the unit that makes losses of samples comparable.

        The variance of the sample is that of all rows. The mean weight of a sample would be no such unit: it depends on
        whether the heaviest rows are in it.
        """
        if sample_weight is None:
            return None
        weight = sample_weight / sample_weight.mean()
        return weight * (self.variance / (weighted_variance(y, weight) or self.variance))


def weighted_variance(values: np.ndarray, sample_weight: np.ndarray | None) -> float:
    """Around the weighted mean."""
    if sample_weight is None:
        return float(np.var(values))
    share = sample_weight / sample_weight.sum()
    return float(share @ (values - share @ values) ** 2)


@dataclass(frozen=True)
class Problem:
    """Rows for the search (possibly a sample of the user's) and what laws may be made of."""

    X: torch.Tensor  # (N, n_features), float64, scaled
    y: torch.Tensor  # (N,), float64, scaled
    sample_weight: torch.Tensor | None  # (N,), see Scaling.weights_of
    signs: tuple[int, ...]  # per feature: +1 all positive, -1 all negative, 0 mixed (over all rows, not only these)
    importances: np.ndarray  # (n_features,) how often to try each feature, zero for those that are not tried
    likely: tuple[int, ...]  # features that families of laws enumerate
    primitives: Mapping[str, Primitive]
    copies: Mapping[str, int]  # functions that may be used, and copies per layer
    max_depth: int  # hidden layers
    exact: float  # loss below which a law is exact
    y_unit: float  # of the scaled target, in the user's units
    x_units: np.ndarray  # (n_features,) likewise
    resolution: float = _FLOAT64  # relative rounding error of the data
    deadline: float = math.inf  # value of ``time.time()`` after which fits return what they have
    device: str = CPU  # where structures are fitted together; the rows stay here
    admission: Admission | None = None  # which structures may be laws; all by default
    behaviour: Behaviour | None = None  # how laws must behave, in the units of the rows

    @cached_property
    def rows(self) -> SourceRows:
        """The rows as structures read them, kept here and on the device."""
        return SourceRows(self.X, self.primitives)

    @property
    def root(self) -> torch.Tensor:
        """Square roots of the weights, (N,)."""
        return torch.ones_like(self.y) if self.sample_weight is None else self.sample_weight.sqrt()

    @property
    def variance(self) -> float:
        """Loss of the best constant."""
        weight = np.ones(len(self.y)) if self.sample_weight is None else self.sample_weight.numpy()
        return weighted_variance(self.y.numpy(), weight) * float(weight.mean())

    def trying(self, columns: Sequence[int]) -> Problem:
        """The same problem, with laws of these columns only."""
        where = sorted(columns)
        importances = np.zeros(len(self.importances))
        importances[where] = np.maximum(self.importances[where], _LEAST / len(where))
        return replace(self, importances=importances / importances.sum(), likely=tuple(where))

    @cached_property
    def features(self) -> list[int]:
        """Features that laws are tried over, as sources of terms: numbered from 1."""
        return [int(f) + 1 for f in np.flatnonzero(self.importances)]

    @cached_property
    def signed(self) -> list[int]:
        """Those of one sign, which have powers and logarithms."""
        return [f for f in self.features if self.signs[f - 1]]

    @cached_property
    def has_powers(self) -> bool:
        """Whether products of any powers may be tried: ``exp(sum a_i log x_i)``, unless a user's functions have these
        names.
        """
        ours = all(self.primitives[name] is PRIMITIVES[name] for name in ("exp", "log"))
        return "pow" in self.copies and ours and bool(self.signed)

    @cached_property
    def max_free(self) -> int:
        """Free coefficients that the rows can support: more of them interpolate rather than explain.

        Three where the rows allow it: a table of two booleans has four distinct rows, and "or" three coefficients. Two
        for two rows: whatever a column of two values does is ``a + b*x``.
        """
        n_rows = len(self.y)
        return max(min(2, n_rows), min(3, n_rows - 1), n_rows // 3)

    @cached_property
    def max_exact(self) -> int:
        """Free coefficients of a law that is exact: rows to spare are evidence, if each is met to rounding."""
        return max(self.max_free, min(len(self.y) - SPARE_ROWS, _MOST_FREE))

    def fit(self, structures: Sequence[Structure], max_iter: int) -> list[FitResult]:
        """Levenberg-Marquardt on all structures, except those with nearly as many coefficients as there are rows, and
        those that are not admitted.

        Those with more coefficients than the rows support have an infinite loss where they are not exact, and so have
        those that are not begun before the deadline.
        """
        return self._fitted(admitted([s for s in structures if s.n_free <= self.max_exact], self.admission), max_iter)

    def fit_further(self, results: Sequence[FitResult], max_iter: int) -> list[FitResult]:
        """More steps for what `fit` has fitted, from the coefficients that it found."""
        return self._fitted([r.form for r in results], max_iter, [r.state.theta for r in results])

    def _fitted(
        self, structures: Sequence[Structure], max_iter: int, starts: Sequence[np.ndarray] | None = None
    ) -> list[FitResult]:
        if not structures:
            return []
        found = levenberg_marquardt(
            structures,
            self.primitives,
            self.rows,
            self.y,
            self.sample_weight,
            max_iter=max_iter,
            floor=self.exact / 100,
            deadline=self.deadline,
            device=self.device,
            starts=starts,
        )
        return [r if r.loss == math.inf or self.supports(r.form, r.loss) else replace(r, loss=math.inf) for r in found]

    def judged(self, results: Sequence[FitResult]) -> list[FitResult]:
        """Fits that were made elsewhere, with the loss by which this problem ranks them."""
        return list(results)

    def considers(self, structure: Structure) -> bool:
        """Whether `fit` fits a structure."""
        return structure.n_free <= self.max_exact and (self.admission is None or self.admission.admits(structure))

    @property
    def of_parts(self) -> Problem:
        """The same problem for what is no law yet, where anything is admitted: terms under an outer function, networks
        that are pruned.
        """
        return self if self.admission is None else replace(self, admission=None)

    def supports(self, structure: Structure, loss: float) -> bool:
        """Whether the rows are enough for a fit; an exact one may have nearly as many coefficients as rows."""
        return math.isfinite(loss) and (structure.n_free <= self.max_free or loss < self.exact)


def make_problem(
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    scaling: Scaling,
    primitives: Mapping[str, Primitive],
    copies: Mapping[str, int],
    max_depth: int,
    max_rows: int,
    seed: int,
    columns: Columns | None = None,
    deadline: float = math.inf,
    device: str = CPU,
    admission: Admission | None = None,
    behaviour: Behaviour | None = None,
) -> Problem:
    """Scale, sample at most `max_rows` rows, and look at the features, unless their `columns` are known.

    Rows of weight zero are left out.
    """
    columns = columns or Columns.of(X, y, seed, sample_weight=sample_weight)
    rng = np.random.default_rng(seed)
    rows = np.arange(len(y)) if sample_weight is None else np.flatnonzero(sample_weight > 0)
    if len(rows) > max_rows:
        rows = np.sort(rng.choice(rows, max_rows, replace=False))
    target = y[rows] / scaling.y
    weight = scaling.weights_of(None if sample_weight is None else sample_weight[rows], target)
    return Problem(
        X=torch.as_tensor(X[rows] / scaling.x),
        y=torch.as_tensor(target),
        sample_weight=None if weight is None else torch.as_tensor(weight),
        signs=columns.signs,
        importances=columns.importances,
        likely=columns.likely,
        primitives=primitives,
        copies=copies,
        max_depth=max_depth,
        exact=scaling.exact * scaling.variance,
        y_unit=scaling.y,
        x_units=scaling.x,
        resolution=scaling.resolution,
        deadline=deadline,
        device=device,
        admission=admission,
        behaviour=behaviour,
    )


def is_well_conditioned(structure: Structure, problem: Problem, limit: float = 1e4) -> bool:
    """Whether the output is not a small difference of large terms.

    ``(sin(w*x) - w*x) / w**3`` approaches ``x**3`` as w falls: an exact fit, but not a law.
    """
    equation = structure.to_equation()
    total = np.zeros(len(problem.y))
    values = equation.sources(problem.X, problem.primitives)
    for source, coefficient in equation.output:
        total += np.abs(coefficient * values[source])
    root = problem.root.numpy()
    size = max(math.sqrt(problem.variance), float(np.linalg.norm(problem.y.numpy() * root)) / math.sqrt(len(total)))
    return bool(np.linalg.norm(total * root) < limit * size * math.sqrt(len(total)))


def is_exact(structure: Structure, problem: Problem) -> bool:
    """Whether a law of which the loss is that of an exact one (see `Problem.exact`) is well conditioned, and met by
    every row.

    A loss may be tiny because a few large values are met: ``3*x**4`` is ``3*x**4 + sin(x)`` to 16 digits, for most of
    the `x` up to 1e4. So rows that stand out are given their weight: an exact law stays exact however rows are
    weighed, after a few more steps of the fit.
    """
    if not is_well_conditioned(structure, problem):
        return False
    largest = row_tolerance(problem.resolution)
    missed, rounding = misses(structure.to_equation(), problem.X, problem.y, problem.primitives)
    if missed <= largest:
        return True
    weight = (rounding.min() / rounding) ** 2
    weight = weight / weight.mean()
    met = largest**2 * float((weight * rounding**2).mean()) / len(weight)  # loss that no row exceeds alone
    even = replace(problem, sample_weight=weight, exact=100 * met)  # the fit goes on to a hundredth of it
    [fitted] = even.fit([structure], _EVEN_STEPS) or [None]
    if fitted is None or not math.isfinite(fitted.loss):
        return False
    return misses(fitted.structure.to_equation(), problem.X, problem.y, problem.primitives)[0] <= largest


def row_tolerance(resolution: float) -> float:
    """Largest residual of a row that an exact law meets, in its unit of rounding (see `misses`)."""
    return max(_ROW, 8 * resolution)


def misses(
    equation: Equation, X: torch.Tensor, y: torch.Tensor, primitives: Mapping[str, Primitive]
) -> tuple[float, torch.Tensor]:
    """Largest residual of the rows, relative to what rounding is relative to, and that for each row, (N,).

    Rounding comes with the target, with the terms of the law, and with the features, as the law passes it on. A target
    of zero has none: it is met to that of the smallest other one.
    """
    with torch.enable_grad():
        X = X.clone().requires_grad_()
        values = equation.forward(X, primitives)
        slopes = torch.autograd.grad(values.sum(), X)[0] if values.requires_grad else torch.zeros_like(X)
    X, values = X.detach(), values.detach()
    sources = equation.sources(X, primitives)
    terms = sum((np.abs(c * sources[s]) for s, c in equation.output), np.zeros(len(y)))
    passed_on = (slopes * X).nan_to_num(nan=0.0, posinf=math.inf, neginf=-math.inf)  # zero has none, by any slope
    rounding = y.abs() + torch.as_tensor(terms) + passed_on.abs().sum(dim=1)
    sizes = y.abs()
    rounding = rounding.maximum(sizes[sizes > 0].min() if bool(sizes.any()) else torch.ones(()))
    missed = float(((y - values).abs() / rounding).max())
    return (missed if math.isfinite(missed) else math.inf), rounding
