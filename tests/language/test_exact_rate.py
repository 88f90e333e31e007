"""When a function counts as reproduced."""

import numpy as np
import torch

from sklearn_eql.language.datasets import ExpressionStream
from sklearn_eql.language.exact_rate import exact_rate, reproduces, unseen
from sklearn_eql.language.grammar import Grammar
from sklearn_eql.language.network import LawTransformer, NetworkConfig

STREAM = ExpressionStream(Grammar(), batch_size=10, n_rows=16, max_tokens=8)


def test_a_function_is_reproduced_however_it_is_written_and_not_by_one_that_is_near():
    X = np.linspace(0.1, 3, 20)[:, None]
    y = np.where(X[:, 0] > 2.9, np.nan, X[:, 0] ** 2)
    candidates = [("square", "x0"), ("mul", "x0", "x0"), ("cube", "x0"), ("log", "sub", "x0", "2")]
    assert reproduces(candidates, X, y).tolist() == [True, True, False, False]
    assert not reproduces([("square", "x0")], X, y * (1 + 1e-5)).any()
    assert reproduces([], X, y).shape == (0,)


def test_rates_count_tables_by_length():
    test = unseen(STREAM, 12, 3, 8, seed=5)
    assert {len(e) for e in test.expressions} <= set(range(3, 9))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LawTransformer(NetworkConfig(len(STREAM.vocabulary), max_tokens=8, width=16, n_layers=1))
    rate = exact_rate(network, STREAM.vocabulary, test, n_beams=4)
    assert 0 <= rate.first <= rate.best <= 1
    assert sum(tables for _, tables in rate.best_by_length.values()) == 12
    assert network.training


def test_a_smaller_test_set_is_the_beginning_of_a_larger_one():
    assert unseen(STREAM, 5, 3, 8, seed=5).expressions == unseen(STREAM, 12, 3, 8, seed=5).expressions[:5]
