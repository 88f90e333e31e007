"""Errors of laws on rows that their constants were not fitted to."""

import math

import numpy as np
import pytest
from sklearn.model_selection import KFold

from sklearn_eql.laws.cross_validation import cross_validated_losses
from sklearn_eql.laws.law import Law
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.problem import EXACT
from sklearn_eql.sparse.rows import RowView
from sklearn_eql.symbolic.equation import Equation, Frame, Unit

SLOPE = Equation(1, (), ((1, 1.2345678),))
LINE = Equation(1, (), ((0, 0.3456789), (1, 1.2345678)))
FOLDS = list(KFold(4).split(np.empty(40)))


def law(equation, loss=1.0):
    return Law(equation, loss, loss, EXACT, 1, 1, 1, 0)


@pytest.fixture
def rows(rng):
    X = rng.uniform(1, 3, (40, 1))
    return X, 2.5 * X[:, 0] + 0.7 + rng.normal(size=40), rng.uniform(0.5, 2, 40)


def expected(basis, y, weight):
    """Pooled loss of a linear law and its standard error over the folds, by hand."""
    losses, shares = [], []
    for training, held_out in FOLDS:
        root = np.sqrt(weight[training])
        fitted = np.linalg.lstsq(root[:, None] * basis[training], root * y[training])[0]
        square = (basis[held_out] @ fitted - y[held_out]) ** 2
        losses.append(np.average(square, weights=weight[held_out]))
        shares.append(weight[held_out].sum())
    mean = np.average(losses, weights=shares)
    return mean, math.sqrt(np.average((np.array(losses) - mean) ** 2, weights=shares) / (len(losses) - 1))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("view", [False, True])
def test_constants_are_fitted_in_every_fold(rows, weighted, view):
    X, y, weight = rows
    given = (RowView(X, np.arange(40)) if view else X, y, weight if weighted else None)
    losses, errors = cross_validated_losses([law(SLOPE), law(LINE)], given, FOLDS, PRIMITIVES)
    weight = weight if weighted else np.ones(40)
    for i, basis in enumerate((X, np.c_[np.ones(40), X])):
        np.testing.assert_allclose([losses[i], errors[i]], expected(basis, y, weight), rtol=1e-6)


def test_recognised_constants_stay(rows):
    X, y, _ = rows
    fixed = Equation(1, (), ((0, 0.3456789), (1, 2.0)))
    losses, _ = cross_validated_losses([law(fixed)], (X, y, None), FOLDS, PRIMITIVES)
    offset = expected(np.ones((40, 1)), y - 2 * X[:, 0], np.ones(40))[0]
    assert losses[0] == pytest.approx(offset)


def test_masks_are_folds_and_rows_without_weight_count_nothing(rows):
    X, y, weight = rows
    weight = np.where(np.arange(40) == 7, 0.0, weight)
    spoiled = np.where(np.arange(40) == 7, 1e6, y)
    masks = [(np.isin(np.arange(40), a), np.isin(np.arange(40), b)) for a, b in FOLDS]
    found, _ = cross_validated_losses([law(LINE)], (X, spoiled, weight), masks, PRIMITIVES)
    assert found[0] == pytest.approx(expected(np.c_[np.ones(40), X], y, weight)[0])


def test_a_law_read_from_an_origin_is_fitted_there(rows):
    X, y, _ = rows
    framed = Equation(1, (), LINE.output, Frame((1e6,), (10.0,), 100.0))
    losses, errors = cross_validated_losses([law(framed), law(LINE)], (1e6 + 10 * X, 100 * y, None), FOLDS, PRIMITIVES)
    inside = expected(np.c_[np.ones(40), X], y, np.ones(40))
    np.testing.assert_allclose([losses[0], errors[0]], 1e4 * np.array(inside), rtol=1e-6)


def test_a_law_that_is_undefined_on_a_row_held_out_has_an_infinite_loss():
    X = np.linspace(1.0, 2.0, 40)[:, None]
    y = np.log(X[:, 0] - 0.9)
    inside = Unit("log", (((0, -0.98765432), (1, 1.0)),))
    losses, errors = cross_validated_losses(
        [law(Equation(1, (inside,), ((2, 1.2345678),)))], (X, y, None), [FOLDS[0]], PRIMITIVES
    )
    assert losses[0] > 0
    shifted = Unit("log", (((0, -1.5), (1, 1.0)),))  # a constant that stays
    losses, errors = cross_validated_losses(
        [law(Equation(1, (shifted,), ((2, 1.2345678),)))], (X, y, None), FOLDS, PRIMITIVES
    )
    assert math.isinf(losses[0])
    assert math.isinf(errors[0])


def test_a_training_fold_without_variance_is_fitted_all_the_same():
    X, y = np.arange(1.0, 9.0)[:, None], np.array([1.0, 1, 1, 1, 1, 1, 1, 5])
    losses, errors = cross_validated_losses([law(LINE)], (X, y, None), KFold(4).split(X), PRIMITIVES)
    assert np.isfinite([losses[0], errors[0]]).all()


def test_without_time_for_every_fold_nothing_is_said(rows):
    X, y, _ = rows
    losses, errors = cross_validated_losses([law(LINE), law(SLOPE)], (X, y, None), FOLDS, PRIMITIVES, deadline=0.0)
    assert np.isnan([losses, errors]).all()


def test_one_fold_has_no_standard_error(rows):
    X, y, _ = rows
    losses, errors = cross_validated_losses([law(LINE)], (X, y, None), FOLDS[:1], PRIMITIVES)
    assert np.isfinite(losses[0])
    assert np.isnan(errors[0])
