"""bfloat16 is used where it is faster, not where it is only known."""

import pytest
import torch

from sklearn_eql.training import bfloat16


@pytest.fixture(autouse=True)
def forgotten():
    """What was measured before does not count."""
    bfloat16.multiplies_bfloat16.cache_clear()
    yield
    bfloat16.multiplies_bfloat16.cache_clear()


def processor(monkeypatch, capabilities, seconds):
    """A CPU with these capabilities, and these times of a step in float32 and bfloat16."""
    timed = []

    def time_of_a_step(mixed):
        timed.append(mixed)
        return seconds[mixed]

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(bfloat16, "time_of_a_step", time_of_a_step)
    return timed


@pytest.mark.parametrize(
    ("capabilities", "seconds", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, (0.064, 0.031), True),
        ({"amx_bf16": False, "avx512_bf16": True}, (0.0917, 0.0539), True),  # AMD EPYC
        ({"amx_bf16": False, "avx512_bf16": True}, (0.062, 0.075), False),  # Intel Xeon with its tiles switched off
    ],
    ids=["tiles", "vectors", "slow vectors"],
)
def test_a_processor_with_the_instructions_is_timed_once(monkeypatch, capabilities, seconds, expected):
    timed = processor(monkeypatch, capabilities, seconds)
    assert [bfloat16.multiplies_bfloat16("cpu") for _ in range(3)] == [expected] * 3
    assert sorted(timed) == [False, True]


@pytest.mark.parametrize("capabilities", [{}, {"avx2": True, "avx512_f": True}])
def test_a_processor_without_the_instructions_is_not_timed(monkeypatch, capabilities):
    timed = processor(monkeypatch, capabilities, (1.0, 0.1))
    assert bfloat16.multiplies_bfloat16("cpu") is False
    assert timed == []


@pytest.mark.parametrize("real", [True, False])
def test_emulation_on_a_gpu_does_not_count(monkeypatch, real):
    class Device:
        def __init__(self, device): ...

        def __enter__(self): ...

        def __exit__(self, *error): ...

    monkeypatch.setattr(torch.cuda, "device", Device)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or real)
    assert bfloat16.multiplies_bfloat16("cuda") is real


def test_a_step_is_timed_without_moving_the_users_random_numbers():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert bfloat16.time_of_a_step(mixed=False) > 0
    assert torch.equal(torch.get_rng_state(), before)
