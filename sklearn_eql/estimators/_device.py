"""Where structures are fitted and networks trained: the device that a user names."""

from __future__ import annotations

import torch

DEVICE_TYPES = ("cpu", "cuda")
"""What networks can be trained on."""


def resolve_device(device: str) -> str:
    """Device name that torch understands; ValueError if it is not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        parsed = torch.device(device)
    except RuntimeError:
        parsed = None
    if parsed is None or parsed.type not in DEVICE_TYPES:
        raise ValueError(
            f"device={device!r} is unknown. Expected 'auto', 'cpu', 'cuda' or 'cuda:1'. Use 'auto', which takes a GPU "
            "if there is one."
        )
    if parsed.type == "cuda":
        n_devices = torch.cuda.device_count()
        if (parsed.index or 0) >= n_devices:
            raise ValueError(
                f"device={device!r} is not there: torch sees {n_devices} CUDA devices. Expected a device that exists. "
                "Use device='cpu' or 'auto', or install a CUDA build of torch."
            )
    return device
