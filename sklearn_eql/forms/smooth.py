"""Unknown functions as smooth ones: Chebyshev polynomials of their arguments, fitted together with the constants.

Where a form is linear in its functions, their coefficients are solved for at every value of the constants (variable
projection, Golub and Pereyra 1973). The degree grows as long as generalised cross-validation (Craven and Wahba 1979)
asks for it; a fit starts from the one of the degree below.

Shapes: `N` rows, `P` constants, `M` coefficients of all functions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import torch
from numpy.polynomial import chebyshev

from sklearn_eql.forms.form import Form, Occurrence
from sklearn_eql.forms.starts import spread_starts
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import Primitive

_DEGREES = {1: (2, 4, 6, 9, 13, 18, 24), 2: (1, 2, 3, 4, 5, 7, 9), 3: (1, 2, 2, 3, 3, 4, 4)}  # by arity, the last: more
_STARTING = 3  # of these, in which starts are compared where the form is linear in its functions
_N_STARTS, _N_KEPT = 120, 3
_STEPS = 15
_RIDGE = 1e-13  # relative
_EXACT = 1e-22  # relative squared error at which no higher degree is needed
_ROWS_PER_TERM = 3
_WORSE = 2  # degrees of higher score after which the search ends
_UNDETERMINED = 1e-6  # relative singular value of what the rows do not tell
_DAMPING, _LARGEST_DAMPING = 1e-3, 1e6


@dataclass(frozen=True)
class Basis:
    """Products of Chebyshev polynomials of some total degree on a box."""

    arity: int
    degree: int

    @property
    def exponents(self) -> np.ndarray:
        """Degrees by each argument, ``(n_terms, arity)``."""
        terms = (
            np.bincount(np.array(t, dtype=int), minlength=self.arity)
            for d in range(self.degree + 1)
            for t in combinations_with_replacement(range(self.arity), d)
        )
        return np.array(list(terms))

    def columns(self, points: np.ndarray, box: np.ndarray, orders: Sequence[int]) -> np.ndarray:
        """Values of the terms, or of their derivatives, at `points` ``(N, arity)``: ``(N, n_terms)``.

        `box` is ``(2, arity)``: the lowest and highest value of every argument.
        """
        exponents, found = self.exponents, 1.0
        for i, order in enumerate(orders):
            low, high = box[:, i]
            half = (high - low) / 2 or 1.0
            coefficients = np.eye(self.degree + 1)
            if order:
                lowered = chebyshev.chebder(coefficients, order) / half**order
                coefficients = np.vstack([lowered, np.zeros((self.degree + 1 - len(lowered), self.degree + 1))])
            values = chebyshev.chebvander((points[:, i] - (low + high) / 2) / half, self.degree) @ coefficients
            found = found * values[:, exponents[:, i]]
        return found


@dataclass(frozen=True)
class SmoothFit:
    """Constants and smooth functions at an optimum.

    Parameters
    ----------
    constants : ndarray (P,)
    left : ndarray (N,)
        Residuals, not weighed.
    slopes : list of ndarray (N,), one per occurrence
        Derivatives of the form by what stands there.
    points : list of ndarray (N, arity), one per occurrence
        Arguments.
    values : list of ndarray (N,), one per occurrence
        Of the function itself there, not of its derivative.
    errors : list of ndarray (N,), one per occurrence
        Standard errors of `values`.
    relative_loss : float
        Squared error over that of the best constant.
    n_free : int
        Coefficients and constants.
    """

    constants: np.ndarray
    left: np.ndarray
    slopes: list[np.ndarray]
    points: list[np.ndarray]
    values: list[np.ndarray]
    errors: list[np.ndarray]
    relative_loss: float
    n_free: int


def smooth_fit(
    form: Form,
    rows: GroupedRows,
    primitives: Mapping[str, Primitive],
    start: np.ndarray | None = None,
    *,
    seed: int = 0,
    deadline: float = math.inf,
) -> SmoothFit | None:
    """The smooth functions and constants of least squares; None where no start is finite on the rows.

    Parameters
    ----------
    form : Form
        With an unknown function at least.
    rows : GroupedRows
        One group.
    start : ndarray (P,), optional
        Of the constants; many starts by default.
    """
    problem = _Problem(form, rows, primitives)
    with np.errstate(all="ignore"):
        states = problem.starts(start, np.random.default_rng(seed), deadline)
        best, score = None, math.inf
        for state in states:
            found, its = problem.of_best_degree(state, deadline)
            if its < score:
                best, score = found, its
        return None if best is None else problem.described(best)


@dataclass
class _State:
    """Where a fit is."""

    level: int
    constants: np.ndarray  # (P,)
    coefficients: np.ndarray  # (M,)
    loss: float  # with the penalty


@dataclass
class _Linearised:
    left: np.ndarray  # (N,) weighed
    by_constants: np.ndarray  # (N, P) weighed
    by_coefficients: np.ndarray  # (N, M) weighed


class _Problem:
    def __init__(self, form: Form, rows: GroupedRows, primitives: Mapping[str, Primitive]) -> None:
        self.form, self.rows, self.primitives = form, rows, primitives
        self.root = np.sqrt(rows.weight / rows.weight.mean())
        self.names = list(form.arities)
        places = [place.symbol.name for place in form.occurrences]
        self.outer = form.law_of(form.expr, [*places, *form.constants], primitives)
        self.is_linear = all(self.outer.linear[: len(places)])
        self.args = [[form.law_of(arg, form.constants, primitives) for arg in place.args] for place in form.occurrences]
        centred = (rows.y - np.average(rows.y, weights=rows.weight)) * self.root
        self.total = float(centred @ centred) or 1.0
        self.n_levels = len(_DEGREES[1])

    def bases(self, level: int) -> dict[str, Basis]:
        return {name: Basis(n, _DEGREES[min(n, max(_DEGREES))][level]) for name, n in self.form.arities.items()}

    def size(self, level: int) -> int:
        return sum(len(basis.exponents) for basis in self.bases(level).values())

    def is_supported(self, level: int) -> bool:
        n_rows = int(np.count_nonzero(self.rows.weight))
        return level == 0 or self.size(level) + len(self.form.constants) <= n_rows // _ROWS_PER_TERM

    # Where the arguments are, and what the form does with the functions

    def placed(self, constants: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray], dict[str, np.ndarray]]:
        """Arguments ``(N, arity)`` and their slopes ``(N, arity, P)`` of every occurrence, and the box of functions."""
        points, moves = [], []
        for laws in self.args:
            found = [_with_slopes(law, self.rows.X, constants[None], self.primitives) for law in laws]
            points.append(np.stack([values for values, _ in found], axis=1))
            moves.append(np.stack([slopes for _, slopes in found], axis=1))
        boxes = {}
        for name in self.names:
            every = np.concatenate([p for p, place in self._pairs(points) if place.function == name])
            boxes[name] = np.stack([every.min(axis=0), every.max(axis=0)])
        return points, moves, boxes

    def _pairs(self, values: list) -> list[tuple[np.ndarray, Occurrence]]:
        return list(zip(values, self.form.occurrences, strict=True))

    def columns(self, level: int, place: Occurrence, points: np.ndarray, boxes: dict, orders) -> np.ndarray:
        """Terms of the function that stands at a place, differentiated, ``(N, M)``: zero but for those of it."""
        parts = []
        for name, basis in self.bases(level).items():
            if name == place.function:
                parts.append(basis.columns(points, boxes[name], orders))
            else:
                parts.append(np.zeros((len(points), len(basis.exponents))))
        return np.concatenate(parts, axis=1)

    def all_columns(self, level: int, points: list, boxes: dict) -> list[np.ndarray]:
        """Terms at every place, as they stand there."""
        return [self.columns(level, place, p, boxes, place.orders) for p, place in self._pairs(points)]

    def linearised(self, state: _State) -> _Linearised:
        points, moves, boxes = self.placed(state.constants)
        columns = self.all_columns(state.level, points, boxes)
        values = np.stack([c @ state.coefficients for c in columns], axis=1)  # (N, occurrences)
        n = values.shape[1]
        given = np.concatenate([values, np.broadcast_to(state.constants, (len(values), len(state.constants)))], axis=1)
        y, slopes = _with_slopes(self.outer, self.rows.X, given, self.primitives)
        by_coefficients = sum(slopes[:, j, None] * columns[j] for j in range(n))
        by_constants = slopes[:, n:].copy()
        for j, place in enumerate(self.form.occurrences):
            for i in range(len(place.args)):
                if moves[j][:, i].any():
                    more = tuple(order + (i == k) for k, order in enumerate(place.orders))
                    moved = self.columns(state.level, place, points[j], boxes, more) @ state.coefficients
                    by_constants += (slopes[:, j] * moved)[:, None] * moves[j][:, i]
        root = self.root[:, None]
        return _Linearised((self.rows.y - y) * self.root, by_constants * root, by_coefficients * root)

    # The fit

    def starts(self, start: np.ndarray | None, rng: np.random.Generator, deadline: float) -> list[_State]:
        """The best few starts, after a few steps."""
        level = max(k for k in range(min(_STARTING, self.n_levels - 1) + 1) if self.is_supported(k))
        level = level if self.is_linear else 0
        n_starts = 1 if (start is not None or not len(self.form.constants)) and self.is_linear else _N_STARTS
        if start is None:
            tried = spread_starts(self.form, None, self.rows.X, self.rows.y, n_starts, self.primitives, rng)
        else:
            tried = np.repeat(start[None], n_starts, axis=0)
        states = []
        for i, constants in enumerate(tried):
            if i and states and time.time() > deadline:
                break
            coefficients = np.zeros(self.size(level))
            if not self.is_linear:
                coefficients = self._random_coefficients(level, rng, first=i == 0)
            state = self.solved(_State(level, constants, coefficients, math.inf))
            if math.isfinite(state.loss):
                states.append(state)
        states = sorted(states, key=lambda state: state.loss)
        if self.is_linear and len(self.form.constants) == 0:
            return states[:1]
        stepped = sorted((self.fitted(s, _STEPS, deadline) for s in states[: 4 * _N_KEPT]), key=lambda s: s.loss)
        kept: list[_State] = []
        for state in stepped:
            if len(kept) < _N_KEPT and (not kept or state.loss > kept[-1].loss * (1 + 1e-4)):
                kept.append(state)
        return kept

    def _random_coefficients(self, level: int, rng: np.random.Generator, first: bool) -> np.ndarray:
        """Constant and linear terms only; of the first start, all functions are one."""
        parts = []
        for basis in self.bases(level).values():
            degrees = basis.exponents.sum(axis=1)
            part = np.where(degrees == 0, 1.0, 0.0)
            if not first:
                part = np.where(degrees <= 1, rng.normal(size=len(degrees)) * 10.0 ** rng.uniform(-1, 1), 0.0)
            parts.append(part)
        return np.concatenate(parts)

    def penalty(self, at: _Linearised) -> np.ndarray:
        """Square roots of the ridge of every coefficient, ``(M,)``."""
        size = np.linalg.norm(at.by_coefficients, axis=0)
        return math.sqrt(_RIDGE) * np.where((size > 0) & np.isfinite(size), size, 1.0)

    def loss(self, at: _Linearised) -> float:
        found = float(at.left @ at.left)
        return found if math.isfinite(found) else math.inf

    def solved(self, state: _State, n_steps: int = 2) -> _State:
        """With the coefficients at their best where the form is linear in them, else after some steps."""
        if self.is_linear:
            state = _State(state.level, state.constants, np.zeros_like(state.coefficients), math.inf)
            at = self.linearised(state)
            if not (np.isfinite(at.left).all() and np.isfinite(at.by_coefficients).all()):
                return state
            ridge = self.penalty(at)
            found = np.linalg.lstsq(
                np.vstack([at.by_coefficients, np.diag(ridge)]),
                np.concatenate([at.left, np.zeros(len(ridge))]), rcond=None,
            )[0]  # fmt: skip
            left = at.left - at.by_coefficients @ found
            return _State(state.level, state.constants, found, float(left @ left))
        return self.fitted(state, n_steps, math.inf, constants=False)

    def fitted(self, state: _State, n_steps: int, deadline: float, constants: bool = True) -> _State:
        """Steps of Levenberg-Marquardt."""
        n = len(state.constants) if constants else 0
        if n == 0 and self.is_linear:
            return self.solved(state)
        at = self.linearised(state)
        state = _State(state.level, state.constants, state.coefficients, self.loss(at))
        damping = _DAMPING
        for _ in range(n_steps):
            if not math.isfinite(state.loss) or damping > _LARGEST_DAMPING or time.time() > deadline:
                break
            jacobian = np.concatenate([at.by_constants[:, :n], at.by_coefficients], axis=1)
            if not np.isfinite(jacobian).all():
                break
            size = np.linalg.norm(jacobian, axis=0)
            size = np.where(size > 0, size, 1.0)
            strength = np.full(len(size), damping)
            if self.is_linear:
                strength[n:] = _RIDGE
            stacked = np.vstack([jacobian / size, np.diag(np.sqrt(strength))])
            step = np.linalg.lstsq(stacked, np.concatenate([at.left, np.zeros(len(size))]), rcond=None)[0] / size
            moved = state.constants.copy()
            moved[:n] += step[:n]
            tried = _State(state.level, moved, state.coefficients + step[n:], math.inf)
            if self.is_linear:
                tried = self.solved(tried)
            again = self.linearised(tried)
            tried.loss = self.loss(again)
            if tried.loss < state.loss:
                small = tried.loss > state.loss * (1 - 1e-9)
                state, at, damping = tried, again, damping / 10
                if small:
                    break
            else:
                damping *= 8
        return state

    def of_best_degree(self, state: _State, deadline: float) -> tuple[_State, float]:
        """The fit of least generalised cross-validation, and that score."""
        best, score, worse = state, self.score(state), 0
        levels = range(state.level + 1, self.n_levels)
        if self.is_linear:  # lower degrees were passed over
            levels = [*range(state.level), *levels]
        for level in levels:
            if not self.is_supported(level):
                break
            if worse >= _WORSE or time.time() > deadline or best.loss < _EXACT * self.total:
                break
            raised = _State(level, best.constants, self.raised(best, level), math.inf)
            found = self.fitted(self.solved(raised), _STEPS, deadline)
            its = self.score(found)
            if its < score:
                best, score, worse = found, its, 0
            elif level > state.level:
                worse += 1
        return best, score

    def score(self, state: _State) -> float:
        n_rows = int(np.count_nonzero(self.rows.weight))
        left = n_rows - self.size(state.level) - len(state.constants)
        return math.inf if left <= 0 or not math.isfinite(state.loss) else (state.loss + 1e-300) / left**2

    def raised(self, state: _State, level: int) -> np.ndarray:
        """The coefficients of a state in the basis of another degree."""
        if self.is_linear:
            return np.zeros(self.size(level))
        parts, first = [], 0
        for name, basis in self.bases(state.level).items():
            old = {tuple(e): c for e, c in zip(basis.exponents.tolist(), state.coefficients[first:], strict=False)}
            parts += [old.get(tuple(e), 0.0) for e in self.bases(level)[name].exponents.tolist()]
            first += len(basis.exponents)
        return np.array(parts)

    def described(self, state: _State) -> SmoothFit:
        points, _, boxes = self.placed(state.constants)
        at = self.linearised(state)
        columns = self.all_columns(state.level, points, boxes)
        given = np.stack([c @ state.coefficients for c in columns], axis=1)
        n = given.shape[1]
        every = np.concatenate([given, np.broadcast_to(state.constants, (len(given), len(state.constants)))], axis=1)
        y, slopes = _with_slopes(self.outer, self.rows.X, every, self.primitives)
        plain = [self.columns(state.level, place, p, boxes, (0,) * len(place.args)) for p, place in self._pairs(points)]
        left = len(at.left) - len(state.coefficients) - len(state.constants)
        size = np.linalg.norm(at.by_coefficients, axis=0)
        size = np.where(size > 0, size, 1.0)
        _, s, vt = np.linalg.svd(at.by_coefficients / size, full_matrices=False)
        known = s > _UNDETERMINED * s.max()  # an offset may belong to either of two functions
        inverse = vt.T[:, known] / s[known]
        variance = state.loss / max(left, 1)
        errors = [math.sqrt(variance) * np.linalg.norm((p / size) @ inverse, axis=1) for p in plain]
        values = [p @ state.coefficients for p in plain]
        residual = self.rows.y - y
        slopes = [slopes[:, j] for j in range(n)]
        n_free = len(state.coefficients) + len(state.constants)
        return SmoothFit(state.constants, residual, slopes, points, values, errors, state.loss / self.total, n_free)


def _with_slopes(
    law: ParametricLaw, X: np.ndarray, constants: np.ndarray, primitives: Mapping[str, Primitive]
) -> tuple[np.ndarray, np.ndarray]:
    """Values ``(N,)`` of a law and its slopes by the constants, ``(N, n_constants)``; those may vary by row."""
    leaf = torch.from_numpy(np.array(np.broadcast_to(constants, (len(X), len(law.names))))).requires_grad_()
    with torch.enable_grad():
        values = law.equation.forward(torch.cat([torch.from_numpy(X), leaf], dim=1), primitives)
        slopes = torch.zeros_like(leaf)
        if values.requires_grad and len(law.names):
            slopes = torch.autograd.grad(values.sum(), leaf)[0]
    return values.detach().numpy(), slopes.numpy()
