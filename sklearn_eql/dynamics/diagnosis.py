"""Is it a law that was found? Its roll-outs on the training series tell."""

from __future__ import annotations

import math

import numpy as np
import torch

from sklearn_eql.dynamics.law_cell import LawCell
from sklearn_eql.exceptions import NoLawWarning, UnusedLatentWarning

_SMALL = 0.01  # of the mean square of what states move: roll-outs that are off by less than a tenth of it do
_SIMULATIONS = 99  # a Monte Carlo test of level 1/100 (Barnard, 1963)
_SERIES = 100  # at most, that are simulated


def notes(
    cell: LawCell, states: np.ndarray, latents: np.ndarray, used: np.ndarray, latent_names: list[str], seed: int
) -> list[tuple[str, type[Warning]]]:
    """What a user should know about a law: messages and their categories.

    Parameters
    ----------
    states : ndarray (N, K + 1, S)
    latents : ndarray (N, L)
    used : ndarray of bool (L,)
        Latents that the law depends on.
    """
    found: list[tuple[str, type[Warning]]] = []
    unused = [name for name, is_used in zip(latent_names, used.tolist(), strict=True) if not is_used]
    if unused:
        found.append(
            (
                f"The law that explains the series best does not depend on {', '.join(unused)}; transform returns 0 "
                f"there (latents_used_). n_latents={int(used.sum())} finds the same law in less time. If the series do "
                "differ in a parameter, give more of them, or longer ones.",
                UnusedLatentWarning,
            )
        )
    if is_systematic(cell, states, latents, seed):
        off = math.sqrt(rollout_error(cell, states, latents))
        found.append(
            (
                f"What was found is no law of these series: its roll-outs are off by {off:.0%} of what the states "
                "move, and its errors are alike from step to step, which noise is not. Allow other functions, another "
                "max_degree, form or n_latents, or give more trials (n_trials) or more series.",
                NoLawWarning,
            )
        )
    return found


def rollout_error(cell: LawCell, states: np.ndarray, latents: np.ndarray) -> float:
    """Mean squared error of the roll-outs, relative to what states move; a series that goes astray counts as 1.

    So a few that explode do not drown the others.

    Parameters
    ----------
    states : ndarray (N, K + 1, S)
    latents : ndarray (N, L)
    """
    with np.errstate(all="ignore"):
        return _error(cell.rollout(states[:, 0], latents, states.shape[1] - 1) - states[:, 1:], states)


def is_systematic(cell: LawCell, states: np.ndarray, latents: np.ndarray, seed: int) -> bool:
    """Whether roll-outs go astray in a way that noise does not explain.

    A law that is met but for noise, in the states or in what is measured of them, has errors after one step that are
    independent, or take each other back. Where something is missing they are alike from step to step and add up:
    roll-outs are then farther off than any of those to which the same errors are added in random order. Roll-outs that
    are off by little are never called systematic, nor are those of one step.
    """
    if rollout_error(cell, states, latents) < _SMALL:
        return False
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(states))[:_SERIES])
    states, latents = states[rows], latents[rows]
    n_steps, n_states = states.shape[1] - 1, states.shape[2]
    with np.errstate(all="ignore"):
        reached = cell.rollout(states[:, 0], latents, n_steps)
        each = cell.rollout(states[:, :-1].reshape(-1, n_states), np.repeat(latents, n_steps, axis=0), 1)[:, 0]
        errors = states[:, 1:].reshape(-1, n_states) - each
        z = torch.from_numpy(np.tile(latents, (_SIMULATIONS, 1)))
        state, simulated = torch.from_numpy(np.tile(states[:, 0], (_SIMULATIONS, 1))), []
        for _ in range(n_steps):
            state = cell(state, z) + torch.from_numpy(errors[rng.integers(len(errors), size=len(state))])
            simulated.append(state.numpy().reshape(_SIMULATIONS, len(states), n_states))
        off = [_error(one - reached, states) for one in np.stack(simulated, axis=2)]
    return rollout_error(cell, states, latents) > max(off)


def _error(error: np.ndarray, states: np.ndarray) -> float:
    """Mean square of errors (N, K, S), by that of what states (N, K + 1, S) move, 1 at most for each series."""
    moved = np.mean((states[:, 1:] - states[:, :1]) ** 2, axis=(0, 1))  # (S,)
    share = np.mean(error**2 / np.where(moved > 0, moved, 1.0), axis=(1, 2))
    return float(np.minimum(np.nan_to_num(share, nan=1.0), 1.0).mean())
