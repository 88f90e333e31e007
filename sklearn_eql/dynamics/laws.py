"""From terms and coefficients to laws in the user's units: equations, simple constants, a front per state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sklearn_eql.dynamics.latent_coordinates import transformed
from sklearn_eql.dynamics.library import Term
from sklearn_eql.dynamics.motion import Motion
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.finishing import as_law, finish
from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.law import Law
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.search.evolution import EvolutionSettings
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.elimination import simplify
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.stopping import Deadline
from sklearn_eql.symbolic.canonical import canonicalize, free_mask, rescale
from sklearn_eql.symbolic.equation import Affine, Equation, Unit

_SEARCH_ROWS = 500  # on which shorter laws are fitted
_N_FINISHED = 12  # laws by score, beside the front, whose constants are looked at; not tuned
_CONSTANT = 1e-12  # spread of a left-hand side, relative to its size, that is rounding


def vocabulary(primitives: Mapping[str, Primitive]) -> dict[str, Primitive]:
    """The functions that laws of motion are written in: built-in ones, and those that the user brought along."""
    return {**PRIMITIVES, **primitives}


def with_simple_latents(motion: Motion, dt: float, is_update: bool) -> Motion:
    """Latents scaled so that the coefficient by which each matters most is 1, or the time step for updates.

    Latents of one sign become positive; others get a positive coefficient there.
    """
    law, powers = motion.law, motion.problem.powers
    mix = np.eye(law.latents.shape[1])
    for latent in range(len(mix)):
        linear = int(np.flatnonzero((powers == np.eye(len(mix), dtype=int)[latent]).all(axis=1))[0])
        # Terms have unit size here, and so have the left-hand sides: the largest coefficient matters most.
        e, b = np.unravel_index(np.argmax(np.abs(law.coefficients[:, :, linear])), law.coefficients.shape[:2])
        value = motion.coefficients()[e, b, linear]
        if value != 0:
            z = law.latents[:, latent]
            sign = np.sign(np.mean(z)) if np.ptp(np.sign(z)) == 0 else np.sign(value)
            mix[latent, latent] = sign * abs(value) / (dt if is_update else 1.0)
    return replace(motion, law=transformed(motion.problem, law, mix, np.zeros(len(mix))))


def to_equations(motion: Motion, primitives: Mapping[str, Primitive]) -> list[Equation]:
    """One equation per state over the features (states, latents), in the user's units."""
    n_states = motion.problem.target.shape[2]
    coefficients = motion.coefficients()
    found = []
    for e in range(n_states):
        places = np.argwhere(motion.law.active[e] & (coefficients[e] != 0))
        chosen = [(motion.terms[b], motion.problem.powers[m], coefficients[e, b, m]) for b, m in places]
        found.append(canonicalize(_equation(chosen, n_states, motion.problem.powers.shape[1]), primitives))
    return found


def _equation(chosen: list[tuple[Term, np.ndarray, float]], n_states: int, n_latents: int) -> Equation:
    units: dict[Unit, int] = {}
    n_features = n_states + n_latents

    def unit(name: str, *sources: int) -> int:
        new = Unit(name, tuple(((source, 1.0),) for source in sources))
        return units.setdefault(new, 1 + n_features + len(units))

    def power(source: int, exponent: int) -> int:
        if exponent == 1:
            return source
        if exponent < 0:
            return unit("inv", power(source, -exponent))
        if exponent in (2, 3):
            return unit("square" if exponent == 2 else "cube", source)
        return unit("mul", power(source, exponent - 3), power(source, 3))

    output: dict[int, float] = {}
    for term, latent_powers, coefficient in chosen:
        factors = [power(1 + j, p) for j, p in enumerate(term.powers) if p]
        factors += [power(1 + n_states + j, int(p)) for j, p in enumerate(latent_powers) if p]
        if term.function is not None:
            factors.append(unit(term.function[0], 1 + term.function[1]))
        product = factors[0] if factors else 0
        for factor in factors[1:]:
            product = unit("mul", *sorted((product, factor)))
        output[product] = output.get(product, 0.0) + float(coefficient)
    return Equation(n_features, tuple(units), _affine(output))


def _affine(form: Mapping[int, float]) -> Affine:
    return tuple(sorted(form.items()))


def no_finite_law(state: int) -> AllTrialsFailedError:
    """The error for a law that is not finite on the series."""
    return AllTrialsFailedError(
        f"No law of state {state} is finite on all series of X and Y. Give states in units in which they are of "
        "similar size, leave out series with extreme values, or allow other functions."
    )


def fronts(
    motion: Motion, states: np.ndarray, primitives: Mapping[str, Primitive], seed: int, deadline: float
) -> tuple[list[list[Law]], bool]:
    """Per state, the law and shorter ones, constants recognised, at its latents; ``states`` (N, K + 1, S)."""
    n_steps = states.shape[1] - 1
    latents = np.repeat(motion.law.latents[:, None], n_steps, axis=1)
    X = np.concatenate([states[:, :-1], latents], axis=2).reshape(len(states) * n_steps, -1)
    found, interrupted = [], False
    for e, equation in enumerate(to_equations(motion, primitives)):
        y = (motion.problem.target[:, :, e] * motion.unit[e]).ravel()
        if np.std(y) < _CONSTANT * np.abs(y).max():  # constant but for rounding, which is no variance to explain
            y = np.full_like(y, np.mean(y))
        top, spread = np.abs(y).max() or 1.0, np.std(y) or 1.0
        # A state that moves less than rounding tells nothing: no resolution is worse than one.
        resolution = min(1.0, np.sqrt(motion.problem.floor[e]) * motion.unit[e] / top)
        scaling = Scaling.of(X, y, True, resolution)
        scaling = replace(scaling, exact=max(scaling.exact, motion.problem.floor[e] * (motion.unit[e] / spread) ** 2))
        table = Table(X, y, None, scaling, primitives, seed)
        problem = make_problem(
            X,
            y,
            None,
            scaling,
            primitives=primitives,
            copies=dict.fromkeys(primitives, 1),
            max_depth=0,  # terms are taken away only, no units are added
            max_rows=_SEARCH_ROWS,
            seed=seed,
        )
        archive = Archive(len(problem.y), problem.exact)
        scaled = rescale(equation, 1 / scaling.x, 1 / scaling.y, primitives)
        structure = Structure.from_equation(scaled, free_mask(scaled, primitives))
        archive.add(problem.fit([structure], EvolutionSettings().fit_iterations))
        simplify(archive, problem, EvolutionSettings().max_size, Deadline(deadline))
        ranked = {r.structure.key: r for r in [*archive.ranked()[:_N_FINISHED], *archive.front()]}
        laws, stopped = finish(ranked.values(), table, deadline)
        interrupted = interrupted or stopped
        if not laws:  # too few rows to fit anything
            loss = table.refit(equation, np.zeros(len(equation.coefficients()), dtype=bool))[1]
            laws = [law for law in [as_law(equation, loss, 0, table)] if law is not None]
        if not laws:
            raise no_finite_law(e)
        found.append(laws)
    return found, interrupted
