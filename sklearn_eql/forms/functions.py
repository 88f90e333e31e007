"""Laws for one unknown function: the ordinary search, on what the form leaves for the function to explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy

from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.forms.form import Form, symbol
from sklearn_eql.forms.smooth import SmoothFit
from sklearn_eql.laws.law import Law
from sklearn_eql.parametric.law import ParametricLaw, naming
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.islands import search
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.symbolic.canonical import free_mask
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_sympy

_N_CANDIDATES = 4
_N_OF_SMOOTH = 8  # the same of targets that are values of smooth functions
_GENERATIONS, _PATIENCE = 15, 5  # of each search, at most
_LEAST_WEIGHT = 1e-6  # relative; rows on which the function hardly matters say nothing of it
_ALMOST_EXACT = 1e-4  # relative error of targets below which it is that of the smooth functions, not noise

# Relative errors of targets to which a law is exact: of those without noise, and of smooth values of noisy rows, where
# candidates of the whole front are told apart later, by the rows themselves.
_EXACT_ERRORS, _SMOOTH_ERRORS = 4.0, 0.3


@dataclass(frozen=True)
class Candidate:
    """A law for an unknown function.

    Parameters
    ----------
    name : str
        Of the function.
    law : ParametricLaw
        Over its arguments, then constants; recognised numbers are no constants.
    values : ndarray (n_constants,)
    function : Lambda
        The same, of real symbols.
    length : float
        Description length, on the rows of the search.
    """

    name: str
    law: ParametricLaw
    values: np.ndarray
    function: sympy.Lambda
    length: float

    @classmethod
    def of(
        cls, name: str, equation: Equation, variables: Sequence[sympy.Symbol], primitives, length: float, loose=False
    ) -> Candidate:
        """An equation over the arguments; with `loose`, recognised numbers are constants, too."""
        known = [not loose and recognise(c) is not None for c in equation.coefficients()]
        mask = free_mask(equation, primitives) & ~np.array(known, dtype=bool)
        law, values = naming(equation, mask)
        law = replace(law, names=tuple(f"{name}.{k}" for k in range(len(values))))
        names = [*(v.name for v in variables), *law.names]
        expr = to_sympy(law.equation, names, primitives)
        expr = expr.xreplace({s: symbol(s.name) for s in expr.free_symbols})
        return cls(name, law, values, sympy.Lambda(tuple(variables), expr), length)

    def with_values(self, values: Sequence[float], primitives: dict[str, Primitive]) -> Equation:
        """The equation over the arguments, with these constants."""
        return self.law.with_values(values, primitives)


def candidates(
    form: Form, name: str, smooth: SmoothFit, weight: np.ndarray, settings: SearchSettings, seed: int, deadline: float
) -> list[Candidate]:
    """Laws for the function `name`, the shortest description first.

    Where the function stands once, and not as a derivative, its targets are what rows say of it with all else as it
    is: the smooth function and the residual over the slope, the square of which is the weight. Otherwise they are the
    values of the smooth function at all of its places.

    Parameters
    ----------
    smooth : SmoothFit
    weight : ndarray (N,)
        Of the rows.
    """
    places = [j for j, place in enumerate(form.occurrences) if place.function == name]
    alone = len(places) == 1 and not any(form.occurrences[places[0]].orders)
    points = np.concatenate([smooth.points[j] for j in places])
    targets = np.concatenate([smooth.values[j] for j in places])
    errors = np.concatenate([smooth.errors[j] for j in places])
    share = np.concatenate([weight] * len(places))
    if alone:
        slope = smooth.slopes[places[0]]
        share = share * slope**2
        kept = share > _LEAST_WEIGHT * share.max()
        points, targets, errors, share = points[kept], targets[kept], errors[kept], share[kept]
        left = smooth.left[kept] / slope[kept]
        targets, errors = targets + left, np.hypot(errors, left)
    spread = float(np.std(targets))
    relative = float(np.sqrt(np.average(errors**2, weights=share))) / spread if spread > 0 else 0.0
    exact = relative < _ALMOST_EXACT
    if not (spread > 1e-12 * float(np.abs(targets).max())):
        equation = Equation(points.shape[1], (), ((0, float(targets.mean())),))
        return [Candidate.of(name, equation, form.variables(name), settings.primitives, 0.0)]
    known_to = _EXACT_ERRORS * relative if exact else 0.0 if alone else _SMOOTH_ERRORS * relative
    brief = replace(
        settings,
        evolution=replace(
            settings.evolution,
            n_generations=min(_GENERATIONS, settings.evolution.n_generations),
            patience=min(_PATIENCE, settings.evolution.patience),
        ),
        n_islands=1,
        n_jobs=None,
        watched=None,
        proposals=None,
        admission=None,
        demands=None,
        units=None,
        resolution=max(settings.resolution, known_to),
    )
    try:
        result = search(points, targets, share / share.max(), brief, (), seed, deadline)
    except AllTrialsFailedError:
        return []

    # Values of a smooth function err together: they say as much as its constants do.
    n_told = result.n_rows if alone or exact else min(result.n_rows, smooth.n_free)

    def length(law: Law) -> float:
        return law.description_length(n_told)

    ranked = sorted(result.front, key=length)[: _N_CANDIDATES if alone else _N_OF_SMOOTH]
    variables = form.variables(name)
    return [Candidate.of(name, law.equation, variables, settings.primitives, length(law)) for law in ranked]
