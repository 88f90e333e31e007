"""Rows that are wrong: Huber's loss finds the law of the others, and a fit by squares says that there are some."""

import pickle
import warnings

import numpy as np
import pytest
import sympy
from equal_laws import same_law
from sklearn.model_selection import KFold

from sklearn_eql import EQLRegressor, Phase
from sklearn_eql.exceptions import OutlierWarning

X = np.random.default_rng(0).uniform(-1, 2, (60, 2))
NEW = np.random.default_rng(1).uniform(-1, 2, (200, 2))
WRONG = [3, 20, 41]


def law(rows):
    return rows[:, 0] ** 3 * np.exp(rows[:, 0]) - 1


def line(rows):
    return 3 * rows[:, 0] - 2 * rows[:, 1] + 0.5


def with_errors(y, rows=WRONG, size=20):
    wrong = y.copy()
    wrong[rows] += size * y.std() * np.where(np.arange(len(rows)) % 2, -1, 1)
    return wrong


def noisy(y, seed=2):
    return y + 0.01 * y.std() * np.random.default_rng(seed).normal(size=len(y))


def linear(**parameters):
    return EQLRegressor(functions=["id"], random_state=0, **{"loss": "huber", **parameters})


def test_a_law_without_noise_is_found_in_spite_of_wrong_rows():
    functions = ["exp", "cube", "mul"]
    model = EQLRegressor(functions=functions, loss="huber", random_state=0).fit(X, with_errors(law(X)))
    assert model.stop_reason_ == "exact"
    assert same_law(model.sympy_expr_, sympy.sympify("x0**3*exp(x0) - 1"))


def test_a_law_without_wrong_rows_is_found_as_by_squares():
    model = EQLRegressor(functions=["exp", "cube", "mul"], loss="huber", random_state=0).fit(X, law(X))
    assert same_law(model.sympy_expr_, sympy.sympify("x0**3*exp(x0) - 1"))


def test_coefficients_are_those_of_the_rows_that_are_right():
    y = with_errors(noisy(1.234 * line(X)))
    model = linear().fit(X, y)
    assert abs(model.predict(NEW) - 1.234 * line(NEW)).max() < 0.05
    with pytest.warns(OutlierWarning):
        squares = linear(loss="squared_error").fit(X, y)
    assert abs(squares.predict(NEW) - 1.234 * line(NEW)).max() > 1


def test_heavy_tails_are_weighed_as_in_the_regression_of_huber():
    from sklearn.linear_model import HuberRegressor

    rows = np.random.default_rng(3).uniform(-1, 2, (200, 2))
    y = 1.234 * line(rows) + 0.1 * np.random.default_rng(4).standard_t(4, size=200)
    expected = HuberRegressor(alpha=0).fit(rows, y).predict(NEW)
    np.testing.assert_allclose(linear(selection="accurate").fit(rows, y).predict(NEW), expected, atol=0.02)


def test_a_row_given_twice_is_a_row_of_twice_the_weight():
    y, counts = with_errors(noisy(line(X))), np.random.default_rng(5).integers(1, 4, 60)
    repeated = linear().fit(X.repeat(counts, axis=0), y.repeat(counts)).predict(NEW)
    np.testing.assert_allclose(repeated, line(NEW), atol=0.1)
    np.testing.assert_allclose(linear().fit(X, y, sample_weight=counts).predict(NEW), line(NEW), atol=0.1)


def test_weights_say_how_well_rows_are_known():
    rows = np.logspace(0, 3, 80)[:, None]
    y = 3 * rows[:, 0] * (1 + 0.01 * np.random.default_rng(6).normal(size=80))
    y[[5, 40]] *= 3
    model = linear().fit(rows, y, sample_weight=1 / (3 * rows[:, 0]) ** 2)
    np.testing.assert_allclose(model.predict(rows), 3 * rows[:, 0], rtol=0.02)


def test_every_output_has_its_own_wrong_rows():
    model = linear().fit(X, np.c_[with_errors(line(X)), with_errors(2 * line(X), [0, 59])])
    expected = sympy.sympify("3*x0 - 2*x1 + 1/2")
    assert same_law(model.sympy_expr_, [expected, 2 * expected])


def test_a_fit_goes_on_from_the_laws_before_and_is_pickled():
    y = with_errors(noisy(line(X)))
    model = linear(warm_start=True).fit(X, y)
    before = model.predict(NEW)
    again = pickle.loads(pickle.dumps(model)).fit(X, y)
    np.testing.assert_allclose(again.predict(NEW), before, atol=0.02)


def test_held_out_rows_may_be_wrong_as_well():
    y = with_errors(noisy(line(X)), rows=list(range(0, 60, 12)))
    model = linear(selection="extrapolation").fit(X, y)
    np.testing.assert_allclose(model.predict(NEW), line(NEW), atol=0.1)


@pytest.mark.parametrize("cv", [4, KFold(4)], ids=["number", "splitter"])
def test_wrong_rows_do_not_count_where_they_are_held_out(cv):
    y = noisy(line(X))
    model = linear(cv=cv).fit(X, with_errors(y))
    right = linear(cv=cv).fit(X, y)
    found, expected = (m.equations_["cv_loss"].iloc[m.best_index_] for m in (model, right))
    assert 0.3 < found / expected < 3


def test_dense_networks_are_trained_on_the_right_rows():
    options = {"search": "gradient", "schedule": [Phase(n_steps=100)], "n_trials": 2, "functions": ["id", "square"]}
    model = EQLRegressor(loss="huber", random_state=0, **options).fit(X, with_errors(line(X)))
    np.testing.assert_allclose(model.predict(NEW), line(NEW), atol=1e-6)


def test_time_is_kept():
    model = EQLRegressor(loss="huber", max_time=0.2, random_state=0).fit(X, with_errors(noisy(law(X))))
    assert np.isfinite(model.predict(X)).all()


def test_values_most_of_which_are_equal_are_no_reason_to_leave_the_others_out():
    y = np.zeros(60)
    y[:6] = 1.0
    assert linear().fit(np.c_[y, X], y).sympy_expr_ == sympy.Symbol("x0")


@pytest.mark.parametrize("parameters", [{"loss": "absolute"}, {"loss": "huber", "epsilon": 0.5}])
def test_other_losses_are_refused(parameters):
    with pytest.raises(ValueError, match=next(reversed(parameters))):
        EQLRegressor(**parameters).fit(X, line(X))


# The warning --------------------------------------------------------------------------------------------------------


def test_a_fit_by_squares_tells_of_rows_far_away():
    targets = np.c_[with_errors(noisy(line(X))), noisy(line(X))]
    message = r'3 of 60 rows of y\[:, 0\] lie far .* use loss="huber"'
    with pytest.warns(OutlierWarning, match=message) as caught:
        linear(loss="squared_error").fit(X, targets)
    assert len(caught) == 1


@pytest.mark.parametrize("n", [19, 60])
def test_normal_errors_exact_laws_and_few_rows_are_no_reason_to_warn(n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linear(loss="squared_error").fit(X[:n], line(X[:n]))
        for seed in range(3):
            linear(loss="squared_error").fit(X[:n], noisy(line(X[:n]), seed))
        linear(loss="squared_error").fit(X[:19], with_errors(noisy(line(X[:19])), rows=[3]))
        linear(loss="squared_error").fit(X, with_errors(noisy(line(X))), np.isin(np.arange(60), WRONG, invert=True))
