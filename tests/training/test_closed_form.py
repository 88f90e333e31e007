"""Gradients in closed form are those of autograd."""

import pytest
import torch

from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.primitives import PRIMITIVES, Interval, Primitive, resolve_functions
from sklearn_eql.training.closed_form import ErrorGradient

OWN = Primitive("softplus", 1, torch.nn.functional.softplus, lambda g: g, domain=Interval(-2.0, 0.5))
LEVEL = Primitive("level", 0, lambda g: torch.full_like(g, 2.5), lambda: 2.5)
ALL = [p for p in PRIMITIVES.values() if not p.has_jumps]


def _given(units, n_trials=3, n_outputs=1, n_hidden_layers=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    network = BatchedEQL(2, n_outputs, units, n_hidden_layers, range(n_trials), dtype=torch.float64)
    x, y, weight = (torch.rand(n, 40, generator=generator, dtype=torch.float64) * 2 for n in (2, n_outputs, 1))
    return network, x, y, weight[0]


def _by_autograd(network, x, y, weight, domain_weight):
    flat = network.flat.detach().clone().requires_grad_()
    predicted, violation = network.propagate(x, flat)
    error = ((predicted - y).square() * weight).sum() / y.numel()
    return torch.autograd.grad(error + domain_weight * torch.as_tensor(violation).sum(), flat)[0]


def _agree(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12 * float(expected.abs().max()))


@pytest.mark.parametrize("primitive", ALL, ids=lambda primitive: primitive.name)
def test_every_function_has_the_slopes_of_autograd(primitive):
    given = _given((*resolve_functions(["id", "const"]), *(primitive,) * 2) if primitive.arity else (primitive, ALL[1]))
    _agree(ErrorGradient(given[0], 0.3)(given[0].flat.detach(), *given[1:]), _by_autograd(*given, 0.3))


@pytest.mark.parametrize("functions", ["paper", "default", "paper-sho", ["mul", OWN, LEVEL, "exp", "div", "const"]])
@pytest.mark.parametrize(("n_outputs", "n_hidden_layers"), [(1, 3), (2, 1)])
def test_whole_networks_have_the_gradients_of_autograd(functions, n_outputs, n_hidden_layers):
    given = _given(resolve_functions(functions), 4, n_outputs, n_hidden_layers)
    network, (x, y, weight) = given[0], given[1:]
    gradient = ErrorGradient(network, 0.1)
    _agree(gradient(network.flat.detach(), x, y, weight), _by_autograd(*given, 0.1))
    ones = torch.ones_like(weight)
    part = ErrorGradient(network, 0.0)(network.flat.detach(), x, y)
    _agree(part, _by_autograd(network, x, y, ones, 0.0))


def test_the_arrays_of_a_step_are_used_again_for_other_weights_and_other_numbers_of_trials_and_rows():
    units = resolve_functions("default")
    network, x, y, weight = _given(units, 4)
    gradient = ErrorGradient(network, 0.1)
    for n_rows in (40, 20, 40, 10):
        for n_trials in (4, 3, 1):
            smaller, *_ = _given(units, n_trials)
            smaller.flat.data *= 1.5
            rows = x[:, :n_rows], y[:, :n_rows], weight[:n_rows]
            _agree(gradient(smaller.flat.detach(), *rows), _by_autograd(smaller, *rows, 0.1))


def test_a_trial_that_is_not_finite_leaves_the_others_alone():
    network, x, y, weight = _given(resolve_functions("default"))
    network.flat.data[1] = torch.nan
    network.flat.data[2] *= 1e200
    found = ErrorGradient(network, 0.1)(network.flat.detach(), x, y, weight)
    _agree(found[:1], _by_autograd(network, x, y, weight, 0.1)[:1])
    assert not torch.isfinite(found[1:]).all(dim=1).any()
