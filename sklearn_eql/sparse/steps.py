"""What all fits by Levenberg-Marquardt share: the rules of damping and rest, and the state of one structure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DAMPING_START = 1e-2  # of the diagonal of the curvature: starts are anywhere, a full Gauss-Newton step may lead astray
DAMPING_MIN, DAMPING_MAX = 1e-12, 1e10  # less changes no digit that counts, with more no step moves a coefficient
LESS, MORE = 0.2, 4.0  # factors of the damping after a step that was taken, and one that was not
JITTER = 1e-13  # relative to the diagonal: keeps a rank-deficient system solvable without moving its solution
MOST_IDLE = 6  # steps in a row without progress, after which a fit rests
_HELD = 0.1  # of what a step promises, due to the damping: with more of it the step may be small for that alone
_LARGEST_SLOPE = 1e100  # whose square is still a number
MAX_EXPONENT = 15.0
"""The force between two atoms has an exponent of 13. Larger ones that fit are exponentials, or bells, of a feature that
hardly varies: ``x**241 / (...)`` is no law, and nothing that float64 holds a little way off the data."""


@dataclass(frozen=True)
class Rules:
    """When to end; see :func:`sklearn_eql.sparse.levenberg_marquardt.levenberg_marquardt`."""

    max_iter: int
    tol: float
    deadline: float


@dataclass
class State:
    """One structure on its way."""

    theta: np.ndarray  # (K,) inner coefficients, in the order of its program
    output: np.ndarray  # (M,)
    loss: float
    damping: float = DAMPING_START
    idle: int = 0
    n_steps: int = 0

    @classmethod
    def undefined(cls, theta: np.ndarray, n_terms: int) -> State:
        """Of a structure that has no value on some row."""
        return cls(theta, np.zeros(n_terms), math.inf)

    def moves(self, floor: float, rules: Rules) -> bool:
        """Whether there is a step to try."""
        is_open = floor < self.loss < math.inf and self.idle < MOST_IDLE
        return is_open and len(self.theta) > 0 and self.n_steps < rules.max_iter


def promises(along, held, least):
    """Whether a damped step is worth trying, by the quadratic model of the loss.

    With C for the curvature, D for the damped diagonal, and ``(C + D) s = d``, the model falls by ``s'd + s'Ds``. Where
    that is less than a loss rests for (More 1978, the relative reduction of MINPACK), and not because the damping
    holds the step, no later step gains more.

    Parameters
    ----------
    along, held, least : float, ndarray or Tensor
        ``s'd`` and ``s'Ds``, both over the number of rows, and the reduction to be had.
    """
    return (along + held > least) | (held > _HELD * along)


def without_undefined(derivatives: np.ndarray) -> None:
    """Put derivatives that are not finite to zero, in place.

    A row on the edge of a function's domain, as ``x = 1`` is for ``sqrt(x - 1)``, has a value but no slope there. It
    says nothing about where to step; whether the step was good is for the loss to say, which counts it.
    """
    derivatives[~(np.abs(derivatives) < _LARGEST_SLOPE)] = 0.0
