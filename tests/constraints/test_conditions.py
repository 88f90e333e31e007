"""What laws are told apart by how they behave, on points, and by a search for the worst one."""

import math

import numpy as np
import pytest
from symbolic_laws import equation_of

from sklearn_eql.constraints import Bounded, Concave, Convex, Even, Limit, Monotone, Odd, Passes
from sklearn_eql.constraints.conditions import points_in
from sklearn_eql.constraints.reading import Constraints
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic import free_mask
from sklearn_eql.symbolic.equation import Frame

RANGES = np.array([[0.5, 1.0], [4.0, 2.0]])


def demands(constraint, ranges=RANGES, spread=1.0):
    y = spread * np.array([-1.0, 1.0])
    return Constraints.read([constraint], ["x", "z"], PRIMITIVES).demands(ranges, y, PRIMITIVES)


LAWS = [
    (Bounded(low=0), "x - z/4", "x - z"),
    (Bounded(-1, 1), "sin(x*z)", "1.01*sin(x*z)"),
    (Bounded(high=40, on={"x": (0, 10)}), "x**2*z/5", "x**2*z"),
    (Monotone("x"), "x*z", "x*(5 - x)"),
    (Monotone("x", increasing=False), "z/x", "z"),
    (Monotone("z"), "x*z**2", "x*(z - 1.5)**2"),
    (Convex("x"), "x**2*z", "sqrt(x)"),
    (Concave("x"), "x/(1 + x)", "x**2"),
    (Even("x"), "z*cos(x) + x**2", "x**2 + x"),
    (Odd("x"), "z*x/(1 + x**2)", "x**3 + 1"),
    (Limit("x"), "z*exp(-x)", "z*exp(-x) + 0.01"),
    (Limit("x"), "1/x**0.5", "sin(x)/z"),
    (Limit("x", at=0), "z*sqrt(x)", "cos(x)"),
    (Limit("x", value=2), "2*x/(1 + x)", "2.1*x/(1 + x)"),
    (Limit("x", value=math.inf), "x*z", "-x*z"),
    (Limit("x", at=0, value=math.inf), "z/x", "z + x"),
    (Passes({"x": 0}), "x*z", "x*z + 0.1"),
    (Passes({"x": 0, "z": 1}, 2), "x + 2*z", "x + z"),
    (Even("x"), "z*x**2", "z*x**1.5"),  # which is undefined for negative numbers
]


@pytest.mark.parametrize(("constraint", "good", "bad"), LAWS)
def test_a_law_behaves_or_does_not(constraint, good, bad):
    asked = demands(constraint)
    for law, behaves in ((good, True), (bad, False)):
        if (constraint, law) == (Monotone("x", increasing=False), "z"):
            continue  # never rises
        equation = equation_of(law, ["x", "z"])
        structure = Structure.from_equation(equation, free_mask(equation, PRIMITIVES))
        assert (asked.of_candidates.excess(structure, PRIMITIVES) == 0) == behaves
        assert (asked.of_printed.excess_as_printed(equation, PRIMITIVES) == 0) == behaves
        assert asked.confirms(equation) == behaves
        assert bool(asked.of_printed.missed(equation, PRIMITIVES)) == (not behaves)


def test_a_dip_between_the_points_is_searched_for():
    """Two bells, one narrow: the points of printed laws miss that it goes below zero."""
    equation = equation_of("1 - 0.5*x - 0.6*exp(-90000*(x - 0.91237)**2)", ["x", "z"])
    ranges = np.array([[0.0, 1.0], [1.0, 1.0]])
    asked = demands(Bounded(low=0), ranges)
    assert asked.of_candidates.excess_as_printed(equation, PRIMITIVES) == 0
    assert not asked.confirms(equation)


def test_powers_near_whole_numbers_are_defined_for_negative_numbers_in_a_search():
    from sklearn_eql.sparse.structure import SparseUnit

    def law(exponent):
        power = SparseUnit("exp", (((3, exponent, True),),))
        return Structure(2, (SparseUnit("log", (((1, 1.0, False),),)), power), ((4, 1.0, True),))

    even, odd = (demands(constraint).of_candidates for constraint in (Even("x"), Odd("x")))
    assert even.excess(law(2.02), PRIMITIVES) == 0 < odd.excess(law(2.02), PRIMITIVES)
    assert odd.excess(law(3.0), PRIMITIVES) == 0 < even.excess(law(3.0), PRIMITIVES)
    assert even.excess(law(2.3), PRIMITIVES) == math.inf


def test_what_is_asked_holds_in_the_units_of_a_search():
    frame = Frame((1.0, 0.0), (10.0, 1.0), 5.0)
    inside = demands(Bounded(low=0, high=8)).of_candidates.in_units(frame, np.array([2.0, 4.0]), 0.5)
    for law, behaves in (("(20*x + 1)*4*z/2.5", True), ("(20*x + 1)*4*z/2.5 - 1", False)):  # x*z in the user's units
        excess = inside.excess_as_printed(equation_of(law, ["x", "z"]), PRIMITIVES)
        assert (excess == 0) == behaves
    assert inside.excess_as_printed(equation_of("1.1*(20*x + 1)*4*z/2.5", ["x", "z"]), PRIMITIVES) == pytest.approx(0.8)


def test_points_are_in_the_box_and_at_its_corners():
    box = np.array([[0.0, 2.0, -1.0], [1.0, 2.0, 1.0]])
    points = points_in(box, 50)
    assert points.shape == (50, 3)
    assert ((box[0] <= points) & (points <= box[1])).all()
    assert {(0.0, -1.0), (0.0, 1.0), (1.0, -1.0), (1.0, 1.0)} <= set(map(tuple, points[:, [0, 2]].tolist()))
    wide = points_in(np.stack([np.zeros(300), np.ones(300)]), 40)
    assert wide.shape == (40, 300)
