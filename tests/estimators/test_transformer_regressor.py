"""SymbolicTransformerRegressor, and laws that a network writes in the search of EQLRegressor."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from written_laws import StubWriter, untrained, untrained_writer

from sklearn_eql import EQLRegressor, SymbolicTransformerRegressor
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.language.reading_rows import Reading
from sklearn_eql.language.weights import FORMAT, save_weights

X = np.random.default_rng(0).uniform(-3, 3, (120, 2))
x0, x1 = sympy.symbols("x0 x1")
DEEP = "sin exp sin x0"
LAW = sympy.sin(sympy.exp(sympy.sin(x0)))
VALUES = np.sin(np.exp(np.sin(X[:, 0])))
SMALL = {"population_size": 48, "n_generations": 2, "n_families": 4, "random_state": 0}


@parametrize_with_checks([SymbolicTransformerRegressor(weights=untrained_writer(3), n_beams=4)])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def test_a_law_that_is_written_is_found():
    model = SymbolicTransformerRegressor(weights=StubWriter(("x0", DEEP)), random_state=0).fit(X[:, :1], VALUES)
    assert same_law(model.sympy_expr_, LAW)
    assert model.stop_reason_ == "exact"
    assert list(model.equations_.columns[:3]) == ["complexity", "loss", "score"]
    np.testing.assert_allclose(model.predict(X[:, :1]), VALUES, atol=1e-8)
    assert "sin" in model.latex()


def test_constants_are_fitted_and_recognised():
    y = 3 * np.exp(-np.square(X[:, 0] - 0.5)) + 2
    model = SymbolicTransformerRegressor(weights=StubWriter(("exp neg square sub x0 1",))).fit(X[:, :1], y)
    assert same_law(model.sympy_expr_, 3 * sympy.exp(-((x0 - sympy.Rational(1, 2)) ** 2)) + 2)


def test_without_refinement_laws_are_as_they_are_written():
    writer = StubWriter(("mul 2 x0", "x0", DEEP))
    model = SymbolicTransformerRegressor(weights=writer, refine=False).fit(X[:, :1], 1.9 * X[:, 0])
    assert model.sympy_expr_ == 2 * x0
    assert model.equations_.trial[model.best_index_] == 0  # the place in the beam
    assert model.stop_reason_ == "written"
    assert SymbolicTransformerRegressor(weights=writer, refine=False).fit(X[:, :1], VALUES).stop_reason_ == "exact"


def test_what_the_best_law_leaves_over_is_written_again():
    y = VALUES + X[:, 1] ** 2 / 4
    writer = StubWriter((DEEP, "square x1"), Reading(2))
    model = SymbolicTransformerRegressor(weights=writer, random_state=0).fit(X, y)
    assert same_law(model.sympy_expr_, LAW + x1**2 / 4)


def test_the_most_important_of_many_columns_are_shown():
    table = np.column_stack([np.random.default_rng(1).uniform(-3, 3, (120, 8)), X[:, 0]])
    stub = StubWriter((DEEP,))
    model = SymbolicTransformerRegressor(weights=stub, random_state=0).fit(table, VALUES)
    assert same_law(model.sympy_expr_, LAW.xreplace({x0: sympy.Symbol("x8")}))
    assert {columns for _, columns in stub.shown} == {(8,)}


def test_several_outputs_have_a_law_each():
    writer = StubWriter((DEEP, "square x1"), Reading(2))
    y = np.column_stack([VALUES, X[:, 1] ** 2])
    table = pd.DataFrame(X, columns=["a", "b"])
    model = SymbolicTransformerRegressor(weights=writer, random_state=0).fit(table, y)
    a, b = sympy.symbols("a b")
    assert same_law(model.sympy_expr_, [LAW.xreplace({x0: a}), b**2])
    assert model.predict(table).shape == y.shape
    assert len(model.stop_reason_) == 2


def test_a_selection_may_be_a_function():
    writer = StubWriter(("x0", DEEP))
    model = SymbolicTransformerRegressor(weights=writer, selection=lambda table: table.index[0]).fit(X[:, :1], VALUES)
    assert model.best_index_ == 0


def test_the_same_seed_gives_the_same_laws_from_a_file(tmp_path):
    path = tmp_path / "weights.npz"
    save_weights(path, *untrained(2, (0.1, 1.0)))
    model = SymbolicTransformerRegressor(weights=path, n_beams=4, random_state=3).fit(X, X[:, 0] * X[:, 1])
    again = pickle.loads(pickle.dumps(clone(model).fit(X, X[:, 0] * X[:, 1])))
    assert list(model.equations_.equation) == list(again.equations_.equation)
    np.testing.assert_array_equal(model.predict(X), again.predict(X))


@pytest.mark.parametrize("model", [SymbolicTransformerRegressor(), EQLRegressor()])
def test_mistakes_in_the_weights_are_named(tmp_path, model):
    name = "weights" if isinstance(model, SymbolicTransformerRegressor) else "proposals"
    damaged, other = tmp_path / "damaged.npz", tmp_path / "other.npz"
    damaged.write_bytes(b"no weights")
    save_weights(other, *untrained())
    arrays = dict(np.load(other))
    arrays["header"] = np.frombuffer(
        arrays["header"].tobytes().replace(b'"format": %d' % FORMAT, b'"format": 99'), dtype=np.uint8
    )
    np.savez(other, **arrays)
    for weights, error, message in (
        ("no_such_preset", FileNotFoundError, "is no file, and none of the presets"),
        (damaged, ValueError, "is damaged, or holds no weights"),
        (other, ValueError, "weights of version 99"),
    ):
        with pytest.raises(error, match=f"{name}: .*{message}"):
            clone(model).set_params(**{name: weights}).fit(X, VALUES)
        assert not hasattr(model, "sympy_expr_")


def test_what_writes_nothing_is_no_writer():
    class File:
        def write(self, text):
            return len(text)

    with pytest.raises(TypeError, match="has no attribute reading"):
        SymbolicTransformerRegressor(weights=File()).fit(X, VALUES)


def test_rows_that_cannot_be_read_are_told():
    with pytest.raises(ValueError, match="X has 5 rows, expected at least 8 for the network to read"):
        SymbolicTransformerRegressor(weights=StubWriter((DEEP,))).fit(X[:5], VALUES[:5])
    writer = StubWriter((DEEP,), Reading(1, scaled=False, low=-3, high=3))
    with pytest.raises(ValueError, match=r"0 rows within \[-3, 3\], of 120; values outside any range.*EQLRegressor"):
        SymbolicTransformerRegressor(weights=writer).fit(X[:, :1] + 10, VALUES)


def test_all_networks_of_the_package_write_by_default():
    y = np.cos(np.exp(np.sin(X[:, 0])))
    model = SymbolicTransformerRegressor(random_state=0).fit(X[:, :1], y)
    assert same_law(model.sympy_expr_, sympy.cos(sympy.exp(sympy.sin(x0))))
    far = SymbolicTransformerRegressor(random_state=0).fit(X[:, :1] + 10, X[:, 0])  # which one of them cannot read
    assert same_law(far.sympy_expr_, x0 - 10)
    with pytest.raises(ValueError, match="X has 5 rows, expected at least 8 for the network to read"):
        SymbolicTransformerRegressor().fit(X[:5], VALUES[:5])


def test_what_is_inside_a_function_is_written_when_the_law_is_not():
    model = SymbolicTransformerRegressor(weights=StubWriter(("x0", DEEP))).fit(X[:, :1], 2 / (VALUES + 1.5))
    assert same_law(model.sympy_expr_, 2 / (LAW + sympy.Rational(3, 2)))


def test_no_law_without_refinement_is_told():
    with pytest.raises(AllTrialsFailedError, match="Of 1 laws that the network wrote none is defined"):
        SymbolicTransformerRegressor(weights=StubWriter(("log x0",)), refine=False).fit(X, VALUES)


def test_time_is_kept():
    model = SymbolicTransformerRegressor(weights=untrained_writer(), max_time=1e-3).fit(X, VALUES)
    assert model.stop_reason_ == "max_time"
    assert np.isfinite(model.predict(X)).all()


# In the search -----------------------------------------------------------------------------------------------------


def test_a_written_law_is_found_that_the_search_alone_does_not_find():
    table = X[:, :1]
    assert EQLRegressor(**SMALL).fit(table, VALUES).stop_reason_ != "exact"
    model = EQLRegressor(**SMALL, proposals=StubWriter((DEEP,))).fit(table, VALUES)
    assert model.stop_reason_ == "exact"
    assert same_law(model.sympy_expr_, LAW)


def test_a_law_is_written_beside_what_the_search_finds():
    y = VALUES + X[:, 1] ** 2 / 4
    writer = StubWriter((DEEP, "square x1"), Reading(2))
    model = EQLRegressor(**SMALL, proposals=writer).fit(X, y)
    assert same_law(model.sympy_expr_, LAW + x1**2 / 4)


def test_nonsense_does_no_harm():
    writer = StubWriter(("log neg exp x0", "inv sub x0 x0", "sqrt neg square x0"))
    model = EQLRegressor(**SMALL, proposals=writer).fit(X, X[:, 0] * X[:, 1])
    assert same_law(model.sympy_expr_, x0 * x1)


def test_few_rows_are_searched_without_proposals():
    stub = StubWriter((DEEP,))
    model = EQLRegressor(**SMALL, proposals=stub).fit(X[:6, :1], 2 * X[:6, 0])
    assert same_law(model.sympy_expr_, 2 * x0)
    assert stub.shown == []


def test_proposals_take_part_in_the_search_with_wrong_rows():
    y = VALUES.copy()
    y[::30] += 100
    model = EQLRegressor(**SMALL, loss="huber", proposals=StubWriter((DEEP,))).fit(X[:, :1], y)
    assert same_law(model.sympy_expr_, LAW)
