"""Terms of laws of motion: products of states, quotients, functions of a state, times powers of the latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np
import torch

from sklearn_eql.primitives import EXPONENTS, PRIMITIVES, Primitive

_NEAREST_TO_ZERO = 0.01  # of a state, relative to its largest value, that may be divided by


@dataclass(frozen=True)
class Term:
    """``prod(state_j ** powers[j]) * function(state)``, in the user's units."""

    powers: tuple[int, ...]  # one per state, below zero in a denominator
    function: tuple[str, int] | None = None  # name of a primitive, and the state it reads

    @property
    def degree(self) -> int:
        return sum(map(abs, self.powers)) + (self.function is not None)


def state_terms(
    states: np.ndarray, primitives: Mapping[str, Primitive], max_degree: int, quotients: bool = False
) -> list[Term]:
    """Terms in the states alone, `states` (R, S) in the user's units, that are finite and vary on all rows.

    Monomials up to `max_degree`, and functions of one state, alone and times one state. With `quotients`, states that
    stay far from zero may be in denominators.
    """
    n_states = states.shape[1]
    powers = _exponents(n_states, max_degree)
    terms = [Term(p) for p in powers]
    if quotients:
        below = stays_away_from_zero(states)
        terms += [Term(q) for p in powers for q in _signed(p, below) if min(q) < 0]
    for name in functions_of_a_state(primitives):
        terms += [Term(p, (name, j)) for p in powers if sum(p) <= min(1, max_degree - 1) for j in range(n_states)]
    kept = []
    for term in terms:
        column = evaluate(term, states, primitives)
        with np.errstate(over="ignore", under="ignore"):
            size = np.mean(column**2)  # 0 for values whose squares are
        if np.isfinite(column).all() and size > 0 and (term.degree == 0 or np.ptp(column) > 0):
            kept.append(term)
    return kept


def stays_away_from_zero(states: np.ndarray) -> np.ndarray:
    """Which states (S,) keep their sign and a good part of their size on all rows, so that they can be divided by."""
    size = np.abs(states)
    return (np.ptp(np.sign(states), axis=0) == 0) & (size.min(axis=0) > _NEAREST_TO_ZERO * size.max(axis=0))


def _signed(powers: tuple[int, ...], below: np.ndarray) -> Iterator[tuple[int, ...]]:
    """All signs of the exponents, those below zero of some states only."""
    return product(*((p, -p) if p and may else (p,) for p, may in zip(powers, below, strict=True)))


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
            for _ in range(abs(power)):
                column = column * states[:, j] if power > 0 else column / states[:, j]
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
