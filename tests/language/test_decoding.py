"""Only valid expressions are written, and their scores are probabilities."""

import numpy as np
import pytest
import torch

from sklearn_eql.language.decoding import beam_search, log_probabilities, sample
from sklearn_eql.language.grammar import arguments
from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.tokens import Vocabulary

VOCABULARY = Vocabulary(n_variables=1, max_integer=1)
X = np.random.default_rng(0).uniform(-3, 3, (3, 12, 1))
Y = X[..., 0] ** 2


def network_of(max_tokens):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = NetworkConfig(len(VOCABULARY), max_tokens=max_tokens, width=16, n_heads=2, n_latents=2, n_layers=1)
        return LawTransformer(config).eval()


@pytest.mark.parametrize("write", [beam_search, sample])
def test_all_that_is_written_is_an_expression(write):
    beams = write(network_of(7), VOCABULARY, X, Y, 20)
    assert len(beams) == 3
    for beam in beams:
        assert 0 < len(beam) <= 20
        for written in beam:
            arguments(written.expression)
            assert len(written.expression) <= 7
        scores = [written.log_probability for written in beam]
        assert scores == sorted(scores, reverse=True)
        assert len({written.expression for written in beam}) == len(beam)


def test_a_beam_for_all_expressions_finds_all_and_their_probabilities_add_up_to_one():
    beam = beam_search(network_of(2), VOCABULARY, X[:1], Y[:1], n_beams=30)[0]
    assert len(beam) == 2 + 9 * 2  # a leaf, or a function of one
    assert sum(np.exp(written.log_probability) for written in beam) == pytest.approx(1, abs=1e-5)


def test_what_is_sampled_often_is_what_is_probable():
    network = network_of(2)
    probable = beam_search(network, VOCABULARY, X[:1], Y[:1], n_beams=30)[0]
    drawn = sample(network, VOCABULARY, X[:1], Y[:1], n_samples=400, seed=1)[0]
    assert {w.expression for w in probable[:5]} <= {w.expression for w in drawn}
    known = {w.expression: w.log_probability for w in probable}
    for written in drawn:
        assert written.log_probability == pytest.approx(known[written.expression], abs=1e-4)


def test_a_seed_gives_one_sample():
    network = network_of(5)
    assert sample(network, VOCABULARY, X, Y, 8, seed=3) == sample(network, VOCABULARY, X, Y, 8, seed=3)


def test_scores_of_given_expressions_differ_from_those_of_the_search_only_by_what_is_never_written():
    network = network_of(7)
    beam = beam_search(network, VOCABULARY, X[:1], Y[:1], n_beams=4)[0]
    expressions = [written.expression for written in beam]
    given = log_probabilities(network, VOCABULARY, X[[0] * len(beam)], Y[[0] * len(beam)], expressions)
    searched = [written.log_probability for written in beam]
    assert (given <= np.array(searched) + 1e-5).all()  # padding and start have a share that the search gives to others


@pytest.mark.parametrize(
    ("table", "values", "message"),
    [
        (X[0], Y[0], "Choose columns, or add an axis"),
        (np.repeat(X, 2, axis=2), Y, "this network reads"),
        (X, np.where(np.arange(3)[:, None] == 1, np.nan, Y), "Table 1 has no row"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(table, values, message):
    with pytest.raises(ValueError, match=message):
        beam_search(network_of(2), VOCABULARY, table, values, 2)
