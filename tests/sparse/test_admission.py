"""Structures that may be no laws are fitted by no part of a search, and printed in no spelling."""

from dataclasses import dataclass

import numpy as np
import pytest

from sklearn_eql.ladder.climb import climb
from sklearn_eql.laws.finishing import finish
from sklearn_eql.laws.judging import Table
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.search.evolution import EvolutionSettings, evolve
from sklearn_eql.sparse.admission import all_of
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.elimination import eliminating
from sklearn_eql.sparse.in_step import in_step
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure

X = np.random.default_rng(0).uniform(0.5, 2, (60, 2))


@dataclass(frozen=True)
class NoFunction:
    """Laws without a function."""

    name: str
    symbols: float = 0.0

    def admits(self, structure):
        return all(unit.primitive != self.name for unit in structure.units)

    def price(self, structure):
        return self.symbols


@dataclass(frozen=True)
class Reads:
    """Laws that depend on a column."""

    source: int

    def admits(self, structure):
        return any(s == self.source for form in structure.forms() for s, _, _ in form)

    def price(self, structure):
        return 1.0


def problem_with(admission, y=X[:, 0] ** 2):
    scaling = Scaling.of(X, y, False)
    options = {"primitives": PRIMITIVES, "copies": dict(PRESETS["default"]), "max_depth": 2}
    return make_problem(X, y, None, scaling, **options, max_rows=200, seed=0, admission=admission)


def functions(archive):
    return {unit.primitive for shelf in archive.members.values() for r in shelf for unit in r.form.units}


def linear(*sources):
    return Structure(2, (), tuple((s, 1.0, True) for s in sources))


def test_several_admissions_are_one():
    assert all_of([None, None]) is None
    assert all_of([None, Reads(1)]) == Reads(1)
    both = all_of([Reads(1), Reads(2), None])
    assert both.admits(linear(0, 1, 2))
    assert not both.admits(linear(0, 1))
    assert both.price(linear(0)) == 2.0


def test_what_is_not_admitted_is_not_fitted():
    problem = problem_with(Reads(2))
    fitted = problem.fit([linear(0, 1), linear(0, 1, 2), linear(0, 2), linear(0, 2)], 10)
    assert [r.form.key for r in fitted] == [linear(*s).key for s in ((0, 1, 2), (0, 2), (0, 2))]
    assert not problem.considers(linear(0, 1))
    assert problem.of_parts.considers(linear(0, 1))


def test_terms_that_a_law_must_have_are_not_eliminated():
    [law] = problem_with(None).fit([linear(0, 1, 2)], 10)
    for admission, sources in ((None, {0, 1}), (Reads(2), {0, 1, 2})):
        problem = problem_with(admission, y=3 * X[:, 0] + 1)
        [law] = problem.fit([linear(0, 1, 2)], 10)
        [shorter] = in_step([eliminating(law, problem)], problem)
        assert {s for s, _, _ in shorter.structure.output} == sources


def test_an_archive_charges_the_price():
    [law] = problem_with(None).fit([linear(0, 1)], 10)
    plain, charged = Archive(60, 1e-20), Archive(60, 1e-20, admission=NoFunction("sin", 2.5))
    assert charged.score(law) - plain.score(law) == pytest.approx(2.5 * 4)


@pytest.mark.parametrize("forbidden", ["exp", "sin"])
def test_no_family_of_the_ladder_has_what_is_not_admitted(forbidden):
    """Nor under an outer function."""
    admission = NoFunction(forbidden)
    y = np.exp(0.5 * X[:, 0]) * X[:, 1]
    problem = problem_with(admission, y)
    climbed = climb(problem, problem, 0)
    assert climbed.archive.members
    assert forbidden not in functions(climbed.archive)
    assert (climbed.archive.ranked()[0].loss < problem.exact) == (forbidden == "sin")


def test_evolution_has_none_either():
    problem = problem_with(NoFunction("sin"), np.sin(X[:, 0]) + X[:, 1])
    archive = evolve(problem, 0, EvolutionSettings(64, 3, 3)).archive
    assert archive.members
    assert "sin" not in functions(archive)


def test_a_law_is_printed_in_a_spelling_that_is_admitted():
    y = np.exp(0.5 * np.log(X[:, 0]))
    power = Structure(
        2, (SparseUnit("log", (((1, 1.0, False),),)), SparseUnit("exp", (((3, 0.5, True),),))), ((4, 1.0, True),)
    )
    scaling = Scaling.of(X, y)
    for admission, allowed in ((None, {"sqrt"}), (NoFunction("sqrt"), {"pow", "exp", "log"})):
        table = Table(X, y, None, scaling, PRIMITIVES, 0, admission=admission)
        laws, _ = finish(table.fit([power], 10), table)
        assert all({unit.primitive for unit in law.equation.units} <= allowed for law in laws)
    table = Table(X, y, None, scaling, PRIMITIVES, 0, admission=Reads(2))
    assert finish(table.fit([power], 10), table)[0] == []
