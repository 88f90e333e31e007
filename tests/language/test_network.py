"""What the network sees, and what it must not see."""

from dataclasses import replace

import pytest
import torch

from sklearn_eql.language.network import LawTransformer, NetworkConfig, row_features
from sklearn_eql.language.tokens import START

CONFIG = NetworkConfig(n_tokens=20, n_variables=2, max_tokens=6, width=16, n_heads=2, n_latents=3, n_layers=2)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LawTransformer(CONFIG).eval()


@pytest.fixture
def table():
    generator = torch.Generator().manual_seed(1)
    X = torch.randn(3, 10, 2, generator=generator, dtype=torch.float64)
    return X, X[..., 0] * X[..., 1] + 2


@pytest.fixture
def tokens():
    codes = torch.randint(2, 20, (3, 6), generator=torch.Generator().manual_seed(2))
    codes[:, 0] = START
    return codes


def test_the_order_of_rows_does_not_matter(network, table):
    X, y = table
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(network.encode(X[:, order], y[:, order]), network.encode(X, y))


def test_rows_that_are_undefined_are_not_seen(network, table):
    X, y = table
    longer = torch.cat([X, X.new_full((3, 4, 2), 5.0)], dim=1)
    values = torch.cat([y, y.new_full((3, 4), torch.nan)], dim=1)
    torch.testing.assert_close(network.encode(longer, values), network.encode(X, y))


def test_offset_and_scale_of_the_target_are_seen(network, table):
    X, y = table
    assert not torch.allclose(network.encode(X, 2 * y), network.encode(X, y), atol=1e-3)
    assert not torch.allclose(network.encode(X, y + 1), network.encode(X, y), atol=1e-3)


def test_features_are_finite_for_any_numbers():
    X = torch.tensor([[[1e300], [-1e-300], [0.0], [torch.nan]]], dtype=torch.float64)
    features, present = row_features(X, torch.tensor([[1e308, -1e308, 0.0, 1.0]], dtype=torch.float64))
    assert present.tolist() == [[True, True, True, False]]
    assert torch.isfinite(features).all()


def test_later_tokens_are_not_seen(network, table, tokens):
    memory = network.memory(network.encode(*table))
    changed = tokens.clone()
    changed[:, 3:] = 5
    torch.testing.assert_close(network(memory, changed)[:, :3], network(memory, tokens)[:, :3])


def test_a_token_at_a_time_gives_what_all_at_once_give(network, table, tokens):
    memory = network.memory(network.encode(*table))
    past = network.fresh_past()
    steps = [network.step(memory, tokens[:, place], place, past) for place in range(6)]
    torch.testing.assert_close(torch.stack(steps, dim=1), network(memory, tokens))


def test_the_size_of_the_preset_is_as_documented():
    n_parameters = sum(p.numel() for p in LawTransformer(replace(CONFIG, width=128, n_heads=4)).parameters())
    assert n_parameters < 1.5e6
