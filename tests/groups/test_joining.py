"""Own constants that are one in every group."""

import numpy as np
import pytest
import sympy

from sklearn_eql.groups.fitted_form import Rows, fitted_alone
from sklearn_eql.groups.joining import with_constants_joined
from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.parametric.rows import GroupedRows
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic.reading import from_sympy

OWN = np.array([[1.0, 1.3], [2.0, 0.7], [0.6, 2.1], [1.4, 1.7]])  # an amplitude and a rate of each group


def fitted(text, constants, values, starts, admits=lambda law: True, sizes=(30, 30, 30, 30)):
    """A form fitted to groups with noise of 1%."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(len(OWN)), sizes)
    x = rng.uniform(0, 3, len(groups))
    y = values(x, *OWN[groups].T)
    y = y + 0.01 * y.std() * rng.normal(size=len(y))
    rows = Rows(GroupedRows.of(x[:, None], y, None, groups), float(y.var()), 1e-20, PRIMITIVES, admits=admits)
    law = ParametricLaw(from_sympy(sympy.sympify(text), ["x", *constants]), tuple(constants), (True,) * len(constants))
    return fitted_alone(law, np.array([starts]), rows), rows


@pytest.mark.parametrize(("sign", "sizes"), [(1, (30, 30, 30, 30)), (-1, (30, 30, 30, 2))])
def test_constants_that_agree_in_all_groups_become_one(sign, sizes):
    text = "a*cos(b*x) + sin(c*x)"
    starts = [1.0, 1.0, sign * 1.0]

    def values(x, a, b):
        return a * np.cos(b * x) + sign * np.sin(b * x)

    form, rows = fitted(text, ["a", "b", "c"], values, starts, sizes=sizes)
    joined = with_constants_joined(form, rows)
    assert len(joined.law.names) == 2
    assert joined.description(rows) < form.description(rows)
    np.testing.assert_allclose(sorted(np.abs(joined.fit.own[0])), sorted(OWN[0]), rtol=0.05)


def test_constants_that_differ_in_one_group_stay_apart():
    form, rows = fitted(
        "a*exp(-b*x)", ["a", "b"], lambda x, a, b: np.where(a == 2.0, a, b) * np.exp(-b * x), [1.0, 1.0]
    )
    assert with_constants_joined(form, rows) is form


def test_constants_are_not_joined_into_a_form_that_is_not_asked_for():
    form, rows = fitted(
        "a*cos(b*x) + sin(c*x)",
        ["a", "b", "c"],
        lambda x, a, b: a * np.cos(b * x) + np.sin(b * x),
        [1.0, 1.0, 1.0],
        admits=lambda law: len(law.names) > 2,
    )
    assert with_constants_joined(form, rows) is form


def test_groups_that_do_not_know_their_constants_have_no_say():
    def values(x, a, b):
        return a * (np.exp(-b * x / 4) - np.exp(-4 * x))

    form, rows = fitted("a*exp(-b*x) - c*exp(-d*x)", list("abcd"), values, [1.0, 0.3, 1.0, 3.0], sizes=(30, 30, 30, 4))
    assert len(with_constants_joined(form, rows).law.names) == 3
