"""Penalties against the formulas of the paper."""

import math

import numpy as np
import pytest
import torch

from sklearn_eql.networks.batched_eql import INIT_SCALES, INIT_SCALES_GATED, BatchedEQL
from sklearn_eql.networks.freezing import freeze
from sklearn_eql.networks.penalties import (
    L1,
    HardConcreteL0,
    SmoothedL05,
    closed_gradient,
    initial_scales,
    resolve_penalty,
)
from sklearn_eql.primitives import resolve_functions


def _weights(n_trials=3, n_weights=400, seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=(n_trials, n_weights)) * 10.0 ** rng.uniform(-4, 1, size=(n_trials, n_weights)))


def _equation_3(w, a):
    v = w.clamp(-a, a)  # keeps the branch that is not taken finite, and so its gradient
    inner = (-(v**4) / (8 * a**3) + 3 * v**2 / (4 * a) + 3 * a / 8) ** 0.5
    return torch.where(w.abs() < a, inner, w.abs() ** 0.5)


def _draws(gates, w, n):
    out = []
    for _ in range(n):
        gates.draw()
        out.append(gates.sample(w).detach())
    return torch.stack(out)  # (n, T, P)


@pytest.mark.parametrize("threshold", [0.01, 0.05, 0.1])
def test_smoothed_l05_is_equation_3(threshold):
    w = _weights()
    expected = _equation_3(w, threshold).sum(dim=1)
    torch.testing.assert_close(SmoothedL05(threshold).value(w), expected)


def test_gradient_of_smoothed_l05_is_the_derivative_of_equation_3():
    w = _weights().requires_grad_()
    (expected,) = torch.autograd.grad(_equation_3(w, 0.01).sum(), w)
    (actual,) = torch.autograd.grad(SmoothedL05().value(w).sum(), w)
    torch.testing.assert_close(actual, expected)
    assert torch.autograd.gradcheck(SmoothedL05(0.3).value, torch.linspace(-1, 1, 21).double()[None].requires_grad_())


@pytest.mark.parametrize("penalty", [SmoothedL05(), SmoothedL05(0.3), L1()])
def test_gradients_in_closed_form_are_those_of_the_value(penalty):
    w = _weights().requires_grad_()
    (expected,) = torch.autograd.grad(penalty.value(w).sum(), w)
    torch.testing.assert_close(closed_gradient(penalty)(w.detach()), expected)


def test_a_penalty_with_a_value_of_its_own_does_not_inherit_the_gradient_of_another():
    class Doubled(L1):
        def value(self, weights, gates=None):
            return 2 * super().value(weights)

    class Same(L1):
        pass

    assert closed_gradient(Doubled()) is None
    assert closed_gradient(HardConcreteL0()) is None
    assert closed_gradient(Same()) is not None


def test_smoothed_l05_has_no_gradient_at_zero_and_meets_the_root_at_the_threshold():
    w = torch.tensor([[0.0]], dtype=torch.float64, requires_grad=True)
    SmoothedL05().value(w).sum().backward()
    assert w.grad.item() == 0.0
    edge = torch.tensor([[0.01]], dtype=torch.float64)
    assert SmoothedL05().value(edge).item() == pytest.approx(0.1)


def test_l1_is_the_sum_of_absolute_weights():
    w = _weights()
    torch.testing.assert_close(L1().value(w), w.abs().sum(dim=1))


def test_hard_concrete_penalty_is_the_expected_number_of_open_gates():
    penalty = HardConcreteL0()
    w = torch.ones(1, 20_000, dtype=torch.float64)
    gates = penalty.gates(w, [0], 5_000)
    samples = (_draws(gates, w, 50)[..., :15_000] > 0).double()
    assert penalty.value(w, gates).item() / 15_000 == pytest.approx(samples.mean().item(), abs=0.01)


def test_hard_concrete_gates_follow_appendix_b():
    penalty = HardConcreteL0(beta=0.5, gamma=-0.2, zeta=1.3, droprate_init=0.3, gate_output=True)
    w = torch.ones(2, 50, dtype=torch.float64)
    gates = penalty.gates(w, [1, 2], 10)
    assert gates.log_alpha.mean().item() == pytest.approx(math.log(0.7 / 0.3), abs=0.02)
    expected = (torch.sigmoid(gates.log_alpha) * 1.5 - 0.2).clamp(0, 1)
    torch.testing.assert_close(gates.expected(w), expected.detach())
    z = gates.sample(w)
    assert z.min() >= 0
    assert z.max() <= 1


def test_gate_noise_is_uniform_over_steps_and_independent_of_the_batch():
    w = torch.ones(3, 30, dtype=torch.float64)
    batch, solo = (
        HardConcreteL0(gate_output=True).gates(part, seeds, 1) for part, seeds in ((w, [5, 6, 7]), (w[:1], [6]))
    )
    draws = _draws(batch, w, 2000)
    alone = _draws(solo, w[:1], 2000)
    torch.testing.assert_close(draws[:, 1], alone[:, 0])
    half_open = (draws > 0.5).double().mean(dim=0)
    assert half_open.min() > 0.44
    assert half_open.max() < 0.56
    correlation = torch.corrcoef(draws.mean(dim=2).T)[0, 1].abs()
    assert correlation < 0.3


def test_closed_gates_are_exact_zeros():
    w = torch.ones(1, 5, dtype=torch.float64)
    gates = HardConcreteL0().gates(w, [0], 1)
    gates.log_alpha.data = torch.tensor([[-4.0, -3.0, 0.0, 5.0]], dtype=torch.float64)
    assert gates.expected(w).tolist()[0][:2] == [0.0, 0.0]
    assert gates.expected(w)[0, 3] == 1.0
    assert gates.expected(w)[0, 4] == 1.0  # output layer: no gate


@pytest.mark.parametrize(("name", "kind"), [("l05", SmoothedL05), ("l0", HardConcreteL0), ("l1", L1)])
def test_penalties_resolve_by_name(name, kind):
    assert isinstance(resolve_penalty(name), kind)


@pytest.mark.parametrize("bad", ["l2", 0.5, None, SmoothedL05])
def test_unknown_penalties_are_named_with_the_choices(bad):
    with pytest.raises(ValueError, match=r"penalty must be one of \['l0', 'l05', 'l1'\]"):
        resolve_penalty(bad)


class OwnGated:
    """A user's penalty with gates, of no class of the package."""

    def __init__(self):
        self.like = HardConcreteL0()

    def gates(self, weights, seeds, n_output):
        return self.like.gates(weights, seeds, n_output)

    def value(self, weights, gates=None):
        return self.like.value(weights, gates)


class OwnPlain:
    def gates(self, weights, seeds, n_output):
        return None

    def value(self, weights, gates=None):
        return weights.square().sum(dim=1)


@pytest.mark.parametrize(
    ("penalty", "scales"),
    [
        (SmoothedL05(), INIT_SCALES),
        (L1(), INIT_SCALES),
        (HardConcreteL0(), INIT_SCALES_GATED),
        (OwnPlain(), INIT_SCALES),
        (OwnGated(), INIT_SCALES_GATED),
    ],
)
def test_gated_weights_start_larger_whoever_wrote_the_penalty(penalty, scales):
    assert initial_scales(penalty) == scales


def test_a_penalty_may_choose_its_initial_scales():
    own = OwnGated()
    own.init_scales = [0.2, 0.3, 0.4]
    assert initial_scales(own) == (0.2, 0.3, 0.4)


@pytest.mark.parametrize("bad", [(0.1, 0.5), (0.1, -0.5, 1.0), (0.1, 0.5, math.nan)])
def test_initial_scales_that_are_none_are_refused(bad):
    own = OwnPlain()
    own.init_scales = bad
    with pytest.raises(ValueError, match="init_scales must be three positive numbers"):
        initial_scales(own)


def test_freezing_closes_gates_and_whatever_led_to_the_weights_behind_them():
    network = BatchedEQL(1, 1, resolve_functions(["sin", "exp"]), 1, [0])
    network.flat.data.fill_(1.0)  # x to sin, x to exp, sin to output, exp to output
    gates = HardConcreteL0(gate_output=True).gates(network.flat.detach(), [0], 2)
    gates.log_alpha.data = torch.tensor([[0.0, 0.0, 9.0, -9.0]])
    freeze(network, 0.0, gates)
    half_open = 0.5 * 1.2 - 0.1
    torch.testing.assert_close(network.masked().detach(), torch.tensor([[half_open, 0.0, 1.0, 0.0]]))
    assert network.mask.tolist() == [[True, False, True, False]]
