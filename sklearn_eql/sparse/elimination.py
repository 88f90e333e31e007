"""Backward elimination: laws and networks without the terms that their rows do not support.

Three uses of one idea. `eliminate` takes many terms from one fitted law at once, by the quadratic model at its
optimum; `eliminate_networks` does so to many dense networks in step, a share of their terms per round; `simplify`
refits the best laws of an archive with each of their terms left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.description_length import description_length, is_shorter
from sklearn_eql.sparse.editing import smaller, without_terms
from sklearn_eql.sparse.in_step import Work, in_step
from sklearn_eql.sparse.levenberg_marquardt import FitResult, joint_curvature, residual_jacobian
from sklearn_eql.sparse.printed_complexity import printed_at_best
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.round_exponents import with_round_exponents_fixed
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.sparse.two_stages import fit_in_two_stages
from sklearn_eql.stopping import NEVER, Deadline
from sklearn_eql.symbolic.equation import Affine, Equation, Unit

_FIRST_STEPS, _FURTHER_STEPS, NETWORK_STEPS = 4, 12, 8  # of Levenberg-Marquardt
_TRACE_LOSS = (
    1e-12  # mean squared error, relative to the variance: what an exact law owes to coefficients not yet converged
)
_WIDTH, _EXACT_WIDTH = 16, 2  # laws simplified at a time; where they are exact, nothing else can win
_SHARE_PER_ROUND = 0.1  # of the terms of a network, removed in one round (at least one)
_DEPENDENT = 1e-14  # of the length of a column, rounding: what is left of one that depends on the others
_RIDGE = 1e-9  # of the diagonal: dense networks have more coefficients than their rows tell apart
_HOPELESS_LOSS = 0.9  # relative loss from which a network is not pruned further


def eliminate(result: FitResult, problem: Problem) -> FitResult:
    """The law without the terms that its rows do not support; see `eliminating`."""
    return in_step([eliminating(result, problem)], problem)[0]


def eliminating(result: FitResult, problem: Problem) -> Work:
    """The law without the terms that its rows do not support, in step with others.

    Terms are removed one by one on the quadratic model around the optimum, the least salient first, all others adapting
    (the optimal brain surgeon of Hassibi and Stork, 1993, without a refit in between). The number that gives the
    shortest description is removed at once and the rest refitted; where the refit contradicts the model, half as many.
    """
    best = result
    while True:
        structure = best.structure
        order, rises = _elimination(structure, problem)
        level = best.loss if best.loss > problem.exact else max(problem.exact, _TRACE_LOSS * problem.variance)
        count = _shortest(rises, level, len(problem.y), structure.n_free)
        while count:
            places = _free_places(structure)
            child = without_terms(structure, [places[k] for k in order[:count]], problem.primitives)
            child = None if child is None else with_round_exponents_fixed(child)
            fitted = (yield child) if child is not None else None
            if fitted is not None:
                n_free = (structure.n_free, fitted.structure.n_free)
                if is_shorter(best.loss, fitted.loss, len(problem.y), problem.exact, n_free, n_free[0] - n_free[1]):
                    best = fitted
                    break
            count //= 2
        else:
            return best


def shortened(structure: Structure, problem: Problem) -> FitResult | None:
    """The law without its least salient terms, so many that it may be printed as short as is asked; None if it cannot.

    Where no number of these is enough, the best of its terms alone. See `printed_at_best`.
    """
    most = None if problem.behaviour is None else problem.behaviour.max_complexity
    if most is None or not structure.n_free:
        return None
    order, _ = _elimination(structure, problem)
    places = _free_places(structure)

    def without(removed: Sequence[int]) -> Structure | None:
        child = without_terms(structure, [places[k] for k in removed], problem.primitives)
        if child is None or printed_at_best(child, most, problem.behaviour.units, problem.primitives) > most:
            return None
        return child

    fewer = (without(order[:count]) for count in range(1, len(order)))
    children = [child for child in fewer if child is not None][:1]
    if not children:
        alone = (without([other for other in order if other != k]) for k in order)
        children = [child for child in alone if child is not None]
    return min(problem.fit(children, _FURTHER_STEPS), key=lambda found: found.loss, default=None)


def _free_places(structure: Structure) -> list[tuple[int, int]]:
    return [(f, i) for f, form in enumerate(structure.forms()) for i, (_, _, free) in enumerate(form) if free]


def _elimination(structure: Structure, problem: Problem) -> tuple[list[int], np.ndarray]:
    """Free coefficients in the order in which they go, and the mean squared error that is added by then, each (P,)."""
    values, jac, _ = residual_jacobian(structure, problem.primitives, problem.X, problem.y, problem.sample_weight)
    left = list(range(len(values)))
    order: list[int] = []
    rises: list[float] = []
    total = 0.0
    with np.errstate(over="ignore"):  # terms of 1e160 have no square
        scale = np.linalg.norm(jac, axis=1)
    scale = np.where((scale > 0) & np.isfinite(scale), scale, 1.0)
    columns = np.nan_to_num(jac / scale[:, None])
    weights = values * scale
    while left:
        # Rows of R**-1 have the norms of the roots of [(J'J)**-1]_kk, without squaring the condition number.
        r = np.linalg.qr(columns[left].T, mode="r")
        diagonal = np.abs(np.diag(r))
        r[np.diag_indices_from(r)] += np.where(diagonal < _DEPENDENT, _DEPENDENT, 0.0)
        inverse = np.linalg.solve(r, np.eye(len(r)))
        norms = np.linalg.norm(inverse, axis=1)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # columns of zeros and of infinities
            saliency = np.nan_to_num((weights[left] / norms) ** 2, nan=0.0)
            k = int(np.argmin(saliency))
            total += float(saliency[k])
            weights[left] -= np.nan_to_num(inverse @ inverse[k] * weights[left[k]] / norms[k] ** 2)
        order.append(left.pop(k))
        rises.append(total / len(problem.y))
    return order, np.array(rises)


def _shortest(rises: np.ndarray, loss: float, n_rows: int, n_free: int) -> int:
    """How many terms to remove for the shortest description of data and law."""
    losses = np.nan_to_num(loss + np.array([0.0, *rises]), nan=np.inf).tolist()
    lengths = [description_length(left, n_rows, n_free - k, -k) for k, left in enumerate(losses)]
    return int(np.argmin(lengths))


def simplify(archive: Archive, problem: Problem, max_size: int, deadline: Deadline) -> None:
    """Backward elimination from the best members: fit every structure with one term less, again and again.

    Adds what it finds to the archive. Each round is one batch; there are at most `max_size` of them.
    """
    done: set[tuple] = set()
    known: set[tuple] = set()  # children of former rounds, whoever their parents were
    width = _WIDTH
    for _ in range(max_size):
        ranked = archive.ranked()
        if ranked and ranked[0].loss < problem.exact:
            width = _EXACT_WIDTH
        parents = [r for r in ranked[:width] if r.structure.key not in done]
        if not parents or deadline.passed:
            return
        children: list[Structure] = []
        for parent in parents:
            done.add(parent.structure.key)
            for child in smaller(parent.structure, problem.primitives):
                if child.key not in known:
                    known.add(child.key)
                    children.append(child)
        archive.add(fit_in_two_stages(children, problem, _FIRST_STEPS, _FURTHER_STEPS))


def defined_part(equation: Equation, problem: Problem) -> Equation:
    """The equation without units that are undefined on some row.

    Training clamps arguments into the domains of functions; the equation does not.
    """
    first = 1 + equation.n_features
    while True:
        values = equation.sources(problem.X, problem.primitives)
        broken = {s for s in range(first, len(values)) if not np.isfinite(values[s]).all()}
        if not broken:
            return equation
        lowest = min(broken)  # those that read it may become finite without it

        def strip(form: Affine, lowest: int = lowest) -> Affine:
            return tuple((s, c) for s, c in form if s != lowest)

        units = list(equation.units)
        units[lowest - first] = Unit("const", ())
        units = [Unit(u.primitive, tuple(strip(arg) or ((0, 1.0),) for arg in u.args)) for u in units]
        equation = Equation(equation.n_features, tuple(units), strip(equation.output))


def supported_part(structure: Structure, problem: Problem) -> Structure:
    """The structure without its smallest coefficients, as many as the rows cannot support."""
    while structure.n_free > problem.max_free:
        terms = [
            (abs(c), (f, i)) for f, form in enumerate(structure.forms()) for i, (_, c, free) in enumerate(form) if free
        ]
        smallest = sorted(terms)[: structure.n_free - problem.max_free]
        thinner = without_terms(structure, [place for _, place in smallest], problem.primitives)
        if thinner is None:
            return Structure(structure.n_features, (), ((0, 0.0, True),))
        structure = thinner
    return structure


def eliminate_networks(
    structures: Sequence[Structure], problem: Problem, archive: Archive, deadline: Deadline = NEVER
) -> None:
    """Backward elimination of all networks at once, each by its own least salient terms.

    A round refits every network and removes the terms that, by the quadratic model at the optimum, raise its loss least
    when all other coefficients adapt: ``w**2 / [H**-1]_ww`` (Hassibi and Stork 1993, the optimal brain surgeon). Every
    stage goes to the archive.
    """
    alive = list(structures)
    while alive:
        fitted = [r for r in problem.of_parts.fit(alive, NETWORK_STEPS) if r.loss < _HOPELESS_LOSS]
        archive.add(r for r in fitted if problem.considers(r.form))
        if deadline.passed:
            return
        alive = []
        for result in fitted:
            places = _least_salient(result.structure, problem, max(1, int(_SHARE_PER_ROUND * result.structure.n_free)))
            child = without_terms(result.structure, places, problem.primitives) if places else None
            if child is not None and child.size > 1:
                alive.append(child)


def _least_salient(structure: Structure, problem: Problem, count: int) -> list[tuple[int, int]]:
    """Form and position of the `count` free terms of least saliency; none where the quadratic model is not finite."""
    values, matrix, _ = joint_curvature([structure], problem.primitives, problem.X, problem.y, problem.sample_weight)[0]
    if not np.isfinite(matrix).all():
        return []
    scale = np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    normal = matrix / np.outer(scale, scale) + _RIDGE * np.eye(len(values))
    saliency = (values * scale) ** 2 / np.diag(np.linalg.inv(normal))
    places = _free_places(structure)
    return [places[k] for k in np.argsort(saliency)[:count]]
