"""Coefficients of a law and the latent of every series, solved for together.

Each equation is ``d_e = sum_b,m c_ebm * phi_b(state) * z**m``, one step ahead: linear in the coefficients, polynomial
in the latents. A Gauss-Newton step has an arrow matrix (every latent meets the coefficients, but no other series), so
the latents are eliminated series by series.

Shapes: `N` series, `K` steps, `E` equations, `B` terms in the states, `M` powers of the latents, `L` latents, `P`
active coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklearn_eql.dynamics.series_by_series import fit_each

_MAX_ITER, _TOLERANCE = 20, 1e-9  # of the joint fit: steps at most, and the fall of the log loss that ends it
_FIRST_DAMPING = 1e-6  # nearly a Gauss-Newton step: laws are fitted from the optimum of one with a term more or less
_TRIALS, _LEAST_RAISED = 6, 1e-8  # steps with ever more damping, from this one on, until one helps
_JITTER = 1e-12  # of the diagonal, rounding: keeps a singular matrix invertible
_LATENT_STEPS = 30  # a bound; from latents of the search a handful do
_LATENT_TOLERANCE = 1e-12  # relative fall of the squared error; coefficients are fitted again afterwards
_RIDGE = 1e-9  # of the mean curvature by a latent: what a latent may cost to move where nothing holds it
_RANK = 1e-13  # directions of less curvature, relative to the largest, are left alone
_COLLINEAR = 1e-10  # share of a column that is new, below which it is no candidate


@dataclass(frozen=True)
class JointProblem:
    """Rows of the regression, at unit scale."""

    phi: np.ndarray  # (N, K, B)
    target: np.ndarray  # (N, K, E)
    powers: np.ndarray  # (M, L) exponents of the latents
    floor: np.ndarray  # (E,) mean squared rounding error of the targets
    words: np.ndarray  # (B,) price of a coefficient on each term: functions cost more than products
    free_latents: bool = True
    n_places: int | None = None  # coefficients that a law may have; None for one of each term with each power

    @property
    def n_rows(self) -> int:
        return self.target.shape[0] * self.target.shape[1]

    @property
    def price(self) -> float:
        """Of a free coefficient: ``log(N)`` for its value, and twice the choice of its place (as in the extended BIC of
        Chen and Chen, 2008).
        """
        n_places = self.target.shape[2] * self.phi.shape[2] * len(self.powers)
        return float(np.log(self.n_rows) + 2 * np.log(max(n_places if self.n_places is None else self.n_places, 2)))

    def latent_price(self, n_used: int) -> float:
        """What `n_used` latents cost that are free for every series, in the units of `JointFit.description`.

        Each is a parameter that is read off the numbers of one series (Schwarz, 1978), and takes as much of the noise
        with it: the variance is that of the degrees of freedom that are left.
        """
        if not n_used or not self.free_latents:
            return 0.0
        n_series, n_steps, n_equations = self.target.shape
        per_series = n_steps * n_equations
        return n_series * (n_used * float(np.log(per_series)) - per_series * float(np.log1p(-n_used / per_series)))

    def latent_monomials(self, z: np.ndarray) -> np.ndarray:
        """``z**m``, ``(N, M)``."""
        return np.prod(z[:, None, :] ** self.powers, axis=2)

    def latent_slopes(self, z: np.ndarray) -> np.ndarray:
        """Derivatives of the monomials by the latents, ``(N, M, L)``."""
        slopes = np.zeros((len(z), *self.powers.shape))
        for latent in range(self.powers.shape[1]):
            lower = self.powers.copy()
            lower[:, latent] = np.maximum(lower[:, latent] - 1, 0)
            slopes[:, :, latent] = self.powers[:, latent] * np.prod(z[:, None, :] ** lower, axis=2)
        return slopes

    def columns(self, z: np.ndarray) -> np.ndarray:
        """All columns ``phi_b * z**m``, ``(N, K, B * M)``."""
        joint = self.phi[:, :, :, None] * self.latent_monomials(z)[:, None, None, :]
        return joint.reshape(*self.phi.shape[:2], -1)

    def some_columns(self, z: np.ndarray, terms: np.ndarray, powers: np.ndarray) -> np.ndarray:
        """The columns of some terms and powers, ``(N, K, P)``."""
        return self.phi[:, :, terms] * self.latent_monomials(z)[:, None, powers]


@dataclass(frozen=True)
class JointFit:
    """Coefficients and latents at an optimum."""

    active: np.ndarray  # (E, B, M) bool
    coefficients: np.ndarray  # (E, B, M), zero where not active
    latents: np.ndarray  # (N, L)
    loss: np.ndarray  # (E,) mean squared error

    @property
    def n_free(self) -> int:
        return int(self.active.sum())

    def used_latents(self, problem: JointProblem) -> np.ndarray:
        """Which latents the law reads, bool ``(L,)``."""
        return (problem.powers[self.active.any(axis=(0, 1))] > 0).any(axis=0)

    def description(self, problem: JointProblem, price: float) -> float:
        """What the law costs: bits of its residuals (times 2 ln 2), `price` per word of free coefficients, and the
        latents of all series."""
        rows = problem.n_rows
        words = float((self.active.sum(axis=(0, 2)) * problem.words).sum())
        latents = problem.latent_price(int(self.used_latents(problem).sum()))
        return rows * float(np.log(np.maximum(self.loss, problem.floor)).sum()) + price * words + latents


@dataclass(frozen=True)
class _Curvature:
    """The normal equations of a point, latents eliminated."""

    matrix: np.ndarray  # (P, P)
    gradient: np.ndarray  # (P,)
    places: np.ndarray  # (P, 3) equation, term, power
    by_latent: np.ndarray  # (N, P, L)
    latent_inverse: np.ndarray  # (N, L, L)
    latent_gradient: np.ndarray  # (N, L)


def residuals(problem: JointProblem, coefficients: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Target minus law, ``(N, K, E)``."""
    used = np.flatnonzero((coefficients != 0).any(axis=(0, 2)))
    per_series = np.einsum("nm,ebm->nbe", problem.latent_monomials(z), coefficients[:, used])
    return problem.target - problem.phi[:, :, used] @ per_series


def start(problem: JointProblem, latents: np.ndarray) -> JointFit:
    """The empty law."""
    shape = (problem.target.shape[2], problem.phi.shape[2], len(problem.powers))
    none = np.zeros(shape, dtype=bool)
    loss = np.mean(problem.target**2, axis=(0, 1))
    return JointFit(none, np.zeros(shape), latents, loss)


def fit(problem: JointProblem, law: JointFit, max_iter: int = _MAX_ITER, tolerance: float = _TOLERANCE) -> JointFit:
    """Levenberg-Marquardt from `law`, over its active coefficients, and the latents if free."""
    best = _solve_coefficients(problem, law)
    damping = _FIRST_DAMPING
    for _ in range(max_iter):
        if not (problem.free_latents and (best.active & (problem.powers.sum(axis=1) > 0)).any()):
            break  # nothing but linear coefficients
        step = _curvature(problem, best)
        if not (np.isfinite(step.matrix).all() and np.isfinite(step.gradient).all()):
            break  # beyond the numbers that there are
        improved = False
        for _ in range(_TRIALS):
            trial = _solve_coefficients(problem, _moved(best, step, damping))
            if np.isfinite(trial.loss).all() and _total(trial, problem) < _total(best, problem):
                improved = True
                break
            damping = max(damping, _LEAST_RAISED) * 10
        if not improved:
            break
        gain = _total(best, problem) - _total(trial, problem)
        best, damping = trial, damping / 10
        if gain < tolerance * abs(problem.target.shape[2]):
            break
    return best


def solve_latents(problem: JointProblem, law: JointFit) -> JointFit:
    """Latents of least squared error, series by series, at given coefficients."""
    if not problem.free_latents or not law.active.any():
        return law
    root = np.sqrt(1 / np.maximum(law.loss, problem.floor))  # (E,)

    def evaluate(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error = residuals(problem, law.coefficients, z) * root
        slopes = _latent_slopes(problem, replace(law, latents=z)) * root[:, None]
        return error.reshape(len(z), -1), slopes.reshape(len(z), -1, z.shape[1])

    z = fit_each(evaluate, law.latents, _LATENT_STEPS, _LATENT_TOLERANCE)
    loss = np.mean(residuals(problem, law.coefficients, z) ** 2, axis=(0, 1))
    return replace(law, latents=z, loss=loss)


def saliencies(problem: JointProblem, law: JointFit) -> tuple[np.ndarray, np.ndarray]:
    """By how much the summed squared error, each equation in units of its own, rises without each coefficient.

    The latents and the other coefficients follow (optimal brain surgeon). Returns the places ``(P, 3)`` and ``(P,)``.
    """
    curvature = _curvature(problem, law)
    places = curvature.places
    values = law.coefficients[tuple(places.T)]
    matrix = curvature.matrix
    if problem.free_latents:  # without coefficients a latent cannot get by on a larger scale: that is pinned
        size = np.abs(np.diag(matrix)).max()
        for exponents in problem.powers[places[:, 2]].T:  # (P,)
            scaling = exponents * values
            if scaling.any():
                scaling = scaling / np.linalg.norm(scaling)
                matrix = matrix + size * np.outer(scaling, scaling)
    inverse = _pseudo_inverse(matrix)
    return places, values**2 / np.maximum(np.diag(inverse), np.finfo(float).tiny)


def gains(problem: JointProblem, law: JointFit) -> np.ndarray:
    """By how much each absent coefficient would lower the summed squared error, each equation in units of its own.

    To first order, everything else following; ``(E, B, M)``, zero for those that are there.
    """
    residual = residuals(problem, law.coefficients, law.latents)
    weight = 1 / np.maximum(law.loss, problem.floor)
    columns = problem.columns(law.latents)  # (N, K, C)
    flat = columns.reshape(problem.n_rows, -1)
    whole = np.einsum("rc,rc->c", flat, flat)
    curvature = _curvature(problem, law)
    inverse = _pseudo_inverse(curvature.matrix)
    slopes = _latent_slopes(problem, law)  # (N, K, E, L)
    n_powers, places = len(problem.powers), curvature.places
    found = np.zeros((len(weight), flat.shape[1]))
    for e in range(len(weight)):
        mine = np.flatnonzero(places[:, 0] == e)
        cross = np.zeros((flat.shape[1], len(places)))
        cross[:, mine] = weight[e] * flat.T @ flat[:, places[mine, 1] * n_powers + places[mine, 2]]
        size = weight[e] * whole
        if problem.free_latents:
            by_latent = weight[e] * np.einsum("nkc,nkl->ncl", columns, slopes[:, :, e])
            eliminated = np.einsum("ncl,nlj->ncj", by_latent, curvature.latent_inverse)
            size = size - np.einsum("ncj,ncj->c", eliminated, by_latent)
            cross -= np.einsum("ncj,npj->cp", eliminated, curvature.by_latent)
        size = size - np.einsum("cp,pq,cq->c", cross, inverse, cross)
        distinct = size > _COLLINEAR * weight[e] * whole
        found[e, distinct] = (weight[e] * flat[:, distinct].T @ residual[:, :, e].ravel()) ** 2 / size[distinct]
    return np.where(law.active, 0.0, found.reshape(law.active.shape))


def _total(law: JointFit, problem: JointProblem) -> float:
    return float(np.log(np.maximum(law.loss, problem.floor)).sum())


def _latent_slopes(problem: JointProblem, law: JointFit) -> np.ndarray:
    used = np.flatnonzero((law.coefficients != 0).any(axis=(0, 2)))
    by_latent = np.einsum("nml,ebm->nbel", problem.latent_slopes(law.latents), law.coefficients[:, used])
    flat = by_latent.reshape(*by_latent.shape[:2], np.prod(by_latent.shape[2:], dtype=int))  # (N, B, E * L)
    return (problem.phi[:, :, used] @ flat).reshape(*problem.phi.shape[:2], *by_latent.shape[2:])


def _curvature(problem: JointProblem, law: JointFit) -> _Curvature:
    weight = 1 / np.maximum(law.loss, problem.floor)
    residual = residuals(problem, law.coefficients, law.latents)
    slopes = _latent_slopes(problem, law)
    places = np.argwhere(law.active)
    size = len(places)
    matrix, gradient = np.zeros((size, size)), np.zeros(size)
    by_latent = np.zeros((len(law.latents), size, problem.powers.shape[1]))
    for e in range(len(weight)):
        mine = np.flatnonzero(places[:, 0] == e)
        chosen = problem.some_columns(law.latents, places[mine, 1], places[mine, 2])  # (N, K, p)
        flat = chosen.reshape(problem.n_rows, len(mine))
        matrix[np.ix_(mine, mine)] = weight[e] * flat.T @ flat
        gradient[mine] = weight[e] * flat.T @ residual[:, :, e].ravel()
        by_latent[:, mine] = weight[e] * np.einsum("nkp,nkl->npl", chosen, slopes[:, :, e])
    latent_matrix = np.einsum("nkel,nkej,e->nlj", slopes, slopes, weight)
    latent_gradient = np.einsum("nkel,nke,e->nl", slopes, residual, weight)
    n_latents = latent_matrix.shape[1]
    ridge = _RIDGE * max(float(np.trace(latent_matrix.mean(axis=0))) / max(n_latents, 1), 1e-300)
    inverse = np.linalg.inv(latent_matrix + ridge * np.eye(n_latents))
    if problem.free_latents:
        eliminated = np.einsum("npl,nlj->npj", by_latent, inverse)
        matrix -= np.einsum("npj,nqj->pq", eliminated, by_latent)
        gradient -= np.einsum("npj,nj->p", eliminated, latent_gradient)
    return _Curvature(matrix, gradient, places, by_latent, inverse, latent_gradient)


def _moved(law: JointFit, step: _Curvature, damping: float) -> JointFit:
    scale = np.sqrt(np.maximum(np.diag(step.matrix), np.finfo(float).tiny))
    normal = step.matrix / np.outer(scale, scale) + damping * np.eye(len(scale))
    change = np.linalg.lstsq(normal, step.gradient / scale, rcond=_RANK)[0] / scale
    remaining = step.latent_gradient - np.einsum("npl,p->nl", step.by_latent, change)
    latents = law.latents + np.einsum("nlj,nj->nl", step.latent_inverse, remaining) / (1 + damping)
    coefficients = law.coefficients.copy()
    coefficients[tuple(step.places.T)] += change
    return replace(law, coefficients=coefficients, latents=latents)


def _solve_coefficients(problem: JointProblem, law: JointFit) -> JointFit:
    """Least squares over the coefficients at given latents."""
    coefficients = np.zeros_like(law.coefficients)
    if not np.isfinite(law.latents).all():
        return replace(law, loss=np.full_like(law.loss, np.inf))
    for e in range(len(law.loss)):
        b, m = np.nonzero(law.active[e])
        if len(b):
            chosen = problem.some_columns(law.latents, b, m).reshape(problem.n_rows, len(b))
            scale = np.sqrt(np.mean(chosen**2, axis=0))
            scale[scale == 0] = 1.0
            coefficients[e, b, m] = (
                np.linalg.lstsq(chosen / scale, problem.target[:, :, e].ravel(), rcond=None)[0] / scale
            )
    loss = np.mean(residuals(problem, coefficients, law.latents) ** 2, axis=(0, 1))
    return replace(law, coefficients=coefficients, loss=loss)


def _pseudo_inverse(matrix: np.ndarray) -> np.ndarray:
    if not len(matrix):
        return matrix
    scale = np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    normal = matrix / np.outer(scale, scale)
    return np.linalg.inv(normal + _JITTER * np.eye(len(matrix))) / np.outer(scale, scale)
