"""A network that writes laws for a table: equations and structures over its columns, weights by name and by file."""

import os

import numpy as np
import pytest
import sympy
from written_laws import untrained, untrained_writer

from sklearn_eql.language.conversion import to_equation
from sklearn_eql.language.weights import save_weights
from sklearn_eql.language.writer import LawWriter, WrittenLaw
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.levenberg_marquardt import levenberg_marquardt
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.symbolic import to_sympy


@pytest.fixture
def X(rng):
    return rng.uniform(1, 3, (60, 4))


def test_what_is_written_is_defined_and_likeliest_first(X):
    laws = untrained_writer().write(X[:, :2], X[:, 0] + X[:, 1] ** 2)
    assert laws
    chances = [law.log_probability for law in laws]
    assert chances == sorted(chances, reverse=True)
    for law in laws:
        assert np.isfinite(law.equation.evaluate(X[:, :2])).all()


def test_laws_are_over_the_columns_that_were_shown(X):
    laws = untrained_writer().write(X, X[:, 3] * X[:, 1], columns=[3, 1])
    used = {s for law in laws for form in law.equation.forms() for s, _ in form if 1 <= s <= 4}
    assert used
    assert used <= {2, 4}
    assert all(law.equation.n_features == 4 for law in laws)


def test_fewer_columns_than_variables_are_read(X):
    laws = untrained_writer(3).write(X[:, :1], np.exp(X[:, 0]))
    assert all(law.equation.n_features == 1 for law in laws)


def test_units_of_the_table_do_not_matter(X):
    y = X[:, 0] / X[:, 1]
    laws = untrained_writer().write(X[:, :2], y)
    others = untrained_writer().write(1e4 * X[:, :2], 1e-3 * y)
    assert [law.expression for law in laws] == [law.expression for law in others]
    for law, other in zip(laws, others, strict=True):
        expected = law.equation.evaluate(X[:, :2])
        np.testing.assert_allclose(1e3 * other.equation.evaluate(1e4 * X[:, :2]), expected, rtol=1e-6)


def test_factor_and_offset_are_those_of_least_squares(X):
    y = X[:, 0] - 5 * X[:, 1]
    for law in untrained_writer().write(X[:, :2], y):
        residual = y - law.equation.evaluate(X[:, :2])
        assert abs(residual.mean()) < 1e-8
        assert residual.var() <= y.var() * (1 + 1e-9)


def test_a_network_of_whole_numbers_writes_the_law_itself(rng):
    x = rng.uniform(-3, 3, (64, 1))
    for law in LawWriter(*untrained()).write(x, x[:, 0]):
        assert all(c == round(c) for form in law.equation.forms() for _, c in form)


def test_a_structure_is_fitted_from_what_was_written(X):
    law = WrittenLaw((), 0.0, to_equation(("exp", "neg", "mul", "x0", "2"), 4))
    y = 3 * np.exp(-1.7 * X[:, 0]) + 4
    scaling = Scaling.of(X, y)
    problem = make_problem(X, y, None, scaling, PRIMITIVES, {"exp": 1}, 2, 60, 0)
    structure = law.structure(scaling.x, scaling.y)
    [fitted] = levenberg_marquardt([structure], PRIMITIVES, problem.X, problem.y)
    assert fitted.loss < 1e-20


def test_whole_exponents_stay():
    law = WrittenLaw((), 0.0, to_equation(("cube", "square", "x0"), 1))
    assert law.structure().n_free == 2  # factor and offset
    assert sympy.simplify(to_sympy(law.structure().to_equation(), ["x0"]) - sympy.Symbol("x0") ** 6).is_number


def test_weights_are_read_once_until_the_file_changes(tmp_path):
    path = tmp_path / "weights.npz"
    save_weights(path, *untrained())
    first = LawWriter.load(path)
    assert LawWriter.load(str(path)) is first
    assert first.reading.high == 3
    os.utime(path, (0, 0))
    assert LawWriter.load(path) is not first


def test_weights_that_are_not_there_are_told_how_to_come_by(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none of the presets .*integers-1d.*sklearn_eql.pretrain"):
        LawWriter.load(tmp_path / "none.npz")
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK")
    with pytest.raises(ValueError, match="is damaged, or holds no weights"):
        LawWriter.load(damaged)


def test_its_name_is_the_same_in_every_process():
    assert repr(untrained_writer()) == repr(untrained_writer())
