"""Laws in step: each ends where it would alone, and one call fits what all ask for."""

import numpy as np
import pytest

from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.elimination import eliminate, eliminating
from sklearn_eql.sparse.in_step import in_step
from sklearn_eql.sparse.problem import Problem, Scaling, make_problem
from sklearn_eql.sparse.round_exponents import snap, snapping
from sklearn_eql.sparse.structure import SparseUnit, Structure

X = np.random.default_rng(0).uniform(0.5, 2, (60, 3))


@pytest.fixture
def problem(rng):
    y = 2 * X[:, 0] ** 1.5 / X[:, 1] + 0.01 * rng.normal(size=len(X))
    return make_problem(X, y, None, Scaling.of(X, y, False), PRIMITIVES, dict(PRESETS["default"]), 2, 200, 0)


def power_law(*exponents):
    """``exp(sum a_i log x_i)`` beside a constant and all features."""
    logs = tuple(SparseUnit("log", (((f, 1.0, False),),)) for f in (1, 2, 3))
    unit = SparseUnit("exp", (tuple((3 + f, e, True) for f, e in enumerate(exponents, start=1)),))
    return Structure(3, (*logs, unit), tuple((s, 1.0, True) for s in (0, 1, 2, 3, 7)))


def test_laws_in_step_end_as_they_end_alone(problem, monkeypatch):
    laws = problem.fit([power_law(1.4, -0.9, 0.1), power_law(1.6, -1.1, 0.0), power_law(1.0, -1.0, 0.5)], 30)
    alone = [snap(eliminate(law, problem), problem) for law in laws]
    calls = []
    fit = Problem.fit
    monkeypatch.setattr(Problem, "fit", lambda self, structures, steps: calls.append(1) or fit(self, structures, steps))
    together = in_step([eliminating(law, problem) for law in laws], problem)
    together = in_step([snapping(law, problem) for law in together], problem)
    assert [r.structure.key for r in together] == [r.structure.key for r in alone]
    assert [r.loss for r in together] == pytest.approx([r.loss for r in alone])
    assert len(calls) < 20


def test_what_the_rows_do_not_support_is_not_fitted(problem):
    wide = Structure(3, (), tuple((k % 4, 1.0, True) for k in range(problem.max_exact + 1)))
    [law] = problem.fit([Structure(3, (), ((1, 1.0, True),))], 1)
    answers = []

    def asking():
        answers.append((yield wide))
        answers.append((yield law.structure))
        return law

    assert in_step([asking()], problem) == [law]
    assert answers[0] is None
    assert answers[1].loss == pytest.approx(law.loss)


def test_nothing_in_step_is_nothing(problem):
    assert in_step([], problem) == []
