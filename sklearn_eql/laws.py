"""From what a search found to laws in the user's units: rescale, refine on all rows, recognise constants, rank."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from sklearn_eql.archive import Archive, description_length
from sklearn_eql.factoring import factored
from sklearn_eql.primitives import Primitive
from sklearn_eql.problem import Scaling
from sklearn_eql.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, free_mask, rescale, structure_key
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.tidy import tidy
from sklearn_eql.training.refine import FitResult, levenberg_marquardt, standard_errors

_REFINE_STEPS = 40
_DUST = 1e-13  # relative size of a term that is rounding
_SAME_LOSS = 1e-9  # relative; closer losses are one law written in two ways
_TIDY_STEPS = 12
_SHORT = 6  # significant digits
_UNSURPRISING = 6.6  # chi-squared with one degree of freedom, 99th percentile
_RERANKED_AT_ONCE = 16  # structures
_POLISH_STEPS = 4  # on all rows, from the optimum on a sample
SAMPLE_ROWS = 1000  # on which laws are finished where there are more rows; the front is then refitted on all


@dataclass(frozen=True)
class Law:
    """One equation in the user's units."""

    equation: Equation
    loss: float  # weighted mean squared error over all rows, in units of y squared
    relative_loss: float  # the same over the variance of y
    exact: float  # relative loss below which a law is exact
    complexity: int
    n_free: int  # coefficients that are no recognised constants
    n_symbols: int  # see Structure.n_symbols
    trial: int

    @property
    def level(self) -> float:
        """Relative loss, not less than that of an exact law."""
        return max(self.relative_loss, self.exact)

    def description_length(self, n_rows: int) -> float:
        """See :func:`sklearn_eql.archive.description_length`; with the unbiased variance of the residuals.

        Few rows make a law with many coefficients look better than it is: the mean of squared residuals is too small
        by ``(N - n_free) / N``.
        """
        unbiased = self.level * n_rows / max(n_rows - self.n_free, 1)
        return description_length(unbiased, n_rows, self.n_free, self.n_symbols)


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
        self.weight = (
            None if sample_weight is None else torch.as_tensor(sample_weight[keep] / sample_weight[keep].mean())
        )
        mean = np.average(self.y, weights=self.weight)
        self.variance = float(np.average((self.y.numpy() - mean) ** 2, weights=self.weight)) or 1.0
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

    def refit(self, equation: Equation, free: np.ndarray, max_iter: int = _TIDY_STEPS) -> tuple[Equation, float]:
        """Best coefficients where `free`, in user units, and the relative loss; infinite where undefined on a row."""
        structure = self._scaled(equation, free)
        fitted = self.fit([structure], max_iter)[0]
        if not math.isfinite(fitted.loss):
            return equation, math.inf
        moved = self._unscaled(fitted.structure).coefficients()
        values = np.where(free, moved, equation.coefficients())
        return equation.with_coefficients(values), fitted.loss / self.variance

    def accepts(self, old: float, new: float, n_fixed: int) -> bool:
        """Whether fixing `n_fixed` coefficients is worth the rise of the relative loss.

        By the Bayesian information criterion each saves ``log(N)`` of the description; where there are few rows, a
        deviation that occurs by chance in one of a hundred is no evidence either. Without noise the rise must stay
        within rounding.
        """
        n_rows = len(self.y)
        exact = self.scaling.exact
        return n_rows * math.log((new + exact) / (old + exact)) < n_fixed * max(math.log(n_rows), _UNSURPRISING)

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


def rerank(archive: Archive, table: Table, count: int, deadline: float = math.inf) -> Archive:
    """The best `count` members and the front, refitted on more rows than the search saw, where there are more.

    In order of their scores; after `deadline` (``time.time()``) the rest is left out.
    """
    judge = table.few or table
    renewed = Archive(len(judge.y), archive.exact, archive.per_size)
    members = list({r.structure.key: r for r in [*archive.ranked()[:count], *archive.front()]}.values())
    for i in range(0, len(members), _RERANKED_AT_ONCE):
        batch = members[i : i + _RERANKED_AT_ONCE]
        fitted = judge.fit([member.structure for member in batch], _TIDY_STEPS)
        for old, new in zip(batch, fitted, strict=True):
            renewed.keep(replace(new, trial=old.trial))
        if time.time() > deadline:
            break
    return renewed


def finish(found: Iterable[FitResult], table: Table, deadline: float = math.inf) -> tuple[list[Law], bool]:
    """Laws in user units on the accuracy/complexity front, constants recognised, refined on all rows.

    Where there are very many rows, everything is done on a sample of them, and the laws that reach the front are then
    refitted on all. Structures that are undefined on some row are left out. After `deadline` (``time.time()``), or
    Ctrl-C, what is finished by then is returned, once there is something.

    Returns
    -------
    laws : list of Law, by complexity
    interrupted : bool
    """
    judge = table.few or table
    laws: dict[tuple, Law] = {}
    front: list[Law] = []
    interrupted = False
    # An exponential growth over 1e30-scaled data may overflow while scales are moved; such a law is no candidate.
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        try:
            for result in found:
                if laws and time.time() > deadline:
                    break
                law = _finish_one(result, judge)
                key = None if law is None else structure_key(law.equation, table.primitives)
                if key and (key not in laws or law.relative_loss < laws[key].relative_loss):
                    laws[key] = law
        except KeyboardInterrupt:
            if not laws:
                raise
            interrupted = True
        front = shortlist(laws.values(), len(judge.y))
        if judge is not table:
            refitted = [law for law in (_on_all_rows(law, table) for law in front) if law is not None]
            front = shortlist(refitted, len(table.y))
    return front, interrupted


def _finish_one(result: FitResult, table: Table) -> Law | None:
    primitives, scaling = table.primitives, table.scaling
    equation = rescale(result.structure.to_equation(), scaling.x, scaling.y, primitives)
    if not np.isfinite(equation.coefficients()).all():
        return None
    free = free_mask(equation, primitives)
    loose, loss = table.refit(equation, free, _REFINE_STEPS)
    if not math.isfinite(loss):
        return None
    # Exponents that the search has put to round values stay there, if the data agree.
    known = free & np.array([recognise(value) is not None for value in equation.coefficients()], dtype=bool)
    given: dict[int, float] = {}
    if known.any():
        held, held_loss = table.refit(equation, free & ~known, _REFINE_STEPS)
        if table.accepts(loss, held_loss, int(known.sum())):
            loose, given = held, {i: equation.coefficients()[i] for i in np.flatnonzero(known).tolist()}
    errors = table.errors(loose)
    equation, tidied = tidy(loose, loss, table.refit, table.accepts, primitives, errors, table.errors, given)
    equation = canonicalize(equation, primitives)
    shorter = _without_dust(factored(equation, primitives, table.X * torch.as_tensor(scaling.x)), table)
    if shorter != equation and equation_complexity(shorter, primitives) < equation_complexity(equation, primitives):
        loss = table.refit(shorter, np.zeros(len(shorter.coefficients()), dtype=bool))[1]
        if loss <= max(tidied * (1 + _SAME_LOSS), scaling.exact):
            equation, tidied = shorter, loss
    return as_law(equation, tidied, result.trial, table)


def _without_dust(equation: Equation, table: Table) -> Equation:
    """The equation without what is nothing but rounding.

    Coefficients that are a constant but for a few roundings are put to it; terms that contribute less than rounding
    to their sum go.
    """
    sources = equation.sources(table.X * torch.as_tensor(table.scaling.x), table.primitives)
    values = []
    for form in [arg for unit in equation.units for arg in unit.args] + [equation.output]:
        sizes = [abs(c) * float(np.abs(sources[s]).max()) for s, c in form]
        for (_, c), size in zip(form, sizes, strict=True):
            near = float(f"{c:.13g}")
            values.append(0.0 if size < _DUST * max(sizes) else near if recognise(near) is not None else c)
    return canonicalize(equation.with_coefficients(np.array(values)), table.primitives)


def _on_all_rows(law: Law, table: Table) -> Law | None:
    """The law refitted on all rows; recognised constants stay if all rows confirm them."""
    free = free_mask(law.equation, table.primitives)
    constant = np.array([recognise(value) is not None or _is_short(value) for value in law.equation.coefficients()])
    tidied, loss = table.refit(law.equation, free & ~constant, _POLISH_STEPS)
    if (free & constant).any():
        loose, lowest = table.refit(law.equation, free, _POLISH_STEPS)
        if not table.accepts(lowest, loss, int(np.sum(free & constant))):
            tidied, loss = loose, lowest
    return as_law(tidied, loss, law.trial, table) if math.isfinite(loss) else None


def _is_short(value: float) -> bool:
    """Whether a number is a decimal that was put in, such as 9.81: fitted ones have all their digits."""
    return float(f"{value:.{_SHORT}g}") == value


def as_law(equation: Equation, loss: float, trial: int, table: Table) -> Law | None:
    values = equation.coefficients()
    if not (np.isfinite(values).all() and math.isfinite(loss)):
        return None
    free = free_mask(equation, table.primitives)
    return Law(
        equation,
        loss * table.variance * table.scaling.y * table.scaling.y,  # infinite, not an error, for y of 1e200
        loss,
        table.scaling.exact,
        equation_complexity(equation, table.primitives),
        sum(recognise(value) is None for value in values[free]),
        Structure.from_equation(equation, free).n_symbols,
        trial,
    )


def shortlist(laws: Iterable[Law], n_rows: int) -> list[Law]:
    """The front of accuracy and complexity, and the law of shortest description, by complexity.

    The latter may be off the front: two digits of a free coefficient count as one node, and buy accuracy.
    """
    laws = list(laws)
    front = pareto(laws)
    best = min(laws, key=lambda law: law.description_length(n_rows), default=None)
    if best is not None and best not in front:
        front = sorted([*front, best], key=lambda law: (law.complexity, law.relative_loss))
    return front


def pareto(laws: Iterable[Law]) -> list[Law]:
    """Laws that are more accurate than everything simpler, by complexity."""
    front: list[Law] = []
    for law in sorted(laws, key=lambda law: (law.complexity, law.relative_loss, law.n_free)):
        if not front or law.level < front[-1].level * (1 - _SAME_LOSS):
            front.append(law)
    return front


def scores(front: list[Law]) -> list[float]:
    """Fall of the log loss per added node, row by row; 0 for the first (the measure that PySR prints).

    Rows of the same complexity, of which one is off the front, count as one node apart.
    """
    found = [0.0]
    for simpler, law in pairwise(front):
        fall = math.log(simpler.level) - math.log(law.level)
        found.append(fall / max(1, law.complexity - simpler.complexity))
    return found[: len(front)]
