"""Encoders: networks that turn an item (an image, a series, a row) into latent numbers for an equation.

The named ones are those of Appendix C of the paper, without their last normalisation, which is :class:`LatentNorm`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import nn

from sklearn_eql._devices import mixed_precision

Encoder = str | Callable[[], nn.Module]

LATENT_SCALE = 0.5
"""Standard deviation of latents after :class:`LatentNorm` (Appendix C): EQL networks expect inputs in [-1, 1]."""

HIDDEN: Mapping[str, tuple[int, ...]] = {"conv2d": (128, 16), "conv1d": (16,), "mlp": (64, 16)}
"""Widths of the dense hidden layers of the built-in encoders."""

_TINY = 1e-12  # variance of an encoder that returns a constant


class LatentNorm(nn.Module):
    """Batch normalisation to mean 0 and standard deviation `LATENT_SCALE`, without learned scale (Appendix C).

    In training by the statistics of the batch, in evaluation by running ones. Latents are ``(..., n, n_latents)``;
    statistics are taken over the last axis but one, so leading axes (trials) stay apart.
    """

    def __init__(self, n_latents: int, leading: tuple[int, ...] = (), momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(*leading, 1, n_latents))
        self.register_buffer("var", torch.ones(*leading, 1, n_latents))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        if not z.shape[-1]:
            return z
        if not self.training:
            return self.normalised(z, self.mean, self.var)
        var, mean = torch.var_mean(z, dim=-2, keepdim=True, correction=0)
        self.follow(mean, var)
        return self.normalised(z, mean, var)

    def raw(self, z: torch.Tensor) -> torch.Tensor:
        """What the encoder returns for latents `z`, by the running statistics."""
        return z / LATENT_SCALE * torch.sqrt(self.var + _TINY) + self.mean

    @torch.no_grad()
    def follow(self, mean: torch.Tensor, var: torch.Tensor) -> None:
        """Move the running statistics towards those of a batch."""
        self.mean.lerp_(mean, self.momentum)
        self.var.lerp_(var, self.momentum)

    @staticmethod
    def normalised(z: torch.Tensor, mean: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
        """Latents by given statistics."""
        return LATENT_SCALE * (z - mean) / torch.sqrt(var + _TINY)


def conv2d(item_shape: tuple[int, ...], n_outputs: int, hidden: Sequence[int] = HIDDEN["conv2d"]) -> nn.Module:
    """Appendix C-A: 32 and 64 filters of 5x5 with max pooling, 128 and 16 hidden units. For images (C, H, W) or (H, W).

    Convolutions have no margin where the image is large enough, and keep its size otherwise, so that images from 4x4
    pixels on are accepted (the paper does not say; margins double the time of a step on 28x28 pixels). Pooling comes
    before the activation: the function is the same, at a quarter of the activations.
    """
    if len(item_shape) not in (2, 3) or min(item_shape[-2:]) < 4:
        raise ValueError(
            f"encoder='conv2d' reads images of shape (height, width) or (channels, height, width), at least 4x4 "
            f"pixels, got items of shape {item_shape}. Use encoder='conv1d' for series, 'mlp' for rows."
        )
    channels = 1 if len(item_shape) == 2 else item_shape[0]
    margin = 0 if min(item_shape[-2:]) >= CONV2D_WITHOUT_MARGIN else 2
    height, width = (((size - 4 + 2 * margin) // 2 - 4 + 2 * margin) // 2 for size in item_shape[-2:])
    return nn.Sequential(
        nn.Unflatten(1, (1, item_shape[0])) if len(item_shape) == 2 else nn.Identity(),
        nn.Conv2d(channels, 32, 5, padding=margin),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 5, padding=margin),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        *_dense(64 * height * width, hidden, n_outputs),
    )


def conv1d(item_shape: tuple[int, ...], n_outputs: int, hidden: Sequence[int] = HIDDEN["conv1d"]) -> nn.Module:
    """Appendix C-B: two layers of 16 filters of length 5, 16 hidden units.

    For series of shape (length,) or (channels, length).
    """
    if len(item_shape) not in (1, 2) or item_shape[-1] < CONV1D_SHORTEST:
        raise ValueError(
            f"encoder='conv1d' reads series of shape (length,) or (channels, length), of length {CONV1D_SHORTEST} at "
            f"least (two filters of 5), got items of shape {item_shape}. Give longer series, or use encoder='mlp'."
        )
    channels = 1 if len(item_shape) == 1 else item_shape[0]
    return nn.Sequential(
        nn.Unflatten(1, (1, item_shape[0])) if len(item_shape) == 1 else nn.Identity(),
        nn.Conv1d(channels, 16, 5),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5),
        nn.ReLU(),
        nn.Flatten(),
        *_dense(16 * (item_shape[-1] - CONV1D_SHORTEST + 1), hidden, n_outputs),
    )


CONV1D_SHORTEST = 9
CONV2D_WITHOUT_MARGIN = 16  # two filters of 5, each followed by pooling


def mlp(item_shape: tuple[int, ...], n_outputs: int, hidden: Sequence[int] = HIDDEN["mlp"]) -> nn.Module:
    """Two hidden layers of 64 and 16 units, for items of any shape, flattened."""
    return nn.Sequential(nn.Flatten(), *_dense(math.prod(item_shape), hidden, n_outputs))


def _dense(n_inputs: int, hidden: Sequence[int], n_outputs: int) -> list[nn.Module]:
    widths = [n_inputs, *hidden, n_outputs]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]


class _Nothing(nn.Module):
    """The encoder of a law without latents."""

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        return items.new_zeros(len(items), 0)


class LatentClasses(nn.Module):
    """Items of a few classes, each with a place in latent space: a network tells how likely every class is.

    A latent is the mean of the prototypes by their probabilities, and that of the likeliest class once `decided` is
    true (out of training). :func:`~sklearn_eql.encoder.latent_classes.soft_minimum` trains an encoder for the latter.

    Parameters
    ----------
    network : nn.Module
        Maps ``(n, *item_shape)`` to ``(n, n_classes)``, logarithms of probabilities up to a constant.
    """

    def __init__(self, network: nn.Module, n_classes: int, n_latents: int) -> None:
        super().__init__()
        self.network = network
        self.prototypes = nn.Parameter(torch.empty(n_classes, n_latents).uniform_(-1, 1) / math.sqrt(n_classes))
        self.register_buffer("decided", torch.tensor(False))

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        logits = self.network(items).to(self.prototypes.dtype)
        with mixed_precision(items.device, False):  # prototypes would be rounded to 8 bits
            shares = logits.softmax(dim=-1)
            if not self.training:  # both are computed: to ask a GPU whether it is decided is to wait for it
                likeliest = torch.zeros_like(shares).scatter_(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
                shares = torch.where(self.decided, likeliest, shares)
            return shares @ self.prototypes


ENCODERS: Mapping[str, Callable[..., nn.Module]] = {
    "conv2d": conv2d,
    "conv1d": conv1d,
    "mlp": mlp,
}
"""Built-in encoders: functions of the shape of an item and the number of outputs."""

_EXPECTED = f"one of {sorted(ENCODERS)}, or a function without arguments that makes a torch.nn.Module"


def build_encoder(
    encoder: Encoder, item_shape: Sequence[int], n_latents: int, n_classes: int | None = None
) -> nn.Module:
    """The encoder that a user asked for, with fresh weights, checked on two random items.

    Parameters
    ----------
    encoder : str or callable
        A name of `ENCODERS`, or a function without arguments that returns a module from ``(n, *item_shape)`` to
        ``(n, n_latents)``, to ``(n, n_classes)`` where classes are given.
    n_classes : int, optional
        Of :class:`LatentClasses`. The softmax takes the place of the last hidden layer of the named encoders.

    Raises
    ------
    TypeError
        A module instead of a function that makes one: fits, clones and trials need fresh weights.
    ValueError
        Unknown names, items the encoder cannot read, outputs of another width or that are not finite.
    """
    item_shape = tuple(int(size) for size in item_shape)
    if n_latents == 0:
        return _Nothing()
    if isinstance(encoder, nn.Module):
        raise TypeError(
            f"encoder: got an instance of {type(encoder).__name__}, expected a function that makes one, so that every "
            f"fit starts with fresh weights. Pass encoder=lambda: {type(encoder).__name__}(...), or a def to pickle."
        )
    if isinstance(encoder, str) and encoder not in ENCODERS:
        raise ValueError(f"encoder={encoder!r}: expected one of {sorted(ENCODERS)}, or a function that makes a module.")
    if isinstance(encoder, str):
        make = ENCODERS[encoder]
        if n_classes is None:
            return make(item_shape, n_latents)
        return LatentClasses(make(item_shape, n_classes, HIDDEN[encoder][:-1]), n_classes, n_latents)
    if not callable(encoder):
        raise TypeError(f"encoder={encoder!r}: expected {_EXPECTED}.")
    module = encoder()
    if not isinstance(module, nn.Module):
        raise TypeError(f"encoder: the function returned {type(module).__name__}, expected a torch.nn.Module.")
    _try_out(module, item_shape, n_latents, n_classes)
    return module if n_classes is None else LatentClasses(module, n_classes, n_latents)


def _try_out(module: nn.Module, item_shape: tuple[int, ...], n_latents: int, n_classes: int | None) -> None:
    width, name = (n_latents, "n_latents") if n_classes is None else (n_classes, "n_classes")
    was_training = module.training
    like = next(module.parameters(), torch.zeros(1))
    items = torch.rand(2, *item_shape, generator=torch.Generator().manual_seed(0)).to(like)
    try:
        with torch.no_grad():
            latents = module.eval()(items)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"encoder: the module failed on a batch of shape {tuple(items.shape)}: {error}. Expected a module that "
            f"maps (n, {', '.join(map(str, item_shape))}) to (n, {width})."
        ) from error
    finally:
        module.train(was_training)
    if not isinstance(latents, torch.Tensor) or tuple(latents.shape) != (2, width):
        got = tuple(latents.shape) if isinstance(latents, torch.Tensor) else type(latents).__name__
        raise ValueError(
            f"encoder: for a batch of shape {tuple(items.shape)} the module returned {got}, expected (2, {width}). "
            f"Let its last layer have {name}={width} units, or set {name}."
        )
    if not torch.isfinite(latents).all():
        raise ValueError(
            "encoder: the module returned NaN or infinity for inputs in [0, 1]; check its initial weights."
        )
