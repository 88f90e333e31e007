"""Laws of fitted estimators in other tools give what `predict` does."""

import json

import numpy as np
import pandas as pd
import pytest
from code_runners import RUNNERS
from sklearn.exceptions import NotFittedError

from sklearn_eql import EQLRegressor, Primitive

NAMES = ["length (m)", "gravity"]


@pytest.fixture(scope="module")
def X():
    return pd.DataFrame(np.random.default_rng(0).uniform(0.5, 2, (60, 2)), columns=NAMES)


@pytest.fixture(scope="module")
def model(X):
    y = 1.2345 * np.sqrt(X["length (m)"] / X["gravity"])
    return EQLRegressor(functions=["mul", "div", "sqrt"], random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def two_outputs(X):
    Y = np.stack([X["gravity"] ** 2, 3 * X["length (m)"] * X["gravity"]], axis=1)
    return EQLRegressor(functions=["mul"], n_hidden_layers=1, random_state=0).fit(X, Y)


@pytest.mark.parametrize("language", RUNNERS)
def test_code_gives_what_predict_does(language, model, X, tmp_path):
    text = model.code(language, name="period")
    called = ["A2", "B2"] if language == "excel" else "period"
    (values,) = RUNNERS[language]([(text, called, X.to_numpy().T)], tmp_path)
    np.testing.assert_allclose(values, model.predict(X), rtol=1e-12)


def test_code_of_several_outputs_is_a_list_that_compiles_together(two_outputs, X, tmp_path):
    texts = two_outputs.code("c")
    (first,) = RUNNERS["c"]([("\n".join(texts), "law_0", [X["gravity"]])], tmp_path)
    np.testing.assert_allclose(first, two_outputs.predict(X)[:, 0], rtol=1e-12)
    assert "double law_1(double length_m, double gravity)" in texts[1]


def test_code_of_another_row(model):
    assert "sqrt" not in model.code("c", index=0)


def test_numpy_function_is_predict(model, two_outputs, X):
    np.testing.assert_allclose(model.numpy_function()(X), model.predict(X), rtol=1e-12)
    np.testing.assert_allclose(model.numpy_function(0)(X), model.predict(X, index=0), rtol=1e-12)
    np.testing.assert_allclose(two_outputs.numpy_function()(X), two_outputs.predict(X), rtol=1e-12)
    assert np.isnan(model.numpy_function()([[-1.0, 1.0]])).all()


def test_jax_function_is_predict(model, X):
    jax = pytest.importorskip("jax")
    np.testing.assert_allclose(jax.jit(model.jax_function())(X.to_numpy()), model.predict(X), rtol=1e-5)


def test_latex_table_has_a_row_for_every_law_and_marks_the_selected_one(model, two_outputs):
    lines = model.latex_table().splitlines()
    assert lines[:4] == [r"\begin{tabular}{lrrl}", r"\toprule", r" & Complexity & Loss & Law \\", r"\midrule"]
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]
    assert len(lines) == 6 + len(model.equations_)
    (marked,) = [line for line in lines if "bullet" in line]
    assert model.latex() in marked
    assert all(line.count("&") == 3 and line.endswith(r"\\") for line in lines[4:-2])
    assert len(two_outputs.latex_table()) == 2


def test_onnx_files_give_what_predict_does_with_every_digit(X, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    from onnx.reference import ReferenceEvaluator

    y = np.stack([np.sin(2 * np.pi * X["gravity"]) / 3 + 0.1, X["gravity"] ** 2], axis=1)
    model = EQLRegressor(functions=["sin2pi", "square"], n_hidden_layers=1, random_state=0).fit(X, y)
    model.to_onnx(tmp_path / "law.onnx")
    file = onnx.load(tmp_path / "law.onnx")
    (values,) = ReferenceEvaluator(file).run(None, {"X": X.to_numpy()})
    np.testing.assert_allclose(values, model.predict(X), rtol=1e-12)
    assert json.loads(file.metadata_props[0].value) == NAMES


def test_functions_of_the_users_own_are_written_where_sympy_knows_them():
    X = np.linspace(0, 4, 40)[:, None]
    bell = Primitive("bell", 1, lambda g: 1 / (1 + g**2), lambda g: 1 / (1 + g**2), parity="even")
    model = EQLRegressor(functions=[bell], n_hidden_layers=1, random_state=0).fit(X, 3 / (1 + (X[:, 0] - 1) ** 2))
    np.testing.assert_allclose(model.numpy_function()(X), model.predict(X), rtol=1e-9)


@pytest.mark.parametrize("method", ["latex_table", "numpy_function", "code", "to_onnx"])
def test_before_fit_there_is_no_law(method, tmp_path):
    arguments = {"code": ["c"], "to_onnx": [tmp_path / "law.onnx"]}.get(method, [])
    with pytest.raises(NotFittedError):
        getattr(EQLRegressor(), method)(*arguments)


def test_what_is_missing_is_told(model, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jax.numpy", None)
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-eql\[jax\]'"):
        model.jax_function()
    with pytest.raises(ImportError, match=r"pip install 'sklearn-eql\[onnx\]'"):
        model.to_onnx(tmp_path / "law.onnx")
