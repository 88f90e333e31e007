"""The device that stands in for a GPU in tests: it computes right, refuses what a GPU refuses, and counts."""

import copy
import io
import re

import numpy as np
import pytest
import torch
from disguised_device import NAME, DisguisedDevice, DisguisedTensor, MixedDevicesError

from sklearn_eql.networks.encoders import LatentNorm
from sklearn_eql.networks.state import parameters_of


@pytest.fixture
def device():
    with DisguisedDevice() as device:
        yield device


def _matrix():
    return torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=NAME)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.tensor([1.0, 2.0], device=NAME),
        lambda: torch.as_tensor(np.array([1.0, 2.0]), device=NAME),
        lambda: torch.tensor([1.0, 2.0]).to(NAME),
        lambda: torch.arange(1.0, 3.0, device=torch.device(NAME)),
        lambda: torch.zeros(2, device=NAME).new_tensor([1.0, 2.0]),
        lambda: torch.empty(2, device=NAME).copy_(torch.tensor([1.0, 2.0])),
    ],
)
def test_whatever_is_made_on_the_device_is_there_and_has_its_numbers(device, make):
    x = make()
    assert isinstance(x, DisguisedTensor)
    assert x.device.type == NAME
    assert x.cpu().device.type == "cpu"
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "mixed",
    [
        lambda x: x + torch.ones(2),
        lambda x: torch.where(torch.tensor([True, False]), x, 0.0),
        lambda x: torch.ones(2, 2) @ x,
        lambda x: x.index_add(0, torch.tensor([0]), x[:1]),
        lambda x: x.index_put_((torch.tensor([0], device=NAME),), torch.ones(1, 2)),
        lambda x: torch.ones(2, 2)[torch.zeros(2, dtype=torch.long, device=NAME)],
        lambda x: torch.add(x, 1, out=torch.empty(2, 2)),
    ],
)
def test_tensors_of_two_devices_do_not_meet(device, mixed):
    with pytest.raises(MixedDevicesError, match="tensors of the CPU, of shape"):
        mixed(_matrix())


def test_numbers_of_the_cpu_may_meet_those_of_the_device(device):
    assert (_matrix() * torch.tensor(2.0)).tolist() == [[2.0, 4.0], [6.0, 8.0]]


@pytest.mark.parametrize("ask", [lambda x: x.numpy(), np.asarray])
def test_the_memory_of_the_device_is_no_array(device, ask):
    with pytest.raises(TypeError, match=r"Tensor\.cpu\(\)"):
        ask(_matrix())


@pytest.mark.parametrize(
    ("ask", "operator"),
    [
        (lambda x: x[0, 0].item(), "_local_scalar_dense"),
        (lambda x: bool(x.any()), "_local_scalar_dense"),
        (lambda x: x.tolist(), "_to_copy"),
        (lambda x: torch.empty(2, 2).copy_(x), "copy_"),
        (lambda x: x[x > 2], "index"),
        (lambda x: x.masked_select(x > 2), "masked_select"),
        (lambda x: x.nonzero(), "nonzero"),
        (lambda x: torch.equal(x, x), "equal"),
        (lambda x: torch.linalg.cholesky(x @ x.mT), "_linalg_check_errors"),
    ],
)
def test_reads_are_counted(device, ask, operator):
    x = _matrix()
    ask(x)
    assert device.reads == {f"outside the package: {operator}": 1}


def test_uploads_are_counted_and_indices_of_the_cpu_are_some(device):
    x = torch.ones(3).to(NAME)
    x[torch.tensor([0, 2])] = 0.0
    assert x[torch.tensor([1])].tolist() == [1.0]
    assert device.uploads == {f"outside the package: {name}": 1 for name in ("_to_copy", "index_put_", "index")}


def test_launches_are_counted_and_views_are_none(device):
    x = _matrix()
    before = device.launches
    y = x.mT[:, 0].reshape(1, 2)
    assert device.launches == before
    torch.bmm(x[None], (y + 1).mT[None])
    assert device.launches == before + 2


def test_messages_and_counts_name_the_line_of_the_package(device):
    norm = LatentNorm(2).eval()
    where = r"^networks/encoders\.py:\d+ sub: tensors of the CPU, of shape \(1, 2\), among"
    with pytest.raises(MixedDevicesError, match=where):
        norm(_matrix())
    parameters_of(norm.to(NAME))
    ((read, times),) = device.reads.items()
    assert re.match(r"^networks/state\.py:\d+ _to_copy$", read)
    assert times == len(norm.state_dict())


def test_gradients_are_those_of_the_cpu(device):
    x = torch.linspace(-1, 1, 6, requires_grad=True)
    y = x.detach().to(NAME).requires_grad_()
    for v in (x, y):
        (torch.exp(v) * v.view(2, 3).softmax(dim=1).flatten()).sum().backward()
    torch.testing.assert_close(y.grad.cpu(), x.grad)


def test_a_module_moves_there_and_back_with_its_optimiser(device):
    module = torch.nn.Linear(2, 1)
    weight = module.weight
    optimizer = torch.optim.Adam(module.parameters())
    there = copy.deepcopy(module.to(NAME))
    assert module.weight is weight
    module(_matrix()).sum().backward()
    optimizer.step()
    module.bias.data = torch.zeros(1, device=NAME)
    assert not torch.allclose(module.weight.cpu(), there.weight.cpu())
    module.cpu()
    assert type(module.weight) is torch.nn.Parameter
    assert module.bias.item() == 0


def test_batched_and_sparse_linear_algebra_is_that_of_the_cpu(device):
    a = torch.tensor([[2.0, 1.0], [1.0, 3.0]]).expand(3, 2, 2).contiguous()
    b, on = torch.arange(6.0).view(3, 2, 1), lambda t: t.to(NAME)
    factor, info = torch.linalg.cholesky_ex(on(a))
    torch.testing.assert_close(torch.cholesky_solve(on(b), factor).cpu(), torch.linalg.solve(a, b))
    assert info.tolist() == [0, 0, 0]
    rows = torch.tensor([0, 0, 1])
    summed = torch.zeros(2, 2, 1, device=NAME).index_add_(0, on(rows), on(b))
    torch.testing.assert_close(summed.cpu(), torch.zeros(2, 2, 1).index_add_(0, rows, b))
    sparse = torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 0]]), torch.ones(2), (2, 2), check_invariants=True)
    torch.testing.assert_close((on(sparse) @ on(a[0])).cpu(), sparse @ a[0])


def test_what_is_saved_is_loaded_to_the_cpu(device):
    file = io.BytesIO()
    torch.save({"x": _matrix()}, file)
    file.seek(0)
    assert torch.load(file, weights_only=True)["x"].device.type == "cpu"


def test_without_tensors_of_the_device_nothing_is_counted(device):
    (torch.ones(2, 2) @ torch.ones(2)).sum().item()
    assert (device.launches, len(device.reads), len(device.uploads)) == (0, 0, 0)
