"""What a device of torch is given to do: how much at once, and from how much on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

CPU = "cpu"
_SHARE_OF_FREE = 4  # a quarter of the memory that is free: temporaries of an operation come on top
_OTHERWISE = 1 << 28  # bytes, where the device does not tell what is free


def bytes_at_once(device: str) -> int:
    """Bytes of the arrays that one batch of a computation may hold."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // _SHARE_OF_FREE
    return _OTHERWISE


def ship(arrays: Mapping[str, np.ndarray], device: str) -> dict[str, torch.Tensor]:
    """Arrays of one dtype as tensors on the device, in one transfer."""
    [dtype] = {a.dtype for a in arrays.values()}
    flat = torch.from_numpy(np.concatenate([np.ravel(a) for a in arrays.values()], dtype=dtype)).to(device)
    parts = flat.split([a.size for a in arrays.values()])
    return {name: part.view(a.shape) for (name, a), part in zip(arrays.items(), parts, strict=True)}
