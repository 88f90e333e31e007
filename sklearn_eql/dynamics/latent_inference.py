"""The latent of a known law that explains an observed stretch best."""

from __future__ import annotations

import numpy as np
import torch

from sklearn_eql.dynamics.law_cell import LawCell

_MAX_STARTS = 60  # in a window, spread evenly, from which its latent is found; fewer if the stretches are long
_MAX_WORK = 300  # starts times steps
_MAX_ITER = 30
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
    before, after = windows[:, taken], torch.from_numpy(windows[:, taken + horizon])
    n_series, n_steps, n_states = before.shape
    flat = torch.from_numpy(np.ascontiguousarray(before)).reshape(-1, n_states)
    unit = torch.from_numpy(scale)

    def residuals(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Errors ``(N, K, S)`` and their slopes by the latents ``(N, K, S, L)``."""
        with torch.enable_grad():
            repeated = z.repeat_interleave(n_steps, dim=0).requires_grad_()
            following = flat
            for _ in range(horizon):
                following = cell(following, repeated)
            following = following / unit
            slopes = [
                torch.autograd.grad(following[:, j].sum(), repeated, retain_graph=True, materialize_grads=True)[0]
                for j in range(n_states)
            ]
        error = after / unit - following.detach().view(n_series, n_steps, n_states)
        return error, torch.stack(slopes, dim=1).view(n_series, n_steps, n_states, -1)

    z = torch.from_numpy(latents.copy())
    error, slopes = residuals(z)
    loss = torch.nan_to_num(error.square().sum(dim=(1, 2)), nan=torch.inf)
    damping = torch.full((n_series,), 1e-6, dtype=torch.float64)
    for _ in range(_MAX_ITER):
        matrix = torch.einsum("nksl,nksj->nlj", slopes, slopes)
        gradient = torch.einsum("nksl,nks->nl", slopes, error)
        size = matrix.diagonal(dim1=1, dim2=2).sum(dim=1) + torch.finfo(torch.float64).tiny
        damped = matrix + (damping * size)[:, None, None] * torch.eye(z.shape[1], dtype=torch.float64)
        sound = torch.isfinite(damped).all(dim=(1, 2)) & torch.isfinite(gradient).all(dim=1)
        damped = torch.where(sound[:, None, None], damped, torch.eye(z.shape[1], dtype=torch.float64))
        step = torch.linalg.solve(damped, torch.where(sound[:, None], gradient, 0.0))
        trial = z + step
        trial_error, trial_slopes = residuals(trial)
        trial_loss = torch.nan_to_num(trial_error.square().sum(dim=(1, 2)), nan=torch.inf)
        better = trial_loss < loss
        fall = torch.where(better & torch.isfinite(loss), loss - trial_loss, 0.0)
        z = torch.where(better[:, None], trial, z)
        error = torch.where(better[:, None, None], trial_error, error)
        slopes = torch.where(better[:, None, None, None], trial_slopes, slopes)
        settled = bool((fall <= _SETTLED * loss).all())
        loss = torch.where(better, trial_loss, loss)
        damping = torch.where(better, damping / 10, (damping * 10).clamp(max=1e6))
        if settled:
            break
    return z.numpy()
