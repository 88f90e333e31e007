"""Constants under which a law behaves as it must: least squares with a penalty on the conditions that it misses.

The penalty is raised in rounds, and conditions are aimed at with a small margin, so that what is left of a miss is
within the margin. Each round is Levenberg-Marquardt on rows and on missed conditions together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.behaviour import Behaviour, Conditions
from sklearn_eql.sparse.elimination import shortened
from sklearn_eql.sparse.levenberg_marquardt import FitResult, residual_jacobian
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure

_PENALTIES = (1e2, 1e5, 1e9)  # of a squared miss, in units of that of a row
_STEPS = 8  # in each round
_MARGIN = 3e-5  # of the spread of the target
_DAMPING, _RAISE, _LOWER, _LARGEST = 1e-4, 8.0, 10.0, 1e6
_SMALL_FALL = 1e-7  # relative fall of the objective that ends a round
_AT_ONCE = 4  # laws of an archive that are bent after each family or generation


def bent(
    structure: Structure,
    behaviour: Behaviour,
    primitives: Mapping[str, Primitive],
    X: torch.Tensor,
    y: torch.Tensor,
    sample_weight: torch.Tensor | None,
) -> FitResult | None:
    """The law with free coefficients under which it behaves, and its loss; None where none are found."""
    state = _Bending(structure, behaviour, primitives, (X, y, sample_weight))
    if not structure.n_free or not state.parts:
        return None
    with np.errstate(all="ignore"):
        for penalty in _PENALTIES:
            if not state.fit(penalty):
                return None
    found = state.structure
    if behaviour.excess(found, primitives) > 0:
        return None
    loss = state.loss
    return FitResult(found, loss) if math.isfinite(loss) else None


class _Bending:
    """A law on its way to constants under which it behaves."""

    def __init__(self, structure: Structure, behaviour: Behaviour, primitives, rows) -> None:
        self.structure, self.primitives, self.rows = structure, primitives, rows
        self.parts = [part for part in behaviour.parts if isinstance(part, Conditions)]
        self._margin = _MARGIN * behaviour.spread
        self._n_output = sum(free for _, _, free in structure.output)
        self.loss = math.inf
        if self.parts:
            n_features = structure.n_features
            self._points = torch.from_numpy(np.concatenate([p.points.reshape(-1, n_features) for p in self.parts]))
            self._zeros = torch.zeros(len(self._points), dtype=torch.float64)

    def fit(self, penalty: float) -> bool:
        """Some steps under a penalty; whether the law is defined wherever it has to be."""
        theta, jac, left = self._linearised(self.structure, penalty)
        now = float(left @ left)
        damping = _DAMPING
        if not math.isfinite(now):
            return False
        for _ in range(_STEPS):
            scale = np.linalg.norm(jac, axis=0)
            scale = np.where(scale > 0, scale, 1.0)
            while damping < _LARGEST:
                ridge = math.sqrt(damping) * np.eye(len(theta))
                step, *_ = np.linalg.lstsq(
                    np.concatenate([jac / scale, ridge]), np.concatenate([left, np.zeros(len(theta))]), rcond=None
                )
                moved = self._with(theta + step / scale)
                values, new_jac, new_left = self._linearised(moved, penalty)
                new = float(new_left @ new_left)
                if new < now:
                    break
                damping *= _RAISE
            else:
                break
            fall = (now - new) / now
            self.structure, theta, jac, left, now = moved, values, new_jac, new_left, new
            damping /= _LOWER
            if fall < _SMALL_FALL:
                break
        return True

    def _with(self, theta: np.ndarray) -> Structure:
        n_inner = len(theta) - self._n_output
        return self.structure.with_coefficients(theta[:n_inner].tolist(), theta[n_inner:].tolist())

    def _linearised(self, structure: Structure, penalty: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Free coefficients, derivatives (n_rows + n_missed, P), and what is left over, rows of weight 1 / N."""
        X, y, weight = self.rows
        theta, jac, left = residual_jacobian(structure, self.primitives, X, y, weight)
        root = 1 / math.sqrt(len(y))
        jacs, lefts = [jac.T * root], [left * root]
        self.loss = float(np.mean(left**2))
        _, at_points, minus_values = residual_jacobian(structure, self.primitives, self._points, self._zeros, None)
        values, start = -minus_values, 0
        for part in self.parts:
            shape = part.points.shape[:2]
            end = start + shape[0] * shape[1]
            total = part.combined(values[start:end])
            slopes = np.tensordot(at_points[:, start:end].reshape(-1, *shape), part.factors, axes=1)  # (P, M)
            is_equal = part.high - part.low <= 2 * self._margin
            low = np.where(is_equal, part.low, part.low + self._margin)
            high = np.where(is_equal, part.high, part.high - self._margin)
            missed = np.where(total < low, low - total, np.where(total > high, high - total, 0.0))
            active = ~(missed == 0)
            factor = math.sqrt(penalty / max(len(missed), 1))
            jacs.append(slopes[:, active].T * factor)
            lefts.append(missed[active] * factor)
            start = end
        return theta, np.concatenate(jacs), np.concatenate(lefts)


def bend_leaders(archive: Archive, problem: Problem) -> None:
    """Bend laws that would lead an archive if they behaved, or shorten them, and keep those that do so then.

    Each law once.
    """
    if problem.behaviour is None:
        return
    for _ in range(_AT_ONCE):
        ranked = archive.ranked()
        bound = archive.score(ranked[0]) if ranked and archive.behaves(ranked[0]) else math.inf
        rivals = [r for r in ranked if not archive.behaves(r) and r.form.key not in archive.bent]
        if not rivals or archive.score(rivals[0]) >= bound:
            return
        archive.bent.add(rivals[0].form.key)
        too_long = math.isinf(rivals[0].excess or 0.0)
        shorter = shortened(rivals[0].structure, problem) if too_long else None
        if shorter is not None:
            archive.keep(replace(shorter, trial=rivals[0].trial))
            continue
        found = bent(
            rivals[0].structure, problem.behaviour, problem.primitives, problem.X, problem.y, problem.sample_weight
        )
        if found is None:
            continue
        [judged] = problem.judged([found])
        if problem.supports(found.form, judged.loss):
            archive.keep(FitResult(found.form, judged.loss, rivals[0].trial))
