"""The laws of an earlier fit, as a start for another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from sklearn_eql.dynamics.library import Term
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_sympy

_MOST_COEFFICIENTS = 60  # of a law that is written as a sum of terms


@dataclass(frozen=True)
class EarlierLaws:
    """Laws of motion, one per state, and the latents that they give to the series at hand.

    Parameters
    ----------
    equations : list of Equation
        Over the states and all latents.
    latents : ndarray (N, L)
        Of the series.
    used : ndarray (L,) of bool
        Which of them the laws read.
    """

    equations: list[Equation]
    latents: np.ndarray
    used: np.ndarray

    def coefficients(
        self, terms: Sequence[Term], powers: np.ndarray, primitives: Mapping[str, Primitive]
    ) -> np.ndarray | None:
        """Their coefficients (E, B, M) on `terms` (B) and `powers` (M, L) of the latents that they read.

        None where they are no sums of these.
        """
        n_states = len(self.equations)
        if any(len(equation.coefficients()) > _MOST_COEFFICIENTS for equation in self.equations):
            return None  # what is left of a network
        names = [f"s{i}" for i in range(n_states)] + [f"z{i}" for i in range(len(self.used))]
        symbols = sympy.symbols(names)
        latents = [z for z, is_used in zip(symbols[n_states:], self.used, strict=True) if is_used]
        places = {
            _written(term, symbols, primitives) * _product(latents, power): (b, m)
            for b, term in enumerate(terms)
            for m, power in enumerate(powers.tolist())
        }
        found = np.zeros((n_states, len(terms), len(powers)))
        for e, equation in enumerate(self.equations):
            for part in sympy.Add.make_args(sympy.expand(to_sympy(equation, names, primitives))):
                number, form = part.as_independent(*symbols, as_Add=False)
                if number == 0:
                    continue
                if form not in places:
                    return None
                found[(e, *places[form])] += float(number)
        return found


def _written(term: Term, symbols: Sequence[sympy.Symbol], primitives: Mapping[str, Primitive]) -> sympy.Expr:
    monomial = _product(symbols[: len(term.powers)], term.powers)
    return (
        monomial
        if term.function is None
        else monomial * primitives[term.function[0]].sympy_fn(symbols[term.function[1]])
    )


def _product(symbols: Sequence[sympy.Symbol], powers: Sequence[int]) -> sympy.Expr:
    return sympy.Mul(*(symbol**power for symbol, power in zip(symbols, powers, strict=True)))
