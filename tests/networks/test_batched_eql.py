"""Batched networks: layout, masks, seeds, conversion to equations."""

import numpy as np
import pytest
import torch

from sklearn_eql.networks.batched_eql import INIT_SCALES, BatchedEQL
from sklearn_eql.primitives import EVERYWHERE, PRESETS, Primitive, resolve_functions


def _network(functions="paper", n_features=2, n_outputs=1, n_hidden_layers=2, seeds=(0, 1, 2), **kwargs):
    kwargs.setdefault("dtype", torch.float64)
    return BatchedEQL(n_features, n_outputs, resolve_functions(functions), n_hidden_layers, seeds, **kwargs)


def _reference(network, t, X):
    """Section II written with loops: g = W h, h = f(g), first arguments of a group before its second ones."""
    h = X  # (N, U)
    *hidden, last = [w[t] for w in network.weights]
    for W in hidden:
        g, outputs, column = h @ W, [], 0
        for group in network.groups:
            p = group.primitive
            for k in range(group.n_copies):
                args = [g[:, column + position * group.n_copies + k] for position in range(p.arity)]
                outputs.append(p.clamped(*args) if p.arity else torch.ones(len(X), dtype=X.dtype))
            column += p.arity * group.n_copies
        h = torch.stack(outputs, dim=1)
    return h @ last


@pytest.mark.parametrize("functions", sorted(PRESETS))
@pytest.mark.parametrize("n_hidden_layers", [1, 2, 3])
def test_forward_is_the_network_of_section_ii(functions, n_hidden_layers):
    network = _network(functions, n_outputs=2, n_hidden_layers=n_hidden_layers)
    X = torch.as_tensor(np.random.default_rng(0).uniform(-1, 1, (17, 2)))
    y = network(X)
    assert y.shape == (3, 17, 2)
    for t in range(3):
        torch.testing.assert_close(y[t], _reference(network, t, X), equal_nan=True)  # deep ones may overflow


def test_inputs_may_differ_between_trials():
    network = _network()
    X = torch.as_tensor(np.random.default_rng(0).uniform(-1, 1, (3, 11, 2)))
    torch.testing.assert_close(network(X)[1], network(X[1])[1])


@pytest.mark.parametrize("functions", sorted(PRESETS))
def test_equations_compute_what_the_network_computes(functions):
    network = _network(functions, n_outputs=2)
    network.mask &= torch.rand(network.mask.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    with torch.no_grad():
        predictions = network(torch.as_tensor(X)).numpy()
    laws = network.to_equations()
    n_compared = 0
    for t, per_output in enumerate(laws):
        for output, law in enumerate(per_output):
            values = law.evaluate(X)
            inside = np.isfinite(values)
            if functions not in ("default", "piecewise", "rational"):  # no unit with a domain
                assert inside.all()
                np.testing.assert_allclose(values, predictions[t, :, output], rtol=1e-10, atol=1e-12)
                n_compared += 1
    assert n_compared == (0 if functions in ("default", "piecewise", "rational") else 6)


def test_equations_hold_only_units_that_reach_the_output():
    network = _network({"const": 1, "id": 1, "mul": 1}, seeds=[0])
    for w in network.weights:
        w.zero_()
    first, second, last = network.weights
    first[0, :, 1] = torch.tensor([2.0, 0.0])  # first argument of mul
    first[0, :, 2] = torch.tensor([0.0, 3.0])  # second argument of mul
    first[0, 0, 0] = 7.0  # id unit that nothing reads
    second[0, 2, 0] = 0.5  # id of the product
    last[0, :, 0] = torch.tensor([4.0, 1.0, 0.0])
    ((law,),) = network.to_equations()
    assert [unit.primitive for unit in law.units] == ["mul", "id"]
    assert law.output == ((0, 4.0), (4, 1.0))
    X = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(law.evaluate(X), 4 + 3 * X[:, 0] * X[:, 1])


def test_a_network_of_zeros_is_the_equation_zero():
    network = _network(seeds=[0])
    ((law,),) = network.to_equations(np.zeros(network.flat.shape))
    assert law.units == ()
    assert law.output == ()


def test_initial_weights_depend_on_the_own_seed_only():
    alone, batch = _network(seeds=[7]), _network(seeds=[3, 7, 9])
    torch.testing.assert_close(alone.flat[0], batch.flat[1], rtol=0, atol=0)
    assert not torch.equal(batch.flat[0], batch.flat[1])


def test_initial_weights_are_truncated_normals_with_the_scales_of_the_authors():
    network = _network(n_features=3, n_hidden_layers=3, seeds=range(200))
    truncated = 0.8796  # standard deviation of a normal cut at two
    for w, scale in zip(network.weights, (INIT_SCALES[0], INIT_SCALES[1], INIT_SCALES[1], INIT_SCALES[2]), strict=True):
        assert w.abs().max() <= 2 * scale
        assert w.std().item() == pytest.approx(scale * truncated, rel=0.05)


def test_restart_draws_fresh_weights_for_some_trials_reproducibly():
    one, two = _network(), _network()
    before = one.flat.detach().clone()
    one.restart([1], [1], [1])
    two.restart([0, 1], [0, 1], [1, 1])
    assert torch.equal(one.flat[0], before[0])
    assert not torch.equal(one.flat[1], before[1])
    assert torch.equal(one.flat[1], two.flat[1])


def test_disabled_functions_appear_in_no_equation():
    units = resolve_functions("paper")
    enabled = np.ones((2, len(units)), dtype=bool)
    enabled[1] = [p.name in ("const", "id", "mul") for p in units]
    network = _network(seeds=[0, 1], enabled=enabled)
    names = [{unit.primitive for unit in law.units} for (law,) in network.to_equations()]
    assert "exp" in names[0]
    assert names[1] == {"id", "mul"}


def test_enabled_of_the_wrong_shape_is_refused_with_the_right_one():
    with pytest.raises(ValueError, match=r"\(n_trials, n_units\) = \(3, 18\), got \(2, 2\)"):
        _network(enabled=np.ones((2, 2), dtype=bool))


def test_gradients_are_finite_outside_of_domains_and_violations_are_counted():
    network = _network(["id", "div", "inv", "sqrt", "log"])
    assert network.has_domain
    assert not _network("paper").has_domain
    X = torch.as_tensor(np.random.default_rng(0).uniform(-5, 5, (2, 40)))
    y, violation = network.propagate(X, network.flat)
    (y.sum() + violation.sum()).backward()
    assert torch.isfinite(network.flat.grad).all()
    assert violation.shape == (3,)
    assert (violation > 0).all()


def test_custom_primitives_of_two_arguments_work():
    units = resolve_functions(["id", Primitive("hypot", 2, torch.hypot, lambda a, b: (a**2 + b**2) ** 0.5)])
    network = BatchedEQL(2, 1, units, 1, [0], dtype=torch.float64)
    assert units[1].domain == (EVERYWHERE, EVERYWHERE)
    X = np.random.default_rng(0).normal(size=(5, 2))
    ((law,),) = network.to_equations()
    values = law.evaluate(X, {p.name: p for p in units})
    np.testing.assert_allclose(values, network(torch.as_tensor(X))[0, :, 0].detach().numpy())
