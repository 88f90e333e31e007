"""What says nothing sensible is refused before the search, with what was received, what is expected, and a cure."""

import math

import numpy as np
import pytest

from sklearn_eql.constraints import (
    Bounded,
    Concave,
    Convex,
    Even,
    Limit,
    MaxComplexity,
    Monotone,
    NotNested,
    Odd,
    Passes,
    Price,
    Uses,
    Without,
)
from sklearn_eql.constraints.reading import Constraints
from sklearn_eql.primitives import PRIMITIVES

NAMES = ["v", "m"]
RANGES = np.array([[0.0, 1.0], [2.0, 3.0]])


def read(*constraints):
    return Constraints.read(constraints, NAMES, PRIMITIVES)


def test_none_and_an_empty_list_say_nothing():
    assert Constraints.read(None, NAMES, PRIMITIVES) is None
    assert read() is None


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ([Bounded(1, 0)], "low=1, high=0.*expected low <= high.*Exchange"),
        ([Bounded()], "expected low, high or both"),
        ([Bounded(low=math.nan)], "low=nan, expected a number"),
        ([Bounded(low="0")], "low='0', expected a number"),
        ([Monotone("w")], "'w', expected a feature: 'v', 'm'.*Use a name of the columns"),
        ([Even("v", on={"w": (0, 1)})], "'w', expected a feature"),
        ([Even("v", on={"m": (1, 1)})], "expected two finite numbers, ascending"),
        ([Passes({})], "expected a point"),
        ([Passes({"w": 0})], "'w', expected a feature"),
        ([Passes({"v": 0}, math.inf)], "finite value. Use Limit"),
        ([Price({"erf": 2})], "'erf', expected a function"),
        ([Price({"exp": math.inf})], "finite prices"),
        ([NotNested()], "expected names of functions"),
        ([NotNested("sin", "expo")], "'expo', expected a function"),
        ([Uses()], "expected names of features"),
        ([MaxComplexity(0)], "n=0.*whole number"),
        ([MaxComplexity(True)], "n=True, expected a number"),
        ([Uses("v"), Without("m", "v")], "contradict each other: 'v' must occur and must not"),
        ([Monotone("v"), Monotone("v", increasing=False)], "neither rises nor falls with 'v'.*Leave out one"),
        ([Even("v"), Odd("v")], "even and odd in 'v' is zero"),
        ([Bounded(low=3), Bounded(high=2)], "no value is within both"),
        ([Bounded(0, 1), Passes({"v": 0}, 2)], "2 is out of bounds"),
        ([Passes({"v": 0}, 2), Passes({"v": 0})], "one point has one value"),
        ([Limit("v", math.inf, 1), Limit("v")], "one limit"),
        ([MaxComplexity(2), Uses("v", "m")], "has complexity 3 at least"),
    ],
)
def test_mistakes_are_named(constraints, message):
    with pytest.raises(ValueError, match=f"(?s)constraints: .*{message}"):
        read(*constraints)


@pytest.mark.parametrize("wrong", ["monotone", {"v": 1}, 3])
def test_something_else_than_a_list_is_refused(wrong):
    with pytest.raises(TypeError, match=r"expected a list of objects of sklearn_eql.constraints"):
        Constraints.read(wrong, NAMES, PRIMITIVES)


def test_something_else_in_the_list_is_refused():
    with pytest.raises(TypeError, match=r"constraints holds 'monotone', expected objects"):
        read("monotone")


def test_what_goes_together_is_read():
    known = read(
        *(Monotone("v"), Monotone("v", increasing=False, on={"v": (3, 4)}), Convex("m"), Concave("v")),
        *(Price({"exp": 1}), Price({"exp": 2, "sin": 1}), Without("m"), MaxComplexity(9), MaxComplexity(7)),
    )
    assert known.excluded == [1]
    assert dict(known.admission.prices) == {"exp": 3.0, "sin": 1.0}
    demands = known.demands(RANGES, np.arange(3.0), PRIMITIVES)
    assert demands.of_printed.max_complexity == 7
    assert len(demands.of_candidates.points) < len(demands.of_printed.points)


def test_bounds_that_no_row_is_within_are_refused():
    with pytest.raises(ValueError, match=r"all of y is from 0 to 2"):
        read(Bounded(low=5)).demands(RANGES, np.arange(3.0), PRIMITIVES)
    assert read(Bounded(low=5, on={"v": (9, 10)})).demands(RANGES, np.arange(3.0), PRIMITIVES)


def test_objects_are_values():
    assert Bounded(0, on={"v": (0, 1)}) == Bounded(0, on={"v": (0, 1)})
    assert len({Uses("v"), Uses("v"), Passes({"v": 0}), Passes({"v": 0}), Price({"exp": 1})}) == 3
    assert repr(NotNested("sin", "exp")) == "NotNested('sin', 'exp')"
    assert repr(Price({"exp": 3})) == "Price({'exp': 3.0})"
