"""What a device of torch is given to do: how much at once, how arrays get there, in which precision, and what is random
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch

CPU = "cpu"
_GENERATION = {True: 256, False: 1024}  # structures, on the CPU and elsewhere
_SHARE_OF_FREE = 4  # a quarter of the memory that is free: temporaries of an operation come on top
_OTHERWISE = 1 << 28  # bytes, where the device does not tell what is free


def bytes_at_once(device: str | torch.device) -> int:
    """Bytes of the arrays that one batch of a computation may hold."""
    if torch.device(device).type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, for what comes next
        return (free + kept) // _SHARE_OF_FREE
    return _OTHERWISE


def moved(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """The tensor on a device.

    From the CPU to a GPU by way of page-locked memory: the copy is put in line, and the host does not wait for it.
    """
    device = torch.device(device)
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def generation_size(device: str) -> int:
    """Structures that are proposed before any of them is fitted.

    Larger generations learn later from what they find. They pay where the fit costs little beside the proposals: a
    device computes a thousand structures in about the time of a hundred, because the launches are the same.
    """
    return _GENERATION[device == CPU]


def ship(arrays: Mapping[str, np.ndarray], device: str | torch.device) -> dict[str, torch.Tensor]:
    """Arrays of one dtype as tensors on the device, in one transfer."""
    [dtype] = {a.dtype for a in arrays.values()}
    flat = torch.from_numpy(np.concatenate([np.ravel(a) for a in arrays.values()], dtype=dtype))
    parts = moved(flat, device).split([a.size for a in arrays.values()])
    return {name: part.view(a.shape) for (name, a), part in zip(arrays.items(), parts, strict=True)}


def mixed_precision(device: torch.device, enabled: bool) -> AbstractContextManager:
    """Layers inside in bfloat16 or, within such a context, in full precision again.

    A device for which torch knows no mixed precision computes in full precision.
    """
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


@contextmanager
def random_numbers_of(seed: int, device: str | torch.device = CPU) -> Iterator[None]:
    """What is random on the CPU and on the device follows from a seed inside.

    The user's streams are not ours to move: they go on afterwards, and those of other devices are left alone.
    """
    device = torch.device(device)
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
