"""From a trained head to laws of the latents: prune and refine the head, search beside it, judge, tie coefficients."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from sklearn_eql.encoder.tied_coefficients import Ties, find_ties, refit
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.finishing import as_law, finish, readable, rerank
from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.law import front_with as laws_with
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.search.evolution import EvolutionSettings, evolve
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.description_length import is_unsurprising
from sklearn_eql.sparse.elimination import defined_part, eliminate_networks, supported_part
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure
from sklearn_eql.stopping import Deadline, StopReason
from sklearn_eql.symbolic.canonical import canonicalize, free_mask, rescale, structure_key
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.tidy import tidy

_SEARCH_ROWS = 400  # on which laws are searched for; they are reranked and finished on more
_N_STARTS = 32  # structures left of the head that the search starts from
_N_RERANKED, _N_FINISHED = 48, 12  # members by score, beside the front
_POPULATION, _PATIENCE = 128, 4  # of the evolution, which starts near; not tuned
_ABSORBED_RISE = 1.02  # a rise of the loss that the encoder takes up when it is trained on


@dataclass(frozen=True)
class LatentSearch:
    """What laws of latents may be made of, and how long they are searched for."""

    units: tuple[Primitive, ...]
    n_hidden_layers: int
    n_generations: int

    @property
    def primitives(self) -> dict[str, Primitive]:
        """The vocabulary: built-in functions and the user's."""
        return {**PRIMITIVES, **{p.name: p for p in self.units}}


def scaled_back(equation: Equation, center: float, half: float, primitives: Mapping[str, Primitive]) -> Equation:
    """An equation of ``(y - center) / half`` as one of y."""
    output = dict(equation.output)
    output = {s: c * half for s, c in output.items()}
    output[0] = output.get(0, 0.0) + center
    return canonicalize(Equation(equation.n_features, equation.units, tuple(sorted(output.items()))), primitives)


def find_laws(
    head: Equation,
    latents: np.ndarray,
    y: np.ndarray,
    search: LatentSearch,
    seed: int,
    deadline: float,
    flag: str | None = None,
) -> tuple[list[Law], bool]:
    """The front of accuracy and complexity on the latents, by complexity, and whether Ctrl-C cut the search short.

    Parameters
    ----------
    head : Equation
        Law of the trained head, in units of `y`.
    latents : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
    deadline, flag : float and str or None
        As of :class:`~sklearn_eql.stopping.Deadline`.
    """
    primitives = search.primitives
    scaling = Scaling.of(latents, y)
    counts = dict(Counter(p.name for p in search.units))
    problem = make_problem(
        latents,
        y,
        None,
        scaling,
        primitives=primitives,
        copies=counts,
        max_depth=search.n_hidden_layers,
        max_rows=_SEARCH_ROWS,
        seed=seed,
    )
    table = Table(latents, y, None, scaling, primitives, seed)
    scaled = rescale(defined_part(head, replace(problem, X=table.X)), 1 / scaling.x, 1 / scaling.y, primitives)
    structure = Structure.from_equation(scaled, free_mask(scaled, primitives))
    archive = Archive(len(problem.y), problem.exact)
    until = Deadline(deadline, flag)
    eliminate_networks([supported_part(structure, problem)], problem, archive, until)
    starts = [member.structure for member in archive.ranked()[:_N_STARTS]]
    if "mul" in counts:
        starts += products(latents.shape[1])
    settings = EvolutionSettings(_POPULATION, search.n_generations, _PATIENCE)
    evolved = evolve(problem, seed, settings, seeds=starts, archive=archive, deadline=until)
    interrupted = evolved.stop_reason == StopReason.INTERRUPTED
    deadline = 0.0 if interrupted else deadline  # what there is already
    merged = rerank(evolved.archive, table, _N_RERANKED, deadline)
    chosen = [r for r in [*merged.ranked()[:_N_FINISHED], *merged.front()] if r.structure.size <= settings.max_size]
    laws, stopped = finish({r.structure.key: r for r in chosen}.values(), table, deadline)
    # Heads are trained with one coefficient per degree of freedom; how laws are printed comes after that.
    laws = [replace(law, equation=canonicalize(law.equation, primitives)) for law in laws]
    if "mul" in counts:
        laws = _with_product(laws, table)
    return laws, stopped or interrupted


def _with_product(laws: list[Law], table: Table) -> list[Law]:
    """The laws and the best product of two latents, which bent latents keep off the front, and encoders can unbend."""
    known = {structure_key(law.equation, table.primitives) for law in laws}
    found = []
    for structure in products(table.X.shape[1]):
        equation = rescale(structure.to_equation(), table.scaling.x, table.scaling.y, table.primitives)
        equation, loss = table.refit(equation, free_mask(equation, table.primitives))
        law = as_law(equation, loss, 0, table)
        if law is not None and structure_key(law.equation, table.primitives) not in known:
            found.append(law)
    best = min(found, key=lambda law: law.relative_loss, default=None)
    return laws if best is None else sorted([*laws, best], key=lambda law: law.complexity)


def law_of_head(head: Equation, latents: np.ndarray, y: np.ndarray, search: LatentSearch) -> Law | None:
    """What the head computes, refitted; None where that is undefined on a sample."""
    primitives = search.primitives
    table = Table(latents, y, None, Scaling.of(latents, y), primitives, 0)
    equation = canonicalize(head, primitives)
    equation, loss = table.refit(equation, free_mask(equation, primitives))
    return as_law(equation, loss, 0, table) if math.isfinite(loss) else None


def products(n_features: int) -> list[Structure]:
    """``k * (z_i + a) * (z_j + b)`` for all pairs: what a product looks like when latents are centred."""
    found = []
    for i, j in combinations(range(1, n_features + 1), 2):
        for sign in (1.0, -1.0):
            args = tuple(((0, sign, True), (source, 1.0, False)) for source in (i, j))
            found.append(Structure(n_features, (SparseUnit("mul", args),), ((n_features + 1, 1.0, True),)))
    return found


def variables(equation: Equation) -> set[int]:
    """Features that the law reads, from 0."""
    forms = [arg for unit in equation.units for arg in unit.args] + [equation.output]
    return {s - 1 for form in forms for s, c in form if c != 0 and 1 <= s <= equation.n_features}


def symmetric(
    equation: Equation,
    latents: np.ndarray,
    y: np.ndarray,
    primitives: Mapping[str, Primitive],
    known: Ties | None = None,
    delta: float | None = None,
) -> Ties:
    """Ties of the coefficients, judged on the latents, beside those that are `known`; `delta` as in `ties.refit`."""

    def accept(old: float, new: float, n_ties: int) -> bool:
        return new <= _ABSORBED_RISE * old or is_unsurprising(old, new, len(y), n_ties)

    return find_ties(
        equation,
        lambda ties: refit(ties.applied(equation), ties, latents, y, primitives, delta=delta)[1],
        accept,
        known or Ties.none(equation, primitives),
    )


def polished(
    equation: Equation,
    ties: Ties,
    latents: np.ndarray,
    y: np.ndarray,
    primitives: Mapping[str, Primitive],
    delta: float | None = None,
) -> Equation:
    """The law at its best coefficients on the latents, constants recognised where the errors allow."""

    def again(candidate: Equation, free: np.ndarray) -> tuple[Equation, float]:
        # A constant put to one of tied coefficients breaks the tie; such attempts are refused.
        if not np.allclose(ties.applied(candidate).coefficients(), candidate.coefficients(), rtol=1e-12):
            return candidate, math.inf
        return refit(candidate, ties, latents, y, primitives, free, delta)[:2]

    best, loss, errors = refit(ties.applied(equation), ties, latents, y, primitives, delta=delta)
    if not math.isfinite(loss):
        return equation
    accept = lambda old, new, n_fixed: is_unsurprising(old, new, len(y), n_fixed)  # noqa: E731
    return tidy(best, loss, again, accept, primitives, errors)[0]


def front_with(
    chosen: Equation, others: Sequence[Law], latents: np.ndarray, y: np.ndarray, primitives: Mapping[str, Primitive]
) -> tuple[list[Law], int]:
    """All laws refitted on the final latents: those on the front, and the chosen one; by complexity.

    Returns
    -------
    laws : list of Law
    best : int
        Position of the chosen one.
    """
    table = Table(latents, y, None, Scaling.of(latents, y), primitives, 0)

    key, trial, found = structure_key(chosen, primitives), 0, []
    for law in others:
        if structure_key(law.equation, primitives) == key:
            trial = law.trial
            continue
        equation, loss = table.refit(law.equation, free_mask(law.equation, primitives))
        if math.isfinite(loss):
            with np.errstate(over="ignore", invalid="ignore"):  # spellings that overflow are no candidates
                found.append(as_law(*readable(equation, loss, table), law.trial, table))
    unit = table.scaling.y
    residual = chosen.evaluate(latents, primitives) / unit - y / unit
    relative = float(np.mean(residual**2)) / table.variance
    with np.errstate(over="ignore", invalid="ignore"):
        best = as_law(*readable(chosen, relative, table), trial, table)
    if best is None:
        raise AllTrialsFailedError(
            f"The law that was found is not finite in units of y, whose values reach {np.abs(y).max():.3g}. Divide y "
            "by a power of ten, so that the coefficients of the law fit float64 as well."
        )
    laws = laws_with(best, [law for law in found if law is not None])
    return laws, next(i for i, law in enumerate(laws) if law is best)
