"""A set encoder and an autoregressive decoder: from the rows of a table to the tokens of its law.

The encoder lets a few latent vectors attend to the rows (Jaegle et al. 2021), so that the order of rows does not matter
and their number costs little. The decoder attends to its own past and to the latents (Vaswani et al. 2017, with
normalisation before each layer).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_eql.language.tokens import PAD

_FREQUENCIES = (0.5, 1.0, 2.0)  # of the Fourier features, in half turns per unit
_FEATURES = 2 + 2 * len(_FREQUENCIES)  # of a number
_MAX_NUMBER = 1e30  # larger ones are shown as this


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of a network.

    Parameters
    ----------
    n_tokens, n_variables, max_tokens : int
        Of the vocabulary, the tables, and the longest expression.
    width, n_heads : int
        Of every vector and attention.
    n_latents, n_blocks, n_rounds : int
        The encoder: latent vectors, different blocks, and how often these are gone through.
    n_layers : int
        Of the decoder.
    """

    n_tokens: int
    n_variables: int = 1
    max_tokens: int = 20
    width: int = 128
    n_heads: int = 4
    n_latents: int = 16
    n_blocks: int = 2
    n_rounds: int = 2
    n_layers: int = 3


def row_features(X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """What the encoder sees of the rows.

    Parameters
    ----------
    X : Tensor, shape (B, N, n_variables)
    y : Tensor, shape (B, N)
        NaN in rows that are to be left out.

    Returns
    -------
    features : Tensor, shape (B, N, n_features)
        Float32: value, asinh and Fourier features of every variable, of the target standardised, and of its asinh,
        which tells offset and scale. Zero in rows that are left out.
    present : bool Tensor, shape (B, N)
        Which rows take part.
    """
    present = torch.isfinite(y) & torch.isfinite(X).all(dim=-1)
    y = torch.where(present, y, 0.0).clamp(-_MAX_NUMBER, _MAX_NUMBER)
    X = torch.where(present[..., None], X, 0.0).clamp(-_MAX_NUMBER, _MAX_NUMBER)
    count = present.sum(dim=-1, keepdim=True).clamp(min=1)
    mean = y.sum(dim=-1, keepdim=True) / count
    centred = torch.where(present, y - mean, 0.0)
    deviation = (centred.square().sum(dim=-1, keepdim=True) / count).sqrt()
    standard = centred / torch.where(deviation > 0, deviation, 1.0)
    numbers = torch.stack([*X.unbind(dim=-1), standard, torch.asinh(y)], dim=-1).float()  # (B, N, V + 2)
    turns = torch.stack([numbers * (math.pi * frequency) for frequency in _FREQUENCIES], dim=-1)
    features = torch.cat([numbers[..., None], torch.asinh(numbers)[..., None], turns.sin(), turns.cos()], dim=-1)
    return features.flatten(start_dim=-2) * present[..., None], present


class Attention(nn.Module):
    """Attention of several heads, with keys and values apart, so that they can be kept."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.output = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of ``(B, S, W)``, each ``(B, heads, S, W / heads)``."""
        keys, values = self.key_value(x).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def forward(
        self, x: Tensor, keys_values: tuple[Tensor, Tensor], mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """What ``(B, T, W)`` reads, same shape; `mask` is true where it may look, ``(B, 1, 1, S)``."""
        keys, values = keys_values
        # Written out: for few keys, torch's fused operation takes several times as long in its reverse pass on a CPU.
        queries = self._split(self.query(x)) / math.sqrt(keys.shape[-1])
        scores = queries @ keys.transpose(-1, -2)  # (B, heads, T, S)
        if causal:
            mask = scores.new_ones(scores.shape[-2:], dtype=torch.bool).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        read = scores.softmax(dim=-1).to(values.dtype) @ values
        return self.output(read.transpose(1, 2).flatten(start_dim=2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


def _feed_forward(width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


class Block(nn.Module):
    """Latents or tokens attend to themselves and to something else, in the order that `cross_first` says."""

    def __init__(self, width: int, n_heads: int, cross_first: bool) -> None:
        super().__init__()
        self.cross_first = cross_first
        self.norm_self, self.norm_cross = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend_self, self.attend_cross = Attention(width, n_heads), Attention(width, n_heads)
        self.feed_forward = _feed_forward(width)

    def forward(
        self, x: Tensor, memory: tuple[Tensor, Tensor], mask: Tensor | None = None, past: Past | None = None
    ) -> Tensor:
        """The next state of ``(B, T, W)``; `memory` holds keys and values of what is attended to."""
        if self.cross_first:
            x = x + self.attend_cross(self.norm_cross(x), memory, mask)
            inner = self.norm_self(x)
            x = x + self.attend_self(inner, self.attend_self.keys_values(inner))
        else:
            inner = self.norm_self(x)
            fresh = self.attend_self.keys_values(inner)
            x = x + self.attend_self(inner, past.extended(fresh) if past else fresh, causal=past is None)
            x = x + self.attend_cross(self.norm_cross(x), memory, mask)
        return x + self.feed_forward(x)


class Past:
    """Keys and values of the tokens that a layer has read, ``(B, heads, T, W / heads)`` each."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None

    def extended(self, fresh: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """All keys and values with those of a new token."""
        if self._kept is not None:
            fresh = tuple(torch.cat([old, new], dim=2) for old, new in zip(self._kept, fresh, strict=True))
        self._kept = fresh
        return fresh

    def reorder(self, rows: Tensor) -> None:
        """Go on with these rows of the batch."""
        if self._kept is not None:
            self._kept = tuple(kept[rows] for kept in self._kept)


class LawTransformer(nn.Module):
    """From rows to tokens.

    Parameters
    ----------
    config : NetworkConfig
        Sizes.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, n_heads = config.width, config.n_heads
        self.read_row = nn.Sequential(
            nn.Linear(_FEATURES * (config.n_variables + 2), 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.norm_rows, self.norm_latents = nn.LayerNorm(width), nn.LayerNorm(width)
        self.latents = nn.Parameter(torch.randn(config.n_latents, width) / math.sqrt(width))
        self.encoder = nn.ModuleList(Block(width, n_heads, cross_first=True) for _ in range(config.n_blocks))
        self.embed_token = nn.Embedding(config.n_tokens, width, padding_idx=PAD)
        self.embed_place = nn.Parameter(torch.randn(config.max_tokens, width) / math.sqrt(width))
        self.decoder = nn.ModuleList(Block(width, n_heads, cross_first=False) for _ in range(config.n_layers))
        self.norm_output, self.output = nn.LayerNorm(width), nn.Linear(width, config.n_tokens)

    def encode(self, X: Tensor, y: Tensor) -> Tensor:
        """Latents of tables, ``(B, n_latents, W)``; `X` and `y` as in `row_features`. The order of rows is not seen."""
        features, present = row_features(X, y)
        rows = self.norm_rows(self.read_row(features))
        mask = present[:, None, None, :]
        latents = self.latents.expand(len(X), -1, -1)
        keys_values = [block.attend_cross.keys_values(rows) for block in self.encoder]
        for _ in range(self.config.n_rounds):
            for block, kept in zip(self.encoder, keys_values, strict=True):
                latents = block(latents, kept, mask)
        return self.norm_latents(latents)

    def memory(self, latents: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values that the layers of the decoder read of the latents."""
        return [block.attend_cross.keys_values(latents) for block in self.decoder]

    def forward(self, memory: list[tuple[Tensor, Tensor]], tokens: Tensor) -> Tensor:
        """Logits of what follows each token, ``(B, T, n_tokens)``, for tokens ``(B, T)`` that begin with the start."""
        # A product in place of a look-up, whose reverse pass may wait for the device (and then no graph records it).
        is_token = tokens[..., None] == torch.arange(self.config.n_tokens, device=tokens.device)
        embedded = is_token.to(self.embed_token.weight.dtype) @ self.embed_token.weight
        x = embedded + self.embed_place[: tokens.shape[1]]
        for block, kept in zip(self.decoder, memory, strict=True):
            x = block(x, kept)
        return self.output(self.norm_output(x))

    def step(self, memory: list[tuple[Tensor, Tensor]], tokens: Tensor, place: int, past: list[Past]) -> Tensor:
        """Logits ``(B, n_tokens)`` of what follows tokens ``(B,)`` at `place`, with the past kept in `past`."""
        x = (self.embed_token(tokens) + self.embed_place[place])[:, None]
        for block, kept, before in zip(self.decoder, memory, past, strict=True):
            x = block(x, kept, past=before)
        return self.output(self.norm_output(x))[:, 0]

    def fresh_past(self) -> list[Past]:
        """Nothing read yet, for `step`."""
        return [Past() for _ in self.decoder]
