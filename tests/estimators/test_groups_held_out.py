"""Rows of every group that are held out of a search."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_eql.estimators._groups_held_out import GroupsHeldOut
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.groups.law import GroupLaw
from sklearn_eql.groups.refitting import Refitting
from sklearn_eql.laws.losses import loss_of
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.search.settings import SearchResult
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.equation import Equation, Unit

SETTINGS = SimpleNamespace(primitives=PRIMITIVES, admission=None, demands=None, resolution=1e-15)
CODES = np.repeat([0, 1, 2], [20, 20, 3])
X = np.random.default_rng(0).uniform(0.1, 3, (43, 1))
OWN = np.array([[4.0], [6.0], [5.0]])
Y = 2.5123 * X[:, 0] + OWN[CODES, 0] + 0.1 * np.random.default_rng(1).normal(size=43)
ABOUT = {"loss": 1.0, "relative_loss": 1.0, "exact": 0.0, "n_free": 1, "n_symbols": 3, "trial": 0}
STRAIGHT = GroupLaw(Equation(2, (), ((1, 2.41239071), (2, 1.0))), **ABOUT, complexity=5, own=OWN, own_errors=OWN)
SQUARE = Unit("square", (((1, 1.0),),))
CURVED = GroupLaw(Equation(2, (SQUARE,), ((2, 1.0), (3, 0.71239071))), **ABOUT, complexity=4, own=OWN, own_errors=OWN)
UNDEFINED = GroupLaw(
    Equation(2, (Unit("log", (((0, -0.2), (1, 1.0)),)),), ((2, 1.0), (3, 1.0))), **ABOUT, complexity=3, own=OWN,
    own_errors=OWN,
)  # fmt: skip


def searched(rule, loss=None, epsilon=None, front=(UNDEFINED, CURVED, STRAIGHT), y=Y):
    """What is found where a search has these laws, their constants fitted to the rows that it was given."""

    def find(rows, codes):
        inner, target, _ = rows
        ones = np.ones(len(target))
        fitted = [Refitting.of(law, PRIMITIVES).on_rows(inner, target, ones, codes, PRIMITIVES) for law in front]
        fitted = [law if math.isfinite(law.loss) else old for law, old in zip(fitted, front, strict=True)]
        return SearchResult(fitted, StopReason.FAMILIES, 0, [], len(target), False), None

    held_out = GroupsHeldOut(rule, loss, epsilon, SETTINGS, 0)
    return held_out.search(find, (X, y, None), CODES, math.inf)


def test_validation_fits_the_selected_law_to_all_rows():
    result, best, kept, weight = searched("validation")
    assert kept.all()
    assert weight is None
    chosen = result.front[best]
    assert chosen.complexity == 5
    columns = np.column_stack([X, CODES[:, None] == np.arange(3)])
    found, *_ = np.linalg.lstsq(columns, Y, rcond=None)
    np.testing.assert_allclose(chosen.own[:, 0], found[1:])
    left = Y - columns @ found
    assert chosen.loss == pytest.approx(np.mean(left**2))
    inverse = np.linalg.inv(columns.T @ columns)
    errors = np.sqrt(left @ left / 39 * np.diag(inverse)[1:])
    np.testing.assert_allclose(chosen.own_errors[:, 0], errors, rtol=1e-6)


def test_extrapolation_holds_out_the_outer_rows_of_every_group_that_has_enough():
    result, best, kept, _ = searched("extrapolation")
    assert result.front[best].complexity == 5
    assert [(~kept[group == CODES]).sum() for group in range(3)] == [4, 4, 0]
    for group in range(2):
        inner, outer = X[kept & (group == CODES)], X[~kept & (group == CODES)]
        middle = np.median(X[group == CODES])
        assert np.abs(inner - middle).max() <= np.abs(outer - middle).min()


def test_rows_that_are_wrong_select_no_law_and_move_no_constant():
    wrong = Y.copy()
    wrong[[2, 25]] += 50
    result, best, _, weight = searched("validation", epsilon=1.35, front=(CURVED, STRAIGHT), y=wrong)
    assert result.front[best].complexity == 5
    assert (weight[[2, 25]] < 1e-3).all()
    np.testing.assert_allclose(result.front[best].own[:, 0], OWN[:, 0], atol=0.2)


def test_another_loss_is_least_on_all_rows():
    result, best, _, _ = searched("validation", loss=loss_of("relative_error"), front=(CURVED, STRAIGHT))
    law = result.front[best]
    values = law.equation.evaluate(np.column_stack([X, law.own[CODES]]), PRIMITIVES)
    assert law.complexity == 5
    assert law.loss == pytest.approx(np.mean((values / Y - 1) ** 2))


def test_what_cannot_be_held_out_is_said():
    with pytest.raises(AllTrialsFailedError, match="defined on all of the 8 rows held out"):
        searched("extrapolation", front=(UNDEFINED,))
    held_out = GroupsHeldOut("validation", None, None, SETTINGS, 0)
    with pytest.raises(ValueError, match="groups with 5 rows or more"):
        held_out.search(None, (X[:8], Y[:8], None), np.repeat([0, 1], 4), math.inf)
