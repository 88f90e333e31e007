"""Does training in bfloat16 save time on this device?"""

from __future__ import annotations

import time
from functools import cache

import torch
from torch import nn

_WORTH_IT = 0.8  # share of the time in float32; seen: 0.5 with tiles (AMX), 0.6 and 1.2 with AVX-512 of two makers
_REPEATS = 5  # the shortest of them is the one that nothing disturbed


@cache
def multiplies_bfloat16(device: str) -> bool:
    """Whether the device is faster in bfloat16: tensor cores of a GPU, tiles (AMX) or AVX-512 of a CPU.

    A GPU is asked whether it has units for it; emulation on older ones does not count. Of a CPU the instruction set is
    not enough: with the same instructions, one gains 1.7 times in a step of the image encoder, another loses a
    fifth. It is timed once per process, on one convolution of that encoder; a CPU without the instructions is not.
    """
    if torch.device(device).type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if torch.device(device).type != "cpu":
        return False
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # of recent versions of torch
    if not (capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")):
        return False
    return time_of_a_step(mixed=True) < _WORTH_IT * time_of_a_step(mixed=False)


def time_of_a_step(mixed: bool) -> float:
    """Processor seconds of a training step of one convolution on the CPU, the shortest of a few."""
    with torch.random.fork_rng(devices=[]):  # the user's random stream is not ours to move
        layer = nn.Conv2d(32, 64, 5).to(memory_format=torch.channels_last)
        images = torch.rand(64, 32, 12, 12).contiguous(memory_format=torch.channels_last)
    times = []
    for _ in range(1 + _REPEATS):  # the first one also loads kernels
        start = time.thread_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = layer(images).float().square().mean()
        loss.backward()
        times.append(time.thread_time() - start)
    return min(times)
