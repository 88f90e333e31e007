"""Random trees: their count, their shapes, their leaves."""

import itertools
from collections import Counter

import numpy as np
import pytest

from sklearn_eql.language.grammar import ARITY, BINARY, UNARY, Grammar, arguments, count_of_trees, random_trees


def shapes(n_binary, n_unary):
    """Every shape with so many operators, as arities in prefix order, found by trying all sequences."""
    n_leaves = n_binary + 1
    found = set()
    for sequence in set(itertools.permutations([2] * n_binary + [1] * n_unary + [0] * n_leaves)):
        is_open = list(itertools.accumulate((arity - 1 for arity in sequence), initial=1))
        if min(is_open[:-1]) > 0 and is_open[-1] == 0:
            found.add(sequence)
    return found


@pytest.mark.parametrize(("n_binary", "n_unary"), [(0, 0), (0, 2), (1, 0), (1, 2), (2, 1), (2, 2)])
def test_trees_are_counted_as_by_trying_all_sequences(n_binary, n_unary):
    assert count_of_trees(3, 3)[1, n_binary, n_unary] == len(shapes(n_binary, n_unary))


def test_shapes_of_as_many_operators_are_equally_likely():
    grammar = Grammar(max_binary=2, max_unary=1)
    trees = random_trees(grammar, 6000, np.random.default_rng(0))
    drawn = Counter(tuple(ARITY.get(token, 0) for token in tree) for tree in trees)
    asked = shapes(2, 1)
    counts = np.array([drawn[shape] for shape in asked])
    assert len(asked) == 10
    assert counts.sum() == pytest.approx(1000, abs=150)
    assert abs(counts - 100).max() < 45


def test_trees_are_complete_and_keep_to_the_grammar():
    grammar = Grammar(n_variables=2, max_binary=2, max_unary=2, max_integer=4)
    for tree in random_trees(grammar, 300, np.random.default_rng(1)):
        arguments(tree)
        assert sum(token in BINARY for token in tree) <= 2
        assert sum(token in UNARY for token in tree) <= 2
        assert set(tree) <= {*BINARY, *UNARY, "x0", "x1", "1", "2", "3", "4"}


def test_operators_are_drawn_by_their_weights():
    grammar = Grammar(binary_weights={"add": 3.0, "mul": 1.0}, unary_weights={"sin": 1.0})
    drawn = Counter(itertools.chain(*random_trees(grammar, 2000, np.random.default_rng(2))))
    assert drawn["add"] / drawn["mul"] == pytest.approx(3, rel=0.2)
    assert drawn["cos"] == drawn["sub"] == 0


@pytest.mark.parametrize(
    "changed",
    [{"n_variables": 0}, {"max_unary": -1}, {"unary_weights": {"sine": 1.0}}, {"binary_weights": {"add": 0.0}}],
)
def test_a_grammar_that_draws_nothing_is_refused(changed):
    with pytest.raises(ValueError, match="expected"):
        Grammar(**changed)


@pytest.mark.parametrize("tokens", [(), ("add", "x0"), ("x0", "x0"), ("sin",)])
def test_tokens_that_are_no_expression_are_refused(tokens):
    with pytest.raises(ValueError, match="no expression in prefix order"):
        arguments(tokens)
