"""What a search has written for it: which networks are asked, and how they travel."""

import pickle

import pytest
from written_laws import StubWriter, untrained

from sklearn_eql.language.proposals import Proposals
from sklearn_eql.language.reading_rows import Reading
from sklearn_eql.language.weights import save_weights


@pytest.fixture
def X(rng):
    return rng.uniform(1, 3, (60, 4))


def test_tables_that_cannot_be_read_are_left_alone(X):
    stub = StubWriter(("sin x0",))
    assert len(Proposals(stub).laws(X, X[:, 0], [2, 1])) == 1
    assert stub.shown == [(60, (2,))]  # the first column
    assert Proposals(stub).laws(X[:7], X[:7, 0], [0]) == []
    assert Proposals(stub).laws(X, X[:, 0], []) == []


def test_networks_are_named_when_they_go_to_workers(tmp_path):
    path = tmp_path / "weights.npz"
    save_weights(path, *untrained())
    proposals = Proposals((path, str(path)))
    assert [writer.reading.n_variables for writer in proposals.writers] == [1, 1]
    assert len(pickle.dumps(proposals)) < 1000


def test_several_networks_write_for_a_table_that_all_can_read(X):
    several, one = StubWriter(("sin x0",), Reading(3)), StubWriter(("exp x0",))
    both = Proposals((several, one))
    assert [law.expression[0] for law in both.laws(X, X[:, 0], [2])] == ["sin", "exp"]
    assert one.shown == [(60, (2,))]


def test_a_network_of_too_few_variables_is_not_asked_beside_a_larger_one(X):
    several, one = StubWriter(("sin x0",), Reading(3)), StubWriter(("exp x0",))
    both = Proposals((several, one))
    assert [law.expression[0] for law in both.laws(X, X[:, 0], [2, 1])] == ["sin"]
    assert [law.expression[0] for law in both.laws(X, X[:, 0], [2, 1, 0, 3])] == ["sin"]
    assert several.shown[-1] == (60, (2, 1, 0))
    assert one.shown == []


def test_a_network_writes_where_another_one_cannot_read(X):
    far = StubWriter(("sin x0",), Reading(1, scaled=False, low=-1, high=1))
    near = StubWriter(("exp x0",), Reading(1))
    assert [law.expression[0] for law in Proposals((far, near)).laws(X, X[:, 0], [0])] == ["exp"]
