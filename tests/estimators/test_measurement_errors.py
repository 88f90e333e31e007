"""`x_error` and `y_error` of `fit`."""

import numpy as np
import pandas as pd
import pytest
import sympy

from sklearn_eql import EQLRegressor
from sklearn_eql.constraints import Passes

FEW = {"functions": ["id", "square", "mul"], "n_hidden_layers": 1, "population_size": 32, "n_generations": 4}
TRUE = np.random.default_rng(3).uniform(0, 3, 100)
EXACT = TRUE[:, None]
X = EXACT + 0.5 * np.random.default_rng(4).normal(size=(100, 1))
Y = 2.3718 * TRUE + 0.7139 + 0.2 * np.random.default_rng(5).normal(size=100)


def fitted(X=X, y=Y, sample_weight=None, errors=None, **parameters):
    model = EQLRegressor(**{**FEW, "random_state": 0, **parameters})
    return model.fit(X, y, sample_weight=sample_weight, **(errors or {}))


def slope(model):
    table = model.constants_
    return table[table["place"].str.startswith("factor of")].iloc[0]


def test_errors_of_features_do_not_make_the_slope_too_small():
    plain, both = slope(fitted()), slope(fitted(errors={"x_error": 0.5, "y_error": 0.2}))
    assert plain["high"] < 2.3718
    assert both["low"] < 2.3718 < both["high"]


def test_the_error_of_the_target_may_be_unknown():
    model = fitted(errors={"x_error": [0.5]})
    assert slope(model)["low"] < 2.3718 < slope(model)["high"]
    assert "reduced_chi2" not in model.equations_


def test_reduced_chi_square_says_whether_a_law_is_enough():
    table = fitted(EXACT, errors={"y_error": 0.2}).equations_
    straight = table["equation"].str.contains("x0") & (table["complexity"] == 5)
    assert table["reduced_chi2"][straight].item() == pytest.approx(1, abs=0.4)
    assert table["reduced_chi2"].iloc[0] > 2


def test_known_errors_are_not_estimated_from_the_residuals():
    small, large = (slope(fitted(EXACT, errors={"y_error": e}))["standard_error"] for e in (0.2, 0.4))
    assert large == pytest.approx(2 * small)
    expected = 0.2 / np.sqrt(np.sum((TRUE - TRUE.mean()) ** 2))
    assert small == pytest.approx(expected, rel=1e-6)


def test_rows_are_weighed_by_their_errors_and_weights_count_rows():
    errors = np.where(np.arange(100) % 2, 0.2, 2.0)
    weighed = fitted(EXACT, errors={"y_error": errors})
    expected = np.polyfit(TRUE, Y, 1, w=1 / errors)
    assert slope(weighed)["value"] == pytest.approx(expected[0], rel=1e-6)
    twice = fitted(EXACT, sample_weight=np.full(100, 1.0), errors={"y_error": errors})
    assert slope(twice)["standard_error"] == pytest.approx(slope(weighed)["standard_error"])


def test_a_deviation_holds_the_known_noise():
    model = fitted(EXACT, errors={"y_error": 0.2})
    _, std = model.predict(EXACT, return_std=True)
    assert (std > 0.2).all()
    assert (std < 0.22).all()


@pytest.mark.parametrize("x_error", [0.5, [0.5], np.full((100, 1), 0.5), np.full(100, 0.5), {"time": 0.5}])
def test_errors_of_features_have_several_shapes(x_error):
    model = fitted(pd.DataFrame(X, columns=["time"]), errors={"x_error": x_error, "y_error": 0.2}, n_generations=1)
    assert slope(model)["value"] > 2


def test_errors_may_differ_from_row_to_row():
    errors = np.where(np.arange(100) % 2, 0.05, 0.8)[:, None]
    rng = np.random.default_rng(5)
    rows = TRUE[:, None] + errors * rng.normal(size=(100, 1))
    found = slope(fitted(rows, errors={"x_error": errors, "y_error": 0.2}))
    assert found["value"] == pytest.approx(2.3718, abs=4 * found["standard_error"])
    assert found["standard_error"] < 0.1


def test_errors_of_zero_are_none():
    assert fitted(EXACT, errors={"x_error": 0.0}).sympy_expr_ == fitted(EXACT).sympy_expr_


def test_every_output_has_its_own_errors():
    model = fitted(EXACT, np.c_[Y, 2 * Y], errors={"y_error": [0.2, 0.4]})
    first, second = (table["standard_error"].max() for table in model.constants_)
    assert second == pytest.approx(2 * first)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({"x_error": -1}, r"x_error: expected standard deviations.*got -1"),
        ({"x_error": np.ones((3, 2))}, r"x_error: .*got shape \(3, 2\)"),
        ({"x_error": {"speed": 1}}, r"x_error: .*There is no column 'speed'"),
        ({"x_error": "much"}, r"x_error: .*got 'much'"),
        ({"y_error": 0}, r"y_error: expected standard deviations above 0.*got 0"),
        ({"y_error": np.ones(7)}, r"y_error: .*got shape \(7,\)"),
        ({"y_error": np.nan}, r"y_error: .*got nan"),
    ],
)
def test_errors_that_do_not_fit_are_told(errors, message):
    with pytest.raises(ValueError, match=message):
        fitted(errors=errors)


def test_a_form_has_constants_of_both_axes():
    x0, slope_of, offset = sympy.symbols("x0 slope_of offset")
    model = fitted(errors={"x_error": 0.5, "y_error": 0.2}, form=slope_of * x0 + offset)
    table = model.constants_
    assert table.loc["slope_of", "low"] < 2.3718 < table.loc["slope_of", "high"]
    # Of a straight line the most likely slope is in closed form, but for the errors (Deming regression).
    u, v = X[:, 0] - X.mean(), Y - Y.mean()
    ratio = (0.2 / 0.5) ** 2
    left = v @ v - ratio * (u @ u)
    expected = (left + np.sqrt(left**2 + 4 * ratio * (u @ v) ** 2)) / (2 * u @ v)
    assert table.loc["slope_of", "value"] == pytest.approx(expected, rel=1e-3)


def test_functions_of_a_form_are_found_with_errors_of_features():
    x0, f = sympy.Symbol("x0"), sympy.Function("f")
    y = np.exp(0.7 * TRUE) + 0.05 * np.random.default_rng(5).normal(size=100)
    rows = EXACT + 0.1 * np.random.default_rng(4).normal(size=(100, 1))
    model = EQLRegressor(form=f(x0), functions=["exp"], n_families=8, n_generations=1, random_state=0)
    model.fit(rows, y, x_error=0.1, y_error=0.05)
    found = sympy.lambdify(x0, model.form_functions_["f"](x0))
    grid = np.linspace(0.2, 2.8, 20)
    np.testing.assert_allclose(found(grid), np.exp(0.7 * grid), rtol=0.05)
    np.testing.assert_allclose(model.predict(grid[:, None]), found(grid))


def test_rows_that_are_wrong_do_not_move_a_law_with_errors_of_features():
    wrong = Y.copy()
    wrong[:8] += 12.0
    x0, slope_of, offset = sympy.symbols("x0 slope_of offset")
    model = fitted(y=wrong, errors={"x_error": 0.5, "y_error": 0.2}, loss="huber", form=slope_of * x0 + offset)
    assert model.constants_.loc["slope_of", "value"] == pytest.approx(2.3718, abs=0.3)


def test_a_loss_says_how_the_target_scatters_beside_the_errors_of_features():
    rng = np.random.default_rng(7)
    at = rng.uniform(1, 9, 150)
    y = 3.1 * at**2 * (1 + 0.05 * rng.normal(size=150))
    measured = at[:, None] + 0.1 * rng.normal(size=(150, 1))
    model = fitted(measured, y, errors={"x_error": 0.1}, loss="relative_error", form=sympy.sympify("a*x0**b"))
    table = model.constants_
    assert table.loc["b", "value"] == pytest.approx(2, abs=4 * table.loc["b", "standard_error"])
    assert table.loc["b", "standard_error"] < 0.05


def test_laws_behave_on_both_axes():
    model = fitted(errors={"x_error": 0.5, "y_error": 0.2}, constraints=[Passes({"x0": 0}, 1)], n_generations=1)
    for index in model.equations_.index:
        np.testing.assert_allclose(model.predict([[0.0]], index), 1, atol=1e-4)
    assert slope(model)["value"] > 2


@pytest.mark.parametrize("parameters", [{"cv": 4}, {"selection": "validation"}, {"selection": "extrapolation"}])
def test_rows_held_out_are_moved_onto_each_law(parameters):
    model = fitted(errors={"x_error": 0.5, "y_error": 0.2}, n_families=4, n_generations=1, **parameters)
    assert slope(model)["value"] > 2
    if "cv" in parameters:
        table = model.equations_
        line = table["cv_loss"].loc[model.best_index_]
        assert table["cv_loss"].iloc[0] > 2 * line
        assert line == pytest.approx(table["loss"].loc[model.best_index_], rel=0.3)


def test_groups_know_no_errors_of_features():
    with pytest.raises(ValueError, match="x_error goes with one table of rows only"):
        EQLRegressor().fit(X, Y, groups=np.arange(100) % 2, x_error=0.1)
