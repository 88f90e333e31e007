"""Terms that a law of motion may be made of: products of states, functions of a state, times powers of the latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import torch

from sklearn_eql.primitives import EXPONENTS, PRIMITIVES, Primitive


@dataclass(frozen=True)
class Term:
    """``prod(state_j ** powers[j]) * function(state)``, in the user's units."""

    powers: tuple[int, ...]  # one per state
    function: tuple[str, int] | None = None  # name of a primitive, and the state it reads

    @property
    def degree(self) -> int:
        return sum(self.powers) + (self.function is not None)


def state_terms(states: np.ndarray, primitives: Mapping[str, Primitive], max_degree: int) -> list[Term]:
    """Terms in the states alone, `states` (R, S) in the user's units, that are finite and vary on all rows.

    Monomials up to `max_degree`, and functions of one state, alone and times one state.
    """
    n_states = states.shape[1]
    powers = _exponents(n_states, max_degree)
    terms = [Term(p) for p in powers]
    for name in functions_of_a_state(primitives):
        terms += [Term(p, (name, j)) for p in powers if sum(p) <= min(1, max_degree - 1) for j in range(n_states)]
    kept = []
    for term in terms:
        column = evaluate(term, states, primitives)
        if np.isfinite(column).all() and np.abs(column).max() > 0 and (term.degree == 0 or np.ptp(column) > 0):
            kept.append(term)
    return kept


def functions_of_a_state(primitives: Mapping[str, Primitive]) -> list[str]:
    """Names of the functions of one argument that are no products of it: those are terms already."""
    return [
        name
        for name, p in primitives.items()
        if p.arity == 1 and not (_is_whole(EXPONENTS.get(name)) and p == PRIMITIVES[name])
    ]


def _is_whole(exponent: float | None) -> bool:
    return exponent is not None and exponent > 0 and float(exponent).is_integer()


def evaluate(term: Term, states: np.ndarray, primitives: Mapping[str, Primitive]) -> np.ndarray:
    """Values of a term, ``(R,)``, for `states` (R, S)."""
    with np.errstate(all="ignore"):
        column = np.ones(len(states))
        for j, power in enumerate(term.powers):
            for _ in range(power):
                column = column * states[:, j]
        if term.function is not None:
            name, j = term.function
            column = column * primitives[name].torch_fn(torch.from_numpy(states[:, j].copy())).numpy()
    return column


def allowed_places(degrees: np.ndarray, powers: np.ndarray, max_degree: int) -> np.ndarray:
    """Which terms of some `degrees` (B,) may stand with which `powers` (M, L) of the latents, bool ``(B, M)``."""
    return degrees[:, None] + powers.sum(axis=1) <= max_degree


def latent_powers(n_latents: int, max_degree: int) -> np.ndarray:
    """Exponents of the latents, ``(M, L)``, by degree; the first is the constant."""
    return np.array(_exponents(n_latents, max_degree))


def _exponents(n_variables: int, max_degree: int) -> list[tuple[int, ...]]:
    found = []
    for degree in range(max_degree + 1):
        for chosen in combinations_with_replacement(range(n_variables), degree):
            found.append(tuple(chosen.count(j) for j in range(n_variables)))
    return found
