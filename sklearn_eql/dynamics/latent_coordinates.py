"""The affine freedom of latents: any ``z' = shift + mix @ z`` tells the same story, some of them in fewer words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product

import numpy as np
from scipy.linalg import null_space

from sklearn_eql.dynamics.joint import JointFit, JointProblem, fit

_VANISHED_SHARE = 0.05  # share of what a term was, from which it is taken out, to be refitted without
_ROUNDING = 1e-12  # share of the largest term
_N_TRIED = 6  # affine maps that are fitted
_NEWTON_STEPS = 8  # quadratic convergence: more change no digit
_MAX_SHIFT = 30.0  # standard deviations of a latent, to where it is set to zero
_MAX_CONDITION = 1e6  # condition number
_MOST_PAIRS = 12  # coefficient polynomials that are combined


def simplest(problem: JointProblem, law: JointFit, price: float) -> JointFit:
    """The same law with latents that are coefficients of it, so that as many terms as possible vanish.

    A latent becomes what multiplies some term, such as ``omega**2`` for ``-(0.55 + 0.26*z)*u``. Maps are tried in the
    order of the terms they leave; one is taken if the refitted law costs less.
    """
    best, options = law, []
    for latent in range(problem.powers.shape[1]):
        squared = _squared(problem, law, latent)
        if squared is not None:
            trial = simplest(problem, fit(problem, squared), price)
            if trial.description(problem, price) < best.description(problem, price):
                return trial
    law = best = standardised(problem, law, 1.0)
    before = _sizes(problem, law)
    for mix, shift in _maps(problem, law):
        moved = transformed(problem, law, mix, shift)
        after = _sizes(problem, moved)
        keep = moved.active & np.where(law.active, after > _VANISHED_SHARE * before, after > _ROUNDING * after.max())
        options.append((int(keep.sum()), float(np.abs(shift).max()), len(options), moved, keep))
    for _, _, _, moved, keep in sorted(options, key=lambda option: option[:3])[:_N_TRIED]:
        trial = fit(problem, replace(moved, active=keep, coefficients=np.where(keep, moved.coefficients, 0.0)))
        if trial.description(problem, price) < best.description(problem, price):
            best = trial
    return best


def transformed(problem: JointProblem, law: JointFit, mix: np.ndarray, shift: np.ndarray) -> JointFit:
    """The law in ``z' = shift + mix @ z``; `mix` (L, L) regular, `shift` (L,)."""
    inverse = np.linalg.inv(mix)
    back = _substitution(problem.powers, inverse, -inverse @ shift)  # z**m = sum back[m, m'] z'**m'
    coefficients = np.einsum("ebm,mq->ebq", law.coefficients, back)
    reached = np.einsum("ebm,mq->ebq", law.active.astype(float), (back != 0).astype(float)) > 0
    return replace(
        law,
        active=reached,
        coefficients=np.where(reached, coefficients, 0.0),
        latents=shift + law.latents @ mix.T,
    )


def standardised(problem: JointProblem, law: JointFit, scale: float) -> JointFit:
    """The law in latents of mean 0 and standard deviation `scale`."""
    centre = law.latents.mean(axis=0)
    spread = law.latents.std(axis=0)
    mix = np.diag(scale / np.where(spread > 0, spread, 1.0))
    return transformed(problem, law, mix, -mix @ centre)


def _squared(problem: JointProblem, law: JointFit, latent: int) -> JointFit | None:
    """The law in the square of a latent of which it has even powers only: ``sqrt(z)`` tells the same in more words."""
    powers = problem.powers[:, latent]
    used = law.active.any(axis=(0, 1))  # (M,)
    if (powers[used] % 2).any() or not powers[used].any():
        return None
    order = {tuple(power): place for place, power in enumerate(problem.powers.tolist())}
    active, coefficients = np.zeros_like(law.active), np.zeros_like(law.coefficients)
    for m in np.flatnonzero(used):
        halved = problem.powers[m].copy()
        halved[latent] //= 2
        place = order[tuple(halved.tolist())]
        active[:, :, place], coefficients[:, :, place] = law.active[:, :, m], law.coefficients[:, :, m]
    latents = law.latents.copy()
    latents[:, latent] **= 2
    return replace(law, active=active, coefficients=coefficients, latents=latents)


def _maps(problem: JointProblem, law: JointFit) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Affine maps that make latents of coefficient polynomials: zero where these are, to first order equal to them."""
    n_latents = problem.powers.shape[1]
    linear = problem.powers.sum(axis=1) == 1
    steepest = sorted(
        np.argwhere(law.active[:, :, linear].any(axis=2)).tolist(),
        key=lambda place: -np.abs(law.coefficients[(*place, linear)]).max(),
    )
    used = np.linalg.matrix_rank(law.coefficients[:, :, linear].reshape(-1, n_latents), tol=_ROUNDING)
    if not used:  # the law is the same for all latents, and no map of them changes it
        return
    for chosen in combinations(steepest[:_MOST_PAIRS], int(used)):
        polynomials = np.array([law.coefficients[e, b] for e, b in chosen])  # (chosen, M)
        root, slopes = _root(problem, polynomials)
        size = np.abs(slopes).max(axis=1)
        near = np.isfinite(root).all() and np.abs(root).max() < _MAX_SHIFT
        if near and (size > 0).all() and np.linalg.cond(slopes / size[:, None]) < _MAX_CONDITION:
            mix = slopes / size[:, None]
            mix = np.concatenate([mix, null_space(mix).T])  # latents that the law does not use
            # Latents whose zero is where it should be already are only mixed, so the other zeros are tried, too.
            yield from ((mix, -mix @ root * np.array(kept)) for kept in product((1.0, 0.0), repeat=n_latents))


def _root(problem: JointProblem, polynomials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where `polynomials` (chosen, M) of the latents vanish together, and their slopes there; by Newton's method."""
    n_latents = problem.powers.shape[1]
    z, slopes = np.zeros((1, n_latents)), np.zeros((len(polynomials), n_latents))
    for _ in range(_NEWTON_STEPS):
        values = polynomials @ problem.latent_monomials(z)[0]
        slopes = polynomials @ problem.latent_slopes(z)[0]  # (chosen, L)
        step = np.linalg.lstsq(slopes, values, rcond=None)[0]
        z = z - step
    return z[0], slopes


def _sizes(problem: JointProblem, law: JointFit) -> np.ndarray:
    """Root mean square of what each coefficient contributes, ``(E, B, M)``."""
    return np.abs(law.coefficients) * np.sqrt(np.mean(problem.latent_monomials(law.latents) ** 2, axis=0))


def _substitution(powers: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """``(M, M)`` coefficients of ``(matrix @ z + offset)**m`` in the monomials of `z`."""
    order = {tuple(power): place for place, power in enumerate(powers.tolist())}
    n_latents = len(offset)
    unit = np.eye(n_latents, dtype=int)
    table = np.zeros((len(powers), len(powers)))
    for row, power in enumerate(powers.tolist()):
        polynomial = {(0,) * n_latents: 1.0}
        for latent, times in enumerate(power):
            for _ in range(times):
                product_: dict[tuple[int, ...], float] = {}
                for key, value in polynomial.items():
                    product_[key] = product_.get(key, 0.0) + value * offset[latent]
                    for other in range(n_latents):
                        higher = tuple((np.array(key) + unit[other]).tolist())
                        product_[higher] = product_.get(higher, 0.0) + value * matrix[latent, other]
                polynomial = product_
        for key, value in polynomial.items():
            table[row, order[key]] += value
    return table


def carried(rough: np.ndarray, found: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Rough latents (N, L) on the scale of those `found` for the series in `rows`, by linear regression."""
    design = np.column_stack([np.ones(len(rough)), standard(rough)])
    return design @ np.linalg.lstsq(design[rows], found, rcond=None)[0]


def standard(latents: np.ndarray) -> np.ndarray:
    """Latents (N, L) of mean 0 and standard deviation 1."""
    spread = latents.std(axis=0)
    return (latents - latents.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
