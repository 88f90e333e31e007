"""Every bad input names the parameter, what was received, what is expected and the cure; odd good input is fitted."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sympy
import torch
from sklearn.exceptions import NotFittedError

from sklearn_eql import EQLRegressor, Primitive
from sklearn_eql.exceptions import AllTrialsFailedError, InvalidFunctionsError
from sklearn_eql.reading.arrays import plain

X = np.random.default_rng(0).uniform(1, 3, (40, 2))
Y = X[:, 0] ** 2 / X[:, 1]


def quick(**parameters):
    small = {"population_size": 48, "n_generations": 10, "n_hidden_layers": 1, "random_state": 0}
    return EQLRegressor(**{**small, **parameters})


def with_value(array, value, place):
    changed = np.array(array, dtype=np.result_type(array, type(value)))
    changed[place] = value
    return changed


TABLES = {
    "one row": (X[:1], Y[:1], ValueError, r"1 sample.*X of shape \(1, 2\).*at least 2 rows. Give more rows"),
    "no rows": (X[:0], Y[:0], ValueError, r"0 sample.*X of shape \(0, 2\).*at least 2 rows. Give more rows"),
    "no columns": (X[:, :0], Y, ValueError, r"0 feature.*X of shape \(40, 0\).*Give at least one column"),
    "different lengths": (X, Y[1:], ValueError, r"\[40, 39\].*y of shape \(39,\).*same number of rows"),
    "1-D X": (X[:, 0], Y, ValueError, r"X of shape \(40,\).*Expected X of shape \(n_samples.*X.reshape\(-1, 1\)"),
    "3-D X": (X[:, :, None], Y, ValueError, r"X of shape \(40, 2, 1\).*Expected X of shape.*X.reshape\(len\(X\), -1\)"),
    "3-D y": (X, np.ones((40, 2, 2)), ValueError, r"y of shape \(40, 2, 2\).*Expected.*y.reshape\(len\(y\), -1\)"),
    "NaN in X": (with_value(X, np.nan, (7, 1)), Y, ValueError, r"X contains NaN.*X\[7, 1\] is the first of 1.*dropna"),
    "infinite X": (
        with_value(X, np.inf, (7, 1)),
        Y,
        ValueError,
        r"X contains infinity.*X\[7, 1\].*leave such rows out",
    ),
    "NaN in y": (X, with_value(Y, np.nan, 3), ValueError, r"y contains NaN.*y\[3\] is the first of 1.*dropna"),
    "infinite y": (X, with_value(Y, -np.inf, 3), ValueError, r"y contains infinity.*y\[3\].*leave such rows out"),
    "missing integer": (
        pd.DataFrame({"a": pd.array([1, 2, None, 4] * 10, dtype="Int64")}),
        Y,
        ValueError,
        r"X contains NaN.*X\[2, 0\] is the first of 10",
    ),
    "text in X": (np.full((40, 2), "red"), Y, ValueError, r"'red'.*dtype <U3.*Turn the text in X into numbers"),
    "text column": (pd.DataFrame({"a": ["red"] * 40, "b": Y}), Y, ValueError, r"'red'.*Turn the text in X"),
    "text in y": (X, np.full(40, "red"), ValueError, r"'red'.*Turn the text in y into numbers"),
    "complex X": (X + 1j, Y, ValueError, r"Complex data.*complex128.*Expected.*real and the imaginary part of X"),
    "complex y": (X, Y + 1j, ValueError, r"Complex data.*complex128.*Expected.*real and the imaginary part of y"),
    "sparse X": (scipy.sparse.csr_array(X), Y, TypeError, r"Sparse data.*csr_array.*dense.*\.toarray\(\)"),
    "sparse y": (X, scipy.sparse.csr_array(Y[:, None]), ValueError, r"y of type csr_array.*dense.*\.toarray\(\)"),
    "ragged rows": ([[1.0, 2.0], [3.0]], [1, 2], ValueError, r"X of type list.*lists of rows of equal length"),
    "constant X": (np.ones((40, 2)), Y, ValueError, "X: all 2 columns are constant, expected at least one.*check"),
    "constant y": (X, np.full(40, 3.5), ValueError, "y is constant .all 40 values are 3.5.*expected.*DummyRegressor"),
    "y constant to rounding": (
        X,
        0.3 + np.spacing(0.3) * (X[:, 0] > 2),
        ValueError,
        "y is constant .*to rounding.*expected values that vary",
    ),
    "y at the end of float64": (
        X,
        Y / Y.max() * 1.7e308,
        ValueError,
        r"y reaches 1.7e\+308.*within 4.5e\+307.*Divide y by",
    ),
    "dates": (
        pd.DataFrame({"t": pd.date_range("2024-05-01", periods=40), "b": X[:, 0]}),
        Y,
        ValueError,
        r"X: column 't': got dates .first: '2024-05-01 00:00:00'.*seconds or days since the first row, "
        r"\(X\['t'\] - X\['t'\].iloc\[0\]\).dt.total_seconds\(\)",
    ),
    "months": (
        pd.DataFrame({"t": pd.period_range("2024-05", periods=40, freq="M")}),
        Y,
        ValueError,
        r"X: column 't': got dates .first: '2024-05'.*\(X\['t'\].dt.to_timestamp\(\) - ",
    ),
    "dates in an array": (
        np.arange("2024-05-01", "2024-06-10", dtype="M8[D]")[:, None],
        Y,
        ValueError,
        r"X\[0, 0\]: got dates .*dtype datetime64.*numpy.timedelta64\(1, 's'\)",
    ),
    "durations": (
        pd.DataFrame({"t": pd.to_timedelta(range(40), unit="s")}),
        Y,
        ValueError,
        r"X: column 't': got durations.*into seconds, X\['t'\].dt.total_seconds\(\)",
    ),
    "categories": (
        pd.DataFrame({"a": X[:, 0], "color": pd.Categorical(["red", "blue"] * 20)}),
        Y,
        ValueError,
        r"X: column 'color': got text .first: 'red'.*pandas.get_dummies\(X, columns=\['color'\]\), or a fit per group",
    ),
    "two columns of text": (
        pd.DataFrame({"a": ["u"] * 40, "b": X[:, 0], "c": ["v"] * 40}),
        Y,
        ValueError,
        "X: columns 'a', 'c': got text",
    ),
    "integers beyond float64": (
        [[10**400, 1]] * 40,
        Y,
        ValueError,
        r"X\[0, 0\]: got an integer of 401 digits.*1.8e308",
    ),
    "a number as y": (X, 3.0, ValueError, r"y: got the single value '3.0'.*expected shape \(n_samples,\).*one number"),
    "a set": (X, {1.0, 2.0}, TypeError, "y: got a set, expected an array, a table or a list. Use a list"),
    "a mapping": ({"a": X[:, 0]}, Y, TypeError, r"X: got a dict, expected .*Use pandas.DataFrame\(...\)"),
    "masked": (np.ma.masked_greater(X, 2.9), Y, ValueError, r"X contains NaN.*X\[.*first of"),
    "constant output": (X, np.c_[Y, np.ones(40)], ValueError, r"y\[:, 1\] is constant.*expected values that vary"),
    "same name twice": (
        pd.DataFrame(X, columns=["a", "a"]),
        Y,
        ValueError,
        "X: several columns are named 'a', expected distinct names.*Rename it in X.columns",
    ),
    "empty name": (
        pd.DataFrame(X, columns=["a", ""]),
        Y,
        ValueError,
        "X: column 1 has an empty name, expected distinct names.*Rename it in X.columns",
    ),
    "names of two types": (
        pd.DataFrame({"a": X[:, 0], 3: X[:, 1]}),
        Y,
        TypeError,
        r"all input features have string names.*X.columns.astype\(str\)",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_bad_table_is_named_and_its_cure_told(case):
    rows, target, kind, message = TABLES[case]
    with pytest.raises(kind, match=f"(?s){message}"):
        quick().fit(rows, target)


PARAMETERS = {
    "unknown preset": ({"functions": "sine"}, "functions='sine' is not a preset. Presets: .'default'.*pass a list"),
    "unknown function": ({"functions": ["sine"]}, "functions: 'sine' is not a known function.*'sin'.*Primitive to add"),
    "functions of a wrong type": ({"functions": 3}, "'functions' parameter.*must be.*Got 3"),
    "a number as function": ({"functions": [3]}, "functions: 3 is not a known function"),
    "no functions": ({"functions": {}}, "functions is empty. Name at least one"),
    "only constants": ({"functions": ["const"]}, "functions=.'const'. holds constants only. Name at least one"),
    "no copies": ({"functions": {"sin": 0}}, "copies of 'sin' must be a positive integer, got 0"),
    "no time": ({"max_time": 0}, r"'max_time' parameter.*float in the range \(0.0, inf\) or None. Got 0"),
    "negative time": ({"max_time": -1.0}, r"'max_time' parameter.*range \(0.0, inf\) or None. Got -1"),
    "undefined time": ({"max_time": float("nan")}, r"'max_time' parameter.*range \(0.0, inf\) or None. Got nan"),
    "a GPU that is not there": ({"device": "cuda:7"}, r"device='cuda:7' is not there.*Expected.*Use device='cpu'"),
    "unknown device": ({"device": "tpu"}, "device='tpu' is unknown. Expected 'auto', 'cpu', 'cuda'.*Use 'auto'"),
    "device without float64": ({"device": "mps"}, "device='mps' is unknown. Expected 'auto', 'cpu', 'cuda'"),
    "no layers": ({"n_hidden_layers": 0}, r"'n_hidden_layers' parameter.*range \[1, inf\). Got 0"),
    "no population": ({"population_size": 0}, r"'population_size' parameter.*range \[1, inf\).*Got 0"),
    "unknown penalty": ({"penalty": "l2"}, "'penalty' parameter.*'l05'.*implementing 'gates' and 'value'. Got 'l2'"),
    "negative alpha": ({"alpha": -1.0}, r"'alpha' parameter.*range \[0.0, inf\).*'auto'.*Got -1"),
    "infinite alpha": ({"alpha": float("inf")}, r"'alpha' parameter.*range \[0.0, inf\).*'auto'.*Got inf"),
    "unknown selection": ({"selection": "first"}, "'selection' parameter.*'best'.*Got 'first'"),
    "unknown search": ({"search": "random"}, "'search' parameter.*'evolution'.*Got 'random'"),
    "empty schedule": ({"search": "gradient", "schedule": []}, "schedule must be a non-empty sequence of Phase, got"),
    "schedule of numbers": ({"search": "gradient", "schedule": [3]}, r"sequence of Phase, got \[3\]"),
    "an integer beyond the machine": ({"patience": 10**400}, "patience holds an integer of 401 digits.*fits 64 bits"),
    "such a number of copies": ({"functions": {"sin": 10**400}}, "functions holds an integer of 401 digits"),
    "unknown on_undefined": ({"on_undefined": "skip"}, "'on_undefined' parameter.*'clip'.*Got 'skip'"),
    "no jobs": ({"n_jobs": 0}, r"'n_jobs' parameter.*\[1, inf\).*None. Got 0"),
    "bad random state": ({"random_state": "a"}, "'random_state' parameter.*Got 'a'"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_bad_parameter_is_named_with_what_is_expected(case):
    parameters, message = PARAMETERS[case]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        quick(**parameters).fit(X, Y)


WEIGHTS = {
    "negative": (with_value(np.ones(40), -1.0, 5), r"Negative.*sample_weight.*-1 in row 5.*expected 40.*weight 0"),
    "all zero": (np.zeros(40), "sample_weight.*expected 40 finite numbers.*at least 2 positive"),
    "one positive": (np.eye(40)[0], "sample_weight: expected.*at least 2 positive, got 1. Give more rows a weight"),
    "NaN": (with_value(np.ones(40), np.nan, 5), "sample_weight contains NaN.*expected 40 finite numbers.*Leave it out"),
    "too few": (np.ones(39), r"\(39,\).*sample_weight: expected 40 finite numbers, one per row"),
    "two columns": (np.ones((40, 2)), "1D.*sample_weight: expected 40 finite numbers, one per row"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_bad_weights_are_named_with_what_is_expected(case):
    weight, message = WEIGHTS[case]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        quick().fit(X, Y, sample_weight=weight)


def test_rows_of_positive_weight_must_vary():
    inner = X[:, 0] > 2
    with pytest.raises(ValueError, match="y is constant"):
        quick().fit(X, np.where(inner, 1.0, Y), sample_weight=inner.astype(float))


PRIMITIVES = {
    "too many arguments": ((1, lambda a, b: a * b, lambda a: a), "torch_fn failed with 1 tensors.*'b'.*arity=1 fits"),
    "too few arguments": ((2, lambda a: a, lambda a, b: a), "torch_fn failed with 2 tensors.*arity=2 fits"),
    "a sum": ((1, torch.sum, lambda a: a), r"torch_fn returned shape \(\).*expected a tensor of the same shape"),
    "another dtype": (
        (1, lambda a: a.float(), lambda a: a),
        "torch_fn returned.*float32.*expected.*same shape and dtype",
    ),
    "numpy": ((1, lambda a: np.sin(a.detach().numpy()), sympy.sin), "torch_fn returned ndarray.*expected a tensor"),
    "no gradient": ((1, lambda a: a.detach() ** 2, lambda a: a**2), "torch_fn has no gradient.*Leave out detach"),
    "an error inside": (
        (1, lambda a: 1 / 0, lambda a: a),
        "torch_fn failed.*ZeroDivisionError.*Expected an elementwise",
    ),
    "sympy arguments": ((1, torch.sin, lambda a, b: a), "sympy_fn failed with 1 symbols.*'b'.*Expected the same"),
    "not sympy": ((1, torch.sin, lambda a: "sin(a)"), "sympy_fn failed.*Expected the same function"),
    "two definitions": (
        (1, torch.sinc, sympy.sinc),
        "torch_fn gives .* and sympy_fn .*Expected two definitions of the",
    ),
}


@pytest.mark.parametrize("case", PRIMITIVES)
def test_an_ill_formed_primitive_is_refused_before_the_search(case):
    arguments, message = PRIMITIVES[case]
    with pytest.raises(InvalidFunctionsError, match=f"(?s)Primitive 'mine': .*{message}"):
        quick(functions=["id", Primitive("mine", *arguments)]).fit(X, Y)


def test_a_primitive_of_three_arguments_is_refused():
    with pytest.raises(InvalidFunctionsError, match=r"'mine': arity must be 0, 1 or 2, got 3. Compose"):
        Primitive("mine", 3, torch.lerp, lambda a, b, c: a + c * (b - a))


def test_a_search_without_any_finite_law_says_what_to_change():
    # Only the constant and f could be laws here, and f leaves the reals on every row.
    hopeless = Primitive("hopeless", 1, lambda g: torch.where(g > 1e300, g, torch.nan * g), lambda g: sympy.nan * g)
    with pytest.raises(AllTrialsFailedError, match=r"No trial ended with a law that is finite.*Check X and y.*raise"):
        EQLRegressor(
            functions=[hopeless], search="gradient", n_trials=2, n_hidden_layers=1, schedule="fast", max_time=20
        ).fit(X, Y)


@pytest.fixture(scope="module")
def fitted():
    return quick().fit(X, Y)


def test_prediction_outside_the_domain_names_the_law_and_the_row(fitted):
    with pytest.raises(
        ValueError, match=r"X: the law x0\*\*2/x1 is undefined.* 1 of 2 rows \(first: row 1, x0 = 1, x1 = 0"
    ):
        fitted.predict([[1.0, 2.0], [1.0, 0.0]])


def test_prediction_with_other_columns_names_both_numbers(fitted):
    with pytest.raises(
        ValueError, match=r"(?s)X has 1 features, but EQLRegressor is expecting 2.*columns that fit saw"
    ):
        fitted.predict(X[:, :1])


@pytest.mark.parametrize("index", [99, -1])
def test_an_index_that_is_no_row_is_refused(fitted, index):
    with pytest.raises(IndexError, match=f"index={index} is no row of equations_; expected 0 to"):
        fitted.predict(X, index=index)


@pytest.mark.parametrize("index", ["a", 1.5])
def test_an_index_that_is_no_label_is_refused(fitted, index):
    with pytest.raises((TypeError, ValueError), match=r"index=.*expected the label of a row of equations_"):
        fitted.predict(X, index=index)


def test_one_index_per_output_is_expected(fitted):
    with pytest.raises(ValueError, match="index: got 2 rows for 1 outputs; give one row per output"):
        fitted.predict(X, index=[0, 1])


@pytest.mark.parametrize("method", ["predict", "score", "sympy", "latex", "torch_module"])
def test_methods_of_an_unfitted_estimator_ask_for_fit(method):
    arguments = {"predict": (X,), "score": (X, Y)}.get(method, ())
    with pytest.raises(NotFittedError, match=r"not fitted yet. Call 'fit'"):
        getattr(EQLRegressor(), method)(*arguments)


@pytest.mark.parametrize("attribute", ["sympy_expr_", "equations_", "best_index_"])
def test_fitted_attributes_do_not_exist_before_fit(attribute):
    with pytest.raises(AttributeError, match=f"EQLRegressor has no attribute '{attribute}' before fit"):
        getattr(EQLRegressor(), attribute)


@pytest.mark.parametrize("choice", [77, [0], "best"])
def test_a_selection_that_returns_no_row_is_told_the_labels(choice):
    with pytest.raises(
        ValueError, match=r"selection: the callable returned .*no row of the equation table. Return one"
    ):
        quick(selection=lambda table: choice).fit(X, Y)


def test_extrapolation_needs_inner_rows_that_vary():
    with pytest.raises(ValueError, match=r"selection='extrapolation' holds out the outer rows.*Give more rows, or use"):
        quick(selection="extrapolation").fit(X[:2], Y[:2])


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


INTEGERS = np.random.default_rng(1).integers(1, 9, (40, 2))
FITTED = {
    "duplicated column": (np.c_[X, X[:, 0]], Y),
    "constant column": (np.c_[X, np.full(40, 5.0)], Y),
    "huge constant column": (np.c_[X, np.full(40, 1e300)], Y),
    "column of zeros": (np.c_[X, np.zeros(40)], Y),
    "tiny X": (X * 1e-30, Y),
    "huge X": (X * 1e30, Y),
    "tiny y": (X, Y * 1e-30),
    "huge y": (X, Y * 1e30),
    "tiny X, huge y": (X * 1e-30, Y * 1e30),
    "huge X, tiny y": (X * 1e30, Y * 1e-30),
    "columns of different scales": (X * [1e30, 1e-30], Y * 1e30),
    "sum of different scales": (X * [1e30, 1e-30], 2 * X[:, 0] + 3 * X[:, 1]),
    "y near the end of float64": (X, Y * 1e300),
    "rows twice": (np.r_[X, X], np.r_[Y, Y]),
    "integers": (INTEGERS, INTEGERS[:, 0] * INTEGERS[:, 1]),
    "bytes": (INTEGERS.astype(np.uint8), (3 * INTEGERS[:, 0]).astype(np.uint8)),
    "booleans": (INTEGERS > 4, (INTEGERS > 4).all(axis=1)),
    "tensors with a graph": (torch.tensor(X, requires_grad=True), torch.tensor(Y, requires_grad=True)),
    "short floats": (torch.tensor(INTEGERS).bfloat16(), (2 * INTEGERS[:, 0]).astype(np.float16)),
    "read-only": (read_only(X), read_only(Y)),
    "Fortran order": (np.asfortranarray(X), Y),
    "strided": (np.repeat(X, 2, axis=0)[::2], np.repeat(Y, 2)[::2]),
    "reversed": (X[::-1, ::-1], Y[::-1]),
    "big-endian": (X.astype(">f8"), Y.astype(">f8")),
    "objects": (X.astype(object), Y.astype(object)),
    "lists": (X.tolist(), Y.tolist()),
    "nullable integers": (
        pd.DataFrame(INTEGERS, columns=["a", "b"]).astype("Int64"),
        pd.Series(INTEGERS[:, 0] * 2).astype("Int64"),
    ),
    "nullable floats": (pd.DataFrame(X, columns=["a", "b"]).astype("Float64"), pd.Series(Y).astype("Float64")),
    "nullable booleans": (
        pd.DataFrame({"a": pd.array(INTEGERS[:, 0] > 4, dtype="boolean"), "b": X[:, 1]}),
        (INTEGERS[:, 0] > 4) + 2 * X[:, 1],
    ),
}


@pytest.mark.parametrize("case", FITTED)
def test_odd_but_good_input_gets_its_law(case):
    rows, target = FITTED[case]
    given = np.array(plain("X", rows), dtype=float)
    model = quick().fit(rows, target)
    expected = np.asarray(plain("y", target), dtype=np.float64)
    np.testing.assert_allclose(model.predict(rows), expected, rtol=1e-6, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_array_equal(np.array(plain("X", rows), dtype=float), given)


def test_float32_data_get_their_law_to_the_precision_of_float32():
    model = quick().fit(X.astype(np.float32), Y.astype(np.float32))
    np.testing.assert_allclose(model.predict(X), Y, rtol=1e-6)


@pytest.mark.parametrize("n_rows", [2, 3, 5])
def test_very_few_rows_get_a_finite_law(n_rows):
    model = quick().fit(X[:n_rows], Y[:n_rows])
    assert np.isfinite(model.predict(X[:n_rows])).all()


def test_a_column_vector_is_one_output_in_two_dimensions():
    model = quick().fit(X, Y[:, None])
    assert model.predict(X).shape == (40, 1)
    assert model.sympy_expr_ == [sympy.Symbol("x0") ** 2 / sympy.Symbol("x1")]


def test_laws_are_defined_on_all_training_rows_whatever_the_functions():
    rows = X - 2  # of both signs: logarithms and roots of single features are undefined
    model = quick(functions=["log", "sqrt", "pow", "div"]).fit(rows, np.abs(rows[:, 0]) + rows[:, 1])
    for index in model.equations_.index:
        assert np.isfinite(model.predict(rows, index=index)).all()
