"""The latent of a known law that explains an observed stretch best."""

from __future__ import annotations

import numpy as np
import torch

from sklearn_eql.dynamics.law_cell import LawCell
from sklearn_eql.dynamics.series_by_series import fit_each

_MAX_STARTS = 60  # in a window, spread evenly, from which its latent is found; fewer if the stretches are long
_MAX_WORK = 300  # starts times steps
_MAX_ITER = 30  # a bound; from the latent of an encoder a handful do
_SETTLED = 1e-14  # relative fall of the error


def identify(
    cell: LawCell, windows: np.ndarray, latents: np.ndarray, scale: np.ndarray, horizon: int = 1
) -> np.ndarray:
    """Latents ``(N, L)`` under which the law explains the windows best, from those of an encoder.

    Levenberg-Marquardt, series by series, on the errors after `horizon` steps from many states of the window, in units
    of `scale` (S,). One step is exact without noise; over more, the latent moves the state further than noise does.
    Series for which that leads nowhere keep the latent they came with. `windows` is ``(N, W, S)``, ``W > horizon``.
    """
    n_starts = min(_MAX_STARTS, max(_MAX_WORK // horizon, 2))
    taken = np.unique(np.linspace(0, windows.shape[1] - 1 - horizon, n_starts).round().astype(int))
    before, after = torch.from_numpy(windows[:, taken]), torch.from_numpy(windows[:, taken + horizon])
    unit = torch.from_numpy(scale)
    return fit_each(lambda z: _errors(cell, before, after, unit, z, horizon), latents, _MAX_ITER, _SETTLED)


def _errors(
    cell: LawCell, before: torch.Tensor, after: torch.Tensor, unit: torch.Tensor, latents: np.ndarray, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Errors of steps from states `before` to those `after` (N, K, S), in units of `unit` (S,), and their slopes.

    As `fit_each` takes them, all steps and states of a series in a row: ``(N, K * S)`` and ``(N, K * S, L)``.
    """
    n_series, n_steps, n_states = before.shape
    with torch.enable_grad():
        repeated = torch.from_numpy(latents).repeat_interleave(n_steps, dim=0).requires_grad_()
        following = before.reshape(-1, n_states)
        for _ in range(horizon):
            following = cell(following, repeated)
        following = following / unit
        slopes = [
            torch.autograd.grad(following[:, j].sum(), repeated, retain_graph=True, materialize_grads=True)[0]
            if following.requires_grad  # a law without latents does not
            else torch.zeros_like(repeated)
            for j in range(n_states)
        ]
    error = after / unit - following.detach().view(n_series, n_steps, n_states)
    slopes = torch.stack(slopes, dim=1).reshape(n_series, n_steps * n_states, -1)
    return error.reshape(n_series, -1).numpy(), slopes.numpy()
