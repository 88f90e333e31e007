"""One law for many groups together with what else a user knows, and with other outputs, losses and folds."""

import numpy as np
import pandas as pd
import pytest
import sympy
from equal_laws import same_law

from sklearn_eql import EQLRegressor
from sklearn_eql.constraints import MaxComplexity, Passes, Without

QUICK = {"random_state": 0, "functions": ["square"], "n_generations": 1, "n_families": 6}
LABELS = np.repeat(["a", "b", "c", "d"], 15)
SPEED = pd.Series({"a": 1.0, "b": 2.5, "c": -1.5, "d": 4.0})
T = np.random.default_rng(0).uniform(0, 3, 60)
X = pd.DataFrame({"t": T})
NOISE = 0.05 * np.random.default_rng(1).normal(size=60)
Y = -4.9137 * T**2 + SPEED[LABELS].to_numpy() * T + NOISE


def fitted(y=Y, X=X, **parameters):
    return EQLRegressor(**QUICK | parameters).fit(X, y, groups=LABELS)


def has_form(law):
    """Whether a law is ``c0*t`` and a number times ``t**2``."""
    t, c0 = sympy.symbols("t c0")
    terms = sympy.Poly(law, t).as_dict()
    return set(terms) == {(1,), (2,)} and not sympy.nsimplify(terms[1,] - c0) and terms[2,].is_number


@pytest.fixture(scope="module")
def two_outputs():
    return fitted(np.stack([Y, SPEED[LABELS].to_numpy() ** 2 * T], axis=1))


def test_constants_of_several_outputs_are_numbered_on(two_outputs):
    first, second = two_outputs.sympy_expr_
    assert has_form(first)
    of_first, of_second = two_outputs.group_constants_
    name = of_second.columns[0]
    assert same_law(second, sympy.Symbol(name) * sympy.Symbol("t"))
    assert name not in of_first
    np.testing.assert_allclose(of_first["c0"], SPEED, atol=0.1)
    np.testing.assert_allclose(of_second[name], SPEED**2)
    assert two_outputs.group_laws_ == [{}, {}]


def test_several_outputs_are_predicted_together(two_outputs):
    predicted = two_outputs.predict(X, groups=LABELS)
    assert predicted.shape == (60, 2)
    np.testing.assert_allclose(predicted[:, 1], SPEED[LABELS].to_numpy() ** 2 * T, atol=1e-8)
    rows = pd.DataFrame({"t": [1.0, 2.0]})
    _, second = two_outputs.fit_group(rows, [[1.0, 3.0], [-8.0, 6.0]])
    assert second.iloc[0, 0] == pytest.approx(3)
    with pytest.raises(ValueError, match=r"expected finite numbers of shape \(2, 2\)"):
        two_outputs.fit_group(rows, [1.0, 2.0])


def test_units_hold_for_laws_of_groups_and_their_constants_have_some():
    model = fitted(units={"t": {"s": 1}}, y_unit={"m": 1})
    assert has_form(model.sympy_expr_)
    assert model.group_constants_.attrs["units"] == {"c0": "m/s"}
    assert model.constants_["unit"].tolist() == ["m/s**2"]


def test_folds_have_rows_of_every_group_and_rivals_are_marked():
    equations = fitted(cv=4).equations_
    assert equations["rival"].dtype == bool
    assert not equations["rival"].iloc[0]
    assert equations["cv_loss"].iloc[0] > 100 * equations["cv_loss"].loc[equations["delta_dl"].idxmin()]
    assert (equations["cv_loss_se"] > 0).all()
    first = np.flatnonzero(LABELS == "a")
    with pytest.raises(ValueError, match="holds out all rows of group 'a'"):
        fitted(cv=[(np.setdiff1d(np.arange(60), first), first)])


def test_errors_of_own_constants_follow_from_those_of_the_target():
    model = EQLRegressor(**QUICK).fit(X, Y, groups=LABELS, y_error=0.1)  # twice what they are
    assert model.equations_.loc[model.best_index_, "reduced_chi2"] == pytest.approx(0.25, abs=0.1)
    t = T[LABELS == "a"]
    alone = 0.1 / np.linalg.norm(t - t**2 * (t**3).sum() / (t**4).sum())  # with the shared constant fitted along
    error = model.group_constants_.loc["a", "c0_se"]
    assert 0.1 / np.linalg.norm(t) < error < alone


def test_rows_that_are_wrong_do_not_move_the_constants():
    wrong = Y.copy()
    wrong[[3, 20, 40]] += 40
    model = fitted(wrong, loss="huber")
    assert has_form(model.sympy_expr_)
    np.testing.assert_allclose(model.group_constants_["c0"], SPEED, atol=0.1)


def test_another_loss_is_least_and_its_value_is_in_the_table():
    y = SPEED[LABELS].to_numpy() ** 2 * np.exp(0.3 * NOISE) * T**2 + 1e-3
    model = fitted(y, loss="relative_error")
    best = model.equations_.loc[model.best_index_]
    assert best["loss"] == pytest.approx(np.mean((model.predict(X, groups=LABELS) / y - 1) ** 2))


def test_every_group_behaves():
    shifted = Y + 0.2
    model = fitted(shifted, constraints=[Passes({"t": 0}, 0)])
    for index in model.equations_.index:
        at_zero = model.predict(pd.DataFrame({"t": np.zeros(4)}), index, groups=list("abcd"))
        np.testing.assert_allclose(at_zero, 0, atol=1e-4)


def test_laws_of_groups_are_as_complex_as_is_asked_at_most():
    assert fitted(constraints=[MaxComplexity(3)]).equations_["complexity"].max() <= 3
    wide = X.assign(u=T[::-1])
    assert "u" not in str(fitted(X=wide, y=Y + wide["u"], constraints=[Without("u")]).sympy_expr_)


@pytest.fixture(scope="module")
def of_a_form():
    a, k, c, t = sympy.symbols("a k c t")
    rates = pd.Series({"a": 0.5, "b": 0.9, "c": 1.5, "d": 0.3})[LABELS].to_numpy()
    y = 3 * SPEED[LABELS].to_numpy() * np.exp(-rates * T) + 1.234 + NOISE / 10
    return EQLRegressor(form=a * sympy.exp(-k * t) + c, random_state=0).fit(X, y, groups=LABELS), y


def test_constants_of_a_form_are_shared_where_the_groups_allow_it(of_a_form):
    model, y = of_a_form
    assert {str(s) for s in model.sympy_expr_.free_symbols} == {"a", "k", "t"}
    np.testing.assert_allclose(model.group_constants_["a"], 3 * SPEED, rtol=0.02)
    assert model.constants_.loc["c", "value"] == pytest.approx(
        1.234, abs=5 * model.constants_.loc["c", "standard_error"]
    )
    np.testing.assert_allclose(model.predict(X, groups=LABELS), y, atol=0.03)


def test_a_form_keeps_its_names_for_a_new_group(of_a_form):
    model, _ = of_a_form
    rows = pd.DataFrame({"t": [0.5, 1.0, 2.0]})
    found = model.fit_group(rows, 5 * np.exp(-rows["t"]) + model.constants_.loc["c", "value"])
    assert found["a"].item() == pytest.approx(5)
    assert found["k"].item() == pytest.approx(1)


def test_outputs_of_a_form_have_constants_of_their_own():
    a, c, t = sympy.symbols("a c t")
    y = np.stack([SPEED[LABELS] * T + 1.2345 + NOISE / 10, 2 * T - SPEED[LABELS] + NOISE / 10], axis=1)
    model = EQLRegressor(form=a * t + c, random_state=0).fit(X, y, groups=LABELS)
    first, second = model.group_constants_
    np.testing.assert_allclose(first["a"], SPEED, atol=0.05)
    np.testing.assert_allclose(second["c"], -SPEED, atol=0.05)
    assert [list(table.index) for table in model.constants_] == [["c"], ["a"]]
    predicted, deviations = model.predict(X, groups=LABELS, return_std="mean")
    np.testing.assert_allclose(predicted, y, atol=0.03)
    assert (deviations < 0.01).all()


def test_what_does_not_go_with_groups_is_said():
    f, t = sympy.Function("f"), sympy.Symbol("t")
    with pytest.raises(ValueError, match="f is to be found, expected a form of constants only"):
        fitted(form=f(t))


def test_a_guess_is_where_the_search_starts():
    a, k, w, t = sympy.symbols("a k w t")
    rates = pd.Series({"a": 0.5, "b": 0.9, "c": 1.5, "d": 0.3})[LABELS].to_numpy()
    y = 3 * np.exp(-rates * T) * np.sin(2.5 * T)
    nothing_else = {"functions": ["sin", "exp"], "n_families": 1, "n_generations": 0}
    model = fitted(y, guesses=[a * sympy.exp(-k * t) * sympy.sin(w * t)], **nothing_else)
    c0 = sympy.Symbol("c0")
    assert same_law(sympy.nsimplify(model.sympy_expr_, rational=True), 3 * sympy.exp(-c0 * t) * sympy.sin(5 * t / 2))
    again = model.set_params(guesses=None, warm_start=True).fit(X, y, groups=LABELS)
    assert again.equations_["loss"].iloc[-1] < 1e-20


def test_rows_of_every_group_are_held_out_and_then_all_are_fitted():
    model = fitted(selection="validation")
    assert has_form(model.sympy_expr_)
    at_best = np.linalg.lstsq(
        np.column_stack([T**2, *(np.where(label == LABELS, T, 0) for label in "abcd")]), Y, rcond=None
    )[0]
    np.testing.assert_allclose(model.group_constants_["c0"], at_best[1:], rtol=1e-5)
