"""Rows on which a law is undefined: an error, NaN or the nearest place in the range, as `on_undefined` has it."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from sklearn_eql import EQLEncoderRegressor, EQLRegressor, Phase


def roots(n_rows=40, **parameters):
    """A model of ``y = sqrt(x0 + 2)`` for x0 from -1.9 to 2, and its rows."""
    X = np.linspace(-1.9, 2, n_rows)[:, None]
    return EQLRegressor(functions=["sqrt"], n_hidden_layers=1, random_state=0, **parameters).fit(
        X, np.sqrt(X[:, 0] + 2)
    )


def test_rows_outside_the_domain_raise_by_default():
    with pytest.raises(
        ValueError, match=r"undefined.* 1 of 2 rows \(first: row 1, x0 = -3\).*on_undefined to 'nan' or"
    ):
        roots().predict([[2.0], [-3.0]])


def test_rows_outside_the_domain_are_nan_on_demand():
    np.testing.assert_allclose(roots(on_undefined="nan").predict([[2.0], [-3.0]]), [2, np.nan], rtol=1e-9)


def test_rows_outside_the_domain_are_clipped_on_demand():
    # 7 is outside the range, too, but the law is defined there.
    found = roots(on_undefined="clip").predict([[2.0], [-3.0], [7.0]])
    np.testing.assert_allclose(found, [2, np.sqrt(0.1), 3], rtol=1e-9)


def test_only_the_outputs_that_are_undefined_are_replaced():
    X = np.linspace(-1.9, 2, 40)[:, None]
    model = EQLRegressor(functions=["sqrt"], n_hidden_layers=1, random_state=0, on_undefined="nan")
    model.fit(X, np.c_[np.sqrt(X + 2), 3 * X])
    np.testing.assert_allclose(model.predict([[-3.0]]), [[np.nan, -9]], rtol=1e-9)
    model.set_params(on_undefined="clip")
    np.testing.assert_allclose(model.predict([[-3.0]]), [[np.sqrt(0.1), -9]], rtol=1e-9)


def test_what_is_undefined_inside_the_range_cannot_be_clipped():
    X = np.r_[np.linspace(-2, -0.5, 20), np.linspace(0.5, 2, 20)][:, None]
    model = EQLRegressor(functions=["div"], n_hidden_layers=1, random_state=0, on_undefined="clip").fit(X, 1 / X[:, 0])
    with pytest.raises(ValueError, match="undefined or overflows on 1 of 1 rows"):
        model.predict([[0.0]])


def test_cross_validation_survives_a_row_outside_the_domain():
    X = np.r_[-0.5, np.linspace(0.1, 3, 19)][:, None]
    y = np.sqrt(np.maximum(X[:, 0], 0))
    model = EQLRegressor(functions=["sqrt"], n_hidden_layers=1, random_state=0, on_undefined="clip")
    assert np.isfinite(cross_val_score(model, X, y, cv=5)).all()


def test_a_law_that_ends_where_the_rows_end_is_marked():
    table = roots().equations_
    found = {str(law): share for law, share in zip(table["sympy_expr"], table["coverage"], strict=True)}
    # -1.9 to 2, widened by 0.39 on either side, begins at -2.29: 0.29 of 4.68 are below -2.
    assert found["sqrt(x0 + 2)"] == pytest.approx(1 - 0.29 / 4.68, abs=2e-3)
    assert table["coverage"][0] == 1  # the constant


def test_items_whose_latents_leave_the_domain_are_treated_alike():
    X = np.linspace(0, 1, 60).reshape(30, 2)
    short = {"linear_steps": 5, "schedule": [Phase(1, 1e-3)], "max_iter": 5, "n_generations": 0}
    model = EQLEncoderRegressor(encoder="mlp", functions=["id"], random_state=0, **short).fit(X, X.sum(axis=1))
    lowest, highest = model.transform(X).min(axis=0), model.transform(X).max(axis=0)
    np.testing.assert_allclose(model._ranges, [lowest, highest], rtol=1e-5)
    assert (model.equations_["coverage"] == 1).all()  # linear forms
