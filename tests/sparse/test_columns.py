"""Which columns of a wide table matter: found by cheap fits of bounded size."""

import numpy as np
import pytest

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse import evidence as evidence_module
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.columns import MOST_IN_FAMILIES, MOST_TRIED, Columns, further_columns
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL
from sklearn_eql.sparse.evidence import evidence
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import Structure

LAWS = {
    "ratio of three positive columns": (1.0, lambda a, b, c: 3 * a * b / c),
    "product and summand": (1.0, lambda a, b, c: 2 * a * b + c),
    "wave": (1.0, lambda a, b, c: a * np.sin(b) + c),
    "wave times a column around zero": (None, lambda a, b, c: a * np.sin(2 * b) + c**2),
    "bell times a column around zero": (None, lambda a, b, c: a * np.exp(-(b**2)) + c),
    "Planck": (1.0, lambda a, b, c: a**3 / (np.exp(b) - 1) * c),
    "product around zero": (None, lambda a, b, c: a * b * c),
    "product around zero and square": (None, lambda a, b, c: a * b - c**2),
    "distance around zero": (None, lambda a, b, c: (a - b) ** 2 + c),
    "root around zero": (None, lambda a, b, c: np.sqrt(a**2 + b**2) * c),
}


def table(n_features, lowest, n_rows=200):
    rng = np.random.default_rng(0)
    shape = (n_rows, n_features)
    return rng.normal(size=shape) if lowest is None else rng.uniform(lowest, lowest + 4, shape)


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("name", LAWS)
def test_the_three_columns_of_a_law_come_first_of_three_hundred(name, noise):
    lowest, law = LAWS[name]
    X = table(300, lowest)
    y = law(X[:, 250], X[:, 7], X[:, 101])
    y = y + noise * np.std(y) * np.random.default_rng(1).normal(size=len(y))
    found = evidence(X, y, 0)
    assert set(np.argsort(-found)[:3].tolist()) == {7, 101, 250}
    assert found[[7, 101, 250]].min() > 1


def test_few_columns_of_noise_look_as_if_they_mattered():
    X = table(300, None)
    assert (evidence(X, np.random.default_rng(1).normal(size=len(X)), 0) > 1).sum() <= 6  # two dozen times one percent


def test_scales_and_constant_columns_make_no_difference():
    X = table(40, 1.0)
    y = X[:, 3] * X[:, 30]
    X[:, 5] = 4.0
    scaled = X * 10.0 ** np.random.default_rng(1).uniform(-150, 150, 40)
    assert set(np.argsort(-evidence(scaled, 1e200 * y, 0))[:2].tolist()) == {3, 30}
    assert Columns.of(scaled, y, 0).importances[5] == 0


def test_after_the_deadline_only_single_columns_are_looked_at():
    X = table(50, None)
    assert evidence(X, X[:, 4] * X[:, 9], 0, deadline=0.0)[[4, 9]].max() < 1
    assert evidence(X, X[:, 4] + X[:, 9], 0, deadline=0.0)[[4, 9]].min() > 1


def test_pairs_are_judged_in_blocks_of_columns(monkeypatch):
    X, sizes = table(200, None), []
    whole = evidence(X, X[:, 4] * X[:, 150], 0)
    judge = evidence_module._shares_of_pairs

    def observed(*args):
        for first, shares in judge(*args):
            sizes.append(shares.shape)
            yield first, shares

    monkeypatch.setattr(evidence_module, "_BLOCK", 64)
    monkeypatch.setattr(evidence_module, "_shares_of_pairs", observed)
    np.testing.assert_allclose(evidence(X, X[:, 4] * X[:, 150], 0), whole, rtol=1e-3)
    assert set(sizes) == {(64, 200), (8, 200)}


def test_the_rows_of_a_very_wide_table_are_cut(monkeypatch):
    sizes = []
    transforms = evidence_module._transforms
    monkeypatch.setattr(evidence_module, "_transforms", lambda Z: sizes.append(Z.shape) or transforms(Z))
    monkeypatch.setattr(evidence_module, "_MOST_VALUES", 60_000)
    X = table(300, 1.0, n_rows=1_000)
    evidence(X, X[:, 0], 0, deadline=0.0)
    assert sizes == [(200, 300)]


@pytest.mark.parametrize("n_features", [2, 6, 10])
def test_all_columns_of_a_narrow_table_are_tried_everywhere(n_features):
    X = table(n_features, 1.0)
    found = Columns.of(X, X[:, 1], 0)
    assert found.likely == tuple(range(n_features))
    assert (found.importances > 0).all()


def test_of_a_wide_table_a_bounded_number_of_columns_is_tried():
    X = table(500, 1.0)
    found = Columns.of(X, X[:, 400] / X[:, 3] + X[:, 77], 0)
    assert {3, 77, 400} <= set(found.likely)
    assert len(found.likely) <= MOST_IN_FAMILIES
    assert np.count_nonzero(found.importances) == MOST_TRIED
    assert found.importances[[3, 77, 400]].min() > 0.1


def test_columns_that_a_residual_depends_on_join_those_of_the_law():
    X = table(100, 1.0)
    residual = 0.1 * X[:, 50] * X[:, 60] + 1e-3 * np.random.default_rng(1).normal(size=len(X))
    found = further_columns(X, residual, used=[3, 4], tried=[3, 4, 8, 9], seed=0)
    assert {3, 4, 50, 60} <= set(found)
    assert len(found) <= MOST_IN_FAMILIES


def test_a_residual_of_tried_columns_asks_for_no_further_ones():
    X = table(100, 1.0)
    assert further_columns(X, X[:, 8] ** 2, used=[3, 4], tried=[3, 4, 8, 9], seed=0) == ()


def test_a_column_costs_more_where_there_are_more_to_choose_from():
    def line(n_features, columns):
        return Structure(n_features, (), tuple((1 + column, 1.0, True) for column in columns))

    assert line(10, [0, 1]).n_symbols == line(2, [0, 1]).n_symbols == 2
    one, two = (line(1000, columns).n_symbols for columns in ([7], [7, 9]))
    assert NATS_PER_SYMBOL * (two - one - 1) == pytest.approx(2 * np.log(100))


def test_columns_of_noise_are_no_law_though_there_are_a_thousand(monkeypatch):
    X = table(1000, None)
    y = left = np.random.default_rng(1).normal(size=len(X))
    chosen = []
    for _ in range(5):  # the columns that look best beside those chosen before
        chosen.append(int(np.argmax(np.abs(np.corrcoef(X.T, left)[-1, :-1]))))
        left = y - X[:, chosen] @ np.linalg.lstsq(X[:, chosen], y, rcond=None)[0]
    problem = make_problem(X, y, None, Scaling.of(X, y), PRIMITIVES, {"id": 1}, 2, 200, 0)
    lines = [
        Structure(1000, (), tuple((1 + k, 1.0, True) for k in sorted(chosen[:count]))) for count in (1, 2, 3, 4, 5)
    ]

    def shortest():
        archive = Archive(len(y), problem.exact)
        archive.add(problem.fit([Structure(1000, line.units, line.output) for line in lines], 5))
        return archive.ranked()[0].structure.size

    assert shortest() == 1
    monkeypatch.setattr("sklearn_eql.sparse.structure._FAMILIAR", 1000)  # as if there were no choice
    assert shortest() > 1
