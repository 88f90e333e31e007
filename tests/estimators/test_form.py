"""Laws of a form that is known: `EQLRegressor(form=)`."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor
from sklearn_eql.constraints import Passes, Without
from sklearn_eql.exceptions import AllTrialsFailedError

x, t, a, b, k = sympy.symbols("x t a b k")
DECAY = a * x**2 * sympy.exp(-k * t) + b


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.uniform(0, 3, 60), "t": rng.uniform(0, 5, 60)})
    return X, 2.5 * X["x"] ** 2 * np.exp(-0.7 * X["t"]) + 1.25


def test_constants_of_exact_rows_are_recognised_and_the_law_reads_as_the_form_does(table):
    X, y = table
    model = EQLRegressor(form=DECAY, random_state=0).fit(X, y)
    assert model.stop_reason_ == "exact"
    assert same_law(
        model.sympy_expr_.subs(sympy.Float(0.7), sympy.Rational(7, 10)), DECAY.subs({a: 2.5, b: 1.25, k: 0.7})
    )
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-9)
    assert len(model.equations_) == 1
    assert model._parametric[0][0].constants == {"a": 2.5, "b": 1.25, "k": 0.7}


def test_constants_of_noisy_rows_stay_as_they_are_measured(table):
    X, y = table
    model = EQLRegressor(form=DECAY, random_state=0).fit(X, y + 0.05 * np.random.default_rng(1).normal(size=60))
    constants = model._parametric[0][0].constants
    assert all(
        value == pytest.approx(true, rel=0.1) and value != true
        for value, true in zip(constants.values(), (2.5, 1.25, 0.7), strict=True)
    )
    assert model.stop_reason_ == "starts"


def test_rows_that_are_wrong_are_left_out_with_the_loss_of_huber(table):
    X, y = table
    y = y + 0.02 * np.random.default_rng(1).normal(size=60)
    y[::12] += 30
    model = EQLRegressor(form=DECAY, loss="huber", random_state=0).fit(X, y)
    assert model._parametric[0][0].constants["k"] == pytest.approx(0.7, abs=0.03)


def test_laws_of_forms_are_pickled_as_plain_values(table):
    X, y = table
    model = EQLRegressor(form=DECAY, random_state=0).fit(X, np.stack([y, 2 * y], axis=1))
    again = pickle.loads(pickle.dumps(model))
    assert again._parametric == model._parametric
    assert again.sympy_expr_ == model.sympy_expr_
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_form_without_anything_to_fit_is_evaluated(table):
    X, y = table
    model = EQLRegressor(form=2 * x**2).fit(X, y)
    assert same_law(model.sympy_expr_, 2 * x**2)
    assert EQLRegressor().set_params(form=3).fit(X, y).sympy_expr_ == 3


def test_another_fit_without_a_form_forgets_its_functions(table):
    X, y = table
    model = EQLRegressor(form=DECAY, random_state=0).fit(X, y)
    assert model.form_functions_ == {}
    model.set_params(form=None, n_generations=0, n_families=1).fit(X, y)
    assert not hasattr(model, "form_functions_")


def test_mistakes_in_a_form_are_said_before_the_search(table):
    X, y = table
    with pytest.raises(TypeError, match="form: got the text"):
        EQLRegressor(form="a*x").fit(X, y)
    with pytest.raises(ValueError, match="form: T is no feature, but t is"):
        EQLRegressor(form=a * sympy.Symbol("T")).fit(X, y)
    with pytest.raises(ValueError, match=r"3 constants .* cannot be told from 2 rows"):
        EQLRegressor(form=DECAY).fit(X[:2], y[:2])
    with pytest.raises(AllTrialsFailedError, match="No constants and functions were found"):
        EQLRegressor(form=a * sympy.log(-1 - x)).fit(X, y)


def test_the_constants_of_a_form_have_errors_under_their_names():
    X = np.random.default_rng(0).uniform(0, 3, (60, 1))
    y = 2.3718 * np.exp(-0.7319 * X[:, 0]) + 0.02 * np.random.default_rng(1).normal(size=60)
    a, k, x0 = sympy.symbols("a k x0")
    table = EQLRegressor(form=a * sympy.exp(-k * x0), random_state=0).fit(X, y).constants_
    assert sorted(table.index) == ["a", "k"]
    assert table["low"]["k"] < 0.7319 < table["high"]["k"]


def test_constants_of_a_form_are_moved_until_it_obeys_constraints(table):
    X, y = table
    at = X.iloc[:1] * 0 + 1
    model = EQLRegressor(form=DECAY, constraints=[Passes({"x": 1, "t": 1}, 2.6)], random_state=0).fit(X, y)
    assert model.predict(at) == pytest.approx(2.6, abs=1e-3)  # 2.49 in the rows
    assert set(model.constants_.index) == {"a", "b", "k"}
    with pytest.raises(AllTrialsFailedError, match="obeys the constraints"):
        EQLRegressor(form=a * x, constraints=[Passes({"x": 0}, 1)]).fit(X, y)
    with pytest.raises(ValueError, match="'t' is in Without and in the form"):
        EQLRegressor(form=DECAY, constraints=[Without("t")]).fit(X, y)


def test_constants_of_a_form_have_units_and_a_form_that_breaks_these_is_an_error(table):
    X, y = table
    known = {"units": {"x": {"m": 1}, "t": {"s": 1}}, "y_unit": {"m": 2}}
    model = EQLRegressor(form=DECAY, **known, random_state=0).fit(X, y)
    assert model.constants_["unit"].to_dict() == {"a": "", "b": "m**2", "k": "1/s"}
    with pytest.raises(ValueError, match="breaks the units"):
        EQLRegressor(form=a * x**2 * sympy.exp(-t), **known).fit(X, y)


def test_a_form_is_no_guess(table):
    X, y = table
    with pytest.raises(ValueError, match="form and guesses"):
        EQLRegressor(form=DECAY, guesses=[x]).fit(X, y)


def test_a_guess_is_where_the_search_starts(table):
    X, y = table
    model = EQLRegressor(guesses=[a * x**2 * sympy.exp(-k * t) + b], n_families=0, n_generations=0, random_state=0)
    assert model.fit(X, y).stop_reason_ == "exact"
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-9)


def test_mistakes_in_guesses_are_said_before_the_search(table):
    X, y = table
    with pytest.raises(ValueError, match=r"'guesses' parameter .* must be an instance of 'list'"):
        EQLRegressor(guesses=x).fit(X, y)
    with pytest.raises(TypeError, match=r"guesses\[1\]: got the text 'x'"):
        EQLRegressor(guesses=[x, "x"]).fit(X, y)
    with pytest.raises(ValueError, match=r"guesses\[0\]: .* has unknown functions \(f\)"):
        EQLRegressor(guesses=[sympy.Function("f")(x)]).fit(X, y)
