"""The dense head: penalties with gates, what is left when they are closed."""

import pytest
import torch

from sklearn_eql.encoder.heads import DenseHead
from sklearn_eql.networks.penalties import L1, HardConcreteL0
from sklearn_eql.primitives import resolve_functions

UNITS = resolve_functions(["id", "mul"])


class OwnGated:
    """A user's penalty with gates, of no class of the package."""

    def gates(self, weights, seeds, n_output):
        return HardConcreteL0().gates(weights, seeds, n_output)

    def value(self, weights, gates=None):
        return HardConcreteL0().value(weights, gates)


def test_weights_under_a_gated_penalty_of_ones_own_start_as_under_the_built_in_one():
    own, built_in = (DenseHead(2, UNITS, 1, penalty, seed=0) for penalty in (OwnGated(), HardConcreteL0()))
    assert torch.equal(own.network.flat, built_in.network.flat)
    assert not torch.equal(own.network.flat, DenseHead(2, UNITS, 1, L1(), seed=0).network.flat)


@pytest.mark.parametrize("penalty", [HardConcreteL0(), OwnGated()])
def test_closed_gates_cost_nothing_and_leave_the_weights_of_evaluation(penalty):
    head = DenseHead(2, UNITS, 1, penalty, seed=0)
    assert head.cost() > 0
    expected = head.eval().weights().detach()
    head.freeze(0.0)
    assert head.cost() == 0
    torch.testing.assert_close(head.train().weights().detach(), expected)


def test_a_penalty_of_weights_goes_on_after_small_ones_are_frozen():
    head = DenseHead(2, UNITS, 1, L1(), seed=0)
    head.freeze(0.01)
    torch.testing.assert_close(head.cost(), head.weights().abs().sum())
