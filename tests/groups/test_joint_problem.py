"""Fits to one group are those of all."""

from dataclasses import fields

import numpy as np
import pytest

from sklearn_eql.groups.joint_problem import GroupRows, JointProblem
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.problem import Problem, Scaling, make_problem
from sklearn_eql.sparse.program import SourceRows
from sklearn_eql.sparse.structure import SparseUnit, Structure

DECAY = Structure(1, (SparseUnit("exp", (((1, -1.0, True),),)),), ((2, 1.0, True),))


def joint_problem(rates: list[float]) -> JointProblem:
    X = np.linspace(0.1, 3, 30)[:, None]
    targets = [np.exp(-rate * X[:, 0]) for rate in rates]
    scaling = Scaling.of(X, targets[0], False, 1e-16, None)
    options = {"primitives": PRIMITIVES, "copies": PRESETS["default"], "max_depth": 2, "max_rows": 200, "seed": 0}
    parts = [make_problem(X, y, None, scaling, **options) for y in targets]
    others = tuple(GroupRows(SourceRows(part.X, PRIMITIVES), part.y, None) for part in parts[1:])
    return JointProblem(**{f.name: getattr(parts[0], f.name) for f in fields(Problem)}, others=others)


@pytest.mark.parametrize("further", [False, True])
def test_a_loss_is_that_of_all_groups_each_with_constants_of_its_own(further):
    problem = joint_problem([1.0, 0.4, 2.0])
    found = problem.fit([DECAY], 20)
    if further:
        found = problem.fit_further(found, 20)
    assert found[0].loss < 1e-20
    alone = np.array(found[0].structure.to_equation().coefficients())
    np.testing.assert_allclose(alone, [-1.0, 1.0], rtol=1e-6)  # of the lead


@pytest.mark.parametrize("further", [False, True])
def test_a_form_that_fits_the_lead_alone_is_no_form_of_all(further):
    problem = joint_problem([1.0, 0.4, 2.0])
    fixed = Structure(1, (SparseUnit("exp", (((1, -1.0, False),),)),), ((2, 1.0, True),))
    found = problem.fit([fixed], 20)
    if further:
        found = problem.fit_further(found, 5)
    assert found[0].loss > 1e-3
