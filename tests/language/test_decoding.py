"""Only valid expressions are written, and their scores are probabilities."""

import numpy as np
import pytest
import torch

from sklearn_eql.language.decoding import beam_search, log_probabilities, sample
from sklearn_eql.language.grammar import arguments
from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.open_form import form_of
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


def test_a_beam_holds_every_form_once_whatever_its_constants():
    vocabulary = Vocabulary(1, 0, (0.1, 1.0, 10.0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = NetworkConfig(len(vocabulary), max_tokens=3, width=16, n_heads=2, n_latents=2, n_layers=1)
        network = LawTransformer(config).eval()
    [beam] = beam_search(network, vocabulary, X[:1], Y[:1], n_beams=200)
    forms = [form_of(written.expression) for written in beam]
    # A leaf, a function of one, a function of a function, an operator with two leaves: each with x0 or a constant.
    assert len(set(forms)) == len(forms) == 2 + 9 * 2 + 81 * 2 + 4 * 2 * 2
    best = next(written for written in beam if len(written.expression) == 1 and written.expression != ("x0",))
    every = [(f"c{c:g}",) for c in vocabulary.signed_constants]
    tables = np.repeat(X[:1], 6, axis=0), np.repeat(Y[:1], 6, axis=0)
    chances = np.exp(log_probabilities(network, vocabulary, *tables, every))
    assert best.expression == every[int(chances.argmax())]


def test_variables_that_are_not_there_are_not_written():
    vocabulary = Vocabulary(2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = NetworkConfig(len(vocabulary), 2, max_tokens=7, width=16, n_heads=2, n_latents=2, n_layers=1)
        network = LawTransformer(config).eval()
    tables = np.concatenate([X, np.zeros_like(X)], axis=2)
    tables[1] = tables[1][:, ::-1]
    beams = beam_search(network, vocabulary, tables, Y, 60)
    written = [{token for law in beam for token in law.expression} for beam in beams]
    assert [("x0" in tokens, "x1" in tokens) for tokens in written] == [(True, False), (False, True), (True, False)]
