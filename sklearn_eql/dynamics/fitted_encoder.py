"""The encoder of a fitted model: trained, taught the latents of the law, and kept as plain arrays."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from sklearn_eql._devices import moved
from sklearn_eql.networks.encoders import LATENT_SCALE, Encoder, LatentNorm, build_encoder

_ROWS_AT_ONCE = 512  # windows that are encoded at once: bounds the memory
_LEARNING_RATE = 2e-3  # the highest of the cycle; not tuned
_WEIGHT_DECAY = 1e-3  # windows are few; not tuned


@dataclass(frozen=True)
class FittedEncoder:
    """Weights of an encoder, and the scales before and after it.

    The latents of a window ``(W, S)`` are ``offset + encoder((window - centre) / spread) @ mix``.
    """

    encoder: Encoder
    item_shape: tuple[int, ...]  # (S, W)
    weights: dict[str, np.ndarray]
    centre: np.ndarray  # (S,)
    spread: np.ndarray  # (S,)
    offset: np.ndarray  # (L,)
    mix: np.ndarray  # (L, L)

    @classmethod
    def of(cls, encoder: Encoder, module: torch.nn.Module, norm: LatentNorm, trial: int, windows: np.ndarray):
        """From a trained module and the normalisation behind it."""
        centre, spread = standardisation(windows)
        mean = norm.mean[trial, 0].double().cpu().numpy()
        scale = LATENT_SCALE / np.sqrt(norm.var[trial, 0].double().cpu().numpy())
        shape = (windows.shape[2], windows.shape[1])
        return cls(encoder, shape, _weights(module), centre, spread, -mean * scale, np.diag(scale))

    def module(self) -> torch.nn.Module:
        """The network with these weights."""
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn only to be replaced
            module = build_encoder(self.encoder, self.item_shape, len(self.offset))
        module.load_state_dict({name: torch.as_tensor(value) for name, value in self.weights.items()})
        return module.eval()

    def inputs(self, windows: np.ndarray) -> torch.Tensor:
        """What the encoder reads, ``(N, S, W)`` float32, of windows ``(N, W, S)``."""
        return window_tensor(windows, self.centre, self.spread)

    @torch.no_grad()
    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Latents ``(N, L)`` of windows ``(N, W, S)``, in float64."""
        module = self.module()
        raw = torch.cat([module(part) for part in self.inputs(windows).split(_ROWS_AT_ONCE)])
        return self.offset + raw.double().numpy() @ self.mix

    def taught(
        self,
        windows: np.ndarray,
        latents: np.ndarray,
        n_steps: int,
        batch_size: int,
        seed: int,
        deadline: float,
        device: str = "cpu",
    ) -> FittedEncoder:
        """The encoder trained on to give the `latents` (N, L) of the windows, whatever their scale.

        `windows` (N, W, S) need not be those it was trained on before. With no steps only the scale and the mixture of
        latents are fitted, which takes a moment: it is what is left where Ctrl-C ends the training.
        """
        offset = latents.mean(axis=0)
        scale = latents.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        module = self.module().to(device).train()
        x = moved(self.inputs(windows), device)
        # The weights know another scale of the latents; the last step of the regression would be to learn the new one.
        with torch.no_grad():
            raw = torch.cat([module(part) for part in x.split(_ROWS_AT_ONCE)]).double().cpu().numpy()
        design = np.column_stack([np.ones(len(raw)), raw])
        ahead = np.linalg.lstsq(design, (latents - offset) / scale, rcond=None)[0]
        on = {"dtype": torch.float32, "device": device}
        lead, mix = (torch.as_tensor(part, **on) for part in (ahead[0], ahead[1:]))
        target = torch.as_tensor((latents - offset) / scale, **on)
        optimizer = torch.optim.AdamW(module.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=max(n_steps, 1))
        rng = np.random.default_rng(seed)
        for _ in range(n_steps):
            rows = moved(torch.from_numpy(rng.permutation(len(x))[:batch_size]), device)
            loss = (lead + module(x[rows]) @ mix - target[rows]).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            if time.time() > deadline:
                break
        with torch.no_grad():
            module.eval()
            raw = torch.cat([module(part) for part in x.split(_ROWS_AT_ONCE)]).double().cpu().numpy()
        if not np.isfinite(raw).all() or not np.isfinite(ahead).all():
            return self
        offset = offset + scale * ahead[0]
        return replace(self, weights=_weights(module), offset=offset, mix=ahead[1:] * scale)


def standardisation(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each state over all windows ``(N, W, S)``; 0 and 1 of windows without rows."""
    if not windows.size:
        return np.zeros(windows.shape[2]), np.ones(windows.shape[2])
    centre, spread = windows.mean(axis=(0, 1)), windows.std(axis=(0, 1))
    return centre, np.where(spread > 0, spread, 1.0)


def window_tensor(windows: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> torch.Tensor:
    """Windows ``(N, W, S)`` at unit scale as channels first, ``(N, S, W)``, float32."""
    return torch.tensor((windows - centre) / spread, dtype=torch.float32).transpose(1, 2).contiguous()


def _weights(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}
