"""What `equations_` says of the laws beside the selected one, and the cross-validation of `cv`."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sympy
from sklearn.model_selection import GroupKFold, LeaveOneOut, ShuffleSplit

from sklearn_eql import EQLRegressor
from sklearn_eql.exceptions import SearchInterruptedWarning

FEW = {"functions": ["id", "square", "mul"], "n_hidden_layers": 1, "population_size": 32, "n_generations": 6}
HELD_OUT = ["cv_loss", "cv_loss_se"]
X = np.random.default_rng(0).uniform(1, 2, (40, 1))
Y = X[:, 0] ** 2 + 0.2 * np.random.default_rng(1).normal(size=40)


def fitted(X=X, y=Y, sample_weight=None, **parameters):
    return EQLRegressor(**{**FEW, "random_state": 0, **parameters}).fit(X, y, sample_weight=sample_weight)


def test_the_selected_law_has_no_difference_and_is_no_rival():
    model = fitted()
    table = model.equations_
    assert table["delta_dl"][model.best_index_] == 0
    assert not table["rival"][model.best_index_]
    assert table["rival"].dtype == bool
    assert (table["delta_dl"] >= 0).all()
    assert not set(HELD_OUT) & set(table)


def test_twelve_rows_do_not_tell_what_five_hundred_do():
    rng = np.random.default_rng(5)
    rows = rng.uniform(1, 2, (500, 1))
    target = rows[:, 0] ** 2 / 2 + 1 + 0.1 * rng.normal(size=500)
    few, many = (fitted(rows[:n], target[:n]).equations_ for n in (12, 500))
    assert few["rival"].any()
    straight = [sympy.Poly(law, sympy.Symbol("x0")).degree() <= 1 for law in many["sympy_expr"]]
    assert any(straight)
    assert not many["rival"][straight].any()


def test_an_exact_law_has_no_inexact_rival():
    table = fitted(y=X[:, 0] ** 2, cv=4).equations_
    assert not table["rival"].any()
    assert table["cv_loss"].iloc[-1] < 1e-20
    assert table[["delta_dl", *HELD_OUT]].notna().all(axis=None)


@pytest.mark.parametrize("cv", [4, ShuffleSplit(3, random_state=0), LeaveOneOut(), [(range(20), range(20, 40))] * 2])
def test_folds_are_given_as_scikit_learn_has_them(cv):
    table = fitted(cv=cv).equations_
    assert list(table.columns)[-4:] == ["delta_dl", "rival", *HELD_OUT]
    assert (table["cv_loss"] > 0.5 * table["loss"]).all()
    assert np.isfinite(table[HELD_OUT]).all(axis=None)


def test_groups_are_passed_as_a_list_of_folds():
    groups = np.arange(40) % 5
    assert np.isfinite(fitted(cv=GroupKFold(5).split(X, Y, groups)).equations_["cv_loss"]).all()
    with pytest.raises(ValueError, match=r"cv: .*groups.*list\(GroupKFold\(5\)\.split\(X, y, groups\)\)"):
        fitted(cv=GroupKFold(5))


@pytest.mark.parametrize("cv", [41, [(range(40), [])], [(range(40), [40])], [([0.5], [1])], [3]])
def test_folds_that_do_not_fit_the_rows_are_told_before_the_search(cv):
    with pytest.raises(ValueError, match="cv"):
        fitted(cv=cv)
    with pytest.raises(ValueError, match="cv"):
        fitted(cv=1)


def test_a_number_of_folds_does_not_see_the_order_of_rows_nor_copies():
    order = np.random.default_rng(2).permutation(40)
    weight = 1 + np.arange(40) % 3
    one = fitted(sample_weight=weight, cv=4).equations_
    two = fitted(X[order], Y[order], sample_weight=weight[order], cv=4).equations_
    copies = fitted(np.repeat(X, weight, axis=0), np.repeat(Y, weight), cv=4).equations_
    pd.testing.assert_frame_equal(one, two)
    shared = ["complexity", "rival", "delta_dl", *HELD_OUT]
    pd.testing.assert_frame_equal(one[shared], copies[shared], rtol=1e-5)


def test_rows_of_weight_zero_are_in_no_fold():
    spoiled = np.where(np.arange(40) == 7, 1e6, Y)
    table = fitted(y=spoiled, sample_weight=np.arange(40) != 7, cv=LeaveOneOut()).equations_
    assert (table["cv_loss"] < 10).all()


def test_every_output_has_its_own_columns():
    model = fitted(y=np.c_[Y, X[:, 0]], cv=3)
    noisy, exact = model.equations_
    assert noisy["cv_loss"].min() > 1e-3
    assert exact["cv_loss"].min() < 1e-20


@pytest.mark.parametrize("selection", ["extrapolation", "accurate", lambda table: table["cv_loss"].idxmin()])
def test_every_selection_has_a_standing(selection):
    model = fitted(selection=selection, cv=3)
    table = model.equations_
    assert np.isfinite(table[["delta_dl", *HELD_OUT]]).all(axis=None)
    assert not table["rival"][model.best_index_]


def test_a_law_read_from_an_origin_is_cross_validated():
    rows = 1e7 + X
    table = fitted(rows, 3 * (rows[:, 0] - 1e7) + 0.1 * np.sin(40 * Y), cv=4).equations_
    assert (table["cv_loss"] < 2 * table["loss"] + 1).all()


class Stopping:
    """Folds during which Ctrl-C is pressed, once the search has ended."""

    def __init__(self):
        self.n_calls = 0

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2

    def split(self, X, y=None, groups=None):
        self.n_calls += 1
        yield np.arange(20), np.arange(20, 40)
        if self.n_calls > 1:
            raise KeyboardInterrupt
        yield np.arange(20, 40), np.arange(20)


def test_ctrl_c_during_cross_validation_keeps_the_laws():
    with pytest.warns(SearchInterruptedWarning):
        model = fitted(cv=Stopping())
    assert model.interrupted_
    assert model.stop_reason_ == "interrupted"
    assert model.equations_[HELD_OUT].isna().all(axis=None)
    assert model.best_index_ == model.equations_["delta_dl"].idxmin()


def test_without_time_the_columns_are_nan():
    table = fitted(cv=3, max_time=1e-6).equations_
    assert table[HELD_OUT].isna().all(axis=None)
    assert table["delta_dl"].notna().all()


def test_standings_are_kept_as_plain_values_and_older_states_are_read():
    model = fitted(cv=3)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).equations_, model.equations_)
    state = model.__getstate__()
    assert set(state["_standings"][0][0]) == {"delta_dl", "rival", *HELD_OUT, "reduced_chi2"}
    del state["_standings"]
    older = EQLRegressor.__new__(EQLRegressor)
    older.__setstate__(state)
    assert list(older.equations_.columns) == [c for c in model.equations_ if c not in ("delta_dl", "rival", *HELD_OUT)]
