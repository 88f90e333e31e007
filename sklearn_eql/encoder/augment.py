"""Distortions of training images, for a whole batch at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn.functional import affine_grid, grid_sample

from sklearn_eql._devices import moved

Transform = Callable[[torch.Tensor], torch.Tensor]

_ROTATION = 10.0  # degrees
_SCALE = 0.08  # of the size, up or down
_SHEAR = 0.15  # of the height, to either side
_SHIFT = 0.05  # of width and height


def distort(images: torch.Tensor) -> torch.Tensor:
    """Turn, scale, shear and shift every image a little, each at random: ``(n, C, H, W)``, zeros move in.

    Two torch calls for a batch, on the device of the images; a transform per image takes longer than a training step.
    """
    n = len(images)

    def uniform(limit: float, *shape: int) -> torch.Tensor:
        return (2 * torch.rand(n, *shape) - 1) * limit

    angle, stretch = uniform(math.radians(_ROTATION)), 1 + uniform(_SCALE, 2)
    maps = torch.empty(n, 2, 3)
    maps[:, 0, 0] = angle.cos() * stretch[:, 0]
    maps[:, 0, 1] = uniform(_SHEAR) - angle.sin()
    maps[:, 1, 0] = angle.sin()
    maps[:, 1, 1] = angle.cos() * stretch[:, 1]
    maps[:, :, 2] = uniform(2 * _SHIFT, 2)  # in units of half a side
    grid = affine_grid(moved(maps, images.device), list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False)


def transformed(
    samples: torch.Tensor, transforms: str | Transform | None, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Samples ``(n, n_items, *item_shape)`` of the CPU, on a device, their items changed by a transform.

    Distortions are computed there. A function of the user gets images of the CPU.

    Raises
    ------
    ValueError
        Items that are no images, or a transform that changes their shape.
    """
    if transforms is None:
        return moved(samples, device)
    items = samples.flatten(0, 1)  # (n * n_items, *item_shape)
    if items.dim() not in (3, 4):
        raise ValueError(
            f"transforms: items have shape {tuple(items.shape[1:])}, expected images of shape (height, width) or "
            "(channels, height, width). Leave transforms=None for other items."
        )
    images = items if items.dim() == 4 else items[:, None]
    if transforms == "affine":
        changed = distort(moved(images, device))
    else:
        changed = torch.stack([torch.as_tensor(transforms(image)) for image in images])
    if changed.shape != images.shape:
        raise ValueError(
            f"transforms: images of shape {tuple(images.shape[1:])} became {tuple(changed.shape[1:])}; expected the "
            "same shape. Leave out cropping and resizing, or do them before fit."
        )
    return moved(changed.reshape(samples.shape), device).to(torch.float32)
