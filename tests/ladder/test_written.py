"""Laws that are written, as starts of the ladder and beside a law."""

from dataclasses import replace

import numpy as np
import pytest
from written_laws import StubWriter

from sklearn_eql.ladder.climb import climb
from sklearn_eql.ladder.outer_functions import OUTER_FUNCTIONS
from sklearn_eql.ladder.written import written, written_beside, written_families, written_inside
from sklearn_eql.language.proposals import Proposals
from sklearn_eql.language.reading_rows import Reading
from sklearn_eql.primitives import PRESETS, PRIMITIVES, Primitive
from sklearn_eql.sparse.problem import Scaling, make_problem

X = np.random.default_rng(0).uniform(0.5, 3, (100, 2))
DEEP = "sin exp sin x0"


def problem_of(y, functions=PRESETS["default"], primitives=PRIMITIVES):
    return make_problem(X, y, None, Scaling.of(X, y), primitives, dict(functions), 2, 200, 0)


def test_a_written_law_ends_the_climb():
    problem = problem_of(3 * np.sin(np.exp(np.sin(1.1 * X[:, 0]))) - 2)
    found = climb(problem, problem, 0, families=written_families(Proposals(StubWriter((DEEP,)))))
    assert found.stop_reason == "exact"


def test_functions_that_the_user_has_not_allowed_are_left_out():
    y = X[:, 0] + X[:, 1]
    writer = StubWriter((DEEP, "exp x0", "inv x0"))
    assert written(problem_of(y, {"exp": 1}), Proposals(writer))
    used = {unit.primitive for s in written(problem_of(y, {"exp": 1}), Proposals(writer)) for unit in s.units}
    assert used == {"exp"}
    used = {unit.primitive for s in written(problem_of(y, {"pow": 1}), Proposals(writer)) for unit in s.units}
    assert used == {"inv"}


def test_a_function_of_the_users_own_is_not_taken_for_the_builtin_one():
    own = Primitive("exp", 1, PRIMITIVES["exp"].torch_fn, PRIMITIVES["exp"].sympy_fn)
    problem = problem_of(X[:, 0], {"exp": 1}, {**PRIMITIVES, "exp": own})
    assert written(problem, Proposals(StubWriter(("exp x0",)))) == []


def test_the_most_important_columns_are_shown_in_their_own_units():
    stub = StubWriter(("x0",))
    problem = problem_of(X[:, 1])
    problem = replace(problem, importances=np.array([0.1, 0.9]))
    written(problem, Proposals(stub))
    assert stub.shown == [(100, (1,))]


def test_laws_with_numbers_inside_have_several_starts():
    problem = problem_of(X[:, 0])
    starts = written(problem, Proposals(StubWriter(("sin x0", "square x0"))))
    assert [s.units[0].primitive for s in starts] == ["sin"] * 16 + ["square"]
    assert len({s.to_equation() for s in starts}) == 17


def test_what_a_law_leaves_over_is_written_beside_it():
    y = X[:, 1] ** 2 + np.sin(np.exp(np.sin(X[:, 0])))
    problem = problem_of(y)
    [square] = written(problem, Proposals(StubWriter(("square x1",), Reading(2))))
    stub = StubWriter((DEEP,), Reading(2))
    [both] = written_beside(problem.fit([square], 5)[0].structure, problem, Proposals(stub))
    assert problem.fit([both], 20)[0].loss < problem.exact


INNER = 1 + np.sin(X[:, 0]) * X[:, 1]  # positive


@pytest.mark.parametrize(
    ("name", "y"),
    [
        ("exp", np.exp(INNER)),
        ("log", 3 * np.log(INNER) / 3),
        ("inv", -1 / INNER),
        ("sqrt", np.sqrt(INNER)),
        ("square", -(INNER**2)),
    ],
)
def test_what_is_inside_an_outer_function_is_written(name, y):
    problem = problem_of(y)
    [outer] = (o for o in OUTER_FUNCTIONS if o.name == name)
    stub = StubWriter(("add 1 mul x1 sin x0",), Reading(2))
    starts = written_inside(problem, Proposals(stub), outer)
    assert min(r.loss for r in problem.fit(starts, 20)) < problem.exact


def test_values_that_an_outer_function_does_not_have_are_not_looked_into():
    problem = problem_of(X[:, 0] - 1.5)
    stub = StubWriter(("x0",), Reading(2))
    for outer in OUTER_FUNCTIONS:
        if outer.one_sign:
            assert written_inside(problem, Proposals(stub), outer) == []
    assert stub.shown == []


def test_beams_become_wider_when_nothing_else_is_left():
    stub = StubWriter((*["x1"] * 39, DEEP), Reading(2))
    problem = problem_of(np.sin(np.exp(np.sin(X[:, 0]))))
    families = written_families(Proposals(stub, n_beams=10))
    assert climb(problem, problem, 0, families=families[:2]).stop_reason != "exact"
    assert climb(problem, problem, 0, families=families).stop_reason == "exact"
