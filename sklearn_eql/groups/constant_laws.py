"""Own constants that are themselves a law of what is known of a group: its number, such as a time, or its features.

The second stage of a fit: for each own constant the ordinary search, on one row per group and weighted by its standard
errors. The law with that in place of the constant is then fitted to all rows, and kept where that is described more
shortly: a few constants in place of one for each group (Zhang et al. 2022, arXiv:2207.00529, let coefficients vary
along an axis within one network).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.groups.fitted_form import Rows, refitted
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.parametric.errors import covariance
from sklearn_eql.parametric.law import ParametricLaw, naming
from sklearn_eql.primitives import Primitive
from sklearn_eql.search.islands import search
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, free_mask
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.symbolic.frames import reframed
from sklearn_eql.uncertainty.curvature import derivatives

FEWEST = 8  # groups that tell a law of their value
_N_LAWS = 4  # of each constant, of shortest description, that are fitted to all rows
_GENERATIONS, _FAMILIES = 4, 17  # of the search for the law of a constant: one variable, a few rows


def with_laws_of_groups(
    law: GroupLaw, rows: Rows, values: np.ndarray, settings: SearchSettings, seed: int, deadline: float
) -> GroupLaw:
    """The law with laws of the group in place of own constants, where these shorten the description.

    Parameters
    ----------
    law : GroupLaw
    rows : Rows
        Without a frame.
    values : ndarray (G, F)
        Numbers of the groups, or their features.
    """
    for k in range(law.n_own):
        if time.time() > deadline:
            break
        law = _with_law(law, k, rows, values, settings, seed, deadline)
    return law


def _with_law(
    law: GroupLaw, k: int, rows: Rows, values: np.ndarray, settings: SearchSettings, seed: int, deadline: float
) -> GroupLaw:
    best = law
    for form in _forms(law, k, values, settings, seed, deadline):
        if time.time() > deadline:
            break
        tried = _fitted(law, k, form, rows, values)
        if tried is not None and tried.description_length(rows.n_rows) < best.description_length(rows.n_rows):
            best = tried
    return best


def _forms(
    law: GroupLaw, k: int, values: np.ndarray, settings: SearchSettings, seed: int, deadline: float
) -> list[Equation]:
    """Laws of one constant, the shortest first."""
    target, errors = law.own[:, k], law.own_errors[:, k]
    known = np.isfinite(errors) & np.isfinite(target)
    if known.sum() < FEWEST or np.ptp(target[known]) <= 1e-12 * np.abs(target[known]).max():
        return []
    floor = 1e-12 * float(np.abs(target[known]).max())
    least = max(float(np.median(errors[known])) / 10, floor)  # a group that is known very well is not all that counts
    weight = 1 / np.maximum(errors[known], least) ** 2
    brief = replace(
        settings,
        evolution=replace(settings.evolution, n_generations=min(_GENERATIONS, settings.evolution.n_generations)),
        n_families=_FAMILIES if settings.n_families is None else min(_FAMILIES, settings.n_families),
        proposals=None,
        admission=None,
        demands=None,
        watched=None,
        n_islands=1,
    )
    until = time.time() + (deadline - time.time()) / (2 * law.n_own) if math.isfinite(deadline) else math.inf
    try:
        found = search(values[known], target[known], weight / weight.max(), brief, [], seed, until)
    except AllTrialsFailedError:
        return []
    ranked = sorted(found.front, key=lambda other: other.description_length(found.n_rows))
    equations = [reframed(other.equation, None, settings.primitives) for other in ranked[:_N_LAWS]]
    return [equation for equation in equations if equation is not None]


def _fitted(law: GroupLaw, k: int, form: Equation, rows: Rows, values: np.ndarray) -> GroupLaw | None:
    """The law with a form in place of constant `k`, all constants fitted to all rows together."""
    primitives = rows.primitives
    outer, numbers = numbers_of_law(law.equation, primitives)
    forms = [form if i == k else other for i, other in enumerate(law.laws)]
    inner = [None if f is None else numbers_of_law(f, primitives) for f in forms]
    composed = _composed(outer, law.n_own, inner, values.shape[1])
    left = [i for i, f in enumerate(inner) if f is None]
    shared = np.concatenate([numbers, *(f[1] for f in inner if f is not None)])
    X = np.concatenate([rows.grouped.X, values[rows.grouped.groups]], axis=1)
    given = replace(rows, grouped=replace(rows.grouped, X=X))
    with np.errstate(all="ignore"):
        found = refitted(composed, shared, law.own[:, left], given)
        if not math.isfinite(found.fit.squared_error):
            return None
        own, errors = law.own.copy(), law.own_errors.copy()
        known = covariance(composed, given.grouped, found.fit, primitives)
        own[:, left], errors[:, left] = found.fit.own, known.own_errors
        place, laws = len(numbers), list(forms)
        for i, f in enumerate(inner):
            if f is not None:
                its = slice(place, place + len(f[1]))
                laws[i] = f[0].with_values(found.fit.shared[its], primitives)
                at, slopes = derivatives(f[0], found.fit.shared[its], values, primitives)
                own[:, i] = at
                errors[:, i] = np.sqrt(np.maximum(((slopes @ known.shared[its, its]) * slopes).sum(axis=1), 0.0))
                place = its.stop
        if not (np.isfinite(own).all() and all(np.isfinite(h.coefficients()).all() for h in laws if h is not None)):
            return None
        equation = outer.holding(dict(enumerate(found.fit.shared[: len(numbers)].tolist()))).equation
    relative = found.fit.squared_error / float(rows.grouped.weight.sum()) / rows.variance
    added = [h for h in laws if h is not None]
    before = [h for h in law.laws if h is not None]
    return replace(
        law,
        equation=equation,
        loss=law.loss * relative / law.relative_loss if law.relative_loss else relative * rows.variance,
        relative_loss=relative,
        complexity=law.complexity + _total(_complexity, added, rows) - _total(_complexity, before, rows),
        n_free=len(shared),
        n_symbols=law.n_symbols + _total(_symbols, added, rows) - _total(_symbols, before, rows),
        own=own,
        own_errors=errors,
        laws=tuple(laws),
    )


def numbers_of_law(equation: Equation, primitives: Mapping[str, Primitive]) -> tuple[ParametricLaw, np.ndarray]:
    """The law with constants in place of coefficients that are no recognised numbers, and their values."""
    known = np.array([recognise(value) is not None for value in equation.coefficients()], dtype=bool)
    return naming(equation, free_mask(equation, primitives) & ~known)


def _composed(
    outer: ParametricLaw, n_own: int, inner: Sequence[tuple[ParametricLaw, np.ndarray] | None], n_values: int
) -> ParametricLaw:
    """The law of features, then numbers of the group, own constants that are left, and all other constants.

    Parameters
    ----------
    outer : ParametricLaw
        Of features, then `n_own` own constants.
    inner : sequence of (ParametricLaw, values) or None
        Of the numbers of the group, for each own constant; None where it has no law.
    n_values : int
        Numbers of a group.
    """
    n_features = outer.n_features - n_own
    left = [i for i, f in enumerate(inner) if f is None]
    counts = [0 if f is None else len(f[1]) for f in inner]
    first_shared = n_features + 1 + n_values + len(left)
    n_columns = n_features + n_values + len(left) + len(outer.names) + sum(counts)
    units: list[Unit] = []
    number: dict[int, Affine] = {s: ((s, 1.0),) for s in range(n_features + 1)}  # sources of `outer`, in new ones
    number |= {outer.n_features + 1 + i: ((first_shared + i, 1.0),) for i in range(len(outer.names))}
    place = first_shared + len(outer.names)
    for i, f in enumerate(inner):
        source = n_features + 1 + i
        if f is None:
            number[source] = ((n_features + 1 + n_values + left.index(i), 1.0),)
            continue
        its: dict[int, Affine] = {0: ((0, 1.0),)}
        its |= {1 + j: ((n_features + 1 + j, 1.0),) for j in range(n_values)}
        its |= {1 + n_values + j: ((place + j, 1.0),) for j in range(counts[i])}
        number[source] = _appended(f[0].equation, its, units, n_columns)
        place += counts[i]
    output = _appended(outer.equation, number, units, n_columns)
    own = (True,) * len(left) + (False,) * (n_columns - n_features - n_values - len(left))
    equation = Equation(n_columns, tuple(units), output)
    return ParametricLaw(equation, tuple(f"c{i}" for i in range(len(own))), own)


def _appended(equation: Equation, number: dict[int, Affine], units: list[Unit], n_columns: int) -> Affine:
    """Add the units of an equation, its sources written in new ones; its output in these."""

    def replaced(form: Affine) -> Affine:
        total: dict[int, float] = {}
        for source, c in form:
            for place, factor in number[source]:
                total[place] = total.get(place, 0.0) + c * factor
        return tuple(sorted(total.items()))

    for i, unit in enumerate(equation.units):
        units.append(Unit(unit.primitive, tuple(map(replaced, unit.args))))
        number[equation.n_features + 1 + i] = ((n_columns + len(units), 1.0),)
    return replaced(equation.output)


def _total(count, equations: Sequence[Equation], rows: Rows) -> float:
    return sum(count(equation, rows.primitives) for equation in equations)


def _complexity(equation: Equation, primitives) -> int:
    return equation_complexity(equation, primitives)


def _symbols(equation: Equation, primitives) -> float:
    canonical = canonicalize(equation, primitives)
    return Structure.from_equation(canonical, free_mask(canonical, primitives)).n_symbols
