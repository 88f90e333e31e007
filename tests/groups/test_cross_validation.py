"""Errors of laws of groups on rows held out."""

from dataclasses import replace

import numpy as np

from sklearn_eql.groups.cross_validation import folds_of_groups, losses_of_groups
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic.equation import Equation, Unit


def test_every_fold_has_rows_of_every_group_to_fit_to():
    codes = np.repeat([0, 1, 2], [10, 3, 1])
    held = []
    for training, held_out in folds_of_groups(codes, 5, seed=0):
        assert set(codes[training]) == {0, 1, 2}
        assert not set(training) & set(held_out)
        held += held_out.tolist()
    assert sorted(held) == list(range(13))  # all but the only row of a group


def test_constants_are_fitted_to_the_other_rows_but_for_those_that_are_laws_of_the_group():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(4), 20)
    own = np.array([[1.0], [2.0], [-1.0], [0.5]])
    x = rng.uniform(0, 3, 80)
    y = 3.7 * x + own[codes, 0] + 0.1 * rng.normal(size=80)
    shifted = own + 0.3  # what is held is held where it is
    equation = Equation(2, (), ((1, 3.7), (2, 1.0)))
    about = {"loss": 0.0, "relative_loss": 0.0, "exact": 0.0, "complexity": 5, "n_free": 1, "n_symbols": 3, "trial": 0}
    free = GroupLaw(equation, **about, own=shifted, own_errors=own)
    held = replace(free, laws=(Equation(1, (Unit("exp", (((1, 1.0),),)),), ((2, 1.0),)),))
    folds = list(folds_of_groups(codes, 4, seed=0))
    losses, errors = losses_of_groups([free, held], (x[:, None], y, None), codes, folds, PRIMITIVES)
    assert 0.005 < losses[0] < 0.02
    assert losses[1] > 0.02
    assert (errors > 0).all()


def test_where_time_is_over_no_loss_is_known():
    nothing = np.empty((2, 0))
    law = GroupLaw(Equation(1, (), ((1, 1.0),)), 0.0, 0.0, 0.0, 1, 0, 1, 0, own=nothing, own_errors=nothing)
    codes = np.repeat([0, 1], 4)
    losses, _ = losses_of_groups(
        [law], (np.ones((8, 1)), np.ones(8), None), codes, folds_of_groups(codes, 2, 0), PRIMITIVES, deadline=0.0
    )
    assert np.isnan(losses).all()
